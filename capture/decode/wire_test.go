package decode

import (
	"testing"

	"spiketop/flow"
)

// vnet is a virtio_net_hdr; the frame was n bytes long before the snaplen.
func vnet(gsoType uint8, size uint16, n uint32) func(m *Meta) {
	return func(m *Meta) {
		m.HasVnet, m.GSOType, m.GSOSize, m.Len = true, gsoType, size, n
		m.HdrLen = 1 // wrong on purpose: it is not to be trusted
	}
}

func withTag(edit func(m *Meta)) func(m *Meta) {
	return func(m *Meta) { edit(m); stripped(100)(m) }
}

// vxlan builds the tunnel headers from a to b, IP and UDP checksums aside.
func vxlan(inner []byte) []byte {
	return ip4(17, udp(50000, portVXLAN, join([]byte{8, 0, 0, 0, 0, 0, 42, 0}, inner)))
}

var superCases = []struct {
	name    string
	data    []byte
	edit    func(m *Meta)
	packets uint32
	bytes   uint64
}{
	{
		// headers 14+20+20 = 54; (64 294 - 54) / 1460 = 44: 64 294 + 43 * 54
		name: "tcp4, 44 full segments", data: eth(typeIPv4, ip4(6, tcp(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv4, 1460, 64294), packets: 44, bytes: 66616,
	}, {
		// one byte more begins a 45th segment: 64 295 + 44 * 54
		name: "tcp4, a byte in the last segment", data: eth(typeIPv4, ip4(6, tcp(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv4, 1460, 64295), packets: 45, bytes: 66671,
	}, {
		// headers 14+20+32 = 66; payload 4344 = 3 * 1448: 4410 + 2 * 66
		name: "tcp4 with time stamps", data: eth(typeIPv4, ip4(6, tcpStamps(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv4, 1448, 4410), packets: 3, bytes: 4542,
	}, {
		// gso_type 0x81: with ECN, the same
		name: "tcp4 with the ECN flag", data: eth(typeIPv4, ip4(6, tcpStamps(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv4|0x80, 1448, 4410), packets: 3, bytes: 4542,
	}, {
		// a stripped tag: 4 bytes for each of 3 packets: 4542 + 12
		name: "tcp4, tag stripped", data: eth(typeIPv4, ip4(6, tcpStamps(1, 2, pshAck, nil))),
		edit: withTag(vnet(gsoTCPv4, 1448, 4410)), packets: 3, bytes: 4554,
	}, {
		// a tag in the frame: headers 70; 4414 + 2 * 70
		name: "tcp4, tag in the frame", data: eth(typeDot1Q, tag(100, typeIPv4), ip4(6, tcpStamps(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv4, 1448, 4414), packets: 3, bytes: 4554,
	}, {
		// headers 14+24+20 = 58; payload 2920 = 2 * 1460: 2978 + 58
		name: "tcp4 with IP options", data: eth(typeIPv4, ip4Options(4, 6, tcp(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv4, 1460, 2978), packets: 2, bytes: 3036,
	}, {
		// headers 14+40+32 = 86; payload 2856 = 2 * 1428: 2942 + 86
		name: "tcp6", data: eth(typeIPv6, ip6(6, tcpStamps(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv6, 1428, 2942), packets: 2, bytes: 3028,
	}, {
		// headers 14+40+8 (hop-by-hop, not jumbo)+20 = 82; payload 3000, size 1400 = 3 packets: 3082 + 2 * 82
		name: "tcp6 with an extension header", data: eth(typeIPv6, ip6(0, ext(6, 1, tcp(1, 2, pshAck, nil)))),
		edit: vnet(gsoTCPv6, 1400, 3082), packets: 3, bytes: 3246,
	}, {
		// BIG TCP: headers 14+40+8+32 = 94 of which 8 never reach the wire;
		// payload 142 800 = 100 * 1428: 142 800 + 100 * 86
		name: "tcp6 over 64 KiB with the kernel's jumbo header",
		data: eth(typeIPv6, ip6(0, nil), []byte{6, 0, 0xc2, 4, 0, 2, 0x2e, 0x18}, tcpStamps(1, 2, pshAck, nil)),
		edit: vnet(gsoTCPv6, 1428, 142894), packets: 100, bytes: 151400,
	}, {
		// BIG TCP: total length 0; headers 66, payload 144 800 = 100 * 1448: 144 866 + 99 * 66
		name: "tcp4 over 64 KiB", data: eth(typeIPv4, ip4(6, tcpStamps(1, 2, pshAck, nil), func(h []byte) { h[2], h[3] = 0, 0 })),
		edit: vnet(gsoTCPv4, 1448, 144866), packets: 100, bytes: 151400,
	}, {
		// datagrams: headers 14+20+8 = 42; payload 12 000 = 10 * 1200: 12 042 + 9 * 42
		name: "udp segmentation", data: eth(typeIPv4, ip4(17, udp(1, 443, nil))),
		edit: vnet(gsoUDP, 1200, 12042), packets: 10, bytes: 12420,
	}, {
		// fragments: headers 14+20 = 34; UDP header and payload 4448 = 3 * 1480 + 8: 4482 + 3 * 34
		name: "udp fragmentation offload, ip4", data: eth(typeIPv4, ip4(17, udp(1, 2, nil))),
		edit: vnet(gsoUFO, 1480, 4482), packets: 4, bytes: 4584,
	}, {
		// fragments: headers 14+40, each with a fragment header: 62; 2896 = 2 * 1448: 2896 + 2 * 62
		name: "udp fragmentation offload, ip6", data: eth(typeIPv6, ip6(17, udp(1, 2, nil))),
		edit: vnet(gsoUFO, 1448, 2950), packets: 2, bytes: 3020,
	}, {
		name: "no vnet header", data: eth(typeIPv4, ip4(6, tcp(1, 2, pshAck, nil))),
		edit: func(m *Meta) { vnet(gsoTCPv4, 1460, 64294)(m); m.HasVnet = false }, packets: 1, bytes: 64294,
	}, {
		name: "gso_type none", data: eth(typeIPv4, ip4(6, tcp(1, 2, pshAck, nil))),
		edit: vnet(0, 1460, 3000), packets: 1, bytes: 3000,
	}, {
		name: "only the ECN flag", data: eth(typeIPv4, ip4(6, tcp(1, 2, pshAck, nil))),
		edit: vnet(0x80, 1460, 3000), packets: 1, bytes: 3000,
	}, {
		name: "gso_size 0", data: eth(typeIPv4, ip4(6, tcp(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv4, 0, 3000), packets: 1, bytes: 3000,
	}, {
		name: "one segment", data: eth(typeIPv4, ip4(6, tcp(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv4, 1460, 54+1460), packets: 1, bytes: 1514,
	}, {
		name: "headers alone", data: eth(typeIPv4, ip4(6, tcp(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv4, 1460, 54), packets: 1, bytes: 54,
	}, {
		// TCP header length 12 is nonsense, taken as 20: 3000 + 54, payload 2946 / 1460 = 3: 3000 + 2 * 54
		name: "tcp header length below 20", data: eth(typeIPv4, ip4(6, join(be16(1, 2), zeros(8), []byte{3 << 4, 0}, zeros(6)))),
		edit: vnet(gsoTCPv4, 1460, 3000), packets: 3, bytes: 3108,
	}, {
		// snaplen ends in the TCP header, which is taken to have time stamps:
		// headers 66; payload 2896 = 2 * 1448: 2962 + 66
		name: "tcp header cut", data: eth(typeIPv4, ip4(6, tcpStamps(1, 2, pshAck, nil)[:8])),
		edit: vnet(gsoTCPv4, 1448, 2962), packets: 2, bytes: 3028,
	}, {
		// the frame claims headers beyond its own end: no payload
		name: "headers longer than the frame", data: eth(typeIPv4, ip4(6, join(be16(1, 2), zeros(8), []byte{0xf0, 0}, zeros(6)))),
		edit: vnet(gsoTCPv4, 1, 60), packets: 1, bytes: 60,
	}, {
		// VXLAN: 14+20+8+8 + 14+20+32 = 116; payload 2796 = 2 * 1398: 2912 + 116
		name: "tcp4 in vxlan", data: eth(typeIPv4, vxlan(eth(typeIPv4, ip4(6, tcpStamps(1, 2, pshAck, nil))))),
		edit: vnet(gsoTCPv4, 1398, 2912), packets: 2, bytes: 3028,
	}, {
		// the inner frame has a tag: 120; 2916 + 120
		name: "tcp4 on a vlan in vxlan", data: eth(typeIPv4, vxlan(eth(typeDot1Q, tag(7, typeIPv4), ip4(6, tcpStamps(1, 2, pshAck, nil))))),
		edit: vnet(gsoTCPv4, 1398, 2916), packets: 2, bytes: 3036,
	}, {
		// snaplen 96 hides the inner TCP header from its 12th byte on; taken as 32
		name: "tcp4 in vxlan, cut at 96", data: eth(typeIPv4, vxlan(eth(typeIPv4, ip4(6, tcpStamps(1, 2, pshAck, nil)))))[:96],
		edit: vnet(gsoTCPv4, 1398, 2912), packets: 2, bytes: 3028,
	}, {
		// Geneve with 8 bytes of options: 14+20+8+8+8 + 14+40+20 = 132; payload 2000 = 2 * 1000: 2132 + 132
		name: "tcp6 in geneve", data: eth(typeIPv4, ip4(17, udp(50000, portGeneve, join([]byte{2, 0, 0x65, 0x58, 0, 0, 1, 0}, zeros(8), eth(typeIPv6, ip6(6, tcp(1, 2, pshAck, nil))))))),
		edit: vnet(gsoTCPv6, 1000, 2132), packets: 2, bytes: 2264,
	}, {
		// GRE with key: 14+20+8 + 20+20 = 82; payload 2000 = 2 * 1000: 2082 + 82
		name: "tcp4 in gre", data: eth(typeIPv4, ip4(47, join([]byte{0x20, 0, 8, 0, 0, 0, 0, 1}, ip4(6, tcp(1, 2, pshAck, nil))))),
		edit: vnet(gsoTCPv4, 1000, 2082), packets: 2, bytes: 2164,
	}, {
		// gretap: 14+20+4 + 14+20+20 = 92: 2092 + 92
		name: "tcp4 in gretap", data: eth(typeIPv4, ip4(47, join([]byte{0, 0, 0x65, 0x58}, eth(typeIPv4, ip4(6, tcp(1, 2, pshAck, nil)))))),
		edit: vnet(gsoTCPv4, 1000, 2092), packets: 2, bytes: 2184,
	}, {
		// 6in4: 14+20 + 40+20 = 94: 2094 + 94
		name: "tcp6 in ip4", data: eth(typeIPv4, ip4(41, ip6(6, tcp(1, 2, pshAck, nil)))),
		edit: vnet(gsoTCPv6, 1000, 2094), packets: 2, bytes: 2188,
	}, {
		// datagrams in VXLAN: 14+20+8+8 + 14+20+8 = 92; payload 2400 = 2 * 1200: 2492 + 92
		name: "udp segmentation in vxlan", data: eth(typeIPv4, vxlan(eth(typeIPv4, ip4(17, udp(1, 443, nil))))),
		edit: vnet(gsoUDP, 1200, 2492), packets: 2, bytes: 2584,
	}, {
		// 4in4: 14+20 + 20+20 = 74: 2074 + 74
		name: "tcp4 in ip4", data: eth(typeIPv4, ip4(4, ip4(6, tcp(1, 2, pshAck, nil)))),
		edit: vnet(gsoTCPv4, 1000, 2074), packets: 2, bytes: 2148,
	}, {
		// GRE version 1 (PPTP) is not looked into: 14+20 + 52 assumed = 86
		name: "tcp4 in pptp", data: eth(typeIPv4, ip4(47, join([]byte{0x20, 1, 0x88, 0x0b}, zeros(40)))),
		edit: vnet(gsoTCPv4, 1000, 2086), packets: 2, bytes: 2172,
	}, {
		// VXLAN cut within its header: 14+20 + 8+8+14 + 52 assumed = 116
		name: "tcp4 in vxlan, cut at 46", data: eth(typeIPv4, vxlan(nil))[:46],
		edit: vnet(gsoTCPv4, 1398, 2912), packets: 2, bytes: 3028,
	}, {
		// tags without end inside VXLAN, the same guess
		name: "tcp4 on nine vlans in vxlan", data: eth(typeIPv4, vxlan(eth(typeDot1Q, tag(1, typeDot1Q), tag(2, typeDot1Q), tag(3, typeDot1Q), tag(4, typeDot1Q),
			tag(5, typeDot1Q), tag(6, typeDot1Q), tag(7, typeDot1Q), tag(8, typeDot1Q), tag(9, typeIPv4), zeros(60)))),
		edit: vnet(gsoTCPv4, 1398, 2912), packets: 2, bytes: 3028,
	}, {
		// Geneve with IP directly inside: 14+20+8+8 + 20+20 = 90: 2090 + 90
		name: "tcp4 in geneve without ethernet", data: eth(typeIPv4, ip4(17, udp(50000, portGeneve, join([]byte{0, 0, 8, 0, 0, 0, 1, 0}, ip4(6, tcp(1, 2, pshAck, nil)))))),
		edit: vnet(gsoTCPv4, 1000, 2090), packets: 2, bytes: 2180,
	}, {
		// ESP hides IP and TCP: 14+20 + 20+32 assumed = 86; payload 2000 = 2 * 1000: 2086 + 86
		name: "tcp4 in esp", data: eth(typeIPv4, ip4(50, zeros(40))),
		edit: vnet(gsoTCPv4, 1000, 2086), packets: 2, bytes: 2172,
	}, {
		// VXLAN on another port: as above, 116; 2912 + 116
		name: "tcp4 in vxlan on an odd port", data: eth(typeIPv4, ip4(17, udp(50000, 4790, join(zeros(8), eth(typeIPv4, ip4(6, tcpStamps(1, 2, pshAck, nil))))))),
		edit: vnet(gsoTCPv4, 1398, 2912), packets: 2, bytes: 3028,
	}, {
		// a UDP tunnel that hides all: 14+20 + 8+8+14 + 20+32 assumed = 116
		name: "tcp4 in a udp tunnel, hidden", data: eth(typeIPv4, ip4(17, udp(50000, 51820, zeros(60)))),
		edit: vnet(gsoTCPv4, 1398, 2912), packets: 2, bytes: 3028,
	}, {
		// datagrams to the port of VXLAN that are none: headers 42; 2400 = 2 * 1200: 2442 + 42
		name: "udp segmentation to the port of vxlan", data: eth(typeIPv4, ip4(17, udp(50000, portVXLAN, join(zeros(8), eth(typeIPv4, ip4(17, udp(1, 2, nil))))))),
		edit: vnet(gsoUDP, 1200, 2442), packets: 2, bytes: 2484,
	}, {
		// GRE cut before the inner header: 14+20 + 20+32 assumed = 86
		name: "tcp4 in gre, cut", data: eth(typeIPv4, ip4(47, []byte{0, 0, 8, 0, 0x45})),
		edit: vnet(gsoTCPv4, 1000, 2086), packets: 2, bytes: 2172,
	}, {
		// an unknown ethertype hides IP and TCP: 14 + 20+32 assumed = 66: 2066 + 66
		name: "tcp4 in mpls", data: eth(0x8847, zeros(60)),
		edit: vnet(gsoTCPv4, 1000, 2066), packets: 2, bytes: 2132,
	}, {
		// 14 + 40+32 = 86: 2086 + 86
		name: "tcp6 in mpls", data: eth(0x8847, zeros(60)),
		edit: vnet(gsoTCPv6, 1000, 2086), packets: 2, bytes: 2172,
	}, {
		// the longest frame a hostile header can claim: headers 54, pieces of one byte:
		// payload 2^32-1-54, each with headers: (2^32-55) * 55
		name: "gso_size 1, length 2^32-1", data: eth(typeIPv4, ip4(6, tcp(1, 2, pshAck, nil))),
		edit: vnet(gsoTCPv4, 1, 1<<32-1), packets: 1<<32 - 55, bytes: (1<<32 - 55) * 55,
	},
}

func TestSuperFrames(t *testing.T) {
	for _, tt := range superCases {
		t.Run(tt.name, func(t *testing.T) {
			m := txMeta(tt.data)
			tt.edit(&m)
			for _, dir := range flow.Directions {
				m.Dir = dir
				var rec flow.Record
				d := New(Config{Fragments: 4})
				d.Decode(tt.data, &m, &rec, new(flow.Echo))
				if rec.Packets != tt.packets || rec.Bytes != tt.bytes || rec.SKBBytes != m.Len {
					t.Errorf("%v: got %d packets, %d bytes, %d skb bytes, want %d, %d, %d",
						dir, rec.Packets, rec.Bytes, rec.SKBBytes, tt.packets, tt.bytes, m.Len)
				}
				if got, want := d.Stats().SuperFrames, tt.packets > 1; got == 1 != want {
					t.Errorf("%v: got %d super-frames, want one: %v", dir, got, want)
				}
			}
		})
	}
}

// A short frame on Tx is counted as the tap sees it; the pad of the NIC is not
// guessed. A length below the captured bytes is a broken file: the bytes count.
func TestLength(t *testing.T) {
	short := eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil))) // 54 bytes
	for _, tt := range []struct {
		name string
		m    Meta
		want uint64
	}{
		{"unpadded", Meta{Len: 54}, 54},
		{"unpadded, tag stripped", Meta{Len: 54, HasVLAN: true, VLAN: 5}, 58},
		{"length below the captured bytes", Meta{Len: 10}, 54},
		{"no length", Meta{}, 54},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var rec flow.Record
			d := New(Config{})
			if d.general(short, &tt.m, &rec, nil); rec.Bytes != tt.want || rec.SKBBytes != 54 {
				t.Errorf("general: got %d bytes, %d skb bytes, want %d, 54", rec.Bytes, rec.SKBBytes, tt.want)
			}
			d.Decode(short, &tt.m, &rec, nil)
			if rec.Bytes != tt.want || rec.Packets != 1 || rec.SKBBytes != 54 {
				t.Errorf("got %d bytes, %d packets, %d skb bytes, want %d, 1, 54", rec.Bytes, rec.Packets, rec.SKBBytes, tt.want)
			}
		})
	}
}
