package host

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
)

// holding is a vif's file descriptor in a process: a queue of a tun device, known
// by name, or a macvtap's, known by ifindex.
type holding struct {
	pid     int
	fd      string
	vif     string
	ifindex int
}

const (
	mostProcesses = 65536 // looked at
	mostFDs       = 8192  // of one process
	mostStrange   = 20000 // fds of programs that are no known VMM, in one look
	fdinfoLimit   = 4096
)

// holdingsOf looks for vifs among a process's file descriptors. hypervisor says
// that it holds a KVM machine or a vhost-net device, as VMMs do that we do not
// know by name. looked counts what was read. The error is that of the
// directory: descriptors that vanish meanwhile are passed over.
func holdingsOf(proc string, pid int) (list []holding, hypervisor bool, looked int, err error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	fds, err := numbers(filepath.Join(dir, "fd"), mostFDs)
	if err != nil {
		return nil, false, 0, err
	}
	for _, n := range fds {
		fd := strconv.Itoa(n)
		target, err := readlink(filepath.Join(dir, "fd", fd))
		if err != nil {
			if denied(err) {
				return list, hypervisor, len(fds), err
			}
			continue
		}
		switch {
		case strings.HasPrefix(target, "anon_inode:kvm-vm"), strings.HasSuffix(target, "/dev/vhost-net"):
			hypervisor = true
		// A jail's /dev has its own place in the tree.
		case strings.HasSuffix(target, "/net/tun"):
			info, err := readFile(filepath.Join(dir, "fdinfo", fd), fdinfoLimit)
			if vif := parseFdinfo(info); err == nil && vif != "" {
				list = append(list, holding{pid: pid, fd: fd, vif: vif})
			}
		default:
			if ifindex := macvtapIndex(target); ifindex > 0 {
				list = append(list, holding{pid: pid, fd: fd, ifindex: ifindex})
			}
		}
	}
	return list, hypervisor, len(fds), nil
}

// parseFdinfo returns the device that a tun descriptor is attached to, or ""
// (tun_chr_show_fdinfo, drivers/net/tun.c).
func parseFdinfo(b []byte) string {
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "iff:"); ok {
			name = strings.TrimSpace(name)
			if len(name) > 15 || strings.ContainsAny(name, "/ ") { // IFNAMSIZ; dev_valid_name
				return ""
			}
			return name
		}
	}
	return ""
}

// macvtapIndex returns the ifindex of a macvtap from its character device's name,
// or 0 (tap_create_cdev, drivers/net/macvtap.c: "tap%d" of the ifindex).
func macvtapIndex(target string) int {
	i := strings.LastIndex(target, "/dev/tap")
	if i < 0 {
		return 0
	}
	n, err := strconv.Atoi(target[i+len("/dev/tap"):])
	if err != nil || n < 1 {
		return 0
	}
	return n
}

// strangers looks for those who hold vifs that no known VMM holds: openvpn, an
// unknown VMM. What holds nothing is remembered by its start time and passed over
// in later looks, until another tap without holder appears.
func (f *Finder) strangers(ctx context.Context, pids []int, wanted map[string]bool) (found []holding, hypervisors map[int]bool, err error) {
	hypervisors = map[int]bool{}
	budget := mostStrange
	known := map[int]uint64{}
	for vif := range wanted {
		if !f.taps[vif] {
			f.idle = nil
		}
	}
	f.taps = wanted
	for _, pid := range pids {
		if len(wanted) == 0 || ctx.Err() != nil { // the rest is looked at another time
			break
		}
		start := startTime(f.opt.Proc, pid)
		if was, ok := f.idle[pid]; ok && was == start && start != 0 {
			known[pid] = start
			continue
		}
		if budget <= 0 {
			continue // the next look goes on with the rest
		}
		list, hypervisor, looked, e := holdingsOf(f.opt.Proc, pid)
		budget -= looked
		if denied(e) {
			err = e
		}
		if e == nil && len(list) == 0 {
			known[pid] = start
			continue
		}
		for _, h := range list {
			if !wanted[h.vif] || f.foreign(pid) {
				continue
			}
			found = append(found, h)
			if hypervisor {
				hypervisors[pid] = true
			}
		}
	}
	f.idle = known
	return found, hypervisors, err
}
