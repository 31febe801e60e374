package hops

import (
	"math"
	"slices"
	"time"

	"spiketop/flow"
)

// talk is two addresses that ping one another in one direction.
type talk struct {
	family   flow.Family
	src, dst [16]byte
}

// watch is what is known of one talk at one point, on the common line.
type watch struct {
	seen     bool
	from, to flow.Time // between which the point was surely capturing
	blindTo  flow.Time // answered echoes until then passed unseen
	blindAt  flow.Time // ... and from then on
}

// How long an echo may stay without a reply before it is lost: ten times what is
// usual between the two addresses, within these bounds.
const (
	leastPatience = 50 * time.Millisecond
	mostPatience  = time.Second
)

// witness says where not having seen an echo says nothing, and which unanswered
// echoes are too young to be called lost. A capture has no time of its
// beginning and end but its packets. Where echoes went missing before the first
// or after the last of them, it was capturing as long as nothing says otherwise,
// for a network that is cut also ends what a capture shows; an answered echo
// that passed unseen says otherwise.
func (o *Offline) witness(list []placed, lines []line) {
	talks, of := talksOf(o.keys)
	watches := make([]watch, talks*len(lines))
	at := func(e *placed, p int) *watch { return &watches[int(of[e.key])*len(lines)+p] }
	for i := range watches {
		l := &lines[i%len(lines)]
		watches[i] = watch{from: l.from, to: l.to, blindTo: math.MinInt64, blindAt: math.MaxInt64}
		if l.cut {
			watches[i].blindAt = l.to
		}
	}
	for i := range list {
		for p := range lines {
			at(&list[i], p).learn(&list[i].Hops[p], list[i].ref)
		}
	}
	rtts := make([][]time.Duration, talks)
	for i := range list {
		rtt, answered := list[i].RTT()
		if !answered {
			continue
		}
		t := of[list[i].key]
		rtts[t] = append(rtts[t], rtt)
		for p := range lines {
			at(&list[i], p).missed(&list[i].Hops[p], list[i].ref)
		}
	}
	wait := make([]time.Duration, talks)
	for t := range wait {
		wait[t] = patience(rtts[t])
	}
	for i := range list {
		e := &list[i]
		for p := range lines {
			h, w := &e.Hops[p], at(e, p)
			h.Blind = !h.HasRequest && !h.HasReply && (e.ref <= w.blindTo || e.ref >= w.blindAt)
		}
		e.Open = e.young(wait[of[e.key]], func(p int) *watch { return at(e, p) })
	}
}

// talksOf numbers the talks; of is by key.
func talksOf(keys []Key) (n int, of []uint32) {
	ids := map[talk]uint32{}
	of = make([]uint32, len(keys))
	for i := range keys {
		k := &keys[i]
		t := talk{k.Family, k.Src, k.Dst}
		id, ok := ids[t]
		if !ok {
			id = uint32(len(ids))
			ids[t] = id
		}
		of[i] = id
	}
	return len(ids), of
}

func (w *watch) learn(h *Hop, ref flow.Time) {
	if !h.HasRequest && !h.HasReply {
		return
	}
	w.seen = true
	w.from, w.to = min(w.from, ref), max(w.to, ref)
}

// missed takes note of an answered echo that may have passed unseen.
func (w *watch) missed(h *Hop, ref flow.Time) {
	switch {
	case h.HasRequest || h.HasReply:
	case !w.seen: // this talk does not come by here
		w.blindTo = math.MaxInt64
	case ref < w.from:
		w.blindTo = max(w.blindTo, ref)
	case ref > w.to:
		w.blindAt = min(w.blindAt, ref)
	}
}

// young reports whether the file of the first point ended too soon after the
// request to call the echo lost.
func (e *placed) young(wait time.Duration, at func(p int) *watch) bool {
	for p := range e.Hops {
		h := &e.Hops[p]
		if h.HasReply {
			return false // answered, or else without its request
		}
		if !h.HasRequest {
			continue
		}
		return e.ref.Add(wait) > at(p).to
	}
	return false
}

// patience sorts rtts, those of answered echoes.
func patience(rtts []time.Duration) time.Duration {
	if len(rtts) == 0 {
		return mostPatience
	}
	slices.Sort(rtts)
	return min(max(10*rtts[len(rtts)/2], leastPatience), mostPatience)
}
