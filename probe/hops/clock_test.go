package hops

import (
	"testing"
	"time"

	"spiketop/flow"
)

// steadyTrips sends n echoes a second with small delays, every tenth late.
func (w *way) steadyTrips(n int) {
	for i := range n {
		x := trip{at: begins.Add(time.Duration(i) * time.Second), id: 1, seq: uint16(i), out: w.usual(), back: w.usual()}
		if i%10 == 3 {
			x.back[0] += 80 * time.Millisecond
		}
		if i%10 == 7 {
			x.out[0] += 30 * time.Millisecond
		}
		w.send(x)
	}
}

// TestClockTruth: whatever two clocks do, the offset and the split lie within
// their uncertainty of the truth; and the delays that matter are split.
func TestClockTruth(t *testing.T) {
	hour := func(flow.Time) time.Duration { return 3 * time.Hour }
	tests := []struct {
		name   string
		offset func(at flow.Time) time.Duration
		one    bool
		steps  int
		most   time.Duration // of uncertainty
	}{
		{"one clock", func(flow.Time) time.Duration { return 0 }, true, 0, 50 * time.Microsecond},
		{"three hours", hour, false, 0, 100 * time.Microsecond},
		{"300 us", func(flow.Time) time.Duration { return -300 * time.Microsecond }, false, 0, 100 * time.Microsecond},
		{"drift of 20 ppm", func(at flow.Time) time.Duration { return time.Duration(at-begins) / 50000 }, false, 0, 300 * time.Microsecond},
		{"drift of 40 ppm from hours ahead", func(at flow.Time) time.Duration { return hour(at) - time.Duration(at-begins)/25000 }, false, 0, 500 * time.Microsecond},
		{"set by 2 s", func(at flow.Time) time.Duration {
			if at > begins.Add(100500*time.Millisecond) {
				return 2 * time.Second
			}
			return 0
		}, false, 1, 500 * time.Microsecond},
		{"set back by 20 ms", func(at flow.Time) time.Duration {
			if at > begins.Add(100500*time.Millisecond) {
				return -20 * time.Millisecond
			}
			return 0
		}, false, 1, 500 * time.Microsecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWay(3, 2)
			w.offset = func(p int, at flow.Time) time.Duration { return time.Duration(p) * tt.offset(at) }
			w.steadyTrips(200)
			m := w.matched(nil)
			c := m.Clock(0, 1)
			if c.One != tt.one || len(c.Steps) != tt.steps || c.Reversed || c.Echoes != 200 {
				t.Fatalf("one %v, steps %+v, reversed %v, echoes %d", c.One, c.Steps, c.Reversed, c.Echoes)
			}
			split := 0
			for i := range m.Echoes {
				e := &m.Echoes[i]
				sent := e.Hops[0].Request // point 0 has the true clock
				offset, uncertainty, ok := c.At(e.Order)
				truth := tt.offset(sent)
				if !ok || max(offset-truth, truth-offset) > uncertainty+time.Microsecond || uncertainty > tt.most {
					t.Errorf("echo %d: offset %v +-%v, %v; truth %v", i, offset, uncertainty, ok, truth)
				}
				s, ok := m.Split(e, 0, 1)
				if !ok {
					continue
				}
				split++
				out := e.Hops[1].Request.Sub(sent) - truth
				if max(out-s.Request, s.Request-out) > s.Uncertainty+time.Microsecond {
					t.Errorf("echo %d: out %v +-%v; truth %v", i, s.Request, s.Uncertainty, out)
				}
				if rtt := e.Segments()[0].RTT; s.Request+s.Reply != rtt {
					t.Errorf("echo %d: %v + %v is not %v", i, s.Request, s.Reply, rtt)
				}
			}
			if split < 40 || tt.one && split != 200 {
				t.Errorf("%d echoes are split; 40 were late", split)
			}
		})
	}
}

// TestClockReversed: points in the wrong order are told.
func TestClockReversed(t *testing.T) {
	w := newWay(1, 2)
	w.steadyTrips(50)
	w.seen[0], w.seen[1] = w.seen[1], w.seen[0]
	for p := range w.seen {
		for i := range w.seen[p] {
			w.seen[p][i].Point = p
		}
	}
	m := w.matched(nil)
	if c := m.Clock(0, 1); len(m.Echoes) != 50 || !c.Reversed {
		t.Errorf("%d echoes, %+v", len(m.Echoes), c)
	}
}

// TestClockUnknown: without a common echo nothing is said.
func TestClockUnknown(t *testing.T) {
	w := newWay(1, 2)
	w.steadyTrips(3)
	m := w.matched(func(s *Sight) bool { return s.Point == 0 })
	if c := m.Clock(0, 1); c.Known() || c.One {
		t.Errorf("%+v", c)
	}
	if _, ok := m.Split(&m.Echoes[0], 0, 1); ok {
		t.Error("a split from nothing")
	}
}
