package hops

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

const (
	us = time.Microsecond
	ms = time.Millisecond
)

// spotted is one sight: at a vif (v21) or link (l1), "out" is away from who asks.
type spotted struct {
	at     time.Duration
	where  string // v21, l1
	dir    flow.Direction
	reply  bool
	seq    uint16
	vlan   uint16
	tunnel bool
}

func addr4(n uint32) (a [16]byte) {
	a[10], a[11] = 0xff, 0xff
	binary.BigEndian.PutUint32(a[12:], n)
	return a
}

var vmA, vmB = addr4(0xc0a82f6f), addr4(0xc0a82f7f) // 192.168.47.111 and .127

func (s spotted) echo() flow.Echo {
	e := flow.Echo{At: flow.Time(s.at), Dir: s.dir, Reply: s.reply, Family: flow.FamilyIPv4, Src: vmA, Dst: vmB, ID: 7, Seq: s.seq, VLAN: s.vlan, Tunnel: s.tunnel}
	if s.reply {
		e.Src, e.Dst = vmB, vmA
	}
	var n int
	fmt.Sscanf(s.where[1:], "%d", &n)
	if s.where[0] == 'v' {
		e.VIF = n
	} else {
		e.Link = flow.LinkID(n)
	}
	return e
}

// outward is a whole echo of a VM that pings the world: legs of 20, 200, 30 us.
func outward(at time.Duration, seq uint16) []spotted {
	return []spotted{{at: at, where: "v21", dir: flow.Tx, seq: seq}, {at: at + 20*us, where: "l1", dir: flow.Tx, seq: seq},
		{at: at + 220*us, where: "l2", dir: flow.Rx, reply: true, seq: seq}, {at: at + 250*us, where: "v21", dir: flow.Rx, reply: true, seq: seq}}
}

// known returns a matcher that knows the series of vmA to vmB, and the time after.
func known(t *testing.T) (*Live, time.Duration) {
	t.Helper()
	l := NewLive(LiveConfig{})
	l.SetLinks([]flow.LinkID{1, 2})
	at := time.Second
	for seq := range uint16(liveKnown + 1) {
		hand(l, outward(at, 1000+seq)...)
		at += 100 * ms
		settle(l, at)
	}
	if c := l.Counts(); c.Known != 1 || c.Pending != 0 {
		t.Fatalf("counts %+v", c)
	}
	return l, 10 * time.Second
}

func hand(l *Live, list ...spotted) {
	for _, s := range list {
		e := s.echo()
		l.Echo(&e)
	}
}

func settle(l *Live, at time.Duration) []Passage {
	for _, id := range []flow.LinkID{0, 1, 2} {
		l.Drained(id, flow.Time(at))
	}
	return slices.Clone(l.Tick(flow.Time(at)))
}

// text is a passage in one line; times in ms after base.
func text(p *Passage, base time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s seq %d #%d", [...]string{"waiting", "returned", "unanswered", "unclear"}[p.State], p.Seq, p.Occurrence)
	if p.State == Waiting {
		fmt.Fprintf(&b, " %v", p.Age)
	}
	if rtt, ok := p.RTT(); ok {
		fmt.Fprintf(&b, " rtt %v", rtt)
	}
	for _, leg := range p.Legs(nil) {
		fmt.Fprintf(&b, ", %s %v", [...]string{"unknown", "outward", "inward", "between", "beyond", "guest"}[leg.Kind], leg.Took())
	}
	for i := range p.Spots {
		if s := &p.Spots[i]; s.Duplicates > 0 {
			fmt.Fprintf(&b, ", %d copies at %d", s.Duplicates, i)
		}
	}
	if p.State == Unanswered {
		last, kind := p.After()
		fmt.Fprintf(&b, ", last %d %v, then %d", last.Place, last.Reply, kind)
	}
	return b.String()
}

func TestLive(t *testing.T) {
	const Tx, Rx = flow.Tx, flow.Rx
	req := func(at time.Duration, where string, d flow.Direction) spotted {
		return spotted{at: at, where: where, dir: d, seq: 1}
	}
	rep := func(at time.Duration, where string, d flow.Direction) spotted {
		return spotted{at: at, where: where, dir: d, seq: 1, reply: true}
	}
	tagged := func(s spotted, vlan uint16, tunnel bool) spotted { s.vlan, s.tunnel = vlan, tunnel; return s }
	tests := []struct {
		name string
		in   []spotted // at after 10 s
		want []string
	}{
		{"a VM pings the world: 20 + 200 + 30 us", []spotted{req(0, "v21", Tx), req(20*us, "l1", Tx), rep(220*us, "l2", Rx), rep(250*us, "v21", Rx)},
			[]string{"returned seq 1 #1 rtt 250µs, outward 20µs, beyond 200µs, inward 30µs"}},
		{"delivered in the worst order", []spotted{rep(250*us, "v21", Rx), rep(220*us, "l2", Rx), req(20*us, "l1", Tx), req(0, "v21", Tx)},
			[]string{"returned seq 1 #1 rtt 250µs, outward 20µs, beyond 200µs, inward 30µs"}},
		{"tagged on the NIC, plain on the vif", []spotted{req(0, "v21", Tx), tagged(req(20*us, "l1", Tx), 30, false), tagged(rep(220*us, "l2", Rx), 30, false), rep(250*us, "v21", Rx)},
			[]string{"returned seq 1 #1 rtt 250µs, outward 20µs, beyond 200µs, inward 30µs"}},
		{"in a tunnel on the NIC", []spotted{req(0, "v21", Tx), tagged(req(20*us, "l1", Tx), 0, true), tagged(rep(220*us, "l2", Rx), 0, true), rep(250*us, "v21", Rx)},
			[]string{"returned seq 1 #1 rtt 250µs, outward 20µs, beyond 200µs, inward 30µs"}},
		{"an answer in another VLAN is another echo's", []spotted{req(0, "v21", Tx), tagged(req(20*us, "l1", Tx), 30, false), tagged(rep(220*us, "l2", Rx), 31, false), rep(250*us, "v21", Rx)},
			[]string{"returned seq 1 #1 rtt 250µs, outward 20µs, unknown 230µs"}},
		{"an answer twice", []spotted{req(0, "v21", Tx), req(20*us, "l1", Tx), rep(220*us, "l2", Rx), rep(230*us, "l2", Rx), rep(250*us, "v21", Rx), rep(255*us, "v21", Rx)},
			[]string{"returned seq 1 #1 rtt 250µs, outward 20µs, beyond 200µs, inward 30µs, 1 copies at 0, 1 copies at 1"}},
		{"a request twice: a copy", []spotted{req(0, "v21", Tx), req(20*us, "l1", Tx), req(22*us, "l2", Tx), rep(220*us, "l2", Rx), rep(250*us, "v21", Rx)},
			[]string{"returned seq 1 #1 rtt 250µs, outward 20µs, beyond 200µs, inward 30µs"}},
		{"the same numbers again after the answer", []spotted{req(0, "v21", Tx), req(20*us, "l1", Tx), rep(220*us, "l2", Rx), rep(250*us, "v21", Rx),
			req(100*ms, "v21", Tx), req(100*ms+30*us, "l1", Tx), rep(100*ms+40*us, "l2", Rx), rep(100*ms+50*us, "v21", Rx)},
			[]string{"returned seq 1 #1 rtt 250µs, outward 20µs, beyond 200µs, inward 30µs", "returned seq 1 #2 rtt 50µs, outward 30µs, beyond 10µs, inward 10µs"}},
		{"the same numbers again without an answer", []spotted{req(0, "v21", Tx), req(20*us, "l1", Tx), req(100*ms, "v21", Tx), req(100*ms+30*us, "l1", Tx)},
			[]string{"unanswered seq 1 #1, outward 20µs, last 1 false, then 4", "unanswered seq 1 #2, outward 30µs, last 1 false, then 4"}},
		{"an answer before its request belongs to nothing", []spotted{rep(0, "l2", Rx), req(100*ms, "v21", Tx), req(100*ms+20*us, "l1", Tx), rep(100*ms+220*us, "l2", Rx), rep(100*ms+250*us, "v21", Rx)},
			[]string{"returned seq 1 #2 rtt 250µs, outward 20µs, beyond 200µs, inward 30µs"}},
		{"lost behind the NIC", []spotted{req(0, "v21", Tx), req(20*us, "l1", Tx)},
			[]string{"unanswered seq 1 #1, outward 20µs, last 1 false, then 4"}},
		{"lost before the NIC", []spotted{req(0, "v21", Tx)},
			[]string{"unanswered seq 1 #1, last 0 false, then 1"}},
		{"the answer lost before the vif", []spotted{req(0, "v21", Tx), req(20*us, "l1", Tx), rep(220*us, "l2", Rx)},
			[]string{"unanswered seq 1 #1, outward 20µs, beyond 200µs, last 1 true, then 2"}},
		{"missed by the vif: not to be judged", []spotted{req(20*us, "l1", Tx), rep(220*us, "l2", Rx)},
			[]string{"unclear seq 1 #1 rtt 200µs, beyond 200µs"}},
		{"an answer after 2 s is none", []spotted{req(0, "v21", Tx), req(20*us, "l1", Tx), rep(2100*ms, "l2", Rx), rep(2100*ms, "v21", Rx)},
			[]string{"unanswered seq 1 #1, outward 20µs, last 1 false, then 4"}},
		{"flooded to a vif that did not ask", []spotted{req(0, "v21", Tx), req(20*us, "l1", Tx), rep(220*us, "l2", Rx), rep(230*us, "v22", Rx), rep(250*us, "v21", Rx)},
			[]string{"returned seq 1 #1 rtt 250µs, outward 20µs, beyond 200µs, inward 30µs"}},
		{"through a router VM: vif in, vif out, NIC", []spotted{req(0, "v21", Tx), req(10*us, "v22", Rx), req(90*us, "l1", Tx), rep(290*us, "l1", Rx), rep(350*us, "v22", Tx), rep(360*us, "v21", Rx)},
			[]string{"returned seq 1 #1 rtt 360µs, between 10µs, guest 80µs, beyond 200µs, guest 60µs, between 10µs"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, base := known(t)
			for i := range tt.in {
				tt.in[i].at += base
			}
			hand(l, tt.in...)
			got := []string{}
			for at := base + ms; at < base+8*time.Second; at += 500 * ms {
				for _, p := range settle(l, at) {
					if p.State != Waiting {
						got = append(got, text(&p, base))
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if c := l.Counts(); c.Pending != 0 {
				t.Errorf("%d echoes are still pending", c.Pending)
			}
		})
	}
}

// TestLiveShapes: what is pinged from outside, two VMs of this host, NIC alone.
func TestLiveShapes(t *testing.T) {
	const Tx, Rx = flow.Tx, flow.Rx
	for _, tt := range []struct {
		name  string
		ways  []spotted // of request, then of reply, 10 us apart each
		want  string
		entry Place
	}{
		{"pinged from outside", []spotted{{where: "l1", dir: Rx}, {where: "v22", dir: Rx}, {where: "v22", dir: Tx, reply: true}, {where: "l2", dir: Tx, reply: true}}, "inward 10µs, guest 10µs, outward 10µs", Incoming},
		{"VM to VM", []spotted{{where: "v21", dir: Tx}, {where: "v22", dir: Rx}, {where: "v22", dir: Tx, reply: true}, {where: "v21", dir: Rx, reply: true}}, "between 10µs, guest 10µs, between 10µs", FromGuest},
		{"NIC alone, outward", []spotted{{where: "l1", dir: Tx}, {where: "l2", dir: Rx, reply: true}}, "beyond 10µs", Outgoing},
		{"NIC alone, inward", []spotted{{where: "l1", dir: Rx}, {where: "l2", dir: Tx, reply: true}}, "unknown 10µs", Incoming},
		{"VM to VM by way of the switch", []spotted{{where: "v21", dir: Tx}, {where: "l1", dir: Tx}, {where: "l2", dir: Rx}, {where: "v22", dir: Rx},
			{where: "v22", dir: Tx, reply: true}, {where: "l2", dir: Tx, reply: true}, {where: "l1", dir: Rx, reply: true}, {where: "v21", dir: Rx, reply: true}},
			"outward 10µs, beyond 10µs, inward 10µs, guest 10µs, outward 10µs, beyond 10µs, inward 10µs", FromGuest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := NewLive(LiveConfig{})
			l.SetLinks([]flow.LinkID{1, 2})
			var last []Passage
			for seq := range uint16(5) {
				at := time.Second + time.Duration(seq)*100*ms
				for i, s := range tt.ways {
					s.at, s.seq = at+time.Duration(i)*10*us, seq
					hand(l, s)
				}
				last = settle(l, at+50*ms)
			}
			if len(last) != 1 {
				t.Fatalf("%d passages, want 1", len(last))
			}
			p := &last[0]
			want := fmt.Sprintf("returned seq 4 #1 rtt %v, %s", time.Duration(len(tt.ways)-1)*10*us, tt.want)
			if got := text(p, 0); got != want || p.Entry != tt.entry || p.N != 5 {
				t.Errorf("got %s (entry %d, N %d), want %s (entry %d, N 5)", got, p.Entry, p.N, want, tt.entry)
			}
		})
	}
}

// TestLiveWaits: an echo is judged when all sources have been read, and a source
// that stands still is waited for no longer than 2 s.
func TestLiveWaits(t *testing.T) {
	l, base := known(t)
	hand(l, spotted{at: base, where: "v21", dir: flow.Tx, seq: 1}, spotted{at: base + 20*us, where: "l1", dir: flow.Tx, seq: 1})
	l.Drained(0, flow.Time(base+500*ms))
	l.Drained(1, flow.Time(base+500*ms))
	if got := l.Tick(flow.Time(base + 500*ms)); len(got) != 0 {
		t.Errorf("%d passages although link 2 has not been read", len(got))
	}
	got := settle(l, base+500*ms)
	if len(got) != 1 || text(&got[0], base) != "waiting seq 1 #1 500ms, outward 20µs" {
		t.Errorf("%v", got)
	}
	// The ring of link 2 stands still: 10 Ticks of 200 ms are 2 s.
	var end []Passage
	at := base + 500*ms
	for range 30 {
		at += 200 * ms
		l.Drained(0, flow.Time(at))
		l.Drained(1, flow.Time(at))
		for _, p := range l.Tick(flow.Time(at)) {
			if p.State != Waiting {
				end = append(end, p)
			}
		}
	}
	if len(end) != 1 || end[0].State != Unanswered {
		t.Errorf("%v, want one unanswered", end)
	}
}

// TestLiveGap: what may have fallen into a ring's overflow is not lost.
func TestLiveGap(t *testing.T) {
	for _, gapAt := range []int{0, 21} {
		l, base := known(t)
		hand(l, spotted{at: base, where: "v21", dir: flow.Tx, seq: 1}, spotted{at: base + 20*us, where: "l1", dir: flow.Tx, seq: 1})
		l.Gap(22, flow.Time(base+200*ms), flow.Time(base+250*ms)) // another VM's flood
		l.Gap(gapAt, flow.Time(base+300*ms), flow.Time(base+400*ms))
		if got := settle(l, base+time.Second); len(got) != 1 || got[0].Age != 300*ms {
			t.Errorf("%v, want one that has surely waited until the gap", got)
		}
		if got := settle(l, base+3*time.Second); len(got) != 1 || got[0].State != Unclear {
			t.Errorf("%v, want unclear", got)
		}
	}
}

// TestLiveClockStep: stamps on both sides of a step of the clock are not compared.
func TestLiveClockStep(t *testing.T) {
	l, base := known(t)
	list := outward(base, 1)
	for i, s := range list {
		e := s.echo()
		if i > 1 {
			e.Offset = flow.WallOffset(time.Second)
		}
		l.Echo(&e)
	}
	if got := settle(l, base+time.Second); len(got) != 1 || got[0].State != Unclear {
		t.Errorf("%v, want unclear", got)
	}
}

// TestLiveFlood: a million echoes of other ids, and very many of other addresses,
// fill no memory and push out nobody who was there.
func TestLiveFlood(t *testing.T) {
	for _, tt := range []struct {
		name  string
		n     int
		flood func(i int) (id uint16, src, dst [16]byte)
	}{
		{"ids of one pair", 1_000_000, func(i int) (uint16, [16]byte, [16]byte) { return uint16(i), addr4(1), addr4(2) }},
		{"ids and addresses", 200_000, func(i int) (uint16, [16]byte, [16]byte) {
			return uint16(i), addr4(0x0a000000 + uint32(i)), addr4(0x0b000000)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, base := known(t)
			hand(l, outward(base, 1)[:2]...) // it waits while the flood comes
			for i := range tt.n {
				e := flow.Echo{At: flow.Time(base + ms + time.Duration(i)*us), VIF: 30, Dir: flow.Tx, Family: flow.FamilyIPv4, Seq: uint16(i >> 16)}
				e.ID, e.Src, e.Dst = tt.flood(i)
				l.Echo(&e)
			}
			c := l.Counts()
			if c.Pending > 65536 || len(l.slab) > 65536 || c.Series > 16384 || len(l.newest) > 65536 {
				t.Errorf("held: %+v, %d slots", c, len(l.slab))
			}
			if c.Evicted+c.Forgotten+c.Skipped == 0 {
				t.Errorf("nothing was left out: %+v", c)
			}
			hand(l, spotted{at: base + 1100*ms, where: "l2", dir: flow.Rx, seq: 1, reply: true}, spotted{at: base + 1100*ms, where: "v21", dir: flow.Rx, seq: 1, reply: true})
			got := settle(l, base+1200*ms)
			if len(got) != 1 || got[0].State != Returned {
				t.Fatalf("%d passages, want the one that waited", len(got))
			}
			settle(l, base+10*time.Second)
			if c := l.Counts(); c.Pending != 0 {
				t.Errorf("%d echoes are never given up", c.Pending)
			}
		})
	}
}

// TestLiveFast: of a series that floods some are taken, and all of these whole.
func TestLiveFast(t *testing.T) {
	l, base := known(t)
	n := 0
	for i := range 10_000 {
		hand(l, outward(base+time.Duration(i)*ms, uint16(i))...)
		if i%20 == 19 {
			for _, p := range settle(l, base+time.Duration(i)*ms) {
				if p.State == Returned {
					n++
				} else if p.State != Waiting {
					t.Fatal(text(&p, base))
				}
			}
		}
	}
	if n < 900 || n > 1001 { // 10 s, one in 10 ms
		t.Errorf("%d echoes were taken, want some 1000", n)
	}
}

func TestLiveAllocs(t *testing.T) {
	l, base := known(t)
	at, seq := base, uint16(0)
	var list []flow.Echo
	for _, s := range outward(0, 0) {
		list = append(list, s.echo())
	}
	alone := flow.Echo{Link: 1, Dir: flow.Rx, Reply: true, Family: flow.FamilyIPv4, Src: addr4(9), Dst: addr4(8), ID: 3}
	once := func() {
		at += 20 * ms
		seq++
		for _, e := range list {
			e.At, e.Seq = e.At.Add(at), seq
			l.Echo(&e)
		}
		alone.At, alone.Seq = flow.Time(at), seq
		l.Echo(&alone)
		for _, id := range []flow.LinkID{0, 1, 2} {
			l.Drained(id, flow.Time(at))
		}
		l.Tick(flow.Time(at))
	}
	for range 500 {
		once()
	}
	if n := testing.AllocsPerRun(500, once); n != 0 {
		t.Errorf("an echo costs %v allocations", n)
	}
}

// TestLiveRandom: whatever comes in whatever order, the books stay right.
func TestLiveRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 50 {
		b := make([]byte, 4000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		chew(t, b)
	}
}

// chew feeds a matcher with sights made of bytes and checks what it holds.
func chew(t *testing.T, b []byte) {
	l := NewLive(LiveConfig{MaxPending: 32, MaxSeries: 16})
	l.SetLinks([]flow.LinkID{1, 2})
	now := time.Second
	for ; len(b) >= 4; b = b[4:] {
		e := spotted{at: now - time.Duration(b[1]&15)*ms, where: []string{"v21", "v22", "l1", "l2"}[b[0]&3], dir: flow.Direction(b[0] >> 2 & 1), reply: b[0]&8 != 0,
			seq: uint16(b[2] & 7), vlan: uint16(b[0] >> 7), tunnel: b[1]&0x80 != 0}.echo()
		e.ID = uint16(b[2] >> 4)
		l.Echo(&e)
		if b[3]&1 != 0 {
			now += time.Duration(b[3]) * ms
			l.Drained(flow.LinkID(b[3]>>1%3), flow.Time(now))
		}
		if b[3]&0x30 == 0x30 {
			l.Gap(int(b[3]>>6)*21%23, flow.Time(now-50*ms), flow.Time(now))
		}
		for _, p := range l.Tick(flow.Time(now)) {
			check(t, &p)
		}
		if c := l.Counts(); c.Pending > 32 || c.Series > 16 || len(l.newest) > c.Pending || len(l.waiting) > 2000 || int(l.order.heads[0].n) != c.Pending {
			t.Fatalf("held: %+v, %d keys, order %d", c, len(l.newest), l.order.heads[0].n)
		}
	}
	for _, id := range []flow.LinkID{0, 1, 2} {
		l.Drained(id, flow.Time(now+time.Minute))
	}
	l.Tick(flow.Time(now + time.Minute))
	if c := l.Counts(); c.Pending != 0 || len(l.newest) != 0 {
		t.Fatalf("%d echoes of %d keys are never given up", c.Pending, len(l.newest))
	}
	for i := range l.series {
		if l.series[i].pending != 0 {
			t.Fatalf("series %d has %d pending", i, l.series[i].pending)
		}
	}
}

func check(t *testing.T, p *Passage) {
	t.Helper()
	rtt, ok := p.RTT()
	if p.State == Returned && (!ok || rtt < -liveTolerance || rtt > 2*time.Second+liveTolerance) {
		t.Fatalf("returned with rtt %v %v", rtt, ok)
	}
	if !p.Spots[p.Entry].HasRequest {
		t.Fatalf("no request at the entry")
	}
	e, places := p.Echo()
	if len(e.Hops) != len(places) {
		t.Fatalf("%d hops, %d places", len(e.Hops), len(places))
	}
	e.Segments()
	p.After()
	for _, l := range p.Legs(nil) {
		if l.Kind >= LegKinds || l.Took() < 0 {
			t.Fatalf("leg %+v", l)
		}
	}
}

func FuzzLive(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 0, 0, 0, 0x0c, 0, 0, 0, 8, 0, 0, 3})
	f.Fuzz(func(t *testing.T, b []byte) { chew(t, b[:min(len(b), 8000)]) })
}
