package render

import (
	"spiketop/flow"
	"spiketop/incident"
)

func (v *View) livePane(i, w int, narrow, paged bool) *pane {
	l := &v.Panes.Links[i]
	rows, hidden := liveRows(l, v)
	p := &pane{rows: rows, cols: v.liveColumns(w, narrow), more: uint64(max(l.More, 0)), scale: v.scaleOf(l)}
	window := v.window()
	if hidden == 0 {
		for d := range p.rest {
			p.rest[d] = l.Other[d][window]
		}
	} else {
		p.more = 0
	}
	p.title = liveTitle(l, i, v, paged)
	p.footer = v.liveFooter(l, i, hidden, paged)
	p.barOf = func(r *row) float64 { return v.widest(r, v.BarWindow) }
	p.empty = emptyText(l, hidden)
	return p
}

func emptyText(l *incident.LinkView, hidden int) string {
	switch {
	case hidden > 0:
		return "no flow matches the filter"
	case l.Link.State == flow.LinkUp:
		return "no traffic in the last 40 s"
	}
	return "this NIC is " + l.Link.State.String()
}

// window is the average that a single column shows.
func (v *View) window() int {
	if v.Sort <= By40s {
		return int(v.Sort)
	}
	return 0
}

// widest is the larger shown direction of a row: a link is full when one of its
// directions is.
func (v *View) widest(r *row, w int) float64 {
	most := 0.0
	for _, d := range flow.Directions {
		if v.shows(d) {
			most = max(most, figure(r.rate[d][w], 0))
		}
	}
	return most
}

// scaleOf is the rate of a full bar: what the person asked for, else the link's
// speed, or where that is not known the highest peak.
func (v *View) scaleOf(l *incident.LinkView) float64 {
	if v.Scale > 0 {
		return v.Scale
	}
	if l.Link.SpeedBps > 0 {
		return float64(l.Link.SpeedBps)
	}
	return max(l.Peak[0], l.Peak[1])
}

// endWidth is the longest IPv4 endpoint, 255.255.255.255:65535.
const endWidth = 21

var windowNames = [3]string{"2s", "10s", "40s"}

// liveColumns are the figures that fit: all averages in a wide pane, the sorted
// one in a narrow one.
func (v *View) liveColumns(w int, narrow bool) []column {
	cw := 8
	if w < 66 {
		cw = 6
	}
	dirs := v.directions()
	windows := []int{v.window()}
	if !narrow && (w-3-len(dirs)*3*8)/2 >= endWidth {
		windows = []int{0, 1, 2}
		cw = 8
	}
	var cols []column
	for _, d := range dirs {
		for _, win := range windows {
			mark := ""
			if len(windows) > 1 && int(v.Sort) == win {
				mark = "*"
			}
			cols = append(cols, column{arrows[d] + " " + windowNames[win] + mark, cw,
				func(r *row) float64 { return r.rate[d][win] }, incident.Rate, restOf(d, win, v.window()), Style{}})
		}
	}
	if v.Totals {
		cols = append(cols, v.cumColumn("cum"))
	}
	return cols
}

// restOf: the line of the rest has figures for the sorted average only.
func restOf(d flow.Direction, win, sorted int) int {
	if win == sorted {
		return int(d)
	}
	return -1
}

func (v *View) directions() []flow.Direction {
	switch v.Show {
	case RxOnly:
		return []flow.Direction{flow.Rx}
	case TxOnly:
		return []flow.Direction{flow.Tx}
	}
	return flow.Directions[:]
}

// cumColumn holds bytes, as in iftop whatever the rates are.
func (v *View) cumColumn(head string) column {
	return column{head, 8, func(r *row) float64 {
		n := uint64(0)
		for _, d := range flow.Directions {
			if v.shows(d) {
				n += r.cum[d]
			}
		}
		return float64(n)
	}, func(n float64) string { return incident.Bytes(uint64(n)) }, -1, Style{Fg: Faint}}
}

func liveTitle(l *incident.LinkView, i int, v *View, paged bool) []span {
	spans := nameSpans(l.Link.Name, l.Link.SpeedBps, i, len(v.Panes.Links), paged)
	if l.Link.State != flow.LinkUp {
		spans = append(spans, span{" ── ", Style{Fg: Faint}, 0}, span{stateWord(l.Link.State), Style{Fg: Alarm, Bold: true}, 0})
	}
	for _, d := range flow.Directions {
		spans = append(spans, span{" ── ", Style{Fg: Faint}, 0}, rateSpan(d, l.Rate[d][0], l.Link.SpeedBps))
		if d == flow.Rx || v.Show == TxOnly {
			spans = append(spans, span{"  peak " + pad(incident.Rate(l.Peak[d]), 5), Style{Fg: Faint}, 4})
		}
	}
	return spans
}

func (v *View) liveFooter(l *incident.LinkView, i, hidden int, paged bool) []span {
	var spans []span
	sep := func(drop int) {
		if len(spans) > 0 {
			spans = append(spans, span{" · ", Style{Fg: Faint}, drop})
		}
	}
	if l.Link.State != flow.LinkUp {
		spans = append(spans, span{stateWord(l.Link.State), Style{Fg: Alarm, Bold: true}, 0})
	}
	if l.Link.Note != "" {
		sep(0)
		spans = append(spans, span{incident.Clean(l.Link.Note), Style{Fg: Marked}, 0})
	}
	if hidden > 0 {
		sep(0)
		spans = append(spans, span{"filter hides " + count(uint64(hidden)), Style{Fg: Marked}, 0})
	}
	if v.Order != nil {
		sep(0)
		spans = append(spans, span{"order kept (o)", Style{Fg: Marked}, 0})
	}
	for k, c := range l.Classes {
		if k >= 4 || c.Share < leastShare || (len(l.Classes) == 1 && c.Class == flow.Unknown) {
			break
		}
		sep(5)
		spans = append(spans, span{c.Class.String() + " " + percent(c.Share), classStyle(c.Class), 5})
	}
	if n := len(spans); n > 0 {
		spans = append(spans, span{" ── ", Style{Fg: Faint}, max(spans[0].drop, 3)})
	}
	spans = append(spans, coverage(l.Coverage, l.Drops)...)
	spans = append(spans, ofNIC(l.Check)...)
	if l.Evicted > 0 {
		spans = append(spans, span{" · evicted " + count(l.Evicted), Style{Fg: Marked}, 4})
	}
	if paged && len(v.Panes.Links) > 1 {
		spans = append(spans, v.nextPane(i))
	}
	return spans
}

// nextPane says what Tab would show.
func (v *View) nextPane(i int) span {
	next := &v.Panes.Links[(i+1)%len(v.Panes.Links)]
	text := " · Tab: " + cut(incident.Clean(next.Link.Name), 16) + " " + down + " " + pad(incident.Rate(next.Rate[0][0]), 5)
	if p := part(next.Rate[0][0], next.Link.SpeedBps); p != "" {
		text += " " + pad(p, 3)
	}
	return span{text, Style{Fg: Strong}, 1}
}
