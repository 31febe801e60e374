package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// keepCapabilities are those that are needed after the start: raw sockets,
// because a ring is reopened when a member returns and a ping is restarted; the
// three that let other users' processes and containers' network namespaces be
// looked at, which say whose a vif or a socket is; and the two that let incidents belong to somebody else, where they do.
func keepCapabilities(foreignStore bool) uint64 {
	keep := uint64(1)<<unix.CAP_NET_RAW | 1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_NET_ADMIN
	if foreignStore {
		keep |= 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE
	}
	return keep
}

// dropRights gives up every capability but those in keep, in all threads, and the
// way to get any back.
func dropRights(keep uint64) error {
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); errno != 0 {
		if errno == syscall.ENOTSUP {
			return fmt.Errorf("drop capabilities: this binary was built with cgo; build it with CGO_ENABLED=0")
		}
		return fmt.Errorf("set no_new_privs: %w", errno)
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&head, &have[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for i := range have {
		mask := uint32(keep >> (32 * i))
		have[i].Permitted &= mask
		have[i].Effective = have[i].Permitted
		have[i].Inheritable = 0
	}
	if err := capset(&head, &have); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// tuneRuntime keeps this program small on a host in trouble. What the
// environment sets is left alone.
func tuneRuntime(budget int64) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(4, runtime.NumCPU()))
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(budget)
	}
}

// sudoUser returns the user and group behind sudo, or -1, -1.
func sudoUser(getenv func(string) string, euid int) (uid, gid int) {
	if euid != 0 {
		return -1, -1
	}
	u, err1 := strconv.ParseUint(getenv("SUDO_UID"), 10, 31)
	g, err2 := strconv.ParseUint(getenv("SUDO_GID"), 10, 31)
	if err1 != nil || err2 != nil {
		return -1, -1
	}
	return int(u), int(g)
}
