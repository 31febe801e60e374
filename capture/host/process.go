package host

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

func readlink(path string) (string, error) { return os.Readlink(path) }

// monitor is a VMM's process.
type monitor struct {
	pid   int
	vmm   vmm
	netns string // its network namespace if it is readable and not ours, else ""
}

// processes reads every process's command line and returns the VMMs, and the ids
// of the other programs. Kernel threads are in neither list.
func (f *Finder) processes(ctx context.Context) (vmms []monitor, others []int, err error) {
	pids, err := numbers(f.opt.Proc, mostProcesses)
	if err != nil {
		return nil, nil, err
	}
	var hidden error
	if os.Geteuid() != 0 && !slices.Contains(pids, 1) {
		hidden = errHidden
	}
	for _, pid := range pids {
		if ctx.Err() != nil {
			break
		}
		if pid == f.self {
			continue
		}
		cmdline, err := readFile(filepath.Join(f.opt.Proc, strconv.Itoa(pid), "cmdline"), cmdlineLimit)
		if denied(err) {
			hidden = errHidden
		}
		if err != nil || len(cmdline) == 0 {
			continue
		}
		v, ok := parseVMM(cmdline)
		if !ok {
			others = append(others, pid)
			continue
		}
		m := monitor{pid: pid, vmm: v}
		if f.foreign(pid) {
			m.netns, _ = netnsOf(f.opt.Proc, pid)
		}
		vmms = append(vmms, m)
	}
	return vmms, others, hidden
}

// errHidden is a matter of rights.
var errHidden = fmt.Errorf("other users' processes are hidden: %w", fs.ErrPermission)

// foreign reports whether a process is known to live in another network
// namespace: the names of its devices are then not ours.
func (f *Finder) foreign(pid int) bool {
	ns, err := netnsOf(f.opt.Proc, pid)
	return err == nil && f.netns != "" && ns != f.netns
}

// startTime returns when a process began, in clock ticks since boot, or 0: field
// 22 of /proc/PID/stat, counted behind the name, which may hold anything.
func startTime(proc string, pid int) uint64 {
	b, err := readFile(filepath.Join(proc, strconv.Itoa(pid), "stat"), 4096)
	if err != nil {
		return 0
	}
	return parseStartTime(b)
}

func parseStartTime(stat []byte) uint64 {
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 {
		return 0
	}
	fields := bytes.Fields(stat[i+1:])
	const at = 22 - 3 // the state, field 3, stands first
	if len(fields) <= at {
		return 0
	}
	t, _ := strconv.ParseUint(string(fields[at]), 10, 64)
	return t
}
