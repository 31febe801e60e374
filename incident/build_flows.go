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

// rank returns the flows that grew most in direction d: by how much more they
// carried than usual; ties by key, then by link. It keeps the best ones in order
// while it looks at all: sorting thousands of flows would cost more.
func (b *builder) rank(d flow.Direction) []ranked {
	best := make([]ranked, 0, topFlows+1)
	for i, l := range b.m.links {
		base := b.c.baseOf(l)
		for j := range b.sums[i].Flows {
			f := &b.sums[i].Flows[j]
			if f.Sum[d].Bytes == 0 {
				continue
			}
			r := ranked{i, f, bitRate(f.Sum[d].Bytes, b.sums[i].Observed), base.flowRate(f.Key, d), base.sum.Observed > 0}
			if n := len(best); n == topFlows && r.compare(&best[n-1]) > 0 {
				continue
			}
			at, _ := slices.BinarySearchFunc(best, r, func(x, y ranked) int { return x.compare(&y) })
			best = slices.Insert(best, at, r)
			best = best[:min(len(best), topFlows)]
		}
	}
	return best
}

func (r *ranked) compare(o *ranked) int {
	if c := cmp.Compare(o.delta(), r.delta()); c != 0 {
		return c
	}
	return cmp.Or(r.flow.Key.Compare(&o.flow.Key), cmp.Compare(r.link, o.link))
}

func (b *builder) row(r *ranked, d flow.Direction, rank int) FlowRow {
	f, l := r.flow, b.m.links[r.link]
	row := FlowRow{Rank: rank, Link: l.Name, Class: f.Class.String(), Why: f.Why, Proto: f.Key.ProtoName(), VLAN: f.Key.VLAN,
		Local: f.Key.LocalEnd(), Remote: f.Key.RemoteEnd(), Bytes: f.Sum[d].Bytes, Frames: f.Sum[d].Packets, Bps: r.bps,
		Share: float64(f.Sum[d].Bytes) / float64(b.sums[r.link].Total[d].Bytes)}
	who := b.whoseFlow(&f.Key, f.MAC, f.Inner)
	row.VM, row.VIF, row.Process = who.vm, who.vif, who.process()
	if socket, ok := b.m.hostSocket(&f.Key, &who); ok {
		row.TCP = b.c.tcp[socket].part()
		b.rows = append(b.rows, askedRow{socket, f.Key.Proto == flow.ProtoTCP, r.delta()})
	}
	if d == flow.Tx {
		row.HashMember = b.hashMember(f, l)
	}
	if r.known {
		base, delta := r.base, r.delta()
		row.BaselineBps, row.DeltaBps = &base, &delta
	}
	return row
}
