package capture

import (
	"spiketop/flow"
)

const (
	batchLen = 64   // records that the table takes at a time
	carryLen = 4096 // records that may wait for their slot to begin: 40 ms at 100 kpps

	// maxEmpty is how many slots without a frame are handed on one by one: the
	// look-back. A longer silence (the process was stopped) is a gap.
	maxEmpty = 600
)

// tally counts the records of one link slot by slot, on the 100 ms grid of wall
// time. It is pure: it is told the time.
//
// Frames reach the ring nearly in the order of their stamps, but only nearly:
// each CPU stamps for itself. A slot is therefore closed when the watermark has
// passed its end, and records of the next one wait until then in carry. If more
// than carryLen wait, the slot is closed early: what still comes for it counts
// in the next one, as Slot.Late.
type tally struct {
	table    *flow.Table
	off      flow.WallOffset // of the grid
	from, to flow.Time       // the slot that is open
	batch    [batchLen]flow.Record
	n        int
	used     bool // the open slot has records
	carry    []flow.Record
	emit     func(*flow.Slot)
	losses   func() // asks the ring for its losses, just before a slot is closed
	lost     bool   // frames were lost since the ring was last empty
}

func newTally(t *flow.Table, off flow.WallOffset, emit func(*flow.Slot), losses func()) *tally {
	return &tally{table: t, off: off, emit: emit, losses: losses, carry: make([]flow.Record, 0, carryLen)}
}

// start opens a slot at at, which ends on the grid: a rate over it divides by the
// time that was really seen. It never goes back behind a slot that was closed
// before.
func (t *tally) start(at flow.Time) {
	t.open(max(at, t.from))
}

// stop closes the open slot: nothing more comes until the next start.
func (t *tally) stop() {
	last := t.from
	for i := range t.carry {
		last = max(last, t.carry[i].At)
	}
	t.advance(t.off.SlotStart(last).Add(flow.SlotLen))
}

func (t *tally) open(from flow.Time) {
	t.from = from
	t.to = t.end(from)
	t.table.Begin(from)
}

// end returns where the slot that begins at from ends. A step of the clock makes
// one slot between 10 and 110 ms long: none so short that a rate over it alone
// would be absurd.
func (t *tally) end(from flow.Time) flow.Time {
	to := t.off.SlotStart(from).Add(flow.SlotLen)
	if to.Sub(from) < flow.BinLen {
		to = to.Add(flow.SlotLen)
	}
	return to
}

// next returns the record to decode into; commit counts it.
func (t *tally) next() *flow.Record { return &t.batch[t.n] }

// commit counts the record of the last next.
func (t *tally) commit() {
	if r := &t.batch[t.n]; r.At >= t.to {
		if len(t.carry) == cap(t.carry) {
			rec := *r
			t.closeOne()
			t.take(rec)
			return
		}
		t.carry = append(t.carry, *r)
		return
	}
	t.added()
}

// take counts rec, waiting if its slot is not open yet and there is room.
func (t *tally) take(rec flow.Record) {
	if rec.At >= t.to && len(t.carry) < cap(t.carry) {
		t.carry = append(t.carry, rec)
		return
	}
	t.batch[t.n] = rec
	t.added()
}

func (t *tally) added() {
	t.used = true
	if t.n++; t.n == batchLen {
		t.flush()
	}
}

func (t *tally) flush() {
	t.table.Add(t.batch[:t.n])
	t.n = 0
}

// lose counts frames that the ring dropped.
func (t *tally) lose(n uint64) {
	t.table.Lose(n)
	t.lost = t.lost || n > 0
}

// advance closes the slots that end at or before the watermark. A long silence,
// or one during which frames were lost, becomes a gap: slots that say "nothing"
// would be untrue.
func (t *tally) advance(watermark flow.Time) {
	for t.to <= watermark {
		t.closeOne()
		next := watermark
		if len(t.carry) > 0 {
			next = min(next, t.oldestCarry())
		}
		empty := int64(t.off.SlotStart(next)-t.from) / int64(flow.SlotLen)
		if !t.used && (empty > maxEmpty || t.lost && empty > 1) {
			t.open(t.off.SlotStart(next))
			t.replay()
		}
	}
}

// caughtUp says that the ring is empty: what was lost lies behind.
func (t *tally) caughtUp() { t.lost = false }

func (t *tally) closeOne() {
	t.flush()
	t.losses()
	t.emit(t.table.CloseSlot(t.from, t.to))
	t.used = false
	t.from = t.to
	t.to = t.end(t.from)
	t.replay()
}

// replay counts the waiting records whose slot is now open.
func (t *tally) replay() {
	keep := t.carry[:0]
	for i := range t.carry {
		if t.carry[i].At >= t.to {
			keep = append(keep, t.carry[i])
			continue
		}
		t.batch[t.n] = t.carry[i]
		t.added()
	}
	t.carry = keep
}

func (t *tally) oldestCarry() flow.Time {
	at := t.carry[0].At
	for i := range t.carry {
		at = min(at, t.carry[i].At)
	}
	return at
}
