package incident

import (
	"slices"
	"time"

	"spiketop/probe"
)

// Numbers of the detector, as the thresholds are defined.
const (
	baselineLen = 300                   // answered RTTs that are no spikes
	warmUp      = 20                    // samples after which the baseline counts
	warmUpLimit = 60 * time.Millisecond // freeze threshold until then
	markFloor   = 2 * time.Millisecond  // the mark threshold is never lower
	freezeMin   = 20 * time.Millisecond // a spike is at least this much over the median
	madFactor   = 1.4826                // makes a MAD comparable to a standard deviation (normal distribution)
	madTimes    = 8                     // "median + 8 MAD"
)

// baseline keeps the last RTTs of one target that were no spikes. A new value
// costs a binary search and a short move, no sort.
type baseline struct {
	ring   [baselineLen]time.Duration // in order of arrival
	next   int                        // place of the next value, which is the oldest one when full
	sorted []time.Duration            // the same values by size
}

// add takes a value and forgets the oldest one when full.
func (b *baseline) add(v time.Duration) {
	if b.sorted == nil {
		b.sorted = make([]time.Duration, 0, baselineLen)
	}
	if len(b.sorted) == baselineLen {
		i, _ := slices.BinarySearch(b.sorted, b.ring[b.next])
		b.sorted = slices.Delete(b.sorted, i, i+1)
	}
	i, _ := slices.BinarySearch(b.sorted, v)
	b.sorted = slices.Insert(b.sorted, i, v)
	b.ring[b.next] = v
	b.next = (b.next + 1) % baselineLen
}

// reset forgets everything and learns values: a new level.
func (b *baseline) reset(values []time.Duration) {
	b.sorted, b.next = b.sorted[:0], 0
	for _, v := range values {
		b.add(v)
	}
}

// median is the mean of the two middle values if their number is even; None
// without any.
func (b *baseline) median() time.Duration {
	n := len(b.sorted)
	if n == 0 {
		return probe.None
	}
	return (b.sorted[(n-1)/2] + b.sorted[n/2]) / 2
}

// quantile is the value of nearest rank: the smallest one that at least q of
// all do not exceed.
func quantile[T any](sorted []T, q float64) T {
	rank := int(q * float64(len(sorted)))
	if float64(rank) < q*float64(len(sorted)) {
		rank++
	}
	return sorted[max(rank, 1)-1]
}

// mad is the median of the distances to the median, times [madFactor]. Walking
// outward from the middle meets the distances in order of size.
func (b *baseline) mad() time.Duration {
	n := len(b.sorted)
	if n == 0 {
		return 0
	}
	med := b.median()
	right, _ := slices.BinarySearch(b.sorted, med)
	left := right - 1
	var low, high time.Duration // the two middle distances
	for k := 0; k <= n/2; k++ {
		var d time.Duration
		if right == n || left >= 0 && med-b.sorted[left] <= b.sorted[right]-med {
			d = med - b.sorted[left]
			left--
		} else {
			d = b.sorted[right] - med
			right++
		}
		if k == (n-1)/2 {
			low = d
		}
		high = d
	}
	return time.Duration(float64(low+high) / 2 * madFactor)
}

// thresholds are what an RTT of a target is compared with.
type thresholds struct {
	median time.Duration // None before the first value
	mark   time.Duration // above it the strip is coloured
	freeze time.Duration // above it an incident starts
	exit   time.Duration // five in a row below it end an episode
	rule   string        // which of the rules gave freeze
}

// thresholds computes the limits that hold now. fixed is --spike, 0 = auto.
func (b *baseline) thresholds(fixed time.Duration) thresholds {
	t := thresholds{median: b.median()}
	spread := madTimes * b.mad()
	switch {
	case fixed > 0:
		t.freeze, t.rule = fixed, "fixed at "+Ms(fixed)+" ms"
	case len(b.sorted) < warmUp:
		t.freeze, t.rule = warmUpLimit, "60 ms during warm-up"
	default:
		t.freeze, t.rule = t.median+freezeMin, "median + 20 ms"
		for _, r := range []struct {
			limit time.Duration
			rule  string
		}{
			{t.median + spread, "median + 8 MAD"},
			{3 * t.median, "3 x median"},
			{2 * quantile(b.sorted, 0.99), "2 x p99"},
		} {
			if r.limit > t.freeze {
				t.freeze, t.rule = r.limit, r.rule
			}
		}
	}
	t.mark = max(t.median+spread, markFloor)
	if len(b.sorted) < warmUp {
		t.mark = t.freeze // nothing is known that would make a smaller RTT unusual
	}
	usual := max(t.median, 0)
	t.exit = usual + (t.freeze-usual)/2
	return t
}
