package decode

import (
	"encoding/binary"

	"spiketop/flow"
)

// Headers that may stand between IP and the upper layer (RFC 7045).
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extAH          = 51 // authentication header, RFC 4302; in IPv4 too
	extNoNext      = 59
	extDestination = 60
	extMobility    = 135
	extHIP         = 139
	extShim6       = 140

	// maxExtensions bounds the time that a hostile packet takes. RFC 8200 4.1
	// knows no use for more than seven; crafted packets with 100 are about, and
	// other tools find the ports behind them. A ring's snaplen ends it far sooner.
	maxExtensions = 256
)

// isExtension reports whether proto is a header to be walked over. In IPv4 only
// AH is, the other numbers have no meaning there.
func isExtension(proto uint8, family flow.Family) bool {
	if family == flow.FamilyIPv4 {
		return proto == extAH
	}
	switch proto {
	case extHopByHop, extRouting, extFragment, extAH, extDestination, extMobility, extHIP, extShim6:
		return true
	}
	return false
}

// extensions walks over the extension headers that begin with proto at p. It
// returns the protocol behind them and where it starts, or ok false when the
// walk has ended: in a fragment, a cut or broken header, or a header that is
// the message itself (mobility). Key.Proto then is that header's number.
func (d *Decoder) extensions(f *frame, proto uint8, p int, fragmented bool) (uint8, int, bool) {
	k := &f.rec.Key
	for n := 0; isExtension(proto, k.Family); n++ {
		if n == maxExtensions {
			f.fault = malformed
			return proto, p, false
		}
		if !f.has(p + 8) {
			return proto, p, false
		}
		next := f.data[p]
		if proto == extFragment {
			if word := f.u16(p + 2); word&0xfff9 != 0 && !fragmented {
				id := fragKey(k, binary.BigEndian.Uint32(f.data[p+4:]))
				d.fragment(f, &id, word&0xfff8 == 0, next, p+8)
				return next, p, false
			}
		}
		if next == extNoNext && proto >= extMobility {
			return proto, p, false
		}
		end := p + extensionLen(proto, f.data[p+1])
		if !f.has(end) {
			return proto, p, false
		}
		proto, p = next, end
		k.Proto = proto
	}
	return proto, p, true
}

// extensionLen returns the length in bytes of a header whose length field is n.
func extensionLen(proto, n uint8) int {
	switch proto {
	case extFragment:
		return 8
	case extAH:
		return (int(n) + 2) * 4
	}
	return (int(n) + 1) * 8
}
