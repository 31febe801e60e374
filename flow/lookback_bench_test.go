package flow

import (
	"math/rand/v2"
	"testing"
)

// busySlots returns slots as a busy link makes them: so many flows with a row
// in each direction in every slot.
func busySlots(slots, flows int) []*Slot {
	rnd := rand.New(rand.NewPCG(5, 5))
	ids := rnd.Perm(flows)
	out := make([]*Slot, slots)
	for n := range out {
		s := &Slot{Link: 1}
		s.From, s.To = slotAt(n)
		for i, id := range ids {
			if n == 0 {
				introduce(s, FlowID(id+1))
			}
			for _, d := range Directions {
				r := Row{FlowID(id + 1), uint32(60 + rnd.IntN(1+i*100)), 1 + uint32(i)}
				s.Rows[d] = append(s.Rows[d], r)
				s.Total[d].Add(Counters{uint64(r.Bytes), uint64(r.Packets)})
			}
		}
		other(s, Rx, Unknown, Counters{1000, 1})
		out[n] = s
	}
	return out
}

// BenchmarkLookback is what the watcher pays for one link whose slots are full:
// 3500 rows in each direction. 0.1 s of CPU in ten Adds would be a core.
func BenchmarkLookback(b *testing.B) {
	const rows = 3500
	slots := busySlots(50, rows)
	l := NewLookback(0, nil)
	n := 0
	next := func() *Slot {
		s := *slots[n%len(slots)]
		if n > 0 {
			s.New = nil
		}
		s.From, s.To = slotAt(n)
		n++
		return &s
	}
	for range 700 {
		l.Add(next())
	}
	b.Run("add", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Add(next())
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e8*100, "%core")
	})
	b.Run("flows", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Flows(4096)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e8*100, "%core")
	})
	b.Run("flows-top-100", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Flows(100)
		}
	})
	b.Run("rates", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Rates()
		}
	})
	b.Run("sum-30s", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Sum(l.Newest()-30_000*ms, l.Newest(), nil)
		}
	})
	b.Run("flows-all-tied", func(b *testing.B) { // last: the windows are wrong from here on
		for _, e := range l.active {
			l.flows.at(e).win[1] = [2]uint64{}
		}
		b.ReportAllocs()
		for b.Loop() {
			l.Flows(4096)
		}
	})
}
