package incident

import (
	"spiketop/flow"
	"spiketop/probe"
)

// Frame returns a picture of everything at now.
func (m *Monitor) Frame(now flow.Time) *Frame {
	f := &Frame{At: now, Wall: m.wall(now), World: m.world, Frozen: m.frozen, Notes: m.shownNotes(now),
		Suppressed: m.suppressed, LateTicks: m.lateTicks,
		Links:     make([]LinkView, 0, len(m.links)),
		Pings:     make([]PingView, 0, len(m.targets)),
		Strips:    make([]Strip, 0, len(Zooms)),
		Incidents: make([]IncidentLine, 0, len(m.lines)),
	}
	for _, l := range m.links {
		f.Links = append(f.Links, l.view(now, m.world))
	}
	f.Bonds = m.bondViews(f.Links)
	for i := range f.Bonds {
		f.Warnings = append(f.Warnings, f.Bonds[i].Warnings...)
	}
	for _, h := range m.world.Hidden {
		f.Warnings = append(f.Warnings, "storage may be invisible: "+h)
	}
	f.Carried = m.carried(f.Links, now)
	for _, t := range m.targets {
		f.Pings = append(f.Pings, m.pingView(t))
	}
	for z := range Zooms {
		f.Strips = append(f.Strips, m.strip(z, now))
	}
	for i := range m.lines {
		f.Incidents = append(f.Incidents, m.lines[i].IncidentLine)
	}
	return f
}

func (l *link) view(now flow.Time, w *flow.World) LinkView {
	l.lookback.Pass(now)
	r := l.lookback.Rates()
	rows, more := l.lookback.Flows(MaxRows)
	v := LinkView{Link: l.Link, Rate: r.Rate, Peak: r.Peak, Cum: r.Cum, Other: r.Other, Coverage: r.Coverage, Drops: r.Lost, Evicted: r.Evicted,
		Check: l.check(now), Classes: make([]ClassRate, len(r.Classes)), Rows: make([]FlowView, len(rows)), More: more}
	for i, c := range r.Classes {
		v.Classes[i] = ClassRate{Class: c.Class, Share: c.Share, Rate: c.Rate}
	}
	for i := range rows {
		f := &rows[i]
		v.Rows[i] = FlowView{ID: f.ID, Key: f.Key, Class: f.Class, Why: f.Why, Rate: f.Rate,
			Cum: [2]uint64{f.Cum[flow.Rx].Bytes, f.Cum[flow.Tx].Bytes}}
		who := whoseIs(w, &f.Key, f.MAC, f.Inner)
		v.Rows[i].Guest, v.Rows[i].VIF, v.Rows[i].Process = who.vm, who.vif, processName(who.process())
	}
	return v
}

func (m *Monitor) pingView(t *target) PingView {
	th := t.threshold()
	v := PingView{Target: t.Target, Member: m.via(t), Baseline: th.median, Mark: th.mark, Freeze: th.freeze,
		Stats: probe.Stats{Target: t.ID, Last: probe.None, P50: probe.None, P99: probe.None, Max: probe.None}}
	if len(t.base.sorted) < warmUp {
		v.Baseline = probe.None
	}
	for i := range m.stats {
		if m.stats[i].Target == t.ID {
			v.Stats = m.stats[i]
		}
	}
	return v
}
