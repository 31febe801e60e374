package incident

import (
	"cmp"
	"slices"

	"spiketop/flow"
)

// topFlows is how many rows each direction has.
const topFlows = 50

// ranked is a flow of the window before it becomes a row.
type ranked struct {
	link  int // index of Monitor.links
	flow  *flow.FlowSum
	bps   float64
	base  float64
	known bool // base is
}

func (r *ranked) delta() float64 {
	if r.known {
		return r.bps - r.base
	}
	return r.bps // nothing to compare with: as if it had been silent
}

// flows are the top rows by change, and what they leave: rows + other = links.
func (b *builder) flows() (p FlowPart) {
	var other [2]uint64
	var rows [2][]FlowRow
	for _, d := range flow.Directions {
		top := b.rank(d)
		top = top[:min(topFlows, len(top))]
		rows[d] = make([]FlowRow, 0, len(top))
		for i := range b.sums {
			other[d] += b.sums[i].Total[d].Bytes
		}
		for i := range top {
			other[d] -= top[i].flow.Sum[d].Bytes
			rows[d] = append(rows[d], b.row(&top[i], d, i+1))
		}
	}
	p.Rx, p.Tx = rows[flow.Rx], rows[flow.Tx]
	p.Other.Rx.Bytes, p.Other.Tx.Bytes = other[flow.Rx], other[flow.Tx]
	return p
}

// rank orders all flows that carried something in direction d by how much more
// they carried than usual; ties by key, then by link.
func (b *builder) rank(d flow.Direction) []ranked {
	var list []ranked
	for i, l := range b.m.links {
		base := b.c.baseOf(l)
		for j := range b.sums[i].Flows {
			f := &b.sums[i].Flows[j]
			if f.Sum[d].Bytes > 0 {
				list = append(list, ranked{i, f, bitRate(f.Sum[d].Bytes, b.sums[i].Observed), base.flowRate(f.Key, d), base.sum.Observed > 0})
			}
		}
	}
	slices.SortFunc(list, func(x, y ranked) int {
		return cmp.Or(cmp.Compare(y.delta(), x.delta()), x.flow.Key.Compare(&y.flow.Key), cmp.Compare(x.link, y.link))
	})
	return list
}

func (b *builder) row(r *ranked, d flow.Direction, rank int) FlowRow {
	f, l := r.flow, b.m.links[r.link]
	row := FlowRow{Rank: rank, Link: l.Name, Class: f.Class.String(), Why: f.Why, Proto: f.Key.ProtoName(), VLAN: f.Key.VLAN,
		Local: f.Key.LocalEnd(), Remote: f.Key.RemoteEnd(), Bytes: f.Sum[d].Bytes, Frames: f.Sum[d].Packets, Bps: r.bps,
		Share: float64(f.Sum[d].Bytes) / float64(b.sums[r.link].Total[d].Bytes)}
	if r.known {
		base, delta := r.base, r.delta()
		row.BaselineBps, row.DeltaBps = &base, &delta
	}
	return row
}
