package decode

import "spiketop/flow"

// Ethertypes (IEEE 802 numbers) that decide the way of a frame.
const (
	typeIPv4  = 0x0800
	typeIPv6  = 0x86dd
	typeDot1Q = 0x8100
	typeQinQ  = 0x88a8 // IEEE 802.1ad service tag
	typeQinQ1 = 0x9100 // the service tag of switches older than 802.1ad

	minEthertype = 0x600 // below it the field is the length of an 802.3 frame
)

const (
	ethLen = 14
	tagLen = 4

	// maxTags is the kernel's VLAN_MAX_DEPTH.
	maxTags = 8
)

func isTag(ethertype uint16) bool {
	return ethertype == typeDot1Q || ethertype == typeQinQ || ethertype == typeQinQ1
}

// ethernet reads layer 2 and hands on to layer 3.
func (d *Decoder) ethernet(f *frame) {
	if !f.has(ethLen) {
		f.macRow(0)
		return
	}
	if f.m.Dir == flow.Tx {
		copy(f.rec.MAC[:], f.data[6:12])
	} else {
		copy(f.rec.MAC[:], f.data[0:6])
	}
	if f.m.HasVLAN {
		f.vlan = f.m.VLAN & 0xfff
	}
	ethertype := f.u16(12)
	f.l3 = ethLen
	if isTag(ethertype) {
		ethertype = f.tags(ethertype)
	}
	if ethertype < minEthertype {
		ethertype = f.llc()
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

// tags walks over the tags in the frame and returns the ethertype behind them.
// The outermost id counts; id 0 is a priority tag (IEEE 802.1Q 9.6): it puts the
// frame in no VLAN, so the next id is asked. Where the tags do not end, it
// returns the ethertype of the last one.
func (f *frame) tags(ethertype uint16) uint16 {
	for n := 0; isTag(ethertype); n++ {
		if n == maxTags {
			f.fault = malformed
			break
		}
		if !f.has(f.l3 + tagLen) {
			break
		}
		if f.vlan == 0 {
			f.vlan = f.u16(f.l3) & 0xfff
		}
		ethertype = f.u16(f.l3 + 2)
		f.l3 += tagLen
	}
	return ethertype
}

// llc reads an IEEE 802.2 header. SNAP with the OUI 0 wraps an ethertype
// (RFC 1042), which is returned; anything else (spanning tree, CDP) gives 0, so
// that all LLC frames of a MAC pair are one row whatever their lengths are.
func (f *frame) llc() uint16 {
	if len(f.data) < f.l3+8 {
		return 0
	}
	b := f.data[f.l3:]
	if b[0] != 0xaa || b[1] != 0xaa || b[2] != 3 || b[3]|b[4]|b[5] != 0 {
		return 0
	}
	ethertype := f.u16(f.l3 + 6)
	if ethertype < minEthertype {
		return 0
	}
	f.limit(f.l3 + int(f.u16(f.l3-2)))
	f.l3 += 8
	return ethertype
}

// macRow makes the frame a row by its MAC pair and ethertype. MACs that were not
// captured are zero.
func (f *frame) macRow(ethertype uint16) {
	var h [12]byte
	if !f.bare {
		copy(h[:], f.data)
	} else {
		copy(h[6:], cookedSender(f.link, f.data))
	}
	local, remote := h[6:12], h[0:6]
	if f.m.Dir != flow.Tx {
		local, remote = remote, local
	}
	k := &f.rec.Key
	*k = flow.Key{LocalPort: ethertype, VLAN: f.vlan}
	flow.SetMAC(&k.Local, local)
	flow.SetMAC(&k.Remote, remote)
	copy(f.rec.MAC[:], local)
	f.rec.TCPFlags = 0
	f.l4 = 0
}
