package decode

import (
	"spiketop/flow"
)

// upper reads the header at p: ports, TCP flags, echoes. fragmented says that
// the packet goes on in other frames: then it is no echo, see Config.FirstFragments.
func (d *Decoder) upper(f *frame, proto uint8, p int, fragmented bool) {
	if isExtension(proto, f.rec.Key.Family) {
		var ok bool
		if proto, p, ok = d.extensions(f, proto, p, fragmented); !ok {
			return
		}
	}
	f.l4 = p
	switch proto {
	case flow.ProtoTCP:
		if f.ports(p) && f.has(p+14) {
			f.rec.TCPFlags = f.data[p+13]
		}
	case flow.ProtoUDP:
		if f.ports(p) && isTunnelPort(f.u16(p+2)) {
			f.rec.Inner = innerUDPMAC(f.data[p:f.end], f.m.Dir)
			if off, typ, ok := wrappedInUDP(f.data[p:f.end]); ok && !fragmented {
				f.innerEcho(p+off, typ)
			}
		}
	case flow.ProtoSCTP:
		f.ports(p)
	case protoGRE:
		b := f.data[min(p, f.end):f.end]
		f.rec.Inner = innerGREMAC(b, f.m.Dir)
		if off, typ, ok := wrappedInGRE(b); ok && !fragmented {
			f.innerEcho(p+off, typ)
		}
	case flow.ProtoICMP:
		if f.rec.Key.Family == flow.FamilyIPv4 && (!fragmented || d.firstFragments) {
			f.icmpEcho(p, 8, 0)
		}
	case flow.ProtoICMPv6:
		if f.rec.Key.Family == flow.FamilyIPv6 && (!fragmented || d.firstFragments) {
			f.icmpEcho(p, 128, 129)
			if !fragmented {
				f.neighbourhood(p)
			}
		}
	}
}

// neighbourhood tells what keeps an IPv6 network together from pings and errors
// between the same addresses (flow.Key.Neighbourhood). Neighbour discovery has
// the hop limit 255 (RFC 4861 7.1), which nobody beyond the link can forge.
func (f *frame) neighbourhood(p int) {
	if p >= f.end {
		return
	}
	switch t := f.data[p]; {
	case t >= 133 && t <= 137 && f.data[f.l3+7] == 255:
		f.rec.Key.LocalPort = flow.ICMPNeighbour
	case t >= 130 && t <= 132 || t == 143:
		f.rec.Key.LocalPort = flow.ICMPListener
	}
}

// ports reads the two ports with which TCP, UDP and SCTP begin.
func (f *frame) ports(p int) bool {
	if !f.has(p + 4) {
		return false
	}
	f.setPorts(f.u16(p), f.u16(p+2))
	return true
}

// icmpEcho reports a ping or its answer (RFC 792, RFC 4443) at p.
func (f *frame) icmpEcho(p int, request, reply uint8) {
	if !f.has(p + 4) {
		return
	}
	typ, code := f.data[p], f.data[p+1]
	if code != 0 || typ != request && typ != reply {
		return
	}
	if !f.has(p + 8) {
		return
	}
	k := &f.rec.Key
	e := f.echo
	*e = flow.Echo{
		At: f.m.At, Dir: f.m.Dir, Reply: typ == reply, Family: k.Family, VLAN: k.VLAN,
		ID: f.u16(p + 4), Seq: f.u16(p + 6),
		Src: k.Remote, Dst: k.Local,
	}
	if f.m.Dir == flow.Tx {
		e.Src, e.Dst = k.Local, k.Remote
	}
	e.PayloadN = uint8(copy(e.Payload[:], f.data[p+8:f.end]))
	f.hasEcho = true
}

// fragment handles a frame that carries a part of a packet. The first part is
// read like a packet and remembered; a later one has the flow of its first.
func (d *Decoder) fragment(f *frame, id *flow.Key, first bool, proto uint8, p int) {
	d.stats.Fragments++
	k := &f.rec.Key
	k.Proto = proto
	if !first {
		known := needsFirst(proto, k.Family) && d.frags.find(id, f.m, k)
		if !known && hasUpperPorts(proto, k.Family) {
			d.stats.FragmentsUnknown++
		}
		return
	}
	d.upper(f, proto, p, true)
	if needsFirst(proto, k.Family) && f.l4 != 0 && f.l4+4 <= f.end {
		d.stats.FragmentsEvicted += d.frags.add(id, f.m, k)
	}
}

// needsFirst reports whether a later fragment of proto may learn from its first:
// the ports, or in IPv6, where a later one may name any next header and only the
// first one's counts (RFC 8200 4.5), the protocol.
func needsFirst(proto uint8, family flow.Family) bool {
	return family == flow.FamilyIPv6 || hasUpperPorts(proto, family)
}

// hasUpperPorts reports whether there are ports to be expected behind proto.
func hasUpperPorts(proto uint8, family flow.Family) bool {
	return proto == flow.ProtoTCP || proto == flow.ProtoUDP || proto == flow.ProtoSCTP || isExtension(proto, family)
}

// fragKey is the identity of a fragmented packet: the flow's key with the
// identification in place of the ports, and in IPv6 without the protocol, see
// needsFirst.
func fragKey(k *flow.Key, id uint32) flow.Key {
	fk := *k
	fk.LocalPort, fk.RemotePort = uint16(id>>16), uint16(id)
	if k.Family == flow.FamilyIPv6 {
		fk.Proto = 0
	}
	return fk
}
