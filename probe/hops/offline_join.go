package hops

import (
	"slices"
	"time"

	"spiketop/flow"
)

// How far occurrences may be apart on the common line to be one echo: where
// their key was used more than once, and where it was not.
const (
	reach      = 10 * time.Second
	reachAlone = time.Minute
)

// placed is an echo on the common line.
type placed struct {
	Echo
	key     uint32
	ref     flow.Time // of the request at the first point that saw it, else of the reply
	request flow.Time // on the line, where it was last seen so far on the way out
	reply   flow.Time
	hasRequest,
	hasReply bool
}

// join makes the echoes of all points' occurrences, in order of time.
func (o *Offline) join(lines []line, facts []PointFacts) []placed {
	var all []placed
	var slab []Hop
	hops := func() []Hop {
		if len(slab) < len(lines) {
			slab = make([]Hop, 1024*len(lines))
		}
		h := slab[:len(lines):len(lines)]
		slab = slab[len(lines):]
		return h
	}
	var list, spare []placed
	for k := range o.keys {
		list = list[:0]
		for p := range lines {
			l := &lines[p]
			if l.start[k] == l.start[k+1] {
				continue
			}
			list, spare = l.joinTo(p, l.of(k), list, spare[:0], hops), list
		}
		list = fold(list, facts)
		for i := range list {
			e := &list[i]
			e.Key, e.key, e.Occurrence = o.keys[k], uint32(k), i+1
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		switch {
		case a.ref < b.ref:
			return -1
		case a.ref > b.ref:
			return 1
		}
		return 0
	})
	return all
}

// joinTo finds for each of a point's occurrences of one key its echo. Both are
// in order of time; an echo that the point missed, or one that it alone saw, is
// passed over, so that those after it still find each other. out is overwritten.
func (l *line) joinTo(p int, occ []uint32, list, out []placed, hops func() []Hop) []placed {
	tolerance := flow.Time(reach)
	if len(list) <= 1 && len(occ) <= 1 {
		tolerance = flow.Time(reachAlone)
	}
	i, j := 0, 0
	dist := func(di, dj int) flow.Time {
		if i+di >= len(list) || j+dj >= len(occ) {
			return 2 * tolerance
		}
		return abs(list[i+di].before(&l.occ[occ[j+dj]]))
	}
	for i < len(list) && j < len(occ) {
		d, x := list[i].before(&l.occ[occ[j]]), &l.occ[occ[j]]
		near := abs(d)
		switch {
		case near > tolerance && d < 0, near <= tolerance && dist(0, 1) < near && dist(0, 1) <= dist(1, 1):
			out = append(out, begin(p, x, hops()))
			j++
		case near > tolerance, dist(1, 0) < near && dist(1, 0) <= dist(1, 1):
			out = append(out, list[i])
			i++
		default:
			list[i].take(p, x)
			out = append(out, list[i])
			i++
			j++
		}
	}
	out = append(out, list[i:]...)
	for ; j < len(occ); j++ {
		out = append(out, begin(p, &l.occ[occ[j]], hops()))
	}
	return out
}

// begin is a new echo, seen by p first.
func begin(p int, x *occurrence, h []Hop) placed {
	e := placed{Echo: Echo{Hops: h}, ref: x.ref}
	e.take(p, x)
	return e
}

// take adds what p saw.
func (e *placed) take(p int, x *occurrence) {
	e.Hops[p] = x.Hop
	if x.HasRequest {
		e.request, e.hasRequest = x.ref, true
	}
	if x.HasReply {
		e.reply, e.hasReply = x.Reply+x.ref-x.at(), true
	}
}

// before is how much earlier e is than x: request against request or reply
// against reply where there are both.
func (e *placed) before(x *occurrence) flow.Time {
	reply := x.Reply + x.ref - x.at()
	switch {
	case x.HasRequest && e.hasRequest:
		return x.ref - e.request
	case x.HasReply && e.hasReply:
		return reply - e.reply
	case x.HasReply:
		return reply - e.request
	}
	return x.ref - e.reply
}

// doubled is how soon a second copy of a request follows where a point captures
// it twice, as "any" does on a bridge.
const doubled = time.Millisecond

// fold joins what is not an echo of its own: a request that was doubled on its
// way, or that one point captured twice, and replies that came once more at a
// point which had not seen the request.
func fold(list []placed, facts []PointFacts) []placed {
	if len(list) < 2 || len(facts) < 2 {
		return list
	}
	out := list[:0]
	for i := 0; i < len(list); {
		end := i + 1
		for end < len(list) && list[end].closeTo(&list[end-1]) {
			end++
		}
		if end > i+1 && once(list[i:end]) {
			for j := i + 1; j < end; j++ {
				list[i].absorb(&list[j], facts)
			}
			out = append(out, list[i])
		} else {
			out = append(out, list[i:end]...)
		}
		i = end
	}
	list = out
	out = list[:1]
	for i := 1; i < len(list); i++ {
		if e := &out[len(out)-1]; list[i].copyOf(e) {
			e.absorb(&list[i], facts)
		} else {
			out = append(out, list[i])
		}
	}
	return out
}

// closeTo reports whether e and f are no further apart than copies are: at a
// point that saw both requests, else on the common line.
func (e *placed) closeTo(f *placed) bool {
	for p := range e.Hops {
		if g, h := &e.Hops[p], &f.Hops[p]; g.HasRequest && h.HasRequest {
			return abs(g.Request-h.Request) <= flow.Time(doubled)
		}
	}
	return abs(e.ref-f.ref) <= flow.Time(doubled)
}

// once reports whether a cluster of echoes with one key is one echo: one of the
// points that saw any of it saw it once only.
func once(list []placed) bool {
	for p := range list[0].Hops {
		n := 0
		for i := range list {
			if h := &list[i].Hops[p]; h.HasRequest || h.HasReply {
				n++
			}
		}
		if n == 1 {
			return true
		}
	}
	return false
}

// absorb adds what was seen of a copy of e.
func (e *placed) absorb(f *placed, facts []PointFacts) {
	for p := range f.Hops {
		g, h := &f.Hops[p], &e.Hops[p]
		switch {
		case !g.HasRequest && !g.HasReply:
			continue
		case !h.HasRequest && !h.HasReply:
			*h = *g
			continue
		case g.HasRequest && h.HasRequest:
			facts[p].Doubled++
			h.Request = min(h.Request, g.Request)
		case g.HasRequest:
			h.Request, h.HasRequest = g.Request, true
		}
		h.Duplicates += g.Duplicates
		if g.HasReply {
			h.answer(g.Reply)
		}
	}
	if f.hasReply {
		e.reply, e.hasReply = max(e.reply, f.reply), true
	}
}

// copyOf reports whether f, which follows e, is only a copy of it, made on the
// way while e was under way: wherever f was seen, e was seen before it, but at
// the first point, from where each echo comes, f was not.
func (f *placed) copyOf(e *placed) bool {
	first := -1
	for p := range e.Hops {
		g, h := &f.Hops[p], &e.Hops[p]
		if h.HasRequest && first < 0 {
			first = p
			if g.HasRequest || g.HasReply {
				return false
			}
		}
		if g.HasRequest && !h.HasRequest || g.HasReply && !g.HasRequest && !h.HasReply {
			return false
		}
	}
	under := e.ref
	if e.hasReply {
		under = max(under, e.reply)
	}
	return first >= 0 && f.ref <= under.Add(doubled)
}
