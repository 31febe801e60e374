package icmptap

import (
	"encoding/binary"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mostAtOnce is how many frames of one vif are read before another's turn.
const mostAtOnce = 64

// mmsghdr is struct mmsghdr (linux/socket.h).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// message is the room for one frame and what the kernel says about it.
type message struct {
	control [16]uint64 // aligned as struct cmsghdr
	from    unix.RawSockaddrLinklayer
	data    [SnapLen]byte
	iov     unix.Iovec
}

// receiver reads frames, many at a time. It belongs to one goroutine. The
// kernel's headers point into messages, both on the heap for as long as it lives.
type receiver struct {
	headers  []mmsghdr
	messages []message
}

func newReceiver() *receiver {
	r := &receiver{headers: make([]mmsghdr, mostAtOnce), messages: make([]message, mostAtOnce)}
	for i := range r.messages {
		m, h := &r.messages[i], &r.headers[i].hdr
		m.iov.Base = &m.data[0]
		m.iov.SetLen(SnapLen)
		h.Iov, h.Name, h.Control = &m.iov, (*byte)(unsafe.Pointer(&m.from)), (*byte)(unsafe.Pointer(&m.control[0]))
		h.SetIovlen(1)
	}
	return r
}

// read reads at most mostAtOnce frames that wait in the socket. Without any it
// returns 0 and no error.
func (r *receiver) read(fd int) (int, error) {
	for i := range r.headers {
		h := &r.headers[i].hdr
		h.Namelen = unix.SizeofSockaddrLinklayer
		h.SetControllen(len(r.messages[i].control) * 8)
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.headers[0])), uintptr(len(r.headers)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, errno
		}
	}
}

// frame is one frame that was read; data is valid until the next read.
type frame struct {
	data     []byte
	stamp    time.Duration // since 1970, 0 = none
	length   uint32        // before it was cut
	outgoing bool          // the device sends it
	tci      uint16
	tpid     uint16
	hasVLAN  bool
}

// frame returns the frame i of the last read.
func (r *receiver) frame(i int) (f frame) {
	m, h := &r.messages[i], &r.headers[i]
	f.data = m.data[:min(h.n, SnapLen)]
	f.length = h.n
	f.outgoing = m.from.Pkttype == unix.PACKET_OUTGOING
	control := unsafe.Slice((*byte)(unsafe.Pointer(&m.control[0])), len(m.control)*8)
	f.readControl(control[:min(int(h.hdr.Controllen), len(control))])
	return f
}

// readControl walks over the control messages as CMSG_NXTHDR does.
func (f *frame) readControl(b []byte) {
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		n := int(h.Len)
		if n < unix.SizeofCmsghdr || n > len(b) {
			return
		}
		data := b[unix.CmsgLen(0):n]
		switch {
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(unix.Timespec{})):
			f.stamp = time.Duration((*unix.Timespec)(unsafe.Pointer(&data[0])).Nano())
		case h.Level == unix.SOL_PACKET && h.Type == unix.PACKET_AUXDATA && len(data) >= 20:
			f.readAuxdata(data)
		}
		b = b[min(unix.CmsgSpace(n-unix.CmsgLen(0)), len(b)):]
	}
}

// readAuxdata reads struct tpacket_auxdata (linux/if_packet.h).
func (f *frame) readAuxdata(b []byte) {
	native := binary.NativeEndian
	f.length = max(f.length, native.Uint32(b[4:]))
	f.hasVLAN = native.Uint32(b)&unix.TP_STATUS_VLAN_VALID != 0
	f.tci, f.tpid = native.Uint16(b[16:]), native.Uint16(b[18:])
}
