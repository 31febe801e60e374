package decode

import "encoding/binary"

// SegmentType is the gso_type (linux/virtio_net.h) of a super-frame of a capture
// file, which tells the size of the pieces alone: what is cut into them is read
// from the headers. link is a LINKTYPE_ of tcpdump.org. It is never zero: what is
// no UDP of its own is taken for TCP.
func SegmentType(link uint16, data []byte) uint8 {
	ethertype, at := uint16(0), 0
	switch link {
	case linkEthernet:
		ethertype, at = etherType(data, 12)
	case linkSLL:
		ethertype, at = etherType(data, 14)
	case linkSLL2:
		if len(data) >= sll2Len {
			ethertype, at = binary.BigEndian.Uint16(data), sll2Len
		}
	case linkNull, linkLoop:
		if len(data) > familyLen {
			ethertype, at = ofFamily(binary.BigEndian.Uint32(data)), familyLen
		}
	default:
		if len(data) > 0 && data[0]>>4 == 6 {
			ethertype = typeIPv6
		}
	}
	if ethertype == typeIPv6 {
		if p := byteAt(data, at+6); p == protoUDP && !inTunnel(data, at+40) {
			return gsoUDP
		}
		return gsoTCPv6
	}
	if p := byteAt(data, at+9); p == protoUDP && !inTunnel(data, at+4*int(byteAt(data, at)&0xf)) {
		return gsoUDP
	}
	return gsoTCPv4
}

const protoUDP = 17

// etherType skips the tags of a frame whose first ethertype stands at at; start is
// where layer 3 begins.
func etherType(data []byte, at int) (ethertype uint16, start int) {
	for tags := 0; at+2 <= len(data) && tags < 4; tags++ {
		ethertype = binary.BigEndian.Uint16(data[at:])
		if !isTag(ethertype) {
			break
		}
		at += tagLen
	}
	return ethertype, at + 2
}

// inTunnel reports whether the UDP header at udp is that of a tunnel.
func inTunnel(data []byte, udp int) bool {
	return udp+4 <= len(data) && isTunnelPort(binary.BigEndian.Uint16(data[udp+2:]))
}

func byteAt(data []byte, at int) byte {
	if at < len(data) {
		return data[at]
	}
	return 0
}
