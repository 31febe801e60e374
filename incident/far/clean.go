package far

import (
	"fmt"
	"math"
	"time"

	"spiketop/flow"
	"spiketop/incident"
)

// Bounds of figures: what is beyond them no host can have measured.
const (
	maxRate  = 1e15    // bit/s
	maxBytes = 1 << 56 // in a window
	maxMs    = 86_400_000
)

func (w *WindowLine) check() error {
	if w == nil {
		return nil
	}
	if w.ID == "" || len(w.ID) > maxName || w.ID != name(w.ID) {
		return fmt.Errorf("%w: answer without a proper id", ErrLine)
	}
	parts := 0
	for _, set := range []bool{w.Begin != nil, w.Link != nil, w.Class != nil, w.Flow != nil, w.End != nil} {
		if set {
			parts++
		}
	}
	if parts > 1 {
		return fmt.Errorf("%w: several things at once", ErrLine)
	}
	switch {
	case w.Begin != nil && (!plausible(w.Begin.From) || !plausible(w.Begin.To) || w.Begin.To < w.Begin.From):
		return fmt.Errorf("%w: answer about an impossible window", ErrLine)
	case w.Link != nil:
		l := cleanLink(w.Link)
		w.Link = &l
	case w.Class != nil:
		c := cleanClass(w.Class)
		w.Class = &c
	case w.Flow != nil && w.Dir != flow.Rx.String() && w.Dir != flow.Tx.String():
		return fmt.Errorf("%w: flow in no direction", ErrLine)
	case w.Flow != nil:
		f := cleanFlow(w.Flow)
		w.Flow = &f
	case w.End != nil:
		w.End = &End{bytesOf(w.End.OtherRx), bytesOf(w.End.OtherTx), incident.CleanMax(w.End.Trouble, maxWhy)}
	}
	return nil
}

// The functions below make a new value of what has been checked, so that a field
// which they do not know cannot pass.

func cleanLink(l *incident.LinkPart) incident.LinkPart {
	p := incident.LinkPart{Name: name(l.Name), Bond: name(l.Bond), State: name(l.State), CaptureDrops: bytesOf(l.CaptureDrops),
		Coverage: ratio(l.Coverage), Rx: cleanLinkDir(&l.Rx), Tx: cleanLinkDir(&l.Tx)}
	if l.SpeedBps != nil && *l.SpeedBps > 0 && *l.SpeedBps <= maxRate {
		speed := *l.SpeedBps
		p.SpeedBps = &speed
	}
	p.NIC = cleanNIC(l.NIC)
	return p
}

func cleanNIC(n *incident.NICPart) *incident.NICPart {
	if n == nil {
		return nil
	}
	p := &incident.NICPart{RxMissed: count(n.RxMissed), RxNoBuffer: count(n.RxNoBuffer), RxFifo: count(n.RxFifo), PauseRx: count(n.PauseRx), PauseTx: count(n.PauseTx),
		Seconds: min(rate(n.Seconds), 3600), RxDropped: bytesOf(n.RxDropped), TxDropped: bytesOf(n.TxDropped), SoftnetDrops: count(n.SoftnetDrops),
		SoftnetSqueezed: count(n.SoftnetSqueezed), QdiscBacklogBytes: count(n.QdiscBacklogBytes), QdiscDrops: count(n.QdiscDrops), CarrierChanges: bytesOf(n.CarrierChanges)}
	if u := n.Usual; u != nil {
		p.Usual = &incident.NICUsual{RxMissed: within(u.RxMissed, maxRate), RxNoBuffer: within(u.RxNoBuffer, maxRate), RxFifo: within(u.RxFifo, maxRate),
			PauseRx: within(u.PauseRx, maxRate), PauseTx: within(u.PauseTx, maxRate), SoftnetDrops: within(u.SoftnetDrops, maxRate),
			SoftnetSqueezed: within(u.SoftnetSqueezed, maxRate), QdiscDrops: within(u.QdiscDrops, maxRate)}
	}
	return p
}

func cleanLinkDir(d *incident.LinkDir) incident.LinkDir {
	p := incident.LinkDir{Bytes: bytesOf(d.Bytes), Frames: bytesOf(d.Frames), Bps: rate(d.Bps), BaselineBps: within(d.BaselineBps, maxRate), PeakBps: rate(d.PeakBps),
		BusyMs: within(d.BusyMs, maxMs), Utilisation: within(d.Utilisation, 1000)}
	if d.PeakAt != nil && plausible(d.PeakAt.UnixNano()) && d.PeakAt.Year() >= 2000 && d.PeakAt.Year() < 2200 {
		at := time.Unix(0, d.PeakAt.UnixNano()).UTC()
		p.PeakAt = &at
	}
	return p
}

func cleanClass(c *incident.ClassPart) incident.ClassPart {
	return incident.ClassPart{Name: name(c.Name), Rx: cleanClassDir(&c.Rx), Tx: cleanClassDir(&c.Tx)}
}

func cleanClassDir(d *incident.ClassDir) incident.ClassDir {
	return incident.ClassDir{Bytes: bytesOf(d.Bytes), Share: ratio(d.Share), BaselineShare: ratio(d.BaselineShare)}
}

func cleanFlow(f *incident.FlowRow) incident.FlowRow {
	p := incident.FlowRow{Link: name(f.Link), Class: name(f.Class), Why: incident.CleanMax(f.Why, maxWhy), Proto: name(f.Proto), VLAN: f.VLAN & 0xfff,
		Local: name(f.Local), Remote: name(f.Remote), Bytes: bytesOf(f.Bytes), Frames: bytesOf(f.Frames), Bps: rate(f.Bps),
		BaselineBps: within(f.BaselineBps, maxRate), Share: rate(f.Share), HashMember: name(f.HashMember),
		VM: name(f.VM), VIF: name(f.VIF), Process: name(f.Process)}
	p.Share = min(p.Share, 1)
	if p.BaselineBps != nil {
		delta := p.Bps - *p.BaselineBps
		p.DeltaBps = &delta
	}
	return p
}

func count(n *uint64) *uint64 {
	if n == nil {
		return nil
	}
	c := bytesOf(*n)
	return &c
}

func bytesOf(n uint64) uint64 { return min(n, maxBytes) }

// rate is v where it can be one, else 0.
func rate(v float64) float64 {
	if v < 0 || v > maxRate || math.IsNaN(v) {
		return 0
	}
	return v
}

// within is v, nil where it is negative or beyond most.
func within(v *float64, most float64) *float64 {
	if v == nil || !(*v >= 0 && *v <= most) {
		return nil
	}
	w := *v
	return &w
}

func ratio(v *float64) *float64 { return within(v, 1) }
