package incident

import (
	"time"

	"spiketop/flow"
	"spiketop/probe"
	"spiketop/probe/hops"
)

// previewEvery is how often the picture of an incident that still collects is
// made anew at most.
const previewEvery = 200 * time.Millisecond

// picture says what a preview shows: as long as it stays the same, there is no
// reason for another one.
type picture struct {
	to       flow.Time // end of the window
	slots    int       // of the window, all links
	baseline int       // slots of the baseline, all links
	state    probe.State
	rtt      time.Duration // of the guilty echo
	late     int
	worst    time.Duration
	guests   [2]flow.Time // how far into the window the vifs' and disks' counters reach
	world    uint64       // generation: who is who
	tcp      int          // readings of TCP connections
	far      farWord
	vms      [2]int // VMs' late echoes, and how many of them are over
}

// preview builds what is known now, for the frozen panes.
func (m *Monitor) preview(c *collecting) {
	if c.suppressed {
		return
	}
	m.sumBaseline(c, baseFirst)
	to, _ := c.window(m.now)
	m.publish(c, to)
	m.ask(c)
}

// follow brings c's preview up to date with the slots that have come since,
// unless the last one is too young or another incident had its turn in this Tick;
// it reports whether it made one.
func (m *Monitor) follow(c *collecting, to flow.Time, had bool) bool {
	if !c.baseDone && c.shownAt < m.now { // the trigger's own Tick has done enough
		m.sumBaseline(c, max(baseLeast, baseStep/max(len(m.links), 1)))
	}
	if had || m.now < c.shownAt.Add(previewEvery) || m.pictureOf(c, to) == c.shown {
		return false
	}
	m.publish(c, to)
	return true
}

func (m *Monitor) publish(c *collecting, to flow.Time) {
	c.shown, c.shownAt = m.pictureOf(c, to), m.now
	in := m.build(c, to)
	in.Open = true
	m.show(c, in)
}

func (m *Monitor) pictureOf(c *collecting, to flow.Time) picture {
	p := picture{to: to, state: c.guilty.State, rtt: c.guilty.RTT, guests: m.guests.reach(to), world: m.world.Generation, far: c.far}
	for _, s := range m.gather(c, to) {
		p.slots += s.Slots
	}
	for _, b := range c.baseLinks {
		p.baseline += b.sum.Slots
	}
	for _, r := range c.tcp {
		p.tcp += r.n
	}
	for _, e := range m.lateVM(c, to, nil) {
		p.vms[0]++
		if e.State != hops.Waiting {
			p.vms[1]++
		}
	}
	if c.t != nil {
		n, w := c.late(to)
		p.late, p.worst = n, w.RTT
	}
	return p
}
