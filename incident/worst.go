package incident

import (
	"spiketop/flow"
	"spiketop/probe"
)

// late counts the echoes of c's target that were answered beyond the threshold
// in the window up to to, and returns the worst of them.
func (c *collecting) late(to flow.Time) (n int, worst probe.Sample) {
	worst.RTT = probe.None
	if c.t == nil {
		return 0, worst
	}
	for _, e := range c.t.echoes.since(c.from) {
		if e.Sent >= to {
			break
		}
		if e.State != probe.Answered || !e.over || e.self {
			continue
		}
		if n++; e.RTT > worst.RTT {
			worst = e.Sample
		}
	}
	return n, worst
}

// told returns the echo by which c is judged: the worst late one of its window,
// for it waited longest; the guilty one while there is none.
func (c *collecting) told(now flow.Time) probe.Sample {
	to, _ := c.window(now)
	if n, w := c.late(to); n > 0 && w.RTT > c.guilty.RTT {
		return w
	}
	return c.guilty
}

// worst is the highest RTT that is known, nil if there is none.
func (t *Trigger) worst() *Millis {
	if t.Worst != nil {
		return t.Worst
	}
	return t.RTT
}
