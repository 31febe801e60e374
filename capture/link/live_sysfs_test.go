package link

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// In a mount namespace whose /sys was mounted in this network namespace, sysfs is
// believed; from a thread that only changed its network namespace it is not.
func TestLiveSysfs(t *testing.T) {
	if os.Getenv("SPIKETOP_LINK_INSIDE") != "" {
		t.Skip("this is the inner process")
	}
	near, _ := router(t)
	cmd := exec.Command("ip", "netns", "exec", near, os.Args[0], "-test.run=^TestInsideSysfs$", "-test.v")
	cmd.Env = append(os.Environ(), "SPIKETOP_LINK_INSIDE=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestInsideSysfs")) {
		t.Errorf("inside: %v\n%s", err, out)
	}
}

// TestInsideSysfs is run by TestLiveSysfs within ip netns exec.
func TestInsideSysfs(t *testing.T) {
	if os.Getenv("SPIKETOP_LINK_INSIDE") == "" {
		t.Skip("run by TestLiveSysfs")
	}
	n, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	s, err := Read(DefaultRoots(), n)
	if err != nil {
		t.Fatal(err)
	}
	// veth_get_link_ksettings in drivers/net/veth.c always says 10 Gbit/s.
	if d := s.Named("eth0"); !s.OwnSysfs || d.SpeedBps != 10e9 || d.Physical {
		t.Errorf("own sysfs %v, eth0 %d bit/s, physical %v; want true, 10 Gbit/s, false", s.OwnSysfs, d.SpeedBps, d.Physical)
	}
}

// A request that the kernel refuses, or that is given up, leaves the socket usable.
func TestLiveNetlinkRecovers(t *testing.T) {
	near := namespace(t)
	for i := range 120 { // a dump of several datagrams
		ip(t, near, fmt.Sprintf("link add name d%d type veth peer name e%d", i, i))
	}
	inside(t, near, func() {
		n, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		n.buf = make([]byte, 2048) // too short: given up in the middle
		if _, err := n.devices(); err != errShortBuffer {
			t.Errorf("short buffer: %v", err)
		}
		n.buf = make([]byte, bufferLen)
		for range 3 {
			d, err := n.devices()
			if err != nil || len(d) != 241 {
				t.Errorf("%d devices, %v; want 241", len(d), err)
			}
		}
		var refused []int
		reqs := [][]byte{linkRequest(1), linkRequest(99999), linkRequest(1)}
		for range 5 {
			reqs = append(reqs, reqs...)
		}
		answers := 0
		if err := n.ask(reqs, func(int, []byte) { answers++ }, func(i int, err error) {
			if err != unix.ENODEV {
				t.Errorf("request %d: %v", i, err)
			}
			refused = append(refused, i)
		}); err != nil || answers != 64 || len(refused) != 32 || refused[1] != 4 {
			t.Errorf("%d answers, refused %v, %v; want 64, every third", answers, refused, err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if _, err := n.devices(); err == nil {
			t.Error("a closed socket answers")
		}
	})
}
