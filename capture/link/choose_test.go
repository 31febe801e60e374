package link

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// host builds a State for tests: devices are numbered from 1, masters and
// parents named.
type host struct {
	State
	t *testing.T
}

func newHost(t *testing.T) *host {
	h := &host{t: t}
	h.dev("lo", func(d *Device) { d.Loopback = true })
	return h
}

func (h *host) dev(name string, with ...func(*Device)) *host {
	d := Device{Ifindex: len(h.Devices) + 1, Name: name, AdminUp: true, Carrier: true, Oper: 6,
		MAC: [6]byte{2, 0, 0, 0, 0, byte(len(h.Devices) + 1)}}
	for _, f := range with {
		f(&d)
	}
	h.Devices = append(h.Devices, d)
	return h
}

func (h *host) index(name string) int {
	d := h.Named(name)
	if d == nil {
		h.t.Fatalf("no device %q yet", name)
	}
	return d.Ifindex
}

func (h *host) route(dev, via string) *host {
	r := Route{Family: flow.FamilyIPv4, Table: 254, Oif: h.index(dev)}
	if via != "" {
		r.Gateway = netip.MustParseAddr(via)
		if r.Gateway.Is6() {
			r.Family = flow.FamilyIPv6
		}
	}
	h.Routes = append(h.Routes, r)
	return h
}

func physical(d *Device) { d.Physical = true }
func down(d *Device)     { d.Carrier, d.Oper = false, 2 }

func kind(k string) func(*Device) { return func(d *Device) { d.Kind = k } }

// in enslaves a device to a master that exists already.
func (h *host) in(master string) func(*Device) {
	return func(d *Device) {
		m := h.Named(master)
		d.Master, d.PortKind = h.index(master), m.Kind
	}
}

func (h *host) on(parent string) func(*Device) {
	return func(d *Device) { d.Parent = h.index(parent) }
}

// bond adds a bond with physical members in this order of enslaving.
func (h *host) bond(name string, members ...string) *host {
	h.dev(name, kind(kindBond), func(d *Device) { d.Bond = &BondInfo{Mode: "802.3ad", Policy: "layer3+4", Slaves: members} })
	for _, m := range members {
		h.dev(m, physical, h.in(name))
	}
	return h
}

func TestChooseDefault(t *testing.T) {
	tests := []struct {
		name  string
		build func(h *host)
		want  []string // name, bond, why
	}{
		{"bond in order of enslaving", func(h *host) {
			h.bond("bond0", "eth1", "eth0").dev("eth2", physical).route("eth2", "10.0.0.1")
		}, []string{"eth1|bond0|member of bond0", "eth0|bond0|member of bond0"}},
		{"member down", func(h *host) {
			h.bond("bond0", "eth0", "eth1")
			down(h.Named("eth0"))
		}, []string{"eth1|bond0|member of bond0"}},
		{"the busiest bond first", func(h *host) {
			h.bond("bond0", "eth0", "eth1").bond("bond1", "eth2", "eth3")
			h.Named("eth0").Bytes, h.Named("eth1").Bytes = 300, 300 // 600
			h.Named("eth2").Bytes, h.Named("eth3").Bytes = 1, 601   // 602
		}, []string{"eth2|bond1|member of bond1", "eth3|bond1|member of bond1", "eth0|bond0|member of bond0", "eth1|bond0|member of bond0"}},
		{"team", func(h *host) {
			h.dev("team0", kind(kindTeam)).dev("p1", physical, h.in("team0")).dev("p2", physical, h.in("team0"))
		}, []string{"p1|team0|member of team0", "p2|team0|member of team0"}},
		{"bond of virtual NICs", func(h *host) {
			h.dev("bond0", kind(kindBond)).dev("v1", kind(kindVeth), h.in("bond0"))
		}, []string{"v1|bond0|member of bond0"}},
		{"bond all down: the default route decides", func(h *host) {
			h.bond("bond0", "eth0").dev("eth1", physical).route("eth1", "10.0.0.1")
			down(h.Named("eth0"))
		}, []string{"eth1||carries the default route"}},
		{"OVS with two physical ports", func(h *host) {
			h.dev("ovs-system", kind(kindOVS)).dev("br-ex", kind(kindOVS)).
				dev("eth0", physical, h.in("ovs-system")).dev("eth1", physical, h.in("ovs-system")).
				dev("tap0", kind("tun"), h.in("ovs-system")).route("br-ex", "10.0.0.1")
		}, []string{"eth0|ovs-system|physical port of ovs-system", "eth1|ovs-system|physical port of ovs-system"}},
		{"OVS with one physical port", func(h *host) {
			h.dev("ovs-system", kind(kindOVS)).dev("br-ex", kind(kindOVS)).dev("eth9", physical).
				dev("eth0", physical, h.in("ovs-system")).dev("tap0", kind("tun"), h.in("ovs-system")).route("br-ex", "10.0.0.1")
		}, []string{"eth0||under the default route through br-ex"}},
		{"bridge over a bond", func(h *host) {
			h.dev("br0", kind("bridge")).bond("bond0", "eth0", "eth1").dev("vnet0", kind("tun"), h.in("br0")).route("br0", "10.0.0.1")
			h.in("br0")(h.Named("bond0"))
		}, []string{"eth0|bond0|member of bond0", "eth1|bond0|member of bond0"}},
		{"bridge over a VLAN over a NIC", func(h *host) {
			h.dev("eth0", physical).dev("eth1", physical).dev("br0", kind("bridge")).
				dev("eth0.7", kind("vlan"), h.on("eth0"), h.in("br0")).dev("vnet0", kind("tun"), h.in("br0")).route("br0", "10.0.0.1")
		}, []string{"eth0||under the default route through br0"}},
		{"default routes of both families, one NIC twice", func(h *host) {
			h.dev("eth0", physical).dev("eth1", physical).dev("eth2", physical).
				route("eth1", "10.0.0.1").route("eth1", "fe80::1").route("eth0", "fe80::2")
		}, []string{"eth1||carries the default route", "eth0||carries the default route"}},
		{"no route: hardware that is up", func(h *host) {
			h.dev("eth0", physical, down).dev("eth1", physical).dev("docker0", kind("bridge"))
		}, []string{"eth1||physical and up"}},
		{"default route over a tunnel: hardware that is up", func(h *host) {
			h.dev("eth0", physical).dev("wg0", kind("wireguard")).route("wg0", "")
		}, []string{"eth0||physical and up"}},
		{"container", func(h *host) {
			h.dev("eth0", kind(kindVeth)).dev("eth1", kind(kindVeth), down).route("eth0", "172.17.0.1")
		}, []string{"eth0||up"}},
		{"namespace with a bridge over its NICs counts nothing twice", func(h *host) {
			h.dev("br0", kind("bridge")).dev("v0", kind(kindVeth), h.in("br0")).dev("v1", kind(kindVeth), h.in("br0")).
				dev("v2", kind(kindVeth)).dev("v2.5", kind("vlan"), h.on("v2"))
		}, []string{"v0||up", "v1||up", "v2||up"}},
		{"both ends of a veth pair in one namespace", func(h *host) {
			h.dev("a0", kind(kindVeth)).dev("b0", kind(kindVeth), h.on("a0"))
		}, []string{"a0||up", "b0||up"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			tt.build(h)
			got, err := Choose(&h.State, nil)
			if err != nil {
				t.Fatal(err)
			}
			var text []string
			for _, c := range got {
				text = append(text, c.Name+"|"+c.Bond+"|"+c.Why)
				if c.Ifindex != h.index(c.Name) {
					t.Errorf("%s: ifindex %d, want %d", c.Name, c.Ifindex, h.index(c.Name))
				}
				if c.Follow != (c.Rule == RuleBond) {
					t.Errorf("%s: follow %v by rule %d", c.Name, c.Follow, c.Rule)
				}
			}
			if diff := cmp.Diff(tt.want, text); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestChooseGiven(t *testing.T) {
	h := newHost(t)
	h.bond("bond0", "eth1", "eth0").dev("eth2", physical, down, func(d *Device) { d.AltNames = []string{"enp5s0"} }).dev("bond1", kind(kindBond))
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"one", []string{"eth2"}, []string{"eth2||given"}},
		{"down and lo all the same", []string{"lo", "eth2"}, []string{"lo||given", "eth2||given"}},
		{"a bond is its members", []string{"bond0"}, []string{"eth1|bond0|member of bond0, given follow", "eth0|bond0|member of bond0, given follow"}},
		{"twice", []string{"eth2", "eth2"}, []string{"eth2||given"}},
		{"a member, then its bond", []string{"eth0", "bond0"}, []string{"eth0|bond0|given follow", "eth1|bond0|member of bond0, given follow"}},
		{"a bond, then its member", []string{"bond0", "eth0"}, []string{"eth1|bond0|member of bond0, given follow", "eth0|bond0|member of bond0, given follow"}},
		{"a member alone is not followed by others", []string{"eth0"}, []string{"eth0|bond0|given"}},
		{"alternative name", []string{"enp5s0"}, []string{"eth2||given"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Choose(&h.State, tt.args)
			if err != nil {
				t.Fatal(err)
			}
			var text []string
			for _, c := range got {
				s := c.Name + "|" + c.Bond + "|" + c.Why
				if c.Follow {
					s += " follow"
				}
				text = append(text, s)
			}
			if diff := cmp.Diff(tt.want, text); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestChooseErrors(t *testing.T) {
	bare := newHost(t)
	down(&bare.Devices[0])
	full := newHost(t).bond("bond0", "eth0", "eth1").dev("bond1", kind(kindBond), down).dev("evil\x1b[2J", physical)
	tests := []struct {
		name       string
		state      *State
		args       []string
		is         error
		text, hint string
	}{
		{"unknown, near", &full.State, []string{"eht0"}, ErrNoDevice,
			"nic eht0: no such device", `did you mean eth0? there is lo, bond0, eth0, eth1, bond1 (down), "evil\x1b[2J"`},
		{"unknown, far", &full.State, []string{"wlan0"}, ErrNoDevice, "nic wlan0: no such device", "there is lo, bond0,"},
		{"capitals", &full.State, []string{"Bond0"}, ErrNoDevice, "nic Bond0: no such device", "did you mean bond0?"},
		{"the second of two", &full.State, []string{"eth0", "eth5"}, ErrNoDevice, "nic eth5: no such device", "did you mean eth0?"},
		{"control characters", &full.State, []string{"\x1b]0;x\a"}, ErrNoDevice, `nic "\x1b]0;x\a": no such device`, "there is lo"},
		{"empty", &full.State, []string{""}, ErrNoDevice, `nic "": no such device`, "there is lo"},
		{"very long", &full.State, []string{strings.Repeat("x", 5000)}, ErrNoDevice, `nic "` + strings.Repeat("x", 64) + `"...: no such device`, "there is lo"},
		{"bond without members", &full.State, []string{"bond1"}, ErrNoMember, "nic bond1: has no members", "there is lo"},
		{"nothing up", &bare.State, nil, ErrNoNIC, "nics: none to capture", "there is lo (down)"},
		{"nothing at all", &State{}, nil, ErrNoNIC, "nics: none to capture", "there is no network device at all"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Choose(tt.state, tt.args)
			var ce *ChoiceError
			if !errors.As(err, &ce) || !errors.Is(err, tt.is) {
				t.Fatalf("got %v, %v; want a ChoiceError for %v", got, err, tt.is)
			}
			if ce.Error() != tt.text {
				t.Errorf("error %q, want %q", ce.Error(), tt.text)
			}
			if !strings.HasPrefix(ce.Hint, tt.hint) {
				t.Errorf("hint %q, want %q...", ce.Hint, tt.hint)
			}
		})
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"eth0", "eth0", 0}, {"eth0", "eth1", 1}, {"eht0", "eth0", 1}, {"eth", "eth0", 1}, {"eth00", "eth0", 1},
		{"", "abc", 3}, {"abc", "", 3}, {"bond0", "team0", 4}, // b→t, o→e, n→a, d→m
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// A loop of masters and parents, which no kernel makes, ends.
func TestUnderLoop(t *testing.T) {
	h := newHost(t).dev("a", kind("vlan")).dev("b", kind("bridge"))
	h.Named("a").Parent, h.Named("b").Master = h.index("b"), h.index("a")
	if got := len(h.under(h.Named("a"))); got != 2 {
		t.Errorf("%d devices, want 2", got)
	}
}

func TestAbove(t *testing.T) {
	h := newHost(t).dev("br0", kind("bridge")).bond("bond0", "eth0", "eth1")
	h.in("br0")(h.Named("bond0"))
	h.dev("br0.5", kind("vlan"), h.on("br0")).dev("tap0", kind("tun"), h.in("br0"))
	var names []string
	for _, d := range h.above(h.index("eth0")) {
		names = append(names, d.Name)
	}
	if diff := cmp.Diff([]string{"br0", "bond0", "br0.5"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
