package link

import (
	"slices"

	"spiketop/flow"
)

// Bonds returns the bonds, teams and OVS datapaths with several physical ports
// (mode "ovs"), by ifindex, with their members in order of enslaving. In the
// bonds named in orderUnknown they stand by ifindex instead: sysfs, which alone
// knows the order, shows another namespace or lacks a member.
func (s *State) Bonds() (bonds []flow.Bond, orderUnknown []string) {
	for i := range s.Devices {
		d := &s.Devices[i]
		if !s.aggregates(d) {
			continue
		}
		members := s.ports(d)
		b := flow.Bond{}
		if d.Kind != kindOVS && !d.inOrder(members) {
			orderUnknown = append(orderUnknown, d.Name)
			b.OrderUnknown = true
		}
		d.describe(&b, members)
		bonds = append(bonds, b)
	}
	return bonds, orderUnknown
}

// describe fills b with what d says, whose members are given in their order.
func (d *Device) describe(b *flow.Bond, members []*Device) {
	b.Name = d.Name
	switch {
	case d.Kind == kindTeam:
		b.Mode = "team"
	case d.Kind == kindOVS:
		b.Mode = "ovs"
	case d.Bond != nil:
		b.Mode, b.Policy, b.Active = d.Bond.Mode, d.Bond.Policy, d.Bond.Aggregator
	}
	for _, m := range members {
		b.Members = append(b.Members, m.member())
	}
}

// member describes d as a member. A team or OVS port has no state but its link's.
func (d *Device) member() flow.Member {
	m := flow.Member{Name: d.Name, PartnerState: -1, ActorState: -1, Down: !d.Up(), SpeedBps: d.SpeedBps}
	if m.Down {
		m.SpeedBps = 0 // what a driver says of a link that is down is the last it had
	}
	if d.Port != nil {
		m.State, m.MII, m.Aggregator = d.Port.State, d.Port.MII, d.Port.Aggregator
		m.PartnerState, m.ActorState, m.QueueID = d.Port.Partner, d.Port.Actor, d.Port.QueueID
	}
	if m.MII == "" {
		m.MII = "down"
		if d.Up() {
			m.MII = "up"
		}
	}
	return m
}

// inOrder puts members into the order in which they were enslaved. It returns
// false, leaving them by ifindex, if that is not known of each of them.
func (d *Device) inOrder(members []*Device) bool {
	if len(members) < 2 {
		return true
	}
	if d.Bond == nil {
		return false
	}
	place := func(m *Device) int { return slices.Index(d.Bond.Slaves, m.Name) }
	for _, m := range members {
		if place(m) < 0 {
			return false
		}
	}
	slices.SortFunc(members, func(a, b *Device) int { return place(a) - place(b) })
	return true
}
