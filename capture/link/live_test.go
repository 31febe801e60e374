package link

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// The tests of this file run in network namespaces of their own.

const patience = 20 * time.Second // for things that take milliseconds on a calm machine

// needNetns skips without the rights and tools to make namespaces, or fails
// where SPIKETOP_REQUIRE names them.
func needNetns(t *testing.T) {
	t.Helper()
	why := ""
	if os.Geteuid() != 0 {
		why = "not root"
	} else if _, err := exec.LookPath("ip"); err != nil {
		why = "no ip(8)"
	} else if _, err := exec.LookPath("tc"); err != nil {
		why = "no tc(8)"
	}
	if why == "" {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("SPIKETOP_REQUIRE"), ","), "netns") {
		t.Fatalf("network namespaces required: %s", why)
	}
	t.Skipf("needs network namespaces: %s", why)
}

var namespaces atomic.Int32

// namespace makes a network namespace with lo up and removes it after the test.
func namespace(t *testing.T) string {
	t.Helper()
	needNetns(t)
	ns := fmt.Sprintf("spk-link-%d-%d", os.Getpid(), namespaces.Add(1))
	sh(t, "ip", "netns", "add", ns)
	t.Cleanup(func() { sh(t, "ip", "netns", "del", ns) })
	sh(t, "ip", "-n", ns, "link", "set", "dev", "lo", "up")
	return ns
}

func sh(t *testing.T, arg ...string) string {
	t.Helper()
	out, err := exec.Command(arg[0], arg[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(arg, " "), err, out)
	}
	return string(out)
}

// ip runs ip(8) in ns; a dot stands for "link set dev", for short lines.
func ip(t *testing.T, ns, line string) {
	t.Helper()
	line = strings.Replace(line, ". ", "link set dev ", 1)
	sh(t, append([]string{"ip", "-n", ns}, strings.Fields(line)...)...)
}

// inside runs f on a thread in ns. The thread dies with f, so that no other
// goroutine gets it.
func inside(t *testing.T, ns string, f func()) {
	t.Helper()
	file, err := os.Open("/run/netns/" + ns)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var entered error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if entered = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); entered == nil {
			f()
		}
	}()
	<-done
	if entered != nil {
		t.Fatal(entered)
	}
}

// router makes a namespace like a small host: eth0 and eth1 (each a veth with its
// other end in the namespace far), eth1 in br0, the default routes through br0.
func router(t *testing.T) (near, far string) {
	near, far = namespace(t), namespace(t)
	ip(t, near, "link add name eth0 type veth peer name p0 netns "+far)
	ip(t, near, "link add name eth1 type veth peer name p1 netns "+far)
	ip(t, near, "link add name br0 type bridge")
	ip(t, near, ". eth1 master br0")
	for _, dev := range []string{"eth0", "eth1", "br0"} {
		ip(t, near, ". "+dev+" up")
	}
	ip(t, far, ". p0 up")
	ip(t, far, ". p1 up")
	ip(t, near, "addr add 10.77.0.2/24 dev br0")
	ip(t, near, "addr add fd77::2/64 dev br0 nodad")
	ip(t, near, "addr add 10.78.0.2/24 dev eth0")
	ip(t, far, "addr add 10.77.0.1/24 dev p1")
	ip(t, far, "addr add 10.78.0.1/24 dev p0")
	ip(t, near, "route add default via 10.77.0.1 dev br0")
	ip(t, near, "route add default via fd77::1 dev br0")
	ip(t, near, "route add 10.99.0.0/16 via 10.78.0.1 dev eth0")
	ip(t, near, "route add unreachable 10.98.0.0/16")
	return near, far
}

// eventually polls until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func TestLiveRead(t *testing.T) {
	near, _ := router(t)
	var s *State
	var lib []netlink.Link
	var err, libErr error
	eventually(t, "carrier", func() bool {
		inside(t, near, func() {
			var n *Netlink
			if n, err = Open(); err != nil {
				return
			}
			defer n.Close()
			s, err = Read(Roots{Sysfs: "/nowhere"}, n)
			lib, libErr = netlink.LinkList()
		})
		if err != nil || libErr != nil {
			t.Fatal(err, libErr)
		}
		return s.Named("br0").Up() && s.Named("eth0").Up()
	})

	// The library that everybody uses, as the second witness.
	if len(lib) != len(s.Devices) {
		t.Errorf("%d devices, the library sees %d", len(s.Devices), len(lib))
	}
	for _, l := range lib {
		a, d := l.Attrs(), s.Device(l.Attrs().Index)
		if d == nil {
			t.Errorf("%s missing", a.Name)
			continue
		}
		k := l.Type()
		if k == "device" {
			k = "" // the library's word for hardware and lo
		}
		want := Device{Ifindex: a.Index, Name: a.Name, Kind: k, Master: a.MasterIndex, Loopback: a.Flags&net.FlagLoopback != 0,
			AdminUp: a.Flags&net.FlagUp != 0, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0, Oper: uint8(a.OperState)}
		copy(want.MAC[:], a.HardwareAddr)
		want.PortKind, want.Bytes = d.PortKind, d.Bytes // not offered, and moving
		if diff := cmp.Diff(want, *d); diff != "" {
			t.Errorf("%s (-library +got):\n%s", a.Name, diff)
		}
	}
	if got := s.Named("eth1").PortKind; got != "bridge" {
		t.Errorf("eth1 is a port of a %q, want bridge", got)
	}
	if s.OwnSysfs {
		t.Error("sysfs believed, though there is none")
	}
	choices, err := Choose(s, nil)
	if err != nil || len(choices) != 2 || choices[0].Name != "eth0" || choices[1].Name != "eth1" {
		t.Errorf("chosen: %+v, %v; want eth0 and eth1, not br0 above it", choices, err)
	}
	var own []string
	for _, a := range s.OwnAddresses() {
		if !a.IsLinkLocalUnicast() { // random
			own = append(own, a.String())
		}
	}
	slices.Sort(own)
	if diff := cmp.Diff([]string{"10.77.0.2", "10.78.0.2", "127.0.0.1", "::1", "fd77::2"}, own); diff != "" {
		t.Errorf("own addresses (-want +got):\n%s", diff)
	}
}

func TestLiveTargets(t *testing.T) {
	near, _ := router(t)
	inside(t, near, func() {
		n, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer n.Close()
		s, err := Read(Roots{Sysfs: "/nowhere"}, n)
		if err != nil {
			t.Error(err)
			return
		}
		choices, err := Choose(s, []string{"eth1"})
		if err != nil {
			t.Error(err)
			return
		}
		links := newTracker(s, choices).snapshot()
		var gateways []string
		for _, g := range DefaultGateways(s, links) {
			gateways = append(gateways, g.Addr.String()+" "+g.Reason)
		}
		if diff := cmp.Diff([]string{"10.77.0.1 gateway through eth1", "fd77::1 gateway through eth1"}, gateways); diff != "" {
			t.Errorf("gateways (-want +got):\n%s", diff)
		}
		br0, eth0, lo := s.Named("br0").Ifindex, s.Named("eth0").Ifindex, 1
		one := []flow.LinkID{1}
		addr := netip.MustParseAddr
		tests := []struct {
			to   string
			want Path
			err  string
		}{
			{"10.77.0.9", Path{Device: "br0", Ifindex: br0, Links: one, OnLink: true, Source: addr("10.77.0.2")}, ""},
			{"::ffff:10.77.0.9", Path{Device: "br0", Ifindex: br0, Links: one, OnLink: true, Source: addr("10.77.0.2")}, ""},
			{"192.0.2.1", Path{Device: "br0", Ifindex: br0, Links: one, Gateway: addr("10.77.0.1"), Source: addr("10.77.0.2")}, ""},
			{"2001:db8::1", Path{Device: "br0", Ifindex: br0, Links: one, Gateway: addr("fd77::1"), Source: addr("fd77::2")}, ""},
			{"fd77::9", Path{Device: "br0", Ifindex: br0, Links: one, OnLink: true, Source: addr("fd77::2")}, ""},
			{"10.78.0.9", Path{Device: "eth0", Ifindex: eth0, OnLink: true, Source: addr("10.78.0.2")}, ""},
			{"10.99.0.1", Path{Device: "eth0", Ifindex: eth0, Gateway: addr("10.78.0.1"), Source: addr("10.78.0.2")}, ""},
			{"10.77.0.2", Path{Device: "lo", Ifindex: lo, Own: true, Source: addr("10.77.0.2")}, ""},
			{"10.77.0.255", Path{Device: "br0", Ifindex: br0, Links: one, Source: addr("10.77.0.2")}, ""},
			{"10.98.0.1", Path{}, "route to 10.98.0.1: no route to host"},
			{"fe80::9%br0", Path{Device: "br0", Ifindex: br0, Links: one, OnLink: true}, ""},
			{"fe80::9%nosuch", Path{}, "route to fe80::9%nosuch: no such device"},
		}
		for _, tt := range tests {
			got, err := n.RouteLeavesBy(s, links, addr(tt.to))
			if text := fmt.Sprint(err); (err != nil || tt.err != "") && text != tt.err {
				t.Errorf("%s: error %q, want %q", tt.to, text, tt.err)
			}
			if strings.HasPrefix(tt.to, "fe80") {
				got.Source = netip.Addr{} // random
			}
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.to, diff)
			}
		}
		for a, want := range map[string]bool{"10.77.0.9": true, "10.78.0.9": false, "192.0.2.1": false, "10.77.0.2": false} {
			if n.OnLink(s, links, addr(a)) != want {
				t.Errorf("OnLink(%s) = %v", a, !want)
			}
		}
	})
}

// Without any capability everything works as with all of them.
func TestLiveWithoutCapabilities(t *testing.T) {
	near, _ := router(t)
	inside(t, near, func() {
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&head, &make([]unix.CapUserData, 2)[0]); err != nil { // of this thread alone
			t.Error(err)
			return
		}
		n, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer n.Close()
		s, err := Read(DefaultRoots(), n)
		if err != nil {
			t.Error(err)
			return
		}
		choices, err := Choose(s, []string{"eth0", "eth1"})
		if err != nil {
			t.Error(err)
			return
		}
		w, err := NewWatcher(WatchConfig{Roots: DefaultRoots(), State: s, Choices: choices})
		if err != nil {
			t.Error(err)
			return
		}
		defer w.stop()
		if u := w.First(); len(u.Notes) != 0 || len(u.Links) != 2 {
			t.Errorf("watcher: %+v", u)
		}
		sampler, err := NewSampler(DefaultRoots())
		if err != nil {
			t.Error(err)
			return
		}
		defer sampler.Close()
		sampler.SetLinks(w.First().Links, s)
		counters, err := sampler.Read(42)
		if err != nil || len(counters) != 2 || counters[0].At != 42 || counters[1].Link != 2 || !counters[0].HasQdisc {
			t.Errorf("counters: %+v, %v", counters, err)
		}
		if _, err := n.RouteLeavesBy(s, w.First().Links, netip.MustParseAddr("10.77.0.9")); err != nil {
			t.Error(err)
		}
	})
}

// watch starts a watcher of eth0 and eth1 in ns that looks on events alone.
func watch(t *testing.T, ns string) chan Update {
	t.Helper()
	var w *Watcher
	var err error
	inside(t, ns, func() {
		var n *Netlink
		if n, err = Open(); err != nil {
			return
		}
		defer n.Close()
		var s *State
		if s, err = Read(DefaultRoots(), n); err != nil {
			return
		}
		var c []Choice
		if c, err = Choose(s, []string{"eth0", "eth1"}); err != nil {
			return
		}
		w, err = NewWatcher(WatchConfig{Roots: DefaultRoots(), State: s, Choices: c, Interval: time.Hour})
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, ended := make(chan Update, 100), make(chan struct{})
	go func() { w.Run(ctx, out); close(ended) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	return out
}

// heard waits for a change and returns the update that brought it.
func heard(t *testing.T, out chan Update, change, was, now string) Update {
	t.Helper()
	deadline := time.After(patience)
	var told []Change
	for {
		select {
		case u := <-out:
			for _, c := range u.Changes {
				if c.Change == change && c.Was == was && c.Now == now {
					return u
				}
			}
			told = append(told, u.Changes...)
		case <-deadline:
			t.Fatalf("%s %q -> %q: not within %v; heard %v", change, was, now, patience, told)
		}
	}
}

func TestLiveWatcher(t *testing.T) {
	near, far := router(t)
	eventually(t, "eth0 up", func() bool {
		return strings.Contains(sh(t, "ip", "-n", near, "-br", "link", "show", "dev", "eth0"), " UP ")
	})
	out := watch(t, near)

	ip(t, far, ". p0 down") // carrier lost
	heard(t, out, "down", "up", "down")
	ip(t, far, ". p0 up")
	if u := heard(t, out, "up", "down", "up"); u.Links[0].Epoch != 1 || u.At == 0 {
		t.Errorf("epoch %d at %d after coming back, want 1", u.Links[0].Epoch, u.At)
	}
	ip(t, near, ". eth0 down")
	heard(t, out, "down", "up", "down")
	ip(t, near, ". eth0 name lan9")
	if u := heard(t, out, "renamed", "eth0", "lan9"); u.Links[0].ID != 1 || u.Links[0].Note != "renamed from eth0" {
		t.Errorf("renamed: %+v", u.Links[0])
	}
	ip(t, near, ". lan9 up")
	before := heard(t, out, "up", "down", "up").Links[0]

	ip(t, near, "link del dev lan9")
	if u := heard(t, out, "down", "up", "gone"); u.Links[0].State != flow.LinkGone || len(u.Links) != 2 {
		t.Errorf("deleted: %+v", u.Links)
	}
	ip(t, near, "link add name lan9 type veth peer name p9 netns "+far)
	ip(t, far, ". p9 up")
	ip(t, near, ". lan9 up")
	deadline := time.After(patience)
	for l := before; l.Ifindex == before.Ifindex || l.State != flow.LinkUp; { // seen as down first, or not
		select {
		case u := <-out:
			l = u.Links[0]
			if l.ID != 1 || (l.Ifindex != before.Ifindex && l.Epoch <= before.Epoch) {
				t.Fatalf("made anew: %+v, before %+v", l, before)
			}
		case <-deadline:
			t.Fatalf("made anew: %+v", l)
		}
	}
}

// A NIC that comes back under another name is known by its own address.
func TestLiveWatcherByAddress(t *testing.T) {
	near, far := router(t)
	out := watch(t, near)
	ip(t, near, ". eth0 address 02:77:00:00:00:01")
	ip(t, near, ". eth0 down")
	heard(t, out, "down", "up", "down")
	ip(t, near, ". eth0 netns "+far)
	heard(t, out, "down", "down", "gone")
	ip(t, far, ". eth0 name back0")
	ip(t, far, ". back0 netns "+near)
	if u := heard(t, out, "renamed", "eth0", "back0"); len(u.Reopen) != 1 || u.Links[0].ID != 1 {
		t.Errorf("back: reopen %v, %+v", u.Reopen, u.Links[0])
	}
}

func TestLiveSampler(t *testing.T) {
	near, _ := router(t)
	var s *State
	var sampler *Sampler
	var conn net.Conn
	inside(t, near, func() {
		n, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer n.Close()
		if s, err = Read(DefaultRoots(), n); err != nil {
			t.Error(err)
			return
		}
		if sampler, err = NewSampler(DefaultRoots()); err != nil {
			t.Error(err)
			return
		}
		if conn, err = net.Dial("udp", "10.77.0.1:9"); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		return
	}
	defer sampler.Close()
	defer conn.Close()
	choices, err := Choose(s, []string{"eth0", "eth1"})
	if err != nil {
		t.Fatal(err)
	}
	links := newTracker(s, choices).snapshot()
	sampler.SetLinks(links, s)
	read := func() []flow.LinkCounters {
		t.Helper()
		c, err := sampler.Read(7)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	idle := read()
	if len(idle) != 2 || idle[1].QdiscBacklogBytes != 0 || idle[1].QdiscDrops != 0 || idle[0].CarrierChanges == 0 {
		t.Errorf("idle: %+v", idle)
	}

	// 8 kbit/s drain 1 kB a second, so what is sent stays in the queue, which holds 60 kB; the rest is dropped.
	ip(t, near, "neigh replace 10.77.0.1 lladdr 02:77:00:00:00:99 dev br0 nud permanent")
	sh(t, "ip", "netns", "exec", near, "tc", "qdisc", "add", "dev", "eth1", "root", "handle", "1:", "htb", "default", "1")
	sh(t, "ip", "netns", "exec", near, "tc", "class", "add", "dev", "eth1", "parent", "1:", "classid", "1:1", "htb", "rate", "1gbit")
	sh(t, "ip", "netns", "exec", near, "tc", "qdisc", "add", "dev", "eth1", "parent", "1:1", "handle", "2:", "tbf", "rate", "8kbit", "burst", "2000", "limit", "60000")
	for range 100 {
		if _, err := conn.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	c := read()[1]
	// A frame is 1000 + 8 + 20 + 14 = 1042 bytes; 57 of them fit into 60 000, 43 are dropped, give or take what left
	// meanwhile and the kernel's own multicast. Counted in both qdiscs, each figure would be twice as high.
	if c.QdiscBacklogBytes < 40_000 || c.QdiscBacklogBytes > 60_000 {
		t.Errorf("backlog of %d bytes, want 57 frames of 1042", c.QdiscBacklogBytes)
	}
	if c.QdiscDrops < 25 || c.QdiscDrops > 60 {
		t.Errorf("%d drops, want about 43", c.QdiscDrops)
	}
	if c.TxPackets+c.QdiscDrops+c.QdiscBacklogBytes/1042 < 100 {
		t.Errorf("sent %d + dropped %d + waiting %d frames: fewer than 100", c.TxPackets, c.QdiscDrops, c.QdiscBacklogBytes/1042)
	}
	if other := read()[0]; other.QdiscBacklogBytes != 0 {
		t.Errorf("the other NIC has a backlog of %d", other.QdiscBacklogBytes)
	}

	ip(t, near, "link del dev eth0")
	if left := read(); len(left) != 1 || left[0].Link != 2 {
		t.Errorf("after eth0 was deleted: %+v", left)
	}
}

func TestLiveNeighbourPending(t *testing.T) {
	near, _ := router(t)
	inside(t, near, func() {
		n, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer n.Close()
		s, err := Read(DefaultRoots(), n)
		if err != nil {
			t.Error(err)
			return
		}
		choices, err := Choose(s, []string{"eth1", "eth0"})
		if err != nil {
			t.Error(err)
			return
		}
		sampler, err := NewSampler(DefaultRoots())
		if err != nil {
			t.Error(err)
			return
		}
		defer sampler.Close()
		sampler.SetLinks(newTracker(s, choices).snapshot(), s)
		conn, err := net.Dial("udp", "10.77.0.200:9") // nobody there: three ARP requests, a second apart
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		pending := func() []flow.LinkCounters {
			if _, err := conn.Write([]byte{1}); err != nil {
				return nil // the third request went unanswered: no route to host, once
			}
			c, err := sampler.Read(1)
			if err != nil {
				t.Error(err)
			}
			return c
		}
		eventually(t, "neighbour pending", func() bool {
			c := pending()
			return len(c) == 2 && c[0].NeighbourPending && !c[1].NeighbourPending // it is br0's, which is above eth1 alone
		})
		sampler.SetNextHops([]netip.Addr{netip.MustParseAddr("10.77.0.1")})
		if c := pending(); len(c) == 2 && c[0].NeighbourPending {
			t.Error("pending, though nobody asks for that next hop")
		}
		sampler.SetNextHops([]netip.Addr{netip.MustParseAddr("::ffff:10.77.0.200")})
		eventually(t, "that next hop pending", func() bool { c := pending(); return len(c) == 2 && c[0].NeighbourPending })
	})
}

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
