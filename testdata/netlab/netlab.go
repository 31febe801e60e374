// Package netlab builds small networks out of network namespaces for the tests:
// real NICs (veth), real queues (tbf), real TCP, and a truth beside them that
// does not come from spiketop (tcpdump, the senders' own logs).
//
// Names are unique to the process ("spk" + pid in base 36 + role); what a killed
// run left behind is removed by the next one. It needs root, ip(8) and tc(8).
package netlab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Need skips the test when cond is false, or fails it when the environment
// variable SPIKETOP_REQUIRE (a comma list) names the need: so green means ran.
func Need(t testing.TB, need string, cond bool, why string) {
	t.Helper()
	if cond {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("SPIKETOP_REQUIRE"), ","), need) {
		t.Fatalf("%s is required here, but: %s", need, why)
	}
	t.Skipf("needs %s: %s", need, why)
}

// NeedNetns skips unless namespaces can be made here.
func NeedNetns(t testing.TB) {
	t.Helper()
	Need(t, "netns", os.Geteuid() == 0, "not root")
	for _, tool := range []string{"ip", "tc"} {
		NeedTool(t, "netns", tool)
	}
}

// NeedTool skips unless the command is installed.
func NeedTool(t testing.TB, need, tool string) {
	t.Helper()
	_, err := exec.LookPath(tool)
	Need(t, need, err == nil, tool+" is not installed")
}

const prefix = "spk"

func ownName(role string) string {
	return prefix + strconv.FormatInt(int64(os.Getpid()), 36) + "-" + role
}

var sweepOnce sync.Once

// sweep removes namespaces of runs whose process is gone, with what still runs in them.
func sweep() {
	out, _ := exec.Command("ip", "netns", "list").Output()
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ok := strings.CutPrefix(name, prefix)
		owner, _, dashed := strings.Cut(rest, "-")
		pid, err := strconv.ParseInt(owner, 36, 32)
		if !ok || !dashed || err != nil || unix.Kill(int(pid), 0) != unix.ESRCH {
			continue
		}
		remove(name)
	}
}

func remove(name string) {
	out, _ := exec.Command("ip", "netns", "pids", name).Output()
	for _, f := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(f); err == nil && pid != os.Getpid() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	_ = exec.Command("ip", "netns", "del", name).Run()
}

// NS is a network namespace.
type NS struct {
	Name string
	t    testing.TB
}

// NewNS makes a namespace with loopback up; it vanishes with the test.
func NewNS(t testing.TB, role string) *NS {
	t.Helper()
	NeedNetns(t)
	sweepOnce.Do(sweep)
	ns := &NS{Name: ownName(role), t: t}
	remove(ns.Name)
	Run(t, "ip", "netns", "add", ns.Name)
	t.Cleanup(func() { remove(ns.Name) })
	ns.IP("link set lo up")
	return ns
}

// Run runs a command and fails the test with its output if it fails.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// IP runs "ip -n NS ..." with the words of a line.
func (ns *NS) IP(line string) string {
	ns.t.Helper()
	return Run(ns.t, "ip", append([]string{"-n", ns.Name}, strings.Fields(line)...)...)
}

// TC runs "tc -n NS ..." with the words of a line.
func (ns *NS) TC(line string) string {
	ns.t.Helper()
	return Run(ns.t, "tc", append([]string{"-n", ns.Name}, strings.Fields(line)...)...)
}

// Sysctl sets a value inside the namespace.
func (ns *NS) Sysctl(assignment string) {
	ns.t.Helper()
	Run(ns.t, "ip", "netns", "exec", ns.Name, "sysctl", "-qw", assignment)
}

// Command is exec.Command inside the namespace ("ip netns exec", so with its own /sys).
func (ns *NS) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", ns.Name, name}, args...)...)
}

// Do runs f with this thread inside the namespace: sockets opened by f on the
// same goroutine belong to it for ever, whoever uses them afterwards.
func (ns *NS) Do(f func() error) error {
	return InNetns(ns.Name, f)
}

// InNetns is NS.Do for a namespace that somebody else made.
func InNetns(name string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- inside("/run/netns/"+name, f) }()
	return <-done
}

// inside runs f in the namespace of a file. Where the thread cannot come back
// it stays locked, so that it dies with the goroutine.
func inside(file string, f func() error) error {
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open own namespace: %w", err)
	}
	defer unix.Close(home)
	away, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open namespace %s: %w", file, err)
	}
	defer unix.Close(away)
	if err := unix.Setns(away, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", file, err)
	}
	ferr := f()
	if err := unix.Setns(home, unix.CLONE_NEWNET); err == nil {
		runtime.UnlockOSThread()
	}
	return ferr
}

// Veth joins two namespaces: NIC nameA in a, nameB in b, both up.
func Veth(t testing.TB, a *NS, nameA string, b *NS, nameB string) {
	t.Helper()
	Run(t, "ip", "-n", a.Name, "link", "add", nameA, "type", "veth", "peer", "name", nameB, "netns", b.Name)
	Run(t, "ip", "-n", a.Name, "link", "set", "dev", nameA, "up")
	Run(t, "ip", "-n", b.Name, "link", "set", "dev", nameB, "up")
}

// Listen listens on TCP in the namespace.
func (ns *NS) Listen(addr string) (net.Listener, error) {
	var l net.Listener
	err := ns.Do(func() (err error) { l, err = net.Listen("tcp", addr); return err })
	return l, err
}
