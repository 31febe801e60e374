package link

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// A timeline: from look to look the host is changed, and what the tracker says
// is written down as lines.
type timeline struct {
	h       *host
	tracker *tracker
}

func startTimeline(t *testing.T, h *host, args ...string) *timeline {
	t.Helper()
	c, err := Choose(&h.State, args)
	if err != nil {
		t.Fatal(err)
	}
	return &timeline{h: h, tracker: newTracker(h.copy(), c)}
}

// copy returns the host as it is now, as another look would.
func (h *host) copy() *State {
	s := State{OwnSysfs: true}
	for _, d := range h.Devices {
		if d.Name != "" {
			if d.Bond != nil {
				b := *d.Bond
				d.Bond = &b
			}
			if d.Port != nil {
				p := *d.Port
				d.Port = &p
			}
			s.Devices = append(s.Devices, d)
		}
	}
	return &s
}

// remove deletes a device; its number is not given again.
func (h *host) remove(name string) { h.Named(name).Name = "" }

func (tl *timeline) look() (lines []string) {
	added, reopen, changes := tl.tracker.look(tl.h.copy())
	for _, c := range changes {
		lines = append(lines, fmt.Sprintf("#%d %s %s: %q -> %q", c.Link, c.Name, c.Change, c.Was, c.Now))
	}
	for _, id := range added {
		lines = append(lines, fmt.Sprintf("#%d added", id))
	}
	for _, id := range reopen {
		lines = append(lines, fmt.Sprintf("#%d reopen", id))
	}
	return lines
}

func (tl *timeline) links() (lines []string) {
	for _, l := range tl.tracker.snapshot() {
		lines = append(lines, fmt.Sprintf("#%d %s if%d [%s] %s epoch %d %d bit/s %s", l.ID, l.Name, l.Ifindex, l.Bond, l.State, l.Epoch, l.SpeedBps, l.Note))
	}
	return lines
}

func TestTrack(t *testing.T) {
	type step struct {
		name   string
		change func(h *host)
		want   []string // what is told
		links  []string // how the links stand after it; nil = not asked
	}
	bond := func(h *host) {
		h.bond("bond0", "eth0", "eth1")
		for _, n := range []string{"eth0", "eth1"} {
			h.Named(n).Port = &PortInfo{State: "active", MII: "up", Aggregator: 1, Actor: 63, Partner: 63}
			h.Named(n).SpeedBps = 10e9
			h.Named(n).PermMAC = h.Named(n).MAC
		}
		h.Named("bond0").Bond.Aggregator = 1
	}
	tests := []struct {
		name  string
		build func(h *host)
		args  []string
		steps []step
	}{
		{"nothing", bond, nil, []step{{"the same again", func(h *host) {}, nil,
			[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [bond0] up epoch 0 10000000000 bit/s "}}}},
		{"down and up", bond, nil, []step{
			{"carrier lost", func(h *host) { down(h.Named("eth1")); h.Named("eth1").SpeedBps = 0 }, []string{`#2 eth1 down: "up" -> "down"`},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [bond0] down epoch 0 0 bit/s "}},
			{"back, slower", func(h *host) { d := h.Named("eth1"); d.Carrier, d.Oper, d.SpeedBps = true, 6, 1e9 },
				[]string{`#2 eth1 up: "down" -> "up"`, `#2 eth1 speed: "10000000000" -> "1000000000"`},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [bond0] up epoch 1 1000000000 bit/s "}},
			{"administratively down", func(h *host) { h.Named("eth1").AdminUp = false }, []string{`#2 eth1 down: "up" -> "down"`}, nil},
		}},
		{"renamed", bond, nil, []step{
			{"", func(h *host) { h.Named("eth1").Name = "lan9" }, []string{`#2 lan9 renamed: "eth1" -> "lan9"`},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 lan9 if4 [bond0] up epoch 0 10000000000 bit/s renamed from eth1"}},
			{"names exchanged", func(h *host) { a, b := h.Named("eth0"), h.Named("lan9"); a.Name, b.Name = b.Name, a.Name },
				[]string{`#1 lan9 renamed: "eth0" -> "lan9"`, `#2 eth0 renamed: "lan9" -> "eth0"`}, nil},
		}},
		{"the bond renamed is no leaving", bond, nil, []step{
			{"", func(h *host) { h.Named("bond0").Name = "bond7" }, nil,
				[]string{"#1 eth0 if3 [bond7] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [bond7] up epoch 0 10000000000 bit/s "}},
		}},
		{"left and joined", bond, nil, []step{
			{"", func(h *host) { d := h.Named("eth1"); d.Master, d.Port, d.PortKind = 0, nil, "" }, []string{`#2 eth1 left: "bond0" -> ""`},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [] up epoch 0 10000000000 bit/s left bond0"}},
			{"", func(h *host) { h.in("bond0")(h.Named("eth1")) }, []string{`#2 eth1 joined: "" -> "bond0"`},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [bond0] up epoch 0 10000000000 bit/s "}},
		}},
		{"a new member", bond, nil, []step{
			{"still down", func(h *host) { h.dev("eth2", physical, down, h.in("bond0")) }, nil, nil},
			{"up", func(h *host) { d := h.Named("eth2"); d.Carrier, d.Oper = true, 6 }, []string{`#3 eth2 joined: "" -> "bond0"`, "#3 added"},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [bond0] up epoch 0 10000000000 bit/s ", "#3 eth2 if5 [bond0] up epoch 0 0 bit/s "}},
			{"once", func(h *host) {}, nil, nil},
		}},
		{"given NICs are not joined by others", bond, []string{"eth0"}, []step{
			{"", func(h *host) { h.dev("eth2", physical, h.in("bond0")) }, nil, []string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s "}},
		}},
		{"the bond made anew", bond, nil, []step{
			{"taken down", func(h *host) {
				h.remove("bond0")
				for _, n := range []string{"eth0", "eth1"} {
					h.Named(n).Master, h.Named(n).Port = 0, nil
				}
			}, []string{`#1 eth0 left: "bond0" -> ""`, `#2 eth1 left: "bond0" -> ""`}, nil},
			{"with a third", func(h *host) {
				h.dev("bond0", kind(kindBond)).dev("eth2", physical, h.in("bond0"))
				h.in("bond0")(h.Named("eth0"))
			}, []string{`#1 eth0 joined: "" -> "bond0"`, `#3 eth2 joined: "" -> "bond0"`, "#3 added"}, nil},
		}},
		{"gone and back under its name", bond, nil, []step{
			{"gone", func(h *host) { h.remove("eth1") }, []string{`#2 eth1 down: "up" -> "gone"`},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [bond0] gone epoch 0 0 bit/s "}},
			{"still gone", func(h *host) {}, nil, nil},
			{"back, another number", func(h *host) { h.dev("eth1", physical, h.in("bond0")) }, []string{`#2 eth1 up: "gone" -> "up"`, "#2 reopen"},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if5 [bond0] up epoch 1 0 bit/s "}},
		}},
		{"gone and back between two looks", bond, nil, []step{
			{"", func(h *host) { h.remove("eth1"); h.dev("eth1", physical, h.in("bond0")) },
				[]string{`#2 eth1 down: "up" -> "gone"`, `#2 eth1 up: "gone" -> "up"`, "#2 reopen"}, nil},
		}},
		{"gone and back under another name, by its own address", bond, nil, []step{
			{"", func(h *host) { h.remove("eth1") }, []string{`#2 eth1 down: "up" -> "gone"`}, nil},
			{"", func(h *host) {
				h.dev("ens9", physical, func(d *Device) { d.PermMAC = [6]byte{2, 0, 0, 0, 0, 4} })
			},
				[]string{`#2 ens9 renamed: "eth1" -> "ens9"`, `#2 ens9 left: "bond0" -> ""`, `#2 ens9 up: "gone" -> "up"`, "#2 reopen"},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 ens9 if5 [] up epoch 1 0 bit/s left bond0; renamed from eth1"}},
		}},
		{"two with that address: neither", bond, nil, []step{
			{"", func(h *host) {
				h.remove("eth1")
				twin := func(d *Device) { d.PermMAC = [6]byte{2, 0, 0, 0, 0, 4} }
				h.dev("ens8", physical, twin).dev("ens9", physical, twin)
			}, []string{`#2 eth1 down: "up" -> "gone"`}, nil},
		}},
		{"the bond's address is nobody's own", bond, nil, []step{
			{"", func(h *host) {
				h.remove("eth1")
				h.dev("ens9", physical, h.in("bond0"), down, func(d *Device) { d.MAC = [6]byte{2, 0, 0, 0, 0, 4} })
			}, []string{`#2 eth1 down: "up" -> "gone"`}, nil},
		}},
		{"its number given to another kind of device", bond, nil, []step{
			{"", func(h *host) {
				d := h.Named("eth1")
				*d = Device{Ifindex: d.Ifindex, Name: "tap0", Kind: "tun", AdminUp: true, Carrier: true}
			},
				[]string{`#2 eth1 down: "up" -> "gone"`}, nil},
		}},
		{"back, but down, then up", bond, nil, []step{
			{"", func(h *host) { h.remove("eth1"); h.dev("eth1", physical, down, h.in("bond0")) },
				[]string{`#2 eth1 down: "up" -> "gone"`, `#2 eth1 down: "gone" -> "down"`, "#2 reopen"}, nil},
			{"", func(h *host) { d := h.Named("eth1"); d.Carrier, d.Oper = true, 6 }, []string{`#2 eth1 up: "down" -> "up"`},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if5 [bond0] up epoch 2 0 bit/s "}},
		}},
		{"LACP", bond, nil, []step{
			{"the partner falls silent", func(h *host) { h.Named("eth1").Port.Partner = 7 },
				[]string{`#2 eth1 lacp: "aggregator 1 (active 1), actor 63, partner 63" -> "aggregator 1 (active 1), actor 63, partner 7"`},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [bond0] up epoch 0 10000000000 bit/s LACP partner not ready (7)"}},
			{"still ill, otherwise", func(h *host) { h.Named("eth1").Port.Partner = 15 }, nil, nil},
			{"well with slow timeout", func(h *host) { h.Named("eth1").Port.Partner = 61 },
				[]string{`#2 eth1 lacp: "aggregator 1 (active 1), actor 63, partner 15" -> "aggregator 1 (active 1), actor 63, partner 61"`}, nil},
			{"another aggregator", func(h *host) { p := h.Named("eth1").Port; p.Aggregator, p.State = 2, "backup" },
				[]string{`#2 eth1 lacp: "aggregator 1 (active 1), actor 63, partner 61" -> "aggregator 2 (active 1), actor 63, partner 61"`},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [bond0] up epoch 0 10000000000 bit/s in aggregator 2, bond0 uses 1"}},
			{"as the kernel shows a member wired to another switch", func(h *host) { p := h.Named("eth1").Port; p.Actor, p.Partner = 7, 15 },
				[]string{`#2 eth1 lacp: "aggregator 2 (active 1), actor 63, partner 61" -> "aggregator 2 (active 1), actor 7, partner 15"`},
				[]string{"#1 eth0 if3 [bond0] up epoch 0 10000000000 bit/s ", "#2 eth1 if4 [bond0] up epoch 0 10000000000 bit/s in aggregator 2, bond0 uses 1"}},
			{"well again, still apart", func(h *host) { p := h.Named("eth1").Port; p.Actor, p.Partner = 63, 61 },
				[]string{`#2 eth1 lacp: "aggregator 2 (active 1), actor 7, partner 15" -> "aggregator 2 (active 1), actor 63, partner 61"`}, nil},
			{"the bond changes to it", func(h *host) { h.Named("bond0").Bond.Aggregator = 2 },
				[]string{`#1 eth0 lacp: "aggregator 1 (active 1), actor 63, partner 63" -> "aggregator 1 (active 2), actor 63, partner 63"`,
					`#2 eth1 lacp: "aggregator 2 (active 1), actor 63, partner 61" -> "aggregator 2 (active 2), actor 63, partner 61"`}, nil},
			{"unknown is no news", func(h *host) { h.Named("eth0").Port.Actor = -1; h.Named("eth0").Port.Partner = -1 }, nil, nil},
		}},
		{"a member enslaved anew has no LACP for a moment", bond, nil, []step{
			{"", func(h *host) { *h.Named("eth1").Port = PortInfo{State: "backup", MII: "up", Actor: -1, Partner: -1} },
				[]string{`#2 eth1 lacp: "aggregator 1 (active 1), actor 63, partner 63" -> "aggregator 0 (active 1), actor -1, partner -1"`}, nil},
			{"", func(h *host) { *h.Named("eth1").Port = PortInfo{State: "backup", MII: "up", Aggregator: 3, Actor: 71} }, nil, nil},
			{"", func(h *host) {
				*h.Named("eth1").Port = PortInfo{State: "active", MII: "up", Aggregator: 1, Actor: 63, Partner: 63}
			},
				[]string{`#2 eth1 lacp: "aggregator 3 (active 1), actor 71, partner 0" -> "aggregator 1 (active 1), actor 63, partner 63"`}, nil},
		}},
		{"fail-over in active-backup", func(h *host) {
			bond(h)
			h.Named("bond0").Bond.Mode = "active-backup"
			h.Named("eth1").Port.State = "backup"
		}, nil, []step{
			{"", func(h *host) { h.Named("eth0").Port.State, h.Named("eth1").Port.State = "backup", "active" },
				[]string{`#1 eth0 role: "active" -> "backup"`, `#2 eth1 role: "backup" -> "active"`}, nil},
		}},
		{"speed unknown for one look", bond, nil, []step{
			{"", func(h *host) { h.Named("eth0").SpeedBps = 0 }, nil, nil},
			{"", func(h *host) { h.Named("eth0").SpeedBps = 10e9 }, nil, nil},
			{"", func(h *host) { h.Named("eth0").SpeedBps = 25e9 }, []string{`#1 eth0 speed: "10000000000" -> "25000000000"`}, nil},
		}},
		{"virtual NIC without operational state is up", func(h *host) { h.dev("v0", kind(kindVeth), func(d *Device) { d.Oper = 0 }) }, nil, []step{
			{"the other end down", func(h *host) { d := h.Named("v0"); d.Carrier, d.Oper = false, 3 }, []string{`#1 v0 down: "up" -> "down"`}, nil},
		}},
		{"chosen, but gone before the watch began", func(h *host) { h.dev("eth0", physical) }, []string{"eth0"}, []step{
			{"", func(h *host) { h.remove("eth0") }, []string{`#1 eth0 down: "up" -> "gone"`}, nil},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			tt.build(h)
			tl := startTimeline(t, h, tt.args...)
			for i, s := range tt.steps {
				s.change(h)
				if diff := cmp.Diff(s.want, tl.look()); diff != "" {
					t.Errorf("step %d %s: told (-want +got):\n%s", i+1, s.name, diff)
				}
				if s.links == nil {
					continue
				}
				if diff := cmp.Diff(s.links, tl.links()); diff != "" {
					t.Errorf("step %d %s: links (-want +got):\n%s", i+1, s.name, diff)
				}
			}
		})
	}
}

// Between Choose and NewWatcher a NIC may go.
func TestTrackChosenFromAnotherLook(t *testing.T) {
	h := newHost(t).dev("eth0", physical)
	tr := newTracker(h.copy(), []Choice{{Ifindex: 99, Name: "eth9"}})
	if got := tr.snapshot(); len(got) != 1 || got[0].State != flow.LinkDown || got[0].Name != "eth9" {
		t.Fatalf("%+v, want eth9 listed as down", got)
	}
	_, _, changes := tr.look(h.copy())
	want := []Change{{Link: 1, Name: "eth9", Change: "down", Was: "down", Now: "gone"}}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
