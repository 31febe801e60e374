package incident

import (
	"time"

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

// told returns the echo by which c is judged: the late one of its window that
// waited longest; the guilty one while there is none.
func (c *collecting) told(now flow.Time) probe.Sample {
	to, _ := c.window(now)
	told := c.guilty
	if c.t == nil {
		return told
	}
	for _, e := range c.t.echoes.since(c.from) {
		if e.Sent >= to {
			break
		}
		if e.State == probe.Answered && e.over && !e.self && waited(&e.Sample) > waited(&told) {
			told = e.Sample
		}
	}
	return told
}

// waited is the RTT without what passed before this process had the write behind
// it: an echo whose sender was kept from running tells less, however long it took.
func waited(s *probe.Sample) time.Duration { return s.RTT - max(s.Own, 0) }

// inQueue is the part of Queue that the host took, not this process.
func inQueue(s *probe.Sample) time.Duration { return s.Queue - max(s.Own, 0) }

// worst is the highest RTT that is known, nil if there is none.
func (t *Trigger) worst() *Millis {
	if t.Worst != nil {
		return t.Worst
	}
	return t.RTT
}
