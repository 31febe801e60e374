package incident

import (
	"fmt"
	"strings"

	"spiketop/flow"
	"spiketop/probe"
)

// arrow is the direction as the screen shows it.
func arrow(d flow.Direction) string {
	if d == flow.Tx {
		return "▲"
	}
	return "▼"
}

// perSecond writes a rate in words: "38.2 Mbit/s".
func perSecond(bps float64) string {
	s := strings.TrimSuffix(Rate(bps), "b")
	if n := len(s) - 1; n > 0 && strings.ContainsAny(s[n:], "kMGTPE") {
		return s[:n] + " " + s[n:] + "bit/s"
	}
	return s + " bit/s"
}

// head says what happened to the guilty echo.
func (b *builder) head(in *Incident) string {
	c, t := b.c, &in.Trigger
	if c.t == nil {
		return "Frozen by hand."
	}
	what := fmt.Sprintf("Echo %d to %s", t.Seq, CleanMax(t.Target, 64))
	if t.Src != "" {
		what = b.vmHead(t)
	}
	if t.Member != "" {
		what += " via " + Clean(t.Member)
	}
	if t.ReplyMember != "" && t.ReplyMember != t.Member {
		what += ", answer via " + Clean(t.ReplyMember) + ","
	}
	usual := ""
	if c.baseline >= 0 {
		usual = " (usual " + Ms(c.baseline) + ")"
	}
	switch {
	case c.guilty.RTT >= 0:
		return what + " took " + ms(t.RTT) + " ms" + worstOf(t) + usual + "."
	case c.guilty.State == probe.Outstanding && c.outstanding >= 0:
		return what + " is without an answer for " + ms(t.Outstanding) + " ms" + worstOf(t) + usual + "."
	case c.guilty.State == probe.Uncertain:
		return what + " has no known answer: it may have been missed" + worstOf(t) + "."
	}
	if t.Late == 0 {
		usual = ""
	}
	if p := b.ownPing(in); p != nil && p.Lost > 1 {
		return fmt.Sprintf("%s was lost, one of %d lost of %d sent%s%s.", what, p.Lost, p.Sent, worstOf(t), usual)
	}
	return what + " was lost" + worstOf(t) + usual + "."
}

// worstOf says how bad the other late echoes were, where there are any.
func worstOf(t *Trigger) string {
	switch {
	case t.Late == 0 || t.Late == 1 && t.RTT != nil:
		return ""
	case t.RTT != nil && *t.RTT == *t.Worst:
		return fmt.Sprintf(", the worst of %d late ones", t.Late)
	}
	return fmt.Sprintf(", the worst of %d late ones %s ms", t.Late, ms(t.Worst))
}

// burstText is the sentence about a growth.
func burstText(v *Verdict) string {
	p := v.Burst
	d := flow.Rx
	if v.Direction == "tx" {
		d = flow.Tx
	}
	s := fmt.Sprintf("%s %s ran at %s for %.0f ms (usual %s", Clean(v.Link), arrow(d), perSecond(p.Bps), p.Ms, perSecond(p.UsualBps))
	if p.SpeedShare != nil && *p.SpeedShare > 0 {
		s += fmt.Sprintf(", %s of %s", Percent(*p.SpeedShare), Rate(p.Bps / *p.SpeedShare))
	}
	if p.Proto == "" {
		return s + "): many small flows brought it" + ofClass(v) + "."
	}
	who := fmt.Sprintf("%s, %s", fiveTuple(p, d, "->"), signedRate(p.FlowDeltaBps))
	if p.FlowShare >= 0.5 {
		class := ""
		if p.Class != "" && p.Class != flow.Unknown.String() {
			class = CleanMax(p.Class, maxGuestName) + " "
		}
		return s + "): one " + class + "flow brought most of it: " + who + "."
	}
	return fmt.Sprintf("%s): no single flow brought most of it%s; the largest brought %s: %s.", s, ofClass(v), Percent(p.FlowShare), who)
}

// ofClass names the class whose many flows are blamed.
func ofClass(v *Verdict) string {
	if v.Cause == CauseTraffic {
		return ""
	}
	return fmt.Sprintf(" (class %s %s)", CleanMax(v.Cause, maxGuestName), Percent(v.Burst.ClassShare))
}

func signedRate(bps float64) string {
	if bps < 0 {
		return perSecond(bps)
	}
	return "+" + perSecond(bps)
}

// fiveTuple writes a flow in the direction in which it went, with the name of its
// local end.
func fiveTuple(p *BurstPart, d flow.Direction, to string) string {
	from, dest := p.Remote, p.namedLocal()
	if d == flow.Tx {
		from, dest = dest, from
	}
	return fmt.Sprintf("%s %s %s %s", p.Proto, from, to, dest)
}

func burstEvidence(v *Verdict) string {
	p := v.Burst
	class := v.Cause
	if class == CauseTraffic {
		class = "unknown"
	}
	return fmt.Sprintf("%s %s: %s for %.0f ms, usual %s; the flow brought %s of the growth, class %s %s", v.Link, v.Direction,
		perSecond(p.Bps), p.Ms, perSecond(p.UsualBps), Percent(p.FlowShare), class, Percent(p.ClassShare))
}

// evidence lists what the verdict rests on; every number is a field too.
func (b *builder) evidence(in *Incident, way []wayDir) []string {
	var list []string
	if o := in.Path.Own; o != nil && o.Wire != nil && o.Queue != nil {
		list = append(list, fmt.Sprintf("echo: %s ms on the wire, %s ms in this host", ms(o.Wire), ms(o.Queue)))
	}
	list = append(list, b.memberEvidence(in)...)
	list = append(list, b.vmEvidence(in)...)
	list = append(list, unreadEvidence(in)...)
	for i := range way {
		w := &way[i]
		if w.wait < 0 {
			continue
		}
		if len(w.base.rates[w.d]) == 0 {
			list = append(list, fmt.Sprintf("%s %s while the echo waited: %s, usual not known", w.l.Name, w.d, perSecond(w.wait)))
			continue
		}
		verb := "not more than usual"
		switch {
		case w.changed && w.wait <= w.limit: // filled, as it has been before
			verb = "full, " + perSecond(w.wait-w.usual) + " above the usual rate"
		case w.changed:
			verb = "more than usual"
		}
		list = append(list, fmt.Sprintf("%s %s while the echo waited: %s, %s (usually up to %s)", w.l.Name, w.d, perSecond(w.wait), verb, perSecond(w.limit)))
	}
	list = append(list, b.bondEvidence(in)...)
	list = append(list, guestEvidence(in)...)
	list = append(list, tcpEvidence(in)...)
	for i := range in.Links {
		list = append(list, linkEvidence(&in.Links[i])...)
	}
	for i := range in.Pings {
		if p := &in.Pings[i]; (p.Target != in.Trigger.Target || p.Src != in.Trigger.Src) && p.RTTMax != nil && p.Baseline != nil {
			list = append(list, fmt.Sprintf("%s: at most %s ms (usual %s), %d of %d lost", Clean(b.pingName(in, i)), ms(p.RTTMax), ms(p.Baseline), p.Lost, p.Sent))
		}
	}
	if in.Self.LateTicks > 0 {
		list = append(list, fmt.Sprintf("this process itself was late %d times around it (late_ticks)", in.Self.LateTicks))
	}
	return list
}

// linkEvidence is what a link's counters say.
func linkEvidence(l *LinkPart) (list []string) {
	if c := l.NICCheck; c.off() {
		list = append(list, fmt.Sprintf("%s: counted %s in, %s out of what the NIC counted itself over %.0f s", l.Name, ratio(c.Rx), ratio(c.Tx), c.Seconds))
	}
	if l.Coverage != nil && *l.Coverage < leastCoverage {
		list = append(list, fmt.Sprintf("%s: coverage %s, %d frames lost in the capture ring", l.Name, Percent(*l.Coverage), l.CaptureDrops))
	}
	if n := l.NIC; n != nil {
		for _, c := range n.Moved() {
			switch c.Name {
			case "rx_dropped", "tx_dropped", "qdisc_drops", "carrier_changes": // the others are in verdict_near.go
				list = append(list, fmt.Sprintf("%s: %s %d", l.Name, c.Name, c.N))
			}
		}
		if q := n.Backlog(); q >= minBacklog {
			list = append(list, fmt.Sprintf("%s: qdisc_backlog_bytes %d", l.Name, q))
		}
	}
	return list
}

// summary is the short sentence of the incident line.
func summary(in *Incident) string {
	t, v := &in.Trigger, &in.Verdict
	s := "frozen by hand"
	if t.Kind != KindManual {
		switch {
		case t.worst() != nil:
			s = ms(t.worst()) + " ms"
		case t.Kind == KindLoss:
			s = "loss"
		default:
			s = "no answer"
		}
		if t.Src != "" {
			s += " from " + CleanMax(t.Src, 64)
		}
		s += " on " + CleanMax(t.Target, 64)
		if t.Member != "" {
			s += " via " + Clean(t.Member)
		}
	}
	switch {
	case v.Burst != nil:
		return s + " — " + burstSummary(v)
	case v.Cause == CauseLink:
		return s + " — " + Clean(v.Link) + " changed"
	case v.Cause == CauseNone && (in.Path.VerdictSegment == SegmentVirtual || in.Path.VerdictSegment == SegmentGuest):
		return s + " — " + in.Path.VerdictSegment
	case v.Cause == CauseSelf:
		return s + " — this host's CPU was taken away"
	case v.Cause == CauseNone && v.Direction == "tx" && in.Path.VerdictSegment == SegmentNIC:
		return s + " — in " + Clean(v.Link) + "'s own output queue"
	case v.Cause == CauseNone && v.Link != "" && in.Path.VerdictSegment == SegmentNIC:
		return s + " — " + Clean(v.Link) + " could not keep up"
	case v.Cause == CauseNone && v.Link != "":
		return s + " — the switch told " + Clean(v.Link) + " to wait"
	case v.Cause == CauseNone && in.Path.VerdictSegment == SegmentHost:
		return s + " — this host could not keep up"
	case v.Cause == CauseNone:
		return s + " — no link on its way changed"
	case v.Cause == CauseUnknown:
		return s + " — could not be judged"
	}
	return s
}

func burstSummary(v *Verdict) string {
	p := v.Burst
	d := flow.Rx
	if v.Direction == "tx" {
		d = flow.Tx
	}
	load := Rate(p.Bps)
	if p.SpeedShare != nil && *p.SpeedShare >= 0.1 {
		load = Percent(*p.SpeedShare)
	}
	if p.Proto == "" {
		return fmt.Sprintf("%s %s %s for %.0f ms: many small flows", Clean(v.Link), arrow(d), load, p.Ms)
	}
	from, to := p.Remote, p.shortLocal()
	if d == flow.Tx {
		from, to = to, from
	}
	return fmt.Sprintf("%s %s %s for %.0f ms: %s → %s %s", Clean(v.Link), arrow(d), load, p.Ms, from, to, Change(p.FlowDeltaBps))
}
