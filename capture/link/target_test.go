package link

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// captured returns the links that are captured by default on h.
func captured(t *testing.T, h *host, args ...string) []flow.Link {
	t.Helper()
	return startTimeline(t, h, args...).tracker.snapshot()
}

func TestDefaultGateways(t *testing.T) {
	tests := []struct {
		name  string
		build func(h *host)
		args  []string
		want  []string
	}{
		{"bridge over a bond, both families", func(h *host) {
			h.dev("br0", kind("bridge")).bond("bond0", "eth0", "eth1").route("br0", "10.0.0.1").route("br0", "fe80::1")
			h.in("br0")(h.Named("bond0"))
		}, nil, []string{"10.0.0.1 by br0 bond0 [1 2] gateway through bond0", "fe80::1%br0 by br0 bond0 [1 2] gateway through bond0"}},
		{"the default route leaves by a NIC that is not captured", func(h *host) {
			h.bond("bond0", "eth0").dev("mgmt", physical).route("mgmt", "10.0.0.1")
		}, nil, nil},
		{"two bonds, each its own", func(h *host) {
			h.bond("bond0", "eth0").bond("bond1", "eth1").route("bond0", "10.0.0.1").route("bond1", "10.1.0.1")
		}, nil, []string{"10.0.0.1 by bond0 bond0 [1] gateway through bond0", "10.1.0.1 by bond1 bond1 [2] gateway through bond1"}},
		{"the best route of a bond only", func(h *host) {
			h.bond("bond0", "eth0").route("bond0", "10.0.0.1").route("bond0", "10.0.0.2")
		}, nil, []string{"10.0.0.1 by bond0 bond0 [1] gateway through bond0"}},
		{"VLANs over one bond", func(h *host) {
			h.bond("bond0", "eth0", "eth1").dev("bond0.7", kind("vlan"), h.on("bond0")).route("bond0.7", "10.7.0.1")
		}, nil, []string{"10.7.0.1 by bond0.7 bond0 [1 2] gateway through bond0"}},
		{"only one member captured", func(h *host) {
			h.bond("bond0", "eth0", "eth1").route("bond0", "10.0.0.1")
		}, []string{"eth1"}, []string{"10.0.0.1 by bond0 bond0 [1] gateway through bond0"}},
		{"no bond", func(h *host) {
			h.dev("eth0", kind(kindVeth)).route("eth0", "10.0.0.1")
		}, nil, []string{"10.0.0.1 by eth0  [1] gateway through eth0"}},
		{"no gateway", func(h *host) { h.dev("eth0", physical).route("eth0", "") }, nil, nil},
		{"OVS", func(h *host) {
			h.dev("ovs-system", kind(kindOVS)).dev("br-ex", kind(kindOVS), h.in("ovs-system")).
				dev("eth0", physical, h.in("ovs-system")).dev("eth1", physical, h.in("ovs-system")).route("br-ex", "10.0.0.1")
		}, nil, []string{"10.0.0.1 by br-ex ovs-system [1 2] gateway through ovs-system"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			tt.build(h)
			var got []string
			for _, g := range DefaultGateways(&h.State, captured(t, h, tt.args...)) {
				got = append(got, g.Addr.String()+" by "+g.Device+" "+g.Bond+" "+ids(g.Links)+" "+g.Reason)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func ids(list []flow.LinkID) string {
	s := "["
	for i, id := range list {
		if i > 0 {
			s += " "
		}
		s += string(rune('0' + id))
	}
	return s + "]"
}

func TestPath(t *testing.T) {
	h := newHost(t).dev("br0", kind("bridge")).bond("bond0", "eth0", "eth1").dev("mgmt", physical)
	h.in("br0")(h.Named("bond0"))
	links := captured(t, h)
	gone := append([]flow.Link(nil), links...)
	gone[0].State = flow.LinkGone
	gw := netip.MustParseAddr("10.0.0.1")
	lo, br0, mgmt := h.index("lo"), h.index("br0"), h.index("mgmt")
	tests := []struct {
		name  string
		route route
		links []flow.Link
		want  Path
	}{
		{"on-link", route{kind: unix.RTN_UNICAST, hops: []hop{{br0, netip.Addr{}}}}, links, Path{Device: "br0", Ifindex: br0, Links: []flow.LinkID{1, 2}, OnLink: true}},
		{"by a gateway", route{kind: unix.RTN_UNICAST, hops: []hop{{br0, gw}}}, links, Path{Device: "br0", Ifindex: br0, Links: []flow.LinkID{1, 2}, Gateway: gw}},
		{"not captured", route{kind: unix.RTN_UNICAST, hops: []hop{{mgmt, netip.Addr{}}}}, links, Path{Device: "mgmt", Ifindex: mgmt, OnLink: true}},
		{"our own", route{kind: unix.RTN_LOCAL, hops: []hop{{lo, netip.Addr{}}}}, links, Path{Device: "lo", Ifindex: lo, Own: true}},
		{"broadcast", route{kind: unix.RTN_BROADCAST, hops: []hop{{br0, netip.Addr{}}}}, links, Path{Device: "br0", Ifindex: br0, Links: []flow.LinkID{1, 2}}},
		{"a link that is gone carries nothing", route{kind: unix.RTN_UNICAST, hops: []hop{{br0, netip.Addr{}}}}, gone, Path{Device: "br0", Ifindex: br0, Links: []flow.LinkID{2}, OnLink: true}},
		{"a device made since the look", route{kind: unix.RTN_UNICAST, hops: []hop{{99, gw}}}, links, Path{Ifindex: 99, Gateway: gw}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := h.path(tt.route, tt.links, gw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := h.path(route{kind: unix.RTN_UNICAST}, links, gw); err == nil || err.Error() != "route to 10.0.0.1: network is unreachable" {
		t.Errorf("route without hops: %v", err)
	}
}

func TestSortRoutes(t *testing.T) {
	list := []Route{
		{Family: 6, Table: 254, Metric: 1024, Oif: 1}, {Family: 4, Table: 100, Metric: 0, Oif: 2}, {Family: 4, Table: 254, Metric: 200, Oif: 3},
		{Family: 4, Table: 254, Metric: 100, Oif: 4}, {Family: 6, Table: 254, Metric: 100, Oif: 5}, {Family: 4, Table: 254, Metric: 100, Oif: 6},
	}
	sortRoutes(list)
	var got []int
	for _, r := range list {
		got = append(got, r.Oif)
	}
	if diff := cmp.Diff([]int{4, 6, 3, 2, 5, 1}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOwnAddresses(t *testing.T) {
	p := netip.MustParsePrefix
	s := State{Addresses: []Address{{1, p("127.0.0.1/8")}, {2, p("10.0.0.5/24")}, {3, p("10.0.0.5/32")}, {2, p("fe80::5/64")}}}
	var got []string
	for _, a := range s.OwnAddresses() {
		got = append(got, a.String())
	}
	if diff := cmp.Diff([]string{"127.0.0.1", "10.0.0.5", "fe80::5"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
