package capture

import (
	"time"

	"spiketop/flow"
)

const (
	sendEvery  = 50 * time.Millisecond // at least this often a batch carries the watermark on
	maxSlots   = 20                    // closed slots that wait for a slow receiver: 2 s, then they become a gap
	maxEchoes  = 16384                 // echoes that wait, 1.7 MB
	echoesTrim = 1024                  // oldest ones dropped at a time when they are too many
)

// outbox collects what one link hands on. It never blocks: while the receiver is
// slow, batches merge, within bounds.
type outbox struct {
	out     chan<- *flow.Batch
	link    flow.LinkID
	pending *flow.Batch
	drained flow.Time
	offset  flow.WallOffset
	sent    flow.Time

	droppedSlots, droppedEchoes uint64
}

func (o *outbox) batch() *flow.Batch {
	if o.pending == nil {
		o.pending = &flow.Batch{Link: o.link}
	}
	return o.pending
}

func (o *outbox) slot(s *flow.Slot) {
	b := o.batch()
	b.Slots = append(b.Slots, s)
}

func (o *outbox) echo(e *flow.Echo) {
	b := o.batch()
	if len(b.Echoes) >= maxEchoes {
		o.droppedEchoes += echoesTrim
		b.Echoes = append(b.Echoes[:0], b.Echoes[echoesTrim:]...)
	}
	b.Echoes = append(b.Echoes, *e)
}

func (o *outbox) lost(n uint64, at flow.Time) {
	b := o.batch()
	b.Lost += n
	b.LostAt = at
}

func (o *outbox) stepped(n int) { o.batch().Steps += n }

// flush hands on what there is and reports whether slots had to be dropped: the
// table must then introduce its flows again.
func (o *outbox) flush(now flow.Time) (dropped bool) {
	if o.pending == nil && now.Sub(o.sent) < sendEvery {
		return false
	}
	b := o.batch()
	b.Drained, b.Offset = o.drained, o.offset
	select {
	case o.out <- b:
		o.pending, o.sent = nil, now
		return false
	default:
	}
	if len(b.Slots) <= maxSlots {
		return false
	}
	// All of them: later ones name flows that the oldest introduces.
	o.droppedSlots += uint64(len(b.Slots))
	b.Slots = nil
	return true
}
