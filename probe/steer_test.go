package probe

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

var k61 = flow.Kernel{Major: 6, Minor: 1, Patch: 176}

// wayOf is a bond with layer3+4 of members eth0, eth1, ... with links 1, 2, ...;
// down lists those without carrier.
func wayOf(src, dst string, n int, down ...string) Way {
	b := &flow.Bond{Name: "bond0", Mode: flow.Mode8023AD, Policy: flow.PolicyLayer34, Active: 1}
	w := Way{Bond: b, Kernel: k61, Source: netip.MustParseAddr(src), Addr: netip.MustParseAddr(dst)}
	for i := range n {
		m := flow.Member{Name: fmt.Sprintf("eth%d", i), State: "active", MII: "up", Aggregator: 1}
		for _, d := range down {
			if m.Name == d {
				m.MII, m.Down = "down", true
			}
		}
		b.Members = append(b.Members, m)
		w.Members = append(w.Members, WayMember{flow.LinkID(i + 1), m.Name})
	}
	return w
}

func free(uint16) bool { return false }

// TestPick: every lane gets ids that the predictor sends by its member, whoever
// the host is and however many members carry.
func TestPick(t *testing.T) {
	for _, tc := range []struct {
		name, src, dst string
		n              int
		down           []string
		lanes          int
	}{
		{"two members", "10.1.16.165", "10.1.16.55", 2, nil, 2},
		{"three members", "10.1.16.165", "10.1.16.55", 3, nil, 3},
		{"three, one down", "10.1.16.165", "10.1.16.55", 3, []string{"eth1"}, 2},
		{"three, the first down", "10.1.16.165", "10.1.16.56", 3, []string{"eth0"}, 2},
		{"two, one down", "10.1.16.165", "10.1.16.55", 2, []string{"eth1"}, 1},
		{"IPv6", "2001:db8:40:7::165", "2001:db8:40:7::1c3", 2, nil, 2},
		{"IPv6, three members", "2001:db8:40:7::165", "2001:db8:40:7::1c3", 3, nil, 3},
		{"link-local with a zone", "fe80::5054:ff:fe12:3456", "fe80::1%bond0", 2, nil, 2},
		{"mapped", "10.1.16.165", "::ffff:10.1.16.55", 2, nil, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s Steering
			w := wayOf(tc.src, tc.dst, tc.n, tc.down...)
			s.Set(w, 0)
			if got := len(s.Lanes()); got != tc.lanes || s.Why() != "" {
				t.Fatalf("%d lanes (%q), want %d", got, s.Why(), tc.lanes)
			}
			for _, l := range s.Lanes() {
				for range 50 {
					id, ok := l.Pick(w.Addr, free)
					f := w.frame()
					f.ICMP = &flow.ICMPHead{Type: 8, ID: id}
					if w.Addr.Unmap().Is6() {
						f.ICMP.Type = 128
					}
					got, why := w.Bond.TxMember(f, k61)
					if !ok || id == 0 || got != l.Name {
						t.Fatalf("lane %s: id %d goes by %q %s", l.Name, id, got, why)
					}
				}
			}
		})
	}
}

func TestPickTaken(t *testing.T) {
	var s Steering
	w := wayOf("10.1.16.165", "10.1.16.55", 2)
	s.Set(w, 0)
	used := map[uint16]bool{}
	for range 2000 {
		id, ok := s.Lanes()[1].Pick(w.Addr, func(id uint16) bool { return used[id] })
		if !ok || used[id] {
			t.Fatalf("id %d twice", id)
		}
		used[id] = true
	}
}

func TestCannotSteer(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(w *Way)
		want  string
	}{
		{"layer3+4", func(*Way) {}, ""},
		{"balance-xor", func(w *Way) { w.Bond.Mode = flow.ModeXOR }, ""},
		{"no bond", func(w *Way) { w.Bond = nil }, ""},
		{"active-backup", func(w *Way) { w.Bond.Mode = flow.ModeActiveBackup }, "only the active member sends"},
		{"balance-rr", func(w *Way) { w.Bond.Mode = flow.ModeRoundRobin }, "balance-rr sends frame after frame by another member"},
		{"team", func(w *Way) { w.Bond.Mode = "team" }, "the team's runner chooses the port"},
		{"ovs", func(w *Way) { w.Bond.Mode = "ovs" }, "Open vSwitch chooses the port"},
		{"layer2+3", func(w *Way) { w.Bond.Policy = flow.PolicyLayer23 }, "policy layer2+3 does not look at echo ids"},
		{"old kernel", func(w *Way) { w.Kernel = flow.Kernel{Major: 4, Minor: 18} }, "kernels before 5.5 do not look at the id of an ICMP echo (distributions may)"},
		{"kernel with the wrong bytes", func(w *Way) { w.Kernel = flow.Kernel{Major: 5, Minor: 15, Patch: 3} }, "kernel 5.15.3 may hash the wrong bytes (fixed in 5.15.17 and 5.17)"},
		{"no source", func(w *Way) { w.Source = netip.Addr{} }, "the source address is not known"},
		{"nothing captured", func(w *Way) { w.Members = nil }, "no member is captured"},
		{"queue_id", func(w *Way) { w.Bond.Members[1].QueueID = 2 }, "eth1 has queue_id 2: tc may choose the member"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s Steering
			w := wayOf("10.1.16.165", "10.1.16.55", 2)
			tc.spoil(&w)
			s.Set(w, 0)
			lanes := 2
			if tc.want != "" || w.Bond == nil {
				lanes = 1
			}
			if s.Why() != tc.want || len(s.Lanes()) != lanes {
				t.Errorf("%d lanes, cannot steer %q; want %d, %q", len(s.Lanes()), s.Why(), lanes, tc.want)
			}
		})
	}
}

// laneNames is a lane's member, with a mark where it pauses.
func laneNames(lanes []*Lane) (out []string) {
	for _, l := range lanes {
		name := l.Name
		if l.Paused != "" {
			name += " paused"
		}
		out = append(out, name)
	}
	return out
}

// TestSteeringFollowsBond: members go and come; only series whose id leads to
// another member now, or that pause or go on, begin anew.
func TestSteeringFollowsBond(t *testing.T) {
	const src, dst = "10.1.16.165", "10.1.16.55"
	var s Steering
	steps := []struct {
		name  string
		way   Way
		lanes []string
		must  []string // begin anew, of those that may
		may   []string
	}{
		{"not looked up yet", Way{}, []string{""}, nil, nil},
		{"two", wayOf(src, dst, 2), []string{"eth0", "eth1"}, nil, []string{"eth0", "eth1"}},
		{"two again", wayOf(src, dst, 2), []string{"eth0", "eth1"}, nil, nil},
		{"eth1 down", wayOf(src, dst, 2, "eth1"), []string{"eth0", "eth1 paused"}, []string{"eth1 paused"}, []string{"eth1 paused"}},
		{"all down", wayOf(src, dst, 2, "eth0", "eth1"), []string{"eth0", "eth1"}, []string{"eth1"}, []string{"eth1"}},
		{"eth1 comes first", wayOf(src, dst, 2, "eth0"), []string{"eth0 paused", "eth1"}, []string{"eth0 paused"}, []string{"eth0 paused"}},
		{"both", wayOf(src, dst, 2), []string{"eth0", "eth1"}, []string{"eth0"}, []string{"eth0", "eth1"}},
		{"a third joins", wayOf(src, dst, 3), []string{"eth0", "eth1", "eth2"}, nil, []string{"eth0", "eth1", "eth2"}},
	}
	at := flow.Time(0)
	for _, st := range steps {
		at = at.Add(time.Second)
		anew := laneNames(s.Set(st.way, at))
		if diff := cmp.Diff(st.lanes, laneNames(s.Lanes())); diff != "" {
			t.Fatalf("%s: lanes (-want +got):\n%s", st.name, diff)
		}
		has := func(list []string, name string) bool {
			for _, n := range list {
				if n == name {
					return true
				}
			}
			return false
		}
		for _, n := range st.must {
			if !has(anew, n) {
				t.Errorf("%s: %s does not begin anew: %v", st.name, n, anew)
			}
		}
		for _, n := range anew {
			if !has(st.may, n) {
				t.Errorf("%s: %s begins anew", st.name, n)
			}
		}
		for _, l := range s.Lanes() { // as a pinger that was told does; the others keep theirs
			if l.id.Load() == 0 || has(anew, laneNames([]*Lane{l})[0]) {
				l.Pick(st.way.Addr, free)
			}
			if l.stale() {
				t.Errorf("%s: %s has an id that leads elsewhere", st.name, l.Name)
			}
		}
	}
}

// drive lets each lane's echoes leave by whatever by says, and picks anew where
// it is told to; it returns how many series were begun.
func drive(s *Steering, w Way, echoes int, by func(id uint16) flow.LinkID) (series int) {
	n := map[*Lane]int64{}
	for _, l := range s.Lanes() {
		l.Pick(w.Addr, free)
	}
	for range echoes {
		for _, l := range s.Lanes() {
			n[l]++
			id := uint16(l.id.Load())
			m := Sample{N: n[l], ID: id, Sent: flow.Time(time.Hour), Member: by(id)}
			for range 2 { // a sample is reported more than once
				for _, a := range s.Saw(l, &m) {
					a.Pick(w.Addr, free)
					series++
				}
			}
		}
	}
	return series
}

// TestSteeringLearns: a bond that sends the other way round than predicted, so
// that only ids which seem wrong are right.
func TestSteeringLearns(t *testing.T) {
	w := wayOf("10.1.16.165", "10.1.16.55", 2)
	real := aim{way: w, member: "eth1"} // its ids go by eth0
	by := func(id uint16) flow.LinkID {
		if real.leads(id) {
			return 1
		}
		return 2
	}
	var s Steering
	for range 5 { // one run in 2000 tries none but wrong ids
		s = Steering{}
		s.Set(w, 0)
		if drive(&s, w, 200, by); s.Why() == "" {
			break
		}
	}
	if s.Why() != "" {
		t.Fatalf("cannot steer: %s", s.Why())
	}
	for _, l := range s.Lanes() {
		if got := by(uint16(l.id.Load())); got != l.Link {
			t.Errorf("lane %s still leaves by link %d", l.Name, got)
		}
	}
}

// TestSteeringGivesUp: all echoes leave by eth1 whatever the id.
func TestSteeringGivesUp(t *testing.T) {
	var s Steering
	w := wayOf("10.1.16.165", "10.1.16.55", 2)
	s.Set(w, 0)
	series := drive(&s, w, 200, func(uint16) flow.LinkID { return 2 })
	// Two members: 12 ids, of which the first is not begun by Saw.
	if want := "echoes leave by eth1 whatever the id (12 tried for eth0)"; s.Why() != want || series != 11 || len(s.Lanes()) != 1 {
		t.Fatalf("%q after %d series, %d lanes; want %q after 11, one lane", s.Why(), series, len(s.Lanes()), want)
	}
	s.Set(w, flow.Time(2*time.Hour))
	if s.Why() == "" {
		t.Error("it forgets what it found, though nothing has changed")
	}
	s.Set(wayOf("10.1.16.165", "10.1.16.55", 3), flow.Time(3*time.Hour))
	if s.Why() != "" || len(s.Lanes()) != 3 {
		t.Errorf("another bond is not tried: %q, %d lanes", s.Why(), len(s.Lanes()))
	}
}

// TestSteeringPatience: four echoes by the wrong member, then a right one, are
// no contradiction, and neither is what was sent while the bond changed.
func TestSteeringPatience(t *testing.T) {
	var s Steering
	w := wayOf("10.1.16.165", "10.1.16.55", 2)
	now := flow.Time(time.Hour)
	s.Set(w, now)
	l := s.Lanes()[0]
	id, _ := l.Pick(w.Addr, free)
	saw := func(n int64, sent flow.Time, by flow.LinkID) int {
		return len(s.Saw(l, &Sample{N: n, ID: id, Sent: sent, Member: by}))
	}
	late := now.Add(time.Minute)
	for n := int64(1); n <= 10; n++ {
		if saw(n, now.Add(400*time.Millisecond), 2) != 0 {
			t.Fatal("it did not wait until the change has settled")
		}
	}
	for n := int64(11); n <= 50; n++ {
		by := flow.LinkID(2)
		if n%5 == 0 {
			by = 1
		}
		if saw(n, late, by) != 0 {
			t.Fatalf("echo %d: four in a row are enough for it", n)
		}
	}
	got := 0
	for n := int64(51); n <= 55; n++ {
		got += saw(n, late, 2)
	}
	if got != 1 {
		t.Errorf("after five in a row it began %d series anew, want 1", got)
	}
}
