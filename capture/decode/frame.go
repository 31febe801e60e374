package decode

import (
	"encoding/binary"

	"spiketop/flow"
)

// fault says what is wrong with a frame; a frame has at most one.
type fault uint8

const (
	sound fault = iota
	malformed
	truncated
)

// frame is one frame on its way through the layers. Offsets count from the
// start of data.
type frame struct {
	data []byte
	m    *Meta
	rec  *flow.Record
	echo *flow.Echo

	// wire is where the layer at hand ends on the wire, end where its captured
	// bytes end: end <= len(data), end <= wire. Ethernet padding lies behind.
	wire, end int

	vlan    uint16
	l3, l4  int  // where layer 3 and the upper-layer header start; l4 0 = not reached
	jumbo   bool // has the kernel's 8-byte jumbo option header, see wire.go
	hasEcho bool
	bare    bool   // has no Ethernet header, but that of link
	link    uint16 // LINKTYPE_ value, valid if bare
	fault   fault
}

// has reports whether the first n bytes were captured. If not, it notes whose
// fault that is: the snaplen's, or the sender's whose packet ends too early.
func (f *frame) has(n int) bool {
	if n <= f.end {
		return true
	}
	if f.fault == sound {
		f.fault = malformed
		if n <= f.wire {
			f.fault = truncated
		}
	}
	return false
}

// limit narrows the layer at hand to end at offset n, as an IP header says. A
// packet that claims more bytes than its frame has is noted and read as far as
// it goes, as its addresses are good.
func (f *frame) limit(n int) {
	if n > f.wire {
		f.fault = malformed
		return
	}
	f.wire = n
	f.end = min(f.end, n)
}

func (f *frame) u16(off int) uint16 { return binary.BigEndian.Uint16(f.data[off:]) }

// setPorts stores the ports of a header as Key wants them: this host's first.
func (f *frame) setPorts(src, dst uint16) {
	if f.m.Dir == flow.Tx {
		f.rec.Key.LocalPort, f.rec.Key.RemotePort = src, dst
	} else {
		f.rec.Key.LocalPort, f.rec.Key.RemotePort = dst, src
	}
}
