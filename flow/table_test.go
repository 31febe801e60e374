package flow

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testKey returns the key of flow n of a test: 10.x.y.z:1000 <-> 192.0.2.1:2049 tcp.
func testKey(n int) Key {
	k := Key{LocalPort: 1000, RemotePort: 2049, Proto: ProtoTCP, Family: FamilyIPv4}
	SetIPv4(&k.Local, []byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	SetIPv4(&k.Remote, []byte{192, 0, 2, 1})
	return k
}

func testRecord(at Time, n int, d Direction, bytes uint64, packets uint32) Record {
	return Record{At: at, Key: testKey(n), Dir: d, Bytes: bytes, SKBBytes: uint32(bytes), Packets: packets}
}

const ms = Time(time.Millisecond)

// slotAt returns [from, to) of slot n.
func slotAt(n int) (from, to Time) { return Time(n) * 100 * ms, Time(n+1) * 100 * ms }

func TestTableSlot(t *testing.T) {
	tb := NewTable(TableConfig{Link: 3, MaxFlows: 16})
	tb.SetEpoch(7)
	tb.Begin(1000 * ms)
	tb.Add([]Record{
		testRecord(1000*ms, 1, Rx, 1514, 1),
		testRecord(1009*ms, 1, Rx, 66, 1),
		testRecord(1010*ms, 1, Tx, 100, 1),
		testRecord(1099*ms, 2, Tx, 68000, 45), // a super-frame
		testRecord(999*ms, 2, Tx, 10, 1),      // late
		testRecord(1100*ms, 2, Tx, 7, 1),      // beyond the slot
	})
	tb.Lose(5)
	got := tb.CloseSlot(1000*ms, 1100*ms)
	f1 := FlowID(1) // entry 1, generation 0
	f2 := FlowID(2)
	want := &Slot{
		Link: 3, Epoch: 7, From: 1000 * ms, To: 1100 * ms,
		Rows: [2][]Row{
			{{f1, 1580, 2}},                 // 1514 + 66
			{{f1, 100, 1}, {f2, 68017, 47}}, // 68000 + 10 + 7; 45 + 1 + 1
		},
		New: []FlowInfo{
			{ID: f1, Key: testKey(1), First: 1000 * ms},
			{ID: f2, Key: testKey(2), First: 1099 * ms},
		},
		Total: [2]Counters{{1580, 2}, {68117, 48}}, // 100 + 68017, 1 + 47
		Bins: [2][BinsPerSlot]uint64{
			{0: 1580},
			{0: 10, 1: 100, 9: 68007}, // 68000 + 7
		},
		SKBBytes: [2]uint64{1580, 68117},
		Lost:     5,
		Late:     1,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("first slot (-want +got):\n%s", d)
	}

	// A known flow is not introduced again, a new one is.
	tb.Add([]Record{testRecord(1150*ms, 1, Rx, 40, 1), testRecord(1150*ms, 3, Rx, 50, 1)})
	got = tb.CloseSlot(1100*ms, 1200*ms)
	want = &Slot{
		Link: 3, Epoch: 7, From: 1100 * ms, To: 1200 * ms,
		Rows:     [2][]Row{{{f1, 40, 1}, {3, 50, 1}}, nil},
		New:      []FlowInfo{{ID: 3, Key: testKey(3), First: 1150 * ms}},
		Total:    [2]Counters{{90, 2}, {}},
		Bins:     [2][BinsPerSlot]uint64{{5: 90}, {}},
		SKBBytes: [2]uint64{90, 0},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("second slot (-want +got):\n%s", d)
	}

	// After Forget every flow is introduced with what it had before.
	tb.Forget()
	tb.Add([]Record{testRecord(1210*ms, 1, Tx, 1, 1)})
	got = tb.CloseSlot(1200*ms, 1300*ms)
	wantNew := []FlowInfo{{ID: f1, Key: testKey(1), First: 1000 * ms,
		Cum: [2]Counters{{1620, 3}, {100, 1}}}} // 1580 + 40, 2 + 1
	if d := cmp.Diff(wantNew, got.New); d != "" {
		t.Errorf("New after Forget (-want +got):\n%s", d)
	}
	if tb.Len() != 3 {
		t.Errorf("Len = %d, want 3", tb.Len())
	}
}

func TestTableForgetInsideSlot(t *testing.T) {
	tb := NewTable(TableConfig{MaxFlows: 16})
	tb.Begin(0)
	tb.Add([]Record{testRecord(0, 1, Rx, 60, 1)})
	tb.CloseSlot(slotAt(0))
	tb.Add([]Record{testRecord(100*ms, 1, Rx, 60, 1)})
	tb.Forget()
	if s := tb.CloseSlot(slotAt(1)); len(s.New) != 1 {
		t.Errorf("New has %d flows, want 1: the flow was already touched when its introduction got lost", len(s.New))
	}
	tb.Add([]Record{testRecord(200*ms, 1, Rx, 60, 1)})
	if s := tb.CloseSlot(slotAt(2)); len(s.New) != 0 {
		t.Errorf("New has %d flows, want 0: introduced in the slot before", len(s.New))
	}
}

func TestTableIntroducesAgain(t *testing.T) {
	const slots = 10
	for _, tt := range []struct {
		name  string
		pause int // slots between two rows
		fresh int
	}{
		{"next slot", 1, 0},
		{"last slot of the look-back", slots - 1, 0},
		{"row just forgotten", slots, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tb := NewTable(TableConfig{MaxFlows: 16, LookbackSlots: slots})
			tb.Begin(0)
			tb.Add([]Record{testRecord(0, 1, Rx, 60, 1)})
			id := tb.CloseSlot(slotAt(0)).New[0].ID
			for i := 1; i < tt.pause; i++ {
				tb.CloseSlot(slotAt(i))
			}
			from, to := slotAt(tt.pause)
			tb.Add([]Record{testRecord(from, 1, Rx, 60, 1)})
			s := tb.CloseSlot(from, to)
			if len(s.New) != tt.fresh {
				t.Errorf("New has %d flows, want %d", len(s.New), tt.fresh)
			}
			if s.Rows[Rx][0].Flow != id {
				t.Errorf("flow has number %d, want %d: it never left", s.Rows[Rx][0].Flow, id)
			}
		})
	}
}

func TestTableIdleFlowLeaves(t *testing.T) {
	const slots = 10
	tb := NewTable(TableConfig{MaxFlows: 1000, LookbackSlots: slots})
	tb.Begin(0)
	for n := range 500 {
		tb.Add([]Record{testRecord(0, n, Rx, 60, 1)})
	}
	for i := range 3 * slots {
		from, to := slotAt(i)
		tb.Add([]Record{testRecord(from, 7, Rx, 60, 1)}) // stays alive
		if tb.CloseSlot(from, to); i == slots-1 && tb.Len() != 500 {
			t.Fatalf("Len = %d after %d slots, want 500: nobody is idle for longer than the look-back", tb.Len(), slots)
		}
	}
	if tb.Len() != 1 {
		t.Errorf("Len = %d, want 1", tb.Len())
	}
	from, to := slotAt(3 * slots)
	tb.Add([]Record{testRecord(from, 8, Rx, 60, 1), testRecord(from, 7, Rx, 60, 1)})
	s := tb.CloseSlot(from, to)
	if len(s.New) != 1 || s.New[0].Key != testKey(8) || s.New[0].Cum != [2]Counters{} {
		t.Errorf("New = %+v, want flow 8 as a new one", s.New)
	}
	if s.Evicted != 0 {
		t.Errorf("Evicted = %d, want 0: leaving idle is no eviction", s.Evicted)
	}
}

func TestTableRowsOver32Bits(t *testing.T) {
	const m = math.MaxUint32
	tb := NewTable(TableConfig{MaxFlows: 4})
	tb.Begin(0)
	tb.Add([]Record{testRecord(0, 1, Rx, 2*m+5, m), testRecord(0, 1, Rx, 0, 3)})
	s := tb.CloseSlot(slotAt(0))
	want := []Row{{1, m, m}, {1, m, 3}, {1, 5, 0}}
	if d := cmp.Diff(want, s.Rows[Rx]); d != "" {
		t.Errorf("Rows (-want +got):\n%s", d)
	}
	if n := rowCount(2*m+5, m+3); n != 3 {
		t.Errorf("rowCount = %d, want 3", n)
	}
}

func TestTableBudgetKeepsLargest(t *testing.T) {
	classify := func(k *Key, _, _ [6]byte) Class {
		if k.Local[15] < 50 {
			return Storage
		}
		return VIF
	}
	// Ten rows of new flows fit: 10*(12+224) = 2360.
	tb := NewTable(TableConfig{MaxFlows: 1000, SlotBudget: 2360, Classify: classify})
	tb.Begin(0)
	for n := range 100 {
		d := Direction(n & 1)
		tb.Add([]Record{testRecord(0, n, d, uint64(1000+n), 1)})
	}
	s := tb.CloseSlot(slotAt(0))
	got := map[Key]uint64{}
	for _, f := range s.New {
		for _, d := range Directions {
			for _, r := range s.Rows[d] {
				if r.Flow == f.ID {
					got[f.Key] += uint64(r.Bytes)
				}
			}
		}
	}
	want := map[Key]uint64{}
	for n := 90; n < 100; n++ {
		want[testKey(n)] = uint64(1000 + n)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("flows with rows (-want +got):\n%s", d)
	}
	if s.Floor != 1089 {
		t.Errorf("Floor = %d, want 1089, the eleventh flow", s.Floor)
	}
	// Rx are the even flows. Storage: 0,2..48: 25*1000 + 2*(0+..+24) = 25600.
	// VIF: 50,52..88: 20*1000 + 20*69 = 21380.
	// Tx are the odd ones: 1,3..49: 25*1000 + 25*25 = 25625; 51..89: 20*1000 + 20*70 = 21400.
	wantOther := [2]map[Class]Counters{
		{Storage: {25600, 25}, VIF: {21380, 20}},
		{Storage: {25625, 25}, VIF: {21400, 20}},
	}
	if d := cmp.Diff(wantOther, s.Other); d != "" {
		t.Errorf("Other (-want +got):\n%s", d)
	}
	// Next slot: known flows cost 12, so the largest new one (236) and the known
	// ones fit where they are larger.
	for n := range 100 {
		tb.Add([]Record{testRecord(100*ms, n, Rx, uint64(1000+n), 1)})
	}
	s = tb.CloseSlot(slotAt(1))
	// 10*12 + 9*236 = 2244; one more new flow would make 2480.
	if len(s.Rows[Rx]) != 19 || len(s.New) != 9 || s.Floor != 1080 {
		t.Errorf("%d rows, %d new, floor %d; want 19, 9, 1080", len(s.Rows[Rx]), len(s.New), s.Floor)
	}
}

func TestTableClassChange(t *testing.T) {
	asked := 0
	as := func(c Class) func(*Key, [6]byte, [6]byte) Class {
		return func(*Key, [6]byte, [6]byte) Class { asked++; return c }
	}
	tb := NewTable(TableConfig{MaxFlows: 10, SlotBudget: 1, Classify: as(Storage)}) // no row fits
	tb.Begin(0)
	for i := range 3 {
		from, to := slotAt(i)
		tb.Add([]Record{testRecord(from, 1, Rx, 60, 1)})
		s := tb.CloseSlot(from, to)
		if d := cmp.Diff(map[Class]Counters{Storage: {60, 1}}, s.Other[Rx]); d != "" {
			t.Errorf("slot %d: Other (-want +got):\n%s", i, d)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times for the class of one flow, want 1", asked)
	}
	tb.SetClassify(as(VIF))
	tb.Add([]Record{testRecord(300*ms, 1, Rx, 60, 1)})
	s := tb.CloseSlot(slotAt(3))
	if d := cmp.Diff(map[Class]Counters{VIF: {60, 1}}, s.Other[Rx]); d != "" {
		t.Errorf("Other after the change (-want +got):\n%s", d)
	}
}

func TestTableFirstRecordBeginsSlot(t *testing.T) {
	tb := NewTable(TableConfig{MaxFlows: 10})
	tb.Add([]Record{testRecord(55*ms, 1, Rx, 60, 1), testRecord(66*ms, 1, Rx, 70, 1)})
	s := tb.CloseSlot(55*ms, 100*ms)
	if d := cmp.Diff([BinsPerSlot]uint64{0: 60, 1: 70}, s.Bins[Rx]); d != "" {
		t.Errorf("Bins (-want +got):\n%s", d)
	}
}
