package hops

import (
	"math"
	"math/bits"
	"slices"
	"time"

	"spiketop/flow"
)

// align puts the occurrences of all points on one time line: that of the point
// that saw the most, of those whose clock was not set back. Every other point is hung on the one, of those already on
// the line, with which it has the most keys in common.
func (o *Offline) align(lines []line) {
	common := o.common(lines)
	base, back := 0, lines[0].setBack()
	for i := range lines {
		b := lines[i].setBack()
		if b < back || b == back && len(lines[i].occ) > len(lines[base].occ) {
			base, back = i, b
		}
	}
	lines[base].shift(func(int) flow.Time { return 0 })
	lines[base].linked = len(lines[base].occ) > 0
	done := []int{base}
	for len(done) < len(lines) {
		next, parent := -1, -1
		for q := range lines {
			if slices.Contains(done, q) {
				continue
			}
			for _, p := range done {
				if next < 0 || common[p][q] > common[parent][next] {
					next, parent = q, p
				}
			}
		}
		q := &lines[next]
		if common[parent][next] == 0 {
			q.shift(func(int) flow.Time { return 0 })
		} else {
			q.shift(offsets(candidates(&lines[parent], q, parent < next, len(o.keys)), len(q.occ)))
			q.linked = true
		}
		done = append(done, next)
	}
}

// setBack counts how often a point's clock was set back; a point that saw nothing
// is no time line either.
func (l *line) setBack() int {
	if len(l.occ) == 0 {
		return math.MaxInt
	}
	n := 0
	for i := 1; i < len(l.occ); i++ {
		if l.occ[i].at() < l.occ[i-1].at().Add(-disorder) {
			n++
		}
	}
	return n
}

// shift sets every occurrence's place on the common line.
func (l *line) shift(offset func(i int) flow.Time) {
	for i := range l.occ {
		l.occ[i].ref = l.occ[i].at() + offset(i)
	}
	if n := len(l.occ); n > 0 {
		l.from += offset(0)
		l.to += offset(n - 1)
	}
}

// common counts the keys that two points share.
func (o *Offline) common(lines []line) (n [MaxPoints][MaxPoints]int) {
	for k := range o.keys {
		var mask uint64
		for p := range lines {
			if lines[p].start[k] != lines[p].start[k+1] {
				mask |= 1 << p
			}
		}
		for a := mask; a != 0; a &= a - 1 {
			p := bits.TrailingZeros64(a)
			for b := a & (a - 1); b != 0; b &= b - 1 {
				q := bits.TrailingZeros64(b)
				n[p][q]++
				n[q][p]++
			}
		}
	}
	return n
}

// candidate is a pair of occurrences with one key at two points that may be one
// echo; diff is the common line minus the point's own clock.
type candidate struct {
	i      int // at the point that is being put on the line
	diff   flow.Time
	weight float64 // 1 where nothing else can be meant
}

// candidates pairs the occurrences of q with those of p, which is on the line,
// in the order of q. before says that p comes before q on the request's way.
func candidates(p, q *line, before bool, keys int) (list []candidate) {
	for k := range keys {
		a, b := p.of(k), q.of(k)
		if len(a) == 0 || len(b) == 0 {
			continue
		}
		for j := range b {
			list = pairUp(list, p, q, a, b, j, before)
		}
	}
	slices.SortStableFunc(list, func(x, y candidate) int { return x.i - y.i })
	return list
}

// around is how far apart in rank occurrences of a much used key are compared,
// counted from the first and from the last.
const around = 3

// pairUp adds the candidates of q's j-th occurrence of a key.
func pairUp(list []candidate, p, q *line, a, b []uint32, j int, before bool) []candidate {
	weight := 1 / float64(len(a)) / float64(len(b))
	add := func(i int) {
		x, y := &p.occ[a[i]], &q.occ[b[j]]
		diff, ok := apart(x, y)
		if !ok {
			return
		}
		w := weight
		if len(a)*len(b) > 1 && !nested(&x.Hop, &y.Hop, before) {
			w /= 4
		}
		list = append(list, candidate{int(b[j]), diff, w})
	}
	if len(a) <= 2*around+1 {
		for i := range a {
			add(i)
		}
		return list
	}
	shift := len(a) - len(b)
	low, high := min(j, j+shift), max(j, j+shift)
	for i := max(0, low-around); i <= min(len(a)-1, low+around); i++ {
		add(i)
	}
	for i := max(0, low+around+1, high-around); i <= min(len(a)-1, high+around); i++ {
		add(i)
	}
	return list
}

// apart is x's place on the line minus y's own time: the middle of the
// difference of the requests, which the way out makes too small, and that of the
// replies, which the way back makes too large.
func apart(x, y *occurrence) (flow.Time, bool) {
	shift := x.ref - x.at() // of x's own clock to the line
	request, reply := x.Request-y.Request+shift, x.Reply-y.Reply+shift
	switch {
	case x.HasRequest && y.HasRequest && x.HasReply && y.HasReply:
		return request + (reply-request)/2, true
	case x.HasRequest && y.HasRequest:
		return request, true
	case x.HasReply && y.HasReply:
		return reply, true
	}
	return 0, false
}

// coarse is how much longer an RTT may be at the inner of two points because
// stamps are coarse.
const coarse = 2 * time.Millisecond

// nested reports whether the echo may have been under way longer at the outer
// of two points than at the inner one, as it must.
func nested(x, y *Hop, before bool) bool {
	rx, okx := x.RTT()
	ry, oky := y.RTT()
	if !okx || !oky {
		return true
	}
	if before {
		return ry <= rx+coarse
	}
	return rx <= ry+coarse
}

const (
	agree      = time.Second           // differences that agree: one-way delays are shorter
	tight      = 10 * time.Millisecond // differences that agree well, as those of most true pairs do
	blockSize  = 16                    // occurrences after which a clock's offset is estimated anew
	sampleSize = 8192                  // candidates of the estimate over all
	localPairs = 5
)

// offsets estimates what to add to a point's own clock, for each of its n
// occurrences: block by block what most candidates say, so that a clock that
// drifts or is set in the middle is followed.
func offsets(list []candidate, n int) func(i int) flow.Time {
	out := make([]flow.Time, n)
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
		out[i] = choose(choices[:k], list[c:own])
	}
	return func(i int) flow.Time { return out[i] }
}

// choose returns the first estimate that one of the occurrence's own candidates
// agrees with, else the first.
func choose(estimates []flow.Time, own []candidate) flow.Time {
	for _, e := range estimates {
		for j := range own {
			if near(e, own[j].diff) {
				return e
			}
		}
	}
	return estimates[0]
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
