package incident

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// made is a made-up flow: 100 slots of what a rate by the millisecond gives.
func made(rate func(ms int) float64) []float64 {
	slots := make([]float64, 100)
	for i := range slots {
		for ms := range 100 {
			slots[i] += rate(100*i+ms) / 8000
		}
	}
	return slots
}

// wobbling is a rate that goes up and down by part, as much from one 50 ms to
// the next as TCP does.
func wobbling(r *rand.Rand, bps, part float64) func(int) float64 {
	steps := make([]float64, 200)
	for i := range steps {
		steps[i] = bps * (1 + part*(2*r.Float64()-1))
	}
	return func(ms int) float64 { return steps[max(ms, 0)/50%200] }
}

// during lets a flow run from a to b ms only.
func during(a, b int, rate func(int) float64) func(int) float64 {
	return func(ms int) float64 {
		if ms < a || ms >= b {
			return 0
		}
		return rate(ms)
	}
}

func after(delay int, rate func(int) float64) func(int) float64 {
	return func(ms int) float64 { return rate(ms - delay) }
}

func steady(bps float64) func(int) float64 { return func(int) float64 { return bps } }

// noisy adds up to part of each slot to it, or takes it away.
func noisy(r *rand.Rand, slots []float64, part float64) []float64 {
	for i := range slots {
		slots[i] *= 1 + part*(2*r.Float64()-1)
	}
	return slots
}

func TestAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	write := wobbling(r, 1e9, 0.3)
	burst := during(5037, 5362, steady(9e9)) // 325 ms, between the borders of slots
	grid := during(5000, 5300, steady(9e9))  // 300 ms, on the borders
	shared := during(5037, 6900, steady(9e9))
	tests := []struct {
		name    string
		in, out []float64
		want    bool
	}{
		{"forwarded at once", made(write), made(write), true},
		{"forwarded 20 ms later", made(write), made(after(20, write)), true},
		{"forwarded 30 ms later, with other headers and acknowledgements", made(write), noisy(r, made(after(30, write)), 0.03), true},
		{"not forwarded: another flow of the same mean", made(write), made(wobbling(r, 1e9, 0.3)), false},
		{"two that stand still: nothing to compare", made(steady(1e9)), made(steady(1e9)), false},
		{"a short burst, forwarded 5 ms later", made(burst), made(after(5, burst)), true},
		{"a short burst on the borders of slots has no shape", made(grid), made(grid), false},
		{"two samples", made(during(5000, 5200, write)), made(during(5000, 5200, write)), false},
		{"three samples", made(during(5010, 5290, write)), made(during(5010, 5290, write)), false},
		{"one burst 30 ms longer", made(burst), made(during(5037, 5392, steady(9e9))), false},
		{"one burst a fifth faster", made(burst), made(during(5037, 5362, steady(11e9))), false},
		{"two long bursts of one cause, each with its own movement", made(during(5037, 6900, wobbling(r, 9e9, 0.4))), made(during(5037, 6900, wobbling(r, 9e9, 0.4))), false},
		{"a long burst over different backgrounds", add(made(shared), made(wobbling(r, 2e9, 0.3))), add(made(shared), made(wobbling(r, 2e9, 0.3))), false},
		{"mirrored: one grows as the other shrinks", made(write), made(func(ms int) float64 { return 2e9 - write(ms) }), false},
		{"nothing", make([]float64, 100), make([]float64, 100), false},
		{"not known", unknownSlots(100), made(write), false},
		{"empty", nil, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			corr, slots, ok := alike(tt.in, tt.out)
			if ok != tt.want {
				t.Errorf("alike = %v (correlation %.2f, %d slots), want %v", ok, corr, slots, tt.want)
			}
			if ok && (corr < chainCorr || corr > 1.000001 || slots < shapeSlots) {
				t.Errorf("alike with correlation %v in %d slots", corr, slots)
			}
		})
	}
}

func unknownSlots(n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = -1
	}
	return s
}

func add(a, b []float64) []float64 {
	for i := range a {
		a[i] += b[i]
	}
	return a
}

func TestRanks(t *testing.T) {
	// 7 is the highest of four; both 3 share the places 1 and 2.
	if diff := cmp.Diff([]float64{1.5, 3, 0, 1.5}, ranks([]float64{3, 7, -2, 3})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestUnrelatedFlowsMakeNoChain: of thousands of pairs of flows that have nothing
// to do with one another, with all that a coincidence can bring (the same rate,
// bursts that begin together, drops of the same link), none is taken for a chain;
// and of as many pairs in which one is forwarded, nearly every one is.
func TestUnrelatedFlowsMakeNoChain(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 3))
	const n = 2000
	shape := func() func(int) float64 {
		rate := []float64{1e9, 2e9, 4e9}[r.IntN(3)]
		f := wobbling(r, rate, []float64{0, 0.05, 0.2, 0.5}[r.IntN(4)])
		switch r.IntN(4) {
		case 0: // all the time
			return f
		case 1: // a burst at any time
			from := 4000 + r.IntN(2000)
			return during(from, from+100+r.IntN(1900), f)
		case 2: // one that begins with a common cause
			return during(5000, 5100+r.IntN(1900), f)
		}
		base, from := wobbling(r, rate/20, 0.3), 4000+r.IntN(2000)
		high := during(from, from+100+r.IntN(900), f)
		return func(ms int) float64 { return base(ms) + high(ms) }
	}
	wrong := 0
	for range n {
		if corr, slots, ok := alike(made(shape()), made(shape())); ok {
			wrong++
			t.Logf("unrelated flows: correlation %.2f in %d slots", corr, slots)
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d pairs of unrelated flows were taken for chains", wrong, n)
	}
	found := 0
	for range n / 10 {
		f := wobbling(r, 1e9, 0.15+0.35*r.Float64())
		if _, _, ok := alike(made(f), noisy(r, made(after(r.IntN(20), f)), 0.02)); ok {
			found++
		}
	}
	if found < n/10*95/100 {
		t.Errorf("%d of %d chains were found", found, n/10)
	}
}

func TestPearson(t *testing.T) {
	for _, tt := range []struct {
		name string
		x, y []float64
		want float64
	}{
		{"the same", []float64{1, 2, 3}, []float64{1, 2, 3}, 1},
		{"the opposite", []float64{1, 2, 3}, []float64{3, 2, 1}, -1},
		// means 2 and 2; xy = (-1)(-1) + 0 + 1*0... = 1*1 + 0*1 + 1*0: (-1,0,1) x (-1,1,0) = 1; xx = 2, yy = 2: 1/2.
		{"half", []float64{1, 2, 3}, []float64{1, 3, 2}, 0.5},
		{"one stands still", []float64{1, 2, 3}, []float64{2, 2, 2}, 0},
		{"one", []float64{1}, []float64{1}, 0},
		{"none", nil, nil, 0},
	} {
		if got := pearson(tt.x, tt.y); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
