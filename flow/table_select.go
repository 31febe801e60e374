package flow

import "math/bits"

// kept is what a slot is going to hold.
type kept struct {
	rows  [2]int
	fresh int
}

// cost returns what a's rows cost the look-back; 0 = it has nothing to show.
func (a *acc) cost() uint64 {
	if a.entry == 0 {
		return 0
	}
	n := rowCount(a.bytes[Rx], a.packets[Rx]) + rowCount(a.bytes[Tx], a.packets[Tx])
	if n > 0 && a.fresh {
		return n*rowCost + newFlowCost
	}
	return n * rowCost
}

// picker holds the scratch memory of choose.
type picker struct {
	cost  [buckets]uint64 // summed up by size
	cands []cand
}

// cand is a flow whose size lies where the budget ends.
type cand struct {
	size uint64
	cost uint32
	acc  uint32
}

// choose marks the flows that keep their rows: all, or the largest ones that
// fit the budget. Every flow it keeps is at least as large as every flow it
// drops.
func (t *Table) choose() (n kept) {
	p := &t.pick
	p.cost = [buckets]uint64{}
	total := uint64(0)
	for i := range t.touched.n {
		a := t.touched.at(i)
		c := a.cost()
		if a.keep = c > 0; a.keep {
			total = addSat64(total, c)
			b := bucket(a.size())
			p.cost[b] = addSat64(p.cost[b], c)
			n.add(a)
		}
	}
	if total <= t.budget {
		return n
	}
	t.chooseLargest()
	n = kept{}
	for i := range t.touched.n {
		if a := t.touched.at(i); a.keep {
			n.add(a)
		}
	}
	return n
}

func (n *kept) add(a *acc) {
	for _, d := range Directions {
		n.rows[d] += int(rowCount(a.bytes[d], a.packets[d]))
	}
	if a.fresh {
		n.fresh++
	}
}

// chooseLargest finds the size class in which the budget ends, from the costs
// summed up by class, and looks closer only there: no sorting.
func (t *Table) chooseLargest() {
	p := &t.pick
	left, edge := t.budget, buckets-1
	for ; edge >= 0 && p.cost[edge] <= left; edge-- {
		left -= p.cost[edge]
	}
	p.cands = p.cands[:0]
	for i := range t.touched.n {
		a := t.touched.at(i)
		if !a.keep {
			continue
		}
		b := bucket(a.size())
		a.keep = b > edge
		if b == edge {
			p.cands = append(p.cands, cand{a.size(), uint32(min(a.cost(), 1<<31)), i})
		}
	}
	for _, c := range p.cands[:t.largest(p.cands, left)] {
		t.touched.at(c.acc).keep = true
	}
	if cap(p.cands) > 8*len(p.cands)+4*chunkLen {
		p.cands = nil // a flood is over
	}
}

// largest moves the largest candidates whose costs fit the budget to the front
// and returns their number (quickselect with a three-way partition: in a flood
// nearly all sizes are the same).
func (t *Table) largest(c []cand, budget uint64) int {
	lo, hi := 0, len(c)
	for lo < hi {
		larger, smaller, cost := partition(c, lo, hi, c[lo+int(t.rand()%uint64(hi-lo))].size)
		if cost > budget {
			hi = larger
			continue
		}
		budget -= cost
		for lo = larger; lo < smaller; lo++ {
			if uint64(c[lo].cost) > budget {
				return lo
			}
			budget -= uint64(c[lo].cost)
		}
	}
	return lo
}

// partition orders c[lo:hi] into sizes above, equal to and below the pivot. The
// equal ones end up in c[larger:smaller]; cost is that of the ones above.
func partition(c []cand, lo, hi int, pivot uint64) (larger, smaller int, cost uint64) {
	larger, smaller = lo, hi
	for i := lo; i < smaller; {
		switch s := c[i].size; {
		case s > pivot:
			cost += uint64(c[i].cost)
			c[i], c[larger] = c[larger], c[i]
			larger++
			i++
		case s < pivot:
			smaller--
			c[i], c[smaller] = c[smaller], c[i]
		default:
			i++
		}
	}
	return larger, smaller, cost
}

// Sizes fall into buckets by their length in bits and the four bits below the
// topmost one: 6 % wide.
const (
	fineBits = 4
	buckets  = (64 - fineBits + 1) << fineBits
)

func bucket(size uint64) int {
	n := bits.Len64(size)
	if n <= fineBits {
		return int(size)
	}
	shift := n - fineBits - 1
	return (shift+1)<<fineBits | int(size>>shift&(1<<fineBits-1))
}

func addSat64(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return 1<<64 - 1
}
