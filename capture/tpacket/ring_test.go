package tpacket_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/capture/tpacket"
	"spiketop/testdata/netlab"
)

// TestOpenErrors: the two classes on which the program acts, and "device 0",
// which bind would take for all devices.
func TestOpenErrors(t *testing.T) {
	ns := netlab.NewNS(t, "ringerr")
	for _, ifindex := range []int{0, -1, 4711} {
		err := ns.Do(func() error { _, err := tpacket.Open(tpacket.Config{Ifindex: ifindex}); return err })
		if !errors.Is(err, unix.ENODEV) {
			t.Errorf("ifindex %d: %v, want ENODEV", ifindex, err)
		}
	}
}

// TestOpenWithoutRights runs this test binary again as nobody.
func TestOpenWithoutRights(t *testing.T) {
	if os.Getenv("SPIKETOP_TEST_NOBODY") != "" {
		_, err := tpacket.Open(tpacket.Config{Ifindex: 1})
		if !errors.Is(err, unix.EPERM) {
			t.Fatalf("%v, want EPERM", err)
		}
		return
	}
	netlab.Need(t, "netns", os.Geteuid() == 0, "not root, so cannot become nobody")
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestOpenWithoutRights$")
	cmd.Env = append(os.Environ(), "SPIKETOP_TEST_NOBODY=1")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

// TestRingLoopback reads what is sent on loopback: each datagram once out and
// once in, with the same stamp order, and Empty tells the truth around it.
func TestRingLoopback(t *testing.T) {
	ns := netlab.NewNS(t, "ringlo")
	var r *tpacket.Ring
	var c net.Conn
	err := ns.Do(func() (err error) {
		if r, err = tpacket.Open(tpacket.Config{Ifindex: 1}); err != nil {
			return err
		}
		c, err = net.Dial("udp", "127.0.0.1:9")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer c.Close()
	if !r.Empty() {
		t.Error("a new ring is not empty")
	}
	before := time.Now().UnixNano()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if r.Empty() {
		t.Error("the ring is empty although a frame lies in the block being filled")
	}
	var in, out int
	deadline := time.Now().Add(20 * time.Second)
	for in == 0 && time.Now().Before(deadline) {
		if err := r.Wait(50 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		b, ok := r.Ready()
		if !ok {
			continue
		}
		var f tpacket.Frame
		for b.Next(&f) {
			if len(f.Data) < 42 || f.Data[23] != 17 { // not our UDP: the ICMP error about port 9
				continue
			}
			if f.Stamp < before || f.Stamp > time.Now().UnixNano() {
				t.Errorf("stamp %d is not between sending and now", f.Stamp)
			}
			if f.Outgoing {
				out++
			} else {
				in++
			}
		}
		r.Release()
	}
	if in != 1 || out != 1 {
		t.Errorf("%d in, %d out, want 1 and 1", in, out)
	}
	s, err := r.Stats()
	if err != nil || s.Drops != 0 || s.Frames < 2 {
		t.Errorf("stats %+v, %v", s, err)
	}
}
