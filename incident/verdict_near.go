package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// How much of a counter is a reason, beside being more than usual.
const (
	leastDropped = 10 // frames that the NIC or the kernel dropped
	leastPauses  = 2
	leastSoftnet = 50
	leastSqueeze = 200
	timesUsual   = 3
)

// nearVerdict is what this host's own counters add to the verdict.
type nearVerdict struct {
	evidence  []string
	segment   string // "" = as it was
	link      string // NIC that is named
	direction string
	sentence  string // to follow the verdict's, "" = none
	advice    string
	self      bool
}

// judgeNear separates this NIC and this host from what lies beyond, after judge
// has said what the traffic tells. It speaks of nothing that was not read.
func (b *builder) judgeNear(in *Incident) {
	v := &in.Verdict
	var n nearVerdict
	links := b.nearLinks()
	for _, l := range b.m.links {
		x := b.near(l)
		n.evidence = append(n.evidence, x.evidence()...)
	}
	load := b.m.loadAround(b.c.from, b.to, b.c.base, b.c.skip)
	n.evidence = append(n.evidence, b.hostEvidence(links, &load)...)
	if b.c.t != nil && v.Cause != CauseLink {
		span := b.m.waitSpan(b.c) // a long window adds up what has nothing to do with this echo
		then := b.m.loadAround(span.From, span.To, b.c.base, b.c.skip)
		b.decideNear(&n, in, links, then.stole(b.excess()), &load)
	}
	v.Evidence = insertAfterEcho(v.Evidence, n.evidence)
	n.apply(b, in)
}

// insertAfterEcho puts more behind the line that says where the echo's time went:
// the first lines are those that a ticket shows.
func insertAfterEcho(list, more []string) []string {
	at := 0
	for i := range min(len(list), 2) {
		if i == 0 || strings.HasPrefix(list[i], "echo: ") {
			at = i + 1
		}
	}
	return slices.Insert(list, at, more...)
}

// nearLinks are the NICs on the echo's way; all that are up where that is not known.
func (b *builder) nearLinks() (list []nearLink) {
	g := &b.told
	for _, l := range b.m.links {
		on := l.ID == g.Member || l.ID == g.ReplyMember
		if b.c.t == nil || g.Member == 0 || g.ReplyMember == 0 {
			on = on || l.State == flow.LinkUp && b.onWay(l.Name)
		}
		if on {
			list = append(list, b.near(l))
		}
	}
	return list
}

// overdrawn reports whether the NIC dropped what came, or asked the switch to wait.
func (n *nearLink) overdrawn(kind string) (which []flow.NICCount) {
	for _, what := range []flow.NICCount{flow.NICMissed, flow.NICNoBuffer, flow.NICFifo, flow.NICPauseTx} {
		least := uint64(leastDropped)
		switch {
		case what == flow.NICPauseTx:
			least = leastPauses
		case kind == KindLoss:
			least = 1
		}
		if n.hardware[what].more(least, timesUsual) {
			which = append(which, what)
		}
	}
	return which
}

// asked reports whether the switch asked this NIC to wait.
func (n *nearLink) asked() bool { return n.hardware[flow.NICPauseRx].more(leastPauses, timesUsual) }

// evidence are the NIC's own counters that grew.
func (n *nearLink) evidence() (list []string) {
	for what := range n.hardware {
		g := &n.hardware[what]
		name := flow.NICCount(what)
		if !g.known || g.n == 0 {
			continue
		}
		s := fmt.Sprintf("%s: %s %s", Clean(n.l.Name), name, g.text())
		switch {
		case name == flow.NICPauseRx && n.asked():
			s += ": the switch asked this host to wait"
		case name == flow.NICPauseTx && g.more(leastPauses, timesUsual):
			s += ": this NIC asked the switch to wait"
		}
		list = append(list, s)
	}
	return list
}

// text is "812 in 3.0 s (usual 0.2/s)".
func (g *increase) text() string {
	s := fmt.Sprintf("%d in %.1f s", g.n, g.over.Seconds())
	switch {
	case g.usual == 0:
		s += " (usual none)"
	case g.usual > 0:
		s += fmt.Sprintf(" (usual %.1f/s)", g.usual)
	}
	return s
}

// hostEvidence is what the whole host's counters say, once.
func (b *builder) hostEvidence(links []nearLink, load *loadGrowth) (list []string) {
	if len(links) > 0 {
		n := &links[0]
		if g := &n.drops; g.known && g.n > 0 {
			list = append(list, "this host: softnet_drops "+g.text())
		}
		if g := &n.squeezed; g.more(leastSqueeze, timesUsual) {
			list = append(list, "this host: softnet_squeezed "+g.text())
		}
	}
	if g := &load.stealMost; g.more(uint64(leastSteal), timesUsual) {
		list = append(list, fmt.Sprintf("this host: the hypervisor took %s ms of a CPU in %.1f s (usual %s ms/s), %s ms of all %d", Ms(time.Duration(g.n)),
			g.over.Seconds(), Ms(time.Duration(g.usual)), Ms(time.Duration(load.steal.n)), load.cpus))
	}
	if g := &load.stalled; g.more(uint64(leastSteal), timesUsual) {
		list = append(list, fmt.Sprintf("this host: tasks waited for a CPU for %s ms of %.1f s (usual %s ms/s)", Ms(time.Duration(g.n)), g.over.Seconds(), Ms(time.Duration(g.usual))))
	}
	return list
}

// excess is by how much the echo that tells took longer than usual; for one
// without an answer how long it has been without.
func (b *builder) excess() time.Duration {
	g := &b.told
	d := g.RTT
	if d < 0 {
		d = max(g.Age, b.c.outstanding, 0)
	}
	return d - max(b.c.baseline, 0)
}

// decideNear says whether the segment that the stamps tell is this NIC or this
// host after all. The stamp of what comes in is taken by the kernel, so that a frame
// which waits in the NIC, or for a CPU that takes it, seems to be on the wire.
func (b *builder) decideNear(n *nearVerdict, in *Incident, links []nearLink, stolen bool, load *loadGrowth) {
	v := &in.Verdict
	switch segment := in.Path.VerdictSegment; {
	case segment == SegmentNIC:
		for i := range links {
			// The echo waited in the queue of the NIC by which it left.
			if l, q := &links[i], b.backlog(); l.asked() && (q == nil || q == l.l) && (b.told.Member == 0 || b.told.Member == l.l.ID) {
				n.segment, n.link, n.direction = SegmentNetwork, l.l.Name, flow.Tx.String()
				n.sentence = fmt.Sprintf("It waited in %s because the switch asked that NIC to wait: pause_rx %s.", Clean(l.l.Name), l.hardware[flow.NICPauseRx].text())
				n.advice = "The delay lies beyond this NIC: look at the switch, which sends pause frames to " + Clean(l.l.Name) + "."
				return
			}
		}
		if l := b.backlog(); l != nil && v.Burst == nil {
			n.ownQueue(b, l)
		}
	case segment != SegmentNetwork && segment != SegmentUnknown:
	case v.Burst == nil && b.c.kind != KindLoss && stolen:
		g := &load.stealMost
		n.segment, n.self = SegmentHost, true
		n.sentence = fmt.Sprintf("The hypervisor took %s ms of one of this host's CPUs away then (usual %s ms/s).", Ms(time.Duration(g.n)), Ms(time.Duration(g.usual)))
		n.advice = "This machine is a guest whose CPU was taken away: look at its host, not at the network."
	case segment == SegmentUnknown: // what was not seen on the NIC says nothing about it
	case b.blameNIC(n, links):
	case b.blameSoftnet(n, in, links):
	default:
		n.calm(b, links)
	}
}

// ownQueue names the queue in which the echo waited.
func (n *nearVerdict) ownQueue(b *builder, l *link) {
	backlog, _, _ := l.queueAround(b.told.Sent, b.m.waitSpan(b.c).To)
	if backlog < minBacklog {
		return
	}
	n.segment, n.link, n.direction = SegmentNIC, l.Name, flow.Tx.String()
	n.sentence = fmt.Sprintf("It waited in %s's own output queue, which held %s.", Clean(l.Name), Bytes(backlog))
	if plainWord(l.Name) {
		n.advice = fmt.Sprintf("See who fills it, and how it is shaped: tc -s qdisc show dev %s.", l.Name)
	}
}

// blameNIC blames the NIC by which the answer came, or should have.
func (b *builder) blameNIC(n *nearVerdict, links []nearLink) bool {
	for i := range links {
		l := &links[i]
		if b.told.ReplyMember != 0 && b.told.ReplyMember != l.l.ID {
			continue
		}
		which := l.overdrawn(b.c.kind)
		if len(which) == 0 {
			continue
		}
		var s []string
		for _, what := range which {
			s = append(s, what.String()+" "+l.hardware[what].text())
		}
		n.segment, n.link, n.direction = SegmentNIC, l.l.Name, flow.Rx.String()
		n.sentence = fmt.Sprintf("%s itself could not keep up: %s.", Clean(l.l.Name), strings.Join(s, ", "))
		n.advice = fmt.Sprintf("Look at the rings of %s (ethtool -g), its interrupts and the CPUs that serve them.", Clean(l.l.Name))
		return true
	}
	return false
}

// blameSoftnet blames the kernel behind the NIC. These counters are of all
// devices, vifs too: where the link itself was full, that explains more.
func (b *builder) blameSoftnet(n *nearVerdict, in *Incident, links []nearLink) bool {
	if len(links) == 0 || in.Verdict.Burst != nil && in.Verdict.Confidence == ConfidenceHigh {
		return false
	}
	l := &links[0]
	drops, squeezed := l.drops.more(leastSoftnet, 5), in.Verdict.Burst == nil && l.squeezed.more(leastSqueeze, 5)
	var s []string
	if drops {
		s = append(s, "softnet_drops "+l.drops.text())
	}
	if squeezed {
		s = append(s, "softnet_squeezed "+l.squeezed.text())
	}
	if len(s) == 0 {
		return false
	}
	n.segment = SegmentHost
	n.sentence = fmt.Sprintf("This host's CPUs could not take what came: %s.", strings.Join(s, ", "))
	n.advice = "Look at the CPUs that serve the NICs' interrupts, at net.core.netdev_max_backlog and netdev_budget."
	return true
}

// droppedNothing reports whether the NIC says so: both counters that tell of a lack
// of room are read, and no drop is known.
func (n *nearLink) droppedNothing() bool {
	missed, buffer, fifo := &n.hardware[flow.NICMissed], &n.hardware[flow.NICNoBuffer], &n.hardware[flow.NICFifo]
	return missed.known && buffer.known && missed.n+buffer.n+fifo.n == 0
}

// calm says that the NIC by which the answer came is not to blame, as far as it
// tells.
func (n *nearVerdict) calm(b *builder, links []nearLink) {
	for i := range links {
		l := &links[i]
		if b.told.ReplyMember != 0 && b.told.ReplyMember != l.l.ID {
			continue
		}
		var zero, silent []string
		over := time.Duration(0)
		for what := range l.hardware {
			switch g := &l.hardware[what]; {
			case !g.known:
				silent = append(silent, flow.NICCount(what).String())
			case g.n == 0:
				zero = append(zero, flow.NICCount(what).String())
				over = max(over, g.over)
			}
		}
		if len(zero) == 0 {
			continue
		}
		s := fmt.Sprintf("%s: %s: 0 in %.1f s", Clean(l.l.Name), strings.Join(zero, ", "), over.Seconds())
		switch {
		case l.droppedNothing() && !l.asked():
			s += ": this NIC dropped nothing, the delay was beyond it"
		case len(silent) > 0:
			s += "; its driver does not tell " + strings.Join(silent, ", ")
		}
		n.evidence = append(n.evidence, s)
	}
}

// apply changes the verdict.
func (n *nearVerdict) apply(b *builder, in *Incident) {
	v := &in.Verdict
	if n.segment == "" {
		return
	}
	was := in.Path.VerdictSegment
	in.Path.VerdictSegment = n.segment
	v.Sentence += " " + n.sentence
	switch v.Cause {
	case CauseUnknown:
		return
	case CauseNone:
		if n.self {
			v.Cause = CauseSelf
		}
		v.Link, v.Direction, v.Advice = n.link, n.direction, n.advice
		v.Confidence = ConfidenceLow
		if b.told.State == probe.Answered && b.told.ReplyMember != 0 {
			v.Confidence = ConfidenceMedium
		}
		return
	}
	// A growth of traffic and the queue in which it ended agree.
	if n.segment == SegmentNIC && was == SegmentNetwork && v.Link == n.link && v.Direction == flow.Rx.String() {
		v.Confidence = raised(v.Confidence)
	}
	v.Advice = strings.TrimSpace(v.Advice + " " + n.advice)
}

func raised(confidence string) string {
	if confidence == ConfidenceLow {
		return ConfidenceMedium
	}
	return ConfidenceHigh
}
