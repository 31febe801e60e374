package link

import "slices"

// Kinds of devices (IFLA_INFO_KIND) that matter to us.
const (
	kindBond = "bond"
	kindTeam = "team"
	kindOVS  = "openvswitch"
	kindVeth = "veth"
)

// aggregates reports whether d spreads its traffic over members: a bond, a team,
// or the datapath of an Open vSwitch with several physical ports (whether
// ovs-vswitchd bonds them is its own knowledge; that they are several is ours).
func (s *State) aggregates(d *Device) bool {
	switch d.Kind {
	case kindBond, kindTeam:
		return true
	case kindOVS:
		return len(s.ports(d)) > 1
	}
	return false
}

// ports returns the members of a bond or team, or the physical ports of an OVS
// datapath, by ifindex.
func (s *State) ports(master *Device) (list []*Device) {
	for i := range s.Devices {
		d := &s.Devices[i]
		if d.Master == master.Ifindex && (master.Kind != kindOVS || d.Physical) {
			list = append(list, d)
		}
	}
	return list
}

// aggregateOf returns the bond, team or OVS datapath that d is a member of, or
// nil.
func (s *State) aggregateOf(d *Device) *Device {
	if d.Master == 0 {
		return nil
	}
	m := s.Device(d.Master)
	if m == nil || !s.aggregates(m) || (m.Kind == kindOVS && !d.Physical) {
		return nil
	}
	return m
}

// lowers returns the devices directly under d: the ports of a master, the device
// that a VLAN or macvlan is stacked on, and under an Open vSwitch's internal
// port ("br-ex") every port of its datapath, for netlink does not show which of
// them its flows use.
func (s *State) lowers(d *Device) (list []*Device) {
	for i := range s.Devices {
		l := &s.Devices[i]
		switch {
		case l.Master == d.Ifindex:
		case l.Ifindex == d.Parent && d.stacked():
		case d.Kind == kindOVS && l.PortKind == kindOVS && l.Ifindex != d.Ifindex && l.Kind != kindOVS:
		default:
			continue
		}
		list = append(list, l)
	}
	return list
}

// stacked reports whether Parent lies under d; a veth's is its other end.
func (d *Device) stacked() bool {
	return d.Parent != 0 && d.Kind != "" && d.Kind != kindVeth && d.Kind != "netkit"
}

// under returns d and everything below it, each once.
func (s *State) under(d *Device) []*Device {
	list := []*Device{d}
	for i := 0; i < len(list); i++ {
		for _, l := range s.lowers(list[i]) {
			if !slices.Contains(list, l) {
				list = append(list, l)
			}
		}
	}
	return list
}

// above returns every device that has d below it, without d.
func (s *State) above(ifindex int) (list []*Device) {
	for i := range s.Devices {
		d := &s.Devices[i]
		if d.Ifindex == ifindex || len(s.lowers(d)) == 0 {
			continue
		}
		if slices.ContainsFunc(s.under(d), func(l *Device) bool { return l.Ifindex == ifindex }) {
			list = append(list, d)
		}
	}
	return list
}
