package link

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"spiketop/flow"
)

func TestLiveRead(t *testing.T) {
	near, _ := router(t)
	var s *State
	var lib []netlink.Link
	var err, libErr error
	eventually(t, "carrier", func() bool {
		inside(t, near, func() {
			var n *Netlink
			if n, err = Open(); err != nil {
				return
			}
			defer n.Close()
			s, err = Read(Roots{Sysfs: "/nowhere"}, n)
			lib, libErr = netlink.LinkList()
		})
		if err != nil || libErr != nil {
			t.Fatal(err, libErr)
		}
		return s.Named("br0").Up() && s.Named("eth0").Up()
	})

	// The library that everybody uses, as the second witness.
	if len(lib) != len(s.Devices) {
		t.Errorf("%d devices, the library sees %d", len(s.Devices), len(lib))
	}
	for _, l := range lib {
		a, d := l.Attrs(), s.Device(l.Attrs().Index)
		if d == nil {
			t.Errorf("%s missing", a.Name)
			continue
		}
		k := l.Type()
		if k == "device" {
			k = "" // the library's word for hardware and lo
		}
		want := Device{Ifindex: a.Index, Name: a.Name, Kind: k, Master: a.MasterIndex, Loopback: a.Flags&net.FlagLoopback != 0,
			AdminUp: a.Flags&net.FlagUp != 0, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0, Oper: uint8(a.OperState)}
		copy(want.MAC[:], a.HardwareAddr)
		want.PortKind, want.Bytes = d.PortKind, d.Bytes // not offered, and moving
		if diff := cmp.Diff(want, *d); diff != "" {
			t.Errorf("%s (-library +got):\n%s", a.Name, diff)
		}
	}
	if got := s.Named("eth1").PortKind; got != "bridge" {
		t.Errorf("eth1 is a port of a %q, want bridge", got)
	}
	if s.OwnSysfs {
		t.Error("sysfs believed, though there is none")
	}
	choices, err := Choose(s, nil)
	if err != nil || len(choices) != 2 || choices[0].Name != "eth0" || choices[1].Name != "eth1" {
		t.Errorf("chosen: %+v, %v; want eth0 and eth1, not br0 above it", choices, err)
	}
	var own []string
	for _, a := range s.OwnAddresses() {
		if !a.IsLinkLocalUnicast() { // random
			own = append(own, a.String())
		}
	}
	slices.Sort(own)
	if diff := cmp.Diff([]string{"10.77.0.2", "10.78.0.2", "127.0.0.1", "::1", "fd77::2"}, own); diff != "" {
		t.Errorf("own addresses (-want +got):\n%s", diff)
	}
}

func TestLiveTargets(t *testing.T) {
	near, _ := router(t)
	inside(t, near, func() {
		n, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer n.Close()
		s, err := Read(Roots{Sysfs: "/nowhere"}, n)
		if err != nil {
			t.Error(err)
			return
		}
		choices, err := Choose(s, []string{"eth1"})
		if err != nil {
			t.Error(err)
			return
		}
		links := newTracker(s, choices).snapshot()
		var gateways []string
		for _, g := range DefaultGateways(s, links) {
			gateways = append(gateways, g.Addr.String()+" "+g.Reason)
		}
		if diff := cmp.Diff([]string{"10.77.0.1 gateway through eth1", "fd77::1 gateway through eth1"}, gateways); diff != "" {
			t.Errorf("gateways (-want +got):\n%s", diff)
		}
		br0, eth0, lo := s.Named("br0").Ifindex, s.Named("eth0").Ifindex, 1
		one := []flow.LinkID{1}
		addr := netip.MustParseAddr
		tests := []struct {
			to   string
			want Path
			err  string
		}{
			{"10.77.0.9", Path{Device: "br0", Ifindex: br0, Links: one, OnLink: true, Source: addr("10.77.0.2")}, ""},
			{"::ffff:10.77.0.9", Path{Device: "br0", Ifindex: br0, Links: one, OnLink: true, Source: addr("10.77.0.2")}, ""},
			{"192.0.2.1", Path{Device: "br0", Ifindex: br0, Links: one, Gateway: addr("10.77.0.1"), Source: addr("10.77.0.2")}, ""},
			{"2001:db8::1", Path{Device: "br0", Ifindex: br0, Links: one, Gateway: addr("fd77::1"), Source: addr("fd77::2")}, ""},
			{"fd77::9", Path{Device: "br0", Ifindex: br0, Links: one, OnLink: true, Source: addr("fd77::2")}, ""},
			{"10.78.0.9", Path{Device: "eth0", Ifindex: eth0, OnLink: true, Source: addr("10.78.0.2")}, ""},
			{"10.99.0.1", Path{Device: "eth0", Ifindex: eth0, Gateway: addr("10.78.0.1"), Source: addr("10.78.0.2")}, ""},
			{"10.77.0.2", Path{Device: "lo", Ifindex: lo, Own: true, Source: addr("10.77.0.2")}, ""},
			{"10.77.0.255", Path{Device: "br0", Ifindex: br0, Links: one, Source: addr("10.77.0.2")}, ""},
			{"10.98.0.1", Path{}, "route to 10.98.0.1: no route to host"},
			{"fe80::9%br0", Path{Device: "br0", Ifindex: br0, Links: one, OnLink: true}, ""},
			{"fe80::9%nosuch", Path{}, "route to fe80::9%nosuch: no such device"},
		}
		for _, tt := range tests {
			got, err := n.RouteLeavesBy(s, links, addr(tt.to))
			if text := fmt.Sprint(err); (err != nil || tt.err != "") && text != tt.err {
				t.Errorf("%s: error %q, want %q", tt.to, text, tt.err)
			}
			if strings.HasPrefix(tt.to, "fe80") {
				got.Source = netip.Addr{} // random
			}
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.to, diff)
			}
		}
		for a, want := range map[string]bool{"10.77.0.9": true, "10.78.0.9": false, "192.0.2.1": false, "10.77.0.2": false} {
			if n.OnLink(s, links, addr(a)) != want {
				t.Errorf("OnLink(%s) = %v", a, !want)
			}
		}
	})
}

// Without any capability everything works as with all of them.
func TestLiveWithoutCapabilities(t *testing.T) {
	near, _ := router(t)
	inside(t, near, func() {
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&head, &make([]unix.CapUserData, 2)[0]); err != nil { // of this thread alone
			t.Error(err)
			return
		}
		n, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer n.Close()
		s, err := Read(DefaultRoots(), n)
		if err != nil {
			t.Error(err)
			return
		}
		choices, err := Choose(s, []string{"eth0", "eth1"})
		if err != nil {
			t.Error(err)
			return
		}
		w, err := NewWatcher(WatchConfig{Roots: DefaultRoots(), State: s, Choices: choices})
		if err != nil {
			t.Error(err)
			return
		}
		defer w.stop()
		if u := w.First(); len(u.Notes) != 0 || len(u.Links) != 2 {
			t.Errorf("watcher: %+v", u)
		}
		sampler, err := NewSampler(DefaultRoots())
		if err != nil {
			t.Error(err)
			return
		}
		defer sampler.Close()
		sampler.SetLinks(w.First().Links, s)
		counters, err := sampler.Read(42)
		if err != nil || len(counters) != 2 || counters[0].At != 42 || counters[1].Link != 2 || !counters[0].HasQdisc {
			t.Errorf("counters: %+v, %v", counters, err)
		}
		if _, err := n.RouteLeavesBy(s, w.First().Links, netip.MustParseAddr("10.77.0.9")); err != nil {
			t.Error(err)
		}
	})
}
