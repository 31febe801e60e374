package hops

import (
	"cmp"
	"math"
	"slices"
	"time"

	"spiketop/flow"
)

// LiveConfig sets the bounds of a [Live]. Zero values mean the defaults.
type LiveConfig struct {
	LossAfter  time.Duration // how long a reply is waited for; 2 s
	MaxPending int           // echoes whose reply is awaited; 65536
	MaxSeries  int           // pings that are remembered; 16384
}

// Numbers of the matcher.
const (
	liveTolerance = time.Millisecond       // by which stamps of different processors may contradict one another
	liveRepeat    = 10 * time.Millisecond  // the same request again within this is a copy, later another echo
	liveSpacing   = 10 * time.Millisecond  // of a series' echoes: of more than 100 a second some are left out
	liveAtOnce    = 64                     // echoes of a series that wait for their reply
	liveKnown     = 3                      // answers after which a series is worth a judgement
	livePatience  = 2 * time.Second        // with a source whose watermark stands still
	liveStep      = 200 * time.Millisecond // longest time between Ticks in which this process surely ran
	liveIdle      = 60 * time.Second       // after which a known series may be forgotten for another one
	liveYoung     = 100 * time.Millisecond // a younger echo is not reported as waiting
	liveReports   = 1024                   // of waiting echoes in one Tick
	liveMisses    = 16                     // echoes seen at less than the usual places in a row: then that is usual
	liveChain     = 8                      // echoes of one Key that are looked at
)

// SeriesKey names the echoes of one ping.
type SeriesKey struct {
	Family   flow.Family
	Src, Dst [16]byte // of the requests
	ID       uint16
}

// Series returns the ping to which an echo belongs.
func (k *Key) Series() SeriesKey { return SeriesKey{k.Family, k.Src, k.Dst, k.ID} }

// LiveCounts say what a Live holds and what it had to leave out, since its start.
type LiveCounts struct {
	Pending, Series, Known int    // held now; Known are the series that are reported
	Evicted                uint64 // echoes forgotten because there were too many
	Skipped                uint64 // requests and replies of series that send too fast, or for which there was no room
	Forgotten              uint64 // series
	Copies                 uint64 // the same request seen again at the same place
	Orphans                uint64 // replies without a request
}

// Live matches the echoes of VMs while they pass: seen on vifs and NICs of this
// host, all stamped by its one clock, delivered by sources that lag behind
// differently. It says of each echo where it was seen, as soon as every source
// has been read past its end.
//
// It belongs to one goroutine, starts none and reads no clock. Hand over what a
// source delivered (Echo, Gap, then the Drained that covers it), then call Tick.
// Memory is bounded whatever arrives; a flood evicts the flood.
type Live struct {
	cfg     LiveConfig
	sources []source
	gaps    []gap

	slab     []pending
	free     []int32
	newest   map[Key]int32
	fair     lists // of the slab, by addresses: echoes of series that are not known
	kept     lists // the same of those that are: the last to go
	order    lists // of the slab, by arrival
	ready    []ref
	waiting  []ref
	series   []series
	spare    []int32
	byKey    map[SeriesKey]int32
	young    lists // of series, by addresses: without enough answers yet
	known    lists // of series, least recently used first
	maxKnown int

	now   flow.Time
	ran   time.Duration
	mark  flow.Time
	count LiveCounts
	out   []Passage
}

// source is where echoes come from: a link, or the vifs (0).
type source struct {
	id    flow.LinkID
	upTo  flow.Time
	moved time.Duration // Live.ran when upTo last moved
}

// gap is a time in which something is missing, both ends included.
type gap struct {
	vif      int32 // 0 = anywhere
	from, to flow.Time
}

// ref names a pending echo that may have gone meanwhile.
type ref struct {
	i   int32
	gen uint32
}

// NewLive returns a matcher that has seen nothing.
func NewLive(cfg LiveConfig) *Live {
	cfg.LossAfter = cmp.Or(max(cfg.LossAfter, 0), 2*time.Second)
	cfg.MaxPending = cmp.Or(max(cfg.MaxPending, 0), 65536)
	cfg.MaxSeries = cmp.Or(max(cfg.MaxSeries, 0), 16384)
	return &Live{cfg: cfg, newest: map[Key]int32{}, byKey: map[SeriesKey]int32{}, maxKnown: max(cfg.MaxSeries/4, 1),
		fair: newLists(buckets), kept: newLists(buckets), order: newLists(1), young: newLists(buckets), known: newLists(1), mark: math.MinInt64 / 4}
}

// SetLinks says which captured links are up: only they must be drained before an
// echo is judged. A new one counts from its first Drained on.
func (l *Live) SetLinks(ids []flow.LinkID) {
	old := l.sources
	l.sources = make([]source, 0, len(ids)+1)
	for _, s := range old {
		if s.id == 0 {
			l.sources = append(l.sources, s)
		}
	}
	for _, id := range ids {
		s := source{id: id, upTo: math.MinInt64 / 4, moved: l.ran}
		for _, o := range old {
			if o.id == id {
				s = o
			}
		}
		l.sources = append(l.sources, s)
	}
}

// Drained says that everything that link id carried before upTo has been handed
// over; id 0 stands for the vifs, all together.
func (l *Live) Drained(id flow.LinkID, upTo flow.Time) {
	for i := range l.sources {
		if s := &l.sources[i]; s.id == id {
			if upTo > s.upTo {
				s.upTo, s.moved = upTo, l.ran
			}
			return
		}
	}
	if id == 0 {
		l.sources = append(l.sources, source{0, upTo, l.ran})
	}
}

// maxGaps is how many are remembered; then the oldest two become one.
const maxGaps = 256

// Gap says that echoes between from and to are missing on a vif, or with vif 0
// anywhere: those of that time are not lost, but Unclear.
func (l *Live) Gap(vif int, from, to flow.Time) {
	if to < from {
		from, to = to, from
	}
	for i := len(l.gaps) - 1; i >= 0; i-- {
		if g := &l.gaps[i]; g.vif == int32(vif) && from <= g.to && to >= g.from {
			g.from, g.to = min(g.from, from), max(g.to, to)
			return
		}
	}
	if len(l.gaps) == maxGaps {
		x, y := l.gaps[0], l.gaps[1]
		if x.vif != y.vif {
			y.vif = 0
		}
		l.gaps[1] = gap{y.vif, min(x.from, y.from), max(x.to, y.to)}
		l.gaps = append(l.gaps[:0], l.gaps[1:]...)
	}
	l.gaps = append(l.gaps, gap{int32(vif), from, to})
}

// missing returns the begin of the first gap in [from, to] that may have hidden a
// sight of p.
func (l *Live) missing(p *pending, from, to flow.Time) (at flow.Time, ok bool) {
	for _, g := range l.gaps {
		if g.from <= to && from <= g.to && (!ok || g.from < at) && (g.vif == 0 || l.passesVIF(p, g.vif)) {
			at, ok = g.from, true
		}
	}
	return at, ok
}

// passesVIF reports whether p was seen on a vif, or its series usually is.
func (l *Live) passesVIF(p *pending, vif int32) bool {
	for _, place := range []Place{FromGuest, ToGuest} {
		if p.has(2*int(place)) && p.where[2*place] == vif {
			return true
		}
	}
	s := l.seriesOf(p)
	return s != nil && (s.vifs[0] == vif || s.vifs[1] == vif)
}

// Counts returns what is held now and what was left out so far.
func (l *Live) Counts() LiveCounts {
	c := l.count
	c.Pending, c.Series, c.Known = len(l.slab)-len(l.free), len(l.byKey), int(l.known.heads[0].n)
	return c
}

// watermark is how far all sources have been read, but for those that stand still.
func (l *Live) watermark() flow.Time {
	low, any := flow.Time(math.MaxInt64), false
	for _, s := range l.sources {
		if l.ran-s.moved <= livePatience {
			low, any = min(low, s.upTo), true
		}
	}
	if !any {
		return l.mark
	}
	return max(l.mark, low)
}

// Tick returns what became known of echoes of series that have answered before:
// those that are over, and those that still wait. The slice is valid until the
// next call.
func (l *Live) Tick(now flow.Time) []Passage {
	if now > l.now {
		if l.now != 0 {
			l.ran += min(now.Sub(l.now), liveStep)
		}
		l.now = now
	}
	l.mark = l.watermark()
	l.out = l.out[:0]
	l.finishReady()
	l.expire()
	l.reportWaiting()
	old := l.mark.Add(-2 * l.cfg.LossAfter)
	l.gaps = slices.DeleteFunc(l.gaps, func(g gap) bool { return g.to < old })
	return l.out
}

// finishReady ends the echoes whose reply has come back to their entry.
func (l *Live) finishReady() {
	kept := l.ready[:0]
	for _, r := range l.ready {
		p := l.at(r)
		if p == nil {
			continue
		}
		entry, ok := p.entry()
		back := 2*int(entry) + 1
		switch {
		case !ok || !p.has(back): // its request was seen elsewhere before
			p.queued = false
		case p.at[back] >= l.mark:
			kept = append(kept, r)
		default:
			state := Returned
			if p.at[back].Sub(p.at[back-1]) > l.cfg.LossAfter {
				state = Unanswered
			}
			l.finish(r.i, state)
		}
	}
	l.ready = kept
}

// expire ends the echoes without a reply.
func (l *Live) expire() {
	for {
		i := l.order.heads[0].first
		if i == none || l.slab[i].begin().Add(l.cfg.LossAfter) > l.mark {
			return
		}
		p := &l.slab[i]
		state := Unanswered
		if _, missed := l.missing(p, p.begin(), p.begin().Add(l.cfg.LossAfter)); missed {
			state = Unclear
		}
		if !p.hasRequest() {
			l.count.Orphans++
		}
		l.finish(i, state)
	}
}

// reportWaiting says which echoes of known series have waited for a while.
func (l *Live) reportWaiting() {
	kept := l.waiting[:0]
	for _, r := range l.waiting {
		p := l.at(r)
		if p == nil {
			continue
		}
		kept = append(kept, r)
		entry, ok := p.entry()
		if !ok || p.has(2*int(entry)+1) || len(l.out) >= liveReports {
			continue
		}
		upTo := l.mark
		if at, missed := l.missing(p, p.begin(), upTo); missed {
			upTo = at
		}
		s := l.seriesOf(p)
		if age := upTo.Sub(p.begin()); s != nil && age >= liveYoung && s.judges(p, entry) && !p.stepped {
			l.out = append(l.out, p.passage(s, entry, Waiting))
			l.out[len(l.out)-1].Age = age
		}
	}
	l.waiting = kept
}

// finish reports the echo in slot i and forgets it.
func (l *Live) finish(i int32, state PassageState) {
	p := &l.slab[i]
	if s, entry, ok := l.end(p, state); ok {
		if p.stepped || !s.judges(p, entry) {
			state = Unclear
		}
		l.out = append(l.out, p.passage(s, entry, state))
	}
	l.drop(i)
}

// end lets the series learn from an echo that is over; ok says that it is to be
// reported.
func (l *Live) end(p *pending, state PassageState) (s *series, entry Place, ok bool) {
	s = l.seriesOf(p)
	entry, has := p.entry()
	if s == nil || !has {
		return nil, 0, false
	}
	if state == Returned {
		s.learn(p, entry)
		if s.answered++; s.answered == liveKnown {
			l.promote(p.series)
		}
	}
	return s, entry, s.known
}
