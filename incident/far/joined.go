package far

import (
	"net/netip"
	"time"

	"spiketop/flow"
	"spiketop/probe/hops"
)

// Joined is an echo with what both hosts saw of it.
type Joined struct {
	Key     hops.Key
	Sent    flow.Time // this host's first sight of the request, 0 = none
	FromFar bool      // the request came from the far host's side
	Both    bool      // both hosts saw it
	RTT     time.Duration
	Has     bool // it was not lost and RTT is known, at the first point that saw both ways
	// Worst is the longest segment of an answered echo, nil without any. InFar
	// says that it lies in the far host, or behind it; of a lost echo, that the
	// request reached the far host and no reply left it.
	Worst  *hops.Segment
	InFar  bool
	Report hops.EchoReport
}

// onWay is a place of an echo as a point of its report.
type onWay struct {
	place place
	name  string
	hop   hops.Hop
}

// toldAfter is how long after the first sight of an echo the far side must have
// told everything, before what it did not tell counts as not seen. It beats each
// second, and an echo without an answer is judged after giveUp.
const toldAfter = time.Second

// finish makes the report of an echo; ok is false where it is nobody's business.
func (j *Join) finish(e *joining, offset flow.WallOffset) (r Joined, ok bool) {
	sure := j.far.Run != 0 && e.run == j.far.Run && e.drops == j.far.Drops &&
		j.far.Told >= e.first.Add(toldAfter)
	if e.seenBy(farNIC) && !e.plausible() {
		j.count.Implausible++
		e.spots[farNIC], e.spots[farVIF] = spot{}, spot{}
		sure = false
	}
	near := e.seenBy(nearVIF)
	r = Joined{Key: e.key, FromFar: e.fromFar > 0, Both: near && e.seenBy(farNIC)}
	if !near || !r.Both && !j.isOwn(&e.key) && !j.passesBoth(&e.key) {
		return r, false
	}
	if r.Both {
		j.count.Joined++
		j.learnClock(e)
	}
	for p := nearNIC + 1; p > nearVIF && r.Sent == 0; p-- {
		if s := &e.spots[p-1]; s.HasRequest {
			r.Sent = s.Request
		}
	}
	way := j.way(e, sure)
	echo := hops.Echo{Key: e.key, Occurrence: 1}
	names := make([]string, 0, len(way))
	for i := range way {
		echo.Hops, names = append(echo.Hops, way[i].hop), append(names, way[i].name)
	}
	r.RTT, r.Has = echo.RTT()
	if worst, has := hops.Worst(echo.Segments()); has {
		inFar := !r.FromFar // what lies beyond the last point
		if worst.To != hops.Beyond {
			inFar = way[worst.To].place >= farNIC
		}
		r.Worst, r.InFar = &worst, inFar && way[worst.From].place >= farNIC
	}
	if after, leg, lost := echo.Loss(); lost {
		r.RTT, r.Has = 0, false
		r.InFar = way[after].place >= farNIC && !r.FromFar && leg == hops.WayUnknown && sure
	}
	reporter := hops.Reporter{Points: names, Split: j.splitter(way), Wall: func(point int, at flow.Time) time.Time {
		if way[point].place >= farNIC {
			return time.Unix(0, int64(at)).UTC()
		}
		return offset.Wall(at)
	}}
	r.Report = reporter.Echo(&echo)
	return r, true
}

// way is where the echo was seen, in the order of the request's way. The far
// host is on it, too, where it saw nothing of a ping that usually passes it:
// then it is a witness, or blind.
func (j *Join) way(e *joining, sure bool) (list []onWay) {
	order := []place{nearVIF, nearNIC, farNIC, farVIF}
	if e.fromFar > 0 {
		order = []place{farVIF, farNIC, nearNIC, nearVIF}
	}
	passes := j.passesBoth(&e.key)
	for _, p := range order {
		s := &e.spots[p]
		if !s.HasRequest && !s.HasReply && (p != farNIC || !passes) {
			continue
		}
		w := onWay{p, j.name(s, p), s.Hop}
		w.hop.Blind = p >= farNIC && !sure
		list = append(list, w)
	}
	return list
}

// plausible reports whether the far stamps fit between this host's: what a point
// further along the way measured cannot be longer than what one before it did.
func (e *joining) plausible() bool {
	order := [places]place{nearVIF, nearNIC, farNIC, farVIF}
	if e.fromFar > 0 {
		order = [places]place{farVIF, farNIC, nearNIC, nearVIF}
	}
	longest := giveUp
	for _, p := range order {
		rtt, ok := e.spots[p].RTT()
		if !ok {
			continue
		}
		if rtt > longest+coarse || p >= farNIC && rtt < 0 {
			return false
		}
		longest = rtt
	}
	return true
}

func (j *Join) learnClock(e *joining) {
	n, f := &e.spots[nearNIC].Hop, &e.spots[farNIC].Hop
	_, ok1 := n.RTT()
	_, ok2 := f.RTT()
	if ok1 && ok2 {
		j.clock.add(int64(n.Request), int64(n.Reply), int64(f.Request), int64(f.Reply), e.fromFar > 0)
	}
}

// name is what a place of an echo is called: the NIC or vif, both NICs where the
// reply came by another member, and before it the far host.
func (j *Join) name(s *spot, p place) string {
	n := s.request
	switch {
	case n == "":
		n = s.reply
	case s.reply != "" && s.reply != s.request:
		n += "/" + s.reply
	}
	if p < farNIC {
		return n
	}
	host := j.far.Host
	if host == "" {
		host = "far"
	}
	if n == "" {
		return host
	}
	return host + ":" + n
}

// splitter tells request and reply apart on a segment: exactly within a host,
// between the hosts by the estimate of their clocks.
func (j *Join) splitter(way []onWay) func(e *hops.Echo, from, to int) (hops.Split, bool) {
	offset, within, ok := j.clock.offset()
	return func(e *hops.Echo, from, to int) (hops.Split, bool) {
		a, b := &e.Hops[from], &e.Hops[to]
		s := hops.Split{Request: b.Request.Sub(a.Request), Reply: a.Reply.Sub(b.Reply)}
		farA, farB := way[from].place >= farNIC, way[to].place >= farNIC
		switch {
		case farA == farB:
			return s, true
		case !ok:
			return s, false
		case farB:
			s.Request, s.Reply = s.Request-time.Duration(offset), s.Reply+time.Duration(offset)
		default:
			s.Request, s.Reply = s.Request+time.Duration(offset), s.Reply-time.Duration(offset)
		}
		s.Uncertainty = within
		slack := -within - coarse
		if s.Request < slack || s.Reply < slack {
			return s, false // a clock was set meanwhile
		}
		return s, 4*within <= s.Request+s.Reply // as hops.PairClock.Split: else it does not say on which way the larger part was
	}
}

// addrOf is an address as in [flow.Key].
func addrOf(f flow.Family, b [16]byte) netip.Addr {
	if f == flow.FamilyIPv4 {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.AddrFrom16(b)
}
