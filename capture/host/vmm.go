package host

import (
	"path"
	"slices"
	"strings"
)

// vmm is a virtual machine monitor, as its command line shows it.
type vmm struct {
	name string // of the guest, "" = not said
	nics []vmmNIC
}

// vmmNIC is one NIC of a guest. Of ifname and fds at most one is known.
type vmmNIC struct {
	ifname string
	fds    []string // descriptors handed over at the start, as the command line writes them
	mac    [6]byte  // zero = not said
	device bool     // a back end alone is no NIC: some VMM has a front end for it
}

const (
	cmdlineLimit = 256 << 10 // bytes of a command line that are read; QEMU's with forty disks has 30 KiB
	mostNICs     = 64        // of one guest
	mostWords    = 4096      // arguments looked at
)

// parseVMM reads a command line (/proc/PID/cmdline). ok is false if the program
// is no VMM that we know.
func parseVMM(cmdline []byte) (v vmm, ok bool) {
	args := words(cmdline)
	if len(args) == 0 {
		return v, false
	}
	// A program may have rewritten its title; what matters is its first word.
	program := path.Base(strings.TrimSuffix(args[0], " (deleted)"))
	switch {
	case strings.HasPrefix(program, "qemu"), program == "kvm", program == "kvm-spice": // distributions name it as they like
		v = parseQEMU(args[1:])
	case program == "cloud-hypervisor":
		v = parseCloudHypervisor(args[1:])
	case program == "firecracker":
		v = parseFirecracker(args[1:])
	case program == "crosvm":
		v = parseCrosvm(args[1:])
	case program == "lkvm" || program == "vm" && len(args) > 1 && args[1] == "run":
		v = parseKvmtool(args[1:])
	default:
		return v, false
	}
	v.name = clean(v.name)
	v.nics = slices.DeleteFunc(v.nics, func(n vmmNIC) bool {
		return n.ifname == "" && len(n.fds) == 0 && n.mac == [6]byte{}
	})
	return v, true
}

// words splits a command line at its zero bytes.
func words(cmdline []byte) []string {
	text := strings.TrimRight(string(cmdline), "\x00")
	if text == "" {
		return nil
	}
	return strings.SplitN(text, "\x00", mostWords)
}

// option is one argument with its value: "--id x" and "--id=x" alike, the
// dashes cut off.
type option struct{ name, value string }

// options pairs arguments with values. A further word belongs to the option
// before it if that is many (cloud-hypervisor's "--net a b"), else to none.
func options(args []string, many string) (list []option) {
	last := ""
	for _, a := range args {
		switch {
		case strings.HasPrefix(a, "-") && a != "-":
			name, value, cut := strings.Cut(strings.TrimLeft(a, "-"), "=")
			if last != "" {
				list = append(list, option{last, ""})
			}
			last = name
			if cut {
				list, last = append(list, option{name, value}), ""
			}
		case last != "":
			list = append(list, option{last, a})
			last = ""
		case len(list) > 0 && many != "" && list[len(list)-1].name == many:
			list = append(list, option{list[len(list)-1].name, a})
		}
	}
	if last != "" {
		list = append(list, option{last, ""})
	}
	return list
}

// parseMAC reads aa:bb:cc:dd:ee:ff, bytes of one digit allowed; zero if it is none.
func parseMAC(s string) (m [6]byte) {
	parts := strings.Split(strings.ReplaceAll(s, "-", ":"), ":")
	if len(parts) != len(m) {
		return m
	}
	var out [6]byte
	for i, p := range parts {
		if len(p) == 0 || len(p) > 2 {
			return m
		}
		for _, c := range []byte(p) {
			d := strings.IndexByte("0123456789abcdefABCDEF", c)
			if d < 0 {
				return m
			}
			if d > 15 {
				d -= 6
			}
			out[i] = out[i]<<4 | byte(d)
		}
	}
	return out
}

// clean makes a name from outside text of one line: what is not valid or not
// printable becomes U+FFFD, and what is longer than any name is cut.
func clean(s string) string {
	const limit = 256
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(printable, strings.ToValidUTF8(s, "\uFFFD"))
}
