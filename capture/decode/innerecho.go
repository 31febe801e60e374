package decode

import (
	"encoding/binary"

	"spiketop/flow"
)

// wrapped is an ICMP message of the packet inside of a tunnel.
type wrapped struct {
	family flow.Family
	l3, l4 int // where its IP header and its ICMP header start
	end    int // where its captured bytes end, padding and what the snaplen cut left out
	vlan   uint16
}

// hidesICMP reports whether the VXLAN or Geneve packet b, from the UDP header
// on, carries ICMP.
func hidesICMP(b []byte) bool {
	off, typ, ok := wrappedInUDP(b)
	if !ok {
		return false
	}
	_, ok = innerICMP(b, off, typ)
	return ok
}

// innerICMP looks for a whole ICMP or ICMPv6 packet at off in b. A tunnel inside
// of the tunnel is not looked into.
func innerICMP(b []byte, off int, ethertype uint16) (w wrapped, ok bool) {
	if ethertype == typeBridged {
		if off, ethertype, ok = innerTags(b, off, &w); !ok {
			return w, false
		}
	}
	w.l3 = off
	switch ethertype {
	case typeIPv4:
		return w, w.ipv4(b)
	case typeIPv6:
		return w, w.ipv6(b)
	}
	return w, false
}

// innerTags steps over the Ethernet header at off and its tags. The outermost
// VLAN counts, as in frame.tags.
func innerTags(b []byte, off int, w *wrapped) (int, uint16, bool) {
	off += ethLen
	if len(b) < off {
		return 0, 0, false
	}
	ethertype := binary.BigEndian.Uint16(b[off-2:])
	for n := 0; isTag(ethertype); n++ {
		if n == maxTags || len(b) < off+tagLen {
			return 0, 0, false
		}
		if w.vlan == 0 {
			w.vlan = binary.BigEndian.Uint16(b[off:]) & 0xfff
		}
		ethertype = binary.BigEndian.Uint16(b[off+2:])
		off += tagLen
	}
	return off, ethertype, true
}

func (w *wrapped) ipv4(b []byte) bool {
	if len(b) < w.l3+ipv4Len {
		return false
	}
	h := b[w.l3:]
	hl, total := int(h[0]&15)*4, int(binary.BigEndian.Uint16(h[2:]))
	if h[0]>>4 != 4 || hl < ipv4Len || total < hl || h[9] != flow.ProtoICMP || binary.BigEndian.Uint16(h[6:])&fragmentBits != 0 {
		return false
	}
	w.family, w.l4, w.end = flow.FamilyIPv4, w.l3+hl, min(len(b), w.l3+total)
	return true
}

// ipv6 walks over hop-by-hop, routing and destination options, and a fragment
// header that fragments nothing.
func (w *wrapped) ipv6(b []byte) bool {
	if len(b) < w.l3+ipv6Len {
		return false
	}
	h := b[w.l3:]
	if h[0]>>4 != 6 {
		return false
	}
	w.end = min(len(b), w.l3+ipv6Len+int(binary.BigEndian.Uint16(h[4:])))
	next, p := h[6], w.l3+ipv6Len
	for n := 0; next != flow.ProtoICMPv6; n++ {
		if n == maxTags || !isExtension(next, flow.FamilyIPv6) || w.end < p+8 {
			return false
		}
		if next == extFragment && binary.BigEndian.Uint16(b[p+2:])&0xfff9 != 0 {
			return false
		}
		next, p = b[p], p+extensionLen(next, b[p+1])
	}
	w.family, w.l4 = flow.FamilyIPv6, p
	return true
}

// innerEcho reports a ping, or its answer, inside of a tunnel whose packet
// starts at off. What is odd inside is the guest's business: no fault is noted.
func (f *frame) innerEcho(off int, ethertype uint16) {
	b := f.data[:f.end]
	w, ok := innerICMP(b, off, ethertype)
	if !ok || w.end < w.l4+8 {
		return
	}
	request, reply := uint8(8), uint8(0)
	if w.family == flow.FamilyIPv6 {
		request, reply = 128, 129
	}
	typ, code := b[w.l4], b[w.l4+1]
	if code != 0 || typ != request && typ != reply {
		return
	}
	e := f.echo
	*e = flow.Echo{
		At: f.m.At, Dir: f.m.Dir, Tunnel: true, Reply: typ == reply, Family: w.family, VLAN: w.vlan,
		ID: f.u16(w.l4 + 4), Seq: f.u16(w.l4 + 6),
	}
	h := b[w.l3:]
	if w.family == flow.FamilyIPv4 {
		flow.SetIPv4(&e.Src, h[12:16])
		flow.SetIPv4(&e.Dst, h[16:20])
	} else {
		e.Src, e.Dst = [16]byte(h[8:24]), [16]byte(h[24:40])
	}
	e.PayloadN = uint8(copy(e.Payload[:], b[w.l4+8:w.end]))
	f.hasEcho = true
}
