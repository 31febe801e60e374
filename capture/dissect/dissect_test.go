package dissect

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow/stats"
)

// packet puts hexadecimal parts together.
func packet(parts ...string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

const (
	eth4   = "020000000001 020000000002 0800"
	eth6   = "020000000001 020000000002 86dd"
	tcpHdr = "24d2 9cb0 00000064 000000c8 5018 01f5 0000 0000" // 9426 to 40112, seq 100, ack 200, PSH ACK, window 501
	udpHdr = "0035 9cb0 000c 0000"
)

// ip4 is a header of 20 bytes from 10.1.16.165 to 10.1.16.71 before n bytes.
func ip4(proto byte, n int) string {
	n += 20
	return hex.EncodeToString([]byte{0x45, 0, byte(n >> 8), byte(n), 0x12, 0x34, 0, 0, 64, proto, 0, 0, 10, 1, 16, 165, 10, 1, 16, 71})
}

// inside4 is ip4 from 192.168.7.1 to 192.168.7.2.
func inside4(proto byte, n int) string {
	return strings.Replace(strings.Replace(ip4(proto, n), "0a0110a5", "c0a80701", 1), "0a011047", "c0a80702", 1)
}

func ip6(next byte, n int) string {
	return hex.EncodeToString([]byte{0x60, 0, 0, 0, byte(n >> 8), byte(n), next, 64}) + "20010db8000000000000000000000001 20010db8000000000000000000000002"
}

func addr4(a, b, c, d byte) stats.Addr { return stats.IPv4([]byte{a, b, c, d}) }

var (
	outerSrc, outerDst = addr4(10, 1, 16, 165), addr4(10, 1, 16, 71)
	innerSrc, innerDst = addr4(192, 168, 7, 1), addr4(192, 168, 7, 2)
	src6, dst6         = stats.Addr{Hi: 0x20010db800000000, Lo: 1}, stats.Addr{Hi: 0x20010db800000000, Lo: 2}
)

// tcp4 is what the TCP header above says, with n bytes of payload.
func tcp4(src, dst stats.Addr, n uint32) stats.Packet {
	return stats.Packet{Packets: 1, IP: true, V4: true, TCP: true, Proto: 6, TCPFlags: stats.PSH | stats.ACK, Src: src, Dst: dst, SrcPort: 9426, DstPort: 40112,
		Seq: 100, Ack: 200, Window: 501, SegLen: n}
}

func udp4(src, dst stats.Addr) stats.Packet {
	return stats.Packet{Packets: 1, IP: true, V4: true, Proto: 17, Src: src, Dst: dst, SrcPort: 53, DstPort: 40112}
}

func TestRead(t *testing.T) {
	change := func(p stats.Packet, f func(*stats.Packet)) stats.Packet {
		f(&p)
		return p
	}
	inUDP := func(port string, n byte) string {
		return "c000 " + port + " 00" + hex.EncodeToString([]byte{n}) + " 0000"
	}
	tests := []struct {
		name  string
		link  uint16
		data  []byte
		inner bool
		want  stats.Packet
	}{
		{"TCP", linkEN10, packet(eth4, ip4(6, 24), tcpHdr, "61626364"), false, tcp4(outerSrc, outerDst, 4)},
		{"TCP with Ethernet padding", linkEN10, packet(eth4, ip4(6, 20), tcpHdr, "000000000000"), false, tcp4(outerSrc, outerDst, 0)},
		{"UDP in two tags", linkEN10, packet("020000000001 020000000002 88a8 0064 8100 0065 0800", ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"RAW", linkRaw, packet(ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"RAW under its old number", linkRawBSD, packet(ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"IPV6 with IPv4 in it", linkIPv6, packet(ip4(17, 12), udpHdr, "61626364"), false, stats.Packet{Packets: 1, Malformed: true}},
		{"NULL, little endian", linkNull, packet("02000000", ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"LOOP", linkLoop, packet("00000002", ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"SLL", linkSLL, packet("0000 0001 0006 0200000000010000 0800", ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"SLL2", linkSLL2, packet("0800 0000 00000003 0001 00 06 0200000000010000", ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"MPLS", linkEN10, packet("020000000001 020000000002 8847 00010040 00020140", ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"a pseudowire", linkEN10, packet("020000000001 020000000002 8847 00010140 00000000", eth4, ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"PPPoE", linkEN10, packet("020000000001 020000000002 8864 1100 0001 0022 0021", ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"SNAP", linkEN10, packet("020000000001 020000000002 0028 aaaa03 000000 0800", ip4(17, 12), udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"ARP", linkEN10, packet("020000000001 020000000002 0806 0001 0800"), false, stats.Packet{Packets: 1}},
		{"VXLAN, outermost", linkEN10, packet(eth4, ip4(17, 70), inUDP("12b5", 70), "0800000000000100", eth4, inside4(6, 20), tcpHdr), false,
			change(udp4(outerSrc, outerDst), func(p *stats.Packet) { p.SrcPort, p.DstPort = 0xc000, 4789 })},
		{"VXLAN, innermost", linkEN10, packet(eth4, ip4(17, 70), inUDP("12b5", 70), "0800000000000100", eth4, inside4(6, 20), tcpHdr), true, tcp4(innerSrc, innerDst, 0)},
		{"Geneve, innermost", linkEN10, packet(eth4, ip4(17, 74), inUDP("17c1", 74), "0100655800000100 00000000", eth4, inside4(6, 20), tcpHdr), true, tcp4(innerSrc, innerDst, 0)},
		{"GTP, innermost", linkEN10, packet(eth4, ip4(17, 56), inUDP("0868", 56), "30ff002800000001", inside4(6, 20), tcpHdr), true, tcp4(innerSrc, innerDst, 0)},
		{"GRE with a key, innermost", linkEN10, packet(eth4, ip4(47, 48), "2000 0800 00000007", inside4(6, 20), tcpHdr), true, tcp4(innerSrc, innerDst, 0)},
		{"ERSPAN II, innermost", linkEN10, packet(eth4, ip4(47, 70), "1000 88be 00000001 1001000100000000", eth4, inside4(6, 20), tcpHdr), true, tcp4(innerSrc, innerDst, 0)},
		{"IP in IP, innermost", linkEN10, packet(eth4, ip4(4, 40), inside4(6, 20), tcpHdr), true, tcp4(innerSrc, innerDst, 0)},
		{"IP in IP, outermost", linkEN10, packet(eth4, ip4(4, 40), inside4(6, 20), tcpHdr), false,
			stats.Packet{Packets: 1, IP: true, V4: true, Proto: 4, Src: outerSrc, Dst: outerDst}},
		{"IPv6 with extension headers", linkEN10, packet(eth6, ip6(0, 8+8+12), "3c00010400000000 1100010400000000", udpHdr, "61626364"), false,
			stats.Packet{Packets: 1, IP: true, Proto: 17, Src: src6, Dst: dst6, SrcPort: 53, DstPort: 40112}},
		{"AH", linkEN10, packet(eth4, ip4(51, 24+12), "1104 0000 00000001 00000001 000000000000000000000000", udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"a first fragment of IPv6", linkEN10, packet(eth6, ip6(44, 8+12), "1100 0001 0000abcd", udpHdr, "61626364"), false,
			stats.Packet{Packets: 1, IP: true, Proto: 17, Src: src6, Dst: dst6, SrcPort: 53, DstPort: 40112, Fragment: stats.FirstFragment, FragID: 0xabcd}},
		{"a later fragment of IPv6", linkEN10, packet(eth6, ip6(44, 8+12), "1100 0008 0000abcd", udpHdr, "61626364"), false,
			stats.Packet{Packets: 1, IP: true, Proto: 17, Src: src6, Dst: dst6, Fragment: stats.LaterFragment, FragID: 0xabcd}},
		{"an echo request", linkEN10, packet(eth4, ip4(1, 12), "0800 0000 0007 006e 61626364"), false,
			stats.Packet{Packets: 1, IP: true, V4: true, Proto: 1, Src: outerSrc, Dst: outerDst, Echo: stats.EchoRequest, EchoID: 7, EchoSeq: 110}},
		{"an ICMPv6 echo reply", linkEN10, packet(eth6, ip6(58, 12), "8100 0000 0007 006e 61626364"), false,
			stats.Packet{Packets: 1, IP: true, Proto: 58, Src: src6, Dst: dst6, Echo: stats.EchoReply, EchoID: 7, EchoSeq: 110}},
		{"port unreachable", linkEN10, packet(eth4, ip4(1, 36), "0303 0000 00000000", inside4(17, 8), "c000 829d 0008 0000"), true,
			stats.Packet{Packets: 1, IP: true, V4: true, Proto: 1, Src: outerSrc, Dst: outerDst, QuotedProto: 17, QuotedPort: 33437}},
		{"a header length of 16", linkEN10, packet(eth4, "44", ip4(17, 12)[2:], udpHdr, "61626364"), false, stats.Packet{Packets: 1, Malformed: true}},
		{"more than the frame has", linkEN10, packet(eth4, ip4(17, 1000), udpHdr, "61626364"), false, change(udp4(outerSrc, outerDst), func(p *stats.Packet) { p.Malformed = true })},
		{"a source route under way", linkEN10, packet(eth4, "48", ip4(17, 24)[2:], "830b04 01020304 05060708 00", udpHdr, "61626364"), false, udp4(outerSrc, addr4(5, 6, 7, 8))},
		{"a source route at its end", linkEN10, packet(eth4, "48", ip4(17, 24)[2:], "830b0c 01020304 05060708 00", udpHdr, "61626364"), false, udp4(outerSrc, outerDst)},
		{"nothing", linkEN10, nil, false, stats.Packet{Packets: 1, Malformed: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := stats.Packet{At: 5, Interface: 3}
			Read(&Frame{Link: tt.link, Data: tt.data, Len: len(tt.data), Inner: tt.inner}, &got)
			want := tt.want
			want.At, want.Interface, want.Bytes = 5, 3, uint64(len(tt.data))
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// What the snaplen cut is not malformed, and payload that was not captured counts.
func TestReadCut(t *testing.T) {
	whole := packet(eth4, ip4(6, 1400), tcpHdr)
	for _, n := range []int{34, 38, 50, 54} {
		var p stats.Packet
		Read(&Frame{Link: linkEN10, Data: whole[:n], Len: 14 + 20 + 1400}, &p)
		if p.Malformed || !p.IP || p.Bytes != 1434 || (p.DstPort == 40112) != (n >= 38) || p.TCP != (n >= 50) || p.TCP && p.SegLen != 1380 {
			t.Errorf("%d bytes captured: %+v", n, p)
		}
	}
}

// A super-frame is counted as the wire carried it.
func TestReadSuperFrame(t *testing.T) {
	data := packet(eth4, ip4(6, 20+3000), tcpHdr)
	var p stats.Packet
	Read(&Frame{Link: linkEN10, Data: data, Len: 54 + 3000, SegSize: 1448}, &p)
	// 3000 bytes in pieces of 1448: 3, each with 54 bytes of headers.
	if p.Packets != 3 || p.Bytes != 3000+3*54 {
		t.Errorf("%d packets, %d bytes; want 3 and 3162", p.Packets, p.Bytes)
	}
}

func TestReadAllocates(t *testing.T) {
	f := Frame{Link: linkEN10, Data: packet(eth4, ip4(17, 70), "c000 12b5 0046 0000", "0800000000000100", eth4, inside4(6, 20), tcpHdr), Inner: true}
	f.Len = len(f.Data)
	var p stats.Packet
	if n := testing.AllocsPerRun(100, func() { Read(&f, &p) }); n != 0 || !p.TCP {
		t.Errorf("%.0f allocations, %+v", n, p)
	}
}

// Any bytes are safe; the short way and the long way say the same.
func FuzzRead(f *testing.F) {
	for _, s := range [][]byte{packet(eth4, ip4(6, 24), tcpHdr, "61626364"), packet(eth6, ip6(44, 20), "1100 0001 0000abcd", udpHdr),
		packet(eth4, ip4(17, 70), "c000 12b5 0046 0000", "0800000000000100", eth4, inside4(6, 20), tcpHdr),
		packet(eth4, ip4(47, 48), "2000 0800 00000007", inside4(6, 20), tcpHdr), packet("020000000001 020000000002 8847 00010140 00000000", eth4, ip4(17, 12), udpHdr)} {
		f.Add(uint16(1), len(s), s)
	}
	f.Fuzz(func(t *testing.T, link uint16, n int, data []byte) {
		n = max(len(data), n&0xffff)
		for _, inner := range []bool{false, true} {
			var p stats.Packet
			Read(&Frame{Link: link, Data: data, Len: n, Inner: inner}, &p)
			if p.Bytes != uint64(n) || p.Packets != 1 || !p.IP && p.TCP || p.SegLen > uint32(n) {
				t.Errorf("%+v", p)
			}
		}
		var short stats.Packet
		if !fast(&Frame{Link: linkEN10, Data: data, Len: n}, &short) {
			return
		}
		var long stats.Packet
		w := walker{b: data, wire: n, end: len(data), p: &long}
		w.link(linkEN10)
		long.Malformed = w.malformed
		if d := cmp.Diff(long, short); d != "" {
			t.Errorf("(-walk +fast):\n%s", d)
		}
	})
}
