package dissect

import (
	"encoding/binary"

	"spiketop/flow/stats"
)

// LINKTYPE_ values of tcpdump.org that are read.
const (
	linkNull       = 0
	linkEN10       = 1
	linkRaw        = 101
	linkRawBSD     = 12 // what DLT_RAW was written as before it had a LINKTYPE_ of its own
	linkRawOpenBSD = 14
	linkLoop       = 108
	linkSLL        = 113
	linkIPv4       = 228
	linkIPv6       = 229
	linkSLL2       = 276
)

const (
	ethLen  = 14
	ipv4Len = 20
	ipv6Len = 40
	tcpLen  = 20
	udpLen  = 8

	// maxDepth bounds how deep tunnels are gone into.
	maxDepth = 32
)

// Frame is one captured packet as the file has it.
type Frame struct {
	Link    uint16
	Data    []byte // captured bytes; not kept
	Len     int    // bytes on the wire
	SegSize uint16 // payload bytes of each segment of a super-frame, 0 = none
	Inner   bool   // look for the innermost IP header instead of the outermost
}

// Read fills in all fields of p but At and Interface.
func Read(f *Frame, p *stats.Packet) {
	*p = stats.Packet{Bytes: uint64(max(f.Len, 0)), Packets: 1, At: p.At, Interface: p.Interface}
	if f.Link == linkEN10 && !f.Inner && fast(f, p) {
		p.Packets, p.Bytes = wire(f, ethLen+ipv4Len, p)
		return
	}
	w := walker{b: f.Data, wire: max(f.Len, len(f.Data)), inner: f.Inner, p: p}
	w.end = len(w.b)
	w.link(f.Link)
	p.Malformed = w.malformed
	p.Packets, p.Bytes = wire(f, w.l4, p)
}

// fast reads what most packets are: whole TCP or UDP packets over IPv4 without
// options and tags. It returns false, with nothing written, for all others.
func fast(f *Frame, p *stats.Packet) bool {
	const need = ethLen + ipv4Len + tcpLen
	if len(f.Data) < need {
		return false
	}
	h := (*[need]byte)(f.Data)
	total := int(binary.BigEndian.Uint16(h[16:]))
	if h[12] != 0x08 || h[13] != 0 || h[14] != 0x45 || binary.BigEndian.Uint16(h[20:])&0x3fff != 0 || total+ethLen > f.Len {
		return false
	}
	switch {
	case h[23] == stats.ProtoTCP && total >= ipv4Len+tcpLen:
		hl := int(h[46]>>4) * 4
		if hl < tcpLen || hl > total-ipv4Len {
			return false
		}
		p.Seq, p.Ack = binary.BigEndian.Uint32(h[38:]), binary.BigEndian.Uint32(h[42:])
		p.TCPFlags, p.Window = h[47], binary.BigEndian.Uint16(h[48:])
		p.SegLen, p.TCP = uint32(total-ipv4Len-hl), true
	case h[23] == stats.ProtoUDP && total >= ipv4Len+udpLen:
	default:
		return false
	}
	p.IP, p.V4, p.Proto = true, true, h[23]
	p.Src, p.Dst = stats.IPv4(h[26:]), stats.IPv4(h[30:])
	p.SrcPort, p.DstPort = binary.BigEndian.Uint16(h[34:]), binary.BigEndian.Uint16(h[36:])
	return true
}

// wire returns how many packets of how many bytes a super-frame was on the wire;
// l4 is where its TCP or UDP header starts. Each segment has the headers again.
func wire(f *Frame, l4 int, p *stats.Packet) (packets uint32, bytes uint64) {
	n := uint64(max(f.Len, 0))
	if f.SegSize == 0 || l4 == 0 {
		return 1, n
	}
	header := uint64(l4 + udpLen)
	if p.TCP {
		header = n - min(n, uint64(p.SegLen))
	}
	if header >= n {
		return 1, n
	}
	payload := n - header
	k := (payload + uint64(f.SegSize) - 1) / uint64(f.SegSize)
	return uint32(k), payload + k*header
}
