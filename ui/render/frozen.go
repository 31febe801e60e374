package render

import (
	"math"

	"spiketop/flow"
	"spiketop/incident"
)

// frozenPane is one link of the incident whose window the panes show.
func (v *View) frozenPane(i, w int, narrow, paged bool) *pane {
	in := v.Frozen
	l := &in.Links[i]
	rows, hidden := frozenRows(in, l.Name, v)
	p := &pane{rows: rows, cols: v.frozenColumns(w, narrow), empty: "no flow in this window"}
	dirs := [2]*incident.LinkDir{&l.Rx, &l.Tx}
	for d := range p.rest {
		p.rest[d] = dirs[d].Bps
		for j := range rows.len() {
			p.rest[d] -= rows.at(j).rate[d][inWindow]
		}
		if p.rest[d] < 0 || hidden > 0 {
			p.rest[d] = 0
		}
	}
	var speedBps uint64
	if l.SpeedBps != nil {
		speedBps = *l.SpeedBps
	}
	if p.scale = float64(speedBps); speedBps == 0 {
		p.scale = max(l.Rx.PeakBps, l.Tx.PeakBps)
	}
	p.title = frozenTitle(l, i, len(in.Links), speedBps, paged)
	p.footer = v.frozenFooter(in, l, hidden)
	p.barOf = func(r *row) float64 { return v.widest(r, inWindow) }
	if hidden > 0 {
		p.empty = "no flow of this window matches the filter"
	}
	return p
}

// frozenColumns: rate in the window and its change; in a wide pane what was
// usual as well, in a narrow one the change of both directions together.
func (v *View) frozenColumns(w int, narrow bool) []column {
	cw := 8
	if w < 66 {
		cw = 7
	}
	dirs, ends := v.directions(), w-3
	figures, together := []int{inWindow, change}, false
	switch {
	case !narrow && ends-len(dirs)*3*8 >= 2*endWidth:
		figures = []int{inWindow, usual, change}
	case len(dirs) > 1 && ends-len(dirs)*2*cw < 2*endWidth:
		figures, together = []int{inWindow}, true
	}
	names := [3]string{"", "usual", "change"}
	var cols []column
	for _, d := range dirs {
		for _, fig := range figures {
			head, rest, format := arrows[d], int(d), incident.Rate
			if fig != inWindow {
				head, rest = names[fig], -1
			}
			if fig == change {
				format = incident.Change
			}
			cols = append(cols, column{head, cw, func(r *row) float64 { return r.rate[d][fig] }, format, rest, Style{}})
		}
	}
	if together {
		cols = append(cols, column{names[change], cw, v.wholeChange, incident.Change, -1, Style{}})
	}
	if v.Totals {
		cols = append(cols, v.cumColumn("bytes"))
	}
	return cols
}

// wholeChange is the change of the shown directions together: not known as soon
// as one that carried something has no known change, for 0 would say "as usual".
func (v *View) wholeChange(r *row) float64 {
	for _, d := range flow.Directions {
		if v.shows(d) && math.IsNaN(r.rate[d][change]) && r.rate[d][inWindow] > 0 {
			return math.NaN()
		}
	}
	return v.value(r, change)
}

func frozenTitle(l *incident.LinkPart, i, n int, speedBps uint64, paged bool) []span {
	spans := nameSpans(l.Name, speedBps, i, n, paged)
	for d, dir := range [2]*incident.LinkDir{&l.Rx, &l.Tx} {
		spans = append(spans, span{" ── ", Style{Fg: Faint}, 0}, rateSpan(flow.Direction(d), dir.Bps, speedBps))
		if dir.BusyMs != nil && *dir.BusyMs > 0 {
			spans = append(spans, span{"  busy " + wholeMs(*dir.BusyMs), Style{Fg: Alarm, Bold: true}, 4})
		}
	}
	return spans
}

func (v *View) frozenFooter(in *incident.Incident, l *incident.LinkPart, hidden int) []span {
	spans := []span{
		{v.in(in.Window.From).Format("15:04:05.0"), Style{Fg: Strong}, 0},
		{" to " + v.in(in.Window.To).Format("15:04:05.0"), Style{Fg: Strong}, 0},
	}
	if in.Open {
		spans = append(spans, span{" still collecting", Style{Fg: Marked}, 4})
	}
	if hidden > 0 {
		spans = append(spans, span{" · filter hides " + count(uint64(hidden)), Style{Fg: Marked}, 1})
	}
	share := math.NaN()
	if l.Coverage != nil {
		share = *l.Coverage
	}
	spans = append(spans, span{" ── ", Style{Fg: Faint}, 3})
	return append(spans, coverage(share, l.CaptureDrops)...)
}
