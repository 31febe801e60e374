package decode

import (
	"encoding/binary"

	"spiketop/flow"
)

// isTunnelPort reports whether a UDP packet to this port carries a frame of
// somebody else.
func isTunnelPort(dst uint16) bool {
	return dst == portVXLAN || dst == portVXLANLinux || dst == portGeneve
}

// innerUDPMAC returns the MAC of the local end of the frame in a VXLAN (RFC 7348)
// or Geneve (RFC 8926) packet to a tunnel port, b being its captured bytes from
// the UDP header on. It is zero if there is none to be read, or a group address.
func innerUDPMAC(b []byte, dir flow.Direction) (mac [6]byte) {
	if off, typ, ok := wrappedInUDP(b); ok && typ == typeBridged {
		return localMAC(b, off, dir)
	}
	return mac
}

// wrappedInUDP returns where the packet inside of VXLAN or Geneve starts and its
// ethertype, typeBridged for an Ethernet frame.
func wrappedInUDP(b []byte) (off int, ethertype uint16, ok bool) {
	const header = udpLen + vxlanLen // Geneve's is as long, without its options
	if len(b) < header {
		return 0, 0, false
	}
	if binary.BigEndian.Uint16(b[2:]) == portGeneve {
		if b[udpLen]>>6 != 0 {
			return 0, 0, false // another version
		}
		return header + int(b[udpLen]&0x3f)*4, binary.BigEndian.Uint16(b[udpLen+2:]), true
	}
	return header, typeBridged, b[udpLen]&8 != 0 // without a network identifier it is no VXLAN
}

// innerGREMAC is innerUDPMAC for a GRE packet (RFC 2784, RFC 2890, NVGRE
// RFC 7637), b being its captured bytes from the GRE header on.
func innerGREMAC(b []byte, dir flow.Direction) (mac [6]byte) {
	if off, typ, ok := wrappedInGRE(b); ok && typ == typeBridged {
		return localMAC(b, off, dir)
	}
	return mac
}

// wrappedInGRE is wrappedInUDP for GRE.
func wrappedInGRE(b []byte) (off int, ethertype uint16, ok bool) {
	if len(b) < 4 || b[1]&7 != 0 {
		return 0, 0, false
	}
	return greLen(b[0]), binary.BigEndian.Uint16(b[2:]), true
}

// greLen returns the length of a GRE header by its first byte.
func greLen(flags byte) int {
	n := 4
	for _, bit := range [...]byte{0x80, 0x20, 0x10} { // checksum, key, sequence number
		if flags&bit != 0 {
			n += 4
		}
	}
	return n
}

// localMAC reads the address of the local end of the Ethernet header at off.
func localMAC(b []byte, off int, dir flow.Direction) (mac [6]byte) {
	if dir == flow.Tx {
		off += 6
	}
	if len(b) < off+6 {
		return mac
	}
	if mac = [6]byte(b[off:]); mac[0]&1 != 0 {
		return [6]byte{}
	}
	return mac
}
