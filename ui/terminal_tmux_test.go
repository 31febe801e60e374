package ui

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tmuxRig is the test binary on a real terminal that tmux plays.
type tmuxRig struct {
	t      *testing.T
	socket string
}

func startTmux(t *testing.T, mode string, w, h int, env ...string) *tmuxRig {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		if strings.Contains(","+os.Getenv("SPIKETOP_REQUIRE")+",", ",tmux,") {
			t.Fatal("tmux is required and missing")
		}
		t.Skip("tmux is not installed")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &tmuxRig{t, filepath.Join(t.TempDir(), "tmux")}
	// The program draws on /dev/tty; of what it prints the first telling line is
	// enough, a whole panic would scroll "before" away. "stty -a" shows what it left behind, cat keeps the pane.
	script := fmt.Sprintf("echo before; %s SPIKETOP_UI_SHOW=%s %q -test.run=TestShowFakeHost 2>&1 | grep -a -m1 -E 'panic: made-up|^PASS'; echo ended; stty -a; cat", strings.Join(env, " "), mode, exe)
	r.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(w), "-y", fmt.Sprint(h), script)
	t.Cleanup(func() { exec.Command("tmux", "-S", r.socket, "kill-server").Run() })
	r.tmux("set", "-g", "status", "off")
	return r
}

func (r *tmuxRig) tmux(args ...string) string {
	r.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", r.socket}, args...)...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

func (r *tmuxRig) keys(keys ...string) { r.tmux(append([]string{"send-keys"}, keys...)...) }

// expect polls until all parts are on the screen.
func (r *tmuxRig) expect(parts ...string) string {
	r.t.Helper()
	text := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		text = r.tmux("capture-pane", "-p")
		missing := false
		for _, p := range parts {
			missing = missing || !strings.Contains(text, p)
		}
		if !missing {
			return text
		}
	}
	r.t.Fatalf("not all of %q on the screen:\n%s", parts, text)
	return ""
}

func (r *tmuxRig) pid() int {
	r.t.Helper()
	shell := strings.TrimSpace(r.tmux("display-message", "-p", "#{pane_pid}"))
	out, err := exec.Command("ps", "-o", "pid=", "--ppid", shell).Output()
	if err != nil {
		r.t.Fatalf("ps --ppid %s: %v", shell, err)
	}
	pid := 0
	fmt.Sscan(string(out), &pid)
	return pid
}

// restored: the shell has its terminal back, in the main screen and cooked.
func (r *tmuxRig) restored() {
	r.t.Helper()
	text := r.expect("before", "ended", "speed")
	for _, flag := range []string{"-icanon", "-echo ", "-isig", "-icrnl"} {
		if strings.Contains(text, flag) {
			r.t.Errorf("the terminal is left with %q:\n%s", flag, text)
		}
	}
	if got := strings.TrimSpace(r.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}")); got != "0 1 0" {
		r.t.Errorf("alternate screen, cursor, mouse = %s, want 0 1 0", got)
	}
}

func TestTerminalLiveFreezeSnapshotAndBack(t *testing.T) {
	r := startTmux(t, "burst", 120, 40)
	r.expect("● LIVE", "eth0 · 10G")
	r.expect("FROZEN #3", "+6.60G")
	r.keys("Enter")
	r.expect("INCIDENT #3", "▼ IN, by change")
	r.tmux("resize-window", "-x", "80", "-y", "24")
	r.expect("INCIDENT #3", "Tab: ▲ OUT")
	r.keys("Escape")
	r.expect("● LIVE", "eth0 (1/2)")
	r.keys("/", "host 10.1.16.71", "Enter")
	r.expect("filter hides")
	r.keys("C-l")
	r.expect("filter hides", "● LIVE")
	r.keys("q")
	r.restored()
}

func TestTerminalIsRestored(t *testing.T) {
	for _, tt := range []struct {
		name, mode string
		end        func(*tmuxRig)
	}{
		{"ctrl-c", "calm", func(r *tmuxRig) { r.keys("C-c") }},
		{"q with the mouse on", "calm", func(r *tmuxRig) { r.keys("m", "q") }},
		{"SIGTERM", "calm", func(r *tmuxRig) { syscall.Kill(r.pid(), syscall.SIGTERM) }},
		{"panic", "panic", func(r *tmuxRig) {
			r.expect("FROZEN #3")
			r.keys("Enter")
			r.expect("/var/lib/spiketop")
			r.keys("y")
			r.expect("panic: made-up panic")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := startTmux(t, tt.mode, 100, 50)
			r.expect("● LIVE")
			tt.end(r)
			r.restored()
		})
	}
}
