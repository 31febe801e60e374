package socket

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// script is a kernel that answers each datagram with the next list of datagrams.
type script struct {
	answers [][]datagram
	queue   [][]byte
	sent    int
}

// datagram makes an answer for the sequence number of the first request in it.
type datagram func(seq uint32) []byte

func (s *script) close() error { return nil }

func (s *script) send(b []byte) error {
	seq := native.Uint32(b[8:])
	if s.sent < len(s.answers) {
		for _, d := range s.answers[s.sent] {
			s.queue = append(s.queue, d(seq))
		}
	}
	s.sent++
	return nil
}

func (s *script) receive(ctx context.Context, flags int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(s.queue) == 0 {
		return nil, unix.EAGAIN
	}
	b := s.queue[0]
	s.queue = s.queue[1:]
	return b, nil
}

func message(typ, flags uint16, seq uint32, payload []byte) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(payload)+3)
	native.PutUint32(b, uint32(unix.NLMSG_HDRLEN+len(payload)))
	native.PutUint16(b[4:], typ)
	native.PutUint16(b[6:], flags)
	native.PutUint32(b[8:], seq)
	b = append(b, payload...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func one(s flow.Socket, inode uint32) datagram { return flagged(s, inode, unix.NLM_F_MULTI) }

func flagged(s flow.Socket, inode uint32, flags uint16) datagram {
	return func(seq uint32) []byte {
		return message(unix.SOCK_DIAG_BY_FAMILY, flags, seq, diagMessage(s, 1, inode, nil))
	}
}

func done(seq uint32) []byte {
	return message(unix.NLMSG_DONE, unix.NLM_F_MULTI, seq, make([]byte, 4))
}

func refuse(e unix.Errno) datagram {
	return func(seq uint32) []byte {
		payload := native.AppendUint32(nil, uint32(-int32(e)))
		return message(unix.NLMSG_ERROR, 0, seq, append(payload, make([]byte, unix.NLMSG_HDRLEN)...))
	}
}

// diagMessage is struct inet_diag_msg of an IPv6 socket, or of an IPv4 one with mapped addresses.
func diagMessage(s flow.Socket, state uint8, inode uint32, attrs []byte) []byte {
	b := encode([]request{{family: unix.AF_INET6, socket: s}}, 0, 0)[unix.NLMSG_HDRLEN+8:]
	head := []byte{unix.AF_INET6, state, 0, 0}
	if isMapped(&s.Local) {
		b = encode([]request{{family: unix.AF_INET, socket: s}}, 0, 0)[unix.NLMSG_HDRLEN+8:]
		head[0] = unix.AF_INET
	}
	b = append(head, b...)
	b = append(b, make([]byte, 16)...)
	return append(native.AppendUint32(b, inode), attrs...)
}

func listInodes(n *netlink) ([]uint32, error) {
	list, err := n.list(context.Background(), flow.ProtoTCP, everyState, func(*entry) bool { return true })
	var inodes []uint32
	for _, e := range list {
		inodes = append(inodes, e.inode)
	}
	return inodes, err
}

func TestDump(t *testing.T) {
	a := sock(t, "tcp", "10.1.16.165:9422", "10.1.16.9:41000")
	b := sock(t, "tcp", "[fd00::165]:9422", "[fd00::9]:41000")
	interrupted := []datagram{flagged(a, 9, unix.NLM_F_MULTI|unix.NLM_F_DUMP_INTR), done}
	good4, good6 := []datagram{one(a, 1), done}, []datagram{one(b, 2), done}
	late := func(seq uint32) []byte { return one(a, 77)(seq - 1) }
	for _, c := range []struct {
		name    string
		answers [][]datagram
		want    []uint32
		err     error
	}{
		{"two families", [][]datagram{good4, good6}, []uint32{1, 2}, nil},
		{"interrupted, then whole", [][]datagram{interrupted, interrupted, good4, good6}, []uint32{1, 2}, nil},
		{"interrupted every time", [][]datagram{interrupted, interrupted, interrupted, interrupted, interrupted}, nil, ErrInterrupted},
		{"interrupted in the second family keeps the first", [][]datagram{good4, interrupted, good6}, []uint32{1, 2}, nil},
		{"an answer to an earlier request", [][]datagram{{late, one(a, 1), done}, good6}, []uint32{1, 2}, nil},
		{"no module", [][]datagram{{refuse(unix.ENOENT)}}, nil, unix.ENOENT},
		{"not allowed", [][]datagram{{refuse(unix.EPERM)}}, nil, unix.EPERM},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := listInodes(&netlink{wire: &script{answers: c.answers}})
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			equal(t, got, c.want)
		})
	}
}

// TestDumpGivenUp: what is left of a dump is read off before the next one.
func TestDumpGivenUp(t *testing.T) {
	a := sock(t, "tcp", "10.1.16.165:9422", "10.1.16.9:41000")
	ctx, cancel := context.WithCancel(context.Background())
	stop := func(seq uint32) []byte { return one(a, 5)(seq) }
	n := &netlink{wire: &script{answers: [][]datagram{{stop, one(a, 6), done}, {one(a, 1), done}, {done}}}}
	_, err := n.list(ctx, flow.ProtoTCP, everyState, func(*entry) bool { cancel(); return true })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
	got, err := listInodes(n)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, []uint32{1})
}

func TestFind(t *testing.T) {
	a := sock(t, "tcp", "10.1.16.165:9422", "10.1.16.9:41000")
	b := sock(t, "tcp", "10.1.16.165:9422", "10.1.16.9:41001")
	listener := sock(t, "tcp", "10.1.16.165:9422", "")
	at := func(i uint32, d datagram) datagram { return func(seq uint32) []byte { return d(seq + i) } }
	s := &script{answers: [][]datagram{{
		at(0, flagged(a, 1, 0)), at(1, refuse(unix.ENOENT)), at(2, flagged(listener, 3, 0)),
	}}}
	n := &netlink{wire: s}
	got := map[int]uint32{}
	reqs := []request{connection(a, 0, 0), connection(b, 0, 0), connection(b, 0, 0)}
	if err := n.find(context.Background(), reqs, func(i int, e *entry, _ []byte) { got[i] = e.inode }); err != nil {
		t.Fatal(err)
	}
	equal(t, got, map[int]uint32{0: 1})
}

func FuzzMessages(f *testing.F) {
	a := flow.Socket{Local: [16]byte{10: 0xff, 11: 0xff, 12: 10}, Proto: flow.ProtoTCP}
	info := append([]byte{4 + 8, 0, attrInfo, 0}, 1, 2, 3, 4, 5, 6, 7, 8)
	f.Add(message(unix.SOCK_DIAG_BY_FAMILY, 0, 1, diagMessage(a, 1, 7, info)))
	f.Add(append(done(1), refuse(unix.EPERM)(1)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		for h, payload := range messages(b) {
			total += unix.NLMSG_HDRLEN + len(payload)
			failure(h, payload, true)
			e, attrs, ok := parseEntry(payload, flow.ProtoTCP)
			if !ok {
				continue
			}
			if v := attribute(attrs, attrInfo); len(v) > len(attrs) {
				t.Fatalf("attribute of %d bytes in %d", len(v), len(attrs))
			} else {
				parseTCPInfo(v)
			}
			if !e.ipv6 && e.v6only {
				t.Fatal("an IPv4 socket that takes no IPv4")
			}
		}
		if total > len(b) {
			t.Fatalf("%d bytes of messages in %d", total, len(b))
		}
	})
}

func TestParseTCPInfo(t *testing.T) {
	b := make([]byte, 400)
	b[offAppLimited] = firstBit
	native.PutUint32(b[offRTT:], 1500)
	native.PutUint32(b[offRetransmits:], 7)
	native.PutUint32(b[offMinRTT:], 250)
	native.PutUint64(b[offDelivery:], 1_250_000_000) // 10 Gbit/s
	full := flow.TCPInfo{RTT: 1_500_000, MinRTT: 250_000, Retransmits: 7, DeliveryBps: 10_000_000_000, AppLimited: true}
	unmeasured := append([]byte(nil), b...)
	native.PutUint32(unmeasured[offMinRTT:], ^uint32(0))
	withoutMin := full
	withoutMin.MinRTT = 0
	for _, c := range []struct {
		name string
		b    []byte
		want flow.TCPInfo
	}{
		{"of a newer kernel", b, full},
		{"Linux 4.9: to delivery rate", b[:168], full},
		{"Linux 3.10: 104 bytes", b[:104], flow.TCPInfo{RTT: 1_500_000, Retransmits: 7}},
		{"cut in a field", b[:offRetransmits+3], flow.TCPInfo{RTT: 1_500_000}},
		{"nothing", nil, flow.TCPInfo{}},
		{"min_rtt not measured", unmeasured, withoutMin},
	} {
		t.Run(c.name, func(t *testing.T) { equal(t, parseTCPInfo(c.b), c.want) })
	}
}

func TestUDPTable(t *testing.T) {
	flowTo := func(local string) flow.Socket {
		if local[0] == '[' {
			return sock(t, "udp", local, "[fd00::9]:40000")
		}
		return sock(t, "udp", local, "10.1.16.9:40000")
	}
	table := newUDPTable([]entry{
		{socket: sock(t, "udp", ":53", ""), ipv6: true, inode: 1},               // both families
		{socket: sock(t, "udp", ":54", ""), ipv6: true, v6only: true, inode: 2}, // IPv6 only
		{socket: sock(t, "udp", ":55", ""), ipv6: true, inode: 3},               // both, but
		{socket: sock(t, "udp", ":55", ""), inode: 4},                           // IPv4 has its own
		{socket: sock(t, "udp", "10.1.16.165:53", ""), inode: 5},                // one address
		{socket: sock(t, "udp", "10.1.16.165:53", "10.1.16.8:40000"), inode: 6}, // connected to another
		{socket: flowTo("10.1.16.165:56"), inode: 7},                            // connected to ours
		{socket: sock(t, "udp", "10.1.16.165:57", ""), inode: 0},                // no inode
		{socket: sock(t, "udp", "10.1.16.165:57", ""), inode: 8},                // shared port
		{socket: sock(t, "udp", "10.1.16.165:57", ""), inode: 9},
	})
	for _, c := range []struct {
		local string
		want  uint32
	}{
		{"10.1.16.165:53", 5}, {"10.1.16.166:53", 1}, {"[fd00::1]:53", 1},
		{"10.1.16.165:54", 0}, {"[fd00::1]:54", 2},
		{"10.1.16.165:55", 4}, {"[fd00::1]:55", 3},
		{"10.1.16.165:56", 7}, {"10.1.16.165:57", 8}, {"10.1.16.165:58", 0},
	} {
		e, ok := table.find(flowTo(c.local))
		if e.inode != c.want || ok != (c.want != 0) {
			t.Errorf("%s: inode %d (%v), want %d", c.local, e.inode, ok, c.want)
		}
	}
}
