package capture

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// Clock converts between the kernel's stamps and flow.Time. One Clock serves all
// links of a process; it is safe for several goroutines.
type Clock struct {
	mu    sync.Mutex
	read  func() (ClockPair, error)
	off   Offset
	steps int
}

// NewClock reads the clocks. It fails only where clock_gettime does.
func NewClock() (*Clock, error) { return newClock(readClocks) }

func newClock(read func() (ClockPair, error)) (*Clock, error) {
	c := &Clock{read: read}
	p, err := c.tight(16)
	if err != nil {
		return nil, err
	}
	c.off.Take(p)
	return c, nil
}

// Sample reads the clocks and returns the offset and how often it has moved
// since NewClock. Call it around every poll: steps are found only here.
func (c *Clock) Sample() (flow.WallOffset, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, err := c.read(); err == nil && c.off.Contradicts(p) {
		// A wide pair cannot contradict by accident, but it would be a poor new
		// value: read again until one is good.
		if p, err = c.tight(16); err == nil {
			c.off.Take(p)
			c.steps++
		}
	}
	return c.off.Value(), c.steps
}

// Offset returns CLOCK_REALTIME - CLOCK_MONOTONIC as last sampled.
func (c *Clock) Offset() flow.WallOffset {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off.Value()
}

// Steps returns how often somebody has stepped the clock since NewClock.
func (c *Clock) Steps() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.steps
}

// tight returns the narrowest of n pairs.
func (c *Clock) tight(n int) (best ClockPair, err error) {
	for i := range n {
		p, err := c.read()
		if err != nil {
			return best, err
		}
		if i == 0 || p.width() < best.width() {
			best = p
		}
	}
	return best, nil
}

// Now returns the current time.
func Now() flow.Time {
	ns, err := gettime(unix.CLOCK_MONOTONIC)
	if err != nil {
		panic(err) // CLOCK_MONOTONIC is always there; NewClock has said so otherwise
	}
	return flow.Time(ns)
}

func readClocks() (p ClockPair, err error) {
	for _, r := range []struct {
		id int32
		to *int64
	}{{unix.CLOCK_MONOTONIC, &p.Before}, {unix.CLOCK_REALTIME, &p.Real}, {unix.CLOCK_MONOTONIC, &p.After}} {
		if *r.to, err = gettime(r.id); err != nil {
			return p, err
		}
	}
	return p, nil
}

func gettime(id int32) (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0, fmt.Errorf("clock_gettime(%d): %w", id, err)
	}
	return ts.Nano(), nil
}
