package incident

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"spiketop/flow"
)

// burst is the growth on one direction of a link, and who brought it.
type burst struct {
	w      *wayDir
	from   flow.Time
	length time.Duration
	bps    float64
	class  flow.Class
	// Parts of the growth, 0..1.
	classPart, flowPart float64
	flow                *flow.FlowSum // nil: no row has any of it
	flowBps             float64       // its growth
}

// smoothBins is over how many bins the load is averaged before it is compared:
// a super-frame makes one bin full and its neighbours empty.
const smoothBins = 5

// measure finds out when w's rate was raised within the window, and whose bytes
// came on top then.
func (b *builder) measure(w *wayDir) *burst {
	bins := w.l.lookback.Bins(b.c.from, b.to)
	first, last, n, bytes := raised(bins.Bytes[w.d], w.usual+w.growth()/2)
	if n == 0 {
		return nil
	}
	at := func(i int) flow.Time { return bins.Start.Add(time.Duration(i) * flow.BinLen) }
	r := &burst{w: w, from: at(first), length: time.Duration(n) * flow.BinLen}
	r.bps = bitRate(bytes, r.length)
	sum := w.l.lookback.Sum(slotFloor(b.c.offset, at(first)), slotCeil(b.c.offset, at(last+1)), nil)
	if !r.blame(&sum) {
		return nil
	}
	return r
}

// raised returns the first and the last bin whose smoothed rate is over level,
// how many there are, and their bytes.
func raised(bins []uint64, level float64) (first, last, n int, bytes uint64) {
	for i := range bins {
		lo, hi := max(0, i-smoothBins/2), min(len(bins), i+smoothBins/2+1)
		var sum uint64
		for _, v := range bins[lo:hi] {
			sum += v
		}
		if bitRate(sum, time.Duration(hi-lo)*flow.BinLen) <= level {
			continue
		}
		if n == 0 {
			first = i
		}
		last = i
		n++
		bytes += bins[i]
	}
	return first, last, n, bytes
}

// extra is how many bytes of n in a time are more than the usual rate brings.
func extra(n uint64, usual float64, over time.Duration) float64 {
	return float64(n) - usual/8*over.Seconds()
}

// blame finds the class and the flow that grew most in sum; false if nothing did.
func (r *burst) blame(sum *flow.WindowSum) bool {
	base, d := r.w.base, r.w.d
	all := extra(sum.Total[d].Bytes, r.w.usual, sum.Observed)
	if all <= 0 {
		return false
	}
	most := 0.0
	for i := range sum.Flows {
		f := &sum.Flows[i]
		x := extra(f.Sum[d].Bytes, base.flowRate(f.Key, d), sum.Observed)
		if f.Sum[d].Bytes > 0 && (r.flow == nil || x > most || x == most && f.Key.Compare(&r.flow.Key) < 0) {
			r.flow, most = f, x
		}
	}
	if r.flow != nil {
		r.flowPart = min(max(most/all, 0), 1)
		r.flowBps = most * 8 / r.length.Seconds()
	}
	r.class, r.classPart = base.grownClass(sum, d, all)
	if r.flow != nil && r.flowPart >= 0.5 {
		r.class = r.flow.Class
		r.classPart = max(r.flowPart, base.classPart(sum, d, r.class, all))
	}
	return true
}

// classGrowth is by how many bytes each class grew.
func (b *baseLink) classGrowth(sum *flow.WindowSum, d flow.Direction) map[flow.Class]float64 {
	now, was := map[flow.Class]*[2]uint64{}, map[flow.Class]*[2]uint64{}
	byClass(sum, now)
	byClass(&b.sum, was)
	grown := make(map[flow.Class]float64, len(now))
	for c, n := range now {
		usual := 0.0
		if w := was[c]; w != nil {
			usual = bitRate(w[d], b.sum.Observed)
		}
		grown[c] = extra(n[d], usual, sum.Observed)
	}
	return grown
}

// grownClass is the class that grew most, and its part of the whole growth.
func (b *baseLink) grownClass(sum *flow.WindowSum, d flow.Direction, all float64) (flow.Class, float64) {
	grown := b.classGrowth(sum, d)
	list := slices.SortedFunc(maps.Keys(grown), func(x, y flow.Class) int {
		return cmp.Or(cmp.Compare(grown[y], grown[x]), cmp.Compare(x, y))
	})
	if len(list) == 0 {
		return flow.Unknown, 0
	}
	return list[0], min(max(grown[list[0]]/all, 0), 1)
}

func (b *baseLink) classPart(sum *flow.WindowSum, d flow.Direction, c flow.Class, all float64) float64 {
	return min(max(b.classGrowth(sum, d)[c]/all, 0), 1)
}

// part is the burst as it is written.
func (r *burst) part(b *builder) *BurstPart {
	p := &BurstPart{From: b.c.wall(b.m, r.from), Ms: float64(r.length.Milliseconds()), Bps: r.bps, UsualBps: r.w.usual,
		ClassShare: r.classPart, FlowShare: r.flowPart, FlowDeltaBps: r.flowBps}
	if r.w.l.SpeedBps > 0 {
		s := r.bps / float64(r.w.l.SpeedBps)
		p.SpeedShare = &s
	}
	if r.flow != nil {
		p.Proto, p.Local, p.Remote = r.flow.Key.ProtoName(), r.flow.Key.LocalEnd(), r.flow.Key.RemoteEnd()
	}
	return p
}
