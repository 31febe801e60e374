package hops

import (
	"slices"
	"time"

	"spiketop/flow"
)

const (
	agree      = time.Second           // differences that agree: one-way delays are shorter
	tight      = 10 * time.Millisecond // differences that agree well, as those of most true pairs do
	blockSize  = 16                    // occurrences after which a clock's offset is estimated anew
	sampleSize = 8192                  // candidates of the estimate over all
	localPairs = 5
)

// offsets estimates what to add to a point's own clock, for each of its
// occurrences: block by block what most candidates say, so that a clock that
// drifts or is set in the middle is followed.
func offsets(list []candidate, occ []occurrence) func(i int) flow.Time {
	n := len(occ)
	out, sure := make([]flow.Time, n), make([]bool, n)
	if len(list) == 0 {
		return func(int) flow.Time { return 0 }
	}
	blocks := blocksOf(list)
	local := localMedians(list, n)
	for i, b, c := 0, 0, 0; i < n; i++ {
		for b+1 < len(blocks) && blocks[b+1].first <= i {
			b++
		}
		for c < len(list) && list[c].i < i {
			c++
		}
		own := c
		for own < len(list) && list[own].i == i {
			own++
		}
		choices := [5]flow.Time{blocks[b].offset, blocks[max(b-1, 0)].offset, blocks[min(b+1, len(blocks)-1)].offset}
		k := 3
		if local != nil {
			// The nearest echoes know best, if they agree with the block, or where a
			// clock was set: then a block has one offset but two truths.
			if l := local[i].median; near(l, choices[0]) {
				choices[0] = l
			}
			choices[3], choices[4] = local[i].before, local[i].after
			k = 5
		}
		out[i], sure[i] = choose(choices[:k], list[c:own])
	}
	between(out, sure, occ)
	return func(i int) flow.Time { return out[i] }
}

// choose returns the first estimate that one of the occurrence's own candidates
// agrees with, and true; else the first.
func choose(estimates []flow.Time, own []candidate) (flow.Time, bool) {
	for _, e := range estimates {
		for j := range own {
			// An echo during which a clock was set stands where its request does.
			if c := &own[j]; near(e, c.diff) || near(e, c.first) {
				return e, true
			}
		}
	}
	return estimates[0], false
}

// between gives an occurrence without an agreeing candidate of its own the offset
// of its neighbours; where they disagree because a clock was set, that which
// leaves it between them in time.
func between(out []flow.Time, sure []bool, occ []occurrence) {
	left := -1
	for i := range out {
		if sure[i] {
			left = i
			continue
		}
		right := i + 1
		for right < len(out) && right-i < 8 && !sure[right] {
			right++
		}
		if left < 0 || right >= len(out) || !sure[right] {
			continue
		}
		if near(out[left], out[right]) {
			if !near(out[left], out[i]) {
				out[i] = out[left]
			}
			continue
		}
		at, low, high := occ[i].at(), occ[left].at()+out[left], occ[right].at()+out[right]
		for _, offset := range [2]flow.Time{out[left], out[right]} {
			if ref := at + offset; ref >= low-flow.Time(tight) && ref <= high+flow.Time(tight) {
				out[i] = offset
				break
			}
		}
	}
}

// block is an offset from an occurrence on.
type block struct {
	first  int
	offset flow.Time
}

func blocksOf(list []candidate) (blocks []block) {
	prev := densest(sample(list), 0, false)
	for begin := 0; begin < len(list); {
		end, n := begin, 0
		for end < len(list) {
			if end == begin || list[end].i != list[end-1].i {
				if n++; n > blockSize {
					break
				}
			}
			end++
		}
		prev = densest(list[begin:end], prev, true)
		blocks = append(blocks, block{list[begin].i, prev})
		begin = end
	}
	return blocks
}

func near(a, b flow.Time) bool { return max(a, b)-min(a, b) <= flow.Time(agree) }

// sample bounds the work of one estimate.
func sample(list []candidate) []candidate {
	if len(list) <= sampleSize {
		return list
	}
	step := len(list)/sampleSize + 1
	var out []candidate
	for i := 0; i < len(list); i += step {
		out = append(out, list[i])
	}
	return out
}

// densest returns the difference with which most agree, those that agree well
// counting threefold: wrong pairs of pings at regular intervals agree too, but
// not as well. With prefer, one near the estimate before wins over a slightly
// better one; else, of the same, the smaller one: clocks are mostly in step.
func densest(list []candidate, before flow.Time, prefer bool) flow.Time {
	s := slices.Clone(list)
	slices.SortFunc(s, func(a, b candidate) int {
		switch {
		case a.diff < b.diff:
			return -1
		case a.diff > b.diff:
			return 1
		}
		return a.i - b.i
	})
	wide, narrow := within(s, flow.Time(agree/2)), within(s, flow.Time(tight/2))
	best, same := 0, -1
	score := func(i int) float64 { return wide[i] + 2*narrow[i] }
	for i := range s {
		if d := score(i) - score(best); d > 1e-9 || d > -1e-9 && abs(s[i].diff) < abs(s[best].diff) {
			best = i
		}
		if prefer && near(s[i].diff, before) && (same < 0 || score(i) > score(same)) {
			same = i
		}
	}
	if same >= 0 && score(same) >= 0.6*score(best) {
		best = same
	}
	return s[best].diff
}

// within returns for each difference the weight of those at most d from it.
func within(s []candidate, d flow.Time) []float64 {
	out := make([]float64, len(s))
	sum, begin, end := 0.0, 0, 0
	for i := range s {
		for ; end < len(s) && s[end].diff-s[i].diff <= d; end++ {
			sum += s[end].weight
		}
		for ; s[i].diff-s[begin].diff > d; begin++ {
			sum -= s[begin].weight
		}
		out[i] = sum
	}
	return out
}

func abs(t flow.Time) flow.Time { return max(t, -t) }

// neighbours is what the nearest pairs that cannot be mistaken say.
type neighbours struct {
	median        flow.Time // of localPairs
	before, after flow.Time // of the one before and the one after
}

// localMedians are the neighbours of each of n occurrences; nil where there are
// too few.
func localMedians(list []candidate, n int) []neighbours {
	var sure []candidate
	for _, c := range list {
		if c.weight == 1 {
			sure = append(sure, c)
		}
	}
	if len(sure) < localPairs {
		return nil
	}
	out := make([]neighbours, n)
	var buf [localPairs]flow.Time
	at, next := 0, 0 // first of the nearest; first not before i
	for i := range n {
		for at+localPairs < len(sure) && i-sure[at].i > sure[at+localPairs].i-i {
			at++
		}
		for k := range buf {
			buf[k] = sure[at+k].diff
		}
		slices.Sort(buf[:])
		for next < len(sure) && sure[next].i < i {
			next++
		}
		after := next
		if after < len(sure) && sure[after].i == i {
			after++ // not itself
		}
		out[i] = neighbours{buf[localPairs/2], sure[max(next-1, 0)].diff, sure[min(after, len(sure)-1)].diff}
	}
	return out
}
