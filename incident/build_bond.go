package incident

import (
	"cmp"
	"slices"

	"spiketop/flow"
)

// bonds are those that a captured link belonged to in the window.
func (b *builder) bonds() (parts []BondPart) {
	w := b.c.world
	for i := range w.Bonds {
		bond := &w.Bonds[i]
		if slices.ContainsFunc(w.Links, func(l flow.Link) bool { return l.Bond == bond.Name }) {
			parts = append(parts, b.bond(bond))
		}
	}
	return parts
}

func (b *builder) bond(bond *flow.Bond) BondPart {
	p := BondPart{Name: bond.Name, Mode: bond.Mode, Policy: bond.Policy, ActiveAggregator: bond.Active,
		HashUnknown: cmp.Or(bond.Unpredictable(b.c.world.Kernel), noNextHop(bond)), Members: make([]MemberPart, len(bond.Members))}
	now, base := make([]load, len(bond.Members)), make([]load, len(bond.Members))
	var bytes [2][]uint64
	for d := range bytes {
		bytes[d] = make([]uint64, len(bond.Members))
	}
	var crowds [2]crowdOf
	for i := range bond.Members {
		now[i].speed = bond.Members[i].SpeedBps
		if at := b.memberLink(bond, i); at >= 0 {
			sum, usual, l := b.sums[at], &b.c.baseOf(b.m.links[at]).sum, b.m.links[at]
			now[i].captured, now[i].speed = true, cmp.Or(l.SpeedBps, now[i].speed)
			base[i].captured, base[i].speed = usual.Observed > 0, now[i].speed
			for d := range bytes {
				bytes[d][i] = sum.Total[d].Bytes
				now[i].bps[d] = bitRate(sum.Total[d].Bytes, sum.Observed)
				base[i].bps[d] = bitRate(usual.Total[d].Bytes, usual.Observed)
			}
			crowds[flow.Rx].addWindow(sum, flow.Rx)
			crowds[flow.Tx].addWindow(sum, flow.Tx)
		}
		p.Members[i] = memberPart(bond, i, now[i].speed)
	}
	for d, part := range [2]*BondDir{&p.Rx, &p.Tx} {
		for _, n := range bytes[d] {
			part.Bytes += n
		}
		part.Imbalance, part.BaselineImbalance = imbalance(bond, now, flow.Direction(d)), imbalance(bond, base, flow.Direction(d))
	}
	for i := range p.Members {
		if now[i].captured {
			p.Members[i].RxShare, p.Members[i].TxShare = shareOf(bytes[flow.Rx][i], p.Rx.Bytes), shareOf(bytes[flow.Tx][i], p.Tx.Bytes)
		}
	}
	p.Warnings = structureWarnings(bond, now)
	for _, d := range flow.Directions {
		if s := skewWarning(bond, now, d, &crowds[d]); s != "" {
			p.Warnings = append(p.Warnings, s)
		}
	}
	return p
}

// noNextHop says why nothing is predicted by a policy that hashes the next hop's
// MAC: a flow's record has this end's only.
func noNextHop(bond *flow.Bond) string {
	switch bond.Policy {
	case flow.PolicyLayer2, flow.PolicyLayer23, flow.PolicyEncap23:
		if len(bond.Usable()) > 1 {
			return bond.Policy + " hashes the MACs of both ends, and the next hop's is not known"
		}
	}
	return ""
}

// memberLink is the place in Monitor.links of member i of bond, -1 if it is not
// captured.
func (b *builder) memberLink(bond *flow.Bond, i int) int {
	return slices.IndexFunc(b.m.links, func(l *link) bool { return l.Name == bond.Members[i].Name })
}

func (c *crowdOf) addWindow(sum *flow.WindowSum, d flow.Direction) {
	for i := range sum.Flows {
		c.add(float64(sum.Flows[i].Sum[d].Bytes))
	}
}

func memberPart(bond *flow.Bond, i int, speed uint64) MemberPart {
	m := &bond.Members[i]
	p := MemberPart{Name: m.Name, State: m.State, MII: m.MII, Aggregator: m.Aggregator, Usable: isUsable(bond, i), Trouble: memberTrouble(bond, m)}
	if state := m.PartnerState; state >= 0 {
		p.PartnerState = &state
	}
	if state := m.ActorState; state >= 0 {
		p.ActorState = &state
	}
	if speed > 0 {
		p.SpeedBps = &speed
	}
	return p
}

// hashMember is the member by which the flow f, seen leaving by l, would leave;
// "" if that cannot be predicted.
func (b *builder) hashMember(f *flow.FlowSum, l *link) string {
	bond := b.c.world.BondOf(&l.Link)
	if bond == nil || len(bond.Members) < 2 {
		return ""
	}
	member, _ := bond.TxMember(&flow.TxFrame{Key: f.Key, Src: f.MAC}, b.c.world.Kernel)
	return member
}
