package netlab

import (
	"bytes"
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
	Limit   time.Duration
}

// Boot runs a guest and returns the folder into which its script wrote
// (/run/out inside), after it has powered off. The script's own output is in
// "output", its exit status in "status"; another one than 0 fails the test.
func Boot(t testing.TB, g Guest) string {
	t.Helper()
	Need(t, "uml", os.Geteuid() == 0, "not root")
	NeedTool(t, "uml", "linux.uml")
	NeedTool(t, "uml", "modprobe")
	script, err := filepath.Abs(g.Script)
	if err != nil {
		t.Fatal(err)
	}
	init := filepath.Join(filepath.Dir(script), "init.sh")
	out := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), g.Limit+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "linux.uml", append([]string{"mem=512M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
		"init=" + init, "con=null", "con0=null,fd:1", "quiet", "panic=1",
		"SPIKETOP_SCRIPT=" + script, "SPIKETOP_OUT=" + out, fmt.Sprintf("SPIKETOP_LIMIT=%d", int(g.Limit.Seconds())),
		"SPIKETOP_MODULES=" + strings.ReplaceAll(g.Modules, " ", ",")}, g.Env...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a group of its own, so that a hung guest ends whole
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &console
	err = cmd.Run()
	status, rerr := os.ReadFile(filepath.Join(out, "status"))
	said, _ := os.ReadFile(filepath.Join(out, "output"))
	if rerr != nil {
		t.Fatalf("the guest never finished (%v); console:\n%s\noutput:\n%s", err, console.Bytes(), said)
	}
	if strings.TrimSpace(string(status)) != "0" {
		t.Fatalf("the guest's script ended with status %s:\n%s", bytes.TrimSpace(status), said)
	}
	return out
}
