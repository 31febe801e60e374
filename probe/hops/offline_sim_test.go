package hops

import (
	"math/rand/v2"
	"slices"
	"time"

	"spiketop/flow"
)

// way is a simulated path whose truth is known: what is seen at each point is
// computed from delays that the test has chosen.
type way struct {
	rnd    *rand.Rand
	points int
	offset func(point int, at flow.Time) time.Duration // of a point's clock
	seen   [][]Sight                                   // by point
	truth  []Echo                                      // in the order sent, with the true stamps
	runs   map[Key]int
}

// begin is the true time at which simulations begin.
const begins = flow.Time(1_700_000_000_000_000_000)

func newWay(seed uint64, points int) *way {
	return &way{rnd: rand.New(rand.NewPCG(seed, 5)), points: points, seen: make([][]Sight, points), runs: map[Key]int{},
		offset: func(int, flow.Time) time.Duration { return 0 }}
}

// trip says what becomes of one echo.
type trip struct {
	at        flow.Time
	id, seq   uint16
	out, back []time.Duration // of each segment; len = points, the last is half of what is beyond
	lostOut   int             // the segment in which the request is lost, counted from 1; 0 = none
	lostBack  int             // the segment in which the reply is lost
	again     int             // further replies, from beyond the last point
	doubled   int             // segment in which the request is doubled, from 1
	unseen    []int           // points that capture nothing of it
}

// usual are delays of some tens of microseconds.
func (w *way) usual() (d []time.Duration) {
	for range w.points {
		d = append(d, time.Duration(10+w.rnd.IntN(40))*time.Microsecond)
	}
	return d
}

func keyFor(id, seq uint16) Key {
	k := Key{Family: flow.FamilyIPv4, ID: id, Seq: seq}
	flow.SetIPv4(&k.Src, []byte{10, 1, 16, 165})
	flow.SetIPv4(&k.Dst, []byte{10, 1, 16, 55})
	return k
}

// send simulates t.
func (w *way) send(t trip) {
	k := keyFor(t.id, t.seq)
	w.runs[k]++
	e := Echo{Key: k, Occurrence: w.runs[k], Hops: make([]Hop, w.points)}
	at, copies := t.at, 1
	for p := range w.points {
		if !slices.Contains(t.unseen, p) {
			e.Hops[p].Request, e.Hops[p].HasRequest = w.see(p, at, k, false), true
			for c := 1; c < copies; c++ {
				w.see(p, at.Add(time.Duration(c)*3*time.Microsecond), k, false)
			}
		}
		if t.lostOut == p+1 {
			w.truth = append(w.truth, e)
			return
		}
		if t.doubled == p+1 {
			copies++
		}
		at = at.Add(t.out[p])
	}
	for p := w.points - 1; p >= 0; p-- {
		at = at.Add(t.back[p])
		if t.lostBack == p+1 && p < w.points {
			break
		}
		if !slices.Contains(t.unseen, p) {
			e.Hops[p].Reply, e.Hops[p].HasReply = w.see(p, at, k, true), true
			for n := range t.again + copies - 1 {
				w.see(p, at.Add(time.Duration(n+1)*5*time.Microsecond), k, true)
				e.Hops[p].Duplicates++
			}
		}
	}
	w.truth = append(w.truth, e)
}

func (w *way) see(p int, at flow.Time, k Key, reply bool) flow.Time {
	at = at.Add(w.offset(p, at))
	w.seen[p] = append(w.seen[p], Sight{Key: k, Point: p, At: at, Reply: reply})
	return at
}

// match gives the matcher each point's sights in the order of their true time;
// later says from which true time on a point captures.
func (w *way) matched(keep func(s *Sight) bool) *Matched {
	o := NewOffline(w.points)
	for p := range w.seen {
		for i := range w.seen[p] {
			if s := w.seen[p][i]; keep == nil || keep(&s) {
				o.Add(&s)
			}
		}
	}
	return o.Match()
}
