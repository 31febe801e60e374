package netlab

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Guest says what a user-mode-linux guest runs. Its root is this machine's, read-only.
type Guest struct {
	Script  string // file, run by sh -e as root of the guest
	Modules string // kernel modules, space separated
	Env     []string
	Memory  string // "512M" unless said
	Limit   time.Duration
}

// Boot runs a guest and returns the folder into which its script wrote
// (/run/out inside), after it has powered off. The script's own output is in
// "output", its exit status in "status"; another one than 0 fails the test.
func Boot(t testing.TB, g Guest) string {
	t.Helper()
	NeedGuest(t)
	out := t.TempDir()
	if err := g.Run(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// NeedGuest skips unless a guest can be booted here.
func NeedGuest(t testing.TB) {
	t.Helper()
	Need(t, "uml", os.Geteuid() == 0, "not root")
	NeedTool(t, "uml", "linux.uml")
	NeedTool(t, "uml", "modprobe")
}

// Run boots the guest with its result folder out and returns when it has powered
// off. A script that ended with another status than 0 is an error that holds what it said.
func (g Guest) Run(ctx context.Context, out string) error {
	script, err := filepath.Abs(g.Script)
	if err != nil {
		return err
	}
	sweepGuests()
	ctx, cancel := context.WithTimeout(ctx, g.Limit+time.Minute)
	defer cancel()
	memory := cmp.Or(g.Memory, "512M")
	// Before everybody else, as root may: a guest that does not get its processor
	// measures this machine.
	cmd := exec.CommandContext(ctx, "nice", append([]string{"-n", "-20", "linux.uml", "mem=" + memory, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
		"init=" + initScript(script), "con=null", "con0=null,fd:1", "quiet", "panic=1",
		"SPIKETOP_SCRIPT=" + script, "SPIKETOP_OUT=" + out, fmt.Sprintf("SPIKETOP_LIMIT=%d", int(g.Limit.Seconds())),
		"SPIKETOP_MODULES=" + strings.ReplaceAll(g.Modules, " ", ",")}, g.Env...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, // a group of its own, so that a hung guest ends whole
		Pdeathsig: syscall.SIGKILL} // and not without its test
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &console
	err = cmd.Run()
	status, rerr := os.ReadFile(filepath.Join(out, "status"))
	said, _ := os.ReadFile(filepath.Join(out, "output"))
	if rerr != nil {
		return fmt.Errorf("the guest never finished (%v); console:\n%s\noutput:\n%s", err, console.Bytes(), said)
	}
	if strings.TrimSpace(string(status)) != "0" {
		return fmt.Errorf("the guest's script ended with status %s:\n%s", bytes.TrimSpace(status), said)
	}
	return nil
}

// initScript is the guest's first process, which lies in testdata/uml, a sister
// of every folder with scripts.
func initScript(script string) string {
	return filepath.Join(filepath.Dir(filepath.Dir(script)), "uml", "init.sh")
}
