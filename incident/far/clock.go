package far

import (
	"math"
	"time"
)

// clockSamples is of how many echoes the fastest are taken: a clock that is set
// or drifts is followed within as many.
const clockSamples = 64

// clockLeast is how many are needed.
const clockLeast = 3

// clock estimates the far clock minus the near one from echoes that passed both
// hosts, as NTP does: the fastest way out and the fastest way back bound it from
// both sides, whatever the clocks show.
type clock struct {
	out, back [clockSamples]int64 // far - near of the request, near - far of the reply
	n         int
}

// add takes an echo: stamps in ns, each in its host's clock. The request went
// from near to far, or with fromFar the other way.
func (c *clock) add(nearRequest, nearReply, farRequest, farReply int64, fromFar bool) {
	out, back := farRequest-nearRequest, nearReply-farReply
	if fromFar { // the reply goes from near to far
		out, back = farReply-nearReply, nearRequest-farRequest
	}
	c.out[c.n%clockSamples], c.back[c.n%clockSamples] = out, back
	c.n++
}

// offset returns the estimate in ns with the bound of its error; ok is false
// with too few echoes.
func (c *clock) offset() (offset int64, within time.Duration, ok bool) {
	n := min(c.n, clockSamples)
	if n < clockLeast {
		return 0, 0, false
	}
	out, back := int64(math.MaxInt64), int64(math.MaxInt64)
	for i := range n {
		out, back = min(out, c.out[i]), min(back, c.back[i])
	}
	return (out - back) / 2, time.Duration(max(out+back, 0)+1) / 2, true
}
