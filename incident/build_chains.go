package incident

import (
	"cmp"
	"slices"
	"time"

	"spiketop/flow"
)

// Bounds of the search for chains.
const (
	chainFlows     = 12              // candidates of each direction
	maxChains      = 8               // that an incident lists
	chainBytes     = 250_000         // a candidate carried at least so much in the window
	chainLinkShare = 0.01            // and this part of all captured links
	chainMargin    = 5 * time.Second // of the comparison, on both sides of the window
	chainLongest   = 120             // slots
)

// candidate is a storage flow that may belong to a chain, over all links.
type candidate struct {
	key   flow.Key
	link  int // that carried most of it
	most  uint64
	bytes uint64
	ids   []flow.FlowID // by m.links, 0 = not there
	slots []float64     // -1 = not known
}

// pairing is an outbound candidate that moved with an inbound one.
type pairing struct {
	in, out, slots int
	ratio, corr    float64
}

// chains finds the inbound storage flows that outbound ones moved with.
func (b *builder) chains(linkBytes float64) []ChainPart {
	in, out := b.candidates(flow.Rx, linkBytes), b.candidates(flow.Tx, linkBytes)
	if len(in) == 0 || len(out) == 0 {
		return nil
	}
	from := max(b.c.from.Add(-chainMargin), b.to.Add(-chainLongest*flow.SlotLen))
	to := b.to.Add(min(chainMargin, chainLongest*flow.SlotLen-b.to.Sub(from)))
	b.fill(in, flow.Rx, from, to)
	b.fill(out, flow.Tx, from, to)
	var pairs []pairing
	for i := range in {
		for j := range out {
			x, y := &in[i], &out[j]
			ratio := float64(y.bytes) / float64(x.bytes)
			if ratio > chainRatio || ratio < 1/chainRatio || x.key == y.key || x.key.Remote == y.key.Remote {
				continue // the other half of a connection, or an answer, is no replica
			}
			if corr, slots, ok := alike(x.slots, y.slots); ok {
				pairs = append(pairs, pairing{i, j, slots, ratio, corr})
			}
		}
	}
	return b.assemble(in, out, pairs)
}

// assemble gives each outbound flow to the inbound one it moved with most.
func (b *builder) assemble(in, out []candidate, pairs []pairing) (list []ChainPart) {
	slices.SortStableFunc(pairs, func(p, q pairing) int { return cmp.Compare(q.corr, p.corr) })
	at := make(map[int]int, len(in)) // place in list, by in
	used := make(map[int]bool, len(out))
	for _, p := range pairs {
		if used[p.out] {
			continue
		}
		k, ok := at[p.in]
		if !ok {
			if len(list) == maxChains {
				continue
			}
			k = len(list)
			at[p.in] = k
			list = append(list, ChainPart{In: b.chainFlow(&in[p.in]), Replicas: 1, Slots: p.slots})
		}
		used[p.out] = true
		c := &list[k]
		f := b.chainFlow(&out[p.out])
		ratio, corr := p.ratio, p.corr
		f.Ratio, f.Correlation = &ratio, &corr
		c.Out = append(c.Out, f)
		c.Replicas++
		c.Slots = min(c.Slots, p.slots)
	}
	slices.SortStableFunc(list, func(x, y ChainPart) int { return cmp.Compare(y.In.Bytes, x.In.Bytes) })
	return list
}

func (b *builder) chainFlow(c *candidate) ChainFlow {
	return ChainFlow{Link: b.m.links[c.link].Name, Proto: c.key.ProtoName(), Local: c.key.LocalEnd(), Remote: c.key.RemoteEnd(), Bytes: c.bytes}
}

// candidates are the largest storage flows of a direction in the window.
func (b *builder) candidates(d flow.Direction, linkBytes float64) []candidate {
	least := max(chainBytes, uint64(chainLinkShare*linkBytes))
	index := map[flow.Key]int{}
	var list []candidate
	for i := range b.sums {
		for j := range b.sums[i].Flows {
			f := &b.sums[i].Flows[j]
			n := f.Sum[d].Bytes
			if f.Class != flow.Storage || n < least/uint64(len(b.sums)) {
				continue // on no link it carries its part of the least
			}
			k, ok := index[f.Key]
			if !ok {
				k = len(list)
				index[f.Key] = k
				list = append(list, candidate{key: f.Key, ids: make([]flow.FlowID, len(b.sums))})
			}
			c := &list[k]
			c.bytes += n
			c.ids[i] = f.ID
			if n > c.most {
				c.most, c.link = n, i
			}
		}
	}
	list = slices.DeleteFunc(list, func(c candidate) bool { return c.bytes < least })
	slices.SortFunc(list, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.bytes, x.bytes), x.key.Compare(&y.key))
	})
	return list[:min(len(list), chainFlows)]
}

// fill takes the candidates' slots in [from, to) from the look-backs. A slot that a link lacks
// is not known for the flows that the link carries.
func (b *builder) fill(list []candidate, d flow.Direction, from, to flow.Time) {
	n := int((to.Sub(from) + flow.SlotLen - 1) / flow.SlotLen)
	for i := range list {
		list[i].slots = make([]float64, n)
	}
	for li, l := range b.m.links {
		var ids []flow.FlowID
		var who []int
		for i := range list {
			if id := list[i].ids[li]; id != 0 {
				ids, who = append(ids, id), append(who, i)
			}
		}
		if len(ids) == 0 {
			continue
		}
		s := l.lookback.SlotBytes(d, ids, from, to)
		known := make([]bool, n)
		for k, at := range s.From {
			slot := int(at.Sub(from)+flow.SlotLen/2) / int(flow.SlotLen)
			if slot >= n || s.To[k].Sub(at) < flow.SlotLen/2 {
				continue // a short one, where the clock was set
			}
			known[slot] = true
			for q, i := range who {
				if list[i].slots[slot] >= 0 {
					list[i].slots[slot] += float64(s.Bytes[q][k])
				}
			}
		}
		for _, i := range who {
			for slot := range known {
				if !known[slot] {
					list[i].slots[slot] = -1
				}
			}
		}
	}
}
