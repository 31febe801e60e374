package link

import (
	"fmt"

	"spiketop/flow"
)

type lacp struct {
	aggregator                       int
	inActive, actorWell, partnerWell bool
}

func lacpOf(p *PortInfo, active int) lacp {
	well := func(bits int) bool { return bits < 0 || flow.LACPHealthy(bits) } // unknown is no news
	return lacp{p.Aggregator, p.Aggregator == active, well(p.Actor), well(p.Partner)}
}

// negotiated reports whether the bond has told anything of LACP yet: a member
// just enslaved has neither aggregator nor port state for a moment.
func (p *PortInfo) negotiated() bool { return p.Aggregator != 0 || p.Actor >= 0 }

func (p *PortInfo) lacp(active int) string {
	return fmt.Sprintf("aggregator %d (active %d), actor %d, partner %d", p.Aggregator, active, p.Actor, p.Partner)
}

// lacpTrouble says why the bond does not use l, or "". A member wired to another
// switch, or to a port of another group, is told by an aggregator of its own
// with a partner that is in sync (8): nothing is wrong but the wiring.
func (l *tracked) lacpTrouble() string {
	const inSync = 0x08
	x, p := lacpOf(l.port, l.active), l.port
	elsewhere := !x.inActive && l.active != 0
	switch {
	case elsewhere && (x.partnerWell || p.Partner&(inSync|0xc0) == inSync):
		return fmt.Sprintf("in aggregator %d, %s uses %d", p.Aggregator, l.Bond, l.active)
	case !x.partnerWell:
		return fmt.Sprintf("LACP partner not ready (%d)", p.Partner)
	case !x.actorWell:
		return fmt.Sprintf("LACP not ready (%d)", p.Actor)
	}
	return ""
}
