package incident

import (
	"time"

	"spiketop/flow"
)

// gathered is the sum of a window that is put together part by part, so that no
// single step has to look at every row of it. The parts must not overlap.
type gathered struct {
	sum   flow.WindowSum // Flows has one entry for each key
	index map[flow.Key]int
}

// add takes a further part; later says that it lies behind what is there, so
// that its numbers and classes are the newer ones.
func (g *gathered) add(part *flow.WindowSum, later bool) {
	s := &g.sum
	if part.Slots == 0 {
		return
	}
	if s.Slots == 0 {
		s.From, s.To = part.From, part.To
		n := len(part.Flows) + len(part.Flows)/8
		g.index, s.Flows = make(map[flow.Key]int, n), make([]flow.FlowSum, 0, n)
	}
	s.From, s.To = min(s.From, part.From), max(s.To, part.To)
	s.Slots += part.Slots
	s.Observed += part.Observed
	for _, d := range flow.Directions {
		s.Total[d].Add(part.Total[d])
		s.SKBBytes[d] += part.SKBBytes[d]
		for class, c := range part.Other[d] {
			if s.Other[d] == nil {
				s.Other[d] = make(map[flow.Class]flow.Counters)
			}
			c.Add(s.Other[d][class])
			s.Other[d][class] = c
		}
	}
	for i := range part.Flows {
		g.addFlow(&part.Flows[i], later)
	}
	s.Lost += part.Lost
	s.Floor += part.Floor
	s.Evicted += part.Evicted
	s.Late += part.Late
}

func (g *gathered) addFlow(f *flow.FlowSum, later bool) {
	i, known := g.index[f.Key]
	if !known {
		g.index[f.Key] = len(g.sum.Flows)
		g.sum.Flows = append(g.sum.Flows, *f)
		return
	}
	have := &g.sum.Flows[i]
	if later {
		have.ID, have.Class, have.Why = f.ID, f.Class, f.Why
	}
	for _, d := range flow.Directions {
		have.Sum[d].Add(f.Sum[d])
	}
}

// find returns what the flow with this key carried, nil if it was not there.
func (g *gathered) find(k flow.Key) *flow.FlowSum {
	if i, ok := g.index[k]; ok {
		return &g.sum.Flows[i]
	}
	return nil
}

// gather brings the sums of c's window up to date, as far as slots have come and
// no further than to, and returns them by Monitor.links.
func (m *Monitor) gather(c *collecting, to flow.Time) []*flow.WindowSum {
	if c.win == nil {
		c.win = make(map[flow.LinkID]*gathered, len(m.links))
	}
	sums := make([]*flow.WindowSum, len(m.links))
	for i, l := range m.links {
		g := c.win[l.ID]
		if g == nil || g.sum.To > to { // an echo that waited until now was answered earlier
			g = &gathered{}
			c.win[l.ID] = g
		}
		if from := max(c.from, g.sum.To); l.lookback.Newest() > from {
			part := l.lookback.Sum(from, to, nil)
			g.add(&part, true)
		}
		sums[i] = &g.sum
	}
	return sums
}

// Steps in which a baseline is summed up: 300 slots with 3500 rows each are 17 ms
// of work, for which no echo should have to wait.
const (
	baseFirst = 30 // slots of each link at the trigger: enough to judge by
	baseStep  = 20 // and of all links together in every Tick after it
	baseLeast = 5
)

// sumBaseline sums up n more slots of each link's baseline, newest first.
func (m *Monitor) sumBaseline(c *collecting, n int) {
	done := true
	for _, l := range m.links {
		b := c.baseLinks[l.ID]
		if b == nil {
			continue
		}
		b.more(l.lookback, c.skip, n)
		done = done && b.from >= b.upTo
	}
	c.baseDone = done
}

// more adds the n newest slots that b does not hold yet.
func (b *baseLink) more(l *flow.Lookback, skip []flow.Span, n int) {
	for n > 0 && b.from < b.upTo {
		from := max(b.from, b.upTo.Add(-time.Duration(max(n, 2))*flow.SlotLen))
		part := l.Sum(from, b.upTo, skip)
		b.add(&part, false)
		n -= part.Slots
		switch {
		case from == b.from:
			b.upTo = b.from
		case part.Slots > 0:
			b.upTo = min(part.From, b.upTo-1)
		default: // a slot may lie across from: the clock was set there
			b.upTo = from.Add(flow.SlotLen)
		}
	}
}
