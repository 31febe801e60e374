package capture

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

const ms = flow.Time(time.Millisecond)

// ledger is a tally with what it emitted, one line a slot: "from-to packets".
type ledger struct {
	*tally
	slots []string
	lossN uint64 // what the ring would answer when asked
}

func newLedger(off flow.WallOffset) *ledger {
	l := &ledger{}
	l.tally = newTally(flow.NewTable(flow.TableConfig{Link: 1, Seed: 1}), off,
		func(s *flow.Slot) {
			line := fmt.Sprintf("%d-%d %d", s.From/ms, s.To/ms, s.Total[flow.Rx].Packets)
			if s.Lost > 0 {
				line += fmt.Sprintf(" lost %d", s.Lost)
			}
			if s.Late > 0 {
				line += fmt.Sprintf(" late %d", s.Late)
			}
			l.slots = append(l.slots, line)
		},
		func() { l.lose(l.lossN); l.lossN = 0 })
	return l
}

func (l *ledger) frames(ats ...flow.Time) {
	for _, at := range ats {
		*l.next() = flow.Record{At: at * ms, Bytes: 100, SKBBytes: 100, Packets: 1, Key: flow.Key{Family: flow.FamilyIPv4}}
		l.commit()
	}
}

func (l *ledger) want(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, l.slots); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
}

func TestTallyGrid(t *testing.T) {
	l := newLedger(30 * flow.WallOffset(ms)) // wall = mono + 30 ms: slots end at 70, 170, 270 ...
	l.start(1000 * ms)                       // on a grid of 970, 1070, ...: counted from the start on
	l.frames(1000, 1069, 1070, 1071)
	l.advance(1069 * ms)
	l.want(t)
	l.advance(1070 * ms)
	l.want(t, "1000-1070 2")
	l.advance(1300 * ms)
	l.want(t, "1000-1070 2", "1070-1170 2", "1170-1270 0")
}

// Records of the next slot wait for the watermark, so that one that was stamped
// earlier on another CPU still finds its own slot.
func TestTallyOutOfOrder(t *testing.T) {
	l := newLedger(0)
	l.start(0)
	l.frames(98, 101, 250, 99, 102, 251, 97)
	l.advance(100 * ms)
	l.frames(103)
	l.advance(300 * ms)
	l.want(t, "0-100 3", "100-200 3", "200-300 2")
}

func TestTallyCarryFull(t *testing.T) {
	l := newLedger(0)
	l.start(0)
	l.frames(50)
	for range carryLen {
		l.frames(110)
	}
	l.want(t) // as many as may wait
	l.frames(111)
	l.want(t, "0-100 1") // closed early
	l.frames(99)         // too late for its slot
	l.advance(200 * ms)
	l.want(t, "0-100 1", fmt.Sprintf("100-200 %d late 1", carryLen+2))
}

func TestTallyGap(t *testing.T) {
	l := newLedger(0)
	l.start(0)
	l.frames(10)
	l.advance(700_030 * ms) // 700 s of silence: 7000 slots, longer than the look-back
	l.frames(700_040)
	l.advance(700_100 * ms)
	l.want(t, "0-100 1", "700000-700100 1")
}

func TestTallySilenceWithinLookback(t *testing.T) {
	l := newLedger(0)
	l.start(0)
	l.frames(10)
	l.advance(59_900 * ms)
	if n := len(l.slots); n != 599 {
		t.Errorf("%d slots for 59.9 s of silence without loss, want 599", n)
	}
}

// The process was stopped, the ring ran over: what lies between the last frame
// read and now is not silence.
func TestTallyGapWithLoss(t *testing.T) {
	l := newLedger(0)
	l.start(0)
	l.frames(10, 110, 210) // read after the stop, in order
	l.lossN = 500
	l.advance(190 * ms)
	l.advance(5000 * ms)
	l.caughtUp()
	l.frames(5010)
	l.advance(5300 * ms) // silence again, without a loss
	l.want(t, "0-100 1 lost 500", "100-200 1", "200-300 1", "5000-5100 1", "5100-5200 0", "5200-5300 0")
}

// A carried record behind a gap opens its own slot.
func TestTallyGapBeforeCarry(t *testing.T) {
	l := newLedger(0)
	l.start(0)
	l.frames(10, 100_050)
	l.advance(100_100 * ms)
	l.want(t, "0-100 1", "100000-100100 1")
}

func TestTallyStopAndStart(t *testing.T) {
	l := newLedger(0)
	l.start(20 * ms)
	l.frames(30, 120)
	l.stop()
	l.want(t, "20-100 1", "100-200 1")
	l.start(130 * ms) // inside a slot that is closed already
	l.frames(150, 250)
	l.advance(300 * ms)
	l.want(t, "20-100 1", "100-200 1", "200-300 2 late 1")
}

// A whole batch of carried records fills the open slot and leaves none pending:
// the slot is not empty for that.
func TestTallyGapBehindFullBatch(t *testing.T) {
	l := newLedger(0)
	l.start(0)
	for range batchLen {
		l.frames(150)
	}
	l.advance(100_000 * ms)
	l.want(t, "0-100 0", fmt.Sprintf("100-200 %d", batchLen))
}

// A step of the clock moves the grid; one slot in between has another length.
func TestTallyStep(t *testing.T) {
	for _, tt := range []struct {
		moved flow.WallOffset // ms; slots begin at -moved, 100-moved, ...
		want  []string
	}{
		{30, []string{"0-100 0", "100-170 0", "170-270 0"}},
		{90, []string{"0-100 0", "100-110 0", "110-210 0"}},
		{91, []string{"0-100 0", "100-209 0", "209-309 0"}}, // 9 ms would be too short
		{3600_000, []string{"0-100 0", "100-200 0", "200-300 0"}},
	} {
		l := newLedger(0)
		l.start(0)
		l.off = tt.moved * flow.WallOffset(ms)
		l.advance(flow.Time(310) * ms)
		l.slots = l.slots[:3]
		l.want(t, tt.want...)
	}
}

func TestTallyAllocs(t *testing.T) {
	l := newLedger(0)
	l.start(0)
	l.frames(1) // the flow is known from here on
	if n := testing.AllocsPerRun(100, func() {
		for range 64 {
			l.frames(10)
		}
	}); n != 0 {
		t.Errorf("%v allocations for 64 records", n)
	}
}

func TestOutbox(t *testing.T) {
	ch := make(chan *flow.Batch, 1)
	o := outbox{out: ch, link: 3}
	slot := func(n int) { o.slot(&flow.Slot{From: flow.Time(n)}) }

	slot(0)
	o.drained, o.offset = 5, 7
	if o.flush(1) {
		t.Error("dropped slots although the channel was free")
	}
	if o.flush(2) || o.pending != nil {
		t.Error("a batch without content before 50 ms are over")
	}
	for i := range maxSlots { // the channel is full from here on
		slot(1 + i)
		if o.flush(flow.Time(3 + i)) {
			t.Fatalf("dropped at %d waiting slots", i+1)
		}
	}
	o.lost(10, 99)
	o.stepped(1)
	o.echo(&flow.Echo{ID: 1})
	slot(1 + maxSlots)
	if !o.flush(100) {
		t.Error("2 s of slots wait and one more, nothing was dropped")
	}
	slot(100)
	o.lost(5, 101)
	o.drained = 6
	got := []*flow.Batch{<-ch}
	o.flush(102)
	got = append(got, <-ch)
	want := []*flow.Batch{
		{Link: 3, Slots: []*flow.Slot{{From: 0}}, Drained: 5, Offset: 7},
		{Link: 3, Slots: []*flow.Slot{{From: 100}}, Echoes: []flow.Echo{{ID: 1}}, Drained: 6, Offset: 7, Lost: 15, LostAt: 101, Steps: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	if o.droppedSlots != maxSlots+1 {
		t.Errorf("%d slots dropped, want %d", o.droppedSlots, maxSlots+1)
	}
	if o.flush(103); len(ch) != 0 {
		t.Error("a batch without content before 50 ms are over")
	}
	if o.flush(flow.Time(102).Add(sendEvery)); len(ch) != 1 {
		t.Error("no batch with the watermark after 50 ms")
	}
}

func TestOutboxEchoFlood(t *testing.T) {
	o := outbox{out: make(chan *flow.Batch)}
	for i := range 3 * maxEchoes {
		o.echo(&flow.Echo{Seq: uint16(i)})
	}
	got := o.pending.Echoes
	if len(got) > maxEchoes || got[len(got)-1].Seq != uint16(3*maxEchoes-1) {
		t.Errorf("%d echoes wait, the last is %d", len(got), got[len(got)-1].Seq)
	}
	if n := int(o.droppedEchoes) + len(got); n != 3*maxEchoes {
		t.Errorf("%d dropped + %d kept != %d", o.droppedEchoes, len(got), 3*maxEchoes)
	}
}
