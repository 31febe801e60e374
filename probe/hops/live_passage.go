package hops

import (
	"cmp"
	"slices"
	"time"

	"spiketop/flow"
)

// Place is where on its way through this host an echo was seen, by the direction
// in which its request passed.
type Place uint8

// The places, in the order of the usual ways. A VM that pings the world is seen
// at FromGuest and Outgoing, one that is pinged at Incoming and ToGuest, and two
// VMs of this host at FromGuest and ToGuest.
const (
	FromGuest Place = iota // vif of the guest that asks
	Outgoing               // NICs by which the request left and the reply came
	Incoming               // NICs by which the request came and the reply left
	ToGuest                // vif of the guest that answers
	Places
)

// Spot is what was seen of an echo at one place. A bond may take the reply in by
// another NIC than the one that sent the request.
type Spot struct {
	Hop
	VIF                    int         // ifindex, 0 at a NIC
	RequestLink, ReplyLink flow.LinkID // 0 = not seen, or at a vif
	VLAN                   uint16
	Tunnel                 bool
}

// Seen reports whether anything was seen here.
func (s *Spot) Seen() bool { return s.HasRequest || s.HasReply }

// PassageState says what became of an echo of a VM.
type PassageState uint8

const (
	Waiting    PassageState = iota // no answer yet; Age says for how long
	Returned                       // the reply was seen where the request had been seen first
	Unanswered                     // no reply there for LiveConfig.LossAfter
	Unclear                        // something was missed: it is not to be judged
)

// Passage is one echo of a VM as this host saw it go by; all times are of this
// host's one clock.
type Passage struct {
	Key
	N          int64 // running number within its series, from 1; a few may be left out
	Occurrence int   // as in Echo, among those not forgotten yet
	State      PassageState
	Age        time.Duration // while Waiting: every source has been read so far
	Entry      Place         // where its request was seen first
	Usual      uint8         // bit mask of the places at which its series is seen as a rule
	Spots      [Places]Spot
}

// Sent is when its request was seen first.
func (p *Passage) Sent() flow.Time { return p.Spots[p.Entry].Request }

// RTT is the time from request to reply at the entry; false without a reply.
func (p *Passage) RTT() (time.Duration, bool) { return p.Spots[p.Entry].RTT() }

// Expects reports whether the series is seen at place as a rule.
func (p *Passage) Expects(place Place) bool { return p.Usual&(1<<place) != 0 }

// LegKind says what lies on a leg.
type LegKind uint8

const (
	LegUnknown LegKind = iota
	LegOutward         // a guest's vif to the NIC: virtual network, and the NIC's own queue
	LegInward          // NIC to a guest's vif: virtual network
	LegBetween         // vif to vif on this host: virtual network
	LegBeyond          // NIC out to NIC in: the physical network and whoever is behind it
	LegGuest           // through a guest: request delivered to reply leaving
	LegKinds
)

// Leg is one part of an echo's way, between two sights that followed one another.
type Leg struct {
	Kind LegKind
	From Step
	To   Step
}

// Step is one sight of a passage.
type Step struct {
	Place Place
	Reply bool
	At    flow.Time
}

// Took is how long a leg lasted, never below zero.
func (l *Leg) Took() time.Duration { return max(l.To.At.Sub(l.From.At), 0) }

// Steps returns the sights in order of time, requests before replies, in buf.
func (p *Passage) Steps(buf []Step) []Step {
	buf = buf[:0]
	for i := range p.Spots {
		if s := &p.Spots[i]; s.HasRequest {
			buf = append(buf, Step{Place(i), false, s.Request})
		}
	}
	n := len(buf)
	for i := int(Places) - 1; i >= 0; i-- {
		if s := &p.Spots[i]; s.HasReply {
			buf = append(buf, Step{Place(i), true, s.Reply})
		}
	}
	byTime := func(a, b Step) int { return cmp.Compare(a.At, b.At) }
	slices.SortStableFunc(buf[:n], byTime)
	slices.SortStableFunc(buf[n:], byTime)
	return buf
}

// Legs returns the parts of the way in order, in buf. Together they last from
// the first sight to the last.
func (p *Passage) Legs(buf []Leg) []Leg {
	var room [2 * Places]Step
	steps := p.Steps(room[:])
	buf = buf[:0]
	for i := 1; i < len(steps); i++ {
		buf = append(buf, Leg{kindOf(steps[i-1], steps[i]), steps[i-1], steps[i]})
	}
	return buf
}

// kindOf says what lies between two sights.
func kindOf(a, b Step) LegKind {
	type way struct {
		from  Place
		back  bool
		to    Place
		back2 bool
	}
	switch (way{a.Place, a.Reply, b.Place, b.Reply}) {
	case way{FromGuest, false, Outgoing, false}, way{ToGuest, true, Incoming, true}:
		return LegOutward
	case way{Incoming, false, ToGuest, false}, way{Outgoing, true, FromGuest, true}:
		return LegInward
	case way{FromGuest, false, ToGuest, false}, way{ToGuest, true, FromGuest, true}:
		return LegBetween
	case way{Outgoing, false, Outgoing, true}, way{Outgoing, false, Incoming, false}, way{Incoming, true, Outgoing, true}:
		return LegBeyond
	case way{ToGuest, false, ToGuest, true},
		way{ToGuest, false, Outgoing, false}, way{Outgoing, true, ToGuest, true}: // a guest that forwards
		return LegGuest
	}
	return LegUnknown
}

// After says what lies behind the last sight, where an echo that did not come
// back must have been lost.
func (p *Passage) After() (last Step, kind LegKind) {
	var room [2 * Places]Step
	steps := p.Steps(room[:])
	if len(steps) == 0 {
		return last, LegUnknown
	}
	last = steps[len(steps)-1]
	switch {
	case !last.Reply && last.Place == FromGuest && p.Expects(Outgoing):
		return last, LegOutward
	case !last.Reply && last.Place == FromGuest && p.Expects(ToGuest), last.Reply && last.Place == ToGuest && p.Entry == FromGuest && !p.Expects(Outgoing):
		return last, LegBetween
	case last.Reply && last.Place == ToGuest && p.Expects(Incoming):
		return last, LegOutward
	case !last.Reply && last.Place == Outgoing, last.Reply && last.Place == Incoming:
		return last, LegBeyond
	case !last.Reply && last.Place == Incoming && p.Expects(ToGuest), last.Reply && last.Place == Outgoing:
		return last, LegInward
	case !last.Reply && last.Place == ToGuest:
		return last, LegGuest
	}
	return last, LegUnknown
}

// Echo is the passage as an echo across points, and which place each point is.
func (p *Passage) Echo() (e Echo, places []Place) {
	for i := range p.Spots {
		if p.Spots[i].Seen() {
			places = append(places, Place(i))
		}
	}
	first, end := p.Sent(), p.Sent()
	for _, pl := range places {
		end = max(end, p.Spots[pl].Reply)
	}
	order := func(pl Place) flow.Time { // a reply alone: as far from the end as a request from the begin
		if s := &p.Spots[pl]; !s.HasRequest {
			return first.Add(end.Sub(s.Reply))
		}
		return p.Spots[pl].Request
	}
	slices.SortStableFunc(places, func(a, b Place) int { return cmp.Compare(order(a), order(b)) })
	e = Echo{Key: p.Key, Occurrence: p.Occurrence, Hops: make([]Hop, len(places))}
	for i, pl := range places {
		e.Hops[i] = p.Spots[pl].Hop
	}
	return e, places
}
