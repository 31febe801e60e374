package capture

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/capture/decode"
	"spiketop/capture/recorder"
	"spiketop/capture/tpacket"
	"spiketop/flow"
)

// inFlight bounds the time from a frame's stamp to its place in the ring. The
// kernel stamps a frame when the device hands it up or just before the driver
// takes it (netif_receive_skb, dev_queue_xmit_nit) and puts it into the ring in
// the same softirq or system call, some 100 ns later; only a frame that waits in
// a CPU's backlog (veth, RPS) takes longer, under load until ksoftirqd gets the
// CPU: a few scheduler slices. It is not provable from here; a frame that took
// longer shows as Slot.Late.
const inFlight = 20 * time.Millisecond

// busyBlocks found ready at once mean that blocks come faster than they are
// worth a wake-up each.
const busyBlocks = 8

// drain is what reading the ring has come to.
//
// The watermark: every frame stamped before it has been counted or lost. It does
// not trust the ring's retire timer, which runs late when its CPU is stolen.
// A frame becomes visible in a block's num_pkts before it is copied, so
//   - a ring seen without any frame at T, the block being filled included, holds
//     nothing that was stamped before T - inFlight;
//   - frames enter in order of their stamps but for inFlight: when a frame
//     stamped L has been read, everything before L - inFlight has been.
//
// A frame that waits in a block which is not retired holds the watermark.
type drain struct {
	watermark flow.Time
	published flow.Time // when the statistics were
	busy      bool      // the last look found busyBlocks

	meta decode.Meta // kept here so that they do not escape to the heap one by one
	echo flow.Echo
	kept recorder.Frame

	frames, lost, refused, damaged, badStamps uint64
}

// start begins at the time when a ring was opened: what came before is not ours.
func (d *drain) start(at flow.Time) { d.pass(at) }

// pass moves the watermark, never back.
func (d *drain) pass(w flow.Time) { d.watermark = max(d.watermark, w) }

// look reads every block that is ready, at most two laps of the ring.
func (r *Reader) look() {
	ring := r.open.ring
	if ring == nil {
		return
	}
	n, full := 0, 0
	for n < 2*ring.Config().Blocks {
		before := Now()
		b, ok := ring.Ready()
		if !ok {
			if ring.Empty() {
				r.pass(before.Add(-inFlight))
				r.tally.advance(r.drain.watermark)
				r.tally.caughtUp()
			}
			break
		}
		n++
		if b.Full {
			full++
		}
		now := Now()
		r.readBlock(&b, now)
		ring.Release()
		r.tally.advance(r.drain.watermark)
		if now.Sub(r.out.sent) >= sendEvery {
			r.hand()
		}
	}
	r.drain.busy = n >= busyBlocks
	if r.open.next != nil {
		r.handOver()
	} else if 2*full >= ring.Config().Blocks {
		r.grow()
	}
}

// pass moves the watermark; while two rings overlap, not beyond their boundary.
func (r *Reader) pass(w flow.Time) {
	if r.open.next != nil {
		w = min(w, r.open.boundary)
	}
	r.drain.pass(w)
}

// readBlock counts the frames of a block that was seen ready before now.
func (r *Reader) readBlock(b *tpacket.Block, now flow.Time) {
	d := &r.drain
	var f tpacket.Frame
	newest := d.watermark
	rec := r.cfg.Recorder
	if rec != nil {
		rec.Begin()
		defer rec.End()
	}
	for b.Next(&f) {
		at, off, ok := r.stamps.convert(f.Stamp, d.watermark, now)
		if !ok { // has the clock been stepped since the poll?
			r.checkClock()
			if at, off, ok = r.stamps.convert(f.Stamp, d.watermark, now); !ok {
				d.badStamps++
			}
		}
		newest = max(newest, at)
		if f.Stamp < r.open.from {
			continue // counted from the old ring
		}
		if f.Stamp >= r.open.until {
			r.open.left++
			continue
		}
		if rec != nil {
			d.kept = kept(&f)
			rec.Add(&d.kept)
		}
		d.meta = meta(&f, at)
		if r.dec.Decode(f.Data, &d.meta, r.tally.next(), &d.echo) {
			d.echo.Link, d.echo.Offset = r.cfg.Link, off
			r.out.echo(&d.echo)
		}
		r.tally.commit()
		d.frames++
	}
	d.refused += b.Counts.Refused
	d.damaged += b.Counts.Damaged
	r.pass(newest.Add(-inFlight))
}

// kept is what the flight recorder keeps of f.
func kept(f *tpacket.Frame) recorder.Frame {
	return recorder.Frame{Stamp: f.Stamp, Outgoing: f.Outgoing, Len: f.Len, GSOSize: f.GSOSize, GSOType: f.GSOType,
		HasVLAN: f.HasVLAN, VLANTCI: f.VLANTCI, VLANTPID: f.VLANTPID, Data: f.Data}
}

// meta is what the ring says about f, as the decoder wants it.
func meta(f *tpacket.Frame, at flow.Time) decode.Meta {
	m := decode.Meta{At: at, Len: f.Len, VLAN: f.VLANTCI, VLANTPID: f.VLANTPID, HasVLAN: f.HasVLAN,
		GSOType: f.GSOType, GSOSize: f.GSOSize, HdrLen: f.HdrLen, HasVnet: f.HasVnet}
	if f.Outgoing {
		m.Dir = flow.Tx
	}
	return m
}

// readLosses asks the ring what it dropped since it was last asked.
func (r *Reader) readLosses() {
	o := &r.open
	if o.ring == nil {
		return
	}
	s, err := o.ring.Stats()
	if err != nil {
		return
	}
	r.lose(s.Drops - o.drops)
	o.drops = s.Drops
}

func (r *Reader) lose(n uint64) {
	if n == 0 {
		return
	}
	r.drain.lost += n
	if r.cfg.Recorder != nil {
		r.cfg.Recorder.Lose(n)
	}
	r.tally.lose(n)
	r.out.lost(n, Now())
}

// linkDown says that the device is down or gone; the socket lives on.
func linkDown(err error) bool { return errors.Is(err, unix.ENETDOWN) }
