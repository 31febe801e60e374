package probe

import (
	"slices"
	"time"

	"spiketop/flow"
)

// window keeps the fates of the last minute and their RTTs in order. Keeping
// 600 RTTs sorted costs a binary search and a move of at most 5 KB for each
// echo; sorting them for each frame and target would cost a thousand times that.
type window struct {
	span  time.Duration
	most  int    // fates kept; older ones go
	ring  []fate // oldest at head
	head  int
	count int

	sorted []time.Duration // RTTs of the answered ones, ascending
	lost   int

	last   time.Duration // RTT of the newest answered echo, None if none
	jitter float64       // ns
	seen   bool          // last is valid
}

// fate is an echo that was answered or lost.
type fate struct {
	at  flow.Time
	rtt time.Duration // None: lost
}

func newWindow(span time.Duration, most int) window {
	return window{span: span, most: most, last: None}
}

// answered adds an RTT.
//
// The jitter estimator is that of RFC 3550 6.4.1, J += (|D| - J)/16, with
// D = the difference of two consecutive RTTs.
func (w *window) answered(at flow.Time, rtt time.Duration) {
	if w.seen {
		d := float64((rtt - w.last).Abs())
		w.jitter += (d - w.jitter) / 16
	}
	w.last, w.seen = rtt, true
	w.push(fate{at, rtt})
	i, _ := slices.BinarySearch(w.sorted, rtt)
	w.sorted = slices.Insert(w.sorted, i, rtt)
}

func (w *window) miss(at flow.Time) {
	w.push(fate{at, None})
	w.lost++
}

func (w *window) push(f fate) {
	if w.count == w.most {
		w.pop()
	}
	if w.count == len(w.ring) {
		w.grow()
	}
	w.ring[(w.head+w.count)%len(w.ring)] = f
	w.count++
}

func (w *window) grow() {
	ring := make([]fate, min(max(2*len(w.ring), 16), w.most))
	for i := range w.count {
		ring[i] = w.ring[(w.head+i)%len(w.ring)]
	}
	w.ring, w.head = ring, 0
}

func (w *window) pop() {
	f := w.ring[w.head]
	w.head = (w.head + 1) % len(w.ring)
	w.count--
	if f.rtt == None {
		w.lost--
		return
	}
	i, _ := slices.BinarySearch(w.sorted, f.rtt)
	w.sorted = slices.Delete(w.sorted, i, i+1)
}

// expire forgets what was judged longer ago than the span.
func (w *window) expire(now flow.Time) {
	for w.count > 0 && w.ring[w.head].at <= now.Add(-w.span) {
		w.pop()
	}
}

// quantile returns the nearest-rank quantile, num/den with 0 < num <= den: the
// smallest RTT such that at least that part of all is not larger.
func (w *window) quantile(num, den int) time.Duration {
	n := len(w.sorted)
	if n == 0 {
		return None
	}
	return w.sorted[(n*num+den-1)/den-1]
}

func (w *window) fill(s *Stats) {
	s.Window = w.count
	s.Last, s.P50, s.P99, s.Max = w.last, w.quantile(50, 100), w.quantile(99, 100), w.quantile(1, 1)
	s.Jitter = time.Duration(w.jitter)
	if w.count > 0 {
		s.Loss = float64(w.lost) / float64(w.count)
	}
}
