package link

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"spiketop/flow"
)

// Change is one thing that happened to a captured link: the body of the `link`
// event.
//
//	change    was, now
//	down, up  flow.LinkState words: "up", "down", "gone"
//	renamed   the old and the new name
//	left      the bond's name, ""
//	joined    "" (or the bond it was in before), the bond's name
//	speed     bit/s in decimal
//	lacp      "aggregator 1 (active 1), actor 63, partner 63"
//	role      "active", "backup": fail-over in modes other than 802.3ad
type Change struct {
	Link   flow.LinkID `json:"-"`
	Name   string      `json:"name"` // as it is called now
	Change string      `json:"change"`
	Was    string      `json:"was"`
	Now    string      `json:"now"`
}

// tracker follows the captured links from one State to the next. It is pure.
type tracker struct {
	links  []*tracked // in pane order; LinkIDs 1 upward
	follow []followed
}

// followed is a bond whose later members are captured too. It is known by its
// number while it lives and by its name when it is made anew.
type followed struct {
	ifindex int
	name    string
}

// tracked is a captured link and what must be remembered of it.
type tracked struct {
	flow.Link
	kind      string
	perm      [6]byte // its own address, not a bond's; zero = unknown
	firstName string
	master    int    // ifindex of the bond it is a member of, 0 = none
	left      string // the bond that it left, while it is in none
	speed     uint64 // the last that was known
	port      *PortInfo
	active    int // its bond's active aggregator
	mode      string
}

func newTracker(s *State, choices []Choice) *tracker {
	t := &tracker{}
	for _, c := range choices {
		d := s.Device(c.Ifindex)
		if d == nil {
			d = &Device{Ifindex: c.Ifindex, Name: c.Name} // chosen from another look: the next one says it is gone
		}
		t.add(s, d)
		if !c.Follow {
			continue
		}
		if m := s.aggregateOf(d); m != nil && !slices.Contains(t.follow, followed{m.Ifindex, m.Name}) {
			t.follow = append(t.follow, followed{m.Ifindex, m.Name})
		}
	}
	return t
}

// add lists d as a new link.
func (t *tracker) add(s *State, d *Device) *tracked {
	l := &tracked{Link: flow.Link{ID: flow.LinkID(len(t.links) + 1), Name: d.Name}, firstName: d.Name}
	l.adopt(d)
	l.refresh(s, d, nil)
	t.links = append(t.links, l)
	return l
}

// adopt makes d the device of l.
func (l *tracked) adopt(d *Device) {
	l.Ifindex, l.kind, l.perm = d.Ifindex, d.Kind, d.ownMAC()
}

// ownMAC returns the address that stays with a device: a bond's member wears the
// bond's.
func (d *Device) ownMAC() [6]byte {
	if d.PermMAC != ([6]byte{}) || d.PortKind == kindBond || d.PortKind == kindTeam {
		return d.PermMAC
	}
	return d.MAC
}

// look takes the next State and returns what changed: links to be read for the
// first time, links to be reopened, events. now of every link is in t.links.
func (t *tracker) look(s *State) (added, reopen []flow.LinkID, changes []Change) {
	note := func(l *tracked, change, was, now string) {
		changes = append(changes, Change{Link: l.ID, Name: l.Name, Change: change, Was: was, Now: now})
	}
	claimed := map[int]bool{}
	var missing []*tracked
	for _, l := range t.links {
		// Numbers are given again, though rarely: one that stands for another kind of device is not ours.
		if d := s.Device(l.Ifindex); l.State != flow.LinkGone && d != nil && d.Kind == l.kind {
			claimed[d.Ifindex] = true
			l.refresh(s, d, note)
		} else {
			missing = append(missing, l)
		}
	}
	for _, l := range missing {
		l.vanish(note)
	}
	for _, l := range missing {
		d := t.successor(s, l, claimed)
		if d == nil {
			continue
		}
		claimed[d.Ifindex] = true
		l.adopt(d)
		l.refresh(s, d, note)
		reopen = append(reopen, l.ID)
	}
	for _, d := range t.newMembers(s, claimed) {
		l := t.add(s, d)
		added = append(added, l.ID)
		note(l, "joined", "", l.Bond)
	}
	return added, reopen, changes
}

// vanish marks l as gone.
func (l *tracked) vanish(note func(l *tracked, change, was, now string)) {
	if l.State == flow.LinkGone {
		return
	}
	was := l.State
	l.State, l.SpeedBps, l.port = flow.LinkGone, 0, nil
	note(l, "down", was.String(), l.State.String())
}

// successor finds the new device that takes the place of l, which is gone: the
// one of the same name, or else the only one of the same kind with the same own
// address.
func (t *tracker) successor(s *State, l *tracked, claimed map[int]bool) *Device {
	var same []*Device
	for i := range s.Devices {
		d := &s.Devices[i]
		if claimed[d.Ifindex] {
			continue
		}
		if d.Name == l.Name {
			return d
		}
		if l.perm != ([6]byte{}) && d.Kind == l.kind && d.ownMAC() == l.perm {
			same = append(same, d)
		}
	}
	if len(same) == 1 {
		return same[0]
	}
	return nil
}

// newMembers returns the members of followed bonds that are up and not captured
// yet, in order of enslaving.
func (t *tracker) newMembers(s *State, claimed map[int]bool) (list []*Device) {
	for i := range t.follow {
		f := &t.follow[i]
		m := s.Device(f.ifindex)
		if m == nil || !s.aggregates(m) {
			if m = s.Named(f.name); m == nil || !s.aggregates(m) {
				continue
			}
		}
		*f = followed{m.Ifindex, m.Name}
		for _, d := range s.enslaved(m) {
			if d.Up() && !claimed[d.Ifindex] {
				claimed[d.Ifindex] = true
				list = append(list, d)
			}
		}
	}
	return list
}

// refresh takes over what d, the device of l, looks like now. note is nil when
// there is nothing to compare with.
func (l *tracked) refresh(s *State, d *Device, note func(l *tracked, change, was, now string)) {
	if note == nil {
		note = func(*tracked, string, string, string) {}
	}
	if was := l.Name; was != d.Name {
		l.Name = d.Name
		note(l, "renamed", was, d.Name)
	}
	l.MAC, l.Physical = d.MAC, d.Physical || (l.Physical && !s.OwnSysfs)
	if own := d.ownMAC(); own != ([6]byte{}) {
		l.perm = own
	}
	l.refreshBond(s, d, note)
	l.refreshState(d, note)
	l.refreshSpeed(d, note)
	l.refreshPort(s, d, note)
	l.Note = l.why()
}

func (l *tracked) refreshBond(s *State, d *Device, note func(l *tracked, change, was, now string)) {
	master, name := 0, ""
	if m := s.aggregateOf(d); m != nil {
		master, name = m.Ifindex, m.Name
	}
	was := l.Bond
	switch {
	case master == l.master: // the bond itself may have been renamed
	case master == 0:
		l.left = was
		note(l, "left", was, "")
	default:
		l.left = ""
		if was != name { // else the bond was made anew between two looks
			note(l, "joined", was, name)
		}
	}
	l.master, l.Bond = master, name
}

func (l *tracked) refreshState(d *Device, note func(l *tracked, change, was, now string)) {
	was, now := l.State, flow.LinkDown
	if d.Up() {
		now = flow.LinkUp
	}
	l.State = now
	if was == now {
		return
	}
	if now == flow.LinkUp || was == flow.LinkGone {
		l.Epoch++
	}
	change := "down"
	if now == flow.LinkUp {
		change = "up"
	}
	note(l, change, was.String(), now.String())
}

// refreshSpeed compares only speeds that are known while the link is up: a link
// without carrier has none.
func (l *tracked) refreshSpeed(d *Device, note func(l *tracked, change, was, now string)) {
	l.SpeedBps = 0
	if l.State != flow.LinkUp {
		return
	}
	l.SpeedBps = d.SpeedBps
	if d.SpeedBps == 0 {
		return
	}
	if was := l.speed; was != 0 && was != d.SpeedBps {
		note(l, "speed", strconv.FormatUint(was, 10), strconv.FormatUint(d.SpeedBps, 10))
	}
	l.speed = d.SpeedBps
}

// refreshPort compares how the bond sees its member. LACP bits pass through many
// values while a port negotiates; a change is told if the aggregator, the
// question whether it is the active one, or the health of either end changes.
func (l *tracked) refreshPort(s *State, d *Device, note func(l *tracked, change, was, now string)) {
	was, wasActive := l.port, l.active
	l.port, l.active, l.mode = d.Port, 0, ""
	if m := s.Device(l.master); m != nil && m.Bond != nil {
		l.active, l.mode = m.Bond.Aggregator, m.Bond.Mode
	}
	if was == nil || d.Port == nil {
		return
	}
	if l.mode != flow.Mode8023AD {
		if was.State != d.Port.State && was.State != "" && d.Port.State != "" {
			note(l, "role", was.State, d.Port.State)
		}
		return
	}
	if was.negotiated() && lacpOf(was, wasActive) != lacpOf(d.Port, l.active) {
		note(l, "lacp", was.lacp(wasActive), d.Port.lacp(l.active))
	}
}

// why says what is not simply fine with l, or "".
func (l *tracked) why() string {
	var notes []string
	if l.left != "" {
		notes = append(notes, "left "+l.left)
	}
	if l.Name != l.firstName {
		notes = append(notes, "renamed from "+l.firstName)
	}
	if l.port != nil && l.mode == flow.Mode8023AD && l.State == flow.LinkUp {
		if n := l.lacpTrouble(); n != "" {
			notes = append(notes, n)
		}
	}
	return strings.Join(notes, "; ")
}

// snapshot returns copies of the links, in pane order.
func (t *tracker) snapshot() []flow.Link {
	list := make([]flow.Link, len(t.links))
	for i, l := range t.links {
		list[i] = l.Link
	}
	slices.SortStableFunc(list, func(a, b flow.Link) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// interesting reports whether d must be looked up in sysfs: a captured link, a
// bond, a member of one, hardware in an Open vSwitch.
func (t *tracker) interesting() func(*Device) bool {
	captured := map[int]bool{}
	names := map[string]bool{}
	for _, l := range t.links {
		captured[l.Ifindex], names[l.Name] = true, true
	}
	return func(d *Device) bool {
		switch {
		case captured[d.Ifindex], names[d.Name], d.Kind == kindBond, d.PortKind == kindBond, d.PortKind == kindTeam:
			return true
		}
		return d.PortKind == kindOVS && d.Kind == ""
	}
}
