package decode

import (
	"math/rand/v2"
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// generator makes frames with gopacket's serialisers, the same ones each time.
type generator struct {
	t   *testing.T
	rnd *rand.Rand
}

func (g *generator) chance(n int) bool { return g.rnd.IntN(n) == 0 }

func (g *generator) bytes(max int) gopacket.Payload {
	b := make([]byte, g.rnd.IntN(max+1))
	for i := range b {
		b[i] = byte(g.rnd.Uint32())
	}
	return b
}

// mac and the addresses come from few hosts, so that fragments of different
// packets meet in the table.
func (g *generator) mac() net.HardwareAddr {
	return net.HardwareAddr{2, 0, 0, 0, 0, byte(g.rnd.IntN(4))}
}

func (g *generator) addr4() net.IP { return net.IP{10, 0, 0, byte(g.rnd.IntN(4))} }

func (g *generator) addr6() net.IP {
	return net.IP{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 15: byte(g.rnd.IntN(4))}
}

func (g *generator) port() uint16 { return uint16(g.rnd.Uint32()) }

func (g *generator) serialize(list ...gopacket.SerializableLayer) []byte {
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, list...)
	if err != nil {
		g.t.Fatal(err)
	}
	return b.Bytes()
}

// frames returns the next packet: one frame, or its fragments.
func (g *generator) frames() [][]byte {
	var ethertype layers.EthernetType
	var packets [][]byte
	switch n := g.rnd.IntN(20); {
	case n < 9:
		ethertype, packets = layers.EthernetTypeIPv4, g.ip4()
	case n < 17:
		ethertype, packets = layers.EthernetTypeIPv6, g.ip6()
	case n == 17:
		return [][]byte{g.llc()}
	default:
		var p []byte
		ethertype, p = g.notIP()
		packets = [][]byte{p}
	}
	for i := range packets {
		packets[i] = g.ethernet(ethertype, packets[i])
	}
	return packets
}

func (g *generator) notIP() (layers.EthernetType, []byte) {
	switch g.rnd.IntN(4) {
	case 0:
		arp := &layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
			Operation: 1, SourceHwAddress: g.mac(), SourceProtAddress: g.addr4(), DstHwAddress: g.mac(), DstProtAddress: g.addr4()}
		return layers.EthernetTypeARP, g.serialize(arp)
	case 1:
		return 0x8809, append([]byte{1, 1}, g.bytes(110)...) // LACP
	case 2:
		return layers.EthernetTypeMPLSUnicast, g.bytes(60)
	}
	return layers.EthernetType(0x9900 + g.rnd.IntN(256)), g.bytes(200)
}

// ethernet wraps payload in a frame with up to three tags.
func (g *generator) ethernet(ethertype layers.EthernetType, payload []byte) []byte {
	list := []gopacket.SerializableLayer{gopacket.Payload(payload)}
	for g.chance(3) && len(list) < 4 {
		id := uint16(g.rnd.IntN(3)) * 50 // 0 is a priority tag
		t := &layers.Dot1Q{VLANIdentifier: id, Priority: uint8(g.rnd.IntN(8)), DropEligible: g.chance(2), Type: ethertype}
		list = append([]gopacket.SerializableLayer{t}, list...)
		ethertype = [...]layers.EthernetType{typeDot1Q, typeQinQ, typeQinQ1}[g.rnd.IntN(3)]
	}
	e := &layers.Ethernet{SrcMAC: g.mac(), DstMAC: g.mac(), EthernetType: ethertype}
	return g.serialize(append([]gopacket.SerializableLayer{e}, list...)...)
}

// llc is an 802.3 frame: spanning tree, or SNAP with a packet or something else.
func (g *generator) llc() []byte {
	e := &layers.Ethernet{SrcMAC: g.mac(), DstMAC: g.mac(), EthernetType: layers.EthernetTypeLLC}
	if g.chance(2) {
		return g.serialize(e, &layers.LLC{DSAP: 0x42, SSAP: 0x42, Control: 3}, g.bytes(60))
	}
	llc := &layers.LLC{DSAP: 0xaa, SSAP: 0xaa, Control: 3}
	snap := &layers.SNAP{OrganizationalCode: []byte{0, 0, 0}, Type: layers.EthernetTypeIPv4}
	if g.chance(3) {
		snap.OrganizationalCode = []byte{0, 0, 0xc}
		snap.Type = 0x2000 // Cisco's CDP
	}
	return g.serialize(e, llc, snap, gopacket.Payload(g.ip4()[0]))
}

func (g *generator) ip4() [][]byte {
	ip := &layers.IPv4{Version: 4, TTL: 64, Id: uint16(g.rnd.IntN(8)), SrcIP: g.addr4(), DstIP: g.addr4()}
	for range g.rnd.IntN(10) - 6 {
		ip.Options = append(ip.Options, layers.IPv4Option{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}})
	}
	proto, payload := g.upper(false)
	if g.chance(8) {
		proto, payload = layers.IPProtocolAH, g.ah(proto, payload)
	}
	ip.Protocol = proto
	var packets [][]byte
	for _, part := range g.split(payload) {
		ip.FragOffset, ip.Flags = uint16(part.offset/8), 0
		if part.more {
			ip.Flags = layers.IPv4MoreFragments
		}
		packets = append(packets, g.serialize(ip, gopacket.Payload(part.data)))
	}
	return packets
}

func (g *generator) ip6() [][]byte {
	proto, payload := g.upper(true)
	for range g.rnd.IntN(4) - 1 { // extension headers behind the fragment header
		proto, payload = g.extension(proto, payload)
	}
	id := uint32(g.rnd.IntN(8)) << 12
	parts := g.split(payload)
	fragmented := len(parts) > 1 || parts[0].offset > 0 || g.chance(10) // the latter are atomic fragments
	ip := &layers.IPv6{Version: 6, HopLimit: [...]uint8{64, 255, 254, 1}[g.rnd.IntN(4)], SrcIP: g.addr6(), DstIP: g.addr6()}
	hopByHop := g.chance(5)
	var packets [][]byte
	for _, part := range parts {
		next, p := proto, part.data
		if fragmented {
			next, p = layers.IPProtocolIPv6Fragment, fragment6(uint8(proto), id, part.offset, part.more, p)
		}
		ip.NextHeader, ip.HopByHop = next, nil
		if hopByHop {
			o := &layers.IPv6HopByHopOption{OptionType: 0x1e, OptionData: make([]byte, 4+8*g.rnd.IntN(3))} // experiment
			ip.HopByHop = &layers.IPv6HopByHop{Options: []*layers.IPv6HopByHopOption{o}}
			ip.HopByHop.NextHeader = next
		}
		packets = append(packets, g.serialize(ip, gopacket.Payload(p)))
	}
	return packets
}

// extension puts an extension header in front of payload. gopacket serialises
// destination options only.
func (g *generator) extension(proto layers.IPProtocol, payload []byte) (layers.IPProtocol, []byte) {
	switch g.rnd.IntN(3) {
	case 0:
		d := &layers.IPv6Destination{Options: []*layers.IPv6DestinationOption{{OptionType: 0x3e, OptionData: make([]byte, 4+8*g.rnd.IntN(3))}}}
		d.NextHeader = proto
		return layers.IPProtocolIPv6Destination, g.serialize(d, gopacket.Payload(payload))
	case 1: // routing type 0 with one or two addresses
		return layers.IPProtocolIPv6Routing, ext(uint8(proto), 3+2*g.rnd.IntN(2), payload)
	}
	return layers.IPProtocolAH, g.ah(proto, payload)
}

func (g *generator) ah(proto layers.IPProtocol, payload []byte) []byte {
	return ah(uint8(proto), 6+2*g.rnd.IntN(3), payload)
}

// upper makes an upper-layer header with payload.
func (g *generator) upper(v6 bool) (layers.IPProtocol, []byte) {
	data := g.bytes(300)
	switch g.rnd.IntN(9) {
	case 0, 1, 2:
		return layers.IPProtocolTCP, g.serialize(g.tcp(), data)
	case 3, 4:
		return layers.IPProtocolUDP, g.serialize(&layers.UDP{SrcPort: layers.UDPPort(g.port()), DstPort: layers.UDPPort(g.port())}, data)
	case 5:
		s := &layers.SCTP{SrcPort: layers.SCTPPort(g.port()), DstPort: layers.SCTPPort(g.port())}
		return layers.IPProtocolSCTP, g.serialize(s, data)
	case 6:
		return layers.IPProtocolESP, join(zeros(8), data)
	}
	if v6 {
		typ := [...]uint8{128, 129, 128, 129, 133, 134, 135, 136, 137, 138, 130, 131, 132, 143, 1}[g.rnd.IntN(15)]
		code := uint8(g.rnd.IntN(5) / 4)
		c := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, code)}
		return layers.IPProtocolICMPv6, g.serialize(c, &layers.ICMPv6Echo{Identifier: g.port(), SeqNumber: g.port()}, data)
	}
	typ := [...]uint8{8, 0, 8, 0, 3, 13}[g.rnd.IntN(6)]
	c := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ, uint8(g.rnd.IntN(5)/4)), Id: g.port(), Seq: g.port()}
	return layers.IPProtocolICMPv4, g.serialize(c, data)
}

func (g *generator) tcp() *layers.TCP {
	t := &layers.TCP{SrcPort: layers.TCPPort(g.port()), DstPort: layers.TCPPort(g.port()), Seq: g.rnd.Uint32(),
		SYN: g.chance(2), ACK: g.chance(2), FIN: g.chance(2), RST: g.chance(2), PSH: g.chance(2), URG: g.chance(2), ECE: g.chance(2), CWR: g.chance(2)}
	if g.chance(2) {
		t.Options = []layers.TCPOption{{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)}}
	}
	return t
}

// part is a piece of what IP carries.
type part struct {
	data   []byte
	offset int
	more   bool
}

// split cuts one payload in five into fragments; sometimes the later ones are
// turned round or the first one is left out.
func (g *generator) split(payload []byte) []part {
	if !g.chance(5) {
		return []part{{data: payload}}
	}
	var parts []part
	size := 128 + 8*g.rnd.IntN(10) // longer than any chain of headers here
	for off := 0; off < len(payload); off += size {
		end := min(off+size, len(payload))
		parts = append(parts, part{payload[off:end], off, end < len(payload)})
	}
	if n := len(parts); n > 1 && g.chance(4) {
		parts[0], parts[n-1] = parts[n-1], parts[0]
	}
	if len(parts) > 1 && g.chance(4) {
		parts = parts[1:]
	}
	return parts
}
