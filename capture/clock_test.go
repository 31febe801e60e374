package capture

import (
	"testing"
	"time"

	"spiketop/flow"
)

// pairAt is a reading that took width ns with the clocks 1000 s + moved apart.
func pairAt(mono, width int64, moved time.Duration) ClockPair {
	return ClockPair{Before: mono, Real: mono + width/2 + 1000e9 + int64(moved), After: mono + width}
}

func TestOffset(t *testing.T) {
	// Taken from a pair 200 ns wide, the offset may itself be wrong by 100 ns.
	// Seen through a pair of width w that is centred, it contradicts from
	// w/2 + 100 ns + the margin of 100 us on.
	for _, tt := range []struct {
		name string
		p    ClockPair
		want bool
	}{
		{"the same", pairAt(5e9, 200, 0), false},
		{"40 us, within the margin", pairAt(5e9, 200, 40*time.Microsecond), false},
		{"100.200 us, just within: 100 + 0.1 + 0.1", pairAt(5e9, 200, 100_200), false},
		{"100.201 us, just outside", pairAt(5e9, 200, 100_201), true},
		{"back by 100.201 us", pairAt(5e9, 200, -100_201), true},
		{"an hour", pairAt(5e9, 200, time.Hour), true},
		{"off the CPU for 30 ms after the first reading", ClockPair{5e9, 5e9 + 30e6 + 1000e9, 5e9 + 30e6 + 100}, false},
		{"off the CPU for 30 ms before the last reading", ClockPair{5e9, 5e9 + 100 + 1000e9, 5e9 + 30e6}, false},
		{"a step of 10 ms hidden in a pair of 30 ms", pairAt(5e9, 30e6, 10*time.Millisecond), false},
		{"a step of 20 ms seen through it", pairAt(5e9, 30e6, 20*time.Millisecond), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o Offset
			o.Take(pairAt(1e9, 200, 0))
			if o.Value() != 1000e9 {
				t.Fatalf("offset %d, want 1000 s", o.Value())
			}
			if got := o.Contradicts(tt.p); got != tt.want {
				t.Errorf("contradicts = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestClock(t *testing.T) {
	var mono int64
	var moved time.Duration
	widths := []int64{900, 300, 5000} // the narrowest one counts
	n := 0
	c, err := newClock(func() (ClockPair, error) {
		mono += 1e6
		n++
		return pairAt(mono, widths[n%len(widths)], moved), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if off, steps := c.Sample(); off != 1000e9 || steps != 0 {
			t.Fatalf("offset %d, %d steps, without a step", off, steps)
		}
	}
	moved = -3 * time.Second
	if off, steps := c.Sample(); off != 997e9 || steps != 1 {
		t.Errorf("after a step: offset %d, %d steps, want 997 s, 1", off, steps)
	}
	if off, steps := c.Sample(); off != 997e9 || steps != 1 {
		t.Errorf("a step was counted twice: offset %d, %d steps", off, steps)
	}
	if c.Offset() != 997e9 || c.Steps() != 1 {
		t.Errorf("Offset %d, Steps %d", c.Offset(), c.Steps())
	}
}

// TestClockReal: the real clocks do not contradict each other while nobody sets
// them, also on a busy machine.
func TestClockReal(t *testing.T) {
	c, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	for range 10000 {
		c.Sample()
	}
	if c.Steps() != 0 {
		t.Errorf("%d steps of a clock that nobody set", c.Steps())
	}
	if d := time.Until(c.Offset().Wall(Now())); d.Abs() > 5*time.Second {
		t.Errorf("wall time is off by %v", d)
	}
}

func TestStamps(t *testing.T) {
	const old, stepped = flow.WallOffset(1000e9), flow.WallOffset(1010e9) // forward by 10 s
	const now = flow.Time(50e9)
	drained := now.Add(-30 * time.Millisecond)
	s := stamps{cur: stepped, prev: old, steps: 1}
	for _, tt := range []struct {
		name  string
		stamp int64
		at    flow.Time
		off   flow.WallOffset
		ok    bool
	}{
		{"after the step", 1060e9 - 10e6, now - 10e6, stepped, true},
		{"before the step, read after it", 1050e9 - 10e6, now - 10e6, old, true},
		{"no clock of ours, far ahead", 9999e9, now, stepped, false},
		{"no clock of ours, far back", 1e9, drained - 1e9, stepped, false},
		{"a stamp of 0", 0, drained - 1e9, stepped, false},
		{"half a ms ahead is read as it stands", 1060e9 + 5e5, now + 5e5, stepped, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, off, ok := s.convert(tt.stamp, drained, now)
			if at != tt.at || off != tt.off || ok != tt.ok {
				t.Errorf("%d by %d, %v; want %d by %d, %v", at, off, ok, tt.at, tt.off, tt.ok)
			}
		})
	}
}
