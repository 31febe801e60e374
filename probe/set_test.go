package probe

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"spiketop/flow"
)

// FuzzSet throws operations in any order and with any stamps at a Set and holds
// it to what it promises: each echo is reported outstanding first, gets exactly
// one final state, no duration is negative, and nothing grows without bound.
func FuzzSet(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 1, 0, 2, 3, 4, 5, 2, 0, 0, 3, 1, 7, 9, 9, 0, 8, 255, 8, 200, 0, 1, 4, 5})
	f.Add([]byte("sent, request, reply, received, drained, tick and so on, again and again: \x00\x01\x02\xff\xfe\x80"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 2000 {
			return
		}
		z := &fuzzer{t: t, ops: ops, s: NewSet(SetConfig{}), now: flow.Time(time.Hour)}
		z.run()
	})
}

type fuzzer struct {
	t   *testing.T
	ops []byte
	s   *Set
	now flow.Time

	sent  [3]int64 // by target, index 1 and 2
	state map[[2]int64]State
	runs  int
}

func (z *fuzzer) next() int64 {
	if len(z.ops) == 0 {
		return 0
	}
	b := z.ops[0]
	z.ops = z.ops[1:]
	return int64(b)
}

// near is a time around now: mostly milliseconds away, sometimes seconds.
func (z *fuzzer) near() flow.Time {
	b := z.next()
	d := time.Duration(b-100) * msec
	if b > 250 {
		d = time.Duration(b-253) * 5 * time.Second
	}
	return z.now.Add(d)
}

func (z *fuzzer) id(target int64) uint16 { return uint16(10*target) + uint16(z.runs&1) }

func (z *fuzzer) echo(reply bool) {
	target := 1 + z.next()&1
	seq := z.sent[target] - 1 - z.next()&7
	e := flow.Echo{At: z.near(), Link: flow.LinkID(z.next() & 3), Reply: reply, Dir: flow.Tx, ID: z.id(target), Seq: uint16(seq), PayloadN: 24}
	e.Offset = flow.WallOffset(z.next()&1) * flow.WallOffset(5*time.Second)
	binary.BigEndian.PutUint64(e.Payload[:8], uint64(int64(z.near())+int64(e.Offset)))
	e.Payload[8] = byte(z.next() & 1)
	e.Dst = z.addr(target).As16()
	if reply {
		e.Dir, e.Src, e.Dst = flow.Rx, e.Dst, e.Src
	}
	z.s.Echo(e)
}

func (z *fuzzer) addr(target int64) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, 0, byte(target)})
}

func (z *fuzzer) run() {
	z.state = map[[2]int64]State{}
	z.s.SetTargets([]Target{{ID: 1, Addr: z.addr(1), Captured: true}, {ID: 2, Addr: z.addr(2)}})
	z.s.SetLinks([]flow.LinkID{1, 2})
	for len(z.ops) > 0 {
		z.step()
	}
	// In peace, everything must come to an end.
	end := z.now.Add(15 * time.Second)
	for z.now = z.now.Add(30 * time.Second); z.now < end.Add(30*time.Second); z.now = z.now.Add(100 * msec) {
		z.tick()
	}
	for target := int64(1); target <= 2; target++ {
		for n := int64(1); n <= z.sent[target]; n++ {
			if s, ok := z.state[[2]int64{target, n}]; !ok || s == Outstanding {
				z.t.Fatalf("target %d echo %d has no final state (reported: %v)", target, n, ok)
			}
		}
	}
	z.bounds(0)
}

func (z *fuzzer) step() {
	target := 1 + z.next()&1
	switch op := z.next() % 12; op {
	case 0, 1:
		z.sent[target]++
		n := z.sent[target]
		z.s.Event(Event{Kind: Sent, Target: TargetID(target), At: z.now, N: n, ID: z.id(target), Seq: uint16(n - 1), Addr: z.addr(target)})
	case 2, 3:
		n := z.sent[target] - z.next()&7
		z.s.Event(Event{Kind: Received, Target: TargetID(target), At: z.near(), N: n, ID: z.id(target), Seq: uint16(n - 1), Dropped: uint64(z.next() & 1)})
	case 4, 5:
		z.echo(op == 4)
	case 6:
		z.s.Drained(flow.LinkID(z.next()&3), z.near())
	case 7:
		z.s.Lost(1, z.near(), z.near())
	case 8:
		z.s.SetLinks([]flow.LinkID{1, 2, 3}[:z.next()&3%4])
	case 9:
		z.runs++
		z.s.Event(Event{Kind: Restarted, Target: TargetID(target), At: z.near(), ID: z.id(target), Addr: z.addr(target)})
	default:
		z.now = z.now.Add(time.Duration(z.next()) * msec)
		z.tick()
	}
}

func (z *fuzzer) tick() {
	for _, m := range z.s.Tick(z.now) {
		z.check(m)
	}
	z.bounds(int(z.s.cfg.LossAfter+2*patience)/int(z.s.cfg.Interval) + slack)
}

func (z *fuzzer) check(m Sample) {
	key := [2]int64{int64(m.Target), m.N}
	was, known := z.state[key]
	if known && was != Outstanding {
		z.t.Fatalf("%s after its final state %d", describe(m), was)
	}
	if !known && (m.State != Outstanding || m.Age != 0 || m.Cleared) {
		z.t.Fatalf("%s is the first that is said of it", describe(m))
	}
	z.state[key] = m.State
	for _, d := range []time.Duration{m.RTT, m.Queue, m.Wire, m.Wakeup, m.Own} {
		if d < 0 && d != None {
			z.t.Fatalf("%s: negative", describe(m))
		}
	}
	switch {
	case m.Age < 0, (m.State == Answered) != (m.RTT != None),
		m.State == Answered && m.RTT > time.Minute,
		m.State == Answered && m.Queue != None && m.RTT != m.Queue+m.Wire,
		m.Own > m.Queue:
		z.t.Fatalf("%+v: contradicts itself", m)
	}
}

func (z *fuzzer) bounds(flights int) {
	for _, t := range z.s.targets {
		if len(t.flights) > flights || len(t.ids) > mostRuns {
			z.t.Fatalf("%d echoes and %d runs kept", len(t.flights), len(t.ids))
		}
	}
	if len(z.s.held) > mostHeld || len(z.s.gaps) > 256 || len(z.s.stops) > 256 || len(z.s.runs) > 2*mostRuns {
		z.t.Fatalf("%d held, %d gaps, %d stops, %d runs", len(z.s.held), len(z.s.gaps), len(z.s.stops), len(z.s.runs))
	}
}

// A process that is kept from running between the stamp in the payload and the end
// of the write notes a late Sent; when the echo began and ended is known all the same.
func TestBeganAndBack(t *testing.T) {
	far := netip.MustParseAddr("10.0.0.1")
	s := NewSet(SetConfig{})
	s.SetTargets([]Target{{ID: 1, Addr: far, Captured: true}})
	s.SetLinks([]flow.LinkID{1})
	at := func(ms int64) flow.Time { return flow.Time(ms * int64(msec)) }
	s.Event(Event{Kind: Restarted, Target: 1, ID: 7, Addr: far, At: at(900)})
	s.Tick(at(990))
	s.Event(Event{Kind: Sent, Target: 1, At: at(1020), N: 1, ID: 7, Addr: far})
	e := flow.Echo{At: at(1000), Link: 1, Dir: flow.Tx, ID: 7, PayloadN: 24, Dst: far.As16()}
	binary.BigEndian.PutUint64(e.Payload[:8], uint64(at(999)))
	s.Echo(e)
	e.At, e.Dir, e.Reply, e.Src, e.Dst = at(1030), flow.Rx, true, e.Dst, e.Src
	s.Echo(e)
	s.Event(Event{Kind: Received, Target: 1, At: at(1035), N: 1, ID: 7})
	s.Drained(1, at(1060))
	list := s.Tick(at(1080))
	if n := len(list); n == 0 || list[n-1].State != Answered || list[n-1].Sent != at(1020) || list[n-1].Began != at(999) || list[n-1].Back != at(1030) || list[n-1].RTT != 31*msec {
		t.Errorf("%+v", list)
	}
}

// A VM's flood of pings through our NIC, to other hosts and to our own gateway:
// nothing is allocated for it.
func TestForeignEchoesAllocateNothing(t *testing.T) {
	s := NewSet(SetConfig{})
	s.SetTargets([]Target{{ID: 1, Addr: netip.MustParseAddr("10.0.0.1"), Captured: true}})
	s.Event(Event{Kind: Restarted, Target: 1, ID: 7, Addr: netip.MustParseAddr("10.0.0.1"), At: 1})
	other := flow.Echo{At: 10, Dir: flow.Tx, ID: 7, PayloadN: 24, Dst: netip.MustParseAddr("10.0.0.9").As16()}
	gateway := other
	gateway.Dst, gateway.ID = netip.MustParseAddr("10.0.0.1").As16(), 8
	binary.NativeEndian.PutUint64(gateway.Payload[:8], 1_790_000_000) // iputils: a timeval
	if n := testing.AllocsPerRun(100, func() {
		s.Echo(other)
		s.Echo(gateway)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(s.held) != 0 {
		t.Errorf("%d held", len(s.held))
	}
}

// What lies in a tunnel or was seen on a vif is not our ping on a link, even if
// it looks the same.
func TestEchoesElsewhereAreIgnored(t *testing.T) {
	s := NewSet(SetConfig{})
	s.SetTargets([]Target{{ID: 1, Addr: netip.MustParseAddr("10.0.0.1"), Captured: true}})
	e := flow.Echo{At: 5, Dir: flow.Tx, ID: 7, PayloadN: 24, Dst: netip.MustParseAddr("10.0.0.1").As16()}
	binary.BigEndian.PutUint64(e.Payload[:8], 4)
	tunnelled, onVIF := e, e
	tunnelled.Tunnel, onVIF.VIF = true, 3
	s.Echo(tunnelled)
	s.Echo(onVIF)
	if len(s.held) != 0 {
		t.Errorf("%d held of a tunnel and a vif", len(s.held))
	}
	if s.Echo(e); len(s.held) != 1 {
		t.Errorf("%d held, want the one on the link", len(s.held))
	}
}

// Echoes that look like ours and never become ours are kept bounded and briefly.
func TestHeldEchoesAreBounded(t *testing.T) {
	s := NewSet(SetConfig{})
	s.SetTargets([]Target{{ID: 1, Addr: netip.MustParseAddr("10.0.0.1"), Captured: true}})
	e := flow.Echo{Dir: flow.Tx, PayloadN: 24, Dst: netip.MustParseAddr("10.0.0.1").As16()}
	for i := range 10_000 {
		e.ID, e.At = uint16(i), flow.Time(i)
		binary.BigEndian.PutUint64(e.Payload[:8], uint64(i))
		s.Echo(e)
	}
	if len(s.held) == 0 || len(s.held) > mostHeld {
		t.Errorf("%d held", len(s.held))
	}
	s.Tick(flow.Time(time.Second))
	s.Tick(flow.Time(10 * time.Second))
	if len(s.held) != 0 {
		t.Errorf("%d held after 10 s", len(s.held))
	}
}

// A hundred targets in steady state: what a Tick with one echo of each costs.
func BenchmarkSet(b *testing.B) {
	s := NewSet(SetConfig{})
	var targets []Target
	for i := range 100 {
		targets = append(targets, Target{ID: TargetID(i + 1), Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), Captured: true})
	}
	s.SetTargets(targets)
	s.SetLinks([]flow.LinkID{1})
	b.ReportAllocs()
	for n := range b.N {
		now := flow.Time(n+1) * flow.Time(100*msec)
		for _, d := range targets {
			ev := Event{Target: d.ID, N: int64(n + 1), ID: uint16(d.ID), Seq: uint16(n), Addr: d.Addr, At: now}
			s.Event(ev)
			e := flow.Echo{At: now, Link: 1, Dir: flow.Tx, ID: ev.ID, Seq: ev.Seq, PayloadN: 24, Dst: d.Addr.As16()}
			binary.BigEndian.PutUint64(e.Payload[:8], uint64(now))
			s.Echo(e)
			e.Reply, e.Dir, e.Src, e.Dst, e.At = true, flow.Rx, e.Dst, e.Src, now.Add(200*time.Microsecond)
			s.Echo(e)
			ev.Kind, ev.At = Received, now.Add(250*time.Microsecond)
			s.Event(ev)
		}
		s.Drained(1, now.Add(msec))
		s.Tick(now.Add(msec))
		s.Stats()
	}
}
