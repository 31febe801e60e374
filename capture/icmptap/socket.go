package icmptap

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiveBuffer is what SO_RCVBUF asks for; the kernel doubles it and charges
// some 1 KiB for a frame, so that a hundred echoes can wait.
const receiveBuffer = 64 << 10

// openSocket opens the tap of a device, in the calling thread's network
// namespace. Errors wrap the kernel's: EPERM without CAP_NET_RAW, ENODEV for an
// ifindex that does not exist.
func openSocket(ifindex int, filter []unix.SockFilter) (int, error) {
	fd, err := newSocket(filter)
	if err != nil {
		return -1, err
	}
	if ifindex <= 0 { // bind would take 0 for "all devices"
		err = unix.ENODEV
	} else {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: ifindex})
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("bind to ifindex %d: %w", ifindex, err)
	}
	return fd, nil
}

// newSocket makes a socket that receives nothing until it is bound: its protocol
// is 0. The filter is there before the first frame, so that nothing else is ever
// queued.
func newSocket(filter []unix.SockFilter) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("SO_ATTACH_FILTER: %w", err)
	}
	for _, o := range []struct {
		what              string
		level, opt, value int
	}{
		{"SO_TIMESTAMPNS", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1}, // the same stamp as the rings read, see tpacket
		{"PACKET_AUXDATA", unix.SOL_PACKET, unix.PACKET_AUXDATA, 1},
		{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer},
	} {
		if err = unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			_ = unix.Close(fd)
			return -1, fmt.Errorf("%s: %w", o.what, err)
		}
	}
	return fd, nil
}

// Check reports why this process cannot open taps, nil if it can. It sends and
// receives nothing.
func Check() error {
	filter, err := echoFilter()
	if err != nil {
		return err
	}
	fd, err := newSocket(filter)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// socketStats reads what the socket has seen since the last call: frames that
// passed the filter, and those of them that found no room.
func socketStats(fd int) (seen, dropped uint64) {
	s, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, 0
	}
	return uint64(s.Packets), uint64(s.Drops)
}

// isBound reports whether the socket's device still exists: the kernel unbinds
// it when it goes (packet_notifier in af_packet.c). It stays bound while the
// device is down.
func isBound(fd, ifindex int) bool {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	ll, ok := sa.(*unix.SockaddrLinklayer)
	return ok && ll.Ifindex == ifindex
}

// htons converts to network byte order on a CPU of either kind.
func htons(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return *(*uint16)(unsafe.Pointer(&b))
}
