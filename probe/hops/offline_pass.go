package hops

import (
	"time"

	"spiketop/flow"
)

// passWithin is how long after its first request an unanswered echo may cross a
// point once more in another VLAN or tunnel; later it is another echo.
const passWithin = 2 * time.Second

// pass is one time that an echo crosses a point: a router on a stick sees it come
// in one VLAN and leave in another, "any" sees it on the NIC and on the VLAN's
// device. Requests nest into one another, and the replies come back in the
// opposite order.
type pass struct {
	request flow.Time
	reply   flow.Time
	vlan    uint16
	tunnel  bool
}

// passes are those of the echoes that crossed a point more than once, by index of
// their occurrence.
type passes map[int32]*crossing

type crossing struct {
	out, back []pass // in order of time
}

// again takes a request that is no echo of its own: a copy of what crossed the
// point just before, or the same echo on its way once more. False: it is one.
func (c passes) again(n int32, o *occurrence, s *sight) bool {
	if !o.HasRequest || o.HasReply || s.at < o.Request {
		return false
	}
	out := []pass{{request: o.Request, vlan: o.VLAN, tunnel: o.Tunnel}}
	if x := c[n]; x != nil {
		out = x.out
	}
	for i := range out {
		if p := &out[i]; p.vlan == s.vlan && p.tunnel == s.tunnel {
			return s.at.Sub(p.request) <= doubled
		}
	}
	if s.at.Sub(o.Request) > passWithin {
		return false
	}
	c[n] = &crossing{out: append(out, pass{request: s.at, vlan: s.vlan, tunnel: s.tunnel})}
	return true
}

// reply takes a reply of an echo that crossed the point more than once: the first
// answers the innermost request, each one in another VLAN or tunnel the next one
// outward. So the point's RTT is that of what lies behind it as a whole, or, where
// fewer replies than requests were seen, of the inner part whose reply was.
func (c passes) reply(n int32, o *occurrence, s *sight) {
	x := c[n]
	if x == nil {
		o.answer(s.at)
		return
	}
	for i := range x.back {
		if p := &x.back[i]; p.vlan == s.vlan && p.tunnel == s.tunnel {
			o.Duplicates++
			return
		}
	}
	if len(x.back) == len(x.out) {
		o.Duplicates++
		return
	}
	if o.HasReply {
		o.Duplicates++
	}
	x.back = append(x.back, pass{reply: s.at, vlan: s.vlan, tunnel: s.tunnel})
	p := &x.out[len(x.out)-len(x.back)]
	o.Request, o.VLAN, o.Tunnel = p.request, p.vlan, p.tunnel
	o.Reply, o.HasReply = s.at, true
}
