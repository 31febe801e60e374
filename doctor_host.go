package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"spiketop/capture/host"
	"spiketop/capture/icmptap"
	"spiketop/capture/link"
	"spiketop/capture/socket"
	"spiketop/capture/tpacket"
	"spiketop/flow"
)

// doctorOptions are the flags of the doctor.
type doctorOptions struct {
	nics      []string
	config    string
	incidents string
	roots     link.Roots
}

// doctorHost is all that the checks see of the host; tests put their own values
// into it. Files below root and roots are read directly.
type doctorHost struct {
	doctorOptions
	root    string // in front of /run and the like, "" = the real ones
	euid    int
	program string // path of this program
	caps    uint64
	release string // of the kernel, "" = unknown
	getenv  func(string) string

	network  func() (*link.State, error)
	openRing func(ifindex int) error
	openPing func(family int) error // AF_INET or AF_INET6
	openTap  func() error           // of a vif
	features func(nic string) (features, error)
	drivers  func(nic string) (driverLook, error)
	counters func([]link.Choice) ([]flow.LinkCounters, error)
	guests   func() ([]host.SourceReport, error)
	sockets  func() []socket.Finding
	mayWrite func(path string) error
	space    func(dir string) (free, total uint64, err error)
	synced   func() (bool, error)                // the clock is disciplined
	terminal func() (columns, rows int, ok bool) // of standard output

	looked  bool
	state   *link.State
	choices []link.Choice
	err     error // of the look
	none    error // why there is no choice
}

func newDoctorHost(o doctorOptions) *doctorHost {
	h := &doctorHost{doctorOptions: o, euid: os.Geteuid(), program: ownPath(), caps: ownCapabilities(), release: kernelRelease(), getenv: os.Getenv,
		network:  func() (*link.State, error) { return readNetwork(o.roots) },
		openRing: tryRing, openPing: tryPing, openTap: icmptap.Check, features: readFeatures, drivers: askDriver,
		guests:   func() ([]host.SourceReport, error) { return askGuests(o.roots.Procfs) },
		sockets:  func() []socket.Finding { return askSocketFindings(o.roots.Procfs) },
		mayWrite: func(path string) error { return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS) },
		space:    diskSpace, synced: clockSynced, terminal: terminalSize}
	h.counters = askCounters(h)
	return h
}

// look reads the network devices once and chooses as the monitor would.
func (h *doctorHost) look() {
	if h.looked {
		return
	}
	h.looked = true
	if h.state, h.err = h.network(); h.err == nil {
		h.choices, h.none = link.Choose(h.state, h.nics)
	}
}

// ownCapabilities are the effective ones of this thread; 0 if they cannot be read.
func ownCapabilities() uint64 {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if unix.Capget(&head, &have[0]) != nil {
		return 0
	}
	return uint64(have[1].Effective)<<32 | uint64(have[0].Effective)
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func readNetwork(roots link.Roots) (*link.State, error) {
	n, err := link.Open()
	if err != nil {
		return nil, err
	}
	defer n.Close()
	return link.Read(roots, n)
}

// tryRing opens a small ring and closes it again.
func tryRing(ifindex int) error {
	r, err := tpacket.Open(tpacket.Config{Ifindex: ifindex, Blocks: 4})
	if err != nil {
		return err
	}
	return r.Close()
}

// tryPing opens the socket that pings use; nothing is sent.
func tryPing(family int) error {
	proto := unix.IPPROTO_ICMP
	if family == unix.AF_INET6 {
		proto = unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// features are the offloads of a NIC that change what a ring sees.
type features struct{ TSO, GSO, GRO, LRO, VLANStrip bool }

// Legacy ethtool requests (include/uapi/linux/ethtool.h); they need no rights.
const (
	ethtoolGTSO   = 0x1e
	ethtoolGGSO   = 0x23
	ethtoolGFlags = 0x25
	ethtoolGGRO   = 0x2b
	ethFlagRxVLAN = 1 << 8
	ethFlagLRO    = 1 << 15
)

func readFeatures(nic string) (f features, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return f, err
	}
	defer unix.Close(fd)
	var flags uint32
	for _, q := range []struct {
		cmd uint32
		set func(uint32)
	}{{ethtoolGTSO, func(v uint32) { f.TSO = v != 0 }}, {ethtoolGGSO, func(v uint32) { f.GSO = v != 0 }},
		{ethtoolGGRO, func(v uint32) { f.GRO = v != 0 }}, {ethtoolGFlags, func(v uint32) { flags = v }}} {
		v, err := askEthtool(fd, nic, q.cmd)
		if err != nil {
			return f, err
		}
		q.set(v)
	}
	f.LRO, f.VLANStrip = flags&ethFlagLRO != 0, flags&ethFlagRxVLAN != 0
	return f, nil
}

// askEthtool asks for one value (struct ethtool_value).
func askEthtool(fd int, nic string, cmd uint32) (uint32, error) {
	value := [2]uint32{cmd, 0}
	var req struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(req.name[:unix.IFNAMSIZ-1], nic)
	req.data = unsafe.Pointer(&value)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return 0, errno
	}
	return value[1], nil
}

func diskSpace(dir string) (free, total uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), nil
}

// clockSynced asks the kernel; it changes nothing (adjtimex with no modes).
func clockSynced() (bool, error) {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	return state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0, err
}

func terminalSize() (columns, rows int, ok bool) {
	ws, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	return int(ws.Col), int(ws.Row), true
}
