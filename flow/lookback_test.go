package flow

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// nearly lets figures differ by the rounding of a few float operations.
var nearly = cmp.Options{cmpopts.EquateApprox(1e-9, 0), cmpopts.EquateNaNs()}

// slotOf builds slot n with rx rows; Total and the bins follow from them.
func slotOf(n int, rows ...Row) *Slot {
	s := &Slot{Link: 1}
	s.From, s.To = slotAt(n)
	s.Rows[Rx] = rows
	for _, r := range rows {
		s.Total[Rx].Add(Counters{uint64(r.Bytes), uint64(r.Packets)})
	}
	s.Bins[Rx][0] = s.Total[Rx].Bytes
	return s
}

// introduce adds introductions to s.
func introduce(s *Slot, ids ...FlowID) *Slot {
	for _, id := range ids {
		s.New = append(s.New, FlowInfo{ID: id, Key: testKey(int(id)), First: s.From})
	}
	return s
}

// other moves counters into Other of s.
func other(s *Slot, d Direction, class Class, c Counters) *Slot {
	if s.Other[d] == nil {
		s.Other[d] = map[Class]Counters{}
	}
	sum := s.Other[d][class]
	sum.Add(c)
	s.Other[d][class] = sum
	s.Total[d].Add(c)
	return s
}

// A steady flow shows its true rate in all three windows from the first slot
// on: 12 500 bytes in 100 ms are 1 Mbit/s.
func TestLookbackSteadyFlow(t *testing.T) {
	l := NewLookback(0, nil)
	for n := range 620 {
		s := slotOf(n, Row{1, 12500, 10})
		if n == 0 {
			introduce(s, 1)
		}
		l.Add(s)
		switch n {
		case 0, 2, 19, 20, 99, 100, 399, 400, 599, 600, 619:
			rows, more := l.Flows(10)
			want := []FlowRate{{ID: 1, Key: testKey(1), Rate: [2][3]float64{{1e6, 1e6, 1e6}, {}},
				Cum: [2]Counters{{uint64(n+1) * 12500, uint64(n+1) * 10}, {}}}}
			if d := cmp.Diff(want, rows, nearly); d != "" || more != 0 {
				t.Errorf("slot %d: Flows, more %d (-want +got):\n%s", n, more, d)
			}
			r := l.Rates()
			if d := cmp.Diff([2][3]float64{{1e6, 1e6, 1e6}, {}}, r.Rate, nearly); d != "" {
				t.Errorf("slot %d: Rate (-want +got):\n%s", n, d)
			}
			seen := time.Duration(n+1) * SlotLen
			want3 := [3]time.Duration{min(seen, 2*time.Second), min(seen, 10*time.Second), min(seen, 40*time.Second)}
			if r.Observed != want3 {
				t.Errorf("slot %d: Observed = %v, want %v", n, r.Observed, want3)
			}
		}
	}
	if l.Oldest() != 2000*ms || l.Newest() != 62000*ms {
		t.Errorf("look-back is [%d, %d), want 600 slots: [2 s, 62 s)", l.Oldest(), l.Newest())
	}
}

// A burst of 1 MB in one slot, then silence.
// 1 MB = 8 Mbit: over 2 s 4 Mbit/s, over 10 s 0.8, over 40 s 0.2 Mbit/s.
func TestLookbackBurstLeavesWindows(t *testing.T) {
	l := NewLookback(600, nil)
	for n := range 100 {
		l.Add(slotOf(n))
	}
	l.Add(introduce(slotOf(100, Row{5, 1_000_000, 700}), 5))
	for _, tt := range []struct {
		until int // newest slot
		want  [3]float64
		rows  int
	}{
		{100, [3]float64{4e6, 0.8e6, 8e6 / 10.1}, 1}, // 40 s: 10.1 s seen
		{119, [3]float64{4e6, 0.8e6, 8e6 / 12}, 1},
		{120, [3]float64{0, 0.8e6, 8e6 / 12.1}, 1},
		{199, [3]float64{0, 0.8e6, 0.4e6}, 1},
		{200, [3]float64{0, 0, 8e6 / 20.1}, 1},
		{499, [3]float64{0, 0, 0.2e6}, 1},
		{500, [3]float64{0, 0, 0}, 0},
	} {
		for l.Newest() < Time(tt.until+1)*100*ms {
			l.Add(slotOf(int(l.Newest() / (100 * ms))))
		}
		if d := cmp.Diff(tt.want, l.Rates().Rate[Rx], nearly); d != "" {
			t.Errorf("slot %d: Rate (-want +got):\n%s", tt.until, d)
		}
		rows, _ := l.Flows(10)
		if len(rows) != tt.rows {
			t.Errorf("slot %d: %d flows, want %d", tt.until, len(rows), tt.rows)
		} else if tt.rows == 1 && cmp.Diff(tt.want, rows[0].Rate[Rx], nearly) != "" {
			t.Errorf("slot %d: flow has %v, want %v", tt.until, rows[0].Rate[Rx], tt.want)
		}
		wantPeak := 0.0
		if tt.rows == 1 {
			wantPeak = 8e6 / 0.01 // all of it in one bin
		}
		if p := l.Rates().Peak[Rx]; p != wantPeak {
			t.Errorf("slot %d: Peak = %v, want %v", tt.until, p, wantPeak)
		}
	}
	for l.Newest() < 701*100*ms {
		if l.Info(5) == nil {
			t.Fatalf("flow forgotten at %v, while slot 100 is kept", l.Newest())
		}
		l.Add(slotOf(int(l.Newest() / (100 * ms))))
	}
	if l.Info(5) != nil {
		t.Error("flow still known after its last row has left")
	}
	if c := l.Rates().Cum[Rx]; c != (Counters{1_000_000, 700}) {
		t.Errorf("Cum = %v, want {1000000 700}", c)
	}
}

// Largest first over all digits of the sort, ties by key, and the limit keeps
// the largest.
func TestLookbackOrder(t *testing.T) {
	sizes := []uint32{5, 1 << 31, 2048, 0, 5, 1<<22 + 1, 2047, 1 << 22, 5, 1<<31 + 1, 1 << 11}
	want := []int{9, 1, 5, 7, 2, 10, 6, 0, 4, 8, 3} // by size, then by number = key
	l := NewLookback(600, nil)
	s := slotOf(0)
	for _, i := range []int{8, 3, 10, 0, 2, 7, 9, 4, 6, 1, 5} {
		s.Rows[Rx] = append(s.Rows[Rx], Row{FlowID(1000 - i), sizes[i], 1})
		s.New = append(s.New, FlowInfo{ID: FlowID(1000 - i), Key: testKey(i)})
	}
	l.Add(s)
	for _, limit := range []int{0, 1, 3, 4, 11, 100} {
		rows, more := l.Flows(limit)
		var got []int
		for _, r := range rows {
			got = append(got, int(r.Key.Local[15]))
		}
		n := min(limit, len(want))
		if d := cmp.Diff(want[:n], got, cmpopts.EquateEmpty()); d != "" || more != len(want)-n {
			t.Errorf("limit %d: more = %d, flows (-want +got):\n%s", limit, more, d)
		}
	}
}

// A gap is not observed: 1 s of 1 Mbit/s, 1 s of nothing known, 0.5 s of 1 Mbit/s.
func TestLookbackGap(t *testing.T) {
	l := NewLookback(600, nil)
	for n := range 25 {
		if n >= 10 && n < 20 {
			continue
		}
		s := slotOf(n, Row{1, 12500, 10})
		if n == 0 {
			introduce(s, 1)
		}
		l.Add(s)
	}
	r := l.Rates()
	if d := cmp.Diff([3]float64{1e6, 1e6, 1e6}, r.Rate[Rx], nearly); d != "" {
		t.Errorf("Rate (-want +got):\n%s", d)
	}
	// 2 s back from 2.5 s: slots 5..9 and 20..24.
	if want := [3]time.Duration{time.Second, 1500 * time.Millisecond, 1500 * time.Millisecond}; r.Observed != want {
		t.Errorf("Observed = %v, want %v", r.Observed, want)
	}
	w := l.Sum(0, 2500*ms, nil)
	if w.Observed != 1500*time.Millisecond || w.Slots != 15 || w.Total[Rx].Bytes != 15*12500 {
		t.Errorf("Sum: %v in %d slots, %d bytes; want 1.5s, 15, 187500", w.Observed, w.Slots, w.Total[Rx].Bytes)
	}
	b := l.Bins(900*ms, 2100*ms)
	for i, valid := range b.Valid {
		if want := i < 10 || i >= 110; valid != want {
			t.Errorf("bin %d: Valid = %v, want %v", i, valid, want)
		}
	}
}

func TestLookbackEpochBeginsAnew(t *testing.T) {
	l := NewLookback(600, nil)
	for n := range 50 {
		s := slotOf(n, Row{1, 12500, 10})
		if n == 0 {
			introduce(s, 1)
		}
		l.Add(s)
	}
	for n := 50; n < 53; n++ {
		s := introduce(slotOf(n, Row{2, 25000, 10}), 2)
		s.Epoch = 1
		l.Add(s)
	}
	r := l.Rates()
	if d := cmp.Diff([3]float64{2e6, 2e6, 2e6}, r.Rate[Rx], nearly); d != "" {
		t.Errorf("Rate of the new epoch (-want +got):\n%s", d)
	}
	if want := uint64(50*12500 + 3*25000); r.Cum[Rx].Bytes != want {
		t.Errorf("Cum = %d, want %d over both epochs", r.Cum[Rx].Bytes, want)
	}
	rows, _ := l.Flows(10)
	if len(rows) != 1 || rows[0].ID != 2 {
		t.Errorf("Flows = %v, want flow 2 only", rows)
	}
	if l.EpochStart() != 5000*ms {
		t.Errorf("EpochStart = %d, want 5 s", l.EpochStart())
	}
	if w := l.Sum(0, 5300*ms, nil); len(w.Flows) != 2 || w.Slots != 53 {
		t.Errorf("Sum has %d flows in %d slots, want 2 and 53: the evidence stays", len(w.Flows), w.Slots)
	}
	if r.Observed[2] != 300*time.Millisecond {
		t.Errorf("Observed = %v, want 300ms", r.Observed[2])
	}
}

// A link that vanishes has no slots: what it carried leaves the windows as time
// passes, and the evidence stays. 50 slots of 12 500 bytes end at 5 s.
func TestLookbackPass(t *testing.T) {
	l := NewLookback(600, nil)
	l.Pass(100 * ms) // nothing has come yet
	for n := range 50 {
		s := slotOf(n, Row{1, 12500, 10})
		if n == 0 {
			introduce(s, 1)
		}
		l.Add(s)
	}
	for _, tt := range []struct {
		now  Time
		want [3]float64
		rows int
	}{
		{7000 * ms, [3]float64{1e6, 1e6, 1e6}, 1}, // 2 s without a slot: they may be late
		{7001 * ms, [3]float64{0, 1e6, 1e6}, 1},
		{14900 * ms, [3]float64{0, 1e6, 1e6}, 1}, // the slot from 4.9 s on is the last in the 10 s
		{14901 * ms, [3]float64{0, 0, 1e6}, 1},
		{44901 * ms, [3]float64{}, 0},
	} {
		l.Pass(tt.now)
		r := l.Rates()
		rows, more := l.Flows(10)
		if d := cmp.Diff(tt.want, r.Rate[Rx], nearly); d != "" || len(rows) != tt.rows || more != 0 {
			t.Errorf("at %d ms: %d flows and %d more, want %d; Rate (-want +got):\n%s", tt.now/ms, len(rows), more, tt.rows, d)
		}
		if known := !math.IsNaN(r.Coverage); known != (tt.want[1] > 0) {
			t.Errorf("at %d ms: coverage %v", tt.now/ms, r.Coverage)
		}
	}
	if w := l.Sum(0, 5000*ms, nil); w.Slots != 50 || w.Total[Rx].Bytes != 50*12500 {
		t.Errorf("Sum has %d slots and %d bytes, want all 50", w.Slots, w.Total[Rx].Bytes)
	}
	l.Add(slotOf(460, Row{1, 25000, 10})) // it is back: 200 000 bit in 100 ms
	if d := cmp.Diff([3]float64{2e6, 2e6, 2e6}, l.Rates().Rate[Rx], nearly); d != "" {
		t.Errorf("Rate after it came back (-want +got):\n%s", d)
	}
}

func TestLookbackSum(t *testing.T) {
	l := NewLookback(600, func(k *Key, _, _ [6]byte) (Class, string) {
		if k.Local[15] == 1 {
			return Storage, "port 2049"
		}
		return Unknown, ""
	})
	for n := range 10 {
		s := slotOf(n, Row{1, 1000, 1}, Row{2, uint32(n), 1})
		if n == 0 {
			introduce(s, 1, 2)
		}
		s.Rows[Tx] = []Row{{1, 50, 1}}
		s.Total[Tx] = Counters{50, 1}
		other(s, Tx, VIF, Counters{7, 1})
		s.SKBBytes = [2]uint64{900, 40}
		s.Lost, s.Floor, s.Evicted, s.Late = 2, 100, 0, 3
		l.Add(s)
	}
	// [150 ms, 950 ms) holds whole slots 2..8; slots 4 and 5 touch the span.
	// Left are 2, 3, 6, 7, 8.
	got := l.Sum(150*ms, 950*ms, []Span{{450 * ms, 510 * ms}})
	want := WindowSum{
		From: 200 * ms, To: 900 * ms, Slots: 5, Observed: 500 * time.Millisecond,
		Flows: []FlowSum{
			{ID: 1, Key: testKey(1), Class: Storage, Why: "port 2049", Sum: [2]Counters{{5000, 5}, {250, 5}}},
			{ID: 2, Key: testKey(2), Sum: [2]Counters{{26, 5}, {}}}, // 2+3+6+7+8
		},
		Other:    [2]map[Class]Counters{nil, {VIF: {35, 5}}},
		Total:    [2]Counters{{5026, 10}, {285, 10}},
		SKBBytes: [2]uint64{4500, 200},
		Lost:     10, Floor: 500, Late: 15,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Sum (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, l.Sum(150*ms, 950*ms, []Span{{450 * ms, 510 * ms}})); d != "" {
		t.Errorf("the same Sum again (-want +got):\n%s", d)
	}
	if d := cmp.Diff(WindowSum{}, l.Sum(5000*ms, 6000*ms, nil)); d != "" {
		t.Errorf("Sum of nothing (-want +got):\n%s", d)
	}
	// (1000 + n) bytes in 100 ms = 80*(1000+n) bit/s
	rates := l.SlotRates(150*ms, 950*ms, []Span{{450 * ms, 510 * ms}})
	wantRates := [2][]float64{{80160, 80240, 80480, 80560, 80640}, {4560, 4560, 4560, 4560, 4560}}
	if d := cmp.Diff(wantRates, rates, nearly); d != "" {
		t.Errorf("SlotRates (-want +got):\n%s", d)
	}
}

// A flow that lost its entry and came back within the look-back is one flow.
func TestLookbackJoinsIncarnations(t *testing.T) {
	l := NewLookback(600, nil)
	l.Add(introduce(slotOf(0, Row{1, 1000, 1}, Row{2, 1500, 1}), 1, 2))
	s := slotOf(1, Row{77, 1000, 1})
	s.Evicted = 1
	s.New = []FlowInfo{{ID: 77, Key: testKey(1), First: 100 * ms}}
	l.Add(s)
	rows, _ := l.Flows(10)
	// 2000 bytes in 0.2 s = 80 kbit/s, before 1500 in 0.2 s = 60.
	if len(rows) != 2 || rows[0].Key != testKey(1) || math.Abs(rows[0].Rate[Rx][0]-80000) > 1e-6 || rows[0].Cum[Rx] != (Counters{2000, 2}) {
		t.Errorf("Flows = %+v, want flow 1 first with 80 kbit/s and 2000 bytes", rows)
	}
	w := l.Sum(0, 200*ms, nil)
	if len(w.Flows) != 2 || w.Flows[0].Sum[Rx] != (Counters{2000, 2}) || w.Flows[0].ID != 77 {
		t.Errorf("Sum.Flows = %+v, want flow 1 with 2000 bytes under number 77", w.Flows)
	}
}

func TestLookbackUnknownFlow(t *testing.T) {
	l := NewLookback(3, nil)
	s := slotOf(0, Row{9, 700, 7}, Row{1, 100, 1}, Row{8, 300, 3})
	introduce(s, 1)
	other(s, Rx, Unknown, Counters{11, 1})
	other(s, Rx, VIF, Counters{5, 1})
	before := *s
	l.Add(s)
	if d := cmp.Diff(before, *s); d != "" {
		t.Errorf("Add changed the slot (-before +after):\n%s", d)
	}
	w := l.Sum(0, 100*ms, nil)
	wantOther := map[Class]Counters{Unknown: {1011, 11}, VIF: {5, 1}} // 700 + 300 + 11
	if d := cmp.Diff(wantOther, w.Other[Rx]); d != "" {
		t.Errorf("Other (-want +got):\n%s", d)
	}
	if len(w.Flows) != 1 || w.Flows[0].ID != 1 {
		t.Errorf("Flows = %v, want flow 1 only", w.Flows)
	}
	// Introduced later, the flow counts from then on, and leaving slots take out
	// only what came in.
	l.Add(introduce(slotOf(1, Row{9, 200, 1}), 9))
	for n := 2; n < 6; n++ {
		l.Add(slotOf(n))
	}
	if r := l.Rates(); r.Rate[Rx] != [3]float64{} || r.Other[Rx] != [3]float64{} || len(r.Classes) != 0 {
		t.Errorf("rates of three empty slots: %+v", r)
	}
	if l.flows.n != 0 || len(l.active) != 0 {
		t.Errorf("%d flows known, %d active; want none", l.flows.n, len(l.active))
	}
}

func TestLookbackReclassify(t *testing.T) {
	as := func(c Class, why string) ClassifyFunc {
		return func(*Key, [6]byte, [6]byte) (Class, string) { return c, why }
	}
	l := NewLookback(600, as(Storage, "rule 1"))
	s := introduce(slotOf(0, Row{1, 750, 1}), 1)
	other(s, Tx, VIF, Counters{250, 1})
	l.Add(s)
	// 750 bytes in 0.1 s = 60 kbit/s; 250 = 20 kbit/s
	want := []ClassRate{
		{Class: Storage, Rate: [2]float64{60000, 0}, Share: 0.75},
		{Class: VIF, Rate: [2]float64{0, 20000}, Share: 0.25},
	}
	if d := cmp.Diff(want, l.Rates().Classes, nearly); d != "" {
		t.Errorf("Classes (-want +got):\n%s", d)
	}
	l.Reclassify(as(VIF, "tap1"))
	want = []ClassRate{{Class: VIF, Rate: [2]float64{60000, 20000}, Share: 1}}
	if d := cmp.Diff(want, l.Rates().Classes, nearly); d != "" {
		t.Errorf("Classes after Reclassify (-want +got):\n%s", d)
	}
	rows, _ := l.Flows(1)
	if rows[0].Class != VIF || rows[0].Why != "tap1" {
		t.Errorf("row has %v %q, want vif tap1", rows[0].Class, rows[0].Why)
	}
	l.Reclassify(as(Host, ""))
	for n := 1; n < 30; n++ { // leaves the 2 s window under its new class
		l.Add(slotOf(n))
	}
	if c := l.Rates().Classes; len(c) != 0 {
		t.Errorf("Classes = %v, want none after 2 s of silence", c)
	}
}

func TestLookbackCoverage(t *testing.T) {
	l := NewLookback(600, nil)
	if c := l.Rates().Coverage; !math.IsNaN(c) {
		t.Errorf("Coverage of nothing = %v, want NaN", c)
	}
	s := introduce(slotOf(0, Row{1, 100, 95}), 1)
	s.Lost = 5
	l.Add(s)
	if c := l.Rates().Coverage; c != 0.95 { // 95 / (95 + 5)
		t.Errorf("Coverage = %v, want 0.95", c)
	}
	for n := 1; n <= 100; n++ {
		l.Add(slotOf(n, Row{1, 10, 1}))
	}
	if r := l.Rates(); r.Coverage != 1 || r.Lost != 5 {
		t.Errorf("10 s later: Coverage = %v, Lost = %d; want 1 and 5", r.Coverage, r.Lost)
	}
}

func TestLookbackBins(t *testing.T) {
	l := NewLookback(600, nil)
	for n := 1; n < 3; n++ {
		s := slotOf(n)
		for j := range s.Bins[Tx] {
			s.Bins[Tx][j] = uint64(10*n + j)
		}
		l.Add(s)
	}
	// A slot may be shorter: the first one after a start.
	short := &Slot{From: 360 * ms, To: 400 * ms}
	short.Bins[Tx] = [BinsPerSlot]uint64{1, 2, 3, 4}
	l.Add(short)
	got := l.Bins(80*ms, 410*ms)
	want := BinSeries{Start: 80 * ms, Bytes: [2][]uint64{make([]uint64, 33), {
		0, 0, // not covered
		10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
		20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
		0, 0, 0, 0, 0, 0, // 300..360 not covered
		1, 2, 3, 4,
		0, // 400
	}}, Valid: make([]bool, 33)}
	for i := range want.Valid {
		want.Valid[i] = i >= 2 && i < 22 || i >= 28 && i < 32
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Bins (-want +got):\n%s", d)
	}
	if b := l.Bins(0, math.MaxInt64); len(b.Valid) != 12000 {
		t.Errorf("endless series has %d bins, want 12000", len(b.Valid))
	}
	if b := l.Bins(5, 5); len(b.Valid) != 0 {
		t.Errorf("empty series has %d bins", len(b.Valid))
	}
}

func TestLookbackRefusesDisorder(t *testing.T) {
	l := NewLookback(600, nil)
	l.Add(introduce(slotOf(5, Row{1, 100, 1}), 1))
	l.Add(slotOf(4, Row{1, 100, 1}))
	l.Add(slotOf(5, Row{1, 100, 1}))
	l.Add(&Slot{From: 800 * ms, To: 700 * ms})
	if l.Disorder() != 3 || l.Rates().Cum[Rx].Bytes != 100 {
		t.Errorf("Disorder = %d, Cum = %d; want 3, 100", l.Disorder(), l.Rates().Cum[Rx].Bytes)
	}
}

func TestLookbackEmpty(t *testing.T) {
	l := NewLookback(0, nil)
	if rows, more := l.Flows(10); len(rows) != 0 || more != 0 {
		t.Errorf("Flows = %v, %d", rows, more)
	}
	if l.Oldest() != 0 || l.Newest() != 0 || l.Info(1) != nil || len(l.Rates().Classes) != 0 {
		t.Error("an empty look-back knows something")
	}
}

// A flow that is introduced without a row would never leave.
func TestLookbackIntroductionWithoutRow(t *testing.T) {
	l := NewLookback(600, nil)
	l.Add(introduce(slotOf(0, Row{1, 100, 1}), 1, 2, 3))
	if l.flows.n != 1 || l.Info(1) == nil || l.Info(2) != nil {
		t.Errorf("%d flows known, want flow 1 only", l.flows.n)
	}
}
