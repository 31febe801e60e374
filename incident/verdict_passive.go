package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"spiketop/probe/hops"
)

// blameInside says that a VM's echo lost its time in this host's virtual network
// or in a guest: what the links carried is not to blame.
func (b *builder) blameInside(in *Incident) {
	v, p := &in.Verdict, b.vm.worst()
	v.Cause, v.Confidence = CauseNone, ConfidenceMedium
	if p.usual < 0 || p.open {
		v.Confidence = ConfidenceLow
	}
	from, to := Clean(b.m.stepName(b.vm.p, p.longest.From)), Clean(b.m.stepName(b.vm.p, p.longest.To))
	usual := ""
	if p.usual >= 0 {
		usual = " (usual " + Ms(p.usual) + ")"
	}
	switch {
	case p.open && b.vm.seg == SegmentGuest:
		v.Sentence = fmt.Sprintf("%s It was delivered to %s and did not come back from there: the guest has it.", b.head(in), from)
	case p.open:
		v.Sentence = fmt.Sprintf("%s It was seen last at %s: it was lost or waited in this host's virtual network.", b.head(in), from)
	case b.vm.seg == SegmentGuest:
		v.Sentence = fmt.Sprintf("%s %s ms of it%s lie behind %s: in the guest, not in any network.", b.head(in), Ms(p.took), usual, from)
	case b.vm.seg == SegmentHost:
		v.Sentence = fmt.Sprintf("%s %s ms of it%s lie behind %s: this host itself answers it.", b.head(in), Ms(p.took), usual, from)
	default:
		v.Sentence = fmt.Sprintf("%s %s ms of it%s passed between %s and %s: in this host's virtual network, not in the physical one.", b.head(in), Ms(p.took), usual, from, to)
	}
	switch vif := b.slowVIF(); {
	case b.vm.seg == SegmentGuest:
		v.Advice = "Look into the VM: its CPU (steal, a long run queue), its firewall, its interrupts; the network delivered in time."
	case b.vm.seg == SegmentHost:
		v.Advice = "Look at the CPUs of this host at that time."
	case vif != "":
		v.Advice = "Look at the queue of vif " + vif + " (tc -s qdisc show dev " + vif + "), at the bridge, and at the CPUs of this host."
	}
}

// slowVIF is the vif at one end of the worst leg, "" if it has no plain name.
func (b *builder) slowVIF() string {
	l := &b.vm.worst().longest
	for _, s := range []hops.Step{l.To, l.From} {
		if spot := &b.vm.p.Spots[s.Place]; spot.VIF != 0 {
			if name := b.m.pointName(b.vm.p, s.Place); plainWord(name) {
				return name
			}
		}
	}
	return ""
}

// blameUnseen: the echo passed vifs alone and nothing more is known.
func (b *builder) blameUnseen(in *Incident) {
	v := &in.Verdict
	v.Cause, v.Confidence = CauseUnknown, ConfidenceLow
	v.Sentence = b.head(in) + " The cause could not be judged: it was seen at one point of this host alone."
}

// vmEvidence is the way of the echo that tells, and who of its guests did not
// read: a frame is stamped at a vif before the guest's ring takes it.
func (b *builder) vmEvidence(in *Incident) (list []string) {
	if b.vm == nil {
		return alsoLate(in)
	}
	var legs []string
	for _, l := range in.Path.Legs {
		s := fmt.Sprintf("%s to %s %s ms", Clean(l.From), Clean(l.To), ms(&l.Took))
		if l.Usual != nil {
			s += " (usual " + ms(l.Usual) + ")"
		}
		legs = append(legs, s)
	}
	if len(legs) > 0 {
		list = append(list, "way of the echo: "+strings.Join(legs, ", "))
	}
	if p := b.vm.worst(); p != nil && p.kind == hops.LegOutward && b.vm.seg == SegmentNIC {
		if l := b.nicHeld(b.vm.p, p); l != nil {
			backlog, _, _ := l.queueAround(p.longest.From.At, p.longest.To.At)
			list = append(list, fmt.Sprintf("%s: its own output queue held the echo (qdisc backlog %d bytes)", Clean(l.Name), backlog))
		}
	}
	return list
}

// alsoLate are VMs' echoes that were late with one of this host.
func alsoLate(in *Incident) (list []string) {
	for i := range in.Path.Echoes[:min(len(in.Path.Echoes), 2)] {
		e := &in.Path.Echoes[i]
		s := fmt.Sprintf("also late: echo %d of %s to %s", e.Seq, e.Src, e.Dst)
		if w := e.Worst; w != nil {
			to := "what lies behind it"
			if w.To != nil {
				to = Clean(*w.To)
			}
			s += fmt.Sprintf(", most of it (%s ms) between %s and %s", Ms(time.Duration(w.RTT*1e6)), Clean(w.From), to)
		}
		list = append(list, s)
	}
	return list
}

// passes reports whether the echo that tells passed a vif or NIC of this name.
func (p *PathPart) passes(name string) bool {
	return slices.ContainsFunc(p.Legs, func(l PathLeg) bool { return l.From == name || l.To == name })
}

// unreadEvidence says that a guest on the way did not read its frames.
func unreadEvidence(in *Incident) (list []string) {
	for i := range in.VIFs {
		if v := &in.VIFs[i]; v.TxDropped > 0 && in.Path.passes(v.VIF) {
			list = append(list, fmt.Sprintf("vif %s on its way: %d frames toward it were dropped, for the guest did not read them (tx_dropped)", CleanMax(v.VIF, maxGuestName), v.TxDropped))
		}
	}
	return list
}

// vmHead names a VM's echo: from whom to whom.
func (b *builder) vmHead(t *Trigger) string {
	who, whom := CleanMax(t.Src, 64), CleanMax(t.Target, 64)
	if p := b.vmPassage(); p != nil {
		if n := b.m.vmName(p, hops.FromGuest); n != "" {
			who += " (" + CleanMax(n, maxGuestName) + ")"
		}
		if n := b.m.vmName(p, hops.ToGuest); n != "" {
			whom += " (" + CleanMax(n, maxGuestName) + ")"
		}
	}
	return fmt.Sprintf("Echo %d of %s to %s", t.Seq, who, whom)
}

// vmPassage is the passage of the guilty echo, or of the one that tells.
func (b *builder) vmPassage() *hops.Passage {
	if v := b.c.t.vm; v != nil {
		if p := v.find(b.c.guilty.N); p != nil {
			return p
		}
	}
	if b.vm != nil {
		return b.vm.p
	}
	return nil
}

// vmTrigger completes the trigger of a VM's echo. Member is where the request was
// seen on a NIC, ReplyMember where the reply was.
func (b *builder) vmTrigger(t *Trigger) {
	v := b.c.t.vm
	t.Src, t.EchoID = v.src, &b.c.guilty.ID
	p := b.vmPassage()
	if p == nil {
		return
	}
	t.Point = b.m.pointName(p, p.Entry)
	for _, pl := range []hops.Place{hops.ToGuest, hops.FromGuest} { // its vif, wherever it came in
		if p.Spots[pl].VIF != 0 {
			t.Point = b.m.pointName(p, pl)
		}
	}
	for _, pl := range []hops.Place{hops.Incoming, hops.Outgoing} {
		if s := &p.Spots[pl]; s.Seen() {
			t.Member, t.ReplyMember = b.m.linkName(s.RequestLink), b.m.linkName(s.ReplyLink)
		}
	}
}

// vmPing is the ping of the VM that started the incident, beside our own.
func (b *builder) vmPing() []*target {
	list := append([]*target(nil), b.m.targets...)
	if b.c.t != nil && b.c.t.vm != nil {
		list = append(list, b.c.t)
	}
	return list
}

// vmUnseen reports whether the passage shows too little to be judged.
func (b *builder) vmUnseen() bool {
	return b.vm != nil && b.vm.seg == SegmentUnknown && !b.vm.p.Expects(hops.Outgoing) && !b.vm.p.Expects(hops.Incoming)
}

// vmBacklog is the NIC whose queue held the echo that tells.
func (b *builder) vmBacklog() *link {
	if p := b.vm.worst(); p != nil && p.kind == hops.LegOutward {
		return b.nicHeld(b.vm.p, p)
	}
	return nil
}
