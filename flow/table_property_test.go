package flow

import (
	"math"
	"math/rand/v2"
	"testing"
)

// sums returns rows + Other of a direction.
func sums(s *Slot, d Direction) (c Counters) {
	for _, r := range s.Rows[d] {
		c.Add(Counters{uint64(r.Bytes), uint64(r.Packets)})
	}
	for _, o := range s.Other[d] {
		c.Add(o)
	}
	return c
}

// checkSums holds s to its invariant.
func checkSums(t *testing.T, s *Slot) {
	t.Helper()
	for _, d := range Directions {
		if got := sums(s, d); got != s.Total[d] {
			t.Fatalf("slot at %d: %s rows + other = %+v, total %+v", s.From, d, got, s.Total[d])
		}
		var bins uint64
		for _, b := range s.Bins[d] {
			bins += b
		}
		if bins != s.Total[d].Bytes {
			t.Fatalf("slot at %d: %s bins hold %d bytes, total %d", s.From, d, bins, s.Total[d].Bytes)
		}
	}
}

// tableRun drives a table by the bytes of a script and checks every slot
// against a plain map.
type tableRun struct {
	t      *testing.T
	tb     *Table
	slots  int
	budget int
	in     []byte

	slot  int
	added map[Key][2]Counters // in the current slot
	total [2]Counters
	lost  uint64
	known map[FlowID]Key // what a look-back knows
	last  map[FlowID]int // slot of the last row
}

func (r *tableRun) byte() int {
	if len(r.in) == 0 {
		return 0
	}
	b := r.in[0]
	r.in = r.in[1:]
	return int(b)
}

func newTableRun(t *testing.T, in []byte) *tableRun {
	r := &tableRun{t: t, in: in, added: map[Key][2]Counters{}, known: map[FlowID]Key{}, last: map[FlowID]int{}}
	r.slots = 1 + r.byte()%20
	r.budget = 1 + r.byte()*16
	r.tb = NewTable(TableConfig{
		MaxFlows:      1 + r.byte()%64,
		LookbackSlots: r.slots,
		SlotBudget:    r.budget,
		Seed:          uint64(r.byte()),
	})
	r.tb.Begin(0)
	return r
}

func (r *tableRun) run() {
	for len(r.in) > 0 {
		switch op := r.byte(); {
		case op < 200:
			r.add(1 + op%70)
		case op < 240:
			r.close()
		case op < 244:
			r.tb.Forget()
			clear(r.known)
		case op < 248:
			c := Class(r.byte())
			r.tb.SetClassify(func(k *Key, _, _ [6]byte) Class { return c ^ Class(k.Local[15]&3) })
		case op < 252:
			r.tb.Lose(uint64(op))
			r.lost += uint64(op)
		default: // everybody falls idle
			for range r.slots + 2 {
				r.close()
			}
		}
	}
	r.close()
}

func (r *tableRun) add(n int) {
	batch := make([]Record, n)
	for i := range batch {
		b := r.byte()
		rec := testRecord(Time(r.slot)*100*ms+Time(b-20)*ms, b+r.byte()&7<<8, Direction(b&1), uint64(b)*7, uint32(b&3))
		switch b % 31 {
		case 0:
			rec.Bytes = math.MaxUint64
		case 1:
			rec.Bytes, rec.Packets = 3*math.MaxUint32, math.MaxUint32
		case 2:
			rec.At = Time(math.MaxInt64)
		case 3:
			rec.At = Time(math.MinInt64)
		}
		batch[i] = rec
		c := r.added[rec.Key]
		c[rec.Dir].Add(Counters{rec.Bytes, uint64(rec.Packets)})
		r.added[rec.Key] = c
		r.total[rec.Dir].Add(Counters{rec.Bytes, uint64(rec.Packets)})
	}
	r.tb.Add(batch)
}

func (r *tableRun) close() {
	t := r.t
	s := r.tb.CloseSlot(slotAt(r.slot))
	checkSums(t, s)
	if s.Total != r.total || s.Lost != r.lost {
		t.Fatalf("slot %d: total %v lost %d, want %v %d", r.slot, s.Total, s.Lost, r.total, r.lost)
	}
	for id, slot := range r.last {
		if r.slot-slot >= r.slots {
			delete(r.last, id)
			delete(r.known, id)
		}
	}
	cost := 0
	for _, f := range s.New {
		r.known[f.ID] = f.Key
		cost += newFlowCost
	}
	got := map[FlowID][2]Counters{}
	for _, d := range Directions {
		for _, row := range s.Rows[d] {
			if _, ok := r.known[row.Flow]; !ok {
				t.Fatalf("slot %d: row of flow %d, which the look-back does not know", r.slot, row.Flow)
			}
			c := got[row.Flow]
			c[d].Add(Counters{uint64(row.Bytes), uint64(row.Packets)})
			got[row.Flow] = c
			r.last[row.Flow] = r.slot
			cost += rowCost
		}
	}
	if cost > r.budget {
		t.Fatalf("slot %d costs %d, budget %d", r.slot, cost, r.budget)
	}
	for id, c := range got {
		want := r.added[r.known[id]]
		for _, d := range Directions {
			if s.Evicted == 0 && c[d] != want[d] {
				t.Fatalf("slot %d: flow %d %s has %v, want %v", r.slot, id, d, c[d], want[d])
			}
		}
		if size := c[Rx].Bytes + c[Tx].Bytes; s.Evicted == 0 && size < s.Floor {
			t.Fatalf("slot %d: a flow of %d bytes has a row, one of %d (Floor) lost it", r.slot, size, s.Floor)
		}
	}
	if r.tb.Len() > r.tb.maxFlows {
		t.Fatalf("Len = %d, at most %d", r.tb.Len(), r.tb.maxFlows)
	}
	r.checkTable()
	clear(r.added)
	r.total, r.lost = [2]Counters{}, 0
	r.slot++
}

// checkTable looks behind the curtain: every entry can be found, and the index
// holds no others.
func (r *tableRun) checkTable() {
	live := 0
	for e := uint32(1); e <= r.tb.entries.high; e++ {
		h := r.tb.entries.hot(e)
		if h.last == 0 {
			continue
		}
		live++
		if got := r.tb.find(r.tb.secret.hash(&h.key), &h.key); got != e {
			r.t.Fatalf("entry %d found as %d", e, got)
		}
	}
	words := 0
	for _, s := range r.tb.index.dir { // so few flows have one segment
		words += int(s.meta.n)
	}
	if live != r.tb.Len() || words != live {
		r.t.Fatalf("%d entries live, Len %d, %d words in the index", live, r.tb.Len(), words)
	}
}

// For every slot and direction rows + Other = Total, whatever happens.
func TestTableSumsHold(t *testing.T) {
	for seed := range uint64(150) {
		rnd := rand.New(rand.NewPCG(seed, 99))
		in := make([]byte, 4+rnd.IntN(4000))
		for i := range in {
			in[i] = byte(rnd.Uint32())
		}
		newTableRun(t, in).run()
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("\x05\x20\x03\x01\x10abcdefghijklmnop\xd0qrst\xf0\xf3\xf6\x01\xff\xd0"))
	f.Add([]byte{0, 0, 0, 0, 1, 31, 0, 0, 62, 0, 0, 210, 255, 1, 32, 0, 210})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1<<14 {
			return
		}
		newTableRun(t, in).run()
	})
}
