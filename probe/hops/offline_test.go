package hops

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"spiketop/flow"
)

// same ignores what the truth of a simulation does not say.
var same = cmp.Options{cmpopts.IgnoreFields(Echo{}, "Order", "Open"), cmpopts.IgnoreFields(Hop{}, "Blind")}

// TestOfflineFindsTheTruth: echoes through a path with losses, duplicates, late
// replies, doubled requests and points that miss some, at clocks that are hours
// apart, drift and are set in the middle, with numbers used again and again, are
// put together exactly as they were sent.
func TestOfflineFindsTheTruth(t *testing.T) {
	apart := func(p int, _ flow.Time) time.Duration { return time.Duration(p*p) * 37 * time.Minute }
	tests := []struct {
		name   string
		points int
		offset func(p int, at flow.Time) time.Duration
		reuse  int // the numbers repeat after so many echoes
		loss   int // percent
	}{
		{"one point", 1, nil, 1 << 16, 0},
		{"in step", 4, nil, 1 << 16, 5},
		{"hours apart", 4, apart, 1 << 16, 5},
		{"numbers used again", 4, nil, 60, 10},
		{"numbers used again, hours apart", 4, apart, 60, 10},
		{"much loss and reuse", 6, apart, 40, 40},
		{"drift of 100 ppm", 3, func(p int, at flow.Time) time.Duration { return time.Duration(at-begins) / 10000 * time.Duration(p) }, 60, 10},
		{"set forward in the middle", 3, func(p int, at flow.Time) time.Duration {
			if p == 1 && at > begins.Add(100*time.Second) {
				return time.Hour
			}
			return 0
		}, 1 << 16, 10},
		{"set back in the middle", 3, func(p int, at flow.Time) time.Duration {
			if p == 1 && at > begins.Add(100*time.Second) {
				return -90 * time.Second
			}
			return 0
		}, 1 << 16, 10},
		{"set back, and reuse", 3, func(p int, at flow.Time) time.Duration {
			if p == 1 && at > begins.Add(100*time.Second) {
				return -15 * time.Minute
			}
			return 0
		}, 70, 10},
	}
	for _, tt := range tests {
		for seed := range uint64(8) {
			t.Run(fmt.Sprint(tt.name, seed), func(t *testing.T) {
				w := newWay(seed, tt.points)
				if tt.offset != nil {
					w.offset = tt.offset
				}
				w.manyTrips(400, tt.reuse, tt.loss)
				m := w.matched(nil)
				if equal(w.truth, m.Echoes) {
					return
				}
				for i, e := range w.truth {
					if i >= len(m.Echoes) || !equal(w.truth[i:i+1], m.Echoes[i:i+1]) {
						t.Fatalf("%d echoes, want %d; the first difference is %d (-want +got):\n%s", len(m.Echoes), len(w.truth), i,
							cmp.Diff([]Echo{e}, m.Echoes[min(i, len(m.Echoes)):min(i+3, len(m.Echoes))], same))
					}
				}
				t.Errorf("%d echoes too many: %+v", len(m.Echoes)-len(w.truth), m.Echoes[len(w.truth):])
			})
		}
	}
}

// equal is same, but fast.
func equal(want, got []Echo) bool {
	return slices.EqualFunc(want, got, func(a, b Echo) bool {
		return a.Key == b.Key && a.Occurrence == b.Occurrence && slices.EqualFunc(a.Hops, b.Hops, func(x, y Hop) bool {
			y.Blind = false
			return x == y
		})
	})
}

// manyTrips sends n echoes, one each half second or so.
func (w *way) manyTrips(n, reuse, loss int) {
	at := begins
	for i := range n {
		x := trip{at: at, id: 7, seq: uint16(i % reuse), out: w.usual(), back: w.usual()}
		switch r := w.rnd.IntN(100); {
		case r < loss/2:
			x.lostOut = 1 + w.rnd.IntN(w.points)
		case r < loss:
			x.lostBack = 1 + w.rnd.IntN(w.points)
		case r < loss+5:
			x.again = 1 + w.rnd.IntN(2)
		case r < loss+8 && w.points > 1:
			x.doubled = 1 + w.rnd.IntN(w.points-1)
		case r < loss+12 && w.points > 1:
			x.unseen = []int{w.rnd.IntN(w.points)}
		case r < loss+20:
			(x.out)[w.rnd.IntN(w.points)] += time.Duration(w.rnd.IntN(300)) * time.Millisecond
		case r < loss+28:
			(x.back)[w.rnd.IntN(w.points)] += time.Duration(w.rnd.IntN(300)) * time.Millisecond
		}
		w.send(x)
		at = at.Add(450*time.Millisecond + time.Duration(w.rnd.IntN(100))*time.Millisecond)
	}
}
