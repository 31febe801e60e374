package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/testdata/netlab"
)

// TestSecondSignal: the first signal waits until what is open is sealed; where
// that can never be, as behind a pipe that nobody reads, a second one ends it.
func TestSecondSignal(t *testing.T) {
	catchHangups(t)
	ns, peer := netlab.NewNS(t, "stuck"), netlab.NewNS(t, "stuckpeer")
	netlab.Veth(t, ns, "eth0", peer, "p0")
	dir := t.TempDir()
	conf := filepath.Join(dir, "spiketop.yaml")
	if err := os.WriteFile(conf, []byte("storage: [9422]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	room, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
	if err != nil {
		t.Fatal(err)
	}
	cmd := ns.Command(binary(t), "headless", "--no-ping", "--incidents", filepath.Join(dir, "incidents"), "--config", conf, "eth0")
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	// Each reload is an event of some 150 bytes; when no more fits, it hangs in the write.
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(60 * time.Millisecond) {
		waiting, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%d bytes wait in the pipe: %v", waiting, err)
		}
		if waiting > room-100 {
			break
		}
		if waiting > 0 { // it has begun, and hears hangups
			_ = cmd.Process.Signal(syscall.SIGHUP)
		}
	}
	_ = cmd.Process.Signal(syscall.SIGHUP)
	time.Sleep(500 * time.Millisecond)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		t.Fatalf("it ended at the first signal: %v; nothing held it up", err)
	case <-time.After(time.Second):
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on after a second signal")
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGTERM {
		t.Errorf("ended with %v, want SIGTERM", cmd.ProcessState)
	}
}
