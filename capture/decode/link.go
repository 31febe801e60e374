package decode

import (
	"encoding/binary"

	"spiketop/flow"
)

// LINKTYPE_ values of tcpdump.org that [Decoder.DecodeLink] knows.
const (
	linkNull  = 0
	linkEN10  = 1
	linkRaw   = 101
	linkLoop  = 108
	linkSLL   = 113
	linkIPv4  = 228
	linkIPv6  = 229
	linkSLL2  = 276
	sllLen    = 16
	sll2Len   = 20
	outgoing  = 4 // PACKET_OUTGOING, linux/if_packet.h
	familyLen = 4
)

// CookedDir returns the direction that a Linux cooked header tells, and whether
// it tells one. Live frames have theirs from the ring instead.
func CookedDir(link uint16, data []byte) (flow.Direction, bool) {
	kind := -1
	switch {
	case link == linkSLL && len(data) >= sllLen:
		kind = int(binary.BigEndian.Uint16(data))
	case link == linkSLL2 && len(data) >= sll2Len:
		kind = int(data[10])
	}
	switch {
	case kind == outgoing:
		return flow.Tx, true
	case kind == 0: // to us
		return flow.Rx, true
	}
	return flow.Rx, false
}

// DecodeLink is Decode for a packet of a capture file, whose link type (LINKTYPE_
// of tcpdump.org) need not be Ethernet. Without Ethernet there are no MACs: a
// packet that is not IP is a row of its ethertype alone. An unknown type is a row
// without anything.
func (d *Decoder) DecodeLink(link uint16, data []byte, m *Meta, rec *flow.Record, echo *flow.Echo) (hasEcho bool) {
	if link == linkEN10 {
		return d.Decode(data, m, rec, echo)
	}
	d.stats.Frames++
	var f frame
	f.data, f.m, f.rec, f.echo = data, m, rec, echo
	f.wire, f.end = max(int(min(m.Len, maxLen)), len(data)), len(data)
	f.bare = true
	rec.At, rec.Dir, rec.TCPFlags, rec.Inner, rec.MAC = m.At, m.Dir, 0, [6]byte{}, [6]byte{}
	d.bare(&f, link)
	d.count(&f)
	switch f.fault {
	case malformed:
		d.stats.Malformed++
	case truncated:
		d.stats.Truncated++
	}
	return f.hasEcho
}

// bare reads what stands before layer 3 and hands on.
func (d *Decoder) bare(f *frame, link uint16) {
	ethertype := uint16(0)
	switch link {
	case linkRaw, linkIPv4, linkIPv6:
		ethertype = f.version()
	case linkNull, linkLoop:
		if f.has(familyLen) {
			ethertype = family(f.data)
			f.l3 = familyLen
		}
	case linkSLL:
		if f.has(sllLen) {
			ethertype, f.l3 = f.u16(14), sllLen
		}
	case linkSLL2:
		if f.has(sll2Len) {
			ethertype, f.l3 = f.u16(0), sll2Len
		}
	}
	if isTag(ethertype) {
		ethertype = f.tags(ethertype)
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

// family reads the address family of a loopback header, in either byte order:
// AF_INET is 2 everywhere, AF_INET6 is another number on each system.
func family(b []byte) uint16 {
	n := binary.LittleEndian.Uint32(b)
	if n > 0xffff {
		n = binary.BigEndian.Uint32(b)
	}
	switch n {
	case 2:
		return typeIPv4
	case 10, 24, 28, 30: // Linux, NetBSD, FreeBSD, macOS
		return typeIPv6
	}
	return 0
}
