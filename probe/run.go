package probe

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"spiketop/flow"
)

// run is a series as the pinger follows it. What has no atomic type belongs to
// the transport's loop.
type run struct {
	p      *Pinger
	addr   netip.Addr
	id     uint16
	most   int64 // echoes in this series
	cancel context.CancelFunc

	stopped chan error // one value when the last echo has been sent: nil, or why
	ended   chan error // one value when the transport has returned

	sentAt atomic.Int64 // flow.Time of the newest echo
	heard  atomic.Int64 // flow.Time of the newest answer
	leave  atomic.Bool  // the next echo is the last one

	opened   bool
	done     bool  // the last echo has been sent
	first    int64 // running number of seq 0
	count    int64 // echoes sent
	answered int64
	failing  flow.Time // since when, 0 = not failing
	told     flow.Time // when the failure was reported last
}

// series connects r with a transport.
func (r *run) series(interval time.Duration) *series {
	return &series{addr: r.addr, id: r.id, interval: interval,
		ready: r.ready, sent: r.sent, answered: r.received, duplicate: r.duplicate, failed: r.failed}
}

func (r *run) ready() {
	r.opened = true
	r.p.emit(Event{Kind: Restarted, At: r.p.cfg.Now(), ID: r.id, Addr: r.addr})
}

func (r *run) sent(seq uint16) bool {
	now := r.p.cfg.Now()
	n := r.p.n.Add(1)
	if r.count == 0 {
		r.first = n
	}
	r.count++
	r.failing = 0
	r.sentAt.Store(int64(now))
	r.p.emit(Event{Kind: Sent, At: now, N: n, ID: r.id, Seq: seq, Addr: r.addr})
	if r.count >= r.most || r.count-r.answered >= seriesLost || r.leave.Load() {
		return r.stop(nil)
	}
	return false
}

func (r *run) received(seq uint16) {
	now := r.p.cfg.Now()
	r.answered++
	r.heard.Store(int64(now))
	if n, ok := r.number(seq); ok {
		r.p.emit(Event{Kind: Received, At: now, N: n, ID: r.id, Seq: seq, Addr: r.addr})
	}
}

func (r *run) duplicate(seq uint16) {
	n, _ := r.number(seq)
	r.p.emit(Event{Kind: Duplicate, At: r.p.cfg.Now(), N: n, ID: r.id, Seq: seq, Addr: r.addr})
}

// failed is told that an echo could not be sent; its seq is used again.
func (r *run) failed(err error) bool {
	now := r.p.cfg.Now()
	if r.failing == 0 {
		r.failing, r.told = now, 0
	}
	if r.told == 0 || now.Sub(r.told) >= time.Second {
		r.told = now
		r.p.trouble(err)
	}
	if r.leave.Load() {
		return r.stop(nil)
	}
	if now.Sub(r.failing) >= giveUpAfter && !transient(err) {
		return r.stop(err)
	}
	return false
}

// stop says once that the series sends no more, and why.
func (r *run) stop(err error) bool {
	if !r.done {
		r.done = true
		r.stopped <- err
	}
	return true
}

// number returns the running number of the newest echo with this seq.
func (r *run) number(seq uint16) (int64, bool) {
	last := r.count - 1
	back := int64(uint16(last) - seq) // seq starts at 0 and wraps
	if back > last {
		return 0, false // never sent
	}
	return r.first + last - back, true
}
