package incident

import (
	"slices"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// What this host says about itself: the drivers' own counters of its NICs, and
// its CPUs.

// Bounds of what is remembered of it; readings come once a second.
const (
	maxDriverReadings = 256
	maxLoadReadings   = 256
)

// NICStats takes a reading of a driver's own counters. Nothing of s may change
// afterwards. Call it as [Monitor.Counters].
func (m *Monitor) NICStats(s flow.NICStats) {
	l := m.link(s.Link)
	if l == nil {
		return
	}
	if n := len(l.driver); n > 0 && l.driver[n-1].At >= s.At {
		return
	}
	l.driver = dropOld(l.driver, maxDriverReadings, func(x *flow.NICStats) bool { return x.At < s.At.Add(-counterMemory) })
	l.driver = append(l.driver, s)
}

// HostLoad takes a reading of this host's CPUs; its StealBy must not change
// afterwards. Call it as [Monitor.Counters].
func (m *Monitor) HostLoad(s flow.HostLoad) {
	if n := len(m.load); n > 0 && m.load[n-1].At >= s.At {
		return
	}
	m.load = dropOld(m.load, maxLoadReadings, func(x *flow.HostLoad) bool { return x.At < s.At.Add(-counterMemory) })
	m.load = append(m.load, s)
}

// dropOld drops a quarter of list when it is full, or when that quarter is old.
func dropOld[T any](list []T, most int, old func(*T) bool) []T {
	if n := len(list); n >= most || n > 16 && old(&list[n/4]) {
		return slices.Delete(list, 0, n/4)
	}
	return list
}

// point is one reading of one counter; a reading without it is not known.
type point struct {
	at    flow.Time
	n     uint64
	known bool
}

// Counters of hardware are brought to the kernel by many drivers every one or two
// seconds only: what happened in a window may show that much later.
const hardwareLag = 2 * time.Second

// increase is by how much a counter grew around a window, and usually.
type increase struct {
	known bool
	n     uint64
	over  time.Duration
	usual float64 // per second, of the baseline; -1 = not known
}

// leastUsual is how much of a baseline a usual rate needs.
const leastUsual = 3 * time.Second

// increaseOf compares a counter's readings around [from, to) with those that lie
// wholly within base, without skip. Both ends of the window must be covered, and
// every reading between them must have the counter.
func increaseOf(list []point, from, to flow.Time, base flow.Span, skip []flow.Span) (g increase) {
	g.usual = -1
	a, z := -1, -1
	for i := range list {
		if list[i].at <= from {
			a = i
		}
		if z < 0 && list[i].at >= to {
			z = i
		}
	}
	if a < 0 || z <= a {
		return g
	}
	g.known = true
	for i := a; i < z; i++ {
		g.known = g.known && list[i].known && list[i+1].known
		g.n += grown(list[i].n, list[i+1].n)
	}
	if !g.known {
		return increase{usual: -1}
	}
	g.over = list[z].at.Sub(list[a].at)
	var n uint64
	var over time.Duration
	for i := 0; i < a; i++ {
		x, y := &list[i], &list[i+1]
		if x.at < base.From || y.at > base.To || !x.known || !y.known || overlap(skip, x.at, y.at) > 0 {
			continue
		}
		n += grown(x.n, y.n)
		over += y.at.Sub(x.at)
	}
	if over >= leastUsual {
		g.usual = float64(n) / over.Seconds()
	}
	return g
}

// expected is what would have been usual in that time; 0 if it is not known.
func (g *increase) expected() float64 { return max(g.usual, 0) * g.over.Seconds() }

// more reports whether it grew by at least least, and by more than times what is
// usual. Without a usual rate nothing is more than that.
func (g *increase) more(least uint64, times float64) bool {
	return g.known && g.usual >= 0 && g.n >= least && float64(g.n) > times*g.expected()
}

// part is the growth as it is written, nil if it is not known.
func (g *increase) part() *uint64 {
	if !g.known {
		return nil
	}
	return &g.n
}

func (g *increase) usualPart() *float64 {
	if !g.known || g.usual < 0 {
		return nil
	}
	return &g.usual
}

// hardware is how a counter of l's NIC grew. What the driver says itself counts.
// The kernel's own field of the same name is always there, also where no driver
// fills it: it is taken where it has ever been more than 0.
func (l *link) hardware(what flow.NICCount, from, to flow.Time, base flow.Span, skip []flow.Span) increase {
	list := make([]point, 0, len(l.driver))
	for i := range l.driver {
		s := &l.driver[i]
		list = append(list, point{s.At, s.Count[what], s.Known[what]})
	}
	if g := increaseOf(list, from, to.Add(hardwareLag), base, skip); g.known {
		return g
	}
	if g := increaseOf(list, from, to, base, skip); g.known { // what there is so far
		return g
	}
	field := kernelField(what)
	if field == nil || len(l.counters) == 0 || *field(&l.counters[len(l.counters)-1]) == 0 {
		return increase{usual: -1}
	}
	list = make([]point, 0, len(l.counters))
	for i := range l.counters {
		list = append(list, point{l.counters[i].At, *field(&l.counters[i]), true})
	}
	if g := increaseOf(list, from, to.Add(hardwareLag), base, skip); g.known {
		return g
	}
	return increaseOf(list, from, to, base, skip)
}

// kernelField is where struct rtnl_link_stats64 has a count, nil if nowhere.
func kernelField(what flow.NICCount) func(*flow.LinkCounters) *uint64 {
	switch what {
	case flow.NICMissed:
		return func(c *flow.LinkCounters) *uint64 { return &c.RxMissed }
	case flow.NICFifo:
		return func(c *flow.LinkCounters) *uint64 { return &c.RxFifo }
	case flow.NICNoBuffer:
		return func(c *flow.LinkCounters) *uint64 { return &c.RxNoBuffer }
	}
	return nil
}

// kernel is how a counter that l's readings hold grew.
func (l *link) kernel(take func(*flow.LinkCounters) (uint64, bool), from, to flow.Time, base flow.Span, skip []flow.Span) increase {
	list := make([]point, 0, len(l.counters))
	for i := range l.counters {
		n, known := take(&l.counters[i])
		list = append(list, point{l.counters[i].At, n, known})
	}
	return increaseOf(list, from, to, base, skip)
}

func softnetDrops(c *flow.LinkCounters) (uint64, bool)    { return c.SoftnetDropped, c.HasSoftnet }
func softnetSqueezed(c *flow.LinkCounters) (uint64, bool) { return c.SoftnetSqueezed, c.HasSoftnet }
func qdiscDrops(c *flow.LinkCounters) (uint64, bool)      { return c.QdiscDrops, c.HasQdisc }

// An echo of a captured target is seen leaving some 30 ms after it was sent: the
// ring's block, the owner's round.
const usuallySeen = 40 * time.Millisecond

// Urgent reports whether some echo is late now, so that the queues of this host
// should be read at once and oftener than usual: a queue that stands for less than
// the time between two readings is seen by nobody. Call it after Tick.
func (m *Monitor) Urgent() bool {
	for _, t := range m.targets {
		if !t.Captured || t.firstAnswered == 0 || t.ep != nil && m.now.Sub(t.ep.from) > windowMax {
			continue // that it does not answer is no news
		}
		limit := max(usuallySeen, t.threshold().mark)
		for _, e := range t.echoes.since(m.now.Add(-givenUpAfter)) {
			if e.State == probe.Outstanding && !e.Cleared && m.now.Sub(e.Sent) > limit {
				return true
			}
		}
	}
	return false
}
