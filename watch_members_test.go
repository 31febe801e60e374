package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/capture/link"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/probe"
)

// membersWorld has bond0 of eth1 and eth0, enslaved in that order, and eth2 alone.
func membersWorld() *flow.World {
	return &flow.World{Kernel: flow.Kernel{Major: 6, Minor: 1},
		Links: []flow.Link{{ID: 1, Name: "eth0", Bond: "bond0"}, {ID: 2, Name: "eth1", Bond: "bond0"}, {ID: 3, Name: "eth2"}},
		Bonds: []flow.Bond{{Name: "bond0", Mode: flow.ModeXOR, Policy: flow.PolicyLayer34, Members: []flow.Member{
			{Name: "eth1", MII: "up", State: "active"}, {Name: "eth0", MII: "up", State: "active"}, {Name: "eth9", MII: "up", State: "active"}}}}}
}

// TestWay: what the route says becomes the bond and its captured members in pane
// order, or a reason.
func TestWay(t *testing.T) {
	src := netip.MustParseAddr("10.1.16.165")
	for _, tc := range []struct {
		name    string
		links   []flow.LinkID
		change  func(*flow.World)
		bond    bool
		why     string
		members []probe.WayMember
	}{
		{"by a bond", []flow.LinkID{1, 2}, nil, true, "", []probe.WayMember{{Link: 1, Name: "eth0"}, {Link: 2, Name: "eth1"}}},
		{"a member is gone", []flow.LinkID{1, 2}, func(w *flow.World) { w.Links[0].State = flow.LinkGone }, true, "", []probe.WayMember{{Link: 2, Name: "eth1"}}},
		{"by a single NIC", []flow.LinkID{3}, nil, false, "", nil},
		{"by both", []flow.LinkID{1, 2, 3}, nil, false, "several NICs lead to it that are no bond", nil},
		{"not captured", nil, nil, false, "", nil},
		{"the bond is not known", []flow.LinkID{1, 2}, func(w *flow.World) { w.Bonds = nil }, false, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := membersWorld()
			h := &pingHost{}
			h.leavesBy(link.Path{Links: tc.links, Source: src}, w.Links)
			if tc.change != nil {
				tc.change(w)
			}
			got := h.way(w)
			if (got.Bond != nil) != tc.bond || got.Why != tc.why || got.Source != src {
				t.Errorf("bond %v, %q, source %v", got.Bond != nil, got.Why, got.Source)
			}
			if diff := cmp.Diff(tc.members, got.Members); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBeatOf: the pings of one host are spread over the interval, and two of them
// are half of it apart.
func TestBeatOf(t *testing.T) {
	var got []time.Duration
	for lane := range 5 {
		got = append(got, beatOf(lane, 100*time.Millisecond)/time.Microsecond)
	}
	// Behind a multiple of 100 ms: 100 (which is 0), 50, 75, 25, 87.5 ms.
	if diff := cmp.Diff([]time.Duration{100000, 50000, 75000, 25000, 87500}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSteer: a host's pings follow its bond: one for each member, the same ones
// as long as they are there, one with the reason when nothing can be chosen.
func TestSteer(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // the pingers end before they send anything
	world := membersWorld()
	world.Bonds[0].Members = world.Bonds[0].Members[:2]
	w := &watch{s: &session{o: &options{interval: 100 * time.Millisecond}, probes: make(chan probe.Event, 64)}, pinging: ctx, world: world.Index(), set: probe.NewSet(probe.SetConfig{})}
	w.mon = incident.NewMonitor(incident.Config{}, 0, w.world)
	defer w.s.tasks.Wait()
	first, _ := w.book.add(probe.Target{Name: "10.1.16.55", Addr: netip.MustParseAddr("10.1.16.55"), Captured: true})
	second, _ := w.book.add(probe.Target{Name: "192.0.2.9", Addr: netip.MustParseAddr("192.0.2.9"), Captured: true})
	src := netip.MustParseAddr("10.1.16.165")
	w.hosts = []*pingHost{{Target: first, bond: "bond0", links: 2, source: src}, {Target: second, links: 1, source: src}}
	for _, step := range []struct {
		name   string
		change func(*flow.Bond)
		want   []string
	}{
		// The numbers: both hosts have theirs, the pings of further members get the next ones.
		{"two members", func(*flow.Bond) {}, []string{"1 10.1.16.55 of 1 by 1", "3 10.1.16.55 of 1 by 2", "2 192.0.2.9 of 0 by 0"}},
		{"nothing new", func(*flow.Bond) {}, []string{"1 10.1.16.55 of 1 by 1", "3 10.1.16.55 of 1 by 2", "2 192.0.2.9 of 0 by 0"}},
		{"eth1 down", func(b *flow.Bond) { b.Members[0].MII = "down" }, []string{"1 10.1.16.55 of 1 by 1", "3 10.1.16.55 of 1 by 2 paused", "2 192.0.2.9 of 0 by 0"}},
		{"eth1 up", func(b *flow.Bond) { b.Members[0].MII = "up" }, []string{"1 10.1.16.55 of 1 by 1", "3 10.1.16.55 of 1 by 2", "2 192.0.2.9 of 0 by 0"}},
		{"active-backup", func(b *flow.Bond) { b.Mode = flow.ModeActiveBackup }, []string{"1 10.1.16.55 of 0 by 0: only the active member sends", "2 192.0.2.9 of 0 by 0"}},
		{"balance-xor", func(b *flow.Bond) { b.Mode = flow.ModeXOR }, []string{"1 10.1.16.55 of 1 by 1", "4 10.1.16.55 of 1 by 2", "2 192.0.2.9 of 0 by 0"}},
	} {
		next := *w.world
		next.Bonds = []flow.Bond{next.Bonds[0]}
		next.Bonds[0].Members = slices.Clone(next.Bonds[0].Members)
		step.change(&next.Bonds[0])
		w.world = &next
		w.steer()
		w.tellTargets()
		var got []string
		for _, p := range w.set.Targets() {
			s := fmt.Sprintf("%d %s of %d by %d", p.ID, p.Name, p.Group, p.Member)
			if p.CannotSteer != "" {
				s += ": " + p.CannotSteer
			}
			for _, h := range w.hosts {
				for _, q := range h.pings {
					if q.ID == p.ID && q.lane.Paused != "" {
						s += " paused"
					}
				}
			}
			got = append(got, s)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}
