package stats

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ms = 1_000_000

// segment is one of the client, 10.1.16.71:40000.
func segment(at int64, flags uint8, seq, ack, n uint32) Packet {
	return Packet{At: base + at, Bytes: 66 + uint64(n), Packets: 1, IP: true, V4: true, TCP: true, Proto: ProtoTCP, TCPFlags: flags, Window: 500,
		Src: ip("::ffff:10.1.16.71"), Dst: ip("::ffff:10.1.16.165"), SrcPort: 40000, DstPort: 9422, Seq: seq, Ack: ack, SegLen: n}
}

// answer is a segment of the server.
func answer(at int64, flags uint8, seq, ack, n uint32) Packet {
	p := segment(at, flags, seq, ack, n)
	p.Src, p.Dst, p.SrcPort, p.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
	return p
}

// opening is a handshake of 0.3 ms, from sequence numbers 100 and 900 on.
func opening() []Packet {
	return []Packet{segment(0, SYN, 100, 0, 0), answer(200_000, SYN|ACK, 900, 101, 0), segment(300_000, ACK, 101, 901, 0)}
}

func TestConversations(t *testing.T) {
	window := func(p Packet, w uint16) Packet {
		p.Window = w
		return p
	}
	tests := []struct {
		name    string
		packets []Packet
		want    Conversation
	}{
		{"a SYN alone", opening()[:1], Conversation{State: StateSyn, Handshake: -1}},
		{"a SYN twice", []Packet{opening()[0], segment(1000*ms, SYN, 100, 0, 0)}, Conversation{State: StateSyn, Handshake: -1, Retransmissions: 1}},
		{"a handshake", opening(), Conversation{State: StateEstablished, Handshake: 300_000}},
		{"one direction of a handshake", []Packet{opening()[0], opening()[2]}, Conversation{State: StateEstablished, Handshake: 300_000}},
		{"from the middle on", []Packet{segment(0, ACK, 5000, 7000, 1000), answer(ms, ACK, 7000, 6000, 0)}, Conversation{State: StateEstablished, Handshake: -1}},
		{"refused", []Packet{opening()[0], answer(ms, RST|ACK, 0, 101, 0)}, Conversation{State: StateReset, Handshake: -1}},
		{"half closed", append(opening(), segment(ms, FIN|ACK, 101, 901, 0), answer(2*ms, ACK, 901, 102, 0)), Conversation{State: StateClosing, Handshake: 300_000}},
		{"closed", append(opening(), segment(ms, FIN|ACK, 101, 901, 0), answer(2*ms, FIN|ACK, 901, 102, 0), segment(3*ms, ACK, 102, 902, 0)),
			Conversation{State: StateClosed, Handshake: 300_000}},
		{"retransmitted by timer", append(opening(), segment(ms, ACK, 101, 901, 1000), segment(300*ms, ACK, 101, 901, 1000)),
			Conversation{State: StateEstablished, Handshake: 300_000, Retransmissions: 1}},
		{"retransmitted though acknowledged", append(opening(), segment(ms, ACK, 101, 901, 1000), answer(2*ms, ACK, 901, 1101, 0), segment(300*ms, ACK, 101, 901, 1000)),
			Conversation{State: StateEstablished, Handshake: 300_000, Retransmissions: 1, Spurious: 1}},
		// 1101 to 2101 is missing: three acknowledgements of 1101, the first of them no duplicate, then it comes.
		{"fast retransmission", append(opening(), segment(ms, ACK, 101, 901, 1000), answer(2*ms, ACK, 901, 1101, 0), segment(3*ms, ACK, 2101, 901, 1000), answer(4*ms, ACK, 901, 1101, 0),
			segment(5*ms, ACK, 3101, 901, 1000), answer(6*ms, ACK, 901, 1101, 0), segment(7*ms, ACK, 1101, 901, 1000)),
			Conversation{State: StateEstablished, Handshake: 300_000, DuplicateAcks: 2, Retransmissions: 1, Fast: 1}},
		{"overtaken", append(opening(), segment(ms, ACK, 1101, 901, 1000), segment(ms+100_000, ACK, 101, 901, 1000)),
			Conversation{State: StateEstablished, Handshake: 300_000, OutOfOrder: 1}},
		{"keep-alives", append(opening(), segment(ms, ACK, 100, 901, 0), answer(2*ms, ACK, 901, 101, 0), segment(3*ms, ACK, 100, 901, 1), answer(4*ms, ACK, 901, 101, 0)),
			Conversation{State: StateEstablished, Handshake: 300_000}},
		{"zero window, probe and answer", append(opening(), window(answer(ms, ACK, 901, 101, 0), 0), segment(2*ms, ACK, 101, 901, 1), window(answer(3*ms, ACK, 901, 101, 0), 0)),
			Conversation{State: StateEstablished, Handshake: 300_000, ZeroWindows: 2}},
		{"acknowledged what is not in the file", append(opening(), answer(ms, ACK, 901, 1101, 0)), Conversation{State: StateEstablished, Handshake: 300_000, LostSegments: 1}},
		{"the ports again", append(opening(), segment(ms, RST, 101, 0, 0), segment(5*ms, SYN, 7_000_000, 0, 0)),
			Conversation{State: StateSyn, Handshake: 300_000, Connections: 2}},
		{"sequence numbers over their end", []Packet{segment(0, ACK, 0xffffff00, 1, 0x100), answer(ms, ACK, 1, 0, 0), segment(2*ms, ACK, 0, 1, 100), segment(3000*ms, ACK, 0xffffff00, 1, 0x100)},
			Conversation{State: StateEstablished, Handshake: -1, Retransmissions: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := report(Options{}, tt.packets...)
			if len(r.TCP) != 1 {
				t.Fatalf("%d conversations, want 1", len(r.TCP))
			}
			want := tt.want
			want.A, want.B = netip.MustParseAddrPort("10.1.16.71:40000"), netip.MustParseAddrPort("10.1.16.165:9422")
			want.Packets = uint64(len(tt.packets))
			want.Connections = max(want.Connections, 1)
			if d := cmp.Diff(want, r.TCP[0], addresses4); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A is who sent the SYN, though the capture begins with another's packet.
func TestConversationClient(t *testing.T) {
	r := report(Options{}, append([]Packet{answer(-1000*ms, ACK, 1, 1, 10)}, opening()...)...)
	if got := r.TCP[0].A.String(); got != "10.1.16.71:40000" {
		t.Errorf("A is %s, want the client", got)
	}
}

// Segments in fragments are not looked into, and nothing is called unseen for it.
func TestFragmentedSegments(t *testing.T) {
	part := segment(ms, ACK, 101, 901, 1000)
	part.TCP, part.Fragment, part.FragID, part.FragProto = false, FirstFragment, 5, ProtoTCP
	r := report(Options{}, append(opening(), part, answer(2*ms, ACK, 901, 1101, 0))...)
	if r.TCP[0].LostSegments != 0 {
		t.Errorf("%d unseen segments, want none", r.TCP[0].LostSegments)
	}
}
