package flow

import (
	"math/rand/v2"
	"testing"
)

// seen is what the rows of slots say about one key.
type seen struct {
	bytes uint64
	slots int
	ids   map[FlowID]bool
}

// follow adds what s says about key k.
func (f *seen) follow(s *Slot, infos map[FlowID]Key, k Key) {
	for _, n := range s.New {
		infos[n.ID] = n.Key
	}
	has := false
	for _, d := range Directions {
		for _, r := range s.Rows[d] {
			if infos[r.Flow] == k {
				f.bytes += uint64(r.Bytes)
				f.ids[r.Flow] = true
				has = true
			}
		}
	}
	if has {
		f.slots++
	}
}

// An elephant that starts in the middle of a flood of a million one-packet
// flows gets its row and keeps it: half of all bytes, at least 98 % of them in
// rows, in every slot, under one number or two (it may be driven out once at
// its first packets).
func TestTableElephantInFlood(t *testing.T) {
	for _, tt := range []struct {
		name  string
		bytes uint64 // of a packet of the flood
	}{
		{"small packets", 64},
		{"packets as large as the elephant's", 1514},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const flows, perSlot = 1_000_000, 20_000
			tb := NewTable(TableConfig{MaxFlows: 4096, Seed: 1})
			tb.Begin(0)
			elephant := testKey(0)
			var sent, late uint64
			f := seen{ids: map[FlowID]bool{}}
			infos := map[FlowID]Key{}
			batch := make([]Record, 0, batchLen)
			begin := flows / 10
			n := 0
			for slot := 0; n < flows; slot++ {
				from, to := slotAt(slot)
				for i := 0; i < perSlot && n < flows; i++ {
					n++
					batch = append(batch, testRecord(from, n, Rx, tt.bytes, 1))
					if n > begin {
						batch = append(batch, testRecord(from, 0, Rx, tt.bytes, 1))
						sent += tt.bytes
					}
					if len(batch) > batchLen-2 {
						tb.Add(batch)
						batch = batch[:0]
					}
				}
				tb.Add(batch)
				batch = batch[:0]
				s := tb.CloseSlot(from, to)
				checkSums(t, s)
				before := f.slots
				if f.follow(s, infos, elephant); sent > 0 && f.slots == before {
					late++
				}
				if tb.Len() > 4096 {
					t.Fatalf("Len = %d, want at most 4096", tb.Len())
				}
			}
			if share := float64(f.bytes) / float64(sent); share < 0.98 {
				t.Errorf("rows hold %.4f of the elephant's bytes, want at least 0.98", share)
			}
			if late != 0 {
				t.Errorf("no row in %d slots", late)
			}
			if len(f.ids) > 2 {
				t.Errorf("the elephant came in %d times, want at most 2", len(f.ids))
			}
		})
	}
}

// A table full of flows that are alive does not lose them to a flood of small
// packets: 76 000 newcomers of 60 bytes against 4000 flows of 15 000 bytes.
func TestTableFloodSparesTheLiving(t *testing.T) {
	const living, slots = 4000, 20
	tb := NewTable(TableConfig{MaxFlows: 4096, SlotBudget: 1 << 20, Seed: 2})
	tb.Begin(0)
	n := living
	alive := map[Key]bool{}
	for i := range living {
		alive[testKey(i)] = true
	}
	rows, again := 0, 0
	for slot := range slots {
		from, to := slotAt(slot)
		for i := range 10 * living {
			tb.Add([]Record{testRecord(from, i%living, Tx, 1500, 1)})
			if slot > 0 && i%10 == 0 {
				n++
				tb.Add([]Record{testRecord(from, n, Rx, 60, 1)})
			}
		}
		s := tb.CloseSlot(from, to)
		checkSums(t, s)
		rows += len(s.Rows[Tx]) // only the living send
		for _, f := range s.New {
			if slot > 0 && alive[f.Key] {
				again++
			}
		}
	}
	if rows < slots*living*99/100 {
		t.Errorf("%d rows of the living, want at least 99 %% of %d", rows, slots*living)
	}
	// Of 76 000 newcomers fewer than one in a hundred may drive out a flow.
	if again > 760 {
		t.Errorf("flows that are alive were driven out %d times, want at most 760", again)
	}
}

// Numbers never come back within a look-back, even when one entry serves one
// flow after the other.
func TestTableNumbersAreNotReused(t *testing.T) {
	const slots = 50
	tb := NewTable(TableConfig{MaxFlows: 2, LookbackSlots: slots, Seed: 3})
	tb.Begin(0)
	last := map[FlowID]int{} // slot of its last row
	keys := map[FlowID]Key{}
	rnd := rand.New(rand.NewPCG(1, 2))
	evicted := 0
	for slot := range 5000 {
		from, to := slotAt(slot)
		for range rnd.IntN(4) {
			tb.Add([]Record{testRecord(from, rnd.IntN(1000), Rx, 1514, 1)})
		}
		s := tb.CloseSlot(from, to)
		evicted += int(s.Evicted)
		for _, f := range s.New {
			if f.ID == 0 {
				t.Fatal("a flow has number 0")
			}
			if old, ok := last[f.ID]; ok && slot-old < slots && keys[f.ID] != f.Key {
				t.Fatalf("slot %d: number %d given to %v, %d slots after a row of %v", slot, f.ID, f.Key.LocalEnd(), slot-old, keys[f.ID])
			}
			keys[f.ID] = f.Key
		}
		for _, r := range s.Rows[Rx] {
			last[r.Flow] = slot
		}
	}
	if evicted < 1000 {
		t.Fatalf("only %d evictions: the test does not test", evicted)
	}
}

func TestTableEvictedBytesGoToTheirClass(t *testing.T) {
	classify := func(k *Key, _, _ [6]byte) Class {
		if *k == testKey(1) {
			return Storage
		}
		return VIF
	}
	tb := NewTable(TableConfig{MaxFlows: 1, Classify: classify, Seed: 4})
	tb.Begin(0)
	tb.Add([]Record{testRecord(0, 1, Rx, 100, 1)})
	for tb.find(tb.secret.hash(key(2)), key(2)) == 0 { // until chance lets it in
		tb.Add([]Record{testRecord(0, 2, Tx, 200, 1)})
	}
	s := tb.CloseSlot(slotAt(0))
	checkSums(t, s)
	if got := s.Other[Rx][Storage]; got != (Counters{100, 1}) {
		t.Errorf("Other[rx][storage] = %v, want {100 1}: what flow 1 had", got)
	}
	if s.Floor != 200 && s.Floor != 100 {
		t.Errorf("Floor = %d, want 100 (flow 1) or 200 (a refused packet of flow 2)", s.Floor)
	}
	if len(s.New) != 1 || s.New[0].Key != testKey(2) {
		t.Errorf("New = %v, want flow 2", s.New)
	}
	refused := s.Other[Tx][VIF].Packets
	if want := uint32(refused + 1); s.Evicted != want {
		t.Errorf("Evicted = %d, want %d: %d refused records and flow 1", s.Evicted, want, refused)
	}
}

func key(n int) *Key { k := testKey(n); return &k }
