package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"spiketop/incident"
	"spiketop/testdata/netlab"
)

// terminal is a tmux server of the test's own with one window.
type terminal struct {
	t      testing.TB
	socket string
}

// newTerminal runs a shell command line in a terminal of the given size.
func newTerminal(t testing.TB, width, height int, command string) *terminal {
	t.Helper()
	netlab.NeedTool(t, "tmux", "tmux")
	term := &terminal{t, filepath.Join(t.TempDir(), "tmux")}
	term.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), command+`; echo "exit status $?"; stty -a | grep -o ' echo '; exec sleep 1000`)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", term.socket, "kill-server").Run() })
	return term
}

func (term *terminal) tmux(args ...string) string {
	term.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-S", term.socket}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (term *terminal) screen() string      { return term.tmux("capture-pane", "-p") }
func (term *terminal) keys(keys ...string) { term.tmux(append([]string{"send-keys"}, keys...)...) }

// wait waits until the screen matches, and returns it.
func (term *terminal) wait(pattern string, patience time.Duration) string {
	term.t.Helper()
	re := regexp.MustCompile(pattern)
	var s string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if s = term.screen(); re.MatchString(s) {
			return s
		}
	}
	term.t.Fatalf("the screen never showed %q in %v:\n%s", pattern, patience, s)
	return ""
}

// live is the command line of the live monitor in a namespace.
func live(t testing.TB, ns *netlab.NS, args ...string) string {
	words := append([]string{"ip", "netns", "exec", ns.Name, binary(t), "--incidents", filepath.Join(t.TempDir(), "incidents")}, args...)
	return strings.Join(words, " ")
}

// TestScreen drives the whole program in a terminal: live, freeze, snapshot and
// back, and compares what it shows with what headless says of the same burst.
func TestScreen(t *testing.T) {
	l := newBurstLab(t, netlab.Options{})
	h := startHeadless(t, l.NC1, labFlags...)
	own := t.TempDir()
	term := newTerminal(t, 160, 48, live(t, l.NC1, append(slices.Clone(labFlags), "--incidents", own)...))
	s := term.wait(`10\.1\.19\.72:40210`, 20*time.Second)
	for _, want := range []string{"eth0", "eth1", "40M", "LIVE", "coverage", farHost, "10ms", "q quit"} {
		if !strings.Contains(s, want) {
			t.Errorf("the live screen does not show %q:\n%s", want, s)
		}
	}
	time.Sleep(6 * time.Second)
	if _, _, _, err := l.burst.Burst(400 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	term.wait(`(?s)FROZEN #1.*`+regexp.QuoteMeta(l.burst.Local), 10*time.Second)
	e := h.wait("incident", 1, 20*time.Second)[0]
	in := readIncident(t, e)
	term.keys("Enter")
	s = term.wait(`INCIDENT #1`, 5*time.Second)
	if top := in.Flows.Rx[0]; top.Remote != l.burst.Local {
		t.Errorf("headless says %s came first, want %s", top.Remote, l.burst.Local)
	}
	sink := in.Flows.Rx[0].Process // this test's own program reads the burst away
	sink, _, _ = strings.Cut(sink, "[")
	first := in.Flows.Rx[0].Remote + " → " + sink + ":9422"
	rows := regexp.MustCompile(`(?m)│ ?eth0 (\S+ → \S+) `).FindStringSubmatch(s)
	if len(rows) != 2 || rows[1] != first {
		t.Errorf("the first row of the snapshot is %q, headless says %s", rows, first)
	}
	segment := ownIncident(t, own).Path.VerdictSegment // of its own echo: the two programs ping for themselves
	s = term.wait(regexp.QuoteMeta(segment), 5*time.Second)
	for _, want := range []string{first, "STORAGE", "eth0", farHost} {
		if !strings.Contains(s, want) {
			t.Errorf("the snapshot does not show %q", want)
		}
	}
	term.keys("Escape")
	s = term.wait(`LIVE`, 5*time.Second)
	if strings.Contains(s, "INCIDENT #1") {
		t.Errorf("Esc did not return to live:\n%s", s)
	}
	term.keys("?")
	term.wait(`(?i)freeze`, 5*time.Second)
	term.keys("Escape")
	term.tmux("resize-window", "-x", "80", "-y", "24")
	term.wait(`eth0 \(1/2\)`, 5*time.Second)
	term.keys("Tab")
	term.wait(`eth1 \(2/2\)`, 5*time.Second)
	term.keys("q")
	term.wait(`exit status 0\s+echo`, 20*time.Second) // stty says so: the terminal is as it was
}

// ownIncident waits for the incident that a program writes into dir.
func ownIncident(t *testing.T, dir string) *incident.Incident {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if files, _ := filepath.Glob(filepath.Join(dir, "*", "incident.json")); len(files) == 1 {
			return readIncident(t, line{Dir: filepath.Dir(files[0])})
		}
	}
	t.Fatal("no incident in " + dir)
	return nil
}

// TestTerminalRestored: after a signal the terminal is as it was.
func TestTerminalRestored(t *testing.T) {
	ns := netlab.NewNS(t, "restore")
	peer := netlab.NewNS(t, "rpeer")
	netlab.Veth(t, ns, "eth0", peer, "p0")
	ns.IP("addr add 10.1.16.165/24 dev eth0")
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		term := newTerminal(t, 120, 40, live(t, ns, "--no-ping", "eth0"))
		term.wait("LIVE", 20*time.Second)
		netlab.Run(t, "ip", "netns", "exec", ns.Name, "sh", "-c", fmt.Sprintf("for p in $(ip netns pids %s); do [ \"$(readlink /proc/$p/exe)\" = %s ] && kill -%d $p; done; true", ns.Name, binary(t), sig))
		term.wait(`exit status 0\s+echo`, 20*time.Second) // stty says so: the terminal is as it was
	}
	odd := newTerminal(t, 120, 40, "env TERM=no-such-terminal "+live(t, ns, "--no-ping", "eth0"))
	odd.wait(`(?s)spiketop: .*terminal.*exit status 1`, 20*time.Second)
}
