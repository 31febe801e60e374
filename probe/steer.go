package probe

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"spiketop/flow"
)

// Numbers of the check of what the transmit hash promised.
const (
	wrongRow = 5 // echoes in a row by another member, then another id is tried
	// triesOf ids are tried for each usable member. Where the hash is not what we
	// think but looks at the id all the same, one of n ids is right by chance: 12
	// tries miss with two members in 1 of 4000 cases.
	triesOf = 6
	// settle is how long after a change of the bond no echo speaks against an id:
	// the kernel sends the new way a moment before or after we know of it.
	settle = 500 * time.Millisecond
)

// Way is what decides by which member of a bond echoes to one host leave. It is
// a value and is not changed after it was given away.
type Way struct {
	Bond    *flow.Bond // nil: there is nothing to choose
	Members []WayMember
	Kernel  flow.Kernel
	Source  netip.Addr // that the kernel takes for the host
	Addr    netip.Addr // of the host
	Why     string     // why it cannot be steered beside what the bond itself says, or ""
}

// WayMember is a member of the bond that is captured: only there can one see
// whether an echo took it.
type WayMember struct {
	Link flow.LinkID
	Name string
}

// Steering keeps the pings of one host on the members of a bond: one [Lane] for
// each, with an echo id that the bond's transmit hash sends there. What it
// predicts is checked against the members on which the echoes were seen; where
// that contradicts, other ids are tried, and in the end it says that it cannot
// steer. Its methods belong to one goroutine; it reads no clock. The zero value
// has one lane that is not steered.
type Steering struct {
	way     Way
	key     string // of what the hash looks at
	lanes   []*Lane
	next    int
	why     string
	settled flow.Time
}

// Lanes returns what is to be pinged, at least one lane. A lane stays the same
// pointer as long as it is there.
func (s *Steering) Lanes() []*Lane {
	if len(s.lanes) == 0 {
		s.add(WayMember{})
	}
	return s.lanes
}

// Why says why the host has one ping only though a bond leads to it, in words
// that follow "cannot steer:"; "" if it is steered, or nothing is to be chosen.
func (s *Steering) Why() string { return s.why }

func (s *Steering) add(m WayMember) *Lane {
	l := &Lane{Number: s.next, Link: m.Link, Name: m.Name}
	s.next++
	s.lanes = append(s.lanes, l)
	return l
}

// Set takes the way as it is now and returns the lanes whose series must begin
// anew, at once: what they send under their present id leaves by another member
// now, or they pause, or go on. They are among Lanes.
func (s *Steering) Set(w Way, now flow.Time) (anew []*Lane) {
	key := w.key()
	changed := key != s.key
	s.way, s.key = w, key
	if changed {
		s.settled = now.Add(settle)
		s.why = w.cannot()
		for _, l := range s.lanes {
			l.wrong, l.bad = 0, nil
		}
	}
	if w.Bond == nil || s.why != "" {
		return s.single()
	}
	s.assign()
	return s.steer(changed)
}

// key is everything that the choice of a member depends on.
func (w *Way) key() string {
	if w.Bond == nil {
		return w.Why
	}
	var b strings.Builder
	fmt.Fprintln(&b, w.Bond.Name, w.Bond.Mode, w.Bond.Policy, w.Bond.OrderUnknown, w.Kernel, w.Source, w.Addr, w.Why, w.Members)
	for _, m := range w.Bond.Usable() {
		fmt.Fprintln(&b, m.Name, m.QueueID)
	}
	return b.String()
}

// cannot says what is known to stand against steering.
func (w *Way) cannot() string {
	switch {
	case w.Why != "":
		return w.Why
	case w.Bond == nil:
		return ""
	}
	if why := w.Bond.CannotSteer(w.Kernel); why != "" {
		return why
	}
	switch {
	case !w.Source.IsValid():
		return "the source address is not known"
	case !w.Addr.IsValid():
		return "the host's address is not known"
	case len(w.Members) == 0:
		return "no member is captured"
	}
	return ""
}

// single leaves one lane, without a wish.
func (s *Steering) single() []*Lane {
	l := s.Lanes()[0]
	s.lanes = s.lanes[:1:1]
	was := l.Paused
	l.Paused, l.Link, l.Name = "", 0, ""
	l.aim.Store(nil)
	if was != "" {
		return []*Lane{l}
	}
	return nil
}

// assign gives each member that carries data, or has done so, a lane. The first
// lane, which was there before, takes the first of them.
func (s *Steering) assign() {
	s.Lanes()
	for _, m := range s.way.Members {
		if l := s.laneOf(m.Link); l != nil {
			l.Name = m.Name
			continue
		}
		switch first := s.lanes[0]; {
		case !s.way.Bond.Carries(m.Name):
		case first.Link == 0:
			first.Link, first.Name = m.Link, m.Name
		default:
			s.add(m)
		}
	}
}

func (s *Steering) laneOf(link flow.LinkID) *Lane {
	if i := slices.IndexFunc(s.lanes, func(l *Lane) bool { return l.Link == link }); i >= 0 {
		return s.lanes[i]
	}
	return nil
}

// steer gives every lane its aim. A lane whose member carries nothing pauses,
// unless all would: then it must be seen that nothing is answered.
func (s *Steering) steer(changed bool) (anew []*Lane) {
	some := slices.ContainsFunc(s.lanes, func(l *Lane) bool { return s.carries(l) })
	for _, l := range s.lanes {
		was := l.Paused
		l.Paused = ""
		if !s.carries(l) {
			l.aim.Store(nil)
			if some {
				l.Paused = "not in use now"
			}
		} else if changed || l.aim.Load() == nil {
			l.aim.Store(&aim{way: s.way, member: l.Name})
		}
		if was != l.Paused || l.Paused == "" && s.carries(l) && l.stale() {
			anew = append(anew, l)
		}
	}
	return anew
}

// carries reports whether a lane's member is one of the bond and sends.
func (s *Steering) carries(l *Lane) bool {
	in := slices.ContainsFunc(s.way.Members, func(m WayMember) bool { return m.Link == l.Link })
	return in && s.way.Bond.Carries(l.Name)
}

// Saw takes what became known of an echo of lane l. It returns the lanes whose
// series must begin anew because their ids do not lead where they should; after
// it, Lanes may be fewer and Why not empty.
func (s *Steering) Saw(l *Lane, m *Sample) (anew []*Lane) {
	if m.Member == 0 || m.N <= l.seen || uint32(m.ID) != l.id.Load() || m.Sent < s.settled || l.aim.Load() == nil {
		return nil
	}
	l.seen = m.N
	if m.Member == l.Link {
		l.wrong = 0
		return nil
	}
	if l.stale() { // it was chosen while the bond changed
		return []*Lane{l}
	}
	if l.wrong++; l.wrong < wrongRow {
		return nil
	}
	l.wrong = 0
	l.bad = append(l.bad, m.ID)
	if len(l.bad) >= triesOf*len(s.way.Bond.Usable()) {
		s.why = fmt.Sprintf("echoes leave by %s whatever the id (%d tried for %s)", s.nameOf(m.Member), len(l.bad), l.Name)
		return s.single()
	}
	l.aim.Store(&aim{way: s.way, member: l.Name, bad: slices.Clone(l.bad)})
	return []*Lane{l}
}

func (s *Steering) nameOf(link flow.LinkID) string {
	for _, m := range s.way.Members {
		if m.Link == link {
			return m.Name
		}
	}
	return "another NIC"
}
