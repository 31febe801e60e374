package stats

import (
	"encoding/binary"
	"net/netip"
)

// Addr is an IP address as two numbers, which compare and hash cheaply. IPv4 is
// mapped: ::ffff:a.b.c.d.
type Addr struct{ Hi, Lo uint64 }

const mapped = 0xffff << 32

// IPv4 returns the address of four bytes in network order.
func IPv4(b []byte) Addr { return Addr{Lo: mapped | uint64(binary.BigEndian.Uint32(b))} }

// IPv6 returns the address of sixteen bytes in network order.
func IPv6(b []byte) Addr {
	return Addr{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// netip returns a as the standard library has it; v4 says whether a mapped
// address stood in an IPv4 header.
func (a Addr) netip(v4 bool) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	if v4 {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.AddrFrom16(b)
}

func (a Addr) compare(o Addr) int {
	switch {
	case a.Hi < o.Hi, a.Hi == o.Hi && a.Lo < o.Lo:
		return -1
	case a == o:
		return 0
	}
	return 1
}

// IP protocol numbers whose packets get more than counted.
const (
	ProtoICMP    = 1
	ProtoTCP     = 6
	ProtoUDP     = 17
	ProtoDCCP    = 33
	ProtoICMPv6  = 58
	ProtoSCTP    = 132
	ProtoUDPLite = 136
)

// Fragment says what part of an IP packet a packet is.
type Fragment uint8

// Parts of an IP packet.
const (
	Whole Fragment = iota
	FirstFragment
	LaterFragment
)

// EchoKind tells pings from everything else.
type EchoKind uint8

// Kinds of echoes.
const (
	NoEcho EchoKind = iota
	EchoRequest
	EchoReply
)

// Bits of Packet.TCPFlags (RFC 9293).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Packet is what the statistics want to know of one captured packet. The fields
// from Src on hold only if IP, those from Seq on only if TCP.
type Packet struct {
	At        int64  // ns since the epoch; 0 = the file has no time for it
	Bytes     uint64 // on the wire, all segments of a super-frame with their headers
	Packets   uint32 // on the wire; 1 unless a super-frame
	Interface int32  // number in the file, from 0

	IP        bool // a sound IPv4 or IPv6 header was found
	V4        bool
	Malformed bool // contradicts itself, or ends before a header does though it was captured whole
	TCP       bool // the TCP header is whole up to its window, and SegLen is known
	Fragment  Fragment
	Proto     uint8
	Echo      EchoKind
	TCPFlags  uint8

	Src, Dst         Addr
	SrcPort, DstPort uint16 // TCP, UDP, SCTP, DCCP, UDP-Lite, else 0
	EchoID, EchoSeq  uint16
	FragID           uint32 // identification, unless Whole
	FragProto        uint8  // protocol field of the IPv4 header, 0 for IPv6

	// Of the packet that an ICMP (not ICMPv6) error quotes: protocol, if it is TCP,
	// UDP, SCTP or DCCP, else 0, and destination port.
	QuotedProto uint8
	QuotedPort  uint16

	Window   uint16 // as in the header, not scaled
	Seq, Ack uint32
	SegLen   uint32 // bytes of payload on the wire
}
