package flow

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

// Table and Lookback together: every byte that went in comes out, no row names
// a flow that the look-back does not know, and a flow's cumulative figure is
// true even though most of its rows were dropped by a tiny budget and every
// tenth slot got lost on the way.
func TestTableToLookback(t *testing.T) {
	const slots = 40
	for _, tt := range []struct {
		name             string
		maxFlows, budget int
		lose             int // every so many slots are not delivered, 0 = none
		wantOther        bool
	}{
		{"everything fits", 1000, 1 << 20, 0, false},
		{"everything fits, slots get lost", 1000, 1 << 20, 10, false},
		{"tiny budget", 1000, 1000, 0, true},
		{"tiny budget, slots get lost", 1000, 1000, 7, true},
		{"tiny table", 20, 1 << 20, 0, true},
		{"tiny table and budget, slots get lost", 20, 600, 5, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tb := NewTable(TableConfig{MaxFlows: tt.maxFlows, SlotBudget: tt.budget, LookbackSlots: slots, Seed: 9,
				Classify: func(*Key, [6]byte, [6]byte) Class { return VIF }})
			l := NewLookback(slots, func(*Key, [6]byte, [6]byte) (Class, string) { return VIF, "" })
			rnd := rand.New(rand.NewPCG(3, 4))
			tb.Begin(0)
			cum := map[Key]uint64{}
			var delivered []*Slot
			for n := range 300 {
				from, to := slotAt(n)
				for range 200 {
					f := int(rnd.ExpFloat64() * 30)
					r := testRecord(from, f, Direction(rnd.IntN(2)), uint64(60+f*rnd.IntN(100)), 1)
					tb.Add([]Record{r})
					cum[r.Key] += r.Bytes
				}
				s := tb.CloseSlot(from, to)
				checkSums(t, s)
				if tt.lose > 0 && n%tt.lose == 0 && n < 260 { // the end is left to recover
					tb.Forget()
					continue
				}
				l.Add(s)
				delivered = append(delivered, s)
				checkDelivered(t, l, delivered, slots)
			}
			checkCum(t, l, cum, tt.wantOther)
		})
	}
}

// checkDelivered compares the sum over the whole look-back with its slots.
func checkDelivered(t *testing.T, l *Lookback, delivered []*Slot, slots int) {
	t.Helper()
	var want [2]Counters
	for _, s := range delivered[max(0, len(delivered)-slots):] {
		for _, d := range Directions {
			want[d].Add(s.Total[d])
		}
	}
	sum := l.Sum(l.Oldest(), l.Newest(), nil)
	var got [2]Counters
	for _, d := range Directions {
		for _, f := range sum.Flows {
			got[d].Add(f.Sum[d])
		}
		for class, c := range sum.Other[d] {
			if class == Unknown { // everything of ours is VIF
				t.Fatalf("rows of unknown flows: %v", c)
			}
			got[d].Add(c)
		}
	}
	if got != want || sum.Total != want {
		t.Fatalf("slot %d: flows + other = %v, Total = %v, want %v", len(delivered), got, sum.Total, want)
	}
}

// checkCum compares flows with what they really carried: equal if nothing went
// to Other and the flow is so busy (the first forty have more than a record in
// a slot) that it never left for being idle, else at most that.
func checkCum(t *testing.T, l *Lookback, cum map[Key]uint64, other bool) {
	t.Helper()
	rows, _ := l.Flows(1000)
	if len(rows) == 0 {
		t.Fatal("no rows")
	}
	for _, r := range rows {
		got := r.Cum[Rx].Bytes + r.Cum[Tx].Bytes
		exact := !other && r.Key.Local[15] < 40
		if got > cum[r.Key] || exact && got != cum[r.Key] {
			t.Errorf("%s: Cum = %d bytes, sent %d", r.Key.LocalEnd(), got, cum[r.Key])
		}
		if info := l.Info(r.ID); info == nil || info.Key != r.Key {
			t.Errorf("%s: Info = %v", r.Key.LocalEnd(), info)
		}
	}
}

// A hostile minute: every slot is as full of new flows as its budget allows.
// What the look-back then holds is what the budget promised.
func TestLookbackMemory(t *testing.T) {
	tb := NewTable(TableConfig{MaxFlows: 1 << 16, Seed: 10})
	l := NewLookback(0, nil)
	tb.Begin(0)
	before := heap()
	n := 0
	for slot := range 700 {
		from, to := slotAt(slot)
		for range 1000 {
			n++
			tb.Add([]Record{testRecord(from, n, Rx, uint64(60+n%1400), 1)})
		}
		s := tb.CloseSlot(from, to)
		l.Add(s)
	}
	all := heap()
	if l.flows.n < 600*150 {
		t.Fatalf("only %d flows: the test does not fill the budget", l.flows.n)
	}
	held := float64(all-before) / (1 << 20)
	l, n = nil, 0
	table := float64(heap()-before) / (1 << 20)
	runtime.KeepAlive(tb)
	// 24 MiB, and what a slot costs without any flow: 600 * about 1 KiB.
	if got := held - table; got > 25 {
		t.Errorf("the look-back holds %.1f MiB, want at most 25", got)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
