package incident

import (
	"cmp"
	"math"
	"slices"
)

// What makes two flows a chain. See [alike].
const (
	chainSlots   = 8    // slots that tell, at least
	chainRatio   = 1.25 // of their bytes in the window, at most, either way
	chainApart   = 0.2  // mean difference, of their sum
	chainLikely  = 4.5  // Fisher's z of the correlation, in its own deviations
	chainCorr    = 0.7
	chainJump    = math.Ln2 // a change between two slots that is no movement but a start or an end
	chainStill   = 0.02     // a flow whose changes deviate by less does not move
	chainLeast   = 0.02     // of a flow's fullest slot: below it a slot does not count
	chainAgainst = 0.1      // of the slots may contradict
)

// What makes two short bursts a chain. See [sameShape].
const (
	shapeActive = 0.1 // of the fullest slot: a slot above it belongs to the burst
	shapeSlots  = 4   // of the burst, at least
	shapeMove   = 0.15
	shapeMoves  = 4    // changes by shapeMove of the fullest slot, at least
	shapeApart  = 0.08 // of the fullest slot, in any slot, at most
)

// alike reports whether out did in every slot what in did, so closely that it
// is no coincidence, and how sure that is: the correlation, and in how many
// slots. in and out are bytes by slot, -1 where a slot is not known.
//
// A flow that is forwarded arrives a little later, which divides it otherwise
// among the slots; a delay of up to 50 ms is tried.
func alike(in, out []float64) (corr float64, slots int, ok bool) {
	for lag := 0.0; lag < 0.55; lag += 0.1 {
		x := delayed(in, lag)
		r, n := moving(x, out)
		if n >= chainSlots && r >= chainCorr && math.Atanh(min(r, 0.9999))*math.Sqrt(float64(n-3)) >= chainLikely && (!ok || r > corr) {
			corr, slots, ok = r, n, true
		}
		if r, n := sameShape(x, out); n > 0 && (!ok || r > corr) {
			corr, slots, ok = r, n, true
		}
	}
	return corr, slots, ok
}

// sameShape is for bursts that are too short for [moving], and carried by flows
// that are idle else. Their bytes must agree in each single slot, and the burst
// must have a shape: a rectangle on the borders of slots has two changes, and any
// other one that began and ended with it would agree; one between the borders has
// four, and agrees only with what began and ended within 8 ms of it and was as
// fast. n is 0 where they do not agree.
func sameShape(x, y []float64) (r float64, n int) {
	peak := max(peakOf(x), peakOf(y))
	if peak <= 0 {
		return 0, 0
	}
	var a, b []float64
	moves := 0
	for i := range x {
		if x[i] < 0 || y[i] < 0 {
			continue
		}
		if math.Abs(x[i]-y[i]) > shapeApart*peak {
			return 0, 0
		}
		if i > 0 && x[i-1] >= 0 && math.Abs(x[i]-x[i-1]) >= shapeMove*peak {
			moves++
		}
		if max(x[i], y[i]) >= shapeActive*peak {
			n++
		}
		a, b = append(a, x[i]/peak), append(b, y[i]/peak)
	}
	if n < shapeSlots || moves < shapeMoves {
		return 0, 0
	}
	return pearson(a, b), n
}

// delayed is in with the part lag of every slot moved to the next.
func delayed(in []float64, lag float64) []float64 {
	out := make([]float64, len(in))
	for i := range in {
		switch {
		case i == 0 || in[i-1] < 0 || in[i] < 0:
			out[i] = in[i]
		default:
			out[i] = (1-lag)*in[i] + lag*in[i-1]
		}
	}
	return out
}

// moving correlates the movement of two flows. That both are large at the same
// time proves nothing: bursts have common causes. Hence starts and ends (a change
// by more than half) are left out, and what must agree is the small movement in
// between: the logarithm of each slot over the one before. n is 0 where they
// contradict one another, differ too much, or do not move.
func moving(x, y []float64) (r float64, n int) {
	leastX, leastY := chainLeast*peakOf(x), chainLeast*peakOf(y)
	var dx, dy []float64
	var apart, sum float64
	active, against := 0, 0
	for i := 1; i < len(x); i++ {
		if x[i] < 0 || y[i] < 0 || x[i-1] < 0 || y[i-1] < 0 {
			continue
		}
		inX, inY := x[i] > leastX, y[i] > leastY
		if !inX && !inY {
			continue
		}
		active++
		apart += math.Abs(x[i] - y[i])
		sum += x[i] + y[i]
		if inX != inY && max(x[i]/leastX, y[i]/leastY) > 5 {
			against++
			continue
		}
		if !inX || !inY || x[i-1] <= leastX || y[i-1] <= leastY {
			continue
		}
		a, b := math.Log(x[i]/x[i-1]), math.Log(y[i]/y[i-1])
		switch {
		case math.Abs(a) <= chainJump && math.Abs(b) <= chainJump:
			dx, dy = append(dx, a), append(dy, b)
		case math.Abs(a-b) > chainJump:
			against++
		}
	}
	if sum == 0 || apart > chainApart*sum || float64(against) > chainAgainst*float64(active) {
		return 0, 0
	}
	if pearson(dx, dy) == 0 { // one of them stands still
		return 0, 0
	}
	return pearson(ranks(dx), ranks(dy)), len(dx)
}

// ranks replaces each value by its place among all: what is correlated after it
// cannot be brought about by one large value, as the half-full slot is in which
// two bursts end.
func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	r := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			r[k] = float64(i+j-1) / 2
		}
		i = j
	}
	return r
}

func peakOf(x []float64) (peak float64) {
	for _, v := range x {
		peak = max(peak, v)
	}
	return peak
}

// pearson is the correlation of two lists; 0 where one of them hardly deviates.
func pearson(x, y []float64) float64 {
	n := float64(len(x))
	if n < 2 {
		return 0
	}
	var mx, my, xx, yy, xy float64
	for i := range x {
		mx += x[i] / n
		my += y[i] / n
	}
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		yy += (y[i] - my) * (y[i] - my)
		xy += (x[i] - mx) * (y[i] - my)
	}
	if still := chainStill * chainStill * n; xx < still || yy < still {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}
