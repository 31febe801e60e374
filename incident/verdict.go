package incident

import (
	"cmp"
	"fmt"
	"strings"

	"spiketop/flow"
	"spiketop/probe"
)

// judge says what is believed about the incident, and why. It blames a growth of
// traffic on the echo's way, or a link that changed, or nobody; where it cannot
// know it says so.
func (b *builder) judge(in *Incident) {
	c := b.c
	way := b.m.way(c)
	for i := range way {
		in.Verdict.Way = append(in.Verdict.Way, way[i].part())
	}
	in.Path.VerdictSegment = b.segment()
	v := &in.Verdict
	v.Evidence = b.evidence(in, way)
	if b.vm.inside() && !(b.vm.worst().open && b.linkEvent() != nil) {
		b.blameInside(in)
		return
	}
	if e := b.linkEvent(); e != nil {
		b.blameLink(in, e)
		return
	}
	if b.vmUnseen() {
		b.blameUnseen(in)
		return
	}
	if why := b.cannotJudge(way); why != "" {
		v.Cause, v.Confidence = CauseUnknown, ConfidenceLow
		v.Sentence = b.head(in) + " The cause could not be judged: " + why + "."
		return
	}
	if w := b.grown(way); w != nil {
		if r := b.measure(w); r != nil {
			b.blameTraffic(in, r)
			return
		}
	}
	b.blameNobody(in, way)
}

// part is the comparison as it is written.
func (w *wayDir) part() WayPart {
	p := WayPart{Link: w.l.Name, Direction: w.d.String(), Seen: w.observed, Changed: w.changed}
	if w.wait >= 0 {
		wait := w.wait
		p.WaitBps = &wait
	}
	if len(w.base.rates[w.d]) > 0 {
		usual, limit := w.usual, w.limit
		p.UsualBps, p.UsualMaxBps = &usual, &limit
	}
	return p
}

// cannotJudge gives the reason why nothing can be said, "" if there is none.
func (b *builder) cannotJudge(way []wayDir) string {
	if len(way) == 0 {
		return "no captured link is on the way"
	}
	for i := range way {
		w := &way[i]
		switch cover := coverage(b.sums[w.i]); {
		case w.wait < 0:
			return "nothing is known of " + w.l.Name + " at that time"
		case cover != nil && *cover < leastCoverage:
			return fmt.Sprintf("only %s of %s's frames were seen", Percent(*cover), w.l.Name)
		case w.base.sum.Observed < leastBaseline:
			return fmt.Sprintf("the baseline of %s has %.1f s, %.0f s are needed", w.l.Name, w.base.sum.Observed.Seconds(), leastBaseline.Seconds())
		}
	}
	if b.c.t != nil && !b.c.t.Captured && b.grown(way) == nil {
		return "the way of this echo does not lead through a captured NIC"
	}
	return ""
}

// grown returns the direction that grew most, nil if none did by more than its
// usual spread. An echo that waited in this host waited for what leaves.
func (b *builder) grown(way []wayDir) (most *wayDir) {
	inHost := b.queued()
	for i := range way {
		w := &way[i]
		if !w.changed || inHost && w.d == flow.Rx {
			continue
		}
		if most == nil || w.growth() > most.growth() {
			most = w
		}
	}
	return most
}

// queued reports whether the echo that tells spent most of its time before the NIC.
func (b *builder) queued() bool {
	if b.vm != nil {
		return b.vm.seg == SegmentNIC
	}
	g := &b.told
	return b.c.t != nil && (inQueue(g) > 0 && inQueue(g) > g.Wire && g.Wire >= 0 ||
		g.Member == 0 && g.State != probe.Answered && b.c.t.Captured && b.backlog() != nil)
}

// backlog returns the link whose queue explains why that echo waited in
// this host, nil if none does.
func (b *builder) backlog() *link {
	if b.vm != nil {
		return b.vmBacklog()
	}
	g := &b.told
	to := b.m.waitSpan(b.c).To
	if g.Queue > 0 {
		to = g.Sent.Add(g.Queue)
	}
	for _, l := range b.m.links {
		if (g.Member == 0 || g.Member == l.ID) && l.explainsQueue(g.Sent, to) {
			return l
		}
	}
	return nil
}

// segment says where the time of the echo that tells went.
func (b *builder) segment() string {
	c := b.c
	g := &b.told
	switch {
	case b.vm != nil:
		return b.vm.seg
	case c.t == nil || !c.t.Captured || g.State == probe.Answered && g.Source == probe.ByUser:
		return SegmentUnknown
	case g.State == probe.Answered && g.Wire >= inQueue(g):
		return SegmentNetwork
	case g.State != probe.Answered && g.Member != 0:
		return SegmentNetwork
	}
	l := b.backlog()
	if l == nil {
		return SegmentUnknown
	}
	if backlog, pending, _ := l.queueAround(g.Sent, b.m.waitSpan(c).To); pending && backlog < minBacklog {
		return SegmentHost
	}
	return SegmentNIC
}

// linkEvent returns the change of a link on the echo's way inside the window
// that can have caused it: the first one.
func (b *builder) linkEvent() *linkEvent {
	if b.c.t == nil {
		return nil
	}
	for i := range b.m.changes {
		e := &b.m.changes[i]
		if e.at < b.c.from || e.at >= b.to || !b.onWay(e.name) {
			continue
		}
		switch e.change {
		case "down", "up", "left", "joined", "lacp", "role":
			return e
		}
	}
	return nil
}

// onWay reports whether the echo used the link called name, would have used it
// (the echoes before did), or may have: a member of the same bond whose traffic
// moves when it goes or comes.
func (b *builder) onWay(name string) bool {
	g := &b.told
	if g.Member == 0 && g.ReplyMember == 0 {
		return true
	}
	bonds := map[string]bool{}
	for _, l := range b.m.links {
		if l.ID == g.Member || l.ID == g.ReplyMember || l.ID == b.c.usual {
			if l.Name == name {
				return true
			}
			bonds[l.Bond] = l.Bond != ""
		}
	}
	for _, l := range b.m.links {
		if l.Name == name {
			return bonds[l.Bond]
		}
	}
	return bonds[name] // the bond itself
}

func (b *builder) blameLink(in *Incident, e *linkEvent) {
	v := &in.Verdict
	v.Cause, v.Link, v.Confidence = CauseLink, e.name, ConfidenceLow
	if in.Trigger.Member == e.name || in.Trigger.ReplyMember == e.name {
		v.Confidence = ConfidenceMedium
	}
	in.Path.VerdictSegment = SegmentNIC
	v.Sentence = fmt.Sprintf("%s %s changed at %s: %s (%s -> %s).", b.head(in), Clean(e.name), b.c.wall(b.m, e.at).Format(mdClock),
		e.change, orNothing(Clean(e.was)), orNothing(Clean(e.now)))
	v.Advice = "See the kernel log and the switch port of " + Clean(e.name) + "."
}

func orNothing(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// blameTraffic blames a growth.
func (b *builder) blameTraffic(in *Incident, r *burst) {
	v := &in.Verdict
	v.Cause, v.Link, v.Direction = r.class.String(), r.w.l.Name, r.w.d.String()
	if r.class == flow.Unknown {
		v.Cause = CauseTraffic
	}
	v.Burst = r.part(b)
	v.Confidence = b.confidence(r)
	v.Sentence = b.head(in) + " " + burstText(v)
	v.Evidence = append([]string{burstEvidence(v)}, v.Evidence...)
	v.Advice = cmp.Or(mendAdvice(in, v.Link), advice(in, r))
}

// confidence is high only if the link by which the answer came was full, or the
// queue of the NIC agrees; medium if the growth is clear, one flow brought most
// of it, and the target's echoes are known to go that way.
func (b *builder) confidence(r *burst) string {
	w := r.w
	queue := w.d == flow.Tx && b.queued() && b.backlog() == w.l
	full := w.observed && w.d == flow.Rx && w.full()
	large := r.flowPart >= 0.5 || r.classPart >= 0.7
	switch {
	case b.c.t == nil || !b.c.t.Captured || w.base.sum.Observed < soundBaseline:
		return ConfidenceLow
	case large && (queue || full):
		return ConfidenceHigh
	case large && w.wait > 1.5*w.limit && (w.observed || w.usualWay):
		return ConfidenceMedium
	}
	return ConfidenceLow
}

// blameNobody: what is on the way was as usual.
func (b *builder) blameNobody(in *Incident, way []wayDir) {
	v := &in.Verdict
	v.Cause, v.Confidence = CauseNone, ConfidenceMedium
	var calm []string
	inHost := b.queued()
	for i := range way {
		w := &way[i]
		if inHost && w.d == flow.Rx {
			continue // it waited before it left
		}
		if !w.observed || w.base.sum.Observed < soundBaseline {
			v.Confidence = ConfidenceLow
		}
		if len(calm) < 4 {
			calm = append(calm, fmt.Sprintf("%s %s %s (usual %s, up to %s)", Clean(w.l.Name), arrow(w.d), Rate(w.wait), Rate(w.usual), Rate(w.limit)))
		}
	}
	v.Sentence = b.head(in) + " No link on its way carried more than usual: " + strings.Join(calm, ", ") + "."
	if inHost {
		v.Sentence = b.head(in) + " It waited in this host, and what leaves was as usual: " + strings.Join(calm, ", ") + "."
	}
	if b.c.t == nil {
		v.Sentence = b.head(in) + " No link carried more than usual: " + strings.Join(calm, ", ") + "."
		return
	}
	if in.Path.VerdictSegment == SegmentNetwork {
		v.Advice = "The delay or loss lies behind this host's NICs: look at the switches and at " + Clean(in.Trigger.Target) + "."
	}
}
