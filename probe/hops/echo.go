package hops

import (
	"time"

	"spiketop/flow"
)

// Hop is what one point saw of one echo. The zero Hop saw nothing of it.
type Hop struct {
	Request, Reply       flow.Time // in the point's own clock
	HasRequest, HasReply bool
	Duplicates           int // further replies
	VLAN                 uint16
	Tunnel               bool // seen inside VXLAN, Geneve or GRE
	Blind                bool // nothing was captured here at that time: that it saw nothing says nothing
}

// RTT is the time from request to reply at this point; false without both.
func (h Hop) RTT() (time.Duration, bool) {
	return h.Reply.Sub(h.Request), h.HasRequest && h.HasReply
}

// Echo is one echo across the points.
type Echo struct {
	Key
	Occurrence int   // from 1: how many echoes with this Key there were, this one included
	Hops       []Hop // by point, in the order of the request's way
	Open       bool  // unanswered, but nobody watched for long enough to call it lost
	Order      int   // place in time among the echoes of one [Offline.Match]
}

// Beyond is the end of the last segment: what lies behind the last point.
const Beyond = -1

// Segment is what lies between two points that saw both request and reply, or
// beyond the last one.
type Segment struct {
	From, To int           // points; To may be Beyond
	RTT      time.Duration // out and back; slightly below zero where stamps are coarse
}

// Segments returns where the echo's time went, in the order of the way out. A
// point that missed the request or the reply is left out: its neighbours make
// one segment. None where no point saw both.
func (e *Echo) Segments() []Segment {
	var out []Segment
	last := -1
	var lastRTT time.Duration
	for i := range e.Hops {
		rtt, ok := e.Hops[i].RTT()
		if !ok {
			continue
		}
		if last >= 0 {
			out = append(out, Segment{From: last, To: i, RTT: lastRTT - rtt})
		}
		last, lastRTT = i, rtt
	}
	if last >= 0 {
		out = append(out, Segment{From: last, To: Beyond, RTT: lastRTT})
	}
	return out
}
