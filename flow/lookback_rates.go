package flow

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Flows returns the flows that had a row in the last 40 s (of this epoch),
// largest 10 s rate first, ties by key, at most limit of them, and how many
// more there are. Where the limit cuts through flows of the same rate, it is
// not the key that says which of them are left out.
//
// A flow that lost its table entry and came back has several numbers; the ones
// among the rows are put together under the newest.
func (l *Lookback) Flows(limit int) (rows []FlowRate, more int) {
	top := l.ranked(limit)
	if len(top) == 0 {
		return nil, len(l.active)
	}
	rows = make([]FlowRate, 0, len(top))
	for _, r := range top {
		rows = append(rows, l.flowRate(l.flows.at(r.entry)))
	}
	if l.evictedNow > 0 {
		rows = mergeRates(rows)
	}
	return rows, len(l.active) - len(top)
}

func (l *Lookback) flowRate(f *flowEntry) FlowRate {
	r := FlowRate{ID: f.info.ID, Key: f.info.Key, Class: l.classOf(f), Why: f.why, MAC: f.info.MAC, Inner: f.info.Inner, Cum: f.info.Cum}
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
