package offline

import (
	"fmt"
	"time"
)

// A clock makes a file's times go on.
type clock struct {
	last  int64 // as handed out
	shift int64 // added to the file's times
	odd   bool  // the packet that comes has no time of its own
}

// How far times may go back among neighbours, and forward without being doubted.
const (
	mostBack  = int64(2 * time.Second)
	mostAhead = int64(time.Hour)
	// times from 1970 to 2200: durations can be added to them
	lastTime = int64(7_258_118_400_000_000_000)
)

func sane(at int64) bool { return at > 0 && at < lastTime }

// fits reports whether at can follow.
func (c *clock) fits(at int64) bool {
	if !sane(at) {
		return false
	}
	at += c.shift
	return at >= c.last-mostBack && at <= c.last+mostAhead
}

// judge decides about a time that does not fit by the one that follows, and
// returns what is to be said.
func (c *clock) judge(at, next int64, ok bool) string {
	if !sane(at) || ok && c.fits(next) || c.last > 0 && !ok && at+c.shift > c.last+24*mostAhead {
		c.odd = true
		return "a packet whose time makes no sense counts with the one before it; further ones are not said"
	}
	if at+c.shift > c.last && at+c.shift < lastTime {
		return "" // a pause
	}
	back := c.last - (at + c.shift)
	c.shift += back
	return fmt.Sprintf("the clock goes back by %v: counted on without that", time.Duration(back).Round(time.Millisecond))
}

// take returns the time of a packet that fits, or was judged.
func (c *clock) take(at int64) int64 {
	if c.odd {
		c.odd = false
		return c.last
	}
	at += c.shift
	c.last = max(c.last, at)
	return at
}
