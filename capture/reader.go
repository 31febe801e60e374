package capture

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"spiketop/capture/decode"
	"spiketop/capture/recorder"
	"spiketop/capture/tpacket"
	"spiketop/flow"
)

const (
	pollEvery   = 50 * time.Millisecond // longest wait for a block: how fast Run notices the end of its context
	reopenEvery = time.Second           // between two tries to open a ring that did not open

	// defaultMaxRing is what a ring may grow to: 256 blocks of 128 KiB hold
	// 100 ms of 1 Mpps.
	defaultMaxRing = 32 << 20
)

// ReaderConfig describes the Reader of one link.
type ReaderConfig struct {
	Link     flow.LinkID
	Name     string // for errors
	Ifindex  int    // in the network namespace of the thread that calls OpenReader
	Epoch    uint32 // of the first slots
	MaxFlows int    // overrides Table.MaxFlows unless 0
	Clock    *Clock // shared by all Readers of the process
	Classify flow.TableClassify
	Out      chan<- *flow.Batch // never closed; a full one makes batches merge, see Run
	Recorder *recorder.Memory   // keeps the frames' first bytes; nil = nobody does. It stays the caller's.

	Table   flow.TableConfig // other limits of the table; Link, Classify and a random Seed are filled in
	Ring    tpacket.Config   // sizes of the ring at first; Ifindex is ignored
	MaxRing int              // bytes that the ring may grow to under load, 0 = 32 MiB
}

// ReaderStats is what a Reader has done. Counts are since OpenReader.
type ReaderStats struct {
	Ifindex int   // followed now, 0 = none
	Open    bool  // the ring is open
	Err     error // why it is not, if it should be

	Frames        uint64 // counted in the table
	Lost          uint64 // dropped by the ring, Refused included
	Refused       uint64 // of them: super-frames whose kind the kernel cannot describe (af_packet.c, tpacket_rcv)
	Damaged       uint64 // ring blocks that contradicted themselves
	BadStamps     uint64 // stamps that no known clock offset explains, counted at the nearest time
	DroppedSlots  uint64 // that the receiver did not take in time
	DroppedEchoes uint64
	RingBytes     int // size of the ring; it grows under load
	Flows         int // in the table
	Decode        decode.Stats
}

// Reader drains one link. Run belongs to one goroutine; Follow, SetClassify and
// Stats may be called from any other.
type Reader struct {
	cfg    ReaderConfig
	table  *flow.Table
	dec    *decode.Decoder
	tally  *tally
	out    outbox
	stamps stamps
	drain  drain

	open     openRing // see handover.go
	ifindex  int
	tryAgain flow.Time // when to open a ring that failed to open
	epoch    uint32

	changed  chan struct{} // Follow has been called
	classify atomic.Pointer[flow.TableClassify]
	mu       sync.Mutex // protects want and stats
	want     follow
	stats    ReaderStats
}

// follow is what Follow asked for last.
type follow struct {
	ifindex int
	epoch   uint32
}

// OpenReader opens the ring of a link at once, so that missing rights show at
// start: errors wrap ErrPermission or ErrNoDevice. Counting begins here; Run
// must follow before the ring is full (2.5 s or 4 MiB with the defaults).
func OpenReader(cfg ReaderConfig) (*Reader, error) {
	if cfg.MaxRing == 0 {
		cfg.MaxRing = defaultMaxRing
	}
	tc := cfg.Table
	tc.Link, tc.Classify = cfg.Link, cfg.Classify
	if cfg.MaxFlows != 0 {
		tc.MaxFlows = cfg.MaxFlows
	}
	if tc.Seed == 0 {
		tc.Seed = rand.Uint64()
	}
	r := &Reader{cfg: cfg, table: flow.NewTable(tc), dec: decode.New(decode.Config{}), changed: make(chan struct{}, 1),
		stamps: newStamps(cfg.Clock.Sample), ifindex: cfg.Ifindex, epoch: cfg.Epoch,
		want: follow{cfg.Ifindex, cfg.Epoch}, out: outbox{out: cfg.Out, link: cfg.Link}}
	r.out.offset = r.stamps.cur
	r.table.SetEpoch(cfg.Epoch)
	r.tally = newTally(r.table, r.stamps.cur, r.out.slot, r.readLosses)
	if err := r.openNow(); err != nil {
		return nil, err
	}
	r.publish()
	return r, nil
}

// Follow says that the link has this ifindex and epoch from now on; 0 means
// that it is gone. The ring is closed and opened as needed; one that cannot be
// opened is tried again every second (see ReaderStats.Err).
func (r *Reader) Follow(ifindex int, epoch uint32) {
	r.mu.Lock()
	r.want = follow{ifindex, epoch}
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// SetClassify gives flows their class from now on by f, which must be safe to
// call from the goroutine of Run.
func (r *Reader) SetClassify(f flow.TableClassify) { r.classify.Store(&f) }

// Stats returns what the Reader has done, at most some 50 ms old.
func (r *Reader) Stats() ReaderStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// Run drains the ring until ctx ends, within some 100 ms; it then closes the
// ring and returns nil.
//
// A slot that ends at or before a batch's Drained is in that batch or in an
// earlier one, and so is every echo stamped before it.
//
// It hands on a batch whenever a slot is closed or an echo has come, and at
// least every 50 ms for the watermark. It never waits for the receiver: while
// the channel is full, batches merge; after 2 s the slots that wait are dropped
// and counted.
func (r *Reader) Run(ctx context.Context) error {
	defer r.Close()
	for ctx.Err() == nil {
		r.apply()
		r.wait(ctx)
		r.look()
		r.checkClock()
		r.hand()
	}
	return nil
}

// Close closes the ring of a Reader that was never Run. After Run it does
// nothing; during Run it must not be called.
func (r *Reader) Close() { r.open.close() }

// apply does what other goroutines have asked for.
func (r *Reader) apply() {
	if f := r.classify.Swap(nil); f != nil {
		r.table.SetClassify(*f)
	}
	r.mu.Lock()
	w := r.want
	r.mu.Unlock()
	if w.epoch != r.epoch && w.ifindex == r.ifindex {
		r.epoch = w.epoch
		r.table.SetEpoch(w.epoch)
	}
	if w.ifindex != r.ifindex {
		r.leave()
		r.note(nil)
		r.ifindex, r.epoch, r.tryAgain = w.ifindex, w.epoch, 0
		r.table.SetEpoch(w.epoch)
	}
	if r.open.ring == nil && r.ifindex > 0 {
		if now := Now(); now >= r.tryAgain {
			r.tryAgain = now.Add(reopenEvery)
			r.note(r.openNow())
		}
	}
}

// openNow opens the ring and begins to count.
func (r *Reader) openNow() error {
	c := r.cfg.Ring
	c.Ifindex = r.ifindex
	ring, err := tpacket.Open(c)
	if err != nil {
		return openError(r.cfg.Name, err)
	}
	r.open = newOpenRing(ring)
	at := Now()
	r.drain.start(at)
	r.tally.start(at)
	return nil
}

// leave accounts what the ring still holds and closes it.
func (r *Reader) leave() {
	if r.open.ring == nil {
		return
	}
	r.look()
	r.callOff()
	r.readLosses()
	r.tally.stop()
	r.open.close()
	r.hand()
}

// wait sleeps until there is something to read or to do.
func (r *Reader) wait(ctx context.Context) {
	timeout := pollEvery
	if r.open.ring != nil {
		// Wake up when the slot can be closed, not up to one poll later. If that
		// is past, a frame in the kernel's block holds it, whose retirement wakes.
		if due := r.tally.to.Add(inFlight).Sub(Now()); due > 0 {
			timeout = min(due, pollEvery)
		}
		if r.drain.busy {
			// Blocks come faster than this: let some gather rather than be woken
			// for each.
			timeout = time.Millisecond
		} else if err := r.open.ring.Wait(timeout); err == nil || linkDown(err) {
			return
		}
	}
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-r.changed:
	case <-t.C:
	}
}

// checkClock takes note of a step of the clock. It runs after the look: the
// blocks of the poll in which the step fell have taken the older offset, except
// frames whose stamps make no sense by it.
func (r *Reader) checkClock() {
	if n := r.stamps.refresh(); n > 0 {
		r.out.stepped(n)
		r.out.offset, r.tally.off = r.stamps.cur, r.stamps.cur
		r.callOff()
	}
}

// hand hands on what there is. Losses are asked for first, so that the watermark
// never passes one that is not yet told.
func (r *Reader) hand() {
	r.readLosses()
	now := Now()
	if r.open.ring == nil {
		r.drain.pass(now.Add(-inFlight)) // nothing can come: nobody shall wait for this link
	}
	r.out.drained = r.drain.watermark
	if r.out.flush(now) {
		r.table.Forget()
	}
	if now.Sub(r.drain.published) >= sendEvery {
		r.drain.published = now
		r.publish()
	}
}

// note keeps why the ring is not open.
func (r *Reader) note(err error) {
	r.mu.Lock()
	r.stats.Err = err
	r.mu.Unlock()
}

func (r *Reader) publish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.stats
	s.Ifindex, s.Open = r.ifindex, r.open.ring != nil
	s.Frames, s.Refused, s.Damaged, s.BadStamps = r.drain.frames, r.drain.refused, r.drain.damaged, r.drain.badStamps
	s.Lost = r.drain.lost
	s.DroppedSlots, s.DroppedEchoes = r.out.droppedSlots, r.out.droppedEchoes
	s.RingBytes, s.Flows, s.Decode = r.open.bytes(), r.table.Len(), r.dec.Stats()
}
