package probe

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"spiketop/flow"

	"github.com/google/go-cmp/cmp"
)

const msec = time.Millisecond

// Expected values by hand.
//
// Jitter: RTTs 10 and 101 ms: |D| = 91, J = 0 + (91 - 0)/16 = 5.6875 ms. Then
// 101 again: |D| = 0, J = 5.6875 - 5.6875/16 = 5.33203125 ms.
//
// Nearest rank of 1..10 ms: p50 is the ceil(0.50 x 10) = 5th, p99 the
// ceil(0.99 x 10) = ceil(9.9) = 10th. Of 1..100: the 50th and the 99th. Of one
// value, it is every quantile.
func TestStatsByHand(t *testing.T) {
	upTo := func(n int) []time.Duration {
		var v []time.Duration
		for i := range n {
			v = append(v, time.Duration((i*7)%n+1)*msec) // 7 is prime to 10 and 100: all of 1..n
		}
		return v
	}
	for _, tt := range []struct {
		name string
		rtts []time.Duration // None = lost
		want Stats
	}{
		{"nothing", nil, Stats{Last: None, P50: None, P99: None, Max: None}},
		{"one", []time.Duration{10 * msec},
			Stats{Window: 1, Last: 10 * msec, P50: 10 * msec, P99: 10 * msec, Max: 10 * msec}},
		{"two", []time.Duration{10 * msec, 101 * msec},
			Stats{Window: 2, Last: 101 * msec, P50: 10 * msec, P99: 101 * msec, Max: 101 * msec, Jitter: 5687500}},
		{"lost between", []time.Duration{10 * msec, None, 101 * msec, 101 * msec},
			Stats{Window: 4, Last: 101 * msec, P50: 101 * msec, P99: 101 * msec, Max: 101 * msec, Jitter: 5332031, Loss: 0.25}},
		{"only lost", []time.Duration{None, None},
			Stats{Window: 2, Last: None, P50: None, P99: None, Max: None, Loss: 1}},
		{"one to ten", upTo(10), Stats{Window: 10, Last: 4 * msec, P50: 5 * msec, P99: 10 * msec, Max: 10 * msec}},
		{"one to hundred", upTo(100), Stats{Window: 100, Last: 94 * msec, P50: 50 * msec, P99: 99 * msec, Max: 100 * msec}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWindow(time.Minute, 1000)
			for i, rtt := range tt.rtts {
				if rtt == None {
					w.miss(flow.Time(i))
				} else {
					w.answered(flow.Time(i), rtt)
				}
			}
			var got Stats
			w.fill(&got)
			if len(tt.rtts) > 4 {
				got.Jitter = 0 // not worked out by hand
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// The window against the plain computation: sort what is not older than a
// minute, and not more than fits.
func TestWindowAgainstSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w := newWindow(time.Minute, 500)
	var all []fate
	now := flow.Time(0)
	for i := range 5000 {
		now = now.Add(time.Duration(r.IntN(400)) * msec)
		if i%1000 == 999 {
			now = now.Add(2 * time.Minute)
		}
		f := fate{now, time.Duration(r.IntN(50)) * msec}
		if r.IntN(10) == 0 {
			f.rtt = None
			w.miss(now)
		} else {
			w.answered(now, f.rtt)
		}
		w.expire(now)
		all = append(all, f)
		all = all[max(0, len(all)-500):]
		all = slices.DeleteFunc(all, func(f fate) bool { return f.at <= now.Add(-time.Minute) })
		var rtts []time.Duration
		for _, f := range all {
			if f.rtt != None {
				rtts = append(rtts, f.rtt)
			}
		}
		slices.Sort(rtts)
		if len(all) != w.count || !slices.Equal(rtts, w.sorted) || w.lost != len(all)-len(rtts) {
			t.Fatalf("after %d: %d of %d fates, %d lost", i, w.count, len(all), w.lost)
		}
	}
	if len(w.ring) > 500 {
		t.Errorf("the ring grew to %d", len(w.ring))
	}
}

// A hundred targets at 10 Hz: one echo and its part of a frame's statistics.
func BenchmarkWindow(b *testing.B) {
	w := newWindow(time.Minute, 700)
	var s Stats
	for i := range b.N {
		now := flow.Time(i) * flow.Time(100*msec)
		w.answered(now, time.Duration(i*7919%1000)*time.Microsecond)
		w.expire(now)
		w.fill(&s)
	}
}
