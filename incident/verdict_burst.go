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

// Numbers of a burst's stretch.
const (
	peakBins = 10 // over so many bins its peak is taken
	holeBins = 5  // the smoothed rate may fall below for so many
	// The flow is looked for in so many slots around the peak at most.
	blameSlots = 30
)

// measure finds out when w's rate was raised around the time that the echo
// waited, and whose bytes came on top then.
func (b *builder) measure(w *wayDir) *burst {
	bins := w.l.lookback.Bins(b.c.from, b.to)
	at := func(i int) flow.Time { return bins.Start.Add(time.Duration(i) * flow.BinLen) }
	place := func(t flow.Time) int { return int(t.Sub(bins.Start) / flow.BinLen) }
	span := b.m.waitSpan(b.c)
	peak, rate := fullest(bins.Bytes[w.d], place(span.From.Add(-leadIn)), place(span.To)+1)
	if rate <= w.usual {
		peak, rate = fullest(bins.Bytes[w.d], 0, len(bins.Valid))
	}
	first, end := stretch(bins.Bytes[w.d], peak, (w.usual+rate)/2)
	if first == end {
		return nil
	}
	r := &burst{w: w, from: at(first), length: time.Duration(end-first) * flow.BinLen}
	r.bps = binRate(flow.BinSeries{Bytes: [2][]uint64{bins.Bytes[0][first:end], bins.Bytes[1][first:end]}, Valid: bins.Valid[first:end]}, w.d)
	around := blameSlots / 2 * flow.SlotLen
	sum := w.l.lookback.Sum(slotFloor(b.c.offset, max(at(first), at(peak).Add(-around))), slotCeil(b.c.offset, min(at(end), at(peak).Add(around))), nil)
	if !r.blame(&sum) {
		return nil
	}
	return r
}

// meanRate is the mean rate of bins[lo:hi] in bit/s, as far as there are such.
func meanRate(bins []uint64, lo, hi int) float64 {
	lo, hi = max(lo, 0), min(hi, len(bins))
	if lo >= hi {
		return 0
	}
	var sum uint64
	for _, n := range bins[lo:hi] {
		sum += n
	}
	return bitRate(sum, time.Duration(hi-lo)*flow.BinLen)
}

// smooth is the rate around bin i.
func smooth(bins []uint64, i int) float64 {
	return meanRate(bins, i-smoothBins/2, i+smoothBins/2+1)
}

// fullest returns the highest rate of [peakBins] bins that begin in [lo, hi), and
// the bin of them around which the load was highest.
func fullest(bins []uint64, lo, hi int) (at int, rate float64) {
	begin := 0
	for i := max(lo, 0); i < hi && i+peakBins <= len(bins); i++ {
		if r := meanRate(bins, i, i+peakBins); r > rate {
			begin, rate = i, r
		}
	}
	at = begin
	for i := begin; i < min(begin+peakBins, len(bins)); i++ {
		if smooth(bins, i) > smooth(bins, at) {
			at = i
		}
	}
	return at, rate
}

// stretch returns the bins [first, end) around bin at whose smoothed rate is over
// level, holes of up to [holeBins] included; none if it is not so at at.
func stretch(bins []uint64, at int, level float64) (first, end int) {
	if at >= len(bins) || smooth(bins, at) <= level {
		return at, at
	}
	first, end = at, at+1
	for i := at - 1; i >= 0 && first-i <= holeBins+1; i-- {
		if smooth(bins, i) > level {
			first = i
		}
	}
	for i := at + 1; i < len(bins) && i-end <= holeBins; i++ {
		if smooth(bins, i) > level {
			end = i + 1
		}
	}
	return first, end
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
		r.flowBps = most / all * (r.bps - r.w.usual)
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
		who := b.whoseFlow(&r.flow.Key, r.flow.MAC, r.flow.Inner)
		p.VM, p.VIF, p.Process, p.Class = who.vm, who.vif, who.process(), r.flow.Class.String()
	}
	return p
}
