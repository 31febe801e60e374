package decode

import (
	"math/rand/v2"
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"spiketop/flow"
)

// The MAC inside of a tunnel is the one that gopacket finds there.
func TestInnerAgainstGopacket(t *testing.T) {
	g := &generator{t: t, rnd: rand.New(rand.NewPCG(3, 4))}
	d := New(Config{})
	seen := map[string]int{}
	for n := range 4000 {
		data, name := g.tunnel()
		m := Meta{At: flow.Time(n), Dir: flow.Directions[g.rnd.IntN(2)], Len: uint32(len(data))}
		rec, echo := dirtyRecord(), flow.Echo{}
		d.Decode(data, &m, &rec, &echo)
		want := innerByGopacket(data, m.Dir)
		if rec.Inner != want {
			t.Fatalf("frame %d, %s, %v: inner MAC %x, gopacket says %x\n% x", n, name, m.Dir, rec.Inner, want, data)
		}
		if want != ([6]byte{}) {
			seen[name]++
		}
		// A frame that was cut says the same, or nothing.
		d.Decode(data[:g.rnd.IntN(len(data)+1)], &m, &rec, &echo)
		if rec.Inner != want && rec.Inner != ([6]byte{}) {
			t.Fatalf("frame %d, %s, cut: inner MAC %x, want %x or none", n, name, rec.Inner, want)
		}
	}
	for _, name := range []string{"vxlan", "geneve", "gre"} {
		if seen[name] < 100 {
			t.Errorf("only %d frames with somebody inside in %s", seen[name], name)
		}
	}
}

// innerByGopacket returns the local MAC of the second Ethernet header, unless it
// is a group address.
func innerByGopacket(data []byte, dir flow.Direction) (mac [6]byte) {
	var all []*layers.Ethernet
	p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	for _, l := range p.Layers() {
		if e, ok := l.(*layers.Ethernet); ok {
			all = append(all, e)
		}
	}
	if len(all) < 2 {
		return mac
	}
	if copy(mac[:], all[1].DstMAC); dir == flow.Tx {
		copy(mac[:], all[1].SrcMAC)
	}
	if mac[0]&1 != 0 {
		return [6]byte{}
	}
	return mac
}

// tunnel makes a frame inside of a packet between two hosts, or something that
// looks like it.
func (g *generator) tunnel() (data []byte, name string) { return g.tunnelOf(g.guestFrame()) }

func (g *generator) tunnelOf(frame []byte) (data []byte, name string) {
	inner := gopacket.Payload(frame)
	switch g.rnd.IntN(3) {
	case 0:
		udp := &layers.UDP{SrcPort: layers.UDPPort(g.port()), DstPort: g.one(4789, 4789, 4789, 4790)}
		return g.underlay(layers.IPProtocolUDP, udp, &layers.VXLAN{ValidIDFlag: true, VNI: 7}, inner), "vxlan"
	case 1:
		udp := &layers.UDP{SrcPort: layers.UDPPort(g.port()), DstPort: 6081}
		opt := []byte{1, 2, 3, byte(g.rnd.IntN(3))}
		options := append(opt, zeros(4*int(opt[3]))...)
		head := join([]byte{byte(len(options) / 4), 0}, be16(0x6558), []byte{0, 0, 7, 0}, options)
		return g.underlay(layers.IPProtocolUDP, udp, gopacket.Payload(join(head, inner))), "geneve"
	}
	gre := &layers.GRE{Protocol: layers.EthernetTypeTransparentEthernetBridging, ChecksumPresent: g.chance(2), KeyPresent: g.chance(2), SeqPresent: g.chance(2)}
	if g.chance(4) {
		gre.Protocol = layers.EthernetTypeIPv4
	}
	return g.underlay(layers.IPProtocolGRE, gre, inner), "gre"
}

func (g *generator) one(ports ...layers.UDPPort) layers.UDPPort { return ports[g.rnd.IntN(len(ports))] }

// guestFrame is a frame of a VM, one in four to everybody.
func (g *generator) guestFrame() []byte {
	dst := g.mac()
	if g.chance(4) {
		dst = net.HardwareAddr{255, 255, 255, 255, 255, 255}
	}
	e := &layers.Ethernet{SrcMAC: net.HardwareAddr{0x52, 0x54, 0, 1, 2, byte(g.rnd.IntN(4))}, DstMAC: dst, EthernetType: layers.EthernetTypeIPv4}
	return g.serialize(e, gopacket.Payload(ip4(6, tcp(1, 2, 0, zeros(40)))))
}

// underlay puts list between two hosts, over IPv4 or IPv6, maybe tagged.
func (g *generator) underlay(proto layers.IPProtocol, list ...gopacket.SerializableLayer) []byte {
	payload := g.serialize(list...)
	if g.chance(3) {
		return g.ethernet(layers.EthernetTypeIPv6, g.serialize(&layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: g.addr6(), DstIP: g.addr6()}, gopacket.Payload(payload)))
	}
	return g.ethernet(layers.EthernetTypeIPv4, g.serialize(&layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: g.addr4(), DstIP: g.addr4()}, gopacket.Payload(payload)))
}

// What gopacket does not know, or knows otherwise.
func TestInner(t *testing.T) {
	guest := []byte{0x52, 0x54, 0, 1, 2, 3}
	frame := join([]byte{2, 0, 0, 0, 0, 9}, guest, be16(typeIPv4), ip4(6, tcp(1, 2, 0, nil)))
	vxlan := []byte{8, 0, 0, 0, 0, 0, 7, 0}
	geneve := func(first byte, ethertype uint16, options ...byte) []byte {
		return join([]byte{first, 0}, be16(ethertype), []byte{0, 0, 7, 0}, options)
	}
	tests := []struct {
		name string
		data []byte
		want []byte
	}{
		{"Linux's old port", eth(typeIPv4, ip4(17, udp(40000, 8472, join(vxlan, frame)))), guest},
		{"behind IPv4 options, the general path", eth(typeIPv4, ip4Options(4, 17, udp(40000, 4789, join(vxlan, frame)))), guest},
		{"in a VLAN", eth(typeDot1Q, tag(5, typeIPv4), ip4(17, udp(40000, 4789, join(vxlan, frame)))), guest},
		{"first fragment", part4(17, 7, 0, true, udp(40000, 4789, join(vxlan, frame))), guest},
		{"from the port, not to it", eth(typeIPv4, ip4(17, udp(4789, 40000, join(vxlan, frame)))), nil},
		{"no network identifier", eth(typeIPv4, ip4(17, udp(40000, 4789, join(zeros(8), frame)))), nil},
		{"TCP", eth(typeIPv4, ip4(6, join(tcp(40000, 4789, 0, nil), vxlan, frame))), nil},
		{"Geneve with options", eth(typeIPv4, ip4(17, udp(40000, 6081, join(geneve(2, 0x6558, zeros(8)...), frame)))), guest},
		{"Geneve with IP inside", eth(typeIPv4, ip4(17, udp(40000, 6081, join(geneve(0, typeIPv4), frame)))), nil},
		{"Geneve of another version", eth(typeIPv4, ip4(17, udp(40000, 6081, join(geneve(0x40, 0x6558), frame)))), nil},
		{"Geneve whose options end behind the frame", eth(typeIPv4, ip4(17, udp(40000, 6081, join(geneve(0x3f, 0x6558), frame)))), nil},
		{"GRE, NVGRE's key", eth(typeIPv4, ip4(47, join([]byte{0x20, 0}, be16(0x6558), zeros(4), frame))), guest},
		{"GRE of version 1", eth(typeIPv4, ip4(47, join([]byte{0x20, 1}, be16(0x6558), zeros(4), frame))), nil},
		{"VXLAN that ends in the MAC", eth(typeIPv4, ip4(17, udp(40000, 4789, join(vxlan, frame[:11])))), nil},
		{"padding is no frame", join(eth(typeIPv4, ip4(17, udp(40000, 4789, vxlan))), frame), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, rec, echo := txMeta(tt.data), dirtyRecord(), flow.Echo{}
			New(Config{}).Decode(tt.data, &m, &rec, &echo)
			var want [6]byte
			if copy(want[:], tt.want); rec.Inner != want {
				t.Errorf("inner MAC %x, want %x", rec.Inner, want)
			}
		})
	}
	// Toward this host the local end is the destination.
	data := tests[0].data
	m, rec, echo := txMeta(data), dirtyRecord(), flow.Echo{}
	m.Dir = flow.Rx
	if New(Config{}).Decode(data, &m, &rec, &echo); rec.Inner != [6]byte{2, 0, 0, 0, 0, 9} {
		t.Errorf("inner MAC %x of what arrives, want its destination", rec.Inner)
	}
}
