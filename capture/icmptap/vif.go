package icmptap

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/capture"
	"spiketop/capture/decode"
	"spiketop/capture/recorder"
	"spiketop/flow"
)

// muteFor is how long a vif over its bound is not read. The kernel fills its
// small buffer and then drops, which is counted, without copying or waking.
const muteFor = 250 * time.Millisecond

// VIFStats is what became of the echoes of one vif since it was first tapped.
// A frame that waits in the socket is in none of them but Seen.
type VIFStats struct {
	Ifindex int
	Name    string
	Open    bool
	Err     error // why it is not open; nil for a vif that does not exist (any more)

	Seen      uint64 // frames that passed the filter; at most some 100 ms old
	Delivered uint64
	Over      uint64 // over the vif's bound: not delivered
	Dropped   uint64 // found no room because this process did not read in time
	Other     uint64 // no whole echo: a fragment, or odd
	BadStamps uint64 // echoes whose stamp no known clock offset explains, at the nearest time
}

// tap is one vif. Other goroutines see only stats, under Taps.mu.
type tap struct {
	stats  VIFStats
	fd     int  // -1 = not open
	inward bool // what the device receives goes toward the guest: macvtap, ipvtap

	tokens     float64
	spare      float64   // as tokens: what is no whole echo and is only recorded
	filled     flow.Time // when tokens were added last
	mutedUntil flow.Time // 0 = is read
	skipBefore flow.Time // echoes stamped before it fell into a time that was told as a Gap
	since      flow.Time // stamp of the first frame since the socket was empty
	waiting    bool      // the socket may not be empty
	retry      flow.Time // when to open it again
}

// direction of a frame, as the guest sees it.
func (p *tap) direction(outgoing bool) flow.Direction {
	if outgoing != p.inward {
		return flow.Rx
	}
	return flow.Tx
}

// fill adds to what a vif may still deliver: at most half a second's worth waits.
func (p *tap) fill(now flow.Time, rate float64) {
	more := rate * now.Sub(p.filled).Seconds()
	p.tokens, p.spare = min(rate/2, p.tokens+more), min(rate/2, p.spare+more)
	p.filled = now
}

// readTap reads what waits in a tap's socket, at most mostAtOnce frames, and
// reports whether that was all.
func (t *Taps) readTap(p *tap) bool {
	n, err := t.receiver.read(p.fd)
	// After the read: a frame that came while this process was kept from running
	// would else seem to be of the future, and its stamp impossible.
	now := capture.Now()
	if err != nil {
		t.trouble(p, now)
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p.fill(now, t.rate)
	if t.recorder != nil {
		t.recorder.Begin()
		defer t.recorder.End()
	}
	allowed, over, left := min(p.tokens, p.spare), flow.Time(0), uint64(0)
	for i := range n {
		f := t.receiver.frame(i)
		at, off, ok := t.stamps.Convert(f.stamp, t.out.drained, now)
		if i == 0 && !p.waiting {
			p.since = at
		}
		if !t.decode(p, &f, at) {
			switch {
			case at < p.skipBefore:
				p.stats.Over++
			case p.spare < 1: // a flood of large pings costs as much to read as any
				p.stats.Over++
				left++
				if over == 0 {
					over = at
				}
			default:
				p.spare--
				p.stats.Other++
				t.keep(p, &f, at, off)
			}
			continue
		}
		if !ok {
			p.stats.BadStamps++
		}
		switch {
		case at < p.skipBefore:
			p.stats.Over++
		case p.tokens < 1:
			p.stats.Over++
			left++
			if over == 0 {
				over = at
			}
		default:
			p.tokens--
			p.stats.Delivered++
			t.keep(p, &f, at, off)
			t.echo.VIF, t.echo.Offset = p.stats.Ifindex, off
			t.out.echo(&t.echo)
			t.lastEcho = now
		}
	}
	p.waiting = n == mostAtOnce
	t.askDropped(p, now, allowed)
	if over != 0 {
		t.mute(p, now, over, left)
	}
	return !p.waiting
}

// keep gives a frame to the flight recorder, if there is one, between its Begin
// and End.
func (t *Taps) keep(p *tap, f *frame, at flow.Time, off flow.WallOffset) {
	if t.recorder == nil {
		return
	}
	stamp := int64(f.stamp)
	if stamp == 0 {
		stamp = int64(at) + int64(off)
	}
	t.kept = recorder.Frame{Stamp: stamp, Ifindex: uint32(p.stats.Ifindex), Outgoing: p.direction(f.outgoing) == flow.Rx,
		Len: f.length, HasVLAN: f.hasVLAN, VLANTCI: f.tci, VLANTPID: f.tpid, Data: f.data}
	t.recorder.Add(&t.kept)
}

// decode fills t.echo. ICMP inside of ICMP or of a tunnel does not pass the filter.
func (t *Taps) decode(p *tap, f *frame, at flow.Time) bool {
	m := decode.Meta{At: at, Dir: p.direction(f.outgoing), Len: f.length, VLAN: f.tci, VLANTPID: f.tpid, HasVLAN: f.hasVLAN}
	return t.decoder.Decode(f.data, &m, &t.record, &t.echo)
}

// askDropped asks the kernel what found no room since the last time. The socket
// was empty before since, so nothing that is older can have been dropped. If more
// came than was allowed, or did so a moment ago, it is the guest's doing.
func (t *Taps) askDropped(p *tap, now flow.Time, allowed float64) {
	seen, dropped := socketStats(p.fd)
	p.stats.Seen += seen
	if dropped == 0 {
		return
	}
	flood := float64(seen) > allowed || p.skipBefore != 0 && now.Sub(p.skipBefore) < muteFor
	if flood {
		p.stats.Over += dropped
	} else {
		p.stats.Dropped += dropped
	}
	t.out.gap(Gap{VIF: p.stats.Ifindex, From: p.since, Until: now, Flood: flood, Frames: dropped})
}

// mute stops reading a vif whose guest is over its bound.
func (t *Taps) mute(p *tap, now, over flow.Time, left uint64) {
	t.listen(p, 0)
	p.mutedUntil = now.Add(muteFor)
	t.out.gap(Gap{VIF: p.stats.Ifindex, From: min(over, p.mutedUntil), Until: p.mutedUntil, Flood: true, Frames: left})
}

// unmute reads a vif again. What lies in its buffer is from the time that was
// told as missing.
func (t *Taps) unmute(p *tap, now flow.Time) {
	t.listen(p, unix.EPOLLIN)
	t.mu.Lock()
	defer t.mu.Unlock()
	p.skipBefore = p.mutedUntil
	seen, dropped := socketStats(p.fd)
	p.stats.Seen += seen
	p.stats.Over += dropped
	if dropped > 0 && now > p.mutedUntil {
		t.out.gap(Gap{VIF: p.stats.Ifindex, From: p.mutedUntil, Until: now, Flood: true, Frames: dropped})
	}
	p.mutedUntil, p.since, p.waiting = 0, now, true
}

// listen says what the poll shall report of a tap; errors it always reports.
func (t *Taps) listen(p *tap, events uint32) {
	// It fails only for a descriptor that is not ours or not in the set.
	_ = unix.EpollCtl(t.epoll, unix.EPOLL_CTL_MOD, p.fd, &unix.EpollEvent{Events: events, Fd: int32(p.fd)})
}

// openTap opens the socket of a vif. A vif that does not exist is no error: its
// end has not been heard of yet, or it will come.
func (t *Taps) openTap(p *tap, now flow.Time) {
	p.retry = now.Add(retryEvery)
	fd, err := openSocket(p.stats.Ifindex, t.filter)
	if err == nil {
		if err = unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			t.closer.close(fd)
			err = fmt.Errorf("epoll: %w", err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p.stats.Open = err == nil
	switch {
	case err == nil:
		p.stats.Err = nil
		p.fd, p.tokens, p.spare, p.filled, p.mutedUntil, p.skipBefore, p.waiting = fd, t.rate/2, t.rate/2, now, 0, 0, false
		t.byFD[int32(fd)] = p
		t.out.change(Change{VIF: p.stats.Ifindex, At: capture.Now(), Open: true})
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		p.stats.Err = nil
	default:
		p.stats.Err = fmt.Errorf("tap of vif %s: %w", p.stats.Name, err)
	}
}

// closeTap closes the socket of a vif, if it is open.
func (t *Taps) closeTap(p *tap) {
	if p.fd < 0 {
		return
	}
	_ = unix.EpollCtl(t.epoll, unix.EPOLL_CTL_DEL, p.fd, nil)
	delete(t.byFD, int32(p.fd))
	t.mu.Lock()
	seen, dropped := socketStats(p.fd)
	p.stats.Seen += seen
	p.stats.Dropped += dropped
	p.stats.Open = false
	t.mu.Unlock()
	t.closer.close(p.fd)
	p.fd = -1
	t.out.change(Change{VIF: p.stats.Ifindex, At: t.out.drained})
}

// trouble takes note of an error of the socket: the device is down (it is read
// again when it comes up) or gone.
func (t *Taps) trouble(p *tap, now flow.Time) {
	_, _ = unix.GetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_ERROR) // reading clears it, else the poll would spin
	if !isBound(p.fd, p.stats.Ifindex) {
		t.closeTap(p)
		p.retry = now.Add(retryEvery)
	}
}
