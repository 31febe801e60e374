package flow

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Key identifies a flow on one link: the 5-tuple with its VLAN, seen from this
// host. It is 40 bytes without pointers, so that a table of a million of them
// costs the garbage collector nothing and five multiplications hash it.
//
// Local is the end on this host's side of the link: the source of what leaves
// (Tx), the destination of what arrives (Rx).
type Key struct {
	Local, Remote         [16]byte // IPv4 as ::ffff:a.b.c.d; FamilyMAC: the MAC in the last six bytes
	LocalPort, RemotePort uint16   // host order; TCP, UDP, SCTP; else 0. FamilyMAC: LocalPort is the ethertype; ICMPv6: see Neighbourhood
	VLAN                  uint16   // outermost VLAN id, 0 = untagged
	Proto                 uint8    // IP protocol number (1, 6, 17, 58, 132, ...); FamilyMAC: 0
	Family                Family
}

// Family says how the addresses of a Key are to be read.
type Family uint8

const (
	FamilyMAC  Family = 0 // neither IPv4 nor IPv6: ARP, LACP, LLDP, AoE, ...
	FamilyIPv4 Family = 4
	FamilyIPv6 Family = 6
)

// IP protocol numbers used by name in this program.
const (
	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
	ProtoSCTP   = 132
)

// LocalAddr returns the local address; it is invalid for FamilyMAC.
func (k *Key) LocalAddr() netip.Addr { return k.addr(&k.Local) }

// RemoteAddr returns the remote address; it is invalid for FamilyMAC.
func (k *Key) RemoteAddr() netip.Addr { return k.addr(&k.Remote) }

func (k *Key) addr(b *[16]byte) netip.Addr {
	switch k.Family {
	case FamilyIPv4:
		return netip.AddrFrom4([4]byte(b[12:]))
	case FamilyIPv6:
		return netip.AddrFrom16(*b)
	}
	return netip.Addr{}
}

// Values of Key.LocalPort by which what ICMPv6 does for the network itself is
// told from pings and errors between the same two addresses.
const (
	ICMPListener  = 130 // any message of multicast listener discovery (RFC 2710, RFC 3810)
	ICMPNeighbour = 135 // any message of neighbour discovery (RFC 4861)
)

// Neighbourhood returns ICMPNeighbour or ICMPListener for such a flow, else 0.
func (k *Key) Neighbourhood() uint16 {
	if k.Family == FamilyIPv6 && k.Proto == ProtoICMPv6 {
		return k.LocalPort
	}
	return 0
}

// SetIPv4 stores a as an IPv4-mapped address.
func SetIPv4(dst *[16]byte, a []byte) {
	*dst = [16]byte{10: 0xff, 11: 0xff}
	copy(dst[12:], a[:4])
}

// SetMAC stores a MAC address in the last six bytes.
func SetMAC(dst *[16]byte, a []byte) {
	*dst = [16]byte{}
	copy(dst[10:], a[:6])
}

// HasPorts reports whether the protocol of k has ports.
func (k *Key) HasPorts() bool {
	return k.Family != FamilyMAC && (k.Proto == ProtoTCP || k.Proto == ProtoUDP || k.Proto == ProtoSCTP)
}

// LocalEnd returns the local end in full: "10.0.0.1:80", "[2001:db8::1]:80",
// "10.0.0.1" where the protocol has no ports, "02:00:00:00:00:01" for a MAC.
func (k *Key) LocalEnd() string { return k.end(&k.Local, k.LocalPort) }

// RemoteEnd is LocalEnd for the other side.
func (k *Key) RemoteEnd() string { return k.end(&k.Remote, k.RemotePort) }

func (k *Key) end(b *[16]byte, port uint16) string {
	if k.Family == FamilyMAC {
		return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[10], b[11], b[12], b[13], b[14], b[15])
	}
	a := k.addr(b)
	if k.HasPorts() {
		return netip.AddrPortFrom(a, port).String()
	}
	return a.String()
}

// ProtoName returns "tcp", "udp", "sctp", "icmp", "icmp6", "nd" and "mld" for
// those two parts of ICMPv6 (see Neighbourhood), the number of any other IP
// protocol, or for a MAC pair the ethertype: "arp", "lacp", "lldp" or
// "0x88cc" form.
func (k *Key) ProtoName() string {
	if k.Family == FamilyMAC {
		return EthertypeName(k.LocalPort)
	}
	switch k.Proto {
	case ProtoTCP:
		return "tcp"
	case ProtoUDP:
		return "udp"
	case ProtoSCTP:
		return "sctp"
	case ProtoICMP:
		return "icmp"
	case ProtoICMPv6:
		switch k.Neighbourhood() {
		case ICMPNeighbour:
			return "nd"
		case ICMPListener:
			return "mld"
		}
		return "icmp6"
	}
	return fmt.Sprint(k.Proto)
}

// EthertypeName names an ethertype (IEEE 802 numbers) or prints it in hex.
func EthertypeName(t uint16) string {
	switch t {
	case 0x0806:
		return "arp"
	case 0x8809:
		return "lacp" // slow protocols: LACP, marker, OAM
	case 0x88cc:
		return "lldp"
	case 0x8847:
		return "mpls"
	case 0x88a2:
		return "aoe"
	case 0x8915:
		return "roce"
	case 0x888e:
		return "eapol"
	case 0x8863, 0x8864:
		return "pppoe"
	}
	if t < 0x600 {
		return "802.3" // a length field: spanning tree and other LLC
	}
	return fmt.Sprintf("0x%04x", t)
}

// Compare orders keys for ties in ranking; it returns -1, 0 or +1.
func (k *Key) Compare(o *Key) int {
	for _, p := range [...][2]*[16]byte{{&k.Local, &o.Local}, {&k.Remote, &o.Remote}} {
		for i := 0; i < 16; i += 8 {
			a, b := binary.BigEndian.Uint64(p[0][i:]), binary.BigEndian.Uint64(p[1][i:])
			if a != b {
				if a < b {
					return -1
				}
				return 1
			}
		}
	}
	for _, p := range [...][2]uint16{{k.LocalPort, o.LocalPort}, {k.RemotePort, o.RemotePort}, {k.VLAN, o.VLAN},
		{uint16(k.Proto), uint16(o.Proto)}, {uint16(k.Family), uint16(o.Family)}} {
		if p[0] != p[1] {
			if p[0] < p[1] {
				return -1
			}
			return 1
		}
	}
	return 0
}
