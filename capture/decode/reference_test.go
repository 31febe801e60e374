package decode

import (
	"net"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"spiketop/flow"
)

func init() {
	// gopacket knows 0x8100 and 0x88a8 only.
	layers.EthernetTypeMetadata[typeQinQ1] = layers.EthernetTypeMetadata[layers.EthernetTypeDot1Q]
}

// opinion is what gopacket says about a frame, its source taken as the local end.
type opinion struct {
	key     flow.Key
	network bool // it read a whole IP header
	upper   bool // it read the upper-layer header, or there is none to read
	echo    *flow.Echo
}

// reference holds what gopacket does not: the first fragments.
type reference struct {
	firsts map[firstKey]flow.Key
	hops   uint8 // hop limit of the IPv6 packet at hand
}

type firstKey struct {
	key flow.Key
	dir flow.Direction
	id  uint32
}

// read returns gopacket's opinion of data.
func (r *reference) read(data []byte, dir flow.Direction) opinion {
	var o opinion
	p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: false, NoCopy: true})
	o.key = macsOf(data)
	r.layers(&o, p.Layers(), dir)
	return o
}

// macsOf takes the MACs from the bytes: gopacket has no layer for a cut header.
func macsOf(data []byte) flow.Key {
	var k flow.Key
	var macs [12]byte
	copy(macs[:], data)
	copy(k.Local[10:], macs[6:])
	copy(k.Remote[10:], macs[:6])
	return k
}

func (r *reference) layers(o *opinion, list []gopacket.Layer, dir flow.Direction) {
	for i, l := range list {
		done := false
		switch l := l.(type) {
		case *layers.Ethernet:
			if o.key.LocalPort = uint16(l.EthernetType); l.Length != 0 || l.EthernetType == layers.EthernetTypeLLC {
				o.key.LocalPort = 0
			}
		case *layers.Dot1Q:
			if o.key.VLAN == 0 {
				o.key.VLAN = l.VLANIdentifier
			}
			if o.key.LocalPort = uint16(l.Type); l.Type < minEthertype {
				o.key.LocalPort = 0
			}
		case *layers.LLC:
		case *layers.SNAP:
			if string(l.OrganizationalCode) == "\x00\x00\x00" {
				o.key.LocalPort = uint16(l.Type)
			}
		case *layers.IPv4:
			done = l.Payload == nil || l.Version != 4
			if !done {
				r.ipv4(o, l, list[i+1:], dir)
				return
			}
		case *layers.IPv6:
			done = len(l.Contents) != 40 || l.Version != 6
			if !done {
				o.setIP(l.SrcIP, l.DstIP, uint8(l.NextHeader), flow.FamilyIPv6)
				r.hops = l.HopLimit
				r.upper(o, list[i+1:], dir, false)
				return
			}
		default:
			done = true
		}
		if done {
			return
		}
	}
}

func (o *opinion) setIP(src, dst net.IP, proto uint8, family flow.Family) {
	o.network = true
	o.key = flow.Key{VLAN: o.key.VLAN, Proto: proto, Family: family}
	o.key.Local, o.key.Remote = [16]byte(src.To16()), [16]byte(dst.To16())
}

func (r *reference) ipv4(o *opinion, ip *layers.IPv4, rest []gopacket.Layer, dir flow.Direction) {
	o.setIP(ip.SrcIP, ip.DstIP, uint8(ip.Protocol), flow.FamilyIPv4)
	more := ip.Flags&layers.IPv4MoreFragments != 0
	if !more && ip.FragOffset == 0 {
		r.upper(o, rest, dir, false)
		return
	}
	id := firstKey{key: o.key, dir: dir, id: uint32(ip.Id)}
	r.fragment(o, id, ip.FragOffset == 0, ip.Protocol, ip.Payload, dir)
}

// fragment reads the payload of a first fragment, which gopacket leaves alone,
// or looks up the first of a later one.
func (r *reference) fragment(o *opinion, id firstKey, first bool, proto layers.IPProtocol, payload []byte, dir flow.Direction) {
	if !first {
		o.upper = true
		if k, ok := r.firsts[id]; ok {
			o.key.LocalPort, o.key.RemotePort, o.key.Proto = k.LocalPort, k.RemotePort, k.Proto
		}
		return
	}
	p := gopacket.NewPacket(payload, proto.LayerType(), gopacket.DecodeOptions{NoCopy: true})
	r.upper(o, p.Layers(), dir, true)
	o.echo = nil
	if o.upper {
		r.firsts[id] = o.key
	}
}

// upper walks over extension headers to the upper layer.
func (r *reference) upper(o *opinion, list []gopacket.Layer, dir flow.Direction, fragmented bool) {
	for i, l := range list {
		if len(l.LayerContents()) == 0 {
			o.upper = !o.wants() // gopacket adds what it could not read
			return
		}
		switch l := l.(type) {
		case *layers.IPv6HopByHop:
			o.key.Proto = uint8(l.NextHeader)
		case *layers.IPv6Destination:
			o.key.Proto = uint8(l.NextHeader)
		case *layers.IPv6Routing:
			o.key.Proto = uint8(l.NextHeader)
		case *layers.IPSecAH:
			o.key.Proto = uint8(l.NextHeader)
		case *layers.IPv6Fragment:
			id := firstKey{key: o.key, dir: dir, id: l.Identification}
			id.key.Proto = 0
			o.key.Proto = uint8(l.NextHeader)
			if l.FragmentOffset == 0 && !l.MoreFragments {
				p := gopacket.NewPacket(l.Payload, l.NextHeader.LayerType(), gopacket.DecodeOptions{NoCopy: true})
				r.upper(o, p.Layers(), dir, fragmented)
				return
			}
			r.fragment(o, id, l.FragmentOffset == 0, l.NextHeader, l.Payload, dir)
			return
		default:
			o.transport(l, list[i+1:])
			if c, ok := l.(*layers.ICMPv6); ok && !fragmented && o.key.Family == flow.FamilyIPv6 {
				o.key.LocalPort = neighbourhood(c.TypeCode.Type(), r.hops)
			}
			return
		}
	}
	o.upper = !o.wants()
}

// neighbourhood is Key.LocalPort of ICMPv6, by gopacket's names.
func neighbourhood(typ, hops uint8) uint16 {
	switch typ {
	case layers.ICMPv6TypeRouterSolicitation, layers.ICMPv6TypeRouterAdvertisement, layers.ICMPv6TypeNeighborSolicitation,
		layers.ICMPv6TypeNeighborAdvertisement, layers.ICMPv6TypeRedirect:
		if hops == 255 {
			return flow.ICMPNeighbour
		}
	case layers.ICMPv6TypeMLDv1MulticastListenerQueryMessage, layers.ICMPv6TypeMLDv1MulticastListenerReportMessage,
		layers.ICMPv6TypeMLDv1MulticastListenerDoneMessage, layers.ICMPv6TypeMLDv2MulticastListenerReportMessageV2:
		return flow.ICMPListener
	}
	return 0
}

// wants reports whether the protocol so far reached has a header that both
// decoders would read.
func (o *opinion) wants() bool {
	switch o.key.Proto {
	case flow.ProtoICMP:
		return o.key.Family == flow.FamilyIPv4
	case flow.ProtoICMPv6:
		return o.key.Family == flow.FamilyIPv6
	case 0, 43, 44, 60:
		return o.key.Family == flow.FamilyIPv6
	case 51:
		return true
	}
	return o.key.HasPorts()
}

func (o *opinion) setEcho(reply bool, id, seq uint16, payload []byte) {
	o.echo = &flow.Echo{Reply: reply, ID: id, Seq: seq}
	o.echo.PayloadN = uint8(copy(o.echo.Payload[:], payload))
}

// transport takes ports or the echo from the upper layer. A layer without
// contents was too short for gopacket.
func (o *opinion) transport(l gopacket.Layer, rest []gopacket.Layer) {
	switch l := l.(type) {
	case *layers.TCP:
		o.upper = len(l.Contents) > 0
		o.key.LocalPort, o.key.RemotePort = uint16(l.SrcPort), uint16(l.DstPort)
	case *layers.UDP:
		o.upper = len(l.Contents) > 0
		o.key.LocalPort, o.key.RemotePort = uint16(l.SrcPort), uint16(l.DstPort)
		if len(rest) > 1 {
			switch rest[0].(type) {
			case *layers.VXLAN, *layers.Geneve:
				o.tunnel(rest[1:])
			}
		}
	case *layers.GRE:
		o.upper = true
		o.tunnel(rest)
	case *layers.SCTP:
		o.upper = len(l.Contents) > 0
		o.key.LocalPort, o.key.RemotePort = uint16(l.SrcPort), uint16(l.DstPort)
	case *layers.ICMPv4:
		o.upper = true
		if t := l.TypeCode; t.Code() == 0 && (t.Type() == 8 || t.Type() == 0) && o.key.Family == flow.FamilyIPv4 {
			o.setEcho(t.Type() == 0, l.Id, l.Seq, l.Payload)
		}
	case *layers.ICMPv6:
		o.upper = true
		if len(rest) > 0 && l.TypeCode.Code() == 0 && o.key.Family == flow.FamilyIPv6 {
			if e, ok := rest[0].(*layers.ICMPv6Echo); ok {
				o.setEcho(l.TypeCode.Type() == 129, e.Identifier, e.SeqNumber, l.Payload[4:])
			}
		}
	case *gopacket.DecodeFailure:
		o.upper = !o.wants()
	default:
		o.upper = true
	}
}

// tunnel takes the echo of the packet inside of a tunnel.
func (o *opinion) tunnel(list []gopacket.Layer) {
	e := flow.Echo{Tunnel: true}
	for i, l := range list {
		switch l := l.(type) {
		case *layers.Ethernet:
			if i > 0 {
				return
			}
		case *layers.Dot1Q:
			if e.VLAN == 0 {
				e.VLAN = l.VLANIdentifier
			}
		case *layers.IPv4:
			if e.Family != 0 || l.Flags&layers.IPv4MoreFragments != 0 || l.FragOffset != 0 {
				return
			}
			e.Family, e.Src, e.Dst = flow.FamilyIPv4, [16]byte(l.SrcIP.To16()), [16]byte(l.DstIP.To16())
		case *layers.IPv6:
			if e.Family != 0 {
				return
			}
			e.Family, e.Src, e.Dst = flow.FamilyIPv6, [16]byte(l.SrcIP.To16()), [16]byte(l.DstIP.To16())
		case *layers.IPv6HopByHop, *layers.IPv6Destination:
		case *layers.ICMPv4, *layers.ICMPv6:
			if e.Family == 0 {
				return
			}
			in := opinion{key: flow.Key{Family: e.Family}}
			if in.transport(l, list[i+1:]); in.echo != nil {
				e.Reply, e.ID, e.Seq, e.Payload, e.PayloadN = in.echo.Reply, in.echo.ID, in.echo.Seq, in.echo.Payload, in.echo.PayloadN
				o.echo = &e
			}
			return
		default:
			return
		}
	}
}

// transportOf returns gopacket's transport layer of a frame.
func transportOf(data []byte) gopacket.TransportLayer {
	p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	return p.TransportLayer()
}
