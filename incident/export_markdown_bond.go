package incident

import (
	"fmt"
	"slices"
	"strings"
)

// mdBonds are the lines under the table of links about the bond of the verdict's
// link, else the first one.
func mdBonds(in *Incident) []string {
	if len(in.Bond) == 0 {
		return nil
	}
	p := &in.Bond[0]
	for i := range in.Bond {
		if slices.ContainsFunc(in.Bond[i].Members, func(m MemberPart) bool { return m.Name == in.Verdict.Link }) {
			p = &in.Bond[i]
			break
		}
	}
	more := ""
	if n := len(in.Bond) - 1; n > 0 {
		more = fmt.Sprintf(" (%d more bonds in incident.json)", n)
	}
	return []string{mdBond(p) + more, "  rx: " + bondShares(p, false), "  tx: " + bondShares(p, true)}
}

// mdBond is mode, policy and the members with their state.
func mdBond(p *BondPart) string {
	var members []string
	for i := range p.Members[:min(len(p.Members), mdMaxMembers)] {
		m := &p.Members[i]
		s := fenced(m.Name, mdMaxName) + " " + memberState(m)
		members = append(members, s)
	}
	if n := len(p.Members) - mdMaxMembers; n > 0 {
		members = append(members, fmt.Sprintf("%d more", n))
	}
	return strings.TrimRight(fmt.Sprintf("%s %s %s", fenced(p.Name, mdMaxName), fenced(p.Mode, mdMaxName), fenced(p.Policy, mdMaxName)), " ") +
		": " + strings.Join(members, ", ")
}

// memberState is "active", "backup", "MII down", with the LACP aggregator and
// partner where there are any.
func memberState(m *MemberPart) string {
	s := or(fenced(m.State, mdMaxName), "up")
	if m.MII != "up" && m.MII != "" {
		s += ", MII " + fenced(m.MII, mdMaxName)
	}
	var lacp []string
	if m.Aggregator != 0 {
		lacp = append(lacp, fmt.Sprintf("aggregator %d", m.Aggregator))
	}
	if m.PartnerState != nil {
		lacp = append(lacp, fmt.Sprintf("partner %d", *m.PartnerState))
	}
	if len(lacp) > 0 {
		s += " (" + strings.Join(lacp, ", ") + ")"
	}
	return s
}

// bondShares says who carries what of one direction, and whose choice that is:
// "carried by eth0 93%, eth1 7% (imbalance 0.86, usual 0.05; the switch's choice)".
func bondShares(p *BondPart, tx bool) string {
	var who []string
	for i := range p.Members[:min(len(p.Members), mdMaxMembers)] {
		m := &p.Members[i]
		if share := m.share(tx); share != nil && (m.Usable || *share > 0) {
			who = append(who, fenced(m.Name, mdMaxName)+" "+Percent(*share))
		}
	}
	dir, choice := &p.Rx, "the switch's choice"
	if tx {
		dir, choice = &p.Tx, "this host's choice"
		if p.HashUnknown == "" && p.Policy != "" {
			choice += " by " + fenced(p.Policy, mdMaxName)
		}
	}
	if dir.Bytes == 0 {
		return "nothing"
	}
	uneven := "imbalance not judged: " + noImbalance(p)
	if v := dir.Imbalance; v != nil {
		uneven = fmt.Sprintf("imbalance %.2f", *v)
	}
	if v := dir.BaselineImbalance; v != nil {
		uneven += fmt.Sprintf(", usual %.2f", *v)
	}
	return "carried by " + strings.Join(who, ", ") + " (" + uneven + "; " + choice + ")"
}

// noImbalance says why a bond's imbalance means nothing.
func noImbalance(p *BondPart) string {
	usable, captured := 0, 0
	for i := range p.Members {
		if m := &p.Members[i]; m.Usable {
			usable++
			if m.RxShare != nil || m.TxShare != nil {
				captured++
			}
		}
	}
	switch {
	case usable < 2:
		return fmt.Sprintf("%d usable member", usable)
	case captured < usable:
		return "not every member is captured"
	}
	return "under 1% load"
}
