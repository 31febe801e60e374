package capture

import (
	"math"
	"time"

	"spiketop/capture/tpacket"
	"spiketop/flow"
)

// growAgain is how long a ring that could not grow (no memory) stays as it is.
const growAgain = 10 * time.Second

// openRing is the ring of a link, or for a moment two.
//
// A ring grows by opening a bigger one beside it and moving over at a boundary:
// an instant later than the new socket's bind by inFlight. Both sockets see
// every frame stamped after the bind, with the same stamp (SO_TIMESTAMPNS makes
// the kernel stamp a frame once). Frames stamped before the boundary count from
// the old ring, which is read until its watermark has reached the boundary; the
// others count from the new one. So every frame counts once. Only losses may be
// told twice, if both rings overflow during the overlap.
type openRing struct {
	ring, next  *tpacket.Ring
	from, until int64     // stamps that count from ring: [from, until), CLOCK_REALTIME ns
	boundary    flow.Time // until, as a Time
	drops       uint64    // of ring, as last read
	left        uint64    // frames of ring that were left to next
	growAfter   flow.Time
}

func newOpenRing(r *tpacket.Ring) openRing {
	return openRing{ring: r, from: math.MinInt64, until: math.MaxInt64}
}

// grow opens a ring with blocks four times as large, if there may be one.
func (r *Reader) grow() {
	o := &r.open
	now := Now()
	c := o.ring.Config()
	size := 4 * c.BlockSize
	for size > c.BlockSize && size*c.Blocks > r.cfg.MaxRing {
		size /= 2
	}
	if size <= c.BlockSize || now < o.growAfter {
		return
	}
	c.BlockSize = size
	c.Ifindex = r.ifindex
	next, err := tpacket.Open(c)
	if err != nil {
		o.growAfter = now.Add(growAgain)
		return
	}
	o.next = next
	o.boundary = Now().Add(inFlight)
	o.until = int64(o.boundary) + int64(r.stamps.cur)
}

// handOver moves over to the new ring when the old one is read to the boundary.
func (r *Reader) handOver() {
	o := &r.open
	if r.drain.watermark < o.boundary {
		return
	}
	r.readLosses()
	_ = o.ring.Close()
	*o = openRing{ring: o.next, from: o.until, until: math.MaxInt64}
}

// callOff ends a hand-over without moving: after a step of the clock, for stamps
// are on another clock now, or because the device goes. Frames that the old ring
// had already left to the new one count as lost.
func (r *Reader) callOff() {
	o := &r.open
	if o.next != nil {
		_ = o.next.Close()
		o.next = nil
		r.lose(o.left)
		o.left = 0
	}
	o.from, o.until = math.MinInt64, math.MaxInt64
}

func (o *openRing) close() {
	for _, r := range []*tpacket.Ring{o.ring, o.next} {
		if r != nil {
			_ = r.Close()
		}
	}
	o.ring, o.next = nil, nil
}

// bytes is the size of the ring.
func (o *openRing) bytes() int {
	if o.ring == nil {
		return 0
	}
	c := o.ring.Config()
	return c.BlockSize * c.Blocks
}
