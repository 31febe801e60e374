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

// clockDrift is by how much two clocks may drift apart meanwhile: 500 ppm is the
// most by which the kernel slews one for NTP (kernel/time/ntp.c, MAXFREQ).
const clockDrift = 500e-6

// clockGrain is by how much stamps of two hosts may contradict one another before
// a clock must have been set.
const clockGrain = int64(20 * time.Microsecond)

// clock estimates the far clock minus the near one from echoes that passed both
// hosts, as NTP does: the fastest way out and the fastest way back bound it from
// both sides, whatever the clocks show. The bounds of an older echo are taken
// wider by what the clocks may have drifted since, and those from before a clock
// was set not at all.
type clock struct {
	samples [clockSamples]clockSample
	n       int
}

// clockSample is one echo's bounds.
type clockSample struct {
	at        int64 // near clock
	out, back int64 // far - near of the request, near - far of the reply
}

// add takes an echo: stamps in ns, each in its host's clock. The request went
// from near to far, or with fromFar the other way.
func (c *clock) add(nearRequest, nearReply, farRequest, farReply int64, fromFar bool) {
	s := clockSample{nearRequest, farRequest - nearRequest, nearReply - farReply}
	if fromFar { // the reply goes from near to far
		s.out, s.back = farReply-nearReply, nearRequest-farRequest
	}
	c.samples[c.n%clockSamples] = s
	c.n++
}

// offset returns the estimate in ns at the newest echo with the bound of its
// error; ok is false with too few echoes since a clock was set.
func (c *clock) offset() (offset int64, within time.Duration, ok bool) {
	out, back := int64(math.MaxInt64), int64(math.MaxInt64)
	used := 0
	for ; used < min(c.n, clockSamples); used++ {
		s := c.samples[(c.n-1-used)%clockSamples]
		age := time.Duration(c.samples[(c.n-1)%clockSamples].at - s.at).Abs()
		drift := int64(clockDrift * float64(age))
		o, b := min(out, s.out+drift), min(back, s.back+drift)
		if o+b < -clockGrain {
			break // a clock was set in between
		}
		out, back = o, b
	}
	if used < clockLeast {
		return 0, 0, false
	}
	return (out - back) / 2, time.Duration(max(out+back, 0)+1) / 2, true
}
