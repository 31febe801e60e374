package link

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
