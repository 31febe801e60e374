package netlab

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// sweepGuests ends what a killed run's guest has left: its first process dies with
// the test, the kernel's helper threads are processes of their own and do not.
var sweepGuests = sync.OnceFunc(func() {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		line, err := os.ReadFile(f)
		if err != nil || !bytes.HasPrefix(line, []byte("linux.uml\x00")) || !bytes.Contains(line, []byte("\x00SPIKETOP_OUT=")) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		group, err := unix.Getpgid(pid)
		if err == nil && unix.Kill(group, 0) == unix.ESRCH { // its first process is gone
			_ = unix.Kill(-group, unix.SIGKILL)
		}
	}
})
