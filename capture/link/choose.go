package link

import (
	"cmp"
	"errors"
	"slices"
)

// Rule says why a NIC is captured.
type Rule uint8

const (
	_            Rule = iota
	RuleGiven         // named by the user
	RuleBond          // member of a bond, team or OVS datapath
	RuleRoute         // lowest hardware under a default route
	RulePhysical      // hardware that is up
	RuleUp            // whatever is up, except lo
)

// Choice is one NIC to capture.
type Choice struct {
	Ifindex int
	Name    string
	Bond    string // name of the bond, team or OVS datapath it is a member of, or ""
	Rule    Rule
	Why     string // for people: "member of bond0", "under the default route through br0", "given"
	Follow  bool   // later members of Bond are to be captured too
}

// Reasons why Choose fails; ask with errors.Is.
var (
	ErrNoDevice = errors.New("no such device")
	ErrNoMember = errors.New("has no members")
	ErrNoNIC    = errors.New("none to capture")
)

// Choose picks the NICs to capture, in pane order.
//
// With names given, each must exist; a bond means all its members, up or not;
// nothing is taken twice. Without: the members of every bond or team (and the
// physical ports of an OVS datapath that has several) that are up, the busiest
// bond first, members in order of enslaving; else the lowest physical devices
// under whatever carries a default route; else all physical NICs that are up;
// else every NIC that is up except lo, without the bridges and VLANs above
// another one of them, so that nothing is counted twice.
//
// The error is a *[ChoiceError].
func Choose(state *State, args []string) ([]Choice, error) {
	if len(args) > 0 {
		return chooseGiven(state, args)
	}
	for _, rule := range []func(*State) []Choice{chooseMembers, chooseUnderRoute, choosePhysical, chooseUp} {
		if c := rule(state); len(c) > 0 {
			return c, nil
		}
	}
	return nil, &ChoiceError{Hint: "there is " + inventory(state), Err: ErrNoNIC}
}

func chooseGiven(s *State, args []string) ([]Choice, error) {
	var list []Choice
	for _, name := range args {
		d := s.Named(name)
		if d == nil {
			return nil, &ChoiceError{NIC: name, Hint: suggestion(s, name), Err: ErrNoDevice}
		}
		if !s.aggregates(d) {
			list = add(list, s.choice(d, RuleGiven, "given", false))
			continue
		}
		members := s.enslaved(d)
		if len(members) == 0 {
			return nil, &ChoiceError{NIC: name, Hint: "there is " + inventory(s), Err: ErrNoMember}
		}
		for _, m := range members {
			list = add(list, s.choice(m, RuleGiven, "member of "+d.Name+", given", true))
		}
	}
	return list, nil
}

// add appends c unless its device is already there; a bond given after one of
// its members makes that member's bond followed all the same.
func add(list []Choice, c Choice) []Choice {
	for i := range list {
		if list[i].Ifindex == c.Ifindex {
			list[i].Follow = list[i].Follow || c.Follow
			return list
		}
	}
	return append(list, c)
}

func (s *State) choice(d *Device, rule Rule, why string, follow bool) Choice {
	c := Choice{Ifindex: d.Ifindex, Name: d.Name, Rule: rule, Why: why, Follow: follow}
	if m := s.aggregateOf(d); m != nil {
		c.Bond = m.Name
	}
	return c
}

func chooseMembers(s *State) (list []Choice) {
	type group struct {
		master  *Device
		members []*Device
		bytes   uint64
	}
	var groups []group
	for i := range s.Devices {
		d := &s.Devices[i]
		if !s.aggregates(d) {
			continue
		}
		g := group{master: d, members: s.enslaved(d)}
		for _, m := range g.members {
			g.bytes += m.Bytes
		}
		groups = append(groups, g)
	}
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, g := range groups {
		what := "member of "
		if g.master.Kind == kindOVS {
			what = "physical port of "
		}
		for _, m := range g.members {
			if m.Up() {
				list = add(list, s.choice(m, RuleBond, what+g.master.Name, true))
			}
		}
	}
	return list
}

// enslaved returns the members of d in order of enslaving, as far as it is known.
func (s *State) enslaved(d *Device) []*Device {
	members := s.ports(d)
	d.inOrder(members)
	return members
}

func chooseUnderRoute(s *State) (list []Choice) {
	for _, r := range s.Routes {
		d := s.Device(r.Oif)
		if d == nil {
			continue
		}
		for _, l := range s.under(d) {
			if !l.Physical || slices.ContainsFunc(s.lowers(l), func(x *Device) bool { return x.Physical }) {
				continue
			}
			why := "carries the default route"
			if l != d {
				why = "under the default route through " + d.Name
			}
			list = add(list, s.choice(l, RuleRoute, why, false))
		}
	}
	return list
}

func choosePhysical(s *State) (list []Choice) {
	for i := range s.Devices {
		if d := &s.Devices[i]; d.Physical && d.Up() {
			list = add(list, s.choice(d, RulePhysical, "physical and up", false))
		}
	}
	return list
}

func chooseUp(s *State) (list []Choice) {
	candidate := func(d *Device) bool { return d.Up() && !d.Loopback }
	for i := range s.Devices {
		d := &s.Devices[i]
		if candidate(d) && !slices.ContainsFunc(s.lowers(d), candidate) {
			list = add(list, s.choice(d, RuleUp, "up", false))
		}
	}
	return list
}
