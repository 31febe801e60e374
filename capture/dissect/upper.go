package dissect

import (
	"encoding/binary"

	"spiketop/flow/stats"
)

// upper reads the header of proto at off, and goes into a tunnel if the
// innermost IP header is wanted.
func (w *walker) upper(proto uint8, off int) {
	for proto == protoAH {
		if !w.has(off, 12) {
			return
		}
		next := w.b[off]
		n := (int(w.b[off+1]) + 2) * 4
		w.p.Proto, proto = next, next
		off += n
		if next == extDest || next == extFragment || next == extRouting || next == extHop {
			if !w.p.V4 {
				w.extensions(next, off)
			}
			return
		}
	}
	w.p.Proto = proto
	w.l4 = off
	switch proto {
	case stats.ProtoTCP:
		w.ports(off)
		w.tcp(off)
	case stats.ProtoUDP:
		if w.ports(off) && w.inner {
			w.udpTunnel(off)
		}
	case stats.ProtoSCTP, stats.ProtoDCCP, stats.ProtoUDPLite:
		w.ports(off)
	case stats.ProtoICMP:
		w.echo(off, 8, 0)
		w.quoted(off)
	case stats.ProtoICMPv6:
		w.echo(off, 128, 129)
	default:
		if w.inner {
			w.tunnel(proto, off)
		}
	}
}

func (w *walker) ports(off int) bool {
	if !w.has(off, 4) {
		return false
	}
	w.p.SrcPort, w.p.DstPort = w.u16(off), w.u16(off+2)
	return true
}

// tcp reads a TCP header (RFC 9293). A header that was cut counts as far as its
// window, which is all that is wanted; the payload's length follows from the IP
// header.
func (w *walker) tcp(off int) {
	p := w.p
	if !w.has(off, 16) {
		return
	}
	hl := int(w.b[off+12]>>4) * 4
	if hl < tcpLen || off+hl > w.wire {
		w.malformed = true
		return
	}
	p.Seq, p.Ack = binary.BigEndian.Uint32(w.b[off+4:]), binary.BigEndian.Uint32(w.b[off+8:])
	p.TCPFlags, p.Window = w.b[off+13], w.u16(off+14)
	p.SegLen = uint32(w.wire - off - hl)
	p.TCP = p.Fragment == stats.Whole
}

// echo reads an ICMP echo; ICMPv6 ones have other types.
func (w *walker) echo(off int, request, reply uint8) {
	if !w.has(off, 8) {
		return
	}
	switch w.b[off] {
	case request:
		w.p.Echo = stats.EchoRequest
	case reply:
		w.p.Echo = stats.EchoReply
	default:
		return
	}
	w.p.EchoID, w.p.EchoSeq = w.u16(off+4), w.u16(off+6)
}

// quoted reads the destination port of the packet that an ICMP error is about
// (RFC 792): Wireshark's statistics put the error there.
func (w *walker) quoted(off int) {
	if off+8+ipv4Len > w.end {
		return
	}
	switch w.b[off] {
	case 3, 4, 5, 11, 12: // unreachable, quench, redirect, time exceeded, parameter problem
	default:
		return
	}
	off += 8
	b := w.b[off:]
	hl := int(b[0]&15) * 4
	if b[0]>>4 != 4 || hl < ipv4Len || off+hl+4 > w.end || w.u16(off+6)&offsetBits != 0 {
		return
	}
	switch b[9] {
	case stats.ProtoTCP, stats.ProtoUDP, stats.ProtoSCTP, stats.ProtoDCCP:
		w.p.QuotedProto, w.p.QuotedPort = b[9], w.u16(off+hl+2)
	}
}

// UDP ports of tunnels.
const (
	portVXLAN  = 4789 // RFC 7348
	portLinux  = 8472 // VXLAN before it had a number
	portGeneve = 6081 // RFC 8926
	portGTP    = 2152 // GTP-U, 3GPP TS 29.281
)

// udpTunnel goes into what a UDP packet from or to a tunnel's port carries.
func (w *walker) udpTunnel(off int) {
	src, dst := w.p.SrcPort, w.p.DstPort
	to := func(port uint16) bool { return dst == port || src == port }
	off += udpLen
	switch {
	case to(portVXLAN), dst == portLinux:
		if off+8 <= w.end && w.b[off]&8 != 0 {
			w.ethernet(off + 8)
		}
	case to(portGeneve):
		if off+8 <= w.end && w.b[off]>>6 == 0 {
			w.ethertype(w.u16(off+2), off+8+int(w.b[off]&0x3f)*4)
		}
	case to(portGTP):
		w.gtp(off)
	}
}

// gtp goes into a G-PDU of GTPv1-U.
func (w *walker) gtp(off int) {
	const gpdu = 255
	if off+8 > w.end || w.b[off]>>4 != 3 || w.b[off+1] != gpdu {
		return
	}
	flags := w.b[off]
	off += 8
	if flags&7 != 0 { // sequence number, N-PDU number, next extension header
		if off+4 > w.end {
			return
		}
		next := w.b[off+3]
		off += 4
		for flags&4 != 0 && next != 0 {
			if !w.deeper() || off >= w.end {
				return
			}
			n := int(w.b[off]) * 4
			if n == 0 || off+n > w.end {
				return
			}
			next = w.b[off+n-1]
			off += n
		}
	}
	if off < w.end && (w.b[off]>>4 == 4 || w.b[off]>>4 == 6) {
		w.version(off)
	}
}

// tunnel goes into IP in IP, GRE and Ethernet in IP.
func (w *walker) tunnel(proto uint8, off int) {
	switch proto {
	case 4:
		w.ipv4(off)
	case 41:
		w.ipv6(off)
	case 47:
		w.gre(off)
	case 97: // RFC 3378
		w.ethernet(off + 2)
	case 137: // RFC 4023
		w.mpls(off)
	}
}

// gre reads GRE (RFC 2784, RFC 2890; version 1 with PPP: RFC 2637) and ERSPAN,
// whose first type has no header of its own.
func (w *walker) gre(off int) {
	if !w.has(off, 4) {
		return
	}
	flags, t := w.u16(off), w.u16(off+2)
	off += 4
	for _, bit := range [...]uint16{0x8000, 0x2000, 0x1000} { // checksum, key, sequence number
		if flags&bit != 0 {
			off += 4
		}
	}
	switch {
	case flags&7 == 1: // acknowledgement number
		if flags&0x80 != 0 {
			off += 4
		}
		if t == typePPP && off < w.end {
			w.ppp(off)
		}
	case t == typeERSPAN:
		if flags&0x1000 != 0 {
			off += 8
		}
		w.ethernet(off)
	case t == typeERSPAN3:
		if off+12 <= w.end {
			if w.b[off+11]&1 != 0 {
				off += 8 // platform specific part
			}
			w.ethernet(off + 12)
		}
	default:
		w.ethertype(t, off)
	}
}
