package incident

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"
	"time"

	"spiketop/flow"
)

// TestRowsAndOther: in any incident rows + other = links and classes = links, the
// shares are parts, the rows are in order, and no flow with more change is left
// out.
func TestRowsAndOther(t *testing.T) {
	for seed := range int64(20) {
		r := rand.New(rand.NewSource(seed))
		s := newSim(Config{}, flow.Link{ID: 1, Name: "eth0", SpeedBps: 40e6}, flow.Link{ID: 2, Name: "eth1"})
		s.addTarget("10.1.16.55", "eth0", false, 210*time.Microsecond)
		for i := range r.Intn(150) {
			l, d := s.links[r.Intn(2)], flow.Directions[r.Intn(2)]
			l.addFlow(s, d, fmt.Sprintf("10.1.16.%d:%d", i, 1000+r.Intn(3)), "10.1.16.165:9422", float64(r.Intn(300_000)), 0.5, time.Duration(r.Intn(40))*time.Second)
		}
		s.run(time.Duration(r.Intn(35)) * time.Second)
		for i := range r.Intn(80) {
			s.links[r.Intn(2)].addFlow(s, flow.Rx, fmt.Sprintf("10.9.16.%d:5000", i), "10.1.16.165:9422", float64(r.Intn(3_000_000)), 0.5, 400*time.Millisecond)
		}
		s.run(time.Duration(r.Intn(300)) * time.Millisecond)
		if s.links[0].slot == nil {
			s.run(simStep)
		}
		for _, l := range s.links { // bytes without a row
			l.slot.Other[flow.Rx] = map[flow.Class]flow.Counters{flow.Unknown: {Bytes: 777, Packets: 7}, flow.Storage: {Bytes: 70}}
			l.slot.Total[flow.Rx].Add(flow.Counters{Bytes: 847, Packets: 7})
		}
		s.m.Freeze(s.now)
		s.run(7 * time.Second)
		if len(s.sealed) != 1 {
			t.Fatalf("seed %d: %d incidents", seed, len(s.sealed))
		}
		checkSums(t, seed, s.sealed[0])
	}
}

func checkSums(t *testing.T, seed int64, in *Incident) {
	t.Helper()
	total := map[string]uint64{}
	for _, l := range in.Links {
		total["rx"] += l.Rx.Bytes
		total["tx"] += l.Tx.Bytes
	}
	classes := map[string]uint64{}
	shares := 0.0
	for _, c := range in.Classes {
		classes["rx"] += c.Rx.Bytes
		classes["tx"] += c.Tx.Bytes
		if c.Rx.Share != nil {
			shares += *c.Rx.Share
		}
	}
	if total["rx"] > 0 && math.Abs(shares-1) > 1e-9 {
		t.Errorf("seed %d: the classes' shares add up to %v", seed, shares)
	}
	for _, d := range []struct {
		name  string
		rows  []FlowRow
		other uint64
	}{{"rx", in.Flows.Rx, in.Flows.Other.Rx.Bytes}, {"tx", in.Flows.Tx, in.Flows.Other.Tx.Bytes}} {
		sum := d.other
		for i := range d.rows {
			r := &d.rows[i]
			sum += r.Bytes
			if r.Rank != i+1 || r.Share <= 0 || r.Share > 1 || r.Bytes == 0 {
				t.Errorf("seed %d %s: row %+v", seed, d.name, r)
			}
			if i > 0 && r.DeltaBps != nil && *r.DeltaBps > *d.rows[i-1].DeltaBps {
				t.Errorf("seed %d %s: row %d grew more than the one before it", seed, d.name, i+1)
			}
		}
		if sum != total[d.name] || classes[d.name] != total[d.name] {
			t.Errorf("seed %d %s: rows + other %d, classes %d, links %d", seed, d.name, sum, classes[d.name], total[d.name])
		}
		if len(d.rows) > topFlows {
			t.Errorf("seed %d %s: %d rows", seed, d.name, len(d.rows))
		}
	}
}

// TestBusyAndPeak counts bins by hand: 40 Mbit/s are 50 000 bytes in 10 ms, 90 %
// of that 45 000.
func TestBusyAndPeak(t *testing.T) {
	s := newSim(Config{}, flow.Link{ID: 1, Name: "eth0", SpeedBps: 40e6})
	s.addTarget("10.1.16.55", "eth0", false, 210*time.Microsecond)
	l := s.links[0]
	l.addFlow(s, flow.Rx, "10.0.0.1:1", "10.0.0.2:2", 4e6, 0, 0) // 5000 bytes a bin
	s.run(20 * time.Second)
	l.addFlow(s, flow.Rx, "10.0.0.3:1", "10.0.0.2:2", 32e6, 0, 70*time.Millisecond) // 45 000 a bin with the other: not over 90 %
	s.run(70 * time.Millisecond)
	l.addFlow(s, flow.Rx, "10.0.0.4:1", "10.0.0.2:2", 33e6, 0, 30*time.Millisecond) // 46 250: over
	s.run(30 * time.Millisecond)
	s.m.Freeze(s.now) // the window begins 2.5 s before, ends 0.2 s later
	s.run(8 * time.Second)
	rx := s.sealed[0].Links[0].Rx
	// 270 bins of 5000, 7 x 40 000, 3 x 41 250 more.
	if want := uint64(270*5000 + 7*40_000 + 3*41_250); rx.Bytes != want {
		t.Errorf("bytes %d, want %d", rx.Bytes, want)
	}
	if *rx.BusyMs != 30 || rx.PeakBps != 37e6 || !rx.PeakAt.Equal(s.world.Offset.Wall(simStart.Add(20070*time.Millisecond))) {
		t.Errorf("busy %v ms, peak %v at %v", *rx.BusyMs, rx.PeakBps, rx.PeakAt)
	}
	// 1 753 750 bytes x 8 / 2.7 s, of 40 Mbit/s; before it always 4 Mbit/s.
	if want := 1_753_750 * 8 / 2.7; math.Abs(rx.Bps-want) > 1 || math.Abs(*rx.Utilisation-want/40e6) > 1e-6 || math.Abs(*rx.BaselineBps-4e6) > 1 {
		t.Errorf("bps %v (want %v), utilisation %v, baseline %v", rx.Bps, want, *rx.Utilisation, *rx.BaselineBps)
	}
	if p := s.sealed[0].Series; len(p.Links[0].RxBytes) != 1270 || p.StepMs != 10 {
		t.Errorf("series of %d bins of %d ms, want 1270 of 10", len(p.Links[0].RxBytes), p.StepMs)
	}
}

// TestStretch: the burst's bins are those around the peak that stay over half of
// it. Bins are written as amount x times; 5000 bytes in 10 ms are 4 Mbit/s.
func TestStretch(t *testing.T) {
	const full, tail = 40_000, 5000 // 32 and 4 Mbit/s; half is 16 Mbit/s, 20 000 bytes
	type run struct {
		bytes uint64
		times int
	}
	for _, tt := range []struct {
		name       string
		runs       []run
		first, end int
		rate       float64
	}{
		// Bin 5 is the middle of 0, 0, full, full, full: 24 000.
		{"a rectangle", []run{{0, 5}, {full, 10}, {0, 5}}, 5, 15, 32e6},
		// Bin 15: (2 x 40 000 + 3 x 5000) / 5 = 19 000.
		{"long tails do not dilute it", []run{{tail, 30}, {full, 10}, {tail, 40}}, 30, 40, 32e6},
		// A super-frame in every other bin: means of five are 48 000 and 32 000.
		{"a comb is one burst", []run{{0, 5}, {80_000, 1}, {0, 1}, {80_000, 1}, {0, 1}, {80_000, 1}, {0, 1}, {80_000, 1}, {0, 1}, {80_000, 1}, {0, 6}}, 5, 14, 32e6},
		{"a hole of 50 ms is bridged", []run{{0, 5}, {full, 10}, {0, 5}, {full, 10}, {0, 5}}, 5, 30, 32e6},
		{"a longer one is not", []run{{0, 5}, {full, 10}, {0, 6}, {full, 10}, {0, 5}}, 5, 15, 32e6},
		{"the highest counts", []run{{0, 5}, {20_000, 10}, {0, 10}, {full, 10}, {0, 5}}, 25, 35, 32e6},
		{"nothing at all", []run{{0, 30}}, 0, 0, 0},
		{"shorter than the peak's time", []run{{full, 4}}, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var bins []uint64
			for _, r := range tt.runs {
				bins = append(bins, slices.Repeat([]uint64{r.bytes}, r.times)...)
			}
			at, rate := fullest(bins, 0, len(bins))
			first, end := stretch(bins, at, rate/2)
			if tt.rate == 0 {
				if rate != 0 {
					t.Errorf("rate %v, want none", rate)
				}
				return
			}
			if first != tt.first || end != tt.end || rate != tt.rate {
				t.Errorf("bins %d to %d, peak %v bit/s; want %d to %d, %v", first, end, rate, tt.first, tt.end, tt.rate)
			}
		})
	}
}
