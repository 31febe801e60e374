package incident

import (
	"cmp"
	"math"
	"slices"
	"time"

	"spiketop/flow"
)

// guestParts fills in what the vifs, the storage and the VMs' disks did.
func (b *builder) guestParts(in *Incident) {
	in.VIFs, in.VIFSum = b.vifs()
	in.Storage = b.storage()
}

// usual is the growth of a counter in the baseline; unknown where the links have
// none: a figure must not be compared with a time that the incident does not name.
func (b *builder) usual(t *tally) growth {
	if b.m.baseWindow(b.c).Seconds == 0 {
		return growth{}
	}
	return t.whole(b.c.base.From, b.c.base.To, b.c.skip)
}

// vifs are the vifs between the readings around the window, largest change first,
// and their sum over the same time: the rows add up to it. A vif of which nothing
// is known in that time is left out: not known is not 0.
func (b *builder) vifs() (list []VIFPart, sum *VIFSum) {
	named := b.m.guests.named()
	span := spanAround(tallies(named), b.c.from, b.to)
	if span.To <= span.From {
		return nil, nil
	}
	sum = &VIFSum{}
	base := 0.0
	for i := range named {
		v := &named[i]
		around := v.sum(func(t *tally) growth { return t.between(span.From, span.To) })
		if around.known <= 0 {
			continue
		}
		was := v.sum(b.usual)
		p := vifPart(v, &around, &was, span.To.Sub(span.From))
		list = append(list, p)
		sum.VIFs++
		sum.RxBytes += p.RxBytes
		sum.TxBytes += p.TxBytes
		base += was.rate(rxBytes) + was.rate(txBytes)
	}
	if len(list) == 0 {
		return nil, nil
	}
	b.sumVIFs(sum, span, base)
	slices.SortStableFunc(list, func(x, y VIFPart) int { return cmp.Compare(y.change(), x.change()) })
	return sum.cut(list), sum
}

func tallies(named []namedVIF) (all []*tally) {
	for i := range named {
		all = append(all, named[i].parts...)
	}
	return all
}

// vifPart makes a row of what is known of the time span.
func vifPart(v *namedVIF, around, was *growth, span time.Duration) VIFPart {
	p := VIFPart{VIF: v.name, VM: v.vm,
		RxBytes: uint64(math.Round(around.n[rxBytes])), TxBytes: uint64(math.Round(around.n[txBytes])), TxDropped: uint64(math.Round(around.n[rxDropped])),
		RxBps: around.n[rxBytes] * 8 / span.Seconds(), TxBps: around.n[txBytes] * 8 / span.Seconds()}
	if around.known < span {
		p.Seconds = around.known.Seconds()
	}
	if was.known > 0 {
		rx, tx := was.rate(rxBytes), was.rate(txBytes)
		p.RxBaselineBps, p.TxBaselineBps = &rx, &tx
	}
	return p
}

// change is the larger change of both directions; without a baseline as if the
// vif had been silent.
func (p *VIFPart) change() float64 {
	rx, tx := p.RxBps, p.TxBps
	if p.RxBaselineBps != nil {
		rx -= *p.RxBaselineBps
	}
	if p.TxBaselineBps != nil {
		tx -= *p.TxBaselineBps
	}
	return max(rx, tx)
}

// sumVIFs compares the vifs with the links over the same time. Bytes are those
// of the kernel's buffers there and of the wire here, some 4 % more.
func (b *builder) sumVIFs(sum *VIFSum, span flow.Span, base float64) {
	sum.Seconds = span.To.Sub(span.From).Seconds()
	links, usual := 0.0, 0.0
	for _, l := range b.m.links {
		links += l.carried(span.From, span.To)
		for _, d := range flow.Directions {
			r, _ := b.c.baseOf(l).rate(d)
			usual += r
		}
	}
	if sum.LinkBytes = uint64(math.Round(links)); links > 0 {
		s := float64(sum.RxBytes+sum.TxBytes) / links
		sum.Share = &s
	}
	if usual > 0 && base > 0 {
		s := base / usual
		sum.BaselineShare = &s
	}
}

// carried is how many bytes the link carried in [from, to), both directions: by
// the whole slots inside, in proportion. Less than half of it known is 0.
func (l *link) carried(from, to flow.Time) float64 {
	c := l.lookback.Counted(from, to)
	span := to.Sub(from)
	if c.Observed <= 0 || c.Observed < span/2 {
		return 0
	}
	return float64(c.Total[flow.Rx].Bytes+c.Total[flow.Tx].Bytes) * min(float64(span)/float64(c.Observed), 2)
}

// cut keeps the first [maxGuests] vifs and sums up the rest.
func (s *VIFSum) cut(list []VIFPart) []VIFPart {
	if len(list) <= maxGuests {
		return list
	}
	s.Other = &VIFOther{VIFs: len(list) - maxGuests}
	for i := maxGuests; i < len(list); i++ {
		s.Other.RxBytes += list[i].RxBytes
		s.Other.TxBytes += list[i].TxBytes
		s.Other.RxBps += list[i].RxBps
		s.Other.TxBps += list[i].TxBps
	}
	return list[:maxGuests:maxGuests]
}

// Carried is the part that storage and vifs have in what all captured links
// carry now, for screens. Rates are bit/s.
type Carried struct {
	Storage    [2]float64 // class storage by direction, over 2 s
	HasStorage bool       // some flow of the last 40 s has this class
	// VIFs is how many vifs have a known rate, 0 = none or not known. VIF is their
	// sum over the last 2 to 3 s, from the guests' point of view: [flow.Rx] is
	// toward them. Share is of what the links carried in that time, NaN = unknown;
	// it is over 1 where VMs talk to one another.
	VIFs  int
	VIF   [2]float64
	Share float64
}

// Times of the live sum of vifs.
const (
	carriedSpan  = 2 * time.Second
	carriedStale = 4 * time.Second // after which a last reading is no longer news
)

// carried sums up storage and vifs at now.
func (m *Monitor) carried(views []LinkView, now flow.Time) Carried {
	c := Carried{Share: math.NaN()}
	for i := range views {
		for _, k := range views[i].Classes {
			if k.Class == flow.Storage {
				c.Storage[flow.Rx] += k.Rate[flow.Rx]
				c.Storage[flow.Tx] += k.Rate[flow.Tx]
				c.HasStorage = true
			}
		}
		c.HasStorage = c.HasStorage || slices.ContainsFunc(views[i].Rows, func(f FlowView) bool { return f.Class == flow.Storage })
	}
	named := m.guests.named()
	newest := m.guests.reach(now)[0]
	if newest == 0 || newest < now.Add(-carriedStale) {
		return c
	}
	span := spanAround(tallies(named), newest.Add(-carriedSpan), newest)
	for i := range named {
		g := named[i].sum(func(t *tally) growth { return t.between(span.From, span.To) })
		if g.known > 0 {
			c.VIFs++
			c.VIF[flow.Rx] += g.rate(rxBytes)
			c.VIF[flow.Tx] += g.rate(txBytes)
		}
	}
	links := 0.0
	for _, l := range m.links {
		links += l.carried(span.From, span.To)
	}
	if c.VIFs > 0 && links > 0 {
		c.Share = (c.VIF[flow.Rx] + c.VIF[flow.Tx]) / 8 * span.To.Sub(span.From).Seconds() / links
	}
	return c
}
