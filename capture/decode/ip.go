package decode

import (
	"encoding/binary"

	"spiketop/flow"
)

const (
	ipv4Len = 20
	ipv6Len = 40

	moreFragments = 0x2000
	fragmentBits  = 0x3fff // of the IPv4 flags word: more fragments, or an offset
	offsetBits    = 0x1fff
)

// ipv4 reads an IPv4 packet at off (RFC 791). It returns false if the header is
// no whole IPv4 header; the frame is then a row by MACs.
func (d *Decoder) ipv4(f *frame, off int) bool {
	if !f.has(off + ipv4Len) {
		return false
	}
	b := f.data[off : off+ipv4Len]
	hl := int(b[0]&15) * 4
	if b[0]>>4 != 4 || hl < ipv4Len {
		f.fault = malformed
		return false
	}
	if !f.has(off + hl) {
		return false
	}
	// A total length of 0 is a super-frame over 64 KiB (BIG TCP): to the end.
	if total := int(binary.BigEndian.Uint16(b[2:])); total >= hl {
		f.limit(off + total)
	} else if total != 0 {
		f.fault = malformed
		return false
	}
	k := &f.rec.Key
	f.setIPv4(b)
	k.LocalPort, k.RemotePort = 0, 0
	k.VLAN, k.Proto, k.Family = f.vlan, b[9], flow.FamilyIPv4

	frag := binary.BigEndian.Uint16(b[6:])
	if frag&fragmentBits == 0 {
		d.upper(f, b[9], off+hl, false)
		return true
	}
	id := fragKey(k, uint32(binary.BigEndian.Uint16(b[4:])))
	d.fragment(f, &id, frag&offsetBits == 0, b[9], off+hl)
	return true
}

// setIPv4 stores the addresses, this host's first, as ::ffff:a.b.c.d.
func (f *frame) setIPv4(b []byte) {
	const mapped = 0xffff << 16 // little endian: the four bytes 00 00 ff ff
	src := mapped | uint64(binary.LittleEndian.Uint32(b[12:]))<<32
	dst := mapped | uint64(binary.LittleEndian.Uint32(b[16:]))<<32
	if f.m.Dir != flow.Tx {
		src, dst = dst, src
	}
	k := &f.rec.Key
	binary.LittleEndian.PutUint64(k.Local[:], 0)
	binary.LittleEndian.PutUint64(k.Local[8:], src)
	binary.LittleEndian.PutUint64(k.Remote[:], 0)
	binary.LittleEndian.PutUint64(k.Remote[8:], dst)
}

// ipv6 reads an IPv6 packet at off (RFC 8200) up to its extension headers. It
// returns false if there is no whole fixed header.
func (d *Decoder) ipv6(f *frame, off int) bool {
	if !f.has(off + ipv6Len) {
		return false
	}
	b := f.data[off : off+ipv6Len]
	if b[0]>>4 != 6 {
		f.fault = malformed
		return false
	}
	next, p := b[6], off+ipv6Len
	// A payload length of 0 is a jumbogram or a super-frame over 64 KiB: to the end.
	if payload := int(binary.BigEndian.Uint16(b[4:])); payload != 0 {
		f.limit(p + payload)
	} else {
		f.jumbo = isJumboHeader(f.data[p:f.end], next)
	}
	k := &f.rec.Key
	if f.m.Dir == flow.Tx {
		k.Local, k.Remote = [16]byte(b[8:24]), [16]byte(b[24:40])
	} else {
		k.Local, k.Remote = [16]byte(b[24:40]), [16]byte(b[8:24])
	}
	k.LocalPort, k.RemotePort = 0, 0
	k.VLAN, k.Proto, k.Family = f.vlan, next, flow.FamilyIPv6
	d.upper(f, next, p, false)
	return true
}

// isJumboHeader reports whether b is the hop-by-hop header that the kernel puts
// into super-frames over 64 KiB (ipv6_has_hopopt_jumbo, net/ipv6.h): 8 bytes
// with nothing but the jumbo payload option (RFC 2675).
func isJumboHeader(b []byte, next uint8) bool {
	return next == extHopByHop && len(b) >= 8 && b[1] == 0 && b[2] == 0xc2 && b[3] == 4
}
