package decode

import (
	"encoding/binary"

	"spiketop/flow"
)

// LINKTYPE_ values (https://www.tcpdump.org/linktypes.html) that DecodeLink
// knows.
const (
	linkNull     = 0
	linkEthernet = 1
	linkRaw      = 101
	linkRaw12    = 12 // DLT_RAW of BPF systems, which reaches files
	linkRaw14    = 14 // DLT_RAW of OpenBSD
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

const (
	familyLen = 4
	sllLen    = 16
	sll2Len   = 20

	// Packet types of cooked headers (linux/if_packet.h): below outgoing are
	// those that came in, for this host, for all, for a group, for others.
	packetOutgoing = 4

	// Protocols of cooked headers that are no ethertype.
	cookedLLC = 4
)

// CookedDir returns the direction that a Linux cooked header (SLL, SLL2) tells,
// and whether it tells one. DecodeLink asks it itself.
func CookedDir(link uint16, data []byte) (flow.Direction, bool) {
	kind := -1
	switch {
	case link == linkSLL && len(data) >= sllLen:
		kind = int(binary.BigEndian.Uint16(data))
	case link == linkSLL2 && len(data) >= sll2Len:
		kind = int(data[10])
	}
	switch {
	case kind == packetOutgoing:
		return flow.Tx, true
	case kind >= 0 && kind < packetOutgoing:
		return flow.Rx, true
	}
	return flow.Rx, false
}

// CookedInterface returns the index of the interface on which a packet with an
// SLL2 header was captured (tcpdump -i any), or 0.
func CookedInterface(link uint16, data []byte) int {
	if link != linkSLL2 || len(data) < sll2Len {
		return 0
	}
	return int(binary.BigEndian.Uint32(data[4:]))
}

// DecodeLink is Decode for a packet of a capture file, which begins as its link
// type (a LINKTYPE_ value) says: Ethernet, raw IP, BSD loopback or Linux cooked.
// The result is that of the packet in an Ethernet frame, but for these:
//
//   - Bytes and SKBBytes have the length in the file, its own header included.
//   - MAC is zero where the header has none. Cooked headers have the sender's:
//     this host's if it sent the packet.
//   - Dir is what a cooked header says, if it does, and m.Dir only otherwise.
//   - What is not IP is a row by its ethertype and the addresses there are.
//
// A packet of another link type is counted as a row without anything.
func (d *Decoder) DecodeLink(link uint16, data []byte, m *Meta, rec *flow.Record, echo *flow.Echo) (hasEcho bool) {
	if link == linkEthernet {
		return d.Decode(data, m, rec, echo)
	}
	d.stats.Frames++
	// No fast path: without MACs to read, the general one takes little longer than
	// fastIPv4 behind a copy of the headers does (BenchmarkDecodeLink).
	if dir, ok := CookedDir(link, data); ok && dir != m.Dir {
		turned := *m
		turned.Dir = dir
		m = &turned
	}
	var f frame
	f.data, f.m, f.rec, f.echo = data, m, rec, echo
	f.wire, f.end = max(int(min(m.Len, maxLen)), len(data)), len(data)
	f.bare, f.link = true, link
	rec.At, rec.Dir, rec.TCPFlags, rec.Inner = m.At, m.Dir, 0, [6]byte{}
	rec.MAC = cookedMAC(link, data, m.Dir)
	d.bare(&f)
	d.count(&f)
	switch f.fault {
	case malformed:
		d.stats.Malformed++
	case truncated:
		d.stats.Truncated++
	}
	return f.hasEcho
}

// bare reads what stands before layer 3 and hands on to it.
func (d *Decoder) bare(f *frame) {
	if f.m.HasVLAN {
		f.vlan = f.m.VLAN & 0xfff
	}
	ethertype := f.linkHeader()
	if isTag(ethertype) {
		if ethertype = f.tags(ethertype); ethertype < minEthertype {
			ethertype = f.llc()
		}
	}
	ok := false
	switch ethertype {
	case typeIPv4:
		ok = d.ipv4(f, f.l3)
	case typeIPv6:
		ok = d.ipv6(f, f.l3)
	}
	if !ok {
		f.macRow(ethertype)
	}
}

// linkHeader reads the header of f.link, sets l3, and returns the ethertype.
func (f *frame) linkHeader() uint16 {
	switch f.link {
	case linkRaw, linkRaw12, linkRaw14:
		return f.version()
	case linkIPv4:
		return typeIPv4
	case linkIPv6:
		return typeIPv6
	case linkNull, linkLoop:
		if f.has(familyLen) {
			f.l3 = familyLen
			return ofFamily(binary.BigEndian.Uint32(f.data))
		}
	case linkSLL:
		if f.has(sllLen) {
			f.l3 = sllLen
			return f.cookedProtocol(f.u16(14))
		}
	case linkSLL2:
		if f.has(sll2Len) {
			f.l3 = sll2Len
			return f.cookedProtocol(f.u16(0))
		}
	}
	return 0
}

// version tells IPv4 from IPv6 by the first four bits.
func (f *frame) version() uint16 {
	if !f.has(1) {
		return 0
	}
	switch f.data[0] >> 4 {
	case 4:
		return typeIPv4
	case 6:
		return typeIPv6
	}
	f.fault = malformed
	return 0
}

// ofFamily returns the ethertype of an address family, which loopback headers
// have in the byte order of the machine that captured or, LOOP, of the network.
// AF_INET is 2 everywhere; AF_INET6 differs between systems.
func ofFamily(n uint32) uint16 {
	if n > 0xffff {
		n = n>>24 | n>>8&0xff00 // a little-endian number below 65536
	}
	switch n {
	case 2:
		return typeIPv4
	case 10, 24, 28, 30: // Linux, NetBSD and OpenBSD, FreeBSD, macOS
		return typeIPv6
	}
	return 0
}

// cookedProtocol returns the ethertype of a cooked packet. 802.2 frames may wrap
// one, as in llc, but their length is not known here.
func (f *frame) cookedProtocol(protocol uint16) uint16 {
	if protocol >= minEthertype {
		return protocol
	}
	if protocol != cookedLLC || len(f.data) < f.l3+8 {
		return 0
	}
	b := f.data[f.l3:]
	ethertype := f.u16(f.l3 + 6)
	if b[0] != 0xaa || b[1] != 0xaa || b[2] != 3 || b[3]|b[4]|b[5] != 0 || ethertype < minEthertype {
		return 0
	}
	f.l3 += 8
	return ethertype
}

// cookedSender returns the MAC of a cooked packet's sender, or nil.
func cookedSender(link uint16, data []byte) []byte {
	switch {
	case link == linkSLL && len(data) >= sllLen && binary.BigEndian.Uint16(data[4:]) == 6:
		return data[6:12]
	case link == linkSLL2 && len(data) >= sll2Len && data[11] == 6:
		return data[12:18]
	}
	return nil
}

// cookedMAC returns the MAC of the local end: known if that is the sender.
func cookedMAC(link uint16, data []byte, dir flow.Direction) (mac [6]byte) {
	if dir == flow.Tx {
		copy(mac[:], cookedSender(link, data))
	}
	return mac
}
