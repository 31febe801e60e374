package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"spiketop/capture/link"
	"spiketop/flow"
	"spiketop/incident/store"
)

// setcap is the command that gives this program the named capabilities. Where
// it has them all, something else is in the way.
func (h *doctorHost) setcap(names string) string {
	const all = 1<<unix.CAP_NET_RAW | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_SYS_PTRACE
	if h.caps&all == all {
		return "the rights are there: a policy of this system or container forbids it (seccomp, AppArmor, SELinux, user namespace)"
	}
	return "run it with sudo, or: sudo setcap " + names + "+ep " + h.program
}

const allCaps = "cap_net_raw,cap_dac_read_search,cap_sys_ptrace,cap_net_admin"

func checkRights(h *doctorHost) (list []finding) {
	for _, c := range []struct {
		bit                uint
		name, have, hasNot string
		remedy             string
	}{
		{unix.CAP_NET_RAW, "CAP_NET_RAW", "rings and pings", "no capture and no ping", h.setcap("cap_net_raw")},
		{unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "other users' /proc/PID/fd", "owners of other users' sockets and vifs stay unknown", h.setcap(allCaps)},
		{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "addresses of containers", "a container is known by its bridge only", h.setcap(allCaps)},
		{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "other users' open files", "owners of other users' sockets and vifs stay unknown", h.setcap(allCaps)},
	} {
		f := finding{What: c.name, State: fine, Found: c.have}
		if h.caps&(1<<c.bit) == 0 {
			f.State, f.Found, f.Remedy = missing, c.hasNot, c.remedy
		}
		list = append(list, f)
	}
	chown := finding{What: "CAP_CHOWN", State: fine, Found: "incidents can belong to the user behind sudo"}
	switch has := h.caps&(1<<unix.CAP_CHOWN) != 0; {
	case !has && h.euid == 0:
		chown.State, chown.Found, chown.Remedy = limited, "incidents belong to root, also behind sudo", "leave CAP_CHOWN to root"
	case !has:
		chown.State, chown.Found = absent, "not needed: incidents belong to you"
	}
	return append(list, chown)
}

// kernelVersion reads the first two numbers of a release such as 6.1.0-18-amd64.
func kernelVersion(release string) (major, minor int, ok bool) {
	n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor)
	return major, minor, n == 2
}

func checkKernel(h *doctorHost) []finding {
	f := finding{What: "kernel", State: fine, Found: h.release + ": bonds spread echoes by their id"}
	ring := finding{What: "offload headers in rings", State: fine, Found: "TPACKET_V3 with PACKET_VNET_HDR"}
	switch major, minor, ok := kernelVersion(h.release); {
	case !ok:
		f.State, f.Found = unclear, "release "+strconv.Quote(h.release)
		ring.State, ring.Found = unclear, f.Found
	case major < 5 || major == 5 && minor < 5:
		f.State, f.Found = limited, h.release+": all pings of a pair of hosts use one member"
		f.Remedy = "Linux 5.5 or newer; else a spike on the other member shows in its traffic only"
		if major < 4 || major == 4 && minor < 6 { // packet: vnet_hdr support for tpacket_rcv
			ring.State, ring.Found, ring.Remedy = missing, h.release+": super-frames cannot be counted", "Linux 4.6 or newer"
		}
	}
	return []finding{f, ring}
}

// noNetwork is what every check answers that needs the devices, if they cannot
// be read.
func (h *doctorHost) noNetwork(what string) []finding {
	return []finding{{What: what, State: unclear, Found: "network devices: " + h.err.Error(), Remedy: "let this program use NETLINK_ROUTE sockets (a seccomp or SELinux policy forbids it)"}}
}

func checkCapture(h *doctorHost) (list []finding) {
	h.look()
	if h.err != nil {
		return h.noNetwork("NICs")
	}
	if h.none != nil {
		found := h.none.Error()
		if ce := (*link.ChoiceError)(nil); errors.As(h.none, &ce) && ce.Hint != "" {
			found += "; " + ce.Hint
		}
		list = append(list, finding{What: "NICs to capture", State: missing, Found: found, Remedy: "name one that exists, or start it in the network namespace that has them"})
	}
	for _, c := range h.choices {
		f := finding{What: "ring on " + c.Name, State: fine, Found: "TPACKET_V3 with offload headers; " + c.Why}
		switch err := h.openRing(c.Ifindex); {
		case err == nil:
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
			f.State, f.Found, f.Remedy = missing, "not permitted", h.setcap("cap_net_raw")
		case errors.Is(err, unix.ENOMEM):
			f.State, f.Found, f.Remedy = missing, err.Error(), "free some memory, or raise the limit of its cgroup"
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT):
			f.State, f.Found, f.Remedy = missing, err.Error(), "a kernel with CONFIG_PACKET and TPACKET_V3 with PACKET_VNET_HDR"
		default:
			f.State, f.Found, f.Remedy = missing, err.Error(), "see whether the NIC still exists: ip link show dev "+c.Name
		}
		list = append(list, f)
	}
	return append(list, h.checkSysfs())
}

func (h *doctorHost) checkSysfs() finding {
	f := finding{What: "sysfs", State: fine, Found: h.roots.Sysfs + " shows this network namespace"}
	if !h.state.OwnSysfs {
		f.State, f.Found = limited, h.roots.Sysfs+" shows no NIC of this network namespace: speeds and order of members are unknown"
		f.Remedy = "start it with ip netns exec, or mount sysfs in here and name it with --sysfs"
	}
	return f
}

func checkPing(h *doctorHost) (list []finding) {
	for _, p := range []struct {
		name   string
		family int
	}{{"ping IPv4", unix.AF_INET}, {"ping IPv6", unix.AF_INET6}} {
		f := finding{What: p.name, State: fine, Found: "raw ICMP socket"}
		switch err := h.openPing(p.family); {
		case err == nil:
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
			f.State, f.Found, f.Remedy = missing, "not permitted", h.setcap("cap_net_raw")
		case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EPROTONOSUPPORT):
			f.State, f.Found = absent, "this kernel does not have it"
		default:
			f.State, f.Found, f.Remedy = missing, err.Error(), "look into the kernel's log: dmesg"
		}
		list = append(list, f)
	}
	return append(list, h.checkTaps())
}

// checkTaps says whether the pings of guests can be seen on their vifs.
func (h *doctorHost) checkTaps() finding {
	f := finding{What: "ICMP on vifs", State: fine, Found: "packet socket with a filter"}
	switch err := h.openTap(); {
	case err == nil:
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		f.State, f.Found, f.Remedy = missing, "not permitted", h.setcap("cap_net_raw")
	default:
		f.State, f.Found, f.Remedy = missing, err.Error(), "a kernel with CONFIG_PACKET"
	}
	return f
}

func checkBonds(h *doctorHost) (list []finding) {
	h.look()
	if h.err != nil {
		return nil // said already
	}
	bonds, _ := h.state.Bonds()
	for i := range bonds {
		list = append(list, checkBond(&bonds[i]))
	}
	if len(bonds) == 0 {
		list = append(list, finding{What: "bond", State: absent, Found: "none"})
	}
	return list
}

func checkBond(b *flow.Bond) finding {
	f := finding{What: b.Name, State: fine}
	words := []string{b.Mode}
	if b.Policy != "" {
		words = append(words, b.Policy)
	}
	for i := range b.Members {
		m := &b.Members[i]
		words = append(words, strings.TrimSpace(m.Name+" "+m.State))
		trouble, remedy := memberTrouble(b, m)
		if trouble == "" {
			continue
		}
		words[len(words)-1] += " (" + trouble + ")"
		if f.Remedy == "" {
			f.Remedy = remedy
		}
		f.State = limited
	}
	switch {
	case len(b.Members) == 0:
		f.State, words, f.Remedy = limited, append(words, "no members"), "enslave a NIC: ip link set dev NIC master "+b.Name
	case f.State == fine && b.Mode == "802.3ad" && (b.Policy == "layer2" || b.Policy == "vlan+srcmac"):
		f.State, f.Remedy = limited, "policy layer3+4 spreads flows and pings of a pair of hosts over the members"
	}
	f.Found = strings.Join(words, ", ")
	return f
}

// memberTrouble says why a bond does not use a member as it should, "" if it does.
func memberTrouble(b *flow.Bond, m *flow.Member) (trouble, remedy string) {
	const ready = 0x3c // aggregation, in sync, collecting, distributing (IEEE 802.1AX 6.4.2.3)
	switch {
	case m.MII == "down":
		return "down", "mend the link of " + m.Name + ": cable, switch port, ip link set up"
	case b.Mode != "802.3ad":
		return "", ""
	case b.Active != 0 && m.Aggregator != 0 && m.Aggregator != b.Active:
		return fmt.Sprintf("aggregator %d, the bond uses %d", m.Aggregator, b.Active), "wire " + m.Name + " to the same LACP group as the others"
	case m.PartnerState >= 0 && m.PartnerState&ready != ready:
		return fmt.Sprintf("LACP partner state %d", m.PartnerState), "set up LACP on the switch port of " + m.Name
	}
	return "", ""
}

func checkNICs(h *doctorHost) (list []finding) {
	h.look()
	for _, c := range h.choices {
		d := h.state.Device(c.Ifindex)
		if d == nil {
			continue
		}
		speed := finding{What: c.Name + " speed", State: fine, Found: rateText(d.SpeedBps)}
		if d.SpeedBps == 0 {
			speed.State, speed.Found, speed.Remedy = limited, "unknown: shares of the link cannot be shown", "tell it: --link-speed "+c.Name+"=RATE, or link-speed in the configuration"
		}
		list = append(list, speed, checkFeatures(h, c.Name))
	}
	return list
}

// checkFeatures says which offloads are on. They are no fault: their
// super-frames are counted as the packets and bytes that crossed the wire.
func checkFeatures(h *doctorHost, nic string) finding {
	f := finding{What: nic + " offloads", State: fine}
	got, err := h.features(nic)
	if err != nil {
		return finding{What: f.What, State: unclear, Found: err.Error()}
	}
	var on []string
	for _, o := range []struct {
		on   bool
		name string
	}{{got.TSO, "TSO"}, {got.GSO, "GSO"}, {got.GRO, "GRO"}, {got.LRO, "LRO"}, {got.VLANStrip, "VLAN tags stripped"}} {
		if o.on {
			on = append(on, o.name)
		}
	}
	if f.Found = strings.Join(on, ", ") + ": counted as on the wire"; len(on) == 0 {
		f.Found = "none on"
	}
	if got.LRO {
		f.State, f.Found = limited, strings.Join(on, ", ")+": LRO hides how many packets came"
		f.Remedy = "ethtool -K " + nic + " lro off, for packet counts that hold"
	}
	return f
}

func rateText(bps uint64) string {
	switch {
	case bps >= 1e9:
		return strconv.FormatFloat(float64(bps)/1e9, 'f', -1, 64) + " Gbit/s"
	default:
		return strconv.FormatFloat(float64(bps)/1e6, 'f', -1, 64) + " Mbit/s"
	}
}

func checkEvidence(h *doctorHost) []finding {
	f := finding{What: "incidents", State: fine}
	dir := h.incidents
	if dir == "" {
		dir = store.DefaultDir(h.euid, h.getenv)
	}
	if dir == "" {
		return []finding{{What: f.What, State: missing, Found: "no directory: neither XDG_STATE_HOME nor HOME is set", Remedy: "choose one with --incidents DIR"}}
	}
	there := h.root + dir
	for !isThere(there) && there != filepath.Dir(there) { // what does not exist yet is made at the start
		there = filepath.Dir(there)
	}
	info, err := os.Stat(there)
	switch {
	case err == nil && !info.IsDir():
		return []finding{{What: f.What, State: missing, Found: dir + ": " + there + " is no directory", Remedy: "choose another one with --incidents DIR"}}
	case err == nil:
		err = h.mayWrite(there)
	}
	if err != nil {
		return []finding{{What: f.What, State: missing, Found: dir + " cannot be written: " + err.Error(), Remedy: "choose another one with --incidents DIR"}}
	}
	f.Found = dir
	free, total, err := h.space(there)
	switch {
	case err != nil:
		f.State, f.Found = unclear, dir+": space: "+err.Error()
	case total > 0 && free < total/20: // incident/store writes nothing below 5 %
		f.State, f.Found, f.Remedy = missing, fmt.Sprintf("%s: under 5 %% of the disk is free: nothing is written", dir), "free some space, or --incidents DIR on another disk"
	default:
		f.Found = fmt.Sprintf("%s, %.1f GiB free", dir, float64(free)/(1<<30))
	}
	return []finding{f}
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func checkClockSync(h *doctorHost) []finding {
	f := finding{What: "clock", State: fine, Found: "synchronised"}
	switch ok, err := h.synced(); {
	case err != nil:
		f.State, f.Found = unclear, err.Error()
	case !ok:
		f.State, f.Found = limited, "not synchronised: times of incidents may not fit those of other hosts"
		f.Remedy = "run chrony, ntpd or systemd-timesyncd"
	}
	return []finding{f}
}

func checkScreen(h *doctorHost) []finding {
	columns, rows, ok := h.terminal()
	if !ok {
		return []finding{{What: "terminal", State: absent, Found: "standard output is none: spiketop headless needs none"}}
	}
	size := finding{What: "terminal", State: fine, Found: fmt.Sprintf("%d columns, %d rows", columns, rows)}
	if columns < 80 || rows < 24 {
		size.State, size.Remedy = limited, "80 columns and 24 rows or more show both panes and the strip"
	}
	term := h.getenv("TERM")
	color := finding{What: "colour", State: fine, Found: "TERM=" + term}
	switch {
	case h.getenv("NO_COLOR") != "":
		color.State, color.Found = absent, "switched off by NO_COLOR"
	case term == "" || term == "dumb":
		color.State, color.Found, color.Remedy = missing, "TERM="+strconv.Quote(term), "set TERM to what the terminal is, as xterm-256color"
	case !strings.Contains(term, "256color") && h.getenv("COLORTERM") == "":
		color.State, color.Remedy = limited, "TERM="+term+"-256color if the terminal has 256 colours"
	}
	locale := h.getenv("LC_ALL")
	for _, name := range []string{"LC_CTYPE", "LANG"} {
		if locale == "" {
			locale = h.getenv(name)
		}
	}
	text := finding{What: "UTF-8", State: fine, Found: locale}
	if l := strings.ToLower(locale); !strings.Contains(l, "utf-8") && !strings.Contains(l, "utf8") {
		text.State, text.Found, text.Remedy = limited, "locale "+strconv.Quote(locale)+": arrows and bars become ASCII", "export LANG=C.UTF-8"
	}
	return []finding{size, color, text}
}

func checkConfiguration(h *doctorHost) []finding {
	f := finding{What: "configuration", State: fine}
	path := configPath(h.config, h.getenv)
	if path == "" {
		return []finding{{What: f.What, State: absent, Found: "no file at the usual places: $XDG_CONFIG_HOME/spiketop.yaml, " + systemConfig}}
	}
	c, err := readConfig(path)
	if err != nil {
		f.State, f.Found, f.Remedy = missing, err.Error(), "docs/CLASSES.md describes the file; until then spiketop does not start with it"
	} else {
		f.Found = fmt.Sprintf("%s: rules: %d, vifs: %d, ping targets: %d", path, len(c.rules), len(c.vifs), len(c.pings))
	}
	return []finding{f}
}
