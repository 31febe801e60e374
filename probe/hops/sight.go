package hops

import "spiketop/flow"

// Key is what an echo is recognised by at every point: the addresses of its
// request, 16 bytes each as in [flow.Key], and the numbers of its ICMP header.
// Numbers are used again: two echoes may have one Key.
type Key struct {
	Family   flow.Family
	Src, Dst [16]byte // of the request; a reply has them the other way round
	ID, Seq  uint16
}

// KeyOf returns the Key of an echo as a ring or a tap saw it.
func KeyOf(e *flow.Echo) Key {
	k := Key{Family: e.Family, Src: e.Src, Dst: e.Dst, ID: e.ID, Seq: e.Seq}
	if e.Reply {
		k.Src, k.Dst = k.Dst, k.Src
	}
	return k
}

// Sight is a request or a reply seen at one point.
type Sight struct {
	Key
	Point  int       // index among the points, in the order of the request's way
	At     flow.Time // in the point's own clock, whatever its zero
	Reply  bool
	VLAN   uint16 // 0 = untagged
	Tunnel bool   // inside VXLAN, Geneve or GRE
}
