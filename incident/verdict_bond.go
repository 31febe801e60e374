package incident

import (
	"fmt"
	"slices"
)

// bondEvidence is what the bonds say: where their balance is broken, and whether
// flows left by another member than the hash says.
func (b *builder) bondEvidence(in *Incident) (list []string) {
	for i := range in.Bond {
		p := &in.Bond[i]
		for _, w := range p.Warnings {
			list = append(list, Clean(w))
		}
		if s := b.strayEvidence(in, p); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// strayEvidence says that flows left by another member than the hash says. Only
// TCP counts: datagrams may be fragments, which hash without ports.
func (b *builder) strayEvidence(in *Incident, p *BondPart) string {
	known, stray := 0, 0
	var example *FlowRow
	for i := range in.Flows.Tx {
		f := &in.Flows.Tx[i]
		if f.HashMember == "" || f.Proto != "tcp" || !slices.ContainsFunc(p.Members, func(m MemberPart) bool { return m.Name == f.Link }) {
			continue
		}
		known++
		if f.HashMember != f.Link {
			stray++
			if example == nil {
				example = f
			}
		}
	}
	if stray == 0 {
		return ""
	}
	why := "the hash is not what chooses (tc, XDP, another kernel)"
	if b.membersChanged(p) {
		why = "the members changed at that time"
	}
	return fmt.Sprintf("%s out: %d of %d TCP flows left by another member than the %s hash says, such as %s -> %s by %s, not %s: %s", Clean(p.Name),
		stray, known, p.Policy, example.Local, example.Remote, Clean(example.Link), Clean(example.HashMember), why)
}

// membersChanged reports whether anything happened to the bond's members since
// the baseline began.
func (b *builder) membersChanged(p *BondPart) bool {
	return slices.ContainsFunc(b.m.changes, func(e linkEvent) bool {
		return e.at >= b.c.base.From && (e.name == p.Name || slices.ContainsFunc(p.Members, func(m MemberPart) bool { return m.Name == e.name }))
	})
}

// mendAdvice is to mend a member of the bond of the link that is blamed, where
// one is out; "" if all are well.
func mendAdvice(in *Incident, blamed string) string {
	for i := range in.Bond {
		p := &in.Bond[i]
		if !slices.ContainsFunc(p.Members, func(m MemberPart) bool { return m.Name == blamed }) {
			continue
		}
		out := slices.IndexFunc(p.Members, func(m MemberPart) bool { return m.Trouble != "" && !m.Usable })
		if out >= 0 {
			m := &p.Members[out]
			return fmt.Sprintf("Mend %s of %s (%s): the other members carry its part.", Clean(m.Name), Clean(p.Name), Clean(m.Trouble))
		}
	}
	return ""
}
