package icmptap

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/capture"
	"spiketop/flow"
)

// apply opens and closes taps as Set has said, tries failed ones again, and
// listens again to those that were over their bound.
func (t *Taps) apply() {
	t.mu.Lock()
	want := t.want
	t.want = nil
	t.mu.Unlock()
	if want != nil {
		t.take(want)
	}
	now := capture.Now()
	for _, p := range t.taps {
		switch {
		case p.fd < 0 && now >= p.retry:
			t.openTap(p, now)
		case p.mutedUntil != 0 && now >= p.mutedUntil:
			t.unmute(p, now)
		}
	}
}

// take makes the taps those of want.
func (t *Taps) take(want []flow.GuestNIC) {
	keep := make(map[int]bool, len(want))
	for i := range want {
		w := &want[i]
		keep[w.Ifindex] = true
		p := t.taps[w.Ifindex]
		t.mu.Lock()
		if p == nil {
			p = &tap{fd: -1, stats: VIFStats{Ifindex: w.Ifindex}}
			t.taps[w.Ifindex] = p
		}
		p.stats.Name = w.Name
		p.inward = w.Kind == "macvtap" || w.Kind == "ipvtap" // its device stands for the guest, see host.Sampler
		if p.fd < 0 {
			p.retry = 0
		}
		t.mu.Unlock()
	}
	for i, p := range t.taps {
		if !keep[i] {
			t.closeTap(p)
			t.mu.Lock()
			delete(t.taps, i)
			t.mu.Unlock()
		}
	}
}

// turn waits for something to do and does it. Frames that come together are read
// together: their stamps are the kernel's, so nothing is lost by waiting, and a
// flood cannot wake this process more often than every 10 ms.
func (t *Taps) turn(ctx context.Context) error {
	n, err := t.poll(t.patience())
	if err != nil {
		return err
	}
	if n > 0 && !t.clearEvent(n) {
		pause(ctx, gather)
	}
	for range rounds {
		before := capture.Now()
		if n, err = t.poll(0); err != nil {
			return err
		}
		// What the poll did not report was empty, and what it did has been read.
		if t.readAll(n) && n < len(t.events) {
			t.pass(before.Add(-capture.InFlight))
		}
		if n == 0 {
			break
		}
	}
	if steps := t.stamps.Refresh(); steps > 0 {
		t.out.batch().Steps += steps
		t.out.offset = t.stamps.Offset()
	}
	t.out.flush(capture.Now(), t.beat())
	t.mu.Lock()
	t.stats.DroppedEchoes = t.out.dropped
	t.mu.Unlock()
	return nil
}

// readAll reads the first n events' sockets, each a little, and reports whether
// they are empty now.
func (t *Taps) readAll(n int) bool {
	t.clearEvent(n)
	all := true
	now := capture.Now()
	for _, e := range t.events[:n] {
		p := t.byFD[e.Fd]
		switch {
		case p == nil:
		case e.Events&unix.EPOLLIN != 0 && p.mutedUntil == 0:
			all = t.readTap(p, now) && all
		case e.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0:
			t.trouble(p, now)
		}
	}
	return all
}

// pass moves the watermark, never back, and not into a time whose Gap may have
// to be told longer.
func (t *Taps) pass(w flow.Time) {
	for _, p := range t.taps {
		if p.mutedUntil != 0 {
			w = min(w, p.mutedUntil)
		}
	}
	t.out.drained = max(t.out.drained, w)
}

// poll waits for events, at most for d. The event of the waker is among them.
func (t *Taps) poll(d time.Duration) (int, error) {
	n, err := unix.EpollWait(t.epoll, t.events, int((d+time.Millisecond-1)/time.Millisecond))
	if err == unix.EINTR {
		return 0, nil
	}
	return n, err
}

// clearEvent takes note that Run was woken, and reports whether.
func (t *Taps) clearEvent(n int) bool {
	for _, e := range t.events[:n] {
		if e.Fd == int32(t.event) {
			var b [8]byte
			_, _ = unix.Read(t.event, b[:])
			return true
		}
	}
	return false
}

func (t *Taps) beat() time.Duration {
	if t.lastEcho == 0 || capture.Now().Sub(t.lastEcho) > quietAfter {
		return beatQuiet
	}
	return beatBusy
}

// patience is how long there is nothing to do unless somebody pings.
func (t *Taps) patience() time.Duration {
	now := capture.Now()
	due := now.Add(t.beat())
	for _, p := range t.taps {
		switch {
		case p.fd < 0:
			due = min(due, p.retry)
		case p.mutedUntil != 0:
			due = min(due, p.mutedUntil)
		}
	}
	return max(due.Sub(now), 0)
}

// pause sleeps, less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
