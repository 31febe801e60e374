package incident

import (
	"math/rand"
	"slices"
	"testing"
	"time"

	"spiketop/probe"
)

func learned(values ...time.Duration) *baseline {
	b := &baseline{}
	for _, v := range values {
		b.add(v)
	}
	return b
}

// times is n values of v.
func times(n int, v time.Duration) []time.Duration { return slices.Repeat([]time.Duration{v}, n) }

func TestThresholds(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	ramp := make([]time.Duration, 101) // 0, 1, 2, ... 100 ms
	for i := range ramp {
		ramp[i] = time.Duration(i) * ms
	}
	tests := []struct {
		name   string
		values []time.Duration
		fixed  time.Duration
		want   thresholds
	}{
		{"nothing known", nil, 0, thresholds{probe.None, 60 * ms, 60 * ms, 30 * ms, "60 ms during warm-up"}},
		// exit = 200 us + (60 ms - 200 us) / 2 = 30.1 ms
		{"19 samples are warm-up", times(19, 200*us), 0, thresholds{200 * us, 60 * ms, 60 * ms, 30100 * us, "60 ms during warm-up"}},
		// mad = 0: mark at its floor; freeze = 0.2 + 20; exit = 0.2 + 20/2
		{"LAN", times(20, 200*us), 0, thresholds{200 * us, 2 * ms, 20200 * us, 10200 * us, "median + 20 ms"}},
		// 3 x 15 = 45 > 15 + 20; exit = 15 + 30/2
		{"WAN", times(20, 15*ms), 0, thresholds{15 * ms, 15 * ms, 45 * ms, 30 * ms, "3 x median"}},
		// of 100 the p99 is the 99th: 11 ms; 2 x 11 > 0.2 + 20; exit = 0.2 + 21.8/2
		{"two stragglers of 100", append(times(98, 200*us), 11*ms, 11*ms), 0, thresholds{200 * us, 2 * ms, 22 * ms, 11100 * us, "2 x p99"}},
		{"one straggler of 100 is beyond the p99", append(times(99, 200*us), 19*ms), 0, thresholds{200 * us, 2 * ms, 20200 * us, 10200 * us, "median + 20 ms"}},
		// 0..100 ms: median 50; distances 0,1,1,2,2,...,50,50: median 25; MAD = 25 x 1.4826 = 37.065 ms;
		// 50 + 8 x 37.065 = 346.52 > 2 x 99 > 3 x 50; exit = 50 + 296.52/2 = 198.26
		{"wide", ramp, 0, thresholds{50 * ms, 346520 * us, 346520 * us, 198260 * us, "median + 8 MAD"}},
		{"fixed in warm-up", times(3, 200*us), 40 * ms, thresholds{200 * us, 40 * ms, 40 * ms, 20100 * us, "fixed at 40.00 ms"}},
		{"fixed", times(20, 200*us), 40 * ms, thresholds{200 * us, 2 * ms, 40 * ms, 20100 * us, "fixed at 40.00 ms"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := learned(tt.values...).thresholds(tt.fixed); got != tt.want {
				t.Errorf("thresholds = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestMAD(t *testing.T) {
	tests := []struct {
		name        string
		values      []time.Duration
		median, mad time.Duration // mad before the factor
	}{
		{"one", []time.Duration{7}, 7, 0},
		{"two: median 15, distances 5 5", []time.Duration{10, 20}, 15, 5},
		{"three: distances 0 1 8", []time.Duration{1, 2, 10}, 2, 1},
		{"four: median 25, distances 5 5 15 975", []time.Duration{1000, 10, 30, 20}, 25, 10},
		{"five: distances 0 0 1 1 96", []time.Duration{3, 4, 5, 4, 100}, 4, 1},
		{"all on one side: distances 0 0 0 6", []time.Duration{4, 4, 4, 10}, 4, 0},
	}
	for _, tt := range tests {
		b := learned(tt.values...)
		if got := b.median(); got != tt.median {
			t.Errorf("%s: median %d, want %d", tt.name, got, tt.median)
		}
		if got, want := b.mad(), time.Duration(float64(tt.mad)*madFactor); got != want {
			t.Errorf("%s: mad %d, want %d", tt.name, got, want)
		}
	}
}

// TestBaselineAgainstModel compares with sorting everything again.
func TestBaselineAgainstModel(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	b := &baseline{}
	var all []time.Duration
	for i := range 2000 {
		v := time.Duration(r.Intn(1 + i%97))
		b.add(v)
		all = append(all, v)
		last := slices.Sorted(slices.Values(all[max(0, len(all)-baselineLen):]))
		if !slices.Equal(b.sorted, last) {
			t.Fatalf("after %d values: %v, want %v", i+1, b.sorted, last)
		}
		n := len(last)
		med := (last[(n-1)/2] + last[n/2]) / 2
		far := make([]time.Duration, n)
		for j, v := range last {
			far[j] = max(v-med, med-v)
		}
		slices.Sort(far)
		if want := time.Duration(float64(far[(n-1)/2]+far[n/2]) / 2 * madFactor); b.mad() != want {
			t.Fatalf("after %d values: mad %d, want %d", i+1, b.mad(), want)
		}
	}
	b.reset(times(25, 5))
	if b.median() != 5 || len(b.sorted) != 25 {
		t.Errorf("after reset: %d values, median %d", len(b.sorted), b.median())
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]int, 100) // 1..100
	for i := range hundred {
		hundred[i] = i + 1
	}
	tests := []struct {
		list []int
		q    float64
		want int
	}{{hundred, 0.99, 99}, {hundred, 0.5, 50}, {hundred[:1], 0.99, 1}, {hundred[:20], 0.99, 20}, {hundred[:3], 0.5, 2}}
	for _, tt := range tests {
		if got := quantile(tt.list, tt.q); got != tt.want {
			t.Errorf("quantile(1..%d, %v) = %d, want %d", len(tt.list), tt.q, got, tt.want)
		}
	}
}

func BenchmarkBaseline(b *testing.B) {
	r := rand.New(rand.NewSource(1))
	base := &baseline{}
	b.ReportAllocs()
	for range b.N {
		base.add(200*time.Microsecond + time.Duration(r.Intn(50_000)))
		base.thresholds(0)
	}
}
