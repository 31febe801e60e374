package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/capture/link"
	"spiketop/flow"
	"spiketop/probe"
)

// membersWorld has bond0 of eth1 and eth0, enslaved in that order, and eth2 alone.
func membersWorld() *flow.World {
	return &flow.World{Kernel: flow.Kernel{Major: 6, Minor: 1},
		Links: []flow.Link{{ID: 1, Name: "eth0", Bond: "bond0"}, {ID: 2, Name: "eth1", Bond: "bond0"}, {ID: 3, Name: "eth2"}},
		Bonds: []flow.Bond{{Name: "bond0", Mode: flow.ModeXOR, Policy: flow.PolicyLayer34, Members: []flow.Member{
			{Name: "eth1", MII: "up", State: "active"}, {Name: "eth0", MII: "up", State: "active"}, {Name: "eth9", MII: "up", State: "active"}}}}}
}

// TestWay: what the route says becomes the bond and its captured members in order
// of enslaving, or a reason.
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
		{"by a bond", []flow.LinkID{1, 2}, nil, true, "", []probe.WayMember{{Link: 2, Name: "eth1"}, {Link: 1, Name: "eth0"}}},
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
