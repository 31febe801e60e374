package dissect

import (
	"encoding/binary"

	"spiketop/flow/stats"
)

// walker goes through the headers of one packet. Offsets count from the start of
// b; end is where the captured bytes of the layer at hand end, wire where it
// ends on the wire.
type walker struct {
	b         []byte
	wire, end int
	inner     bool
	malformed bool
	p         *stats.Packet
	l4        int // where the upper-layer header of the header in p starts
	depth     int
}

// has reports whether n bytes from off on were captured. If not though they were
// on the wire within the layer, that is the snaplen; else the packet is
// malformed.
func (w *walker) has(off, n int) bool {
	if off+n <= w.end {
		return true
	}
	if off+n > w.wire {
		w.malformed = true
	}
	return false
}

// deeper reports whether another header inside of others may be looked at. Tags,
// labels and extension headers in a row end with the packet.
func (w *walker) deeper() bool {
	w.depth++
	if w.depth > maxDepth {
		w.malformed = true
		return false
	}
	return true
}

func (w *walker) u16(off int) uint16 { return binary.BigEndian.Uint16(w.b[off:]) }

// link reads what stands before layer 3.
func (w *walker) link(link uint16) {
	switch link {
	case linkEN10:
		w.ethernet(0)
	case linkRaw, linkRawBSD, linkRawOpenBSD:
		w.version(0)
	case linkIPv4:
		w.ipv4(0)
	case linkIPv6:
		w.ipv6(0)
	case linkNull, linkLoop:
		if w.has(0, 4) {
			w.family()
		}
	case linkSLL:
		if w.has(0, 16) {
			w.ethertype(w.u16(14), 16)
		}
	case linkSLL2:
		if w.has(0, 20) {
			w.ethertype(w.u16(0), 20)
		}
	}
}

// family reads the address family of a loopback header, in either byte order:
// AF_INET is 2 everywhere, AF_INET6 is another number on each system.
func (w *walker) family() {
	n := binary.LittleEndian.Uint32(w.b)
	if n > 0xffff {
		n = binary.BigEndian.Uint32(w.b)
	}
	switch n {
	case 2, 10, 24, 28, 30: // IPv4; Linux, NetBSD, FreeBSD, macOS
		w.version(4)
	}
}

// version tells IPv4 from IPv6 by the first four bits.
func (w *walker) version(off int) {
	if !w.has(off, 1) {
		return
	}
	switch w.b[off] >> 4 {
	case 4:
		w.ipv4(off)
	case 6:
		w.ipv6(off)
	default:
		w.malformed = true
	}
}

func (w *walker) ethernet(off int) {
	if w.has(off, ethLen) {
		w.ethertype(w.u16(off+12), off+ethLen)
	}
}

// Ethertypes (IEEE 802 numbers).
const (
	typeIPv4     = 0x0800
	typeIPv6     = 0x86dd
	typeTag      = 0x8100
	typeServices = 0x88a8
	typeOldTag   = 0x9100
	typePPPoE    = 0x8864
	typePPP      = 0x880b
	typeMPLS     = 0x8847
	typeMPLSM    = 0x8848
	typeBridged  = 0x6558
	typeERSPAN   = 0x88be
	typeERSPAN3  = 0x22eb
	minEthertype = 0x600 // below it the field is the length of an 802.3 frame
)

// ethertype hands on to what an ethertype announces at off.
func (w *walker) ethertype(t uint16, off int) {
	for t == typeTag || t == typeServices || t == typeOldTag {
		if !w.has(off, 4) {
			return
		}
		t = w.u16(off + 2)
		off += 4
	}
	if !w.deeper() {
		return
	}
	switch {
	case t == typeIPv4:
		w.ipv4(off)
	case t == typeIPv6:
		w.ipv6(off)
	case t == typeMPLS || t == typeMPLSM:
		w.mpls(off)
	case t == typePPPoE:
		if w.has(off, 6) {
			w.ppp(off + 6)
		}
	case t == typePPP:
		w.ppp(off)
	case t == typeBridged:
		w.ethernet(off)
	case t < minEthertype:
		w.llc(off)
	}
}

// llc reads SNAP with the OUI 0, which wraps an ethertype (RFC 1042), and IP
// right in LLC.
func (w *walker) llc(off int) {
	if off+8 > w.end {
		return
	}
	b := w.b[off:]
	switch {
	case b[0] == 0xaa && b[1] == 0xaa && b[2] == 3 && b[3]|b[4]|b[5] == 0:
		if t := w.u16(off + 6); t >= minEthertype {
			w.ethertype(t, off+8)
		}
	case b[0] == 6 && b[1] == 6 && b[2] == 3:
		w.ipv4(off + 3)
	}
}

// ppp reads the protocol of a PPP frame (RFC 1661), with or without address and
// control, compressed or not.
func (w *walker) ppp(off int) {
	if off+2 <= w.end && w.b[off] == 0xff && w.b[off+1] == 3 {
		off += 2
	}
	if !w.has(off, 2) {
		return
	}
	proto, n := w.u16(off), 2
	if w.b[off]&1 != 0 {
		proto, n = uint16(w.b[off]), 1
	}
	switch proto {
	case 0x0021:
		w.ipv4(off + n)
	case 0x0057:
		w.ipv6(off + n)
	case 0x0281:
		w.mpls(off + n)
	}
}

// mpls walks over labels. What lies below them is told by its first four bits:
// IPv4, IPv6, or 0 for the control word of a pseudowire (RFC 4385), which is
// taken to carry Ethernet.
func (w *walker) mpls(off int) {
	for {
		if !w.has(off, 4) {
			return
		}
		bottom := w.b[off+2]&1 != 0
		off += 4
		if bottom {
			break
		}
	}
	if !w.has(off, 1) {
		return
	}
	switch w.b[off] >> 4 {
	case 4:
		w.ipv4(off)
	case 6:
		w.ipv6(off)
	case 0:
		if off+4+ethLen <= w.end {
			w.ethernet(off + 4)
		}
	}
}
