package main

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/testdata/netlab"
)

// pty is a terminal without anybody in front of it.
type pty struct {
	master, slave *os.File
	text          bytes.Buffer // read of it
}

func newPty(t *testing.T) *pty {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	netlab.Need(t, "pty", err == nil, fmt.Sprint("no pseudo terminal: ", err))
	master := os.NewFile(uintptr(fd), "ptmx") // not blocking, so that Close ends a Read
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	netlab.Need(t, "pty", err == nil, fmt.Sprint("no pseudo terminal: ", err))
	t.Cleanup(func() { slave.Close() })
	return &pty{master: master, slave: slave}
}

// shows reads what the program writes until it has shown want.
func (p *pty) shows(t *testing.T, want string) {
	t.Helper()
	buf := make([]byte, 4096)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		_ = p.master.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, _ := p.master.Read(buf)
		p.text.Write(buf[:n])
		if strings.Contains(p.text.String(), want) {
			return
		}
	}
	t.Fatalf("the terminal never showed %q: %q", want, p.text.String())
}

// awaitText waits until a file has some text.
func awaitText(t *testing.T, file, want string) {
	t.Helper()
	var text []byte
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if text, _ = os.ReadFile(file); strings.Contains(string(text), want) {
			return
		}
	}
	t.Fatalf("%s has not %q:\n%s", file, want, text)
}

// catchHangups keeps SIGHUP from being ignored by children: under nohup they would
// inherit that; exec gives one that is caught its default again.
func catchHangups(t *testing.T) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
}

// TestTerminalGone: who loses the terminal it was started from ends, sealed and
// with status 0, with a screen and without one.
func TestTerminalGone(t *testing.T) {
	catchHangups(t)
	ns, peer := netlab.NewNS(t, "gone"), netlab.NewNS(t, "gonepeer")
	netlab.Veth(t, ns, "eth0", peer, "p0")
	for _, mode := range []string{"headless", "live"} {
		t.Run(mode, func(t *testing.T) {
			p := newPty(t)
			dir := t.TempDir()
			log := filepath.Join(dir, "log")
			args := []string{"--no-ping", "--incidents", filepath.Join(dir, "incidents"), "--json-log", log, "eth0"}
			cmd := ns.Command(binary(t), args...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = p.slave, p.slave, p.slave
			if mode == "headless" { // its output can still be written: only the signal tells it
				cmd = ns.Command(binary(t), append([]string{"headless"}, args...)...)
				cmd.Stdin = p.slave
			}
			cmd.Env = append(os.Environ(), "TERM=xterm-256color")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			p.slave.Close()
			kill := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
			defer kill.Stop()
			if mode == "live" {
				p.shows(t, "LIVE")
			} else {
				awaitText(t, log, `"start"`)
			}
			p.master.Close() // the hangup
			_ = cmd.Wait()
			if cmd.ProcessState.ExitCode() != exitDone {
				t.Errorf("ended with %v, want status 0", cmd.ProcessState)
			}
			if text, _ := os.ReadFile(log); !strings.Contains(string(text), `"event":"stop"`) {
				t.Errorf("no stop event:\n%s", text)
			}
		})
	}
}
