package far

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

const (
	ms    = time.Millisecond
	wall0 = flow.WallOffset(1_795_262_400_000_000_000)    // near: noon of 2026-11-21 is Time 0
	skew  = int64(1_795_262_400_000_000_000) + 5*3600*1e9 // far clock minus near Time: five hours fast
)

// twoHosts drives a Join with echoes from near to far.
type twoHosts struct {
	t   *testing.T
	j   *Join
	now flow.Time
	got []Joined
}

func newTwoHosts(t *testing.T) *twoHosts {
	h := &twoHosts{t: t, j: NewJoin(), now: flow.Time(time.Hour)}
	h.j.Own([]netip.Addr{netip.MustParseAddr("10.1.16.165")}, []netip.Addr{netip.MustParseAddr("10.1.16.55")})
	h.j.Far(Link{Run: 1, Host: "nc2", Told: forEver})
	return h
}

func (h *twoHosts) run(d time.Duration) {
	for end := h.now.Add(d); h.now < end; h.now = h.now.Add(20 * ms) {
		h.got = append(h.got, h.j.Tick(h.now, wall0)...)
	}
}

// near is a sight of this host, far one of the other; at is relative to the
// beginning of the echo.
func (h *twoHosts) near(seq uint16, reply bool, at time.Duration) {
	e := flow.Echo{At: h.now.Add(at), Link: 1, Dir: flow.Tx, Reply: reply, Family: flow.FamilyIPv4, ID: 9, Seq: seq}
	flow.SetIPv4(&e.Src, []byte{10, 1, 16, 165})
	flow.SetIPv4(&e.Dst, []byte{10, 1, 16, 55})
	if reply {
		e.Dir, e.Src, e.Dst = flow.Rx, e.Dst, e.Src
	}
	h.j.Near(&e, "eth0")
}

func (h *twoHosts) far(seq uint16, reply bool, at time.Duration, point string) {
	e := Echo{Point: point, VIF: point == "vif_b", Dir: "rx", Reply: reply, Src: netip.MustParseAddr("10.1.16.165"), Dst: netip.MustParseAddr("10.1.16.55"),
		ID: 9, Seq: seq, At: int64(h.now.Add(at)) + skew}
	if reply {
		e.Dir, e.Src, e.Dst = "tx", e.Dst, e.Src
	}
	h.j.FarEcho(&e)
}

// calm are n echoes of 1 ms: 0.4 ms out, 0.1 ms in the far host, 0.5 ms back.
func (h *twoHosts) calm(n int) {
	for i := range n {
		seq := uint16(1000 + i)
		h.near(seq, false, 0)
		h.far(seq, false, 400*time.Microsecond, "eth2")
		h.far(seq, true, 500*time.Microsecond, "eth2")
		h.near(seq, true, ms)
		h.run(100 * ms)
	}
	h.run(time.Second)
	if len(h.got) != n {
		h.t.Fatalf("%d calm echoes came out of %d", len(h.got), n)
	}
	h.got = nil
}

func (h *twoHosts) one() Joined {
	h.t.Helper()
	h.run(4 * time.Second)
	if len(h.got) != 1 {
		h.t.Fatalf("%d echoes came out, want one", len(h.got))
	}
	return h.got[0]
}

// TestJoin: the seed's incident with two vantage points, clocks five hours apart.
func TestJoin(t *testing.T) {
	h := newTwoHosts(t)
	h.calm(5)
	// 120.5 ms: 0.4 out, 20 in the far host of which 15 behind the vif, 100.1 back.
	h.near(110, false, 0)
	h.far(110, false, 400*time.Microsecond, "eth2")
	h.far(110, false, 2400*time.Microsecond, "vif_b")
	h.far(110, true, 17400*time.Microsecond, "vif_b")
	h.far(110, true, 20400*time.Microsecond, "eth2")
	h.near(110, true, 120500*time.Microsecond)
	j := h.one()
	if !j.Both || !j.Has || j.RTT != 120500*time.Microsecond || j.InFar || j.FromFar {
		t.Errorf("joined %+v", j)
	}
	type segment struct {
		from, to       string
		rtt, out, back float64
	}
	var got []segment
	for _, s := range j.Report.Segments {
		g := segment{from: s.From, rtt: s.RTT}
		if s.To != nil {
			g.to = *s.To
		}
		if s.RequestMs != nil {
			g.out, g.back = *s.RequestMs, *s.ReplyMs
		}
		got = append(got, g)
	}
	// The clock is taken from the fastest ways, 0.4 out and 0.5 back, as if both
	// were 0.45, and 1.1 s ago, in which they may have drifted apart by 0.55: so the
	// way out is 0.325 ms too long, within the 0.725 that are said.
	want := []segment{{"eth0", "nc2:eth2", 100.5, 0.725, 99.775}, {"nc2:eth2", "nc2:vif_b", 5, 2, 3}, {"nc2:vif_b", "", 15, 0, 0}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(segment{})); diff != "" {
		t.Errorf("segments (-want +got):\n%s", diff)
	}
	if u := j.Report.Segments[0].UncertaintyMs; u == nil || *u != 0.725 {
		t.Errorf("uncertainty %v", u)
	}
	ns, within, ok := h.j.Offset()
	if off := ns - skew; !ok || off > int64(within) || -off > int64(within) || within != 725*time.Microsecond {
		t.Errorf("offset is wrong by %d ns, within %v, %v", ns-skew, within, ok)
	}
}

func TestJoinVerdicts(t *testing.T) {
	tests := []struct {
		name  string
		echo  func(h *twoHosts)
		worst string // where the longest segment begins
		inFar bool
		after string // lost behind, and on which way
	}{
		{"slow in the far host", func(h *twoHosts) {
			h.near(1, false, 0)
			h.far(1, false, ms, "eth2")
			h.far(1, true, 118*ms, "eth2")
			h.near(1, true, 120*ms)
		}, "nc2:eth2", true, ""},
		{"slow on the wire", func(h *twoHosts) {
			h.near(1, false, 0)
			h.far(1, false, 100*ms, "eth2")
			h.far(1, true, 101*ms, "eth2")
			h.near(1, true, 120*ms)
		}, "eth0", false, ""},
		{"lost on the way out", func(h *twoHosts) { h.near(1, false, 0) }, "", false, "eth0 request"},
		{"lost in the far host", func(h *twoHosts) { h.near(1, false, 0); h.far(1, false, ms, "eth2") }, "", true, "nc2:eth2"},
		{"lost on the way back", func(h *twoHosts) { h.near(1, false, 0); h.far(1, false, ms, "eth2"); h.far(1, true, 2*ms, "eth2") }, "nc2:eth2", false, "nc2:eth2 reply"},
		{"lost, and the far side dropped lines", func(h *twoHosts) {
			h.near(1, false, 0)
			h.run(100 * ms)
			h.j.Far(Link{Run: 1, Host: "nc2", Drops: 7, Told: forEver})
		}, "", false, "eth0"},
		{"lost, and the far side is gone", func(h *twoHosts) { h.near(1, false, 0); h.run(100 * ms); h.j.Far(Link{}) }, "", false, "eth0"},
		{"lost, and the far side was started anew", func(h *twoHosts) {
			h.near(1, false, 0)
			h.far(1, false, ms, "eth2")
			h.run(100 * ms)
			h.j.Far(Link{Run: 2, Host: "nc2", Told: forEver})
		}, "", false, "nc2:eth2"},
		{"the far side says it took longer than it did", func(h *twoHosts) {
			h.near(1, false, 0)
			h.far(1, false, 0, "eth2")
			h.far(1, true, 500*ms, "eth2")
			h.near(1, true, 10*ms)
		}, "eth0", false, ""},
		{"the far side answers before it is asked", func(h *twoHosts) {
			h.near(1, false, 0)
			h.far(1, false, 5*ms, "eth2")
			h.far(1, true, 4*ms, "eth2")
			h.near(1, true, 10*ms)
		}, "eth0", false, ""},
		{"the far side repeats itself hours later", func(h *twoHosts) {
			h.near(1, false, 0)
			h.far(1, false, ms, "eth2")
			h.far(1, false, time.Hour, "eth2")
			h.far(1, true, 2*ms, "eth2")
			h.near(1, true, 10*ms)
		}, "eth0", false, ""},
		{"a doubled reply", func(h *twoHosts) {
			h.near(1, false, 0)
			h.far(1, false, ms, "eth2")
			h.far(1, true, 2*ms, "eth2")
			h.near(1, true, 10*ms)
			h.near(1, true, 11*ms)
		}, "eth0", false, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			h := newTwoHosts(t)
			h.calm(5)
			tc.echo(h)
			j := h.one()
			worst, after := "", ""
			if j.Report.Worst != nil {
				worst = j.Report.Worst.From
			}
			if l := j.Report.LostAfter; l != nil {
				after = l.Point
				if l.Leg != nil {
					after += " " + *l.Leg
				}
			}
			if worst != tc.worst || j.InFar != tc.inFar || after != tc.after {
				t.Errorf("worst behind %q, in far %v, lost behind %q; want %q, %v, %q", worst, j.InFar, after, tc.worst, tc.inFar, tc.after)
			}
		})
	}
}

// TestJoinBack: a host behind the far one pings one behind this one.
func TestJoinBack(t *testing.T) {
	h := newTwoHosts(t)
	src, dst := netip.MustParseAddr("10.1.20.7"), netip.MustParseAddr("10.1.16.165")
	at := func(d time.Duration) int64 { return int64(h.now.Add(d)) + skew }
	h.j.FarEcho(&Echo{Point: "eth2", Dir: "tx", Src: src, Dst: dst, ID: 1, Seq: 1, At: at(0)})
	e := flow.Echo{At: h.now.Add(ms), Link: 1, Dir: flow.Rx, Family: flow.FamilyIPv4, Src: src.As16(), Dst: dst.As16(), ID: 1, Seq: 1}
	h.j.Near(&e, "eth0")
	e.At, e.Dir, e.Reply, e.Src, e.Dst = h.now.Add(3*ms), flow.Tx, true, e.Dst, e.Src
	h.j.Near(&e, "eth0")
	h.j.FarEcho(&Echo{Point: "eth2", Dir: "rx", Reply: true, Src: dst, Dst: src, ID: 1, Seq: 1, At: at(10 * ms)})
	j := h.one()
	// 10 ms at the far NIC, 2 of them behind the near one: 8 on the wire.
	if r := j.Report; !j.FromFar || len(r.Points) != 2 || r.Points[0].Name != "nc2:eth2" || r.Segments[0].RTT != 8 || r.Segments[1].RTT != 2 || j.InFar {
		t.Errorf("%+v", j)
	}
}

// TestJoinBounds: whatever is sent, little is kept, and what is this host's own
// is not evicted by others.
func TestJoinBounds(t *testing.T) {
	h := newTwoHosts(t)
	h.calm(3)
	h.near(1, false, 0)
	for i := range 20_000 {
		src := netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)})
		h.j.FarEcho(&Echo{Point: "eth2", Dir: "rx", Src: src, Dst: netip.MustParseAddr("10.9.9.9"), Seq: uint16(i), At: int64(h.now) + skew})
		e := flow.Echo{At: h.now, Link: 1, Family: flow.FamilyIPv4, Dst: src.As16(), Seq: uint16(i), ID: 3}
		h.j.Near(&e, "eth0")
		e.Src, e.Dst = src.As16(), netip.MustParseAddr("10.1.16.55").As16() // a guest pings the same host
		h.j.Near(&e, "eth0")
	}
	if n := len(h.j.open); n > maxOwn+maxKnown+maxUnknown {
		t.Errorf("%d echoes are held", n)
	}
	h.far(1, false, ms, "eth2")
	h.far(1, true, 2*ms, "eth2")
	h.near(1, true, 10*ms)
	if j := h.one(); !j.Both {
		t.Errorf("the flood took a part of it: %+v", j)
	}
	if len(h.j.open) != 0 || len(h.j.mine) != 0 || len(h.j.known) != 0 || len(h.j.unknown) != 0 {
		t.Errorf("%d echoes are left", len(h.j.open))
	}
	for i := range 3 * maxPairs {
		h.j.learn([16]byte{byte(i), byte(i >> 8)}, [16]byte{}, 0)
	}
	if len(h.j.pairs) != maxPairs || len(h.j.order) != maxPairs {
		t.Errorf("%d pairs are kept", len(h.j.pairs))
	}
}

// TestJoinAnything: any order of sights leaves segments that add up.
func TestJoinAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		h := newTwoHosts(t)
		for range r.IntN(10) {
			at := time.Duration(r.IntN(3000)) * ms
			if r.IntN(10) == 0 {
				at = time.Duration(r.Int64())
			}
			seq, reply := uint16(r.IntN(2)), r.IntN(2) == 0
			if r.IntN(2) == 0 {
				h.near(seq, reply, at%time.Minute)
			} else {
				h.far(seq, reply, at, []string{"eth2", "vif_b"}[r.IntN(2)])
			}
			h.run(time.Duration(r.IntN(50)) * ms)
		}
		h.run(4 * time.Second)
		for _, j := range h.got {
			sum := time.Duration(0)
			for _, s := range j.Report.Segments {
				sum += time.Duration(s.RTT * 1e6)
			}
			if d := sum - j.RTT; j.Has && d.Abs() > 10 {
				t.Fatalf("segments sum up to %v of %v: %+v", sum, j.RTT, j.Report)
			}
		}
		if len(h.j.open) != 0 {
			t.Fatalf("%d echoes are left", len(h.j.open))
		}
	}
}

// forEver: the far side has told everything.
const forEver = flow.Time(1 << 62)
