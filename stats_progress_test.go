package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pseudoTerminal is a pseudo-terminal: what is written to the second is read from the
// first.
func pseudoTerminal(t *testing.T) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	return master, tty
}

// The bar is drawn on a terminal while a large file is read, and cleared.
func TestProgressOnTerminal(t *testing.T) {
	master, tty := pseudoTerminal(t)
	path := filepath.Join(t.TempDir(), "large.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(200 << 20); err != nil { // a hole, it takes no room
		t.Fatal(err)
	}
	f.Close()
	done := showProgress(tty, path, func() int64 { return 50 << 20 })
	var got strings.Builder
	read := func(want string) {
		b := make([]byte, 256)
		for !strings.HasSuffix(got.String(), want) {
			n, err := master.Read(b)
			if err != nil {
				t.Fatalf("%v after %q", err, got.String())
			}
			got.Write(b[:n])
		}
	}
	read("25 %  50 of 200 MB\x1b[K")
	done()
	read("\r\x1b[K")
}

// Neither a small file nor something else than a terminal gets a bar.
func TestProgressElsewhere(t *testing.T) {
	master, tty := pseudoTerminal(t)
	small := madeCapture(t, 1)
	showProgress(tty, small, func() int64 { t.Error("was asked"); return 0 })()
	showProgress(&strings.Builder{}, small, func() int64 { t.Error("was asked"); return 0 })()
	fmt.Fprint(tty, "x")
	b := make([]byte, 16)
	if n, err := master.Read(b); err != nil || string(b[:n]) != "x" {
		t.Errorf("%q, %v: a bar for a small file", b[:n], err)
	}
}
