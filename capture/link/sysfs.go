package link

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// enrich adds to devices what only sysfs knows, and what an old kernel's
// netlink does not say, for the devices for which want is true. If one of them
// has another ifindex or address there, this sysfs shows another network
// namespace: mismatch, and nothing is changed. found: it knows some of them
// besides lo, which is number 1 everywhere.
func (r Roots) enrich(devices []Device, want func(*Device) bool) (found, mismatch bool) {
	var known []*Device
	for i := range devices {
		d := &devices[i]
		if !want(d) {
			continue
		}
		switch r.shows(d) {
		case sysfsOther:
			return false, true
		case sysfsSame:
			known = append(known, d)
		}
	}
	for _, d := range known {
		r.enrichDevice(d)
		found = found || !d.Loopback
	}
	return found, false
}

type sysfsMatch uint8

const (
	sysfsAbsent sysfsMatch = iota
	sysfsSame
	sysfsOther
)

// shows compares what identifies d in sysfs with netlink.
func (r Roots) shows(d *Device) sysfsMatch {
	index, ok := r.number(d.Name, "ifindex")
	if !ok {
		return sysfsAbsent
	}
	// Numbers are given anew in each namespace, so two eth0 may both be number 2.
	address, ok := r.word(d.Name, "address")
	isMAC := ok && len(address) == len("00:00:00:00:00:00") // tunnels and InfiniBand have others
	if index != d.Ifindex || (isMAC && address != formatMAC(d.MAC)) {
		return sysfsOther
	}
	return sysfsSame
}

func (r Roots) enrichDevice(d *Device) {
	if _, err := os.Lstat(r.path(d.Name, "device")); err == nil {
		d.Physical = true
	}
	d.VFs, _ = r.number(d.Name, "device/sriov_numvfs")
	if s, ok := r.read(d.Name, "speed"); ok {
		d.SpeedBps = parseSpeed(s)
	}
	if d.Kind == kindBond || (d.Kind == "" && r.isDir(d.Name, "bonding")) {
		d.Kind = kindBond
		r.enrichBond(d)
	}
	if r.isDir(d.Name, "bonding_slave") {
		d.PortKind = kindBond
		r.enrichPort(d)
	}
}

// enrichBond reads bonding/ of a bond. Netlink's values stay where it has them;
// the order of enslaving is nowhere else.
func (r Roots) enrichBond(d *Device) {
	info := BondInfo{}
	if d.Bond != nil {
		info = *d.Bond
	}
	if s, ok := r.read(d.Name, "bonding/slaves"); ok {
		info.Slaves = strings.Fields(s)
	}
	if info.Mode == "" {
		info.Mode, _ = r.word(d.Name, "bonding/mode")
	}
	if info.Policy == "" {
		info.Policy, _ = r.word(d.Name, "bonding/xmit_hash_policy")
	}
	if info.Aggregator == 0 {
		info.Aggregator, _ = r.number(d.Name, "bonding/ad_aggregator")
	}
	d.Bond = &info
}

// enrichPort reads bonding_slave/ of a member, where netlink said nothing.
func (r Roots) enrichPort(d *Device) {
	p := PortInfo{Actor: -1, Partner: -1}
	if d.Port != nil {
		p = *d.Port
	}
	if p.State == "" {
		p.State, _ = r.word(d.Name, "bonding_slave/state")
	}
	if p.MII == "" {
		s, _ := r.read(d.Name, "bonding_slave/mii_status")
		p.MII = strings.TrimSpace(s) // may be two words: "going down"
	}
	if p.Aggregator == 0 {
		p.Aggregator, _ = r.number(d.Name, "bonding_slave/ad_aggregator_id")
	}
	if p.Actor < 0 {
		p.Actor = r.bits(d.Name, "bonding_slave/ad_actor_oper_port_state")
	}
	if p.Partner < 0 {
		p.Partner = r.bits(d.Name, "bonding_slave/ad_partner_oper_port_state")
	}
	if p.QueueID == 0 {
		p.QueueID, _ = r.number(d.Name, "bonding_slave/queue_id")
	}
	if s, ok := r.word(d.Name, "bonding_slave/perm_hwaddr"); ok && d.PermMAC == ([6]byte{}) {
		d.PermMAC = parseMAC(s)
	}
	d.Port = &p
}

// parseSpeed reads sysfs "speed", in Mbit/s; -1 and 4294967295 (SPEED_UNKNOWN)
// are what virtio and a NIC without link say. It returns bit/s, 0 = unknown.
func parseSpeed(s string) uint64 {
	const most = 100_000_000 // 100 Tbit/s: beyond it the file is odd
	mbit, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	if err != nil || mbit > most {
		return 0
	}
	return mbit * 1_000_000
}

func parseMAC(s string) (m [6]byte) {
	parts := strings.Split(s, ":")
	if len(parts) != len(m) {
		return m
	}
	for i, p := range parts {
		b, err := strconv.ParseUint(p, 16, 8)
		if err != nil {
			return [6]byte{}
		}
		m[i] = byte(b)
	}
	return m
}

func formatMAC(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

func (r Roots) path(device, file string) string {
	return filepath.Join(r.Sysfs, "class/net", device, file)
}

func (r Roots) isDir(device, file string) bool {
	fi, err := os.Stat(r.path(device, file))
	return err == nil && fi.IsDir()
}

// read returns the first 4 KiB (a sysfs file's most) of a device's file.
func (r Roots) read(device, file string) (string, bool) {
	// The kernel allows neither in a name; a netlink answer is not to lead us elsewhere all the same.
	if device == "" || device == "." || device == ".." || strings.ContainsRune(device, '/') {
		return "", false
	}
	f, err := os.Open(r.path(device, file))
	if err != nil {
		return "", false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", false
	}
	return string(b), true
}

// word returns a file's first word: "802.3ad" of "802.3ad 4".
func (r Roots) word(device, file string) (string, bool) {
	s, ok := r.read(device, file)
	w := strings.Fields(s)
	if !ok || len(w) == 0 {
		return "", false
	}
	return w[0], true
}

func (r Roots) number(device, file string) (int, bool) {
	s, ok := r.word(device, file)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, false
	}
	return int(v), true
}

// bits reads LACP port state bits, -1 = unknown.
func (r Roots) bits(device, file string) int {
	v, ok := r.number(device, file)
	if !ok || v > 0xffff {
		return -1
	}
	return v
}
