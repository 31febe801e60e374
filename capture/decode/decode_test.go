package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// decodeCase is a frame from a to b and the key it has when sent by a.
type decodeCase struct {
	name  string
	data  []byte
	edit  func(m *Meta)
	key   flow.Key
	flags uint8
	stats Stats // Frames left out
}

const (
	syn    = 0x02
	pshAck = 0x18
)

var (
	bpdu = join(macB, macA, be16(38), []byte{0x42, 0x42, 3}, zeros(43)) // spanning tree

	// decodeCases are read by the table test, the allocation test and the fuzzer.
	decodeCases = []decodeCase{
		{name: "tcp4", data: eth(typeIPv4, ip4(6, tcp(40000, 80, pshAck, zeros(9)))), key: key4(6, 40000, 80), flags: pshAck},
		{name: "tcp4 with padding", data: eth(typeIPv4, ip4(6, tcp(40000, 80, syn, nil)), zeros(6)), key: key4(6, 40000, 80), flags: syn},
		{name: "tcp4 with options of TCP", data: eth(typeIPv4, ip4(6, tcpStamps(40000, 80, pshAck, zeros(9)))), key: key4(6, 40000, 80), flags: pshAck},
		{name: "udp4", data: eth(typeIPv4, ip4(17, udp(53, 5353, zeros(30)))), key: key4(17, 53, 5353)},
		{name: "sctp4", data: eth(typeIPv4, ip4(132, sctp(36412, 36412, zeros(30)))), key: key4(132, 36412, 36412)},
		{name: "icmp4", data: eth(typeIPv4, ip4(1, icmp(3, 1, 0, 0, zeros(28)))), key: key4(1, 0, 0)},
		{name: "gre4 has no ports", data: eth(typeIPv4, ip4(47, zeros(40))), key: key4(47, 0, 0)},
		{name: "icmp6 number in ip4", data: eth(typeIPv4, ip4(58, icmp(128, 0, 7, 1, nil))), key: key4(58, 0, 0)},
		{name: "hop-by-hop number in ip4 is no extension", data: eth(typeIPv4, ip4(0, ext(6, 1, tcp(1, 2, syn, nil)))), key: key4(0, 0, 0)},
		{name: "ip4 with 4 bytes of options", data: eth(typeIPv4, ip4Options(4, 6, tcp(40000, 80, syn, nil))), key: key4(6, 40000, 80), flags: syn},
		{name: "ip4 with 40 bytes of options", data: eth(typeIPv4, ip4Options(40, 17, udp(1, 2, nil))), key: key4(17, 1, 2)},
		{name: "ip4 total length 0 (over 64 KiB)", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, zeros(40)), func(h []byte) { h[2], h[3] = 0, 0 })), key: key4(6, 1, 2), flags: syn},
		{name: "ah in ip4", data: eth(typeIPv4, ip4(51, ah(6, 6, tcp(1, 2, syn, nil)))), key: key4(6, 1, 2), flags: syn},

		{name: "tcp6", data: eth(typeIPv6, ip6(6, tcp(40000, 80, syn, nil))), key: key6(6, 40000, 80), flags: syn},
		{name: "udp6", data: eth(typeIPv6, ip6(17, udp(1, 2, nil))), key: key6(17, 1, 2)},
		{name: "sctp6", data: eth(typeIPv6, ip6(132, sctp(1, 2, nil))), key: key6(132, 1, 2)},
		{name: "icmp6 neighbour solicitation", data: eth(typeIPv6, ip6(58, icmp(135, 0, 0, 0, zeros(24)))), key: key6(58, 0, 0)},
		{name: "neighbour solicitation on the link", data: eth(typeIPv6, onLink(ip6(58, icmp(135, 0, 0, 0, zeros(24))))), key: key6(58, flow.ICMPNeighbour, 0)},
		{name: "its answer is the same flow", data: eth(typeIPv6, onLink(ip6(58, icmp(136, 0, 0, 0, zeros(24))))), key: key6(58, flow.ICMPNeighbour, 0)},
		{name: "icmp4 number in ip6", data: eth(typeIPv6, ip6(1, icmp(8, 0, 7, 1, nil))), key: key6(1, 0, 0)},
		{name: "hop-by-hop", data: eth(typeIPv6, ip6(0, ext(58, 1, icmp(143, 0, 0, 1, zeros(20))))), key: key6(58, flow.ICMPListener, 0)},
		{name: "every extension header", data: eth(typeIPv6, ip6(0, ext(60, 1, ext(43, 1, ext(44, 3, fragment6(51, 9, 0, false,
			ah(60, 6, ext(135, 1, ext(139, 1, ext(140, 1, ext(6, 1, tcp(5, 6, syn, nil)))))))))))), key: key6(6, 5, 6), flags: syn},
		{name: "no next header", data: eth(typeIPv6, ip6(59, zeros(4))), key: key6(59, 0, 0)},
		{name: "destination options and nothing", data: eth(typeIPv6, ip6(60, ext(59, 1, nil))), key: key6(59, 0, 0)},
		{name: "mobility is the message", data: eth(typeIPv6, ip6(135, ext(59, 2, nil))), key: key6(135, 0, 0)},
		{name: "esp hides its ports", data: eth(typeIPv6, ip6(50, zeros(40))), key: key6(50, 0, 0)},
		{name: "atomic fragment is whole", data: eth(typeIPv6, ip6(44, fragment6(17, 9, 0, false, udp(1, 2, nil)))), key: key6(17, 1, 2)},
		{name: "atomic fragment with reserved bits", data: eth(typeIPv6, ip6(44, fragment6(17, 9, 6, false, udp(1, 2, nil)))), key: key6(17, 1, 2)},
		{name: "ip6 payload length 0 (over 64 KiB)", data: eth(typeIPv6, ip6(6, nil), tcp(1, 2, syn, zeros(40))), key: key6(6, 1, 2), flags: syn},

		{name: "vlan in the frame", data: eth(typeDot1Q, tag(100, typeIPv4), ip4(6, tcp(1, 2, syn, nil))), key: onVLAN(100, key4(6, 1, 2)), flags: syn},
		{name: "vlan with priority bits", data: eth(typeDot1Q, tag(0xe064, typeIPv6), ip6(6, tcp(1, 2, syn, nil))), key: onVLAN(100, key6(6, 1, 2)), flags: syn},
		{name: "vlan 4095", data: eth(typeDot1Q, tag(4095, typeIPv4), ip4(6, tcp(1, 2, syn, nil))), key: onVLAN(4095, key4(6, 1, 2)), flags: syn},
		{name: "priority tag is untagged", data: eth(typeDot1Q, tag(0xa000, typeIPv4), ip4(6, tcp(1, 2, syn, nil))), key: key4(6, 1, 2), flags: syn},
		{name: "priority tag in front of a vlan", data: eth(typeDot1Q, tag(0xa000, typeDot1Q), tag(7, typeIPv4), ip4(6, tcp(1, 2, syn, nil))), key: onVLAN(7, key4(6, 1, 2)), flags: syn},
		{name: "qinq 802.1ad", data: eth(typeQinQ, tag(200, typeDot1Q), tag(100, typeIPv4), ip4(6, tcp(1, 2, syn, nil))), key: onVLAN(200, key4(6, 1, 2)), flags: syn},
		{name: "qinq 0x9100", data: eth(typeQinQ1, tag(201, typeDot1Q), tag(100, typeIPv4), ip4(6, tcp(1, 2, syn, nil))), key: onVLAN(201, key4(6, 1, 2)), flags: syn},
		{name: "eight tags", data: eth(typeDot1Q, tag(1, typeDot1Q), tag(2, typeDot1Q), tag(3, typeDot1Q), tag(4, typeDot1Q), tag(5, typeDot1Q), tag(6, typeDot1Q), tag(7, typeDot1Q), tag(8, typeIPv4), ip4(6, tcp(1, 2, syn, nil))), key: onVLAN(1, key4(6, 1, 2)), flags: syn},
		{name: "nine tags", data: eth(typeDot1Q, tag(1, typeDot1Q), tag(2, typeDot1Q), tag(3, typeDot1Q), tag(4, typeDot1Q), tag(5, typeDot1Q), tag(6, typeDot1Q), tag(7, typeDot1Q), tag(8, typeDot1Q), tag(9, typeIPv4), ip4(6, tcp(1, 2, syn, nil))), key: onVLAN(1, keyMAC(typeDot1Q)), stats: Stats{Malformed: 1}},
		{name: "stripped tag", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil))), edit: stripped(100), key: onVLAN(100, key4(6, 1, 2)), flags: syn},
		{name: "stripped tag with priority bits", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil))), edit: stripped(0xf064), key: onVLAN(100, key4(6, 1, 2)), flags: syn},
		{name: "stripped outer tag, inner in the frame", data: eth(typeDot1Q, tag(100, typeIPv4), ip4(6, tcp(1, 2, syn, nil))), edit: stripped(200), key: onVLAN(200, key4(6, 1, 2)), flags: syn},
		{name: "stripped priority tag", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil))), edit: stripped(0xa000), key: key4(6, 1, 2), flags: syn},
		{name: "tag without TP_STATUS_VLAN_VALID", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil))), edit: func(m *Meta) { m.VLAN = 9 }, key: key4(6, 1, 2), flags: syn},

		{name: "arp", data: eth(0x0806, zeros(28)), key: keyMAC(0x0806)},
		{name: "arp on a vlan", data: eth(typeDot1Q, tag(5, 0x0806), zeros(28)), key: onVLAN(5, keyMAC(0x0806))},
		{name: "lacp", data: eth(0x8809, []byte{1, 1}, zeros(108)), key: keyMAC(0x8809)},
		{name: "lldp", data: eth(0x88cc, zeros(46)), key: keyMAC(0x88cc)},
		{name: "mpls", data: eth(0x8847, []byte{0, 1, 0x01, 64}, ip4(6, tcp(1, 2, syn, nil))), key: keyMAC(0x8847)},
		{name: "802.3 spanning tree", data: bpdu, key: keyMAC(0)},
		{name: "802.3 of another length is the same row", data: join(macB, macA, be16(105), []byte{0x42, 0x42, 3}, zeros(102)), key: keyMAC(0)},
		{name: "802.3 snap of Cisco", data: eth(50, []byte{0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0}, zeros(42)), key: keyMAC(0)},
		{name: "802.3 snap with ip4 (RFC 1042)", data: eth(48, []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, ip4(6, tcp(1, 2, syn, nil))), key: key4(6, 1, 2), flags: syn},
		{name: "802.3 snap with a number that is no ethertype", data: eth(48, []byte{0xaa, 0xaa, 3, 0, 0, 0, 0, 5}, zeros(40)), key: keyMAC(0)},
		{name: "802.3 on a vlan", data: eth(typeDot1Q, tag(5, 38), []byte{0x42, 0x42, 3}, zeros(35)), key: onVLAN(5, keyMAC(0))},
		{name: "802.3 ends at once", data: eth(3), key: keyMAC(0)},
	}
)

func stripped(tci uint16) func(m *Meta) {
	return func(m *Meta) { m.HasVLAN, m.VLAN, m.VLANTPID = true, tci, typeDot1Q }
}

// oddCases are frames that end early or contradict themselves.
var oddCases = []decodeCase{
	{name: "no byte", data: nil, key: flow.Key{}, stats: Stats{Malformed: 1}},
	{name: "half an ethernet header", data: join(macB, macA[:3]), key: flow.Key{Local: [16]byte{10: 2}, Remote: keyMAC(0).Remote}, stats: Stats{Malformed: 1}},
	{name: "ethernet header alone", data: eth(typeIPv4), key: keyMAC(typeIPv4), stats: Stats{Malformed: 1}},
	{name: "tag cut", data: eth(typeDot1Q, []byte{0}), key: keyMAC(typeDot1Q), stats: Stats{Malformed: 1}},
	{name: "ip4 header cut on the wire", data: eth(typeIPv4, ip4(6, nil)[:19]), key: keyMAC(typeIPv4), stats: Stats{Malformed: 1}},
	{name: "ip4 header cut by the snaplen", data: eth(typeIPv4, ip4(6, nil)[:19]), edit: length(60), key: keyMAC(typeIPv4), stats: Stats{Truncated: 1}},
	{name: "ip4 options cut by the snaplen", data: eth(typeIPv4, ip4Options(8, 6, nil)[:24]), edit: length(60), key: keyMAC(typeIPv4), stats: Stats{Truncated: 1}},
	{name: "ip4 version 5", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil), func(h []byte) { h[0] = 0x55 })), key: keyMAC(typeIPv4), stats: Stats{Malformed: 1}},
	{name: "ip4 header of 16 bytes", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil), func(h []byte) { h[0] = 0x44 })), key: keyMAC(typeIPv4), stats: Stats{Malformed: 1}},
	{name: "ip4 total length below the header", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil), func(h []byte) { h[3] = 19 })), key: keyMAC(typeIPv4), stats: Stats{Malformed: 1}},
	{name: "ip4 total length beyond the frame", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil), func(h []byte) { h[2] = 5 })), key: key4(6, 1, 2), flags: syn, stats: Stats{Malformed: 1}},
	{name: "ip4 total length fits behind the snaplen", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil), func(h []byte) { h[2] = 5 })), edit: length(14 + 5*256 + 40), key: key4(6, 1, 2), flags: syn},
	{name: "ip4 total length a byte beyond the frame", data: eth(typeIPv4, ip4(17, udp(1, 2, zeros(32)), func(h []byte) { h[3]++ })), key: key4(17, 1, 2), stats: Stats{Malformed: 1}},
	{name: "ip4 total length beyond the frame, ports cut", data: eth(typeIPv4, ip4(17, udp(1, 2, nil), func(h []byte) { h[2] = 5 })[:22]), edit: length(60), key: key4(17, 0, 0), stats: Stats{Malformed: 1}},
	{name: "udp of two bytes, padded", data: eth(typeIPv4, ip4(17, []byte{0, 1}), be16(2, 3), zeros(20)), key: key4(17, 0, 0), stats: Stats{Malformed: 1}},
	{name: "ports end the packet and are cut", data: eth(typeIPv4, ip4(17, be16(1, 2))[:22]), edit: length(38), key: key4(17, 0, 0), stats: Stats{Truncated: 1}},
	// Regression: ports must not be read from the padding of a short packet.
	{name: "ip4 without its tcp, padded", data: eth(typeIPv4, ip4(6, nil), be16(1, 2), zeros(22)), key: key4(6, 0, 0), stats: Stats{Malformed: 1}},
	{name: "tcp ports cut by the snaplen", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil))[:23]), edit: length(54), key: key4(6, 0, 0), stats: Stats{Truncated: 1}},
	{name: "tcp flags cut by the snaplen", data: eth(typeIPv4, ip4(6, tcp(1, 2, syn, nil))[:33]), edit: length(54), key: key4(6, 1, 2), stats: Stats{Truncated: 1}},
	{name: "udp payload cut by the snaplen", data: eth(typeIPv4, ip4(17, udp(1, 2, zeros(900)))[:28]), edit: length(942), key: key4(17, 1, 2)},
	{name: "icmp of two bytes", data: eth(typeIPv4, ip4(1, []byte{8, 0}), zeros(24)), key: key4(1, 0, 0), stats: Stats{Malformed: 1}},
	{name: "ah cut", data: eth(typeIPv4, ip4(51, ah(6, 6, nil)[:6])), key: key4(51, 0, 0), stats: Stats{Malformed: 1}},
	{name: "ah longer than the packet", data: eth(typeIPv4, ip4(51, []byte{6, 255, 0, 0, 0, 0, 0, 0})), key: key4(51, 0, 0), stats: Stats{Malformed: 1}},

	{name: "ip6 header cut on the wire", data: eth(typeIPv6, ip6(6, nil)[:39]), key: keyMAC(typeIPv6), stats: Stats{Malformed: 1}},
	{name: "ip6 version 4", data: eth(typeIPv6, join([]byte{0x40}, ip6(6, tcp(1, 2, syn, nil))[1:])), key: keyMAC(typeIPv6), stats: Stats{Malformed: 1}},
	{name: "ip6 payload beyond the frame", data: eth(typeIPv6, ip6(17, udp(1, 2, zeros(9)))[:50]), key: key6(17, 1, 2), stats: Stats{Malformed: 1}},
	{name: "extension header cut", data: eth(typeIPv6, ip6(0, ext(6, 1, nil)[:7])), key: key6(0, 0, 0), stats: Stats{Malformed: 1}},
	{name: "extension header longer than the packet", data: eth(typeIPv6, ip6(60, join([]byte{6, 255}, zeros(6)))), key: key6(60, 0, 0), stats: Stats{Malformed: 1}},
	{name: "256 extension headers", data: eth(typeIPv6, ip6(60, chain(maxExtensions-1, tcp(1, 2, syn, nil)))), key: key6(6, 1, 2), flags: syn},
	{name: "257 extension headers", data: eth(typeIPv6, ip6(60, chain(maxExtensions, tcp(1, 2, syn, nil)))), key: key6(60, 0, 0), stats: Stats{Malformed: 1}},
	{name: "snap packet ends with its 802.3 length", data: eth(36, []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, ip4(17, udp(1, 2, nil))), key: key4(17, 1, 2)},
	{name: "snap packet longer than its 802.3 length", data: eth(30, []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, ip4(17, udp(1, 2, nil))), key: key4(17, 0, 0), stats: Stats{Malformed: 1}},
}

// chain is n+1 destination options headers in front of a TCP segment.
func chain(n int, payload []byte) []byte {
	p := ext(6, 1, payload)
	for range n {
		p = ext(60, 1, p)
	}
	return p
}

// length says how long the frame was on the wire.
func length(n uint32) func(m *Meta) { return func(m *Meta) { m.Len = n } }

func TestDecode(t *testing.T) {
	for _, tt := range append(decodeCases[:len(decodeCases):len(decodeCases)], oddCases...) {
		t.Run(tt.name, func(t *testing.T) {
			m := txMeta(tt.data)
			if tt.edit != nil {
				tt.edit(&m)
			}
			want := flow.Record{
				At: m.At, Dir: flow.Tx, Key: tt.key, TCPFlags: tt.flags,
				Packets: 1, Bytes: uint64(m.Len), SKBBytes: m.Len,
			}
			if m.HasVLAN {
				want.Bytes += 4
			}
			if len(tt.data) >= 12 {
				want.MAC = [6]byte(macA)
			} else if len(tt.data) > 6 {
				copy(want.MAC[:], tt.data[6:])
			}
			tt.stats.Frames = 1
			check(t, "tx", tt.data, &m, want, tt.stats)

			m.Dir, want.Dir, want.Key = flow.Rx, flow.Rx, swapped(tt.key)
			want.MAC = [6]byte{}
			copy(want.MAC[:], tt.data[:min(6, len(tt.data))])
			check(t, "rx", tt.data, &m, want, tt.stats)
		})
	}
}

// check decodes into a record full of dirt, as the caller reuses its records.
func check(t *testing.T, what string, data []byte, m *Meta, want flow.Record, stats Stats) {
	t.Helper()
	got := dirtyRecord()
	echo := flow.Echo{ID: 99}
	d := New(Config{Fragments: 4})
	if d.Decode(data, m, &got, &echo) {
		t.Errorf("%s: an echo was seen: %+v", what, echo)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: record (-want +got):\n%s", what, diff)
	}
	if diff := cmp.Diff(stats, d.Stats()); diff != "" {
		t.Errorf("%s: stats (-want +got):\n%s", what, diff)
	}
	if diff := cmp.Diff(flow.Echo{ID: 99}, echo); diff != "" {
		t.Errorf("%s: echo was touched (-want +got):\n%s", what, diff)
	}
}

func dirtyRecord() flow.Record {
	r := flow.Record{At: -1, Bytes: 77, SKBBytes: 77, Packets: 77, Dir: 7, TCPFlags: 0xff, MAC: [6]byte{9, 9, 9, 9, 9, 9}, Inner: [6]byte{8, 8, 8, 8, 8, 8}}
	r.Key = flow.Key{LocalPort: 77, RemotePort: 77, VLAN: 77, Proto: 77, Family: 77}
	for i := range r.Key.Local {
		r.Key.Local[i], r.Key.Remote[i] = 0xee, 0xee
	}
	return r
}
