package capture

import (
	"context"
	"testing"
	"time"

	"spiketop/capture/tpacket"
	"spiketop/flow"
)

// TestLivePause: a reader that is stopped for 2 s at 1 kpps misses nothing, and
// every slot afterwards has what was sent in its own time.
func TestLivePause(t *testing.T) {
	p := newPair(t)
	c := p.udp(t, true, 5001)
	send(t, c, 1, 100, 0) // neighbour resolution is over when this is out
	r := open(t, p.near, ReaderConfig{})
	from := Now()
	send(t, c, 2000, 100, time.Millisecond)
	to := Now()
	r.run()
	r.settle()
	r.end()
	s := r.sums()
	if got := s.port(5001)[flow.Tx].Packets; got != 2000 || s.lost != 0 || s.late != 0 {
		t.Errorf("%d packets, %d lost, %d late; want 2000, 0, 0", got, s.lost, s.late)
	}
	// 2000 packets over the sending time: each inner slot has some, in its place.
	for _, sl := range s.slots {
		if n := sl.Total[flow.Tx].Packets; sl.From > from && sl.To < to && n == 0 {
			t.Errorf("slot %v after start: nothing, although a frame went out every ms", sl.From.Sub(from))
		} else if (sl.To < from || sl.From > to) && n > 2 {
			t.Errorf("slot %v after start: %d packets, sent at another time", sl.From.Sub(from), n)
		}
	}
	for i := 1; i < len(s.slots); i++ {
		if s.slots[i].From != s.slots[i-1].To {
			t.Errorf("slot %d begins %v after the end of the one before", i, s.slots[i].From.Sub(s.slots[i-1].To))
		}
	}
}

// TestLiveOverflow: what does not fit into the ring is counted, to the frame.
func TestLiveOverflow(t *testing.T) {
	p := newPair(t)
	c := p.udp(t, true, 5001)
	send(t, c, 1, 100, 0)
	tiny := tpacket.Config{BlockSize: 4096, Blocks: 4}
	r := open(t, p.near, ReaderConfig{Ring: tiny, MaxRing: 4 * 4096})
	const sent = 5000
	send(t, c, sent/2, 100, 0) // nobody reads
	r.run()
	send(t, c, sent/2, 100, 0) // somebody reads, with a ring of 16 KiB
	r.settle()
	r.end()
	s := r.sums()
	got := s.total[flow.Tx].Packets + s.total[flow.Rx].Packets
	t.Logf("sent %d: accounted %d, lost %d", sent, got, s.lost)
	if s.lost < 1000 {
		t.Errorf("only %d lost: the ring did not overflow", s.lost)
	}
	// An ARP exchange may fall into it: up to 4 frames that were not sent here.
	if all := got + s.lost; all < sent || all > sent+4 {
		t.Errorf("accounted %d + lost %d = %d, sent %d", got, s.lost, all, sent)
	}
	if s.sloss != s.lost {
		t.Errorf("slots say %d lost, batches %d", s.sloss, s.lost)
	}
	for _, b := range r.got {
		if b.Lost > 0 && b.LostAt <= b.Drained.Add(-time.Second) {
			t.Errorf("loss noticed at %d, long before the watermark %d", b.LostAt, b.Drained)
		}
	}
}

// TestLiveGrow: a drain that finds the ring half full moves to a bigger one
// while frames keep coming, and every frame counts once.
func TestLiveGrow(t *testing.T) {
	p := newPair(t)
	c := p.udp(t, true, 5001)
	send(t, c, 1, 100, 0)
	const blocks = 64
	r := open(t, p.near, ReaderConfig{Ring: tpacket.Config{Blocks: blocks}, MaxRing: blocks * 64 << 10})
	// A frame of 142 bytes takes 240 in the ring, 68 fit into a block: 50 blocks.
	send(t, c, 50*68, 100, 0)
	r.run()
	n := 50 * 68
	for deadline := time.Now().Add(20 * time.Second); r.Stats().RingBytes < blocks*64<<10; n += 20 {
		if time.Now().After(deadline) {
			t.Fatalf("the ring did not grow: %+v", r.Stats())
		}
		send(t, c, 20, 100, 50*time.Microsecond)
	}
	send(t, c, 1000, 100, 50*time.Microsecond)
	n += 1000
	r.settle()
	r.end()
	s := r.sums()
	if got := s.port(5001)[flow.Tx].Packets; got != uint64(n) || s.lost != 0 {
		t.Errorf("%d of %d packets accounted, %d lost", got, n, s.lost)
	}
}

// TestLiveEnd: the goroutine ends soon after its context.
func TestLiveEnd(t *testing.T) {
	p := newPair(t)
	r := open(t, p.near, ReaderConfig{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.settle()
	best := time.Hour
	cancel()
	at := time.Now()
	select {
	case err := <-done:
		best = time.Since(at)
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(10 * time.Second):
	}
	t.Logf("ended after %v", best)
	if best > 2*time.Second { // 50 ms of poll and what a busy machine adds
		t.Errorf("ended after %v", best)
	}
}

// TestLiveIdle: a quiet link costs next to nothing.
func TestLiveIdle(t *testing.T) {
	p := newPair(t)
	r := open(t, p.near, ReaderConfig{})
	r.run()
	r.settle()
	cpu, at := cpuTime(t), time.Now()
	r.until(Now().Add(3 * time.Second))
	share := float64(cpuTime(t)-cpu) / float64(time.Since(at))
	t.Logf("%.2f %% of a CPU", 100*share)
	if share > 0.05 { // measured 0.5 %, 1.9 % under the race detector
		t.Errorf("an idle reader uses %.1f %% of a CPU", 100*share)
	}
}
