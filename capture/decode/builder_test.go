package decode

import (
	"encoding/binary"
	"net/netip"

	"spiketop/flow"
)

// The frames of these tests run from host a to host b unless they say otherwise.
var (
	macA = []byte{2, 0, 0, 0, 0, 0xa}
	macB = []byte{2, 0, 0, 0, 0, 0xb}

	a4, b4 = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	a6, b6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
)

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func be16(v ...uint16) []byte {
	var b []byte
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return b
}

func zeros(n int) []byte { return make([]byte, n) }

// eth builds an Ethernet frame from a to b.
func eth(ethertype uint16, payload ...[]byte) []byte {
	return join(macB, macA, be16(ethertype), join(payload...))
}

// tag is what follows a tag's TPID: the TCI and the next ethertype.
func tag(tci, ethertype uint16) []byte { return be16(tci, ethertype) }

// ip4 builds an IPv4 packet from a to b; edit, if given, changes its header.
func ip4(proto uint8, payload []byte, edit ...func(h []byte)) []byte {
	h := join([]byte{0x45, 0}, be16(uint16(20+len(payload)), 0x1234, 0), []byte{64, proto, 0, 0}, a4.AsSlice(), b4.AsSlice())
	for _, e := range edit {
		e(h)
	}
	return join(h, payload)
}

// ip4Options is ip4 with n bytes of no-operation options.
func ip4Options(n int, proto uint8, payload []byte) []byte {
	p := ip4(proto, payload, func(h []byte) {
		h[0] += byte(n / 4)
		binary.BigEndian.PutUint16(h[2:], uint16(20+n+len(payload)))
	})
	options := make([]byte, n)
	for i := range options {
		options[i] = 1
	}
	return join(p[:20], options, p[20:])
}

// fragment4 sets the fragment fields of an IPv4 header: offset in bytes.
func fragment4(id uint16, offset int, more bool) func(h []byte) {
	return func(h []byte) {
		word := uint16(offset / 8)
		if more {
			word |= 0x2000
		}
		copy(h[4:], be16(id, word))
	}
}

// ip6 builds an IPv6 packet from a to b.
func ip6(next uint8, payload []byte) []byte {
	return join([]byte{0x60, 0, 0, 0}, be16(uint16(len(payload))), []byte{next, 64}, a6.AsSlice(), b6.AsSlice(), payload)
}

// onLink gives an IPv6 packet the hop limit of neighbour discovery.
func onLink(packet []byte) []byte {
	packet[7] = 255
	return packet
}

// ext builds an extension header of 8*units bytes in front of payload.
func ext(next uint8, units int, payload []byte) []byte {
	return join([]byte{next, byte(units - 1)}, zeros(8*units-2), payload)
}

// fragment6 builds a fragment header in front of payload.
func fragment6(next uint8, id uint32, offset int, more bool, payload []byte) []byte {
	word := uint16(offset)
	if more {
		word |= 1
	}
	return join([]byte{next, 0}, be16(word, uint16(id>>16), uint16(id)), payload)
}

// ah builds an authentication header of 4*words bytes in front of payload.
func ah(next uint8, words int, payload []byte) []byte {
	return join([]byte{next, byte(words - 2)}, zeros(4*words-2), payload)
}

func tcp(src, dst uint16, flags uint8, payload []byte) []byte {
	return join(be16(src, dst), zeros(8), []byte{5 << 4, flags}, zeros(6), payload)
}

// tcpStamps is tcp with the 12 bytes of a time stamp option.
func tcpStamps(src, dst uint16, flags uint8, payload []byte) []byte {
	return join(be16(src, dst), zeros(8), []byte{8 << 4, flags}, zeros(6), []byte{1, 1, 8, 10}, zeros(8), payload)
}

func udp(src, dst uint16, payload []byte) []byte {
	return join(be16(src, dst, uint16(8+len(payload)), 0), payload)
}

func sctp(src, dst uint16, payload []byte) []byte {
	return join(be16(src, dst), zeros(8), payload)
}

func icmp(typ, code uint8, id, seq uint16, payload []byte) []byte {
	return join([]byte{typ, code, 0, 0}, be16(id, seq), payload)
}

// ends returns a Key from a to b as Tx sees it.
func ends(a, b netip.Addr, proto uint8, aPort, bPort uint16) flow.Key {
	k := flow.Key{Proto: proto, LocalPort: aPort, RemotePort: bPort, Local: a.As16(), Remote: b.As16(), Family: flow.FamilyIPv6}
	if a.Is4() {
		k.Family = flow.FamilyIPv4
	}
	return k
}

func key4(proto uint8, aPort, bPort uint16) flow.Key { return ends(a4, b4, proto, aPort, bPort) }
func key6(proto uint8, aPort, bPort uint16) flow.Key { return ends(a6, b6, proto, aPort, bPort) }

// keyMAC is the row of a frame from a to b that is not IP.
func keyMAC(ethertype uint16) flow.Key {
	k := flow.Key{LocalPort: ethertype}
	copy(k.Local[10:], macA)
	copy(k.Remote[10:], macB)
	return k
}

func onVLAN(id uint16, k flow.Key) flow.Key {
	k.VLAN = id
	return k
}

// swapped is the key of the same frame seen as Rx. A MAC row keeps its ethertype
// in LocalPort.
func swapped(k flow.Key) flow.Key {
	k.Local, k.Remote = k.Remote, k.Local
	if k.HasPorts() { // else LocalPort is an ethertype or says what ICMPv6 is about
		k.LocalPort, k.RemotePort = k.RemotePort, k.LocalPort
	}
	return k
}

// txMeta is what the ring says about data sent whole.
func txMeta(data []byte) Meta { return Meta{At: 1e9, Dir: flow.Tx, Len: uint32(len(data))} }
