package netlab

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSweepGuests: what looks like the rest of a guest, without its first process,
// is ended; with it, it is left alone.
func TestSweepGuests(t *testing.T) {
	start := func(group int) *exec.Cmd {
		c := exec.Command("sleep", "60")
		c.Path, c.Args = "/bin/sh", []string{"linux.uml", "-c", "sleep 60; :", "SPIKETOP_OUT=/nowhere"}
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Kill(c.Process.Pid, unix.SIGKILL); _ = c.Wait() })
		return c
	}
	leader, orphan := start(0), (*exec.Cmd)(nil)
	orphan = start(leader.Process.Pid)
	alive := start(0)
	if err := leader.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = leader.Wait()
	sweepGuests()
	ended := make(chan error, 1)
	go func() { ended <- orphan.Wait() }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the rest of a guest without its first process still runs")
	}
	if err := unix.Kill(alive.Process.Pid, 0); err != nil {
		t.Errorf("a running guest was ended: %v", err)
	}
	_ = unix.Kill(-alive.Process.Pid, unix.SIGKILL)
}
