package incident

import (
	"testing"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// TestTold: the echo that tells is the one that waited longest in the host or in
// the network; the time for which its sender was kept from running does not count.
func TestTold(t *testing.T) {
	const ms = time.Millisecond
	sample := func(n int64, own, queue, wire time.Duration) probe.Sample {
		return probe.Sample{N: n, State: probe.Answered, Sent: flow.Time(n) * flow.Time(100*ms), Own: own, Queue: queue, Wire: wire, RTT: queue + wire}
	}
	for _, c := range []struct {
		name string
		late []probe.Sample // beside the guilty one: number 10, 140 ms on the wire
		want int64
	}{
		{"alone", nil, 10},
		{"a worse one", []probe.Sample{sample(11, 0, ms, 200*ms)}, 11},
		{"a longer one of a sender that stood still", []probe.Sample{sample(11, 120*ms, 121*ms, 100*ms)}, 10},
		{"a longer one in the host's queue", []probe.Sample{sample(11, 0, 150*ms, ms)}, 11},
		{"nothing is known of its sender", []probe.Sample{sample(11, probe.None, ms, 200*ms)}, 11},
	} {
		t.Run(c.name, func(t *testing.T) {
			tg := &target{}
			guilty := sample(10, 0, ms, 140*ms)
			for _, s := range append([]probe.Sample{guilty}, c.late...) {
				e, _ := tg.echoes.put(s)
				e.over = true
			}
			col := &collecting{t: tg, guilty: guilty, sent: guilty.Sent, from: guilty.Sent, end: guilty.Sent.Add(2 * time.Second)}
			if got := col.told(col.end); got.N != c.want {
				t.Errorf("echo %d tells, want %d", got.N, c.want)
			}
		})
	}
}
