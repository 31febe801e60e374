package decode

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"spiketop/flow"
)

// Decode never allocates, whatever the frame.
func TestDecodeAllocs(t *testing.T) {
	d := New(Config{})
	var rec flow.Record
	var echo flow.Echo
	for _, s := range seeds() {
		if n := testing.AllocsPerRun(100, func() { d.Decode(s.data, &s.m, &rec, &echo) }); n != 0 {
			t.Errorf("%s: %v allocations", s.name, n)
		}
	}
}

// seed is a frame of the table tests with its Meta.
type seed struct {
	name string
	data []byte
	m    Meta
}

// seeds returns every frame of the table tests.
func seeds() []seed {
	var all []seed
	add := func(name string, data []byte, edit func(m *Meta)) {
		m := txMeta(data)
		if edit != nil {
			edit(&m)
		}
		all = append(all, seed{name, data, m})
	}
	for _, c := range decodeCases {
		add(c.name, c.data, c.edit)
	}
	for _, c := range oddCases {
		add(c.name, c.data, c.edit)
	}
	for _, c := range echoCases {
		add(c.name, c.data, c.edit)
	}
	for _, c := range tunnelCases {
		add(c.name, c.data, nil)
	}
	for _, c := range superCases {
		add(c.name, c.data, c.edit)
	}
	add("first fragment", part4(17, 7, 0, true, udp(1, 2, zeros(100))), nil)
	add("later fragment", part4(17, 7, 1480, false, zeros(100)), nil)
	add("unknown fragment", part4(17, 8, 1480, false, zeros(100)), nil)
	add("first fragment 6", part6(60, 7, 0, true, ext(6, 1, tcp(1, 2, syn, nil))), nil)
	add("later fragment 6", part6(60, 7, 1480, false, zeros(100)), nil)
	return all
}

// benchFrames are what the benchmarks decode: headers as a snaplen of 96 leaves
// them.
var benchFrames = []struct {
	name string
	data []byte
	edit func(m *Meta)
}{
	{"tcp4", eth(typeIPv4, ip4(6, tcpStamps(40000, 443, pshAck, zeros(1448))))[:96], length(1514)},
	{"udp4", eth(typeIPv4, ip4(17, udp(40000, 443, zeros(1200))))[:96], length(1242)},
	{"tcp4 options", eth(typeIPv4, ip4Options(4, 6, tcpStamps(40000, 443, pshAck, zeros(1444))))[:96], length(1514)},
	{"tcp4 super", eth(typeIPv4, ip4(6, tcpStamps(40000, 443, pshAck, zeros(30))))[:96], vnet(gsoTCPv4, 1448, 65226)},
	{"tcp4 vlan", eth(typeDot1Q, tag(5, typeIPv4), ip4(6, tcpStamps(40000, 443, pshAck, zeros(1448))))[:96], length(1518)},
	{"tcp6", eth(typeIPv6, ip6(6, tcpStamps(40000, 443, pshAck, zeros(1428))))[:96], length(1514)},
	{"icmp4 echo", eth(typeIPv4, ip4(1, icmp(8, 0, 1, 2, zeros(56)))), nil},
	{"vxlan tcp4", inVXLAN(frameOf(typeIPv4, ip4(6, tcpStamps(40000, 443, pshAck, zeros(1398)))))[:146], length(1514)},
	{"vxlan echo", inVXLAN(frameOf(typeIPv4, ip4(1, icmp(8, 0, 1, 2, zeros(56))))), nil},
	{"later fragment", part4(17, 7, 1480, false, zeros(1480))[:96], length(1514)},
	{"arp", eth(0x0806, zeros(46)), nil},
}

func BenchmarkDecode(b *testing.B) {
	for _, bf := range benchFrames {
		b.Run(bf.name, func(b *testing.B) {
			d := New(Config{})
			m := txMeta(bf.data)
			if bf.edit != nil {
				bf.edit(&m)
			}
			first := part4(17, 7, 0, true, udp(1, 2, zeros(1472)))
			fm := txMeta(first)
			var rec flow.Record
			var echo flow.Echo
			d.Decode(first, &fm, &rec, &echo)
			b.ReportAllocs()
			for b.Loop() {
				d.Decode(bf.data, &m, &rec, &echo)
			}
		})
	}
	b.Run("tcp4 general", func(b *testing.B) {
		d := New(Config{})
		m := txMeta(benchFrames[0].data)
		var rec flow.Record
		var echo flow.Echo
		b.ReportAllocs()
		for b.Loop() {
			d.general(benchFrames[0].data, &m, &rec, &echo)
		}
	})
}

// BenchmarkDecodeMap is Decode and a Go map as table, over n flows: what the
// table of package flow is measured against.
func BenchmarkDecodeMap(b *testing.B) {
	d := New(Config{})
	var echo flow.Echo
	benchmarkMap(b, func(data []byte, m *Meta, rec *flow.Record) { d.Decode(data, m, rec, &echo) })
}

// BenchmarkDecodingLayerParserMap is gopacket's parser and a Go map.
func BenchmarkDecodingLayerParserMap(b *testing.B) {
	p := newLayerParser()
	benchmarkMap(b, func(data []byte, m *Meta, rec *flow.Record) {
		p.decode(data, &rec.Key)
		rec.Bytes, rec.Packets = uint64(m.Len), 1
	})
}

func benchmarkMap(b *testing.B, decode func(data []byte, m *Meta, rec *flow.Record)) {
	for _, flows := range []uint32{1, 10_000, 1_000_000} {
		b.Run(fmt.Sprint(flows), func(b *testing.B) {
			data := append([]byte(nil), benchFrames[0].data...)
			m := txMeta(data)
			table := make(map[flow.Key]*flow.Counters)
			var rec flow.Record
			count := func(i uint32) {
				binary.BigEndian.PutUint32(data[26:], i) // source address
				decode(data, &m, &rec)
				c := table[rec.Key]
				if c == nil {
					c = new(flow.Counters)
					table[rec.Key] = c
				}
				c.Add(flow.Counters{Bytes: rec.Bytes, Packets: uint64(rec.Packets)})
			}
			for i := range flows {
				count(i)
			}
			b.ReportAllocs()
			i := uint32(0)
			for b.Loop() {
				count(i * 2654435761 % flows) // in no order
				i++
			}
		})
	}
}

// BenchmarkDecodingLayerParser is the same frames through gopacket's parser
// without allocation, up to a flow.Key: what Decode is measured against.
func BenchmarkDecodingLayerParser(b *testing.B) {
	for _, bf := range benchFrames {
		b.Run(bf.name, func(b *testing.B) {
			p := newLayerParser()
			var key flow.Key
			b.ReportAllocs()
			for b.Loop() {
				p.decode(bf.data, &key)
			}
		})
	}
}

// layerParser is gopacket's DecodingLayerParser over the layers that Decode knows.
type layerParser struct {
	eth     layers.Ethernet
	vlan    layers.Dot1Q
	ip4     layers.IPv4
	ip6     layers.IPv6
	tcp     layers.TCP
	udp     layers.UDP
	icmp4   layers.ICMPv4
	arp     layers.ARP
	payload gopacket.Payload
	parser  *gopacket.DecodingLayerParser
	decoded []gopacket.LayerType
}

func newLayerParser() *layerParser {
	p := &layerParser{}
	p.parser = gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet,
		&p.eth, &p.vlan, &p.ip4, &p.ip6, &p.tcp, &p.udp, &p.icmp4, &p.arp, &p.payload)
	p.parser.IgnoreUnsupported = true
	return p
}

// decode fills in key as Decode would for Tx. Errors do not matter: a frame cut
// by the snaplen is one.
func (p *layerParser) decode(data []byte, key *flow.Key) {
	_ = p.parser.DecodeLayers(data, &p.decoded)
	*key = flow.Key{}
	for _, l := range p.decoded {
		switch l {
		case layers.LayerTypeDot1Q:
			key.VLAN = p.vlan.VLANIdentifier
		case layers.LayerTypeIPv4:
			flow.SetIPv4(&key.Local, p.ip4.SrcIP)
			flow.SetIPv4(&key.Remote, p.ip4.DstIP)
			key.Family, key.Proto = flow.FamilyIPv4, uint8(p.ip4.Protocol)
		case layers.LayerTypeIPv6:
			copy(key.Local[:], p.ip6.SrcIP)
			copy(key.Remote[:], p.ip6.DstIP)
			key.Family, key.Proto = flow.FamilyIPv6, uint8(p.ip6.NextHeader)
		case layers.LayerTypeTCP:
			key.LocalPort, key.RemotePort = uint16(p.tcp.SrcPort), uint16(p.tcp.DstPort)
		case layers.LayerTypeUDP:
			key.LocalPort, key.RemotePort = uint16(p.udp.SrcPort), uint16(p.udp.DstPort)
		}
	}
}
