package incident

import (
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// build makes the picture of c with a window that ends at to, from what the
// look-backs hold now.
func (m *Monitor) build(c *collecting, to flow.Time) *Incident {
	b := &builder{m: m, c: c, to: to, told: c.told(m.now), sums: m.gather(c, to)}
	b.vm = b.vmTold()
	m.reclassify(c)
	in := &Incident{Schema: Schema, ID: c.id, Host: c.world.Host, Version: m.cfg.Version, Engine: m.cfg.Engine, Number: c.number,
		Trigger:  b.trigger(),
		Window:   Window{c.wall(m, c.from), c.wall(m, to)},
		Baseline: m.baseWindow(c),
		Path:     b.path(),
		Pings:    b.pings(),
		Series:   b.series(),
		Hidden:   c.world.Hidden,
		Self:     b.self(),
	}
	in.Links = b.linkParts()
	in.Classes = b.classes()
	in.Flows = b.flows()
	in.Bond = b.bonds()
	b.guestParts(in)
	in.Load = b.loadPart()
	b.judge(in)
	b.judgeNear(in)
	nameFeeder(in)
	c.rows = b.rows
	return in
}

// builder holds what the parts of one incident share.
type builder struct {
	m    *Monitor
	c    *collecting
	to   flow.Time
	told probe.Sample      // the echo by which it is judged
	vm   *vmTold           // the same, if it is a VM's
	sums []*flow.WindowSum // of the window, by m.links
	rows []askedRow        // the rows that have a socket of this host
	nics map[*link]nearLink
}

func (b *builder) trigger() Trigger {
	c, m := b.c, b.m
	t := Trigger{Kind: c.kind, Sent: c.wall(m, c.sent)}
	if c.t == nil {
		return t
	}
	g := &c.guilty
	t.Target, t.Seq, t.N, t.Rule = c.t.name(), g.Seq, g.N, c.rule
	t.Member, t.ReplyMember = m.leftBy(c.t, g.Member), m.linkName(g.ReplyMember)
	t.RTT, t.Baseline = MillisOf(g.RTT), MillisOf(c.baseline)
	t.Threshold, t.Outstanding = MillisOf(c.threshold), MillisOf(c.outstanding)
	late, worst := c.late(b.to)
	if t.Late = late; late > 0 {
		t.Worst = MillisOf(worst.RTT)
	}
	if c.t.vm != nil {
		b.vmTrigger(&t)
	}
	return t
}

// path splits the time of the guilty echo.
func (b *builder) path() PathPart {
	p := PathPart{VerdictSegment: SegmentUnknown, Echoes: b.vmEchoes(), Legs: b.vmLegs()}
	if g := &b.c.guilty; b.c.t != nil && b.c.t.vm == nil && g.State == probe.Answered && g.Source == probe.ByKernel {
		p.Own = &OwnPath{Queue: MillisOf(g.Queue), Wire: MillisOf(g.Wire), Wakeup: MillisOf(g.Wakeup)}
	}
	return p
}

// margins are the begin and the end of series and pings; the end is no later
// than what is known.
func (b *builder) margins() (from, to flow.Time) {
	from, to = b.c.from.Add(-seriesMargin), b.to.Add(seriesMargin)
	newest := flow.Time(0)
	for _, l := range b.m.links {
		newest = max(newest, l.lookback.Newest())
	}
	if newest > b.to {
		to = min(to, newest)
	}
	return from, to
}

// pings are all targets around the window, each member's ping by itself. What is still outstanding is counted
// as sent and has no point: nobody knows yet.
func (b *builder) pings() []PingPart {
	m, c := b.m, b.c
	from, to := c.from.Add(-seriesMargin), b.to.Add(seriesMargin)
	parts := make([]PingPart, 0, len(m.targets)+1)
	for _, t := range b.vmPing() {
		p := PingPart{Target: t.name(), Member: m.via(t), CannotSteer: t.CannotSteer,
			Baseline: MillisOf(t.threshold().median), RTT: [][2]*Millis{}}
		if t.vm != nil {
			p.Src = t.vm.src
		}
		if t == c.t {
			p.Baseline = MillisOf(c.baseline)
		}
		highest := probe.None
		for _, e := range t.echoes.since(from) {
			if e.Sent >= to {
				break
			}
			p.Sent++
			at := Millis(float64(e.Sent.Sub(c.sent)) / 1e6)
			switch e.State {
			case probe.Answered:
				highest = max(highest, e.RTT)
				p.RTT = append(p.RTT, [2]*Millis{&at, MillisOf(e.RTT)})
			case probe.Lost:
				p.Lost++
				p.RTT = append(p.RTT, [2]*Millis{&at, nil})
			case probe.Uncertain:
				p.Unknown++
			}
		}
		p.RTTMax = MillisOf(highest)
		parts = append(parts, p)
	}
	return parts
}

// series is the links' load around the window.
func (b *builder) series() Series {
	from, to := b.margins()
	s := Series{From: b.c.wall(b.m, from), StepMs: int(flow.BinLen / time.Millisecond), Links: make([]SeriesLink, 0, len(b.m.links))}
	for _, l := range b.m.links {
		bins := l.lookback.Bins(from, to)
		s.Links = append(s.Links, SeriesLink{l.Name, bins.Bytes[flow.Rx], bins.Bytes[flow.Tx]})
	}
	return s
}

// self is what this program missed around the window.
func (b *builder) self() (s SelfPart) {
	from, to := b.c.from.Add(-seriesMargin), b.to.Add(seriesMargin)
	for _, l := range b.m.late {
		if l.To > from && l.From < to {
			s.LateTicks++
		}
	}
	for _, at := range b.m.steps {
		if at >= from && at < to {
			s.ClockSteps++
		}
	}
	for i := range b.sums {
		s.EvictedFlows += int(b.sums[i].Evicted)
	}
	s.SuppressedIncidents = b.m.unsaid
	return s
}
