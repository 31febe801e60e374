package capture

import (
	"time"

	"spiketop/flow"
)

// Stamps outside [drained-stampPast, now+stampAhead] were not made on the clock
// that the offset stands for.
const (
	stampPast  = time.Second
	stampAhead = time.Millisecond
)

// stamps converts one link's kernel stamps. After a step of the clock, frames
// stamped before it and after it are read side by side for a moment, so it knows
// the offset before the last step too and takes what makes sense.
type stamps struct {
	cur, prev flow.WallOffset
	steps     int // of the Clock, as known here
	sample    func() (flow.WallOffset, int)
}

func newStamps(sample func() (flow.WallOffset, int)) stamps {
	off, n := sample()
	return stamps{cur: off, prev: off, steps: n, sample: sample}
}

// refresh asks the clock and returns how many steps are new.
func (s *stamps) refresh() int {
	off, n := s.sample()
	fresh := n - s.steps
	if fresh > 0 {
		s.prev, s.cur, s.steps = s.cur, off, n
	}
	return fresh
}

// convert returns the time of a stamp that was read at now, when everything
// before drained had been read, and the offset that it used. ok is false if no
// known offset makes sense of it; the time is then the nearest that does.
func (s *stamps) convert(stamp int64, drained, now flow.Time) (at flow.Time, off flow.WallOffset, ok bool) {
	lo, hi := drained.Add(-stampPast), now.Add(stampAhead)
	for _, off := range [...]flow.WallOffset{s.cur, s.prev} {
		if at := off.Mono(stamp); at >= lo && at <= hi {
			return at, off, true
		}
	}
	return min(max(s.cur.Mono(stamp), lo), now), s.cur, false
}
