package host

import (
	"path/filepath"
	"strconv"
	"strings"
)

// cgroupGuest returns the name of the container or VM in whose control group a
// process is, or "".
func cgroupGuest(proc string, pid int) string {
	b, err := readFile(filepath.Join(proc, strconv.Itoa(pid), "cgroup"), 64<<10)
	if err != nil {
		return ""
	}
	return parseCgroup(b)
}

// parseCgroup reads /proc/PID/cgroup (cgroups(7)): lines of number:controllers:path.
// The outermost group with a name counts: it is what this host knows of a guest
// that has guests of its own.
func parseCgroup(b []byte) string {
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3)
		if len(parts) < 3 {
			continue
		}
		above := ""
		for group := range strings.SplitSeq(parts[2], "/") {
			if name := groupGuest(above, group); name != "" {
				return clean(name)
			}
			above = group
		}
	}
	return ""
}

// groupGuest returns the guest that one group is named after, or "".
func groupGuest(above, group string) string {
	base, scope := strings.CutSuffix(group, ".scope")
	switch {
	case strings.HasPrefix(group, "lxc.payload."): // LXC 4 and later
		return strings.TrimPrefix(group, "lxc.payload.")
	case above == "lxc": // LXC 3, Proxmox
		return group
	case above == "docker" && isID(group): // the cgroupfs driver
		return "docker-" + group[:shortID]
	case strings.HasPrefix(base, "machine-") && scope: // systemd-machined: libvirt, nspawn
		return machine(unescape(strings.TrimPrefix(base, "machine-")))
	case above == "machine" && strings.Contains(group, ".libvirt-"): // libvirt without systemd
		name, _, _ := strings.Cut(group, ".libvirt-")
		return machine(name)
	case strings.HasPrefix(group, "systemd-nspawn@"):
		return unescape(strings.TrimSuffix(strings.TrimPrefix(group, "systemd-nspawn@"), ".service"))
	}
	if uid := podUID(group); uid != "" {
		return "pod-" + uid[:8]
	}
	// docker-ID, libpod-ID, cri-containerd-ID, crio-ID, nerdctl-ID
	if i := strings.LastIndexByte(base, '-'); scope && i > 0 && isID(base[i+1:]) && !strings.HasSuffix(base[:i], "conmon") {
		return base[:i+1+shortID]
	}
	return ""
}

const shortID = 12 // as docker ps shows it

// isID reports whether s is a container's id: 64 hexadecimal digits.
func isID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// podUID returns the UID of a Kubernetes pod: kubepods-burstable-pod<uid>.slice
// with _ for -, or pod<uid>.
func podUID(group string) string {
	group = strings.TrimSuffix(group, ".slice")
	if i := strings.LastIndex(group, "-pod"); i >= 0 {
		group = group[i+1:]
	}
	uid, ok := strings.CutPrefix(group, "pod")
	uid = strings.ReplaceAll(uid, "_", "-")
	if !ok || len(uid) < 32 || strings.Trim(uid, "0123456789abcdef-") != "" {
		return ""
	}
	return uid
}

// machine returns a machine's own name from libvirt's: qemu-7-vm_a is vm_a (the 7
// is the running number of the domain; virDomainGenerateMachineName).
func machine(name string) string {
	for _, driver := range []string{"qemu-", "lxc-", "xen-", "ch-"} {
		rest, ok := strings.CutPrefix(name, driver)
		if !ok {
			continue
		}
		if number, own, cut := strings.Cut(rest, "-"); cut && own != "" && strings.Trim(number, "0123456789") == "" {
			return own
		}
	}
	return name
}

// unescape undoes systemd's \xNN.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], `\x`) && len(s) >= i+4 {
			if c, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
