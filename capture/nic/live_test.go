package nic

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// TestLiveVeth reads the statistics of a veth: the names and values that ethtool
// prints. In a user's own network namespace nothing else is touched.
func TestLiveVeth(t *testing.T) {
	ns := vethNamespace(t)
	inside(t, ns, func() {
		driver, values, found, err := Look("eth0")
		if err != nil || driver != "veth" || values == 0 {
			t.Errorf("Look: %q, %d values, %v", driver, values, err)
		}
		for what := range found {
			if len(found[what]) > 0 {
				t.Errorf("veth tells %s by %v", flow.NICCount(what), found[what])
			}
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		mem, err := newMemory()
		if err != nil {
			t.Error(err)
			return
		}
		defer mem.close()
		d := &device{fd: fd, mem: mem}
		names, err := d.strings("eth0", values)
		if err != nil {
			t.Error(err)
			return
		}
		d.names = values
		if err := d.stats("eth0"); err != nil {
			t.Error(err)
			return
		}
		want := ethtoolSays(t)
		for i, n := range names {
			v, ok := want[n]
			if !ok || i >= len(d.values) || v != d.values[i] {
				t.Errorf("%s: ethtool says %d (%v)", n, v, ok)
			}
		}
		if len(want) != len(names) {
			t.Errorf("%d names, ethtool says %d", len(names), len(want))
		}
		if _, _, _, err := Look("none0"); err == nil {
			t.Error("a device that is not there was read")
		}
	})
}

// TestLiveReader: a NIC whose driver tells nothing gives no reading, one that is
// gone ends nothing, and Run ends at once.
func TestLiveReader(t *testing.T) {
	ns := vethNamespace(t)
	inside(t, ns, func() {
		out := make(chan flow.NICStats, 4)
		r, err := New(func() flow.Time { return 1 }, out)
		if err != nil {
			t.Error(err)
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		r.SetLinks([]flow.Link{{ID: 1, Name: "eth0", Ifindex: 77}, {ID: 2, Name: "lo", Ifindex: 1}, {ID: 3, Ifindex: 99}, {ID: 4, State: flow.LinkGone, Ifindex: 77}})
		workers := func(n int) func() bool {
			return func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.left == n && len(r.running) == n }
		}
		eventually(t, "three workers", workers(3))
		r.SetLinks([]flow.Link{{ID: 1, Name: "eth0", Ifindex: 77, Epoch: 1}})
		eventually(t, "one worker, a new one", workers(1))
		cancel()
		<-done
		r.Close()
		r.Close()
		eventually(t, "the socket is closed", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.fd < 0 })
		if len(out) > 0 {
			t.Errorf("read %+v of a driver that tells nothing", <-out)
		}
	})
}

// vethNamespace makes a namespace with a veth eth0 (ifindex 77) and its peer.
func vethNamespace(t *testing.T) string {
	t.Helper()
	why := ""
	if os.Geteuid() != 0 {
		why = "not root"
	}
	for _, tool := range []string{"ip", "ethtool"} {
		if _, err := exec.LookPath(tool); err != nil {
			why = "no " + tool
		}
	}
	if why != "" {
		if slices.Contains(strings.Split(os.Getenv("SPIKETOP_REQUIRE"), ","), "netns") {
			t.Fatalf("network namespaces required: %s", why)
		}
		t.Skipf("needs network namespaces: %s", why)
	}
	ns := fmt.Sprintf("spk-nic-%d-%s", os.Getpid(), strings.ToLower(t.Name()[len("TestLive"):]))
	sh(t, "ip", "netns", "add", ns)
	t.Cleanup(func() { sh(t, "ip", "netns", "del", ns) })
	sh(t, "ip", "-n", ns, "link", "add", "name", "eth0", "index", "77", "type", "veth", "peer", "name", "p0")
	for _, dev := range []string{"eth0", "p0", "lo"} {
		sh(t, "ip", "-n", ns, "link", "set", "dev", dev, "up")
	}
	return ns
}

// ethtoolSays is what ethtool -S prints about eth0 of this thread's namespace.
func ethtoolSays(t *testing.T) map[string]uint64 {
	says := map[string]uint64{}
	for _, line := range strings.Split(sh(t, "ethtool", "-S", "eth0"), "\n")[1:] {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		var v uint64
		if _, err := fmt.Sscan(value, &v); err != nil {
			t.Errorf("ethtool -S: %q", line)
		}
		says[name] = v
	}
	return says
}

func sh(t *testing.T, arg ...string) string {
	out, err := exec.Command(arg[0], arg[1:]...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(arg, " "), err, out)
	}
	return string(out)
}

// inside runs f on a thread in ns, which dies with it.
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

// eventually polls until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("%s: not within 20 s", what)
			return
		}
	}
}
