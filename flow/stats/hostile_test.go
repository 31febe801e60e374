package stats

import "testing"

// Times that jump wherever they like cost a bounded effort each: 60 000 of
// them take well under a second; the test would take minutes if a jump cost a
// walk over the time in between.
func TestJumpingTimes(t *testing.T) {
	c := New(Options{})
	p := udp(base, "10.1.16.71", 1, "10.1.16.72", 2, 100)
	x := uint64(1)
	for range 30_000 {
		x = x*6364136223846793005 + 1442695040888963407
		p.At = int64(x >> 2)
		c.Add(&p)
	}
	for i := range int64(30_000) { // and always just beyond what is kept
		p.At = base + i*window*binLen
		c.Add(&p)
	}
	if r := c.Report(); r.Packets != 60_000 {
		t.Errorf("%d packets", r.Packets)
	}
}
