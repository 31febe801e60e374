package socket

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// The tests of this file run in network namespaces of their own.

const patience = 20 * time.Second // for things that take milliseconds on a calm machine

var self, _ = os.Executable()

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
	ns := fmt.Sprintf("spk-sock-%d-%d", os.Getpid(), namespaces.Add(1))
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

// ownersIn opens an Owners in ns.
func ownersIn(t *testing.T, ns string, opt Options) *Owners {
	t.Helper()
	if opt.Limit == 0 {
		opt.Limit = patience
	}
	var o *Owners
	var err error
	inside(t, ns, func() { o, err = New(opt) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

// sock makes a socket from "address:port" of its ends; "" and ":port" leave the address zero.
func sock(t testing.TB, proto, local, remote string) flow.Socket {
	t.Helper()
	s := flow.Socket{Proto: flow.ProtoTCP}
	if proto == "udp" {
		s.Proto = flow.ProtoUDP
	}
	for _, end := range []struct {
		text string
		addr *[16]byte
		port *uint16
	}{{local, &s.Local, &s.LocalPort}, {remote, &s.Remote, &s.RemotePort}} {
		if end.text == "" {
			continue
		}
		if strings.HasPrefix(end.text, ":") {
			fmt.Sscanf(end.text, ":%d", end.port)
			continue
		}
		ap, err := netip.ParseAddrPort(end.text)
		if err != nil {
			t.Fatal(err)
		}
		*end.addr, *end.port = ap.Addr().WithZone("").As16(), ap.Port()
	}
	return s
}

func ask(t *testing.T, o *Owners, socks ...flow.Socket) map[flow.Socket]flow.Owner {
	t.Helper()
	owners, pending, err := o.Of(context.Background(), socks, true)
	if err != nil {
		t.Fatal(err)
	}
	if pending != 0 {
		t.Fatalf("%d pending after a thorough look", pending)
	}
	return owners
}

func TestLiveTCPOwners(t *testing.T) {
	ns := namespace(t)
	for _, c := range []struct{ name, network, listen, dial string }{
		{"IPv4", "tcp4", "127.0.0.1:9422", "127.0.0.1:9422"},
		{"IPv6", "tcp6", "[::1]:9422", "[::1]:9422"},
		{"IPv4 at an IPv6 socket", "tcp", "[::]:9423", "127.0.0.1:9423"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := startHelper(t, ns, "chunkserver"), startHelper(t, ns, "a) b (c")
			server.do("user 65534")
			server.do("listen %s %s", c.network, c.listen)
			out := client.socket("dial tcp %s", c.dial)
			in := server.socket("accept")
			o := ownersIn(t, ns, Options{})
			got := ask(t, o, out, in)
			want := map[flow.Socket]flow.Owner{
				in:  {PID: server.pid(), Name: "chunkserver"},
				out: {PID: client.pid(), Name: "a)"}, // the helper's first word
			}
			equal(t, got, want)
		})
	}
}

func TestLiveMPTCP(t *testing.T) {
	ns := namespace(t)
	if text, err := os.ReadFile("/proc/sys/net/mptcp/enabled"); err != nil || strings.TrimSpace(string(text)) != "1" {
		t.Skip("needs a kernel with MPTCP switched on")
	}
	server, client := startHelper(t, ns, "server"), startHelper(t, ns, "client")
	server.do("listen tcp 127.0.0.1:9422 mptcp")
	out, in := client.socket("dial tcp 127.0.0.1:9422 mptcp"), server.socket("accept")
	// A subflow's socket is made by the kernel, with the inode of the program's.
	equal(t, ask(t, ownersIn(t, ns, Options{}), out, in), map[flow.Socket]flow.Owner{
		in: {PID: server.pid(), Name: "server"}, out: {PID: client.pid(), Name: "client"},
	})
}

func TestLiveTimeWait(t *testing.T) {
	ns := namespace(t)
	server, client := startHelper(t, ns, "server"), startHelper(t, ns, "client")
	server.do("listen tcp4 127.0.0.1:9422")
	out := client.socket("dial tcp 127.0.0.1:9422")
	server.socket("accept")
	before := ownersIn(t, ns, Options{})
	ask(t, before, out)
	client.do("close")
	server.do("eof")
	server.do("close")
	waitFor(t, "TIME_WAIT", func() bool {
		return strings.Contains(sh(t, "ip", "netns", "exec", ns, "cat", "/proc/net/tcp"), " 06 ")
	})
	equal(t, ask(t, ownersIn(t, ns, Options{}), out), map[flow.Socket]flow.Owner{})
	// Who knew it before still does.
	equal(t, ask(t, before, out), map[flow.Socket]flow.Owner{out: {PID: client.pid(), Name: "client"}})
}

func TestLiveSocketPassedOn(t *testing.T) {
	ns := namespace(t)
	server, client := startHelper(t, ns, "server"), startHelper(t, ns, "client")
	server.do("listen tcp4 127.0.0.1:9422")
	out, in := client.socket("dial tcp 127.0.0.1:9422"), server.socket("accept")
	o := ownersIn(t, ns, Options{})
	ask(t, o, out, in)
	var child int
	fmt.Sscan(server.do("give"), &child)
	equal(t, ask(t, o, out, in), map[flow.Socket]flow.Owner{
		out: {PID: client.pid(), Name: "client"}, in: {PID: child, Name: "sleep"},
	})
}

// TestLiveFirstThreadEnded: the descriptors are then to be seen at other threads only.
func TestLiveFirstThreadEnded(t *testing.T) {
	ns := namespace(t)
	server, client := startHelper(t, ns, "server"), startHelper(t, ns, "client")
	server.do("listen tcp4 127.0.0.1:9422")
	out, in := client.socket("dial tcp 127.0.0.1:9422"), server.socket("accept")
	client.do("end-first-thread")
	waitFor(t, "a zombie as first thread", func() bool { return newProcfs("/proc").leaderGone(int32(client.pid())) })
	equal(t, ask(t, ownersIn(t, ns, Options{}), out, in), map[flow.Socket]flow.Owner{
		out: {PID: client.pid(), Name: "client"}, in: {PID: server.pid(), Name: "server"},
	})
}

func TestLiveExit(t *testing.T) {
	ns := namespace(t)
	server, client := startHelper(t, ns, "server"), startHelper(t, ns, "client")
	server.do("listen tcp4 127.0.0.1:9422")
	out, in := client.socket("dial tcp 127.0.0.1:9422"), server.socket("accept")
	o := ownersIn(t, ns, Options{})
	gone := client.pid()
	ask(t, o, out, in)
	client.stop()
	server.do("eof")
	// Its end of the connection is closed, without inode; it had an owner.
	equal(t, ask(t, o, out, in), map[flow.Socket]flow.Owner{
		out: {PID: gone, Name: "client"}, in: {PID: server.pid(), Name: "server"},
	})
	equal(t, ask(t, ownersIn(t, ns, Options{}), out), map[flow.Socket]flow.Owner{})
}

func TestLiveUDP(t *testing.T) {
	ns := namespace(t)
	sh(t, "ip", "-n", ns, "addr", "add", "10.1.16.165/32", "dev", "lo")
	any4, any6, one := startHelper(t, ns, "any4"), startHelper(t, ns, "any6"), startHelper(t, ns, "one")
	dialler := startHelper(t, ns, "dialler")
	any4.do("udp udp4 0.0.0.0:6801")
	any6.do("udp udp6 [::]:6801") // of IPv6 only, in Go's eyes
	one.do("udp udp4 10.1.16.165:6801")
	any6.do("udp udp [::]:6802") // both
	out := strings.Fields(dialler.do("dial udp 10.1.16.165:6801"))
	exact := sock(t, "udp", out[0], out[1])
	to := func(l string) flow.Socket {
		if strings.HasPrefix(l, "[") {
			return sock(t, "udp", l, "[fd00::9]:40000")
		}
		return sock(t, "udp", l, "10.1.16.9:40000")
	}
	o := ownersIn(t, ns, Options{})
	got := ask(t, o, exact, to("10.1.16.165:6801"), to("127.0.0.1:6801"), to("[::1]:6801"), to("127.0.0.1:6802"), to("[::1]:6802"), to("127.0.0.1:6803"))
	equal(t, got, map[flow.Socket]flow.Owner{
		exact:                  {PID: dialler.pid(), Name: "dialler"},
		to("10.1.16.165:6801"): {PID: one.pid(), Name: "one"},
		to("127.0.0.1:6801"):   {PID: any4.pid(), Name: "any4"},
		to("[::1]:6801"):       {PID: any6.pid(), Name: "any6"},
		to("127.0.0.1:6802"):   {PID: any6.pid(), Name: "any6"},
		to("[::1]:6802"):       {PID: any6.pid(), Name: "any6"},
	})
}

// TestLiveKernelOwned: a VXLAN device has a UDP socket that no process holds.
func TestLiveKernelOwned(t *testing.T) {
	ns := namespace(t)
	needWholeHost(t)
	if out, err := exec.Command("ip", "-n", ns, "link", "add", "vx0", "type", "vxlan", "id", "7", "dstport", "4789", "dev", "lo").CombinedOutput(); err != nil {
		t.Skipf("needs vxlan: %s", out)
	}
	sh(t, "ip", "-n", ns, "link", "set", "dev", "vx0", "up")
	program := startHelper(t, ns, "program")
	program.do("udp udp4 0.0.0.0:4790")
	tunnel, other := sock(t, "udp", "10.1.16.165:4789", "10.1.16.9:41000"), sock(t, "udp", "10.1.16.165:4790", "10.1.16.9:41000")
	o := ownersIn(t, ns, Options{Proc: openProcesses(t)})
	equal(t, ask(t, o, tunnel, other), map[flow.Socket]flow.Owner{
		tunnel: {Kernel: true}, other: {PID: program.pid(), Name: "program"},
	})
	list, _, err := o.Listeners(context.Background(), true)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(l Listener) bool { return l.Socket.LocalPort == 4789 })
	if i < 0 || !list[i].Owner.Kernel || !list[i].IPv4 {
		t.Errorf("listeners have no kernel-owned UDP 4789: %+v", list)
	}
}

// openProcesses is a view of /proc without the processes into which even root
// may not look here: a container's first process, say.
func openProcesses(t *testing.T) string {
	t.Helper()
	real, view := newProcfs("/proc"), t.TempDir()
	pids, err := real.pids()
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if !real.mayRead(pid) {
			t.Logf("left out: process %d", pid)
			continue
		}
		name := strconv.Itoa(int(pid))
		if err := os.Symlink("/proc/"+name, filepath.Join(view, name)); err != nil {
			t.Fatal(err)
		}
	}
	return view
}

func needWholeHost(t *testing.T) {
	t.Helper()
	if !newProcfs("/proc").wholeHost() {
		t.Skip("needs the host's PID namespace, without hidepid")
	}
}

func TestLiveListeners(t *testing.T) {
	ns := namespace(t)
	a, b := startHelper(t, ns, "chunkserver"), startHelper(t, ns, "web")
	a.do("listen tcp4 127.0.0.1:9422")
	a.do("listen tcp4 0.0.0.0:9420")
	b.do("listen tcp [::]:8080")
	b.do("listen tcp6 [::]:8081")
	b.do("udp udp4 0.0.0.0:514")
	o := ownersIn(t, ns, Options{})
	got, pending, err := o.Listeners(context.Background(), true)
	if err != nil || pending != 0 {
		t.Fatalf("%d pending, %v", pending, err)
	}
	ownA, ownB := flow.Owner{PID: a.pid(), Name: "chunkserver"}, flow.Owner{PID: b.pid(), Name: "web"}
	equal(t, got, []Listener{
		{sock(t, "tcp", ":8080", ""), true, true, ownB},
		{sock(t, "tcp", ":8081", ""), false, true, ownB},
		{sock(t, "tcp", ":9420", ""), true, false, ownA},
		{sock(t, "tcp", "127.0.0.1:9422", ""), true, false, ownA},
		{sock(t, "udp", ":514", ""), true, false, ownB},
	})
}

// TestLiveBoundToDevice: the kernel finds a connection bound to a device only by
// a list, or for who knows the device.
func TestLiveBoundToDevice(t *testing.T) {
	ns := namespace(t)
	server, client := startHelper(t, ns, "server"), startHelper(t, ns, "client")
	server.do("listen tcp4 127.0.0.1:9422")
	out := client.socket("dial tcp 127.0.0.1:9422 dev lo")
	in := server.socket("accept")
	o := ownersIn(t, ns, Options{})
	want := map[flow.Socket]flow.Owner{out: {PID: client.pid(), Name: "client"}, in: {PID: server.pid(), Name: "server"}}
	equal(t, ask(t, o, out, in), want)
	equal(t, ask(t, o, out, in), want)
	infos, err := o.TCPInfo(context.Background(), []flow.Socket{out, in})
	if err != nil || len(infos) != 2 {
		t.Errorf("TCP_INFO of %d sockets, want 2 (%v)", len(infos), err)
	}
}

// TestLiveWithoutRights: another user learns of its own processes and of every
// TCP_INFO, and is told once what it may not.
func TestLiveWithoutRights(t *testing.T) {
	for _, c := range []struct{ name, proc, remedy string }{
		{"plain", "", "keep CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE"},
		{"hidepid", t.TempDir(), "PID namespace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ns := namespace(t)
			server, plain := startHelper(t, ns, "server"), startHelper(t, ns, "plain")
			server.do("listen tcp4 127.0.0.1:9422")
			out, in := plain.socket("dial tcp 127.0.0.1:9422"), server.socket("accept")
			if c.proc != "" {
				if err := os.Chmod(filepath.Dir(c.proc), 0o755); err != nil {
					t.Fatal(err)
				}
				plain.do("hidepid %s", c.proc)
			}
			plain.do("user 65534")
			question, err := json.Marshal([]flow.Socket{out, in})
			if err != nil {
				t.Fatal(err)
			}
			var got seenByHelper
			if err := json.Unmarshal([]byte(plain.do("look %s", question)), &got); err != nil {
				t.Fatal(err)
			}
			checkPlainUser(t, got, c.remedy)
		})
	}
}

func checkPlainUser(t *testing.T, got seenByHelper, remedy string) {
	t.Helper()
	if owner, ok := got.Owners["1"]; ok {
		t.Errorf("the server's end has owner %+v, want none", owner)
	}
	if got.Infos != 2 {
		t.Errorf("%d TCP_INFO, want 2", got.Infos)
	}
	if len(got.Said) != 1 || got.Said[0].What != AboutOthers || got.Said[0].OK || !strings.Contains(got.Said[0].Remedy, remedy) {
		t.Errorf("said %+v, want %q and the remedy %q", got.Said, AboutOthers, remedy)
	}
	if len(got.Again) != 0 {
		t.Errorf("said again: %+v", got.Again)
	}
	for _, f := range got.Check {
		if sees := f.What == AboutTCP || f.What == AboutUDP; f.OK != sees || (f.Remedy == "") != f.OK {
			t.Errorf("check as a plain user: %+v", f)
		}
	}
}

func TestLiveCheck(t *testing.T) {
	needNetns(t)
	needWholeHost(t)
	for _, f := range Check(context.Background(), Options{Proc: openProcesses(t)}) {
		if !f.OK || f.Remedy != "" || f.Detail == "" {
			t.Errorf("check as root: %+v", f)
		}
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}
