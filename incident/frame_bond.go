package incident

import (
	"cmp"
	"math"

	"spiketop/flow"
)

// BondView is a bond with how its members share the load.
type BondView struct {
	Bond    flow.Bond
	Members []MemberView // as Bond.Members
	// Imbalance is by direction over the last 2 s and 10 s, as BondDir.Imbalance;
	// nil where it means nothing.
	Imbalance [2][2]*float64
	Warnings  []string // where the balance is broken by something else than chance
}

// MemberView is a member of a bond.
type MemberView struct {
	Usable bool
	// Share is its part of what the bond's captured members carry, by direction
	// over the last 2 s and 10 s; NaN where it is not captured or nothing goes.
	Share   [2][2]float64
	Trouble string // why it does not carry what it should, "" = it is well
}

// bondViews are the bonds that one of links belongs to.
func (m *Monitor) bondViews(links []LinkView) (views []BondView) {
	for i := range m.world.Bonds {
		b := &m.world.Bonds[i]
		byMember := make([]*LinkView, len(b.Members))
		captured := false
		for j := range links {
			if links[j].Link.Bond != b.Name {
				continue
			}
			captured = true
			for k := range b.Members {
				if b.Members[k].Name == links[j].Link.Name {
					byMember[k] = &links[j]
				}
			}
		}
		if captured {
			views = append(views, bondView(b, byMember))
		}
	}
	return views
}

func bondView(b *flow.Bond, links []*LinkView) BondView {
	v := BondView{Bond: *b, Members: make([]MemberView, len(b.Members))}
	var loads [2][]load // over 2 s and 10 s
	for w := range loads {
		loads[w] = make([]load, len(b.Members))
		sum := [2]float64{}
		for i, l := range links {
			x := &loads[w][i]
			x.speed = b.Members[i].SpeedBps
			if l == nil {
				continue
			}
			x.captured, x.speed = true, cmp.Or(l.Link.SpeedBps, x.speed)
			for d := range sum {
				x.bps[d] = l.Rate[d][w]
				sum[d] += x.bps[d]
			}
		}
		for i := range loads[w] {
			for d := range sum {
				v.Members[i].Share[d][w] = math.NaN()
				if loads[w][i].captured && sum[d] > 0 {
					v.Members[i].Share[d][w] = loads[w][i].bps[d] / sum[d]
				}
			}
		}
		for _, d := range flow.Directions {
			v.Imbalance[d][w] = imbalance(b, loads[w], d)
		}
	}
	for i := range b.Members {
		v.Members[i].Usable, v.Members[i].Trouble = isUsable(b, i), memberTrouble(b, &b.Members[i])
	}
	v.Warnings = structureWarnings(b, loads[1])
	for _, d := range flow.Directions {
		if s := skewWarning(b, loads[1], d, viewedCrowd(links, d)); s != "" {
			v.Warnings = append(v.Warnings, s)
		}
	}
	return v
}

// viewedCrowd counts the flows of the links over the last 10 s.
func viewedCrowd(links []*LinkView, d flow.Direction) *crowdOf {
	c := &crowdOf{}
	for _, l := range links {
		if l == nil {
			continue
		}
		for i := range l.Rows {
			c.add(l.Rows[i].Rate[d][1])
		}
	}
	return c
}
