package dissect

import (
	"encoding/binary"

	"spiketop/flow/stats"
)

const (
	moreFragments = 0x2000
	offsetBits    = 0x1fff
)

// found makes an IP header the one that counts, and forgets what an outer one
// has said.
func (w *walker) found(v4 bool, src, dst stats.Addr) {
	p := w.p
	*p = stats.Packet{At: p.At, Interface: p.Interface, Bytes: p.Bytes, Packets: p.Packets, IP: true, V4: v4, Src: src, Dst: dst}
}

// limit narrows the layer to what an IP header says. A packet that claims more
// than its frame has is noted and read as far as it goes.
func (w *walker) limit(end int) {
	if end > w.wire {
		w.malformed = true
		return
	}
	w.wire = end
	w.end = min(w.end, end)
}

// ipv4 reads an IPv4 packet at off (RFC 791).
func (w *walker) ipv4(off int) {
	if !w.deeper() || !w.has(off, ipv4Len) {
		return
	}
	b := w.b[off : off+ipv4Len]
	hl := int(b[0]&15) * 4
	if b[0]>>4 == 6 { // announced as the wrong version, as Wireshark reads it too
		w.malformed = true
		w.ipv6(off)
		return
	}
	if b[0]>>4 != 4 || hl < ipv4Len {
		w.malformed = true
		return
	}
	w.found(true, stats.IPv4(b[12:]), stats.IPv4(b[16:]))
	p := w.p
	p.Proto = b[9]
	bits := binary.BigEndian.Uint16(b[6:])
	if bits&(moreFragments|offsetBits) != 0 {
		p.Fragment, p.FragID, p.FragProto = fragmentKind(bits&offsetBits != 0), uint32(binary.BigEndian.Uint16(b[4:])), b[9]
	}
	// A total length of 0 is a frame that was not yet cut by the NIC.
	if total := int(binary.BigEndian.Uint16(b[2:])); total != 0 {
		if total < hl {
			w.malformed = true
			return
		}
		w.limit(off + total)
	}
	if !w.has(off, hl) {
		return
	}
	w.sourceRoute(w.b[off+ipv4Len : off+hl])
	if p.Fragment != stats.LaterFragment {
		w.upper(b[9], off+hl)
	}
}

// sourceRoute looks for a source route that has not been gone to its end: its
// last address is where the packet goes (RFC 791, 3.1), the header has the next
// stop only.
func (w *walker) sourceRoute(o []byte) {
	const end, nop, loose, strict = 0, 1, 131, 137
	for len(o) > 0 && o[0] != end {
		if o[0] == nop {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return
		}
		n := int(o[1])
		if (o[0] == loose || o[0] == strict) && n >= 7 && int(o[2]) <= n {
			w.p.Dst = stats.IPv4(o[n-4:])
			return
		}
		o = o[n:]
	}
}

// fragmentKind names a fragment.
func fragmentKind(later bool) stats.Fragment {
	if later {
		return stats.LaterFragment
	}
	return stats.FirstFragment
}

// IPv6 extension headers (RFC 8200).
const (
	extHop      = 0
	extRouting  = 43
	extFragment = 44
	extDest     = 60
	extMobility = 135
	extHIP      = 139
	extShim     = 140
	protoAH     = 51
)

// ipv6 reads an IPv6 packet at off and its extension headers.
func (w *walker) ipv6(off int) {
	if !w.deeper() || !w.has(off, ipv6Len) {
		return
	}
	b := w.b[off : off+ipv6Len]
	if b[0]>>4 != 6 {
		w.malformed = true
		return
	}
	w.found(false, stats.IPv6(b[8:]), stats.IPv6(b[24:]))
	if n := int(binary.BigEndian.Uint16(b[4:])); n != 0 { // 0: a jumbogram, to the end
		w.limit(off + ipv6Len + n)
	} else if b[6] == extFragment { // which has none (RFC 2675)
		w.p.Proto, w.malformed = extFragment, true
		return
	}
	w.extensions(b[6], off+ipv6Len)
}

// extensions walks to the upper-layer header. The protocol of a packet whose
// chain is cut is the last one that is known.
func (w *walker) extensions(next uint8, off int) {
	p := w.p
	for {
		p.Proto = next
		n := 0
		switch next {
		case extHop, extRouting, extDest, extMobility, extHIP, extShim:
			if !w.has(off, 8) {
				return
			}
			n = 8 + int(w.b[off+1])*8
		case extFragment:
			if !w.has(off, 8) {
				return
			}
			n = 8
			bits := w.u16(off + 2)
			if bits&0xfff9 != 0 { // else an atomic fragment (RFC 6946)
				p.Fragment, p.FragID = fragmentKind(bits>>3 != 0), binary.BigEndian.Uint32(w.b[off+4:])
			}
		default:
			w.upper(next, off)
			return
		}
		next = w.b[off]
		off += n
		if p.Fragment == stats.LaterFragment {
			p.Proto = next
			return
		}
		if next == extMobility || off > w.wire {
			p.Proto = next
			if off > w.wire {
				w.malformed = true
			}
			return
		}
	}
}
