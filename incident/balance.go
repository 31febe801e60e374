package incident

import (
	"fmt"
	"strings"

	"spiketop/flow"
)

// load is what one member of a bond carries, by direction.
type load struct {
	bps      [2]float64
	captured bool
	speed    uint64 // bit/s, 0 = unknown
}

// Below this load a bond's imbalance means nothing.
const (
	leastBondLoad = 0.01 // of the usable members' speeds together
	leastLoadBps  = 1e6  // for each whose speed is unknown
)

// imbalance is that of direction d of b, whose members carry loads (in their
// order); nil where it means nothing, see BondDir.
func imbalance(b *flow.Bond, loads []load, d flow.Direction) *float64 {
	var usable []float64
	sum, least := 0.0, 0.0
	for i := range b.Members {
		if !isUsable(b, i) {
			continue
		}
		l := &loads[i]
		if !l.captured {
			return nil
		}
		usable = append(usable, l.bps[d])
		sum += l.bps[d]
		if l.speed > 0 {
			least += leastBondLoad * float64(l.speed)
		} else {
			least += leastLoadBps
		}
	}
	v, ok := flow.Imbalance(usable)
	if !ok || sum < least {
		return nil
	}
	return &v
}

func isUsable(b *flow.Bond, i int) bool {
	one := flow.Bond{Mode: b.Mode, Active: b.Active, Members: b.Members[i : i+1]}
	return len(one.Usable()) == 1
}

// memberTrouble says why m does not carry what it should, "" if it is well or
// its rest is meant (a standby in active-backup).
func memberTrouble(b *flow.Bond, m *flow.Member) string {
	lacp := b.Mode == flow.Mode8023AD
	elsewhere := lacp && b.Active != 0 && m.Aggregator != b.Active
	badPartner := lacp && m.PartnerState >= 0 && !flow.LACPHealthy(m.PartnerState)
	const inSync, assumed = 0x08, 0xc0
	switch {
	case m.Down:
		return "down"
	case m.MII != "up" && m.MII != "":
		return "MII " + m.MII
	case elsewhere && (!badPartner || m.PartnerState&(inSync|assumed) == inSync):
		return fmt.Sprintf("in aggregator %d, %s uses %d: wired to another switch or port group", m.Aggregator, b.Name, b.Active)
	case badPartner:
		return "LACP partner not healthy (" + portState(m.PartnerState) + ")"
	case lacp && m.ActorState >= 0 && !flow.LACPHealthy(m.ActorState):
		return "LACP not healthy here (" + portState(m.ActorState) + ")"
	case elsewhere:
		return fmt.Sprintf("in aggregator %d, %s uses %d", m.Aggregator, b.Name, b.Active)
	case m.State == "backup" && b.Mode != flow.ModeActiveBackup:
		return "not active"
	}
	return ""
}

// portState writes LACP port state bits with what is wrong in them: "15: not
// collecting, not distributing".
func portState(bits int) string {
	var wrong []string
	for _, w := range []struct {
		bit  int
		want bool
		word string
	}{{4, true, "not aggregating"}, {8, true, "not in sync"}, {16, true, "not collecting"}, {32, true, "not distributing"},
		{64, false, "no partner heard"}, {128, false, "partner expired"}} {
		if (bits&w.bit != 0) != w.want {
			wrong = append(wrong, w.word)
		}
	}
	return fmt.Sprintf("%d: %s", bits, strings.Join(wrong, ", "))
}

// structureWarnings are sentences about what breaks the balance of b whatever it
// carries: members that are out, speeds that differ.
func structureWarnings(b *flow.Bond, loads []load) (list []string) {
	for i := range b.Members {
		why, carries := memberTrouble(b, &b.Members[i]), ""
		if why == "" {
			continue
		}
		if !isUsable(b, i) {
			carries = " carries no data"
		}
		list = append(list, fmt.Sprintf("%s of %s%s: %s", b.Members[i].Name, b.Name, carries, why))
	}
	if s := speedsDiffer(b, loads); s != "" {
		list = append(list, s)
	}
	return list
}

// speedsDiffer compares the members that are up and of which it is known.
func speedsDiffer(b *flow.Bond, loads []load) string {
	var names []string
	differ, first := false, uint64(0)
	for i := range b.Members {
		v := loads[i].speed
		if v == 0 || b.Members[i].Down {
			continue
		}
		if first == 0 {
			first = v
		}
		differ = differ || v != first
		names = append(names, b.Members[i].Name+" "+Rate(float64(v)))
	}
	if !differ || b.Mode == flow.ModeActiveBackup {
		return ""
	}
	return fmt.Sprintf("members of %s differ in speed (%s), the hash gives each an equal part", b.Name, strings.Join(names, ", "))
}

// crowdOf is how many flows a bond carries in one direction: as they are, and how
// many of equal size would be as even.
type crowdOf struct {
	n            int
	sum, squares float64
}

func (c *crowdOf) add(x float64) {
	if x > 0 {
		c.n++
		c.sum += x
		c.squares += x * x
	}
}

// even is (sum)² / sum of squares: 1 for an elephant beside mice.
func (c *crowdOf) even() float64 {
	if c.squares == 0 {
		return 0
	}
	return c.sum * c.sum / c.squares
}

// With so many even flows it is no chance (2 in 256 for two members) that nearly
// all go by one.
const (
	noChance  = 8
	nearlyAll = 0.9 // imbalance
)

// skewWarning says that one member carries all of direction d though many flows
// could be spread; "" if it does not, or if that is the mode's way.
func skewWarning(b *flow.Bond, loads []load, d flow.Direction, c *crowdOf) string {
	switch b.Mode {
	case flow.Mode8023AD, flow.ModeXOR, flow.ModeRoundRobin, "team", "ovs":
	default:
		return ""
	}
	v := imbalance(b, loads, d)
	if v == nil || *v < nearlyAll || c.even() < noChance {
		return ""
	}
	most := 0
	for i := range loads {
		if loads[i].bps[d] > loads[most].bps[d] {
			most = i
		}
	}
	some := 1 // the first digit only: the sentence must not change ten times a second
	for c.n/some >= 10 {
		some *= 10
	}
	who := fmt.Sprintf("%s %s: %s carries nearly all of %d or more flows, ", b.Name, arrow(d), b.Members[most].Name, c.n/some*some)
	if d == flow.Rx {
		return who + "which is no chance: see the hash of the switch"
	}
	switch b.Policy {
	case flow.PolicyLayer2:
		return who + "for policy layer2 sends all that goes to one next hop the same way: layer3+4 would spread it"
	case flow.PolicyLayer23, flow.PolicyEncap23:
		return who + "for policy " + b.Policy + " does not look at ports: layer3+4 would spread them"
	case flow.PolicyVLANSrcMAC:
		return who + "for policy vlan+srcmac sends all that comes from one MAC the same way: layer3+4 would spread it"
	}
	return who + "which is no chance"
}
