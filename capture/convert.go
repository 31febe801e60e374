package capture

import (
	"time"

	"spiketop/flow"
)

// InFlight bounds the time from a frame's stamp to its place in a ring or socket.
const InFlight = inFlight

// Stamps converts the kernel's stamps (CLOCK_REALTIME) of frames that were not
// read from a Reader's ring, by the same rules. It belongs to one goroutine.
type Stamps struct{ s stamps }

// NewStamps returns a converter by a Clock.
func NewStamps(c *Clock) *Stamps { return &Stamps{newStamps(c.Sample)} }

// Refresh asks the clock for its offset and returns how often somebody has
// stepped it since the last call. Call it around every poll.
func (s *Stamps) Refresh() int { return s.s.refresh() }

// Offset returns the offset in use.
func (s *Stamps) Offset() flow.WallOffset { return s.s.cur }

// Convert returns the time of a stamp in nanoseconds since 1970 that was read at
// now, when everything before drained had been read, and the offset that it
// used. ok is false if no known offset makes sense of it, the time then being the
// nearest that does.
func (s *Stamps) Convert(stamp time.Duration, drained, now flow.Time) (at flow.Time, off flow.WallOffset, ok bool) {
	at, off, ok = s.s.convert(int64(stamp), drained, now)
	if !ok && s.Refresh() > 0 { // has the clock been stepped since the poll?
		at, off, ok = s.s.convert(int64(stamp), drained, now)
	}
	return at, off, ok
}
