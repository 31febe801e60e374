// Package tpackettest writes blocks as the kernel would, for tests and
// benchmarks that need no kernel.
package tpackettest

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"spiketop/capture/tpacket"
)

// Offsets as in include/uapi/linux/if_packet.h; written down a second time on
// purpose, so that a wrong one in the reader is found.
const (
	first    = 48
	sll      = 48
	macAfter = 48 + 20 + 10 + 14 // tpacket3_hdr, sockaddr_ll, virtio_net_hdr, padding
)

// Block returns a retired block of the given size with the frames, all of one
// device, with virtio_net_hdr. A frame with nil Data is one that the kernel
// refused: its place holds only the link to the next. It panics if they do not
// fit.
func Block(size, ifindex int, frames ...tpacket.Frame) []byte {
	ne := binary.NativeEndian
	b := make([]byte, size)
	ne.PutUint32(b[8:], unix.TP_STATUS_USER)
	ne.PutUint32(b[12:], uint32(len(frames)))
	ne.PutUint32(b[16:], first)
	at := first
	for i, f := range frames {
		next := (macAfter + len(f.Data) + 7) &^ 7
		h := b[at : at+next]
		if i < len(frames)-1 {
			ne.PutUint32(h[0:], uint32(next))
		}
		if f.Data != nil {
			frame(h, &f, ifindex)
		}
		at += next
	}
	return b
}

func frame(h []byte, f *tpacket.Frame, ifindex int) {
	ne := binary.NativeEndian
	ne.PutUint32(h[4:], uint32(f.Stamp/1e9))
	ne.PutUint32(h[8:], uint32(f.Stamp%1e9))
	ne.PutUint32(h[12:], uint32(len(f.Data)))
	ne.PutUint32(h[16:], f.Len)
	status := uint32(unix.TP_STATUS_USER | unix.TP_STATUS_TS_SOFTWARE)
	if f.HasVLAN {
		status |= unix.TP_STATUS_VLAN_VALID | unix.TP_STATUS_VLAN_TPID_VALID
		ne.PutUint32(h[32:], uint32(f.VLANTCI))
		ne.PutUint16(h[36:], f.VLANTPID)
	}
	ne.PutUint32(h[20:], status)
	ne.PutUint16(h[24:], macAfter)
	ne.PutUint32(h[sll+4:], uint32(ifindex))
	h[sll+10] = unix.PACKET_HOST
	if f.Outgoing {
		h[sll+10] = unix.PACKET_OUTGOING
	}
	v := h[macAfter-10:]
	v[1] = f.GSOType
	ne.PutUint16(v[2:], f.HdrLen)
	ne.PutUint16(v[4:], f.GSOSize)
	copy(h[macAfter:], f.Data)
}
