package stats

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const second = 1_000_000_000

// base is the time of the first packet: it begins a second.
const base = 1_795_283_240 * second

func ip(s string) Addr {
	b := netip.MustParseAddr(s).As16()
	return IPv6(b[:])
}

// udp is a packet of n bytes.
func udp(at int64, src string, srcPort uint16, dst string, dstPort uint16, n uint64) Packet {
	return Packet{At: at, Bytes: n, Packets: 1, IP: true, V4: true, Proto: ProtoUDP, Src: ip("::ffff:" + src), Dst: ip("::ffff:" + dst), SrcPort: srcPort, DstPort: dstPort}
}

func report(o Options, packets ...Packet) *Report {
	c := New(o)
	for i := range packets {
		c.Add(&packets[i])
	}
	return c.Report()
}

var addresses4 = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})}

func TestFlows(t *testing.T) {
	r := report(Options{},
		udp(base, "10.1.16.165", 9422, "10.1.16.71", 40112, 1000),
		udp(base+1, "10.1.16.71", 40112, "10.1.16.165", 9422, 60),
		udp(base+2, "10.1.16.165", 9422, "10.1.16.71", 40112, 500),
		udp(base+3, "10.1.16.9", 53, "10.1.16.9", 53, 80), // to itself: all of it is one way
		Packet{At: base + 4, Bytes: 60, Packets: 1},
	)
	want := []Flow{ // 1000 + 500 + 60 bytes, then 80
		{ProtoUDP, netip.MustParseAddrPort("10.1.16.165:9422"), netip.MustParseAddrPort("10.1.16.71:40112"), Counts{2, 1500}, Counts{1, 60}},
		{ProtoUDP, netip.MustParseAddrPort("10.1.16.9:53"), netip.MustParseAddrPort("10.1.16.9:53"), Counts{1, 80}, Counts{}},
	}
	if d := cmp.Diff(want, r.Flows, addresses4); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}
	total := Totals{Packets: 5, Bytes: 1700, Frames: 5, NotIP: 1, First: base, Last: base + 4}
	if d := cmp.Diff(total, r.Totals); d != "" {
		t.Errorf("totals (-want +got):\n%s", d)
	}
}

// A is who spoke first, though it is the higher end.
func TestFlowOfTheHigherEnd(t *testing.T) {
	r := report(Options{}, udp(base, "10.1.16.71", 40112, "10.1.16.165", 53, 70), udp(base, "10.1.16.165", 53, "10.1.16.71", 40112, 300))
	want := Flow{ProtoUDP, netip.MustParseAddrPort("10.1.16.71:40112"), netip.MustParseAddrPort("10.1.16.165:53"), Counts{1, 70}, Counts{1, 300}}
	if d := cmp.Diff(want, r.Flows[0], addresses4); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// IPv4 and the IPv6 address that maps it are two flows.
func TestMappedAddress(t *testing.T) {
	a := udp(base, "10.1.16.71", 1, "10.1.16.72", 2, 100)
	b := a
	b.V4 = false
	r := report(Options{}, a, b)
	if len(r.Flows) != 2 || len(r.Addresses) != 2 {
		t.Errorf("%d flows and %d addresses, want 2 and 2", len(r.Flows), len(r.Addresses))
	}
}

func TestTrees(t *testing.T) {
	icmp := udp(base, "10.1.16.1", 0, "10.1.16.71", 0, 70)
	icmp.Proto = ProtoICMP
	about := icmp
	about.QuotedProto, about.QuotedPort = ProtoUDP, 33445
	r := report(Options{},
		udp(base, "10.1.16.71", 40112, "10.1.16.165", 53, 70),
		udp(base, "10.1.16.71", 40112, "10.1.16.165", 53, 70),
		udp(base, "10.1.16.71", 40113, "10.1.16.165", 9422, 70),
		icmp, about,
	)
	addr := netip.MustParseAddr
	addresses := []Address{
		{SourceTopic, addr("10.1.16.71"), 3, 60}, {SourceTopic, addr("10.1.16.1"), 2, 40},
		{DestinationTopic, addr("10.1.16.165"), 3, 60}, {DestinationTopic, addr("10.1.16.71"), 2, 40},
	}
	services := []Service{
		{addr("10.1.16.165"), "UDP", 53, 2, 100 * 2. / 3}, {addr("10.1.16.165"), "UDP", 9422, 1, 100 / 3.},
		{addr("10.1.16.71"), "NONE", 0, 1, 100}, {addr("10.1.16.71"), "UDP", 33445, 1, 100},
	}
	if d := cmp.Diff(addresses, r.Addresses, addresses4); d != "" {
		t.Errorf("addresses (-want +got):\n%s", d)
	}
	if d := cmp.Diff(services, r.Services, addresses4, cmpopts.EquateApprox(0, 1e-9)); d != "" {
		t.Errorf("services (-want +got):\n%s", d)
	}
}

// Later fragments belong to the flow of their first, of the nearest one before
// them where an identification is used again.
func TestFragments(t *testing.T) {
	part := func(kind Fragment, id uint32, port uint16) Packet {
		p := udp(base, "10.1.16.71", port, "10.1.16.72", port, 1000)
		p.Fragment, p.FragID, p.FragProto = kind, id, ProtoUDP
		return p
	}
	r := report(Options{},
		part(LaterFragment, 7, 0), // its first was not seen yet
		part(FirstFragment, 7, 111), part(LaterFragment, 7, 0), part(LaterFragment, 7, 0),
		part(FirstFragment, 7, 222), part(LaterFragment, 7, 0),
		part(LaterFragment, 8, 0),
	)
	got := map[uint16]uint64{}
	for _, f := range r.Flows {
		got[f.A.Port()] = f.AB.Packets
	}
	if d := cmp.Diff(map[uint16]uint64{111: 3, 222: 2, 0: 2}, got); d != "" {
		t.Errorf("packets by port (-want +got):\n%s", d)
	}
	if r.Totals.Fragments != 2 {
		t.Errorf("%d fragments without their first, want 2", r.Totals.Fragments)
	}
}

// What is remembered of fragments is bounded, and the newest stay.
func TestFragmentsBounded(t *testing.T) {
	var f fragments
	p := udp(base, "10.1.16.71", 5, "10.1.16.72", 5, 100)
	p.Fragment = FirstFragment
	for i := range uint32(5 * fragmentsKept) {
		p.FragID = i
		f.complete(&p)
		if n := len(f.now) + len(f.before); n > 2*fragmentsKept {
			t.Fatalf("%d first fragments are kept", n)
		}
	}
	p.Fragment, p.SrcPort, p.FragID = LaterFragment, 0, 4*fragmentsKept
	if !f.complete(&p) || p.SrcPort != 5 {
		t.Error("a first fragment of the newer half was forgotten")
	}
	if p.FragID = 0; f.complete(&p) {
		t.Error("the oldest first fragment is still there")
	}
}

// Flows and echoes beyond the bounds are counted together.
func TestBounds(t *testing.T) {
	var list []Packet
	for i := range uint16(100) {
		p := udp(base, "10.1.16.71", i, "10.1.16.72", 9, 100)
		list = append(list, p, p)
		e := udp(base, "10.1.16.71", 0, "10.1.16.72", 0, 100)
		e.Proto, e.Echo, e.EchoSeq = ProtoICMP, EchoRequest, i
		list = append(list, e)
	}
	r := report(Options{MaxFlows: 10, MaxEchoes: 32}, list...)
	// Flows: 9 of UDP with 2 packets and the pings' with 100; 91 x 2 remain.
	if len(r.Flows) != 10 || r.Other != (Counts{182, 18_200}) {
		t.Errorf("%d flows and %+v in others, want 10 and 182 packets of 18200 bytes", len(r.Flows), r.Other)
	}
	if len(r.Echoes) != 32 || r.OtherEchoes != 68 {
		t.Errorf("%d echoes and %d others, want 32 and 68", len(r.Echoes), r.OtherEchoes)
	}
	sum := r.Other.Packets
	for _, f := range r.Flows {
		sum += f.AB.Packets + f.BA.Packets
	}
	if sum != r.Packets {
		t.Errorf("flows and others are %d packets of %d", sum, r.Packets)
	}
}

func TestEchoes(t *testing.T) {
	ping := func(at int64, kind EchoKind, seq uint16) Packet {
		p := udp(base+at, "10.1.16.165", 0, "10.1.16.55", 0, 98)
		p.Proto, p.Echo, p.EchoID, p.EchoSeq = ProtoICMP, kind, 7, seq
		if kind == EchoReply {
			p.Src, p.Dst = p.Dst, p.Src
		}
		return p
	}
	r := report(Options{},
		ping(10, EchoReply, 1), // an orphan
		ping(100, EchoRequest, 1), ping(350, EchoReply, 1), ping(360, EchoReply, 1),
		ping(1000, EchoRequest, 2),
		ping(2000, EchoRequest, 1), ping(2200, EchoReply, 1), // the sequence number again
	)
	src, dst := netip.MustParseAddr("10.1.16.165"), netip.MustParseAddr("10.1.16.55")
	want := []Echo{
		{src, dst, 7, 1, base + 100, base + 350, true, 1},
		{src, dst, 7, 2, base + 1000, 0, false, 0},
		{src, dst, 7, 1, base + 2000, base + 2200, true, 0},
	}
	if d := cmp.Diff(want, r.Echoes, addresses4); d != "" {
		t.Errorf("echoes (-want +got):\n%s", d)
	}
	if r.Orphaned != 1 || r.Duplicates != 1 || len(r.Orphans) != 1 || r.Orphans[0].Reply != base+10 {
		t.Errorf("%d orphans (%+v), %d duplicates, want one of each", r.Orphaned, r.Orphans, r.Duplicates)
	}
}

// The report does not depend on the seed of the hash.
func TestSeed(t *testing.T) {
	var list []Packet
	for i := range uint16(5000) {
		list = append(list, udp(base+int64(i)*1e6, "10.1.16.71", i, "10.1.16.72", 9, 100+uint64(i%7)))
	}
	a, b := report(Options{Seed: 1}, list...), report(Options{Seed: 99}, list...)
	if d := cmp.Diff(a, b, addresses4); d != "" {
		t.Errorf("(-seed 1 +seed 99):\n%s", d)
	}
}

// Counting what is known allocates nothing.
func TestAddAllocates(t *testing.T) {
	c := New(Options{})
	p := segment(0, ACK, 1, 1, 0)
	c.Add(&p)
	n := testing.AllocsPerRun(1000, func() {
		p.At += 1000
		p.Seq += 10
		p.SegLen = 10
		c.Add(&p)
	})
	if n != 0 {
		t.Errorf("%.2f allocations for a packet", n)
	}
}

func FuzzCollector(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New(Options{MaxFlows: 8, MaxEchoes: 8})
		var packets, bytes uint64
		for len(data) >= 16 {
			b := data[:16]
			data = data[16:]
			p := Packet{At: base + int64(int8(b[0]))<<(b[1]%50), Bytes: uint64(b[2]) * 100, Packets: 1, Interface: int32(b[3] % 3),
				IP: b[4]&1 == 0, V4: b[4]&2 == 0, TCP: b[4]&4 == 0, Proto: b[5], Fragment: Fragment(b[6] % 3), Echo: EchoKind(b[7] % 3),
				TCPFlags: b[8], Src: Addr{0, uint64(b[9] % 4)}, Dst: Addr{0, uint64(b[10] % 4)}, SrcPort: uint16(b[11] % 4), DstPort: uint16(b[12] % 4),
				Seq: uint32(b[13]) << 24, Ack: uint32(b[14]) << 24, SegLen: uint32(b[15]), Window: uint16(b[15] & 3), QuotedProto: b[5] & 6, FragID: uint32(b[13] % 3)}
			packets++
			bytes += p.Bytes
			c.Add(&p)
		}
		r := c.Report()
		got, notIP := r.Other, r.NotIP
		for _, f := range r.Flows {
			got.Packets += f.AB.Packets + f.BA.Packets
		}
		if r.Packets != packets || r.Bytes != bytes || got.Packets+notIP != packets {
			t.Errorf("%d packets (%d in flows, %d not IP), %d bytes; want %d and %d", r.Packets, got.Packets, notIP, r.Bytes, packets, bytes)
		}
		trees := map[string]uint64{}
		for _, a := range r.Addresses {
			trees[a.Topic] += a.Count
		}
		services := uint64(0)
		for _, s := range r.Services {
			services += s.Count
		}
		if trees[SourceTopic] != trees[DestinationTopic] || services != trees[SourceTopic] {
			t.Errorf("%v addresses, %d in services", trees, services)
		}
		for i := range r.Bursts {
			if b := &r.Bursts[i]; b.From >= b.To || b.Peak > b.Bytes || b.Bytes > bytes {
				t.Errorf("burst %+v", b)
			}
		}
	})
}
