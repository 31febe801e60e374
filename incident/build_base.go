package incident

import (
	"slices"
	"time"

	"spiketop/flow"
)

// baseLink is what one link usually carried: the baseline window.
type baseLink struct {
	gathered
	from, upTo flow.Time    // what is not summed up yet
	rates      [2][]float64 // of each slot of the whole baseline, ascending
	limit      [2]float64   // what they hardly ever exceed
}

// takeBaseline begins the baseline of c: the 30 s before its window, without
// other incidents' windows; of a link that came back later only what its present
// epoch saw. The links' rates are there at once, the flows' come with
// [Monitor.sumBaseline].
func (m *Monitor) takeBaseline(c *collecting) {
	c.base = flow.Span{From: c.from.Add(-baselineSpan), To: c.from}
	c.skip = slices.Clone(m.windows)
	for _, o := range m.open {
		if to, _ := o.window(m.now); o != c {
			c.skip = append(c.skip, flow.Span{From: o.from, To: to})
		}
	}
	c.baseLinks = make(map[flow.LinkID]*baseLink, len(m.links))
	for _, l := range m.links {
		from := max(c.base.From, l.lookback.EpochStart())
		b := &baseLink{from: from, upTo: max(c.base.To, from), rates: l.lookback.SlotRates(from, c.base.To, c.skip)}
		for _, d := range flow.Directions {
			slices.Sort(b.rates[d])
			b.limit[d] = usualMax(b.rates[d])
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
	if f := b.find(k); f != nil {
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
