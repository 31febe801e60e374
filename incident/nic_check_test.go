package incident

import (
	"math"
	"testing"
	"time"

	"spiketop/flow"
)

// TestNICCheck: 1 Mbit/s is 12 500 bytes in 100 ms; the NIC counts 12 500 or more.
func TestNICCheck(t *testing.T) {
	for _, tt := range []struct {
		name     string
		run      time.Duration
		physical bool
		theirs   uint64 // in 100 ms
		resetAt  int    // step at which the counter begins anew, 0 = never
		want     float64
		seconds  float64 // 0 = no check
	}{
		{"agrees", 12 * time.Second, true, 12_500, 0, 1, 11},
		{"too short", 9 * time.Second, true, 12_500, 0, 0, 0},
		{"we miss a fifth", 12 * time.Second, true, 15_625, 0, 0.8, 11},
		{"at most 30 s", 50 * time.Second, true, 12_500, 0, 1, 29},
		{"the counter began anew 11 s ago", 41 * time.Second, true, 12_500, 300, 1, 10},
		{"the counter began anew 5 s ago", 35 * time.Second, true, 12_500, 300, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSim(Config{}, flow.Link{ID: 1, Name: "eth0", Physical: tt.physical})
			l := s.links[0]
			l.addFlow(s, flow.Rx, "10.0.0.1:1", "10.0.0.2:2", 1e6, 0, 0)
			for i := range int(tt.run / (100 * time.Millisecond)) {
				if tt.resetAt > 0 && i == tt.resetAt {
					l.counter.RxBytes = 0
				}
				l.counter.RxBytes += tt.theirs // read at the end of these 100 ms
				s.run(100 * time.Millisecond)
			}
			c := s.m.links[0].check(s.now)
			if tt.seconds == 0 {
				if c != nil {
					t.Fatalf("%+v, want no check", c)
				}
				return
			}
			if c == nil || c.Rx == nil || c.Tx != nil {
				t.Fatalf("%+v, want rx and no tx", c)
			}
			if math.Abs(*c.Rx-tt.want) > 0.001 || c.Seconds < tt.seconds || c.Seconds > tt.seconds+1 {
				t.Errorf("counted / theirs %.4f over %.1f s, want %.4f over %.0f to %.0f", *c.Rx, c.Seconds, tt.want, tt.seconds, tt.seconds+1)
			}
		})
	}
}
