package hops

import (
	"math"
	"math/bits"
	"slices"
	"time"

	"spiketop/flow"
)

// align puts the occurrences of all points on one time line: that of the point
// chosen by baseOf. Every other point is hung on the one, of those already on
// the line, with which it has the most keys in common.
func (o *Offline) align(lines []line) {
	common := o.common(lines)
	base := baseOf(lines)
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
			q.shift(offsets(candidates(&lines[parent], q, parent < next, len(o.keys)), q.occ))
			q.linked = true
		}
		done = append(done, next)
	}
}

// baseOf returns the point whose clock is the common line: of those whose clock
// was set back the least the first that saw about as much as any.
func baseOf(lines []line) (base int) {
	back, most := math.MaxInt, 0
	for i := range lines {
		switch b, n := lines[i].setBack(), len(lines[i].occ); {
		case b < back:
			back, most = b, n
		case b == back:
			most = max(most, n)
		}
	}
	for i := range lines {
		if lines[i].setBack() == back && len(lines[i].occ) >= most-most/8 {
			return i
		}
	}
	return 0
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
	first  flow.Time // diff by the requests alone, else by the replies
	weight float64   // 1 where nothing else can be meant
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
		c, ok := apart(x, y)
		if !ok {
			return
		}
		w := weight
		if len(a)*len(b) > 1 && !nested(&x.Hop, &y.Hop, before) {
			w /= 4
		}
		c.i, c.weight = int(b[j]), w
		list = append(list, c)
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
func apart(x, y *occurrence) (candidate, bool) {
	shift := x.ref - x.at() // of x's own clock to the line
	request, reply := x.Request-y.Request+shift, x.Reply-y.Reply+shift
	switch {
	case x.HasRequest && y.HasRequest && x.HasReply && y.HasReply:
		return candidate{diff: request + (reply-request)/2, first: request}, true
	case x.HasRequest && y.HasRequest:
		return candidate{diff: request, first: request}, true
	case x.HasReply && y.HasReply:
		return candidate{diff: reply, first: reply}, true
	}
	return candidate{}, false
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
