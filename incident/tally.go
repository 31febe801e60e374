package incident

import (
	"slices"
	"time"

	"spiketop/flow"
)

// Bounds of what two readings of a counter may say.
const (
	// readingGap is the longest time between two readings over which their
	// difference is believed to lie evenly; they are a second apart.
	readingGap = 5 * time.Second
	// mostBytes is what no vif and no disk moves in a second: 1 Tbit/s. A counter
	// that leaps by more was not counting.
	mostBytes = 125e9
	// glitchSpan is how soon a counter that fell must be back above where it was
	// for its fall to have been a wrong reading, not a new start.
	glitchSpan = 3 * time.Second
)

// reading is what some cumulative counters were at one time: those of a vif are
// rxBytes, txBytes, rxDropped, those of a VM's disks readBytes, writeBytes.
type reading struct {
	at flow.Time
	n  [3]uint64
}

const (
	rxBytes = iota
	txBytes
	rxDropped

	readBytes  = rxBytes
	writeBytes = txBytes
)

// tally is the recent past of some counters, oldest first. Between two readings
// a counter is taken to have grown evenly; over a gap, a new start or a leap
// nothing is known.
type tally struct{ list []reading }

// growth is by how much counters grew in the part of a time that is known.
type growth struct {
	n     [3]float64
	known time.Duration
}

// rate is growth i in bit/s, of bytes; 0 if nothing is known.
func (g *growth) rate(i int) float64 {
	if g.known <= 0 {
		return 0
	}
	return g.n[i] * 8 / g.known.Seconds()
}

func (g *growth) add(o *growth) {
	for i := range g.n {
		g.n[i] += o.n[i]
	}
	g.known += o.known
}

// add takes a reading; one that is not newer than the last is left out. No more
// than keep of the past and most readings stay.
func (t *tally) add(r reading, keep time.Duration, most int) {
	n := len(t.list)
	if n > 0 && r.at <= t.list[n-1].at {
		return
	}
	if n > 1 && r.at.Sub(t.list[n-2].at) <= glitchSpan && !rises(&t.list[n-2], &t.list[n-1]) && rises(&t.list[n-2], &r) {
		n--
		t.list = t.list[:n]
	}
	if n == most || n > 16 && t.list[n/4].at < r.at.Add(-keep) {
		t.list = slices.Delete(t.list, 0, max(n/4, 1))
	}
	t.list = append(t.list, r)
}

// rises reports whether no counter is lower in b than in a.
func rises(a, b *reading) bool {
	for i := range a.n {
		if b.n[i] < a.n[i] {
			return false
		}
	}
	return true
}

// sound reports whether what lies between two readings can be known.
func sound(a, b *reading) bool {
	d := b.at.Sub(a.at)
	if d <= 0 || d > readingGap || !rises(a, b) {
		return false
	}
	most := mostBytes * d.Seconds()
	return float64(b.n[rxBytes]-a.n[rxBytes]) <= most && float64(b.n[txBytes]-a.n[txBytes]) <= most
}

// between is what was counted in [from, to): of the pair of readings around an
// edge the part that lies inside.
func (t *tally) between(from, to flow.Time) (g growth) {
	for i := t.first(from); i < len(t.list) && t.list[i-1].at < to; i++ {
		a, b := &t.list[i-1], &t.list[i]
		lo, hi := max(a.at, from), min(b.at, to)
		if hi <= lo || !sound(a, b) {
			continue
		}
		part := float64(hi-lo) / float64(b.at-a.at)
		for k := range g.n {
			g.n[k] += part * float64(b.n[k]-a.n[k])
		}
		g.known += hi.Sub(lo)
	}
	return g
}

// whole is what was counted between readings that both lie in [from, to] and
// have nothing in common with skip: nothing of a burst at an edge is smeared in.
func (t *tally) whole(from, to flow.Time, skip []flow.Span) (g growth) {
	for i := t.first(from); i < len(t.list) && t.list[i].at <= to; i++ {
		a, b := &t.list[i-1], &t.list[i]
		if a.at < from || !sound(a, b) || slices.ContainsFunc(skip, func(s flow.Span) bool { return a.at < s.To && s.From < b.at }) {
			continue
		}
		for k := range g.n {
			g.n[k] += float64(b.n[k] - a.n[k])
		}
		g.known += b.at.Sub(a.at)
	}
	return g
}

// first is the index of the first reading after from, not less than 1.
func (t *tally) first(from flow.Time) int {
	i, _ := slices.BinarySearchFunc(t.list, from+1, func(r reading, at flow.Time) int {
		if r.at < at {
			return -1
		}
		return 1
	})
	return max(i, 1)
}

// spanAround is the time between the readings around [from, to) that the tallies
// have in common: from the last one before it to the first one behind it, where
// there are any within [readingGap]; else as far as they reach. A counter that
// begins or ends inside does not shorten it.
func spanAround(tallies []*tally, from, to flow.Time) flow.Span {
	var before, after, first, last flow.Time
	for _, t := range tallies {
		for i := range t.list {
			switch at := t.list[i].at; {
			case at < from.Add(-readingGap) || at > to.Add(readingGap):
			case at <= from:
				if i+1 == len(t.list) || t.list[i+1].at > from {
					before = max(before, at)
				}
			case at >= to:
				if after == 0 || at < after {
					after = at
				}
			default:
				if first == 0 || at < first {
					first = at
				}
				last = max(last, at)
			}
		}
	}
	s := flow.Span{From: before, To: after}
	if s.From == 0 {
		s.From = first
	}
	if s.To == 0 {
		s.To = max(last, s.From)
	}
	return s
}

// newest is the time of the last reading, 0 if there is none.
func (t *tally) newest() flow.Time {
	if len(t.list) == 0 {
		return 0
	}
	return t.list[len(t.list)-1].at
}
