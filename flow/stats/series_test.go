package stats

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// even is what an interface carries in calm times: 1000 bytes in each 10 ms.
func even(from, to int64) (out []Packet) {
	for at := from; at < to; at += 10 * ms {
		out = append(out, udp(base+at, "10.1.16.71", 1, "10.1.16.72", 2, 1000))
	}
	return out
}

func TestPeaks(t *testing.T) {
	list := even(0, 1000*ms)
	list = append(list, udp(base+1013*ms, "10.1.16.71", 1, "10.1.16.72", 2, 9000), udp(base+1019*ms, "10.1.16.71", 1, "10.1.16.72", 2, 500),
		udp(base+1020*ms, "10.1.16.71", 1, "10.1.16.72", 2, 3000))
	r := report(Options{}, list...)
	want := []Peak{
		{0, 100, base + 1000*ms, 12_500}, // 9000 + 500 + 3000
		{0, 100, base, 10_000}, {0, 100, base + 100*ms, 10_000},
		{0, 10, base + 1010*ms, 9500}, {0, 10, base + 1020*ms, 3000}, {0, 10, base, 1000},
	}
	if d := cmp.Diff(want, r.Peaks); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := r.Peaks[0].BPS(); got != 1_000_000 { // 12 500 x 8 / 0.1 s
		t.Errorf("%f bit/s, want 1 Mbit/s", got)
	}
}

// Packets that are a little late count where they belong; a clock that is set
// back begins anew, and loses nothing of what was before.
func TestPeaksOutOfOrder(t *testing.T) {
	r := report(Options{},
		udp(base+500*ms, "10.1.16.71", 1, "10.1.16.72", 2, 1000),
		udp(base+5*ms, "10.1.16.71", 1, "10.1.16.72", 2, 700), // late by half a second
		udp(base+505*ms, "10.1.16.71", 1, "10.1.16.72", 2, 1000),
		udp(base-3600*second, "10.1.16.71", 1, "10.1.16.72", 2, 400),
		udp(1<<62+5, "10.1.16.71", 1, "10.1.16.72", 2, 1e6), // a damaged time has no place
	)
	want := []Peak{
		{0, 100, base + 500*ms, 2000}, {0, 100, base, 700}, {0, 100, base - 3600*second, 400},
		{0, 10, base + 500*ms, 2000}, {0, 10, base, 700}, {0, 10, base - 3600*second, 400},
	}
	if d := cmp.Diff(want, r.Peaks); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestBursts(t *testing.T) {
	list := even(0, 1000*ms)
	for at := int64(1000 * ms); at < 1050*ms; at += ms { // 50 ms of 10 000 bytes a ms
		list = append(list, udp(base+at, "10.1.16.165", 9422, "10.1.16.71", 40112, 10_000))
	}
	list = append(list, even(1000*ms, 3000*ms)...)
	r := report(Options{}, list...)
	if len(r.Bursts) != 1 {
		t.Fatalf("%d bursts: %+v", len(r.Bursts), r.Bursts)
	}
	b := r.Bursts[0]
	// The calm flow's bins came after those of the burst, in the same five bins.
	if b.From != base+1000*ms || b.To != base+1050*ms || b.Bytes != 505_000 || b.Peak != 101_000 || b.Usual != 1000 {
		t.Errorf("burst %+v, want 50 ms from 1 s on, 505 000 bytes, 101 000 in 10 ms, 1000 usual", b)
	}
	if len(b.Flows) == 0 || b.Flows[0].Flow.A.String() != "10.1.16.165:9422" || b.Flows[0].Bytes != 500_000 {
		t.Errorf("flows of the burst %+v, want 10.1.16.165:9422 with 500 000 bytes first", b.Flows)
	}
}

// Load that stays is a burst of at most three seconds; then it is what is usual.
func TestBurstThatStays(t *testing.T) {
	list := even(0, 1000*ms)
	for at := int64(1000 * ms); at < 9000*ms; at += 10 * ms {
		list = append(list, udp(base+at, "10.1.16.165", 9422, "10.1.16.71", 40112, 100_000))
	}
	r := report(Options{}, list...)
	if len(r.Bursts) != 1 || r.Bursts[0].To-r.Bursts[0].From > 3100*ms {
		t.Errorf("%d bursts: %+v", len(r.Bursts), r.Bursts)
	}
}

// Two calm bins do not end a burst, three do.
func TestBurstGap(t *testing.T) {
	loud := func(at int64) Packet { return udp(base+at, "10.1.16.165", 9422, "10.1.16.71", 40112, 50_000) }
	list := append(even(0, 1000*ms), loud(1000*ms))
	list = append(list, even(1010*ms, 1030*ms)...)
	list = append(list, loud(1030*ms))
	list = append(list, even(1040*ms, 1070*ms)...)
	list = append(list, loud(1070*ms))
	r := report(Options{}, append(list, even(1080*ms, 2000*ms)...)...)
	if len(r.Bursts) != 2 || r.Bursts[0].To != base+1040*ms || r.Bursts[1].From != base+1070*ms {
		t.Errorf("bursts %+v, want one to 1040 ms and one from 1070 ms", r.Bursts)
	}
}

// An interface that was silent since the file began is calm, not unknown.
func TestBurstOfASilentInterface(t *testing.T) {
	list := even(0, 1000*ms)
	for at := int64(1000 * ms); at < 1050*ms; at += ms {
		p := udp(base+at, "10.1.16.165", 9422, "10.1.16.71", 40112, 10_000)
		p.Interface = 1
		list = append(list, p)
	}
	r := report(Options{}, list...)
	if len(r.Bursts) != 1 || r.Bursts[0].Interface != 1 || r.Bursts[0].Bytes != 500_000 || r.Bursts[0].Usual != 0 {
		t.Errorf("bursts %+v, want one of interface 1", r.Bursts)
	}
}

// Interfaces are looked at apart, and their number is bounded.
func TestSeriesOfInterfaces(t *testing.T) {
	c := New(Options{})
	for i := range int32(maxSeries + 10) {
		p := udp(base, "10.1.16.71", 1, "10.1.16.72", 2, 100)
		p.Interface = i
		c.Add(&p)
	}
	r := c.Report()
	if len(r.Peaks) != 2*maxSeries || r.Unplaced != 10 {
		t.Errorf("%d peaks, %d packets without a place; want %d and 10", len(r.Peaks), r.Unplaced, 2*maxSeries)
	}
}
