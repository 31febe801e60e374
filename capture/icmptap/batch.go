package icmptap

import (
	"time"

	"spiketop/flow"
)

const (
	maxEchoes  = 16384 // that wait for a slow receiver, 2 MB
	echoesTrim = 1024  // oldest ones dropped at a time when they are too many
	maxGaps    = 4096
)

// Batch is what the taps have seen. It is the receiver's.
type Batch struct {
	Echoes []flow.Echo // of each vif in the order in which the kernel stamped them
	// Drained is the watermark: every echo that a tapped vif carried before it is
	// in this batch, in an earlier one, or within a Gap of them.
	Drained flow.Time
	Gaps    []Gap
	Changes []Change
	Offset  flow.WallOffset // newest one
	Steps   int             // how often the clock was stepped since the last batch
}

// Gap says that echoes of a vif stamped from From until Until (not included) may
// be missing. Until may lie a quarter of a second ahead.
type Gap struct {
	VIF         int // ifindex, 0 = of any
	From, Until flow.Time
	Flood       bool   // the guest sent or got more than its bound; else this process was too slow
	Frames      uint64 // that are missing, as far as they are known: at least
}

// Change says that the tap of a vif was opened or is closed. Without a tap
// nothing is seen, which is no Gap.
type Change struct {
	VIF  int
	At   flow.Time // opened: everything stamped from At on is seen; closed: nothing from At on may be expected
	Open bool
}

// outbox collects what is handed on. It never blocks: while the receiver is
// slow, batches merge, within bounds.
type outbox struct {
	out     chan<- *Batch
	pending *Batch
	drained flow.Time
	offset  flow.WallOffset
	sent    flow.Time
	dropped uint64
}

func (o *outbox) batch() *Batch {
	if o.pending == nil {
		o.pending = &Batch{}
	}
	return o.pending
}

func (o *outbox) echo(e *flow.Echo) {
	b := o.batch()
	if len(b.Echoes) >= maxEchoes {
		g := Gap{From: b.Echoes[0].At, Until: b.Echoes[0].At + 1}
		for i := range b.Echoes[:echoesTrim] {
			g.From, g.Until = min(g.From, b.Echoes[i].At), max(g.Until, b.Echoes[i].At+1)
		}
		b.Echoes = append(b.Echoes[:0], b.Echoes[echoesTrim:]...)
		o.dropped += echoesTrim
		o.gap(g)
	}
	b.Echoes = append(b.Echoes, *e)
}

func (o *outbox) gap(g Gap) {
	b := o.batch()
	if len(b.Gaps) >= maxGaps { // one that covers them all
		all := b.Gaps[0]
		all.Frames = 0
		for _, x := range b.Gaps {
			all.From, all.Until, all.Flood = min(all.From, x.From), max(all.Until, x.Until), all.Flood && x.Flood
			all.Frames += x.Frames
		}
		all.VIF = 0
		b.Gaps = append(b.Gaps[:0], all)
	}
	b.Gaps = append(b.Gaps, g)
}

// change: of one vif only the last two count, so that they stay bounded.
func (o *outbox) change(c Change) {
	b := o.batch()
	last, n := -1, 0
	for i := range b.Changes {
		if b.Changes[i].VIF == c.VIF {
			n++
			if last < 0 {
				last = i
			}
		}
	}
	if n >= 2 {
		b.Changes = append(b.Changes[:last], b.Changes[last+1:]...)
	}
	b.Changes = append(b.Changes, c)
}

// flush hands on what there is, at least every so often for the watermark.
func (o *outbox) flush(now flow.Time, every time.Duration) {
	if o.pending == nil && now.Sub(o.sent) < every {
		return
	}
	b := o.batch()
	b.Drained, b.Offset = o.drained, o.offset
	select {
	case o.out <- b:
		o.pending, o.sent = nil, now
	default:
	}
}
