package incident

import (
	"time"

	"spiketop/flow"
)

// nearLink is what this host's counters say of one NIC over a window.
type nearLink struct {
	l                          *link
	hardware                   [flow.NICCounts]increase
	drops, squeezed, queueDrop increase
}

// near reads the counters of l over the window, once.
func (b *builder) near(l *link) nearLink {
	if n, ok := b.nics[l]; ok {
		return n
	}
	c := b.c
	n := nearLink{l: l}
	for what := range n.hardware {
		n.hardware[what] = l.hardware(flow.NICCount(what), c.from, b.to, c.base, c.skip)
	}
	n.drops = l.kernel(softnetDrops, c.from, b.to, c.base, c.skip)
	n.squeezed = l.kernel(softnetSqueezed, c.from, b.to, c.base, c.skip)
	n.queueDrop = l.kernel(qdiscDrops, c.from, b.to, c.base, c.skip)
	if b.nics == nil {
		b.nics = map[*link]nearLink{}
	}
	b.nics[l] = n
	return n
}

// nic is what the kernel and the driver counted in the window; nil without two
// readings.
func (b *builder) nic(l *link) *NICPart {
	n := b.near(l)
	p, usual := &NICPart{}, &NICUsual{}
	for what, into := range []struct {
		n     **uint64
		usual **float64
	}{{&p.RxMissed, &usual.RxMissed}, {&p.RxNoBuffer, &usual.RxNoBuffer}, {&p.RxFifo, &usual.RxFifo},
		{&p.PauseRx, &usual.PauseRx}, {&p.PauseTx, &usual.PauseTx}} {
		g := &n.hardware[what]
		*into.n, *into.usual = g.part(), g.usualPart()
		if g.known {
			p.Seconds = max(p.Seconds, g.over.Seconds())
		}
	}
	p.SoftnetDrops, usual.SoftnetDrops = n.drops.part(), n.drops.usualPart()
	p.SoftnetSqueezed, usual.SoftnetSqueezed = n.squeezed.part(), n.squeezed.usualPart()
	p.QdiscDrops, usual.QdiscDrops = n.queueDrop.part(), n.queueDrop.usualPart()
	if *usual != (NICUsual{}) {
		p.Usual = usual
	}
	first, last, ok := l.countersAround(b.c.from, b.to)
	if !ok && *p == (NICPart{}) {
		return nil
	}
	if ok {
		p.RxDropped, p.TxDropped = grown(first.RxDropped, last.RxDropped), grown(first.TxDropped, last.TxDropped)
		p.CarrierChanges = grown(first.CarrierChanges, last.CarrierChanges)
	}
	for i := range l.counters {
		if c := &l.counters[i]; c.HasQdisc && c.At >= b.c.from && c.At < b.to {
			if p.QdiscBacklogBytes == nil {
				p.QdiscBacklogBytes = new(uint64)
			}
			*p.QdiscBacklogBytes = max(*p.QdiscBacklogBytes, c.QdiscBacklogBytes)
		}
	}
	return p
}

// loadGrowth is what this host's CPUs lost around [from, to).
type loadGrowth struct {
	steal, stealMost, stalled increase // in ns; stealMost: of the CPU that lost most
	cpus, running             int
}

func (m *Monitor) loadAround(from, to flow.Time, base flow.Span, skip []flow.Span) (g loadGrowth) {
	series := func(take func(*flow.HostLoad) (time.Duration, bool)) increase {
		list := make([]point, 0, len(m.load))
		for i := range m.load {
			d, known := take(&m.load[i])
			list = append(list, point{m.load[i].At, uint64(max(d, 0)), known})
		}
		return increaseOf(list, from, to, base, skip)
	}
	cpus := 0
	for i := range m.load {
		x := &m.load[i]
		cpus = max(cpus, len(x.StealBy))
		if x.At >= from.Add(-time.Second) && x.At <= to.Add(time.Second) {
			g.cpus, g.running = x.CPUs, max(g.running, x.Running)
		}
	}
	g.steal = series(func(x *flow.HostLoad) (time.Duration, bool) { return x.Steal, x.HasSteal })
	g.stalled = series(func(x *flow.HostLoad) (time.Duration, bool) { return x.Stalled, x.HasPSI })
	if !g.steal.known || g.steal.n == 0 {
		return g
	}
	for cpu := range cpus {
		one := series(func(x *flow.HostLoad) (time.Duration, bool) {
			if cpu >= len(x.StealBy) {
				return 0, false
			}
			return x.StealBy[cpu], x.HasSteal
		})
		// More than the time there was: the CPU had been offline.
		if one.known && time.Duration(one.n) <= one.over+leastSteal && (!g.stealMost.known || one.n > g.stealMost.n) {
			g.stealMost = one
		}
	}
	return g
}

// Steal is counted in ticks of 10 ms: two of them are the least that means anything.
const leastSteal = 20 * time.Millisecond

// stole reports whether some CPU lost at least half of excess to the hypervisor,
// far more than usual.
func (g *loadGrowth) stole(excess time.Duration) bool {
	return g.stealMost.more(uint64(max(excess/2, leastSteal)), 3)
}

// crowded reports whether tasks waited for a CPU for at least half of excess, far
// more than usual.
func (g *loadGrowth) crowded(excess time.Duration) bool {
	return g.stalled.more(uint64(max(excess/2, leastSteal)), 3)
}

// loadPart is this host's CPUs over the window, nil where nothing was read.
func (b *builder) loadPart() *LoadPart {
	g := b.m.loadAround(b.c.from, b.to, b.c.base, b.c.skip)
	if !g.steal.known && !g.stalled.known {
		return nil
	}
	p := &LoadPart{CPUs: g.cpus, Running: g.running, Seconds: max(g.steal.over, g.stalled.over).Seconds()}
	p.Steal, p.StealUsual = g.steal.millis()
	p.StealMost, p.StealMostUsual = g.stealMost.millis()
	p.Stalled, p.StalledUsual = g.stalled.millis()
	return p
}

// millis is a growth of nanoseconds in ms, and in ms for each second usually.
func (g *increase) millis() (n, usual *Millis) {
	if !g.known {
		return nil, nil
	}
	n = MillisOf(time.Duration(g.n))
	if g.usual >= 0 {
		usual = MillisOf(time.Duration(g.usual))
	}
	return n, usual
}
