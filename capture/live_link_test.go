package capture

import (
	"errors"
	"testing"
	"time"

	"spiketop/flow"
)

// eventually waits until the Reader's statistics satisfy ok.
func (r *running) eventually(what string, ok func(ReaderStats) bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(r.Stats()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: %+v", what, r.Stats())
		}
	}
}

// TestLiveDownUp: after the device was down the same ring goes on.
func TestLiveDownUp(t *testing.T) {
	p := newPair(t)
	r := open(t, p.near, ReaderConfig{})
	r.run()
	send(t, p.udp(t, true, 5001), 10, 100, 0)
	r.settle()
	p.near.IP("link set dev nic down")
	r.settle() // the watermark goes on without the device
	p.near.IP("link set dev nic up")
	send(t, p.udp(t, true, 5002), 10, 100, 0)
	r.settle()
	r.end()
	s := r.sums()
	if a, b := s.port(5001)[flow.Tx].Packets, s.port(5002)[flow.Tx].Packets; a != 10 || b != 10 {
		t.Errorf("%d packets before, %d after, want 10 and 10", a, b)
	}
}

// TestLiveOpenDown: a device that is down can be opened and is read once it is up.
func TestLiveOpenDown(t *testing.T) {
	p := newPair(t)
	p.near.IP("link set dev nic down")
	r := open(t, p.near, ReaderConfig{})
	r.run()
	r.settle()
	p.near.IP("link set dev nic up")
	send(t, p.udp(t, true, 5002), 10, 100, 0)
	r.settle()
	r.end()
	s := r.sums()
	if n := s.port(5002)[flow.Tx].Packets; n != 10 {
		t.Errorf("%d packets, want 10", n)
	}
}

// TestLiveRecreate: the device is deleted and made again with the same name and
// another ifindex; Follow moves the Reader over, in a new epoch.
func TestLiveRecreate(t *testing.T) {
	p := newPair(t)
	r := open(t, p.near, ReaderConfig{Epoch: 4})
	first := r.Stats().Ifindex
	r.run()
	send(t, p.udp(t, true, 5001), 10, 100, 0)
	r.settle()
	p.near.IP("link del dev nic")
	r.settle() // nobody has told the Reader yet
	r.Follow(0, 4)
	r.eventually("the ring is closed", func(s ReaderStats) bool { return !s.Open && s.Ifindex == 0 })
	r.settle() // the watermark goes on without a ring
	p.join(t)
	second := ifindex(t, p.near, "nic")
	r.Follow(second, 5)
	r.eventually("the ring is open again", func(s ReaderStats) bool { return s.Open && s.Ifindex == second && s.Err == nil })
	send(t, p.udp(t, true, 5002), 10, 100, 0)
	r.settle()
	r.end()
	if first == second {
		t.Fatalf("the new device has the old ifindex %d: nothing was tested", first)
	}
	s := r.sums()
	if a, b := s.port(5001)[flow.Tx].Packets, s.port(5002)[flow.Tx].Packets; a != 10 || b != 10 {
		t.Errorf("%d packets before, %d after, want 10 and 10", a, b)
	}
	for i, sl := range s.slots {
		if i > 0 && sl.From < s.slots[i-1].To {
			t.Errorf("slot %d begins %v before the end of the one before", i, s.slots[i-1].To.Sub(sl.From))
		}
		if want := uint32(4); sl.Epoch != want && (i == 0 || sl.Epoch != 5) {
			t.Errorf("slot %d: epoch %d", i, sl.Epoch)
		}
	}
	if last := s.slots[len(s.slots)-1]; last.Epoch != 5 {
		t.Errorf("last slot: epoch %d, want 5", last.Epoch)
	}
}

// TestLiveFollowTooEarly: an ifindex that does not exist (yet) is said and tried
// again.
func TestLiveFollowTooEarly(t *testing.T) {
	p := newPair(t)
	r := open(t, p.near, ReaderConfig{})
	r.run()
	p.near.IP("link del dev nic")
	r.Follow(4711, 1)
	r.eventually("the error is said", func(s ReaderStats) bool { return !s.Open && errors.Is(s.Err, ErrNoDevice) })
	p.near.IP("link add name nic index 4711 type veth peer name other")
	r.eventually("the ring is open", func(s ReaderStats) bool { return s.Open && s.Err == nil })
	r.end()
}

// TestLiveRename: a name is nothing to a ring.
func TestLiveRename(t *testing.T) {
	p := newPair(t)
	r := open(t, p.near, ReaderConfig{})
	r.run()
	send(t, p.udp(t, true, 5001), 10, 100, 0)
	p.near.IP("link set dev nic down") // older kernels rename only what is down
	p.near.IP("link set dev nic name lan7")
	p.near.IP("link set dev lan7 up")
	send(t, p.udp(t, true, 5002), 10, 100, 0)
	r.settle()
	r.end()
	s := r.sums()
	if a, b := s.port(5001)[flow.Tx].Packets, s.port(5002)[flow.Tx].Packets; a != 10 || b != 10 {
		t.Errorf("%d packets before, %d after, want 10 and 10", a, b)
	}
}

// TestOpenReaderNoDevice: the error says what was opened and in which class.
func TestOpenReaderNoDevice(t *testing.T) {
	p := newPair(t)
	clock, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	err = p.near.Do(func() error {
		_, err := OpenReader(ReaderConfig{Name: "eth9", Ifindex: 4711, Clock: clock, Out: make(chan *flow.Batch)})
		return err
	})
	if !errors.Is(err, ErrNoDevice) {
		t.Fatalf("%v, want ErrNoDevice", err)
	}
	const want = "open ring on eth9: no such device: bind on ifindex 4711: no such device"
	if err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}
