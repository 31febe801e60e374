package incident

import (
	"cmp"
	"fmt"
	"slices"

	"spiketop/probe"
)

// leastCalm is how many answers in the window make a ping's calm worth a word.
const leastCalm = 3

// ownPing is the part of the ping that triggered, nil if it is not pinged any more.
func (b *builder) ownPing(in *Incident) *PingPart {
	if i := slices.Index(b.vmPing(), b.c.t); i >= 0 && b.c.t != nil {
		return &in.Pings[i]
	}
	return nil
}

// pingName names part i of in.Pings, with its member where the host has several.
func (b *builder) pingName(in *Incident, i int) string {
	if p := &in.Pings[i]; i < len(b.m.targets) && b.m.targets[i].Group != 0 && p.Member != "" {
		return p.Target + " via " + p.Member
	}
	return in.Pings[i].Target
}

// memberEvidence holds the host's pings by the other members against the one that
// triggered: where they stayed calm, neither the host nor what they share is to
// blame, but the way by that member.
func (b *builder) memberEvidence(in *Incident) (list []string) {
	c := b.c
	if c.t == nil || c.t.Group == 0 || c.t.Member == 0 || b.told.Member != 0 && b.told.Member != c.t.Member {
		return nil // not steered, or on another way than it was meant for
	}
	for i, o := range b.m.targets {
		if o == c.t || !o.SameHost(&c.t.Target) || o.Member == 0 {
			continue
		}
		p := &in.Pings[i]
		name := Clean(b.pingName(in, i))
		switch answered, hurt, more := b.fared(o); {
		case hurt:
			list = append(list, fmt.Sprintf("%s was hurt too: at most %s ms (usual %s), %d of %d lost", name, ms(p.RTTMax), ms(p.Baseline), p.Lost, p.Sent))
		case answered < leastCalm:
		case more:
			list = append(list, fmt.Sprintf("%s stayed calm meanwhile%s", name, b.conclude(o)))
		default:
			list = append(list, fmt.Sprintf("%s stayed calm: at most %s ms (usual %s), %d of %d lost%s", name, ms(p.RTTMax), ms(p.Baseline), p.Lost, p.Sent, b.conclude(o)))
		}
	}
	return list
}

// fared says how a ping fared in the window: how many answers it has, whether
// one was late or missing, and whether that was so on either side of the window.
func (b *builder) fared(t *target) (answered int, hurt, around bool) {
	for _, e := range t.echoes.since(b.c.from.Add(-seriesMargin)) {
		if e.Sent >= b.to.Add(seriesMargin) {
			break
		}
		bad := !e.self && (e.over || e.State == probe.Lost)
		switch inside := e.Sent >= b.c.from && e.Sent < b.to; {
		case !inside:
			around = around || bad
		case bad:
			hurt = true
		case e.State == probe.Answered:
			answered++
		}
	}
	return answered, hurt, around
}

// conclude says what the calm of o means for the ping that triggered.
func (b *builder) conclude(o *target) string {
	t := b.c.t
	bad := Clean(b.m.linkName(t.Member))
	back, other := b.m.linkName(cmp.Or(b.told.ReplyMember, t.replyMember)), b.m.linkName(o.replyMember)
	switch {
	case back == "" || other == "":
		return ": what is hurt is the way by " + bad + " alone"
	case back == other:
		return fmt.Sprintf("; the answers of both came by %s, so what is hurt is the way out by %s", Clean(back), bad)
	case back == b.m.linkName(t.Member):
		return ": what is hurt is the way by " + bad + " alone"
	default:
		return fmt.Sprintf(": what is hurt is the way out by %s, or back by %s", bad, Clean(back))
	}
}
