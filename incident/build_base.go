package incident

import (
	"slices"
	"time"

	"spiketop/flow"
)

// baseLink is what one link usually carried: the baseline window.
type baseLink struct {
	sum   flow.WindowSum
	flows map[flow.Key]*flow.FlowSum
	rates [2][]float64 // of each slot, ascending
}

// takeBaseline sums up the 30 s before the window of c, without other incidents'
// windows; of a link that came back later only what its present epoch saw.
func (m *Monitor) takeBaseline(c *collecting) {
	c.base = flow.Span{From: c.from.Add(-baselineSpan), To: c.from}
	skip := slices.Clone(m.windows)
	for _, o := range m.open {
		if to, _ := o.window(m.now); o != c {
			skip = append(skip, flow.Span{From: o.from, To: to})
		}
	}
	c.baseLinks = make(map[flow.LinkID]*baseLink, len(m.links))
	for _, l := range m.links {
		from := max(c.base.From, l.lookback.EpochStart())
		b := &baseLink{sum: l.lookback.Sum(from, c.base.To, skip), rates: l.lookback.SlotRates(from, c.base.To, skip)}
		b.flows = make(map[flow.Key]*flow.FlowSum, len(b.sum.Flows))
		for i := range b.sum.Flows {
			b.flows[b.sum.Flows[i].Key] = &b.sum.Flows[i]
		}
		for _, d := range flow.Directions {
			slices.Sort(b.rates[d])
		}
		c.baseLinks[l.ID] = b
	}
}

// baseOf is never nil: a link that came later has an empty baseline.
func (c *collecting) baseOf(l *link) *baseLink {
	if b := c.baseLinks[l.ID]; b != nil {
		return b
	}
	return &baseLink{}
}

// rate is the usual rate of a direction; ok is false without baseline.
func (b *baseLink) rate(d flow.Direction) (bps float64, ok bool) {
	return bitRate(b.sum.Total[d].Bytes, b.sum.Observed), b.sum.Observed > 0
}

// flowRate is the usual rate of a flow, 0 if it was not there.
func (b *baseLink) flowRate(k flow.Key, d flow.Direction) float64 {
	if f := b.flows[k]; f != nil {
		return bitRate(f.Sum[d].Bytes, b.sum.Observed)
	}
	return 0
}

// bitRate is bytes over a time in bit/s; 0 for no time.
func bitRate(bytes uint64, over time.Duration) float64 {
	if over <= 0 {
		return 0
	}
	return float64(bytes) * 8 / over.Seconds()
}

// baseWindow is the baseline as it is written: the longest that any link has.
func (m *Monitor) baseWindow(c *collecting) (w BaseWindow) {
	for _, b := range c.baseLinks {
		if b.sum.Observed <= 0 {
			continue
		}
		if s := b.sum.Observed.Seconds(); s > w.Seconds {
			w.Seconds = s
		}
		from, to := c.wall(m, b.sum.From), c.wall(m, b.sum.To)
		if w.From.IsZero() || from.Before(w.From) {
			w.From = from
		}
		if to.After(w.To) {
			w.To = to
		}
	}
	return w
}
