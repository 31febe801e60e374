package flow

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// rank is a flow on its way into Flows.
type rank struct {
	bytes uint64 // of the 10 s window, both directions
	entry uint32
}

// Flows returns the flows that had a row in the last 40 s (of this epoch),
// largest 10 s rate first, ties by key, at most limit of them, and how many more
// there are.
//
// A flow that lost its table entry and came back has several numbers; the ones
// among the rows are put together under the newest.
func (l *Lookback) Flows(limit int) (rows []FlowRate, more int) {
	l.order = l.order[:0]
	for _, e := range l.active {
		w := &l.flows.at(e).win[1]
		l.order = append(l.order, rank{w[Rx] + w[Tx], e})
	}
	top := l.order
	if limit = min(len(top), limit); limit <= 0 {
		return nil, len(top)
	}
	if len(top) > limit {
		l.selectRanks(top, limit)
		top = top[:limit]
	}
	more = len(l.order) - len(top)
	slices.SortFunc(top, l.compareRank)
	rows = make([]FlowRate, 0, len(top))
	for _, r := range top {
		rows = append(rows, l.flowRate(l.flows.at(r.entry)))
	}
	if l.evictedNow > 0 {
		rows = mergeRates(rows)
	}
	return rows, more
}

// compareRank orders by size, then key, then number.
func (l *Lookback) compareRank(a, b rank) int {
	if a.bytes != b.bytes {
		return cmp.Compare(b.bytes, a.bytes)
	}
	x, y := &l.flows.at(a.entry).info, &l.flows.at(b.entry).info
	if c := x.Key.Compare(&y.Key); c != 0 {
		return c
	}
	return cmp.Compare(x.ID, y.ID)
}

// selectRanks moves the first n of the order to the front (quickselect; the
// pivot is the median of three, the order has no equals).
func (l *Lookback) selectRanks(r []rank, n int) {
	for lo, hi := 0, len(r); hi-lo > 1; {
		pivot := l.median(r[lo], r[lo+(hi-lo)/2], r[hi-1])
		i, j := lo, hi-1
		for i <= j {
			for l.compareRank(r[i], pivot) < 0 {
				i++
			}
			for l.compareRank(r[j], pivot) > 0 {
				j--
			}
			if i <= j {
				r[i], r[j] = r[j], r[i]
				i++
				j--
			}
		}
		switch { // r[lo:j+1] <= pivot <= r[i:hi], what lies between is in its place
		case n <= j:
			hi = j + 1
		case n > i:
			lo = i
		default:
			return
		}
	}
}

func (l *Lookback) median(a, b, c rank) rank {
	if l.compareRank(a, b) > 0 {
		a, b = b, a
	}
	if l.compareRank(b, c) > 0 {
		b = c
	}
	if l.compareRank(a, b) > 0 {
		b = a
	}
	return b
}

func (l *Lookback) flowRate(f *flowEntry) FlowRate {
	r := FlowRate{ID: f.info.ID, Key: f.info.Key, Class: l.classOf(f), Why: f.why, Cum: f.info.Cum}
	for w := range f.win {
		for _, d := range Directions {
			r.Rate[d][w] = l.win[w].rate(f.win[w][d])
		}
	}
	return r
}

// mergeRates puts rows with the same key together and orders again.
func mergeRates(rows []FlowRate) []FlowRate {
	at := make(map[Key]int, len(rows))
	merged := rows[:0]
	for _, r := range rows {
		i, ok := at[r.Key]
		if !ok {
			at[r.Key] = len(merged)
			merged = append(merged, r)
			continue
		}
		m := &merged[i]
		for _, d := range Directions {
			for w := range m.Rate[d] {
				m.Rate[d][w] += r.Rate[d][w]
			}
			m.Cum[d].Add(r.Cum[d])
		}
	}
	if len(merged) == len(rows) {
		return rows
	}
	slices.SortFunc(merged, func(a, b FlowRate) int {
		if c := cmp.Compare(b.Rate[Rx][1]+b.Rate[Tx][1], a.Rate[Rx][1]+a.Rate[Tx][1]); c != 0 {
			return c
		}
		return a.Key.Compare(&b.Key)
	})
	return merged
}

// Rates returns the figures of the whole link.
func (l *Lookback) Rates() LinkRates {
	if l.stale {
		for _, e := range l.active {
			l.classOf(l.flows.at(e))
		}
		l.stale = false
	}
	r := LinkRates{Cum: l.cum, Lost: l.lost, Evicted: l.evicted, Late: l.late, Coverage: math.NaN()}
	for w := range l.win {
		win := &l.win[w]
		r.Observed[w] = win.observed
		for _, d := range Directions {
			r.Rate[d][w] = win.rate(win.bytes[d])
			r.Other[d][w] = win.rate(win.other[d])
		}
	}
	if w := &l.win[1]; w.packets+w.lost > 0 {
		r.Coverage = float64(w.packets) / float64(w.packets+w.lost)
	}
	for n := l.win[2].tail; n < l.next; n++ {
		for _, d := range Directions {
			r.Peak[d] = max(r.Peak[d], binRate(l.at(n).peak[d]))
		}
	}
	r.Classes = l.classRates()
	return r
}

// binRate returns the bit/s of a bin.
func binRate(bytes uint64) float64 {
	return float64(bytes) * 8 * float64(time.Second/BinLen)
}

func (l *Lookback) classRates() (rates []ClassRate) {
	w := &l.win[0]
	total := float64(w.bytes[Rx]) + float64(w.bytes[Tx])
	for class := range l.class {
		b := l.class[class]
		if b == [2]uint64{} {
			continue
		}
		r := ClassRate{Class: Class(class)}
		for _, d := range Directions {
			r.Rate[d] = w.rate(b[d])
			if total > 0 {
				r.Share += float64(b[d]) / total
			}
		}
		rates = append(rates, r)
	}
	slices.SortStableFunc(rates, func(a, b ClassRate) int { return cmp.Compare(b.Share, a.Share) })
	return rates
}
