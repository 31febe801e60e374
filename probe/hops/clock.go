package hops

import (
	"math"
	"slices"
	"time"

	"spiketop/flow"
)

// PairClock is what the echoes say of the clocks of two points. An echo's
// request shows how far the second clock is at most before the first, its reply
// how far at least: the way out and the way back take no negative time.
//
// Offset is the middle between the closest bounds, and right within Uncertainty
// as long as nobody set a clock. Where bounds contradict one another the clocks
// drift, which is allowed for, or one was set: then there are Steps.
type PairClock struct {
	From, To    int
	Echoes      int           // seen by both, both ways
	Offset      time.Duration // To's clock minus From's; of the first stretch
	Uncertainty time.Duration
	One         bool // they agree within oneClock over all echoes
	Rate        float64
	Steps       []ClockStep
	Reversed    bool // most echoes took longer at To: the points are not in the order of the way

	orders []int // of the echoes, ascending
	low    []flow.Time
	high   []flow.Time // bounds of the offset at each echo
	ownLow []flow.Time
	ownUp  []flow.Time // what the echo itself shows
}

// ClockStep is a clock that was set, seen at an echo.
type ClockStep struct {
	Order int           // of the first echo after it
	By    time.Duration // To's clock against From's
}

const (
	oneClock = 100 * time.Microsecond // the bounds of clocks that are called one
	grain    = 20 * time.Microsecond  // by which stamps of one clock contradict each other: files, CPUs
	steady   = 50                     // ppm by which two free-running clocks drift apart, in a long stretch
	fewPairs = 8                      // echoes below which steady is assumed though less would fit
)

// rates are tried in turn, ppm: clocks that are kept in step, then free ones.
var rates = []float64{1, 10, steady, 200}

// Clock returns what the matched echoes say of two points' clocks. It is computed
// once: one goroutine at a time.
func (m *Matched) Clock(from, to int) *PairClock {
	k := [2]int{from, to}
	c, ok := m.clocks[k]
	if !ok {
		c = newPairClock(m.Echoes, from, to)
		m.clocks[k] = c
	}
	return c
}

// newPairClock reads echoes in the order of time.
func newPairClock(echoes []Echo, from, to int) *PairClock {
	c := &PairClock{From: from, To: to}
	var times []flow.Time
	wrong := 0
	for i := range echoes {
		a, b := &echoes[i].Hops[from], &echoes[i].Hops[to]
		if !a.HasRequest || !a.HasReply || !b.HasRequest || !b.HasReply {
			continue
		}
		c.Echoes++
		low, up := b.Reply-a.Reply, b.Request-a.Request
		if low > up+flow.Time(grain) {
			wrong++
			continue
		}
		c.orders = append(c.orders, echoes[i].Order)
		c.ownLow, c.ownUp = append(c.ownLow, low), append(c.ownUp, up)
		times = append(times, a.Request)
	}
	c.Reversed = wrong > c.Echoes/2
	if len(c.orders) > 0 {
		c.bound(times)
		c.judge()
	}
	return c
}

// bound computes the bounds of the offset at each echo with the smallest drift
// that contradicts nothing.
func (c *PairClock) bound(times []flow.Time) {
	tries := rates
	if len(times) < fewPairs {
		tries = rates[slices.Index(rates, steady):]
	}
	for _, c.Rate = range tries {
		if len(c.stretches(times)) == 1 {
			c.spread(times, []int{0})
			return
		}
	}
	c.Rate = steady
	starts := c.stretches(times)
	c.spread(times, starts)
	for _, i := range starts[1:] {
		before, after := c.middle(i-1), c.middle(i)
		c.Steps = append(c.Steps, ClockStep{c.orders[i], time.Duration(after - before)})
	}
}

// stretches returns where each stretch begins within which no bounds contradict
// one another.
func (c *PairClock) stretches(times []flow.Time) []int {
	starts := []int{0}
	low, up := c.ownLow[0], c.ownUp[0]
	for i := 1; i < len(times); i++ {
		d := c.drift(times[i-1], times[i])
		low, up = max(low-d, c.ownLow[i]), min(up+d, c.ownUp[i])
		if low > up+flow.Time(grain) {
			starts = append(starts, i)
			low, up = c.ownLow[i], c.ownUp[i]
		}
	}
	return starts
}

// drift is how far the clocks can have drifted apart between two times.
func (c *PairClock) drift(a, b flow.Time) flow.Time {
	return flow.Time(math.Abs(float64(b-a)) * c.Rate / 1e6)
}

// spread carries the bounds of each echo to its neighbours of the same stretch.
func (c *PairClock) spread(times []flow.Time, starts []int) {
	c.low, c.high = slices.Clone(c.ownLow), slices.Clone(c.ownUp)
	for s, begin := range starts {
		end := len(times)
		if s+1 < len(starts) {
			end = starts[s+1]
		}
		for i := begin + 1; i < end; i++ {
			d := c.drift(times[i-1], times[i])
			c.low[i], c.high[i] = max(c.low[i], c.low[i-1]-d), min(c.high[i], c.high[i-1]+d)
		}
		for i := end - 2; i >= begin; i-- {
			d := c.drift(times[i], times[i+1])
			c.low[i], c.high[i] = max(c.low[i], c.low[i+1]-d), min(c.high[i], c.high[i+1]+d)
		}
	}
}

func (c *PairClock) middle(i int) flow.Time { return c.low[i] + (c.high[i]-c.low[i])/2 }

// half is the uncertainty of middle.
func (c *PairClock) half(i int) time.Duration {
	return max(time.Duration(abs(c.high[i]-c.low[i])+1)/2, time.Microsecond)
}

// judge fills in what is said of the pair as a whole: the offset where it is
// known best, before the first step.
func (c *PairClock) judge() {
	best := 0
	for i := range c.orders {
		if len(c.Steps) > 0 && c.orders[i] >= c.Steps[0].Order {
			break
		}
		if c.half(i) < c.half(best) {
			best = i
		}
	}
	c.Offset, c.Uncertainty = time.Duration(c.middle(best)), c.half(best)
	low, up := slices.Max(c.ownLow), slices.Min(c.ownUp)
	if g := flow.Time(grain); low <= g && up >= -g && up-low <= flow.Time(oneClock) {
		c.One, c.Offset, c.Uncertainty, c.Steps = true, 0, max(time.Duration(max(abs(up), abs(low))), time.Microsecond), nil
	}
}

// Known reports whether the echoes say anything of the two clocks.
func (c *PairClock) Known() bool { return len(c.orders) > 0 }

// At returns the offset at an echo and how uncertain it is; false for an echo
// that one of the two points did not see both ways.
func (c *PairClock) At(order int) (offset, uncertainty time.Duration, ok bool) {
	i, ok := slices.BinarySearch(c.orders, order)
	if !ok {
		return 0, 0, false
	}
	if c.One {
		return 0, c.Uncertainty, true
	}
	return time.Duration(c.middle(i)), c.half(i), true
}

// Split splits the time of e between the two points by way. It is false where
// the clocks are not known well enough to say on which way the larger part was:
// that they are one, or that the uncertainty is at most a quarter of the time.
func (c *PairClock) Split(e *Echo) (Split, bool) {
	offset, uncertainty, ok := c.At(e.Order)
	if !ok {
		return Split{}, false
	}
	a, b := &e.Hops[c.From], &e.Hops[c.To]
	s := Split{Request: b.Request.Sub(a.Request) - offset, Reply: offset - b.Reply.Sub(a.Reply), Uncertainty: uncertainty}
	return s, c.One || 4*uncertainty <= s.Request+s.Reply
}

// Split is [Reporter.Split] by what the echoes say of the clocks.
func (m *Matched) Split(e *Echo, from, to int) (Split, bool) { return m.Clock(from, to).Split(e) }
