package incident

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"spiketop/flow"
	"spiketop/probe"
	"spiketop/probe/hops"
)

// vmTold is the VM's echo by which an incident is judged.
type vmTold struct {
	p     *hops.Passage
	parts []vmPart // of its time, largest excess first
	seg   string
}

// vmPart is what one kind of leg took of an echo.
type vmPart struct {
	kind        hops.LegKind
	took, usual time.Duration // usual is None where it is not known
	longest     hops.Leg      // of this kind
	open        bool          // not over: the echo was seen last at its begin
}

func (v *vmPart) excess() time.Duration { return v.took - max(v.usual, 0) }

// vmTold finds the passage of the echo that tells; nil for own pings, and where
// it is not kept.
func (b *builder) vmTold() *vmTold {
	if b.c.t == nil || b.c.t.vm == nil {
		return nil
	}
	v := b.c.t.vm
	p := v.find(b.told.N)
	if p == nil {
		if p = v.find(b.c.guilty.N); p == nil {
			return nil
		}
	}
	t := &vmTold{p: p}
	var all [hops.LegKinds]vmPart
	var seen [hops.LegKinds]bool
	add := func(l hops.Leg, open bool) {
		part := &all[l.Kind]
		if !seen[l.Kind] || l.Took() > part.longest.Took() {
			part.longest, part.open = l, open
		}
		seen[l.Kind] = true
		part.took += l.Took()
	}
	var room [2 * hops.Places]hops.Leg
	for _, l := range p.Legs(room[:]) {
		add(l, false)
	}
	if p.State == hops.Waiting || p.State == hops.Unanswered {
		last, kind := p.After()
		end := last
		end.At = max(p.Sent().Add(waitOf(p)), last.At)
		add(hops.Leg{Kind: kind, From: last, To: end}, true)
	}
	for k := range all {
		if seen[k] {
			all[k].kind, all[k].usual = hops.LegKind(k), v.legs[k].median()
			t.parts = append(t.parts, all[k])
		}
	}
	slices.SortStableFunc(t.parts, func(x, y vmPart) int { return cmp.Compare(y.excess(), x.excess()) })
	t.seg = b.vmSegment(t)
	return t
}

// vmSegment names the place of the largest excess.
func (b *builder) vmSegment(t *vmTold) string {
	if len(t.parts) == 0 {
		return SegmentUnknown
	}
	switch worst := &t.parts[0]; worst.kind {
	case hops.LegOutward:
		if b.nicHeld(t.p, worst) != nil {
			return SegmentNIC
		}
		return SegmentVirtual
	case hops.LegInward, hops.LegBetween:
		return SegmentVirtual
	case hops.LegBeyond:
		return SegmentNetwork
	case hops.LegGuest:
		return SegmentGuest
	}
	if _, own := b.m.own[t.p.Dst]; own {
		return SegmentHost
	}
	return SegmentUnknown
}

// nicHeld returns the NIC whose own queue explains why an echo took so long from
// the vif to the NIC, nil if none does: the tap of a NIC lies behind its queue.
func (b *builder) nicHeld(p *hops.Passage, part *vmPart) *link {
	leg := &part.longest
	id := b.c.t.member
	if !part.open {
		spot := &p.Spots[leg.To.Place]
		if id = spot.RequestLink; leg.To.Reply {
			id = spot.ReplyLink
		}
	}
	l := b.m.link(id)
	if l == nil {
		return nil
	}
	bins := l.lookback.Bins(leg.From.At, max(leg.To.At, leg.From.At.Add(flow.SlotLen)))
	w := wayDir{l: l, d: flow.Tx}
	_, busy := w.rateIn(&bins, flow.Span{From: leg.From.At, To: leg.To.At})
	if busy >= busyLevel || l.explainsQueue(leg.From.At, leg.To.At) {
		return l
	}
	return nil
}

// inside reports whether the time was lost in this host before or behind its
// NICs: what the NICs carried has nothing to do with it.
func (t *vmTold) inside() bool {
	return t != nil && (t.seg == SegmentVirtual || t.seg == SegmentGuest || t.seg == SegmentHost)
}

// worst is the part with the largest excess, nil without any.
func (t *vmTold) worst() *vmPart {
	if t == nil || len(t.parts) == 0 {
		return nil
	}
	return &t.parts[0]
}

// pointName is what a place of a passage is called: the vif's name, or the NIC's;
// both where the reply came back by another one.
func (m *Monitor) pointName(p *hops.Passage, at hops.Place) string {
	s := &p.Spots[at]
	if s.VIF != 0 {
		if n := m.guests.names[s.VIF]; n != nil {
			return n.Name
		}
		return "ifindex " + strconv.Itoa(s.VIF)
	}
	out, in := m.linkName(s.RequestLink), m.linkName(s.ReplyLink)
	switch {
	case out == "" || out == in:
		return in
	case in == "":
		return out
	}
	return out + "/" + in
}

// stepName is the NIC or vif of one sight.
func (m *Monitor) stepName(p *hops.Passage, s hops.Step) string {
	spot := &p.Spots[s.Place]
	switch {
	case spot.VIF != 0:
		return m.pointName(p, s.Place)
	case s.Reply:
		return m.linkName(spot.ReplyLink)
	}
	return m.linkName(spot.RequestLink)
}

// vmName is the VM behind the vif at a place, "" if it is not known.
func (m *Monitor) vmName(p *hops.Passage, at hops.Place) string {
	if n := m.guests.names[p.Spots[at].VIF]; n != nil && p.Spots[at].VIF != 0 {
		return n.Guest
	}
	return ""
}

// lateVM are the late and lost echoes of VMs in c's window that were judged so:
// the one that tells first, then the worst.
func (m *Monitor) lateVM(c *collecting, to flow.Time, told *hops.Passage) []*hops.Passage {
	var list []*hops.Passage
	for _, t := range m.passive.list {
		for i := range t.vm.late {
			p := &t.vm.late[i]
			if at := p.Sent(); p == told || at < c.from || at >= to {
				continue
			}
			if e := t.echoes.get(p.N); e != nil && (e.over || e.State == probe.Lost && m.lossOf(t, e, c)) {
				list = append(list, p)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *hops.Passage) int { return cmp.Compare(waitOf(b), waitOf(a)) })
	if told != nil {
		list = slices.Insert(list, 0, told)
	}
	return list[:min(len(list), maxPathEchoes)]
}

// lossOf reports whether a lost echo of t belongs to an episode of incident c.
func (m *Monitor) lossOf(t *target, e *echo, c *collecting) bool {
	ep := m.episodeOf(t, e)
	return ep != nil && ep.inc == c
}

// vmEchoes writes them.
func (b *builder) vmEchoes() []hops.EchoReport {
	var told *hops.Passage
	if b.vm != nil {
		told = b.vm.p
	}
	var list []hops.EchoReport
	for _, p := range b.m.lateVM(b.c, b.to, told) {
		list = append(list, b.echoReport(p))
	}
	return list
}

// echoReport writes one echo. All its points have one clock, so each segment is
// split into the way out and the way back, exactly.
func (b *builder) echoReport(p *hops.Passage) hops.EchoReport {
	e, places := p.Echo()
	r := hops.EchoReport{Src: echoAddr(p.Src).String(), Dst: echoAddr(p.Dst).String(), ID: p.ID, Seq: p.Seq, Occurrence: p.Occurrence,
		Points: []hops.PointReport{}, Segments: []hops.SegmentReport{}}
	names := make([]string, len(places))
	at := func(t flow.Time, ok bool) *time.Time {
		if !ok {
			return nil
		}
		w := b.c.wall(b.m, t)
		return &w
	}
	for i, pl := range places {
		s := &p.Spots[pl]
		names[i] = b.m.pointName(p, pl)
		point := hops.PointReport{Name: names[i], Request: at(s.Request, s.HasRequest), Reply: at(s.Reply, s.HasReply),
			Duplicates: s.Duplicates, VLAN: s.VLAN, Tunnel: s.Tunnel}
		if rtt, ok := s.RTT(); ok {
			point.RTT = msOf(rtt)
		}
		r.Points = append(r.Points, point)
	}
	for _, s := range e.Segments() {
		seg := hops.SegmentReport{From: names[s.From], RTT: *msOf(s.RTT)}
		if s.To != hops.Beyond {
			seg.To = &names[s.To]
			seg.RequestMs = msOf(e.Hops[s.To].Request.Sub(e.Hops[s.From].Request))
			seg.ReplyMs = msOf(e.Hops[s.From].Reply.Sub(e.Hops[s.To].Reply))
			seg.UncertaintyMs = new(float64)
		}
		r.Segments = append(r.Segments, seg)
	}
	b.worstSegment(&r)
	if p.State == hops.Unanswered {
		r.LostAfter = b.lostAfter(p)
	}
	return r
}

func msOf(d time.Duration) *float64 {
	v := float64(d.Microseconds()) / 1000
	return &v
}

func (b *builder) worstSegment(r *hops.EchoReport) {
	whole := 0.0
	for _, p := range r.Points {
		if p.RTT != nil {
			whole = max(whole, *p.RTT)
		}
	}
	for _, s := range r.Segments {
		if r.Worst == nil || s.RTT > r.Worst.RTT {
			r.Worst = &hops.WorstReport{From: s.From, To: s.To, RTT: s.RTT}
		}
	}
	if r.Worst != nil && whole > 0 {
		r.Worst.Share = min(max(r.Worst.RTT/whole, 0), 1)
	}
}

// lostAfter is where a lost echo was seen last. Where this host sees no further,
// it cannot say on which leg it was lost.
func (b *builder) lostAfter(p *hops.Passage) *hops.LostAfter {
	last, kind := p.After()
	l := &hops.LostAfter{Point: b.m.pointName(p, last.Place)}
	leg := "request"
	if last.Reply {
		leg = "reply"
	} else if kind == hops.LegBeyond || kind == hops.LegGuest || kind == hops.LegUnknown {
		return l
	}
	l.Leg = &leg
	return l
}

// vmLegs writes the way of the echo that tells, leg by leg.
func (b *builder) vmLegs() []PathLeg {
	if b.vm == nil {
		return nil
	}
	p := b.vm.p
	var room [2 * hops.Places]hops.Leg
	var list []PathLeg
	var times [hops.LegKinds]int
	legs := p.Legs(room[:])
	for _, l := range legs {
		times[l.Kind]++
	}
	for _, l := range legs {
		leg := PathLeg{From: b.m.stepName(p, l.From), To: b.m.stepName(p, l.To), What: legText(l.Kind), Took: *MillisOf(l.Took())}
		if times[l.Kind] == 1 { // else the median is that of all of them together
			leg.Usual = MillisOf(b.c.t.vm.legs[l.Kind].median())
		}
		list = append(list, leg)
	}
	return list
}

// legText is what lies on a leg.
func legText(k hops.LegKind) string {
	switch k {
	case hops.LegOutward:
		return "virtual network and the NIC's queue"
	case hops.LegInward, hops.LegBetween:
		return SegmentVirtual
	case hops.LegBeyond:
		return SegmentNetwork
	case hops.LegGuest:
		return SegmentGuest
	}
	return SegmentUnknown
}
