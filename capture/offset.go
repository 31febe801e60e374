package capture

import (
	"time"

	"spiketop/flow"
)

// stepMargin is how far outside the measured bounds the kept offset must lie to
// be called stepped. The bounds themselves are strict, however long this process
// was off the CPU between the readings; the margin covers clock sources whose
// two clocks round differently. A step this small moves no verdict, and several
// of them add up until they are seen.
const stepMargin = 100 * time.Microsecond

// ClockPair is one reading of CLOCK_REALTIME between two of CLOCK_MONOTONIC, all
// in nanoseconds.
type ClockPair struct{ Before, Real, After int64 }

// width is how inexact the pair is: the offset lies in [Real-After, Real-Before].
func (p ClockPair) width() int64 { return p.After - p.Before }

// Offset keeps CLOCK_REALTIME - CLOCK_MONOTONIC constant until somebody steps
// the clock. NTP slews both clocks alike (kernel/time/timekeeping.c: they differ
// by wall_to_monotonic, which only a step changes), so a value that follows
// every measurement would only add its noise to differences of stamps; a
// constant one leaves them exact to the nanosecond. Take comes first.
type Offset struct {
	value flow.WallOffset
	width int64 // of the pair that it was taken from
}

// Value returns the offset.
func (o *Offset) Value() flow.WallOffset { return o.value }

// Contradicts reports whether the clock has been stepped since the offset was
// taken: no instant between the two monotonic readings can explain the pair.
func (o *Offset) Contradicts(p ClockPair) bool {
	slack := int64(stepMargin) + o.width/2
	return int64(o.value) < p.Real-p.After-slack || int64(o.value) > p.Real-p.Before+slack
}

// Take sets the offset to the middle of what p allows.
func (o *Offset) Take(p ClockPair) {
	o.value = flow.WallOffset(p.Real - p.Before - p.width()/2)
	o.width = p.width()
}
