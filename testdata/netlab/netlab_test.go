package netlab

import (
	"context"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// TestBurstDelaysPing proves the lab itself, without spiketop: a calm network
// answers within a few ms, a burst into the deep queue makes the ping exceed
// 100 ms, and the witness sees the burst's bytes.
func TestBurstDelaysPing(t *testing.T) {
	l := NewTwoNICs(t, Options{})
	Sink(t, l.NC1, "10.1.16.165:9422", 900<<10)
	s := Dial(t, l.Storage, "10.1.18.71:40112", "10.1.16.165:9422")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.Trickle(ctx, 2e6)

	witness := StartTcpdump(t, l.NC1, "eth0")
	calm := maxRTT(t, l, "10")
	done := make(chan float64)
	go func() { done <- maxRTT(t, l, "12") }()
	time.Sleep(300 * time.Millisecond)
	from, to, _, err := s.Burst(500 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	burst := <-done
	packets := witness.Stop()
	got := Bytes(packets, s.Local, s.Remote, from, to.Add(time.Second))
	t.Logf("ping: calm %.1f ms, during the burst %.1f ms; burst took %v, %d bytes seen", calm, burst, to.Sub(from), got)
	if burst < 100 || burst < 3*calm {
		t.Errorf("the burst made the ping %.1f ms, want over 100 ms and three times the calm %.1f ms", burst, calm)
	}
	if got < 1e6 {
		t.Errorf("the witness saw %d bytes of the burst, want over 1 MB", got)
	}
}

var rttOf = regexp.MustCompile(`time=([0-9.]+) ms`)

func maxRTT(t *testing.T, l *TwoNICs, count string) (worst float64) {
	out, err := l.NC1.Command("ping", "-n", "-i", "0.1", "-c", count, "-W", "2", "10.1.20.55").CombinedOutput()
	if err != nil {
		t.Errorf("ping: %v\n%s", err, out)
	}
	for _, m := range rttOf.FindAllSubmatch(out, -1) {
		ms, _ := strconv.ParseFloat(string(m[1]), 64)
		worst = max(worst, ms)
	}
	return worst
}
