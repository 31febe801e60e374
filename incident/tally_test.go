package incident

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

func at(seconds float64) flow.Time {
	return simStart + flow.Time(math.Round(seconds*1e9))
}

// readings makes a tally of (second, rx bytes) pairs.
func readings(pairs ...float64) *tally {
	t := &tally{}
	for i := 0; i+1 < len(pairs); i += 2 {
		t.add(reading{at(pairs[i]), [3]uint64{rxBytes: uint64(pairs[i+1])}}, time.Minute, 100)
	}
	return t
}

func TestTallyBetween(t *testing.T) {
	tests := []struct {
		name     string
		t        *tally
		from, to float64
		bytes    float64
		known    time.Duration
	}{
		{"none", readings(), 0, 10, 0, 0},
		{"one reading tells nothing", readings(1, 500), 0, 10, 0, 0},
		// a quarter of the 100 of [1, 2), all of the 200 of [2, 3), half of the 400 of [3, 4): 25 + 200 + 200.
		{"edges in proportion", readings(1, 0, 2, 100, 3, 300, 4, 700), 1.75, 3.5, 425, 1750 * time.Millisecond},
		{"inside one pair", readings(1, 0, 2, 100), 1.2, 1.7, 50, 500 * time.Millisecond},
		{"begins before the first", readings(1, 0, 2, 100), 0, 1.5, 50, 500 * time.Millisecond},
		{"ends after the last", readings(1, 0, 2, 100), 1.5, 9, 50, 500 * time.Millisecond},
		{"all before it", readings(1, 0, 2, 100), 3, 4, 0, 0},
		{"all after it", readings(5, 0, 6, 100), 3, 4, 0, 0},
		// [1, 2) 100, [2, 3) not known, [3, 4) 50.
		{"begins anew", readings(1, 1000, 2, 1100, 3, 20, 4, 70), 1, 4, 150, 2 * time.Second},
		{"one wrong reading is left out", readings(1, 1000, 2, 1100, 3, 20, 4, 1300), 1, 4, 300, 3 * time.Second},
		{"a leap no device can do", readings(1, 0, 2, 1e12, 3, 1e12+100), 1, 3, 100, time.Second},
		{"a gap of 6 s", readings(1, 0, 2, 100, 8, 700, 9, 800), 1, 9, 200, 2 * time.Second},
		{"a reading that comes late is left out", readings(2, 100, 1, 50, 3, 200), 0, 4, 100, time.Second},
		{"the same time twice", readings(1, 0, 2, 100, 2, 900), 0, 4, 100, time.Second},
		{"an empty window", readings(1, 0, 2, 100), 1.5, 1.5, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := tt.t.between(at(tt.from), at(tt.to))
			if math.Abs(g.n[rxBytes]-tt.bytes) > 1e-6 || g.known != tt.known {
				t.Errorf("between = %v in %v, want %v in %v", g.n[rxBytes], g.known, tt.bytes, tt.known)
			}
		})
	}
}

// Only pairs that lie wholly inside count: nothing of a burst that began after
// the last reading before the window gets into its baseline.
func TestTallyWhole(t *testing.T) {
	r := readings(1, 0, 2, 100, 3, 300, 4, 700, 5, 1500)
	tests := []struct {
		name     string
		from, to float64
		skip     []flow.Span
		bytes    float64
		known    time.Duration
	}{
		{"on the readings", 2, 4, nil, 600, 2 * time.Second},
		{"between them", 1.5, 4.5, nil, 600, 2 * time.Second},
		{"without a window inside", 1, 5, []flow.Span{{From: at(2.5), To: at(2.6)}}, 1300, 3 * time.Second}, // all but the 200 of [2, 3)
		{"a window over a border", 1, 5, []flow.Span{{From: at(1.9), To: at(2.1)}}, 1200, 2 * time.Second},
		{"a window that ends on a reading", 1, 5, []flow.Span{{From: at(0), To: at(2)}}, 1400, 3 * time.Second},
		{"nothing whole", 1.1, 1.9, nil, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := r.whole(at(tt.from), at(tt.to), tt.skip)
			if g.n[rxBytes] != tt.bytes || g.known != tt.known {
				t.Errorf("whole = %v in %v, want %v in %v", g.n[rxBytes], g.known, tt.bytes, tt.known)
			}
		})
	}
}

func TestSpanAround(t *testing.T) {
	a := readings(1, 0, 2, 0, 3, 0, 4, 0)
	b := readings(1.01, 0, 2.01, 0, 3.01, 0, 4.01, 0)
	late := readings(2.6, 0, 4.02, 0)
	tests := []struct {
		name          string
		list          []*tally
		from, to      float64
		wantF, wantTo float64
	}{
		{"none", nil, 2.2, 2.8, -1000, -1000},
		{"around", []*tally{a}, 2.2, 2.8, 2, 3},
		{"on the readings", []*tally{a}, 2, 3, 2, 3},
		{"what both have", []*tally{a, b}, 2.2, 2.8, 2.01, 3},
		{"one that begins inside", []*tally{a, late}, 2.2, 2.8, 2, 3},
		{"no reading behind it yet", []*tally{a}, 3.2, 5, 3, 4},
		{"none before it", []*tally{late}, 2.2, 2.8, 2.6, 4.02},
		{"only too old ones", []*tally{a}, 12, 13, -1000, -1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := flow.Span{From: at(tt.wantF), To: at(tt.wantTo)}
			if diff := cmp.Diff(want, spanAround(tt.list, at(tt.from), at(tt.to))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTallyProperty: whatever readings come, in whatever order, no rate is
// negative or more than any device can do, no more time is known than was asked
// for, and the memory stays bounded.
func TestTallyProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 9))
	for run := range 300 {
		tl := &tally{}
		now, n := 0.0, uint64(r.Uint64N(1<<40))
		for range 400 {
			now += []float64{1, 1, 1, 0.1, 7, -1}[r.IntN(6)]
			switch r.IntN(8) {
			case 0:
				n = r.Uint64()
			case 1:
				n = 0
			case 2:
				n -= min(n, uint64(r.IntN(1000)))
			default:
				n += uint64(r.IntN(1e9))
			}
			tl.add(reading{at(now), [3]uint64{n, r.Uint64(), n / 2}}, 20*time.Second, 64)
			if len(tl.list) > 64 {
				t.Fatalf("run %d: %d readings kept", run, len(tl.list))
			}
			from := now - 30*r.Float64()
			to := from + 20*r.Float64()
			between, whole := tl.between(at(from), at(to)), tl.whole(at(from), at(to), nil)
			for _, g := range []growth{between, whole} {
				if g.known < 0 || g.known > at(to).Sub(at(from)) {
					t.Fatalf("run %d: %v known of %v", run, g.known, at(to).Sub(at(from)))
				}
				for i := range 2 {
					if v := g.rate(i); v < 0 || v > 8.001*mostBytes || math.IsNaN(v) {
						t.Fatalf("run %d: rate %v", run, v)
					}
				}
			}
			if s := spanAround([]*tally{tl}, at(from), at(to)); s.To < s.From {
				t.Fatalf("run %d: span %v", run, s)
			}
		}
	}
}

// TestGuestMemoryIsBounded: vifs and VMs that come and go leave nothing behind,
// and no number of them fills the memory.
func TestGuestMemoryIsBounded(t *testing.T) {
	m := NewMonitor(Config{}, simStart, &flow.World{Generation: 1})
	for i := range 300 {
		now := at(float64(i))
		m.Tick(now)
		m.GuestNICs([]flow.GuestNICCounters{{At: now, Ifindex: i, RxBytes: 1}, {At: now, Ifindex: 1000, RxBytes: uint64(i)}})
		m.Disks([]flow.DiskCounters{{At: now, Guest: fmt.Sprint("vm", i)}, {At: now, Guest: "vm_a", WriteBytes: uint64(i)}})
	}
	// 64 s and 5 s are kept: 70 seconds that begin with 230, of them one each; and the one that stays.
	if v, d := len(m.guests.vifs), len(m.guests.disks); v > 72 || d > 72 || v < 60 || d < 60 {
		t.Errorf("%d vifs and %d VMs are remembered after 300 s", v, d)
	}
	if n := len(m.guests.vifs[1000].list); n < 60 || n > 100 {
		t.Errorf("%d readings of one vif, of which 64 to 69 s are needed", n)
	}
	many := make([]flow.GuestNICCounters, 10_000)
	disks := make([]flow.DiskCounters, len(many))
	for i := range many {
		many[i] = flow.GuestNICCounters{At: at(301), Ifindex: 5000 + i}
		disks[i] = flow.DiskCounters{At: at(301), Guest: fmt.Sprint("more", i)}
	}
	m.GuestNICs(many)
	m.Disks(disks)
	if v, d := len(m.guests.vifs), len(m.guests.disks); v > maxGuestSeries || d > maxGuestSeries {
		t.Errorf("%d vifs and %d VMs are remembered", v, d)
	}
	if notes := m.Tick(at(302)).Notes; len(notes) != 1 {
		t.Errorf("notes %q, want one that says so", notes)
	}
}

// guests reports made-up counters of vifs and disks.
func (r *fuzzRun) guests(next func() byte) {
	now := r.now.Add(time.Duration(int(next())-100) * 10 * time.Millisecond)
	n := func() uint64 { return uint64(next()) << (next() % 64) }
	r.m.GuestNICs([]flow.GuestNICCounters{{At: now, Ifindex: int(next() % 4), RxBytes: n(), TxBytes: n(), RxDropped: n()}})
	r.m.Disks([]flow.DiskCounters{{At: now, Guest: string(rune('a' + next()%3)), ReadBytes: n(), WriteBytes: n()}})
	w := *r.w
	w.Generation++
	for i := range next() % 4 {
		w.Guests = append(w.Guests, flow.GuestNIC{Name: string(rune('p' + next()%3)), Ifindex: int(i), Guest: "vm"})
	}
	r.w = &w
	r.m.SetWorld(r.now, &w)
}

// checkGuests fails if an incident says of storage, disks or vifs what cannot be.
func checkGuests(t *testing.T, in *Incident) {
	t.Helper()
	ok := func(what string, v *float64, least float64) {
		if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0) || *v < least || *v > 1e15) {
			t.Errorf("%s = %v", what, *v)
		}
	}
	var rows [4]float64 // bytes and rates of all rows
	for i := range in.VIFs {
		v := &in.VIFs[i]
		rows = [4]float64{rows[0] + float64(v.RxBytes), rows[1] + float64(v.TxBytes), rows[2] + v.RxBps, rows[3] + v.TxBps}
		ok("rx_bps", &v.RxBps, 0)
		ok("tx_bps", &v.TxBps, 0)
		ok("rx_baseline_bps", v.RxBaselineBps, 0)
		ok("tx_baseline_bps", v.TxBaselineBps, 0)
	}
	if s := in.VIFSum; s != nil {
		if o := s.Other; o != nil {
			rows = [4]float64{rows[0] + float64(o.RxBytes), rows[1] + float64(o.TxBytes), rows[2] + o.RxBps, rows[3] + o.TxBps}
		}
		// A byte for each vif is what rounding may take from the rates' sum.
		rx, tx := s.rates()
		slack := float64(8*s.VIFs)/s.Seconds + rx/1e9 + tx/1e9
		if rows[0] != float64(s.RxBytes) || rows[1] != float64(s.TxBytes) || math.Abs(rows[2]-rx) > slack || math.Abs(rows[3]-tx) > slack {
			t.Errorf("the vifs add up to %v, their sum says %+v", rows, s)
		}
		ok("share", s.Share, 0)
		ok("baseline_share", s.BaselineShare, 0)
	}
	if s := in.Storage; s != nil {
		for _, v := range []*float64{s.Amplification, s.BaselineAmplification, s.WirePerWritten, s.BaselineInBps, s.BaselineOutBps, s.Writes.Amplification, s.Reads.Amplification} {
			ok("storage", v, 0)
		}
		for i := range s.FedBy {
			ok("write_bps", &s.FedBy[i].WriteBps, 0)
			ok("read_bps", &s.FedBy[i].ReadBps, 0)
			ok("write_delta_bps", s.FedBy[i].WriteDeltaBps, -1e15)
		}
		if s.Writes.InBytes+s.Reads.InBytes+s.Undecided.InBytes != s.InBytes || s.Writes.OutBytes+s.Reads.OutBytes+s.Undecided.OutBytes != s.OutBytes {
			t.Errorf("storage's parts are not its sum: %+v", s)
		}
	}
}
