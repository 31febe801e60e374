package flow

import "time"

// within calls f with every slot that lies wholly in [from, to) and does not
// overlap a span of skip, oldest first.
func (l *Lookback) within(from, to Time, skip []Span, f func(*held)) {
	for n := l.first; n < l.next; n++ {
		h := l.at(n)
		if h.From >= from && h.To <= to && !h.overlaps(skip) {
			f(h)
		}
	}
}

func (s *Slot) overlaps(spans []Span) bool {
	for _, p := range spans {
		if s.From < p.To && p.From < s.To {
			return true
		}
	}
	return false
}

// Sum adds up the whole slots inside [from, to) that do not overlap a span of
// skip. It looks at every row of the window (some 10 ms for 30 s of a busy
// link): for an incident, not for every frame.
func (l *Lookback) Sum(from, to Time, skip []Span) WindowSum {
	w := summing{l: l}
	if l.evictedNow > 0 {
		w.keys = make(map[Key]uint32)
	}
	l.within(from, to, skip, w.add)
	for _, e := range w.marked {
		l.flows.at(e).mark = 0
	}
	return w.sum
}

// summing is a WindowSum in the making.
type summing struct {
	l      *Lookback
	sum    WindowSum
	marked []uint32       // entries whose mark is set
	keys   map[Key]uint32 // marks by key, if a flow may have several numbers
}

func (w *summing) add(h *held) {
	s := &w.sum
	if s.Slots == 0 {
		s.From = h.From
	}
	s.To = h.To
	s.Slots++
	s.Observed += h.observed
	for _, d := range Directions {
		s.Total[d].Add(h.Total[d])
		s.SKBBytes[d] += h.SKBBytes[d]
		for class, c := range h.Other[d] {
			if s.Other[d] == nil {
				s.Other[d] = make(map[Class]Counters)
			}
			c.Add(s.Other[d][class])
			s.Other[d][class] = c
		}
		for _, r := range h.Rows[d] {
			w.flow(r.Flow).Sum[d].Add(Counters{uint64(r.Bytes), uint64(r.Packets)})
		}
	}
	s.Lost += h.Lost
	s.Floor = addSat64(s.Floor, h.Floor)
	s.Evicted += uint64(h.Evicted)
	s.Late += uint64(h.Late)
}

// flow returns the sum of a flow. An entry's mark is its place in Flows, plus 1.
func (w *summing) flow(id FlowID) *FlowSum {
	e := w.l.flows.find(id)
	f := w.l.flows.at(e)
	if f.mark != 0 {
		return &w.sum.Flows[f.mark-1]
	}
	w.marked = append(w.marked, e)
	if w.keys != nil {
		if f.mark = w.keys[f.info.Key]; f.mark != 0 {
			s := &w.sum.Flows[f.mark-1]
			// Slots come oldest first: the newest incarnation says whose it is.
			s.ID, s.Class, s.Why, s.MAC, s.Inner = id, w.l.classOf(f), f.why, f.info.MAC, f.info.Inner
			return s
		}
	}
	w.sum.Flows = append(w.sum.Flows, FlowSum{ID: id, Key: f.info.Key, Class: w.l.classOf(f), Why: f.why, MAC: f.info.MAC, Inner: f.info.Inner})
	f.mark = uint32(len(w.sum.Flows))
	if w.keys != nil {
		w.keys[f.info.Key] = f.mark
	}
	return &w.sum.Flows[f.mark-1]
}

// SlotRates returns the rate of each whole slot inside [from, to) that does not
// overlap a span of skip, in bit/s by direction, oldest first: the link's usual
// spread.
func (l *Lookback) SlotRates(from, to Time, skip []Span) (rates [2][]float64) {
	l.within(from, to, skip, func(h *held) {
		if h.observed <= 0 {
			return
		}
		for _, d := range Directions {
			rates[d] = append(rates[d], float64(h.Total[d].Bytes)*8/h.observed.Seconds())
		}
	})
	return rates
}

// Bins returns the load of [from, to) in bins of 10 ms. The series begins at
// from; it is cut at its beginning if it would be longer than two look-backs.
// Slots begin at multiples of 100 ms of wall time: with such a from the bins
// are exact and those of several links lie side by side, else they are off by
// at most 5 ms.
func (l *Lookback) Bins(from, to Time) BinSeries {
	if to <= from {
		return BinSeries{Start: from}
	}
	n := (uint64(to-from) + uint64(BinLen) - 1) / uint64(BinLen)
	if most := uint64(2 * len(l.ring) * BinsPerSlot); n > most {
		from = from.Add(BinLen * time.Duration(n-most))
		n = most
	}
	b := BinSeries{Start: from, Bytes: [2][]uint64{make([]uint64, n), make([]uint64, n)}, Valid: make([]bool, n)}
	for i := l.first; i < l.next; i++ {
		if h := l.at(i); h.To > from && h.From < to {
			b.place(h)
		}
	}
	return b
}

// place writes the bins of a slot into b. A slot shorter than 100 ms has fewer
// of them.
func (b *BinSeries) place(h *held) {
	const half = Time(BinLen / 2)
	for j := range BinsPerSlot {
		begin := h.From.Add(BinLen * time.Duration(j))
		at := begin - b.Start + half
		if at < 0 || begin >= h.To && h.Bins[Rx][j] == 0 && h.Bins[Tx][j] == 0 {
			continue
		}
		if i := int64(at) / int64(BinLen); i < int64(len(b.Valid)) {
			b.Valid[i] = true
			for _, d := range Directions {
				b.Bytes[d][i] += h.Bins[d][j]
			}
		}
	}
}
