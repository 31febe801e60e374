package incident

import (
	"math"
	"slices"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// Numbers of the judgement.
const (
	// A queue that delays an echo fills before the echo comes: what the link
	// carried in this time before it was sent counts as well.
	leadIn = 300 * time.Millisecond
	// A growth below this is none, whatever the spread: the larger of 1 Mbit/s
	// and a thousandth of the speed. Not a larger part of the speed, for a port
	// may be limited to far less than it says.
	leastGrowth      = 1e6
	leastGrowthPart  = 0.001
	growthOverSpread = 0.05 // and by this part above what is usual
	spreadMADs       = 3
	fewSlots         = 100 // with fewer, the highest slot rate stands for the p99
	leastBaseline    = 3 * time.Second
	soundBaseline    = 10 * time.Second // with less, nothing is said with more than low confidence
	leastCoverage    = 0.99
)

// wayDir is one direction of a link on the way of the guilty echo.
type wayDir struct {
	l        *link
	i        int // index of Monitor.links
	d        flow.Direction
	base     *baseLink
	observed bool    // the echo (tx) or its answer (rx) was seen on it
	usualWay bool    // or the target's echoes go that way as a rule
	usual    float64 // bit/s, mean of the baseline
	limit    float64 // what the baseline's slots hardly ever exceed
	wait     float64 // mean rate while the echo waited, or just before; -1 = not known
	busy     float64 // part of the waiting time in bins over 90 % of the speed
	changed  bool
}

// waitSpan is how long the echo waited by which c is judged: at least a slot, for
// that is what it is compared with.
func (m *Monitor) waitSpan(c *collecting) (s flow.Span) {
	g := c.told(m.now)
	switch {
	case c.t == nil:
		s = flow.Span{From: c.sent.Add(-manualBefore), To: c.sent}
	case c.kind == KindLoss:
		s = flow.Span{From: c.sent.Add(-flow.SlotLen), To: max(c.end.Add(-givenUpAfter), c.sent).Add(2 * flow.SlotLen)}
	case g.RTT >= 0:
		s = flow.Span{From: g.Sent, To: g.Sent.Add(g.RTT)}
	default:
		s = flow.Span{From: c.sent, To: m.nextAnswer(c)}
	}
	s.From = min(s.From, s.To.Add(-flow.SlotLen))
	return s
}

// nextAnswer is when the first answer after the guilty echo came, which itself
// has none: by then the trouble was over.
func (m *Monitor) nextAnswer(c *collecting) flow.Time {
	end := min(m.now, c.sent.Add(givenUpAfter))
	for _, e := range c.t.echoes.since(c.sent) {
		if e.N > c.guilty.N && e.State == probe.Answered {
			end = min(end, e.Sent.Add(e.RTT))
		}
	}
	return max(end, c.sent)
}

// way returns the directions on the way of the echo that tells: the member it left
// by and the one its answer came by; where that was not seen, all links.
func (m *Monitor) way(c *collecting) []wayDir {
	var out, in flow.LinkID
	if c.t != nil {
		g := c.told(m.now)
		out, in = g.Member, g.ReplyMember
	}
	span := m.waitSpan(c)
	var list []wayDir
	for i, l := range m.links {
		for _, d := range flow.Directions {
			seen := in
			if d == flow.Tx {
				seen = out
			}
			if seen == l.ID || seen == 0 && l.State == flow.LinkUp {
				w := wayDir{l: l, i: i, d: d, base: c.baseOf(l), observed: seen != 0}
				w.usualWay = c.t != nil && (d == flow.Tx && c.t.member == l.ID || d == flow.Rx && c.t.replyMember == l.ID)
				w.compare(c, span)
				list = append(list, w)
			}
		}
	}
	return list
}

// compare sets the rates and whether they changed by more than the usual spread.
func (w *wayDir) compare(c *collecting, span flow.Span) {
	// The worst echo, what filled the queue before the first, and the first itself.
	lead := flow.Span{From: c.sent.Add(-leadIn), To: min(span.To, c.sent.Add(flow.SlotLen))}
	from := slotFloor(c.offset, min(lead.From, span.From))
	bins := w.l.lookback.Bins(from, max(span.To, c.sent.Add(c.guilty.RTT)))
	w.wait, w.busy = w.rateIn(&bins, span)
	if before, _ := w.rateIn(&bins, lead); c.t != nil && w.wait >= 0 {
		w.wait = max(w.wait, before)
	}
	if g := &c.guilty; c.t != nil && c.kind != KindLoss && g.RTT >= 0 && w.wait >= 0 {
		first, busy := w.rateIn(&bins, flow.Span{From: min(g.Sent, g.Sent.Add(g.RTT-flow.SlotLen)), To: g.Sent.Add(g.RTT)})
		w.wait, w.busy = max(w.wait, first), max(w.busy, busy)
	}
	w.usual, _ = w.base.rate(w.d)
	w.limit = w.base.limit[w.d]
	least := max(leastGrowth, leastGrowthPart*float64(w.l.SpeedBps), growthOverSpread*w.limit)
	w.changed = len(w.base.rates[w.d]) > 0 && (w.wait > w.limit+least || w.filled())
}

// filled reports whether the link was full where it is usually not half full.
// That makes a queue, also when the baseline has seen such a burst before.
func (w *wayDir) filled() bool {
	return w.full() && w.wait > 2*w.usual
}

// rateIn is the mean rate of the bins that touch span, and how many of them were
// busy.
func (w *wayDir) rateIn(b *flow.BinSeries, span flow.Span) (rate, busy float64) {
	sum, n := uint64(0), 0
	for i, ok := range b.Valid {
		at := b.Start.Add(time.Duration(i) * flow.BinLen)
		if !ok || at.Add(flow.BinLen) <= span.From || at >= span.To {
			continue
		}
		n++
		sum += b.Bytes[w.d][i]
		if w.l.SpeedBps > 0 && bitRate(b.Bytes[w.d][i], flow.BinLen) > busyLevel*float64(w.l.SpeedBps) {
			busy++
		}
	}
	if n == 0 {
		return -1, 0
	}
	return bitRate(sum, time.Duration(n)*flow.BinLen), busy / float64(n)
}

// usualMax is what the slots' rates (ascending) hardly ever exceed: the larger
// of their p99 and their median + 3 MAD.
func usualMax(rates []float64) float64 {
	n := len(rates)
	if n == 0 {
		return 0
	}
	top := rates[n-1]
	if n >= fewSlots {
		top = quantile(rates, 0.99)
	}
	med := (rates[(n-1)/2] + rates[n/2]) / 2
	far := make([]float64, n)
	for i, r := range rates {
		far[i] = math.Abs(r - med)
	}
	slices.Sort(far)
	mad := (far[(n-1)/2] + far[n/2]) / 2 * madFactor
	return max(top, med+spreadMADs*mad)
}

// growth is the rise over the usual rate.
func (w *wayDir) growth() float64 { return w.wait - w.usual }

// full reports whether the link was busy for nearly all the time.
func (w *wayDir) full() bool {
	return w.busy >= busyLevel || w.l.SpeedBps > 0 && w.wait >= busyLevel*float64(w.l.SpeedBps)
}
