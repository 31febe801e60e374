package render

import (
	"fmt"
	"math"

	"spiketop/flow"
	"spiketop/incident"
)

const minPane = 60 // columns below which two panes are not put side by side

// narrowScreen is the width under which a screen with one pane shows one
// direction only, so that IPv6 endpoints keep their room.
const narrowScreen = 100

// grid says how n panes share the upper part: columns and rows of a page.
func grid(n, w, h int) (cols, rows int) {
	cols = min(n, max(1, w/minPane))
	if n == 4 && cols == 3 {
		cols = 2
	}
	rows = (n + cols - 1) / max(cols, 1)
	for rows > 1 && (h/rows < 8 || cols == 1) {
		rows--
	}
	return max(cols, 1), max(rows, 1)
}

// drawPanes draws the page of panes that holds the selected one.
func drawPanes(c *Canvas, r rect, v *View) Layout {
	n := paneCount(v)
	if n == 0 {
		box(c, r, Style{Fg: Faint}, nil, nil)
		c.Fit(r.x+2, r.y+1, r.w-4, "no NIC is captured", Style{})
		return Layout{Page: 1}
	}
	cols, rows := grid(n, r.w, r.h)
	per := cols * rows
	selected := ((v.Pane % n) + n) % n
	first := selected / per * per
	last := min(first+per, n)
	used := (last - first + cols - 1) / cols
	l := Layout{Narrow: cols == 1 && r.w < narrowScreen}
	for i := first; i < last; i++ {
		row, col := (i-first)/cols, (i-first)%cols
		inRow := min(cols, last-first-row*cols) // the last row's panes share the width
		x0, x1 := r.w*col/inRow, r.w*(col+1)/inRow
		y0, y1 := r.h*row/used, r.h*(row+1)/used
		at := rect{r.x + x0, r.y + y0, x1 - x0, y1 - y0}
		p := v.pane(i, at.w-2, l.Narrow, n > per)
		scroll := drawPane(c, at, p, v, i == selected && n > 1, i == selected)
		p.rows.free()
		l.Panes = append(l.Panes, PaneAt{i, at.x, at.y, at.w, at.h})
		if i == selected {
			l.Page, l.Scroll = max(at.h-5, 1), scroll
		}
	}
	return l
}

func paneCount(v *View) int {
	if v.Frozen != nil {
		return len(v.Frozen.Links)
	}
	return len(v.Panes.Links)
}

// pane is one pane ready to be drawn.
type pane struct {
	title, footer []span
	cols          []column
	rows          *rowSet
	more          uint64     // flows that have no row here
	rest          [2]float64 // what no row shows, in the column of each direction
	scale         float64    // bit/s of a full bar
	barOf         func(*row) float64
	empty         string
}

// column is one column of figures.
type column struct {
	head string
	w    int
	val  func(*row) float64
	text func(float64) string
	dir  int // direction whose rest stands in it, -1 = none
	st   Style
}

// pane builds pane i for an inner width of w columns.
func (v *View) pane(i, w int, narrow, paged bool) *pane {
	show := *v
	if narrow && show.Show == Both {
		show.Show = RxOnly
	}
	if v.Frozen != nil {
		return show.frozenPane(i, w, narrow, paged)
	}
	return show.livePane(i, w, narrow, paged)
}

func (v *View) livePane(i, w int, narrow, paged bool) *pane {
	l := &v.Panes.Links[i]
	rows, hidden := liveRows(l, v)
	p := &pane{rows: rows, cols: v.liveColumns(w, narrow), more: uint64(max(l.More, 0)), scale: scaleOf(l)}
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

// scaleOf is the rate of a full bar: the link's speed, or where that is not
// known the highest peak.
func scaleOf(l *incident.LinkView) float64 {
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

func nameSpans(name string, speedBps uint64, i, n int, paged bool) []span {
	s := incident.Clean(name)
	spans := []span{{cut(s, 20), Style{Fg: Strong, Bold: true}, 0}}
	if paged {
		spans = append(spans, span{fmt.Sprintf(" (%d/%d)", i+1, n), Style{}, 0})
	}
	if speedBps > 0 {
		spans = append(spans, span{" · " + speed(float64(speedBps)), Style{}, 3})
	}
	return spans
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

func stateWord(s flow.LinkState) string {
	return [...]string{"up", "DOWN", "GONE", "WAITING"}[s&3]
}

// full is the share of a link's speed from which its figures are marked.
const full = 0.9

func rateSpan(d flow.Direction, bps float64, speedBps uint64) span {
	text := arrows[d] + " " + pad(incident.Rate(bps), 5)
	if p := part(bps, speedBps); p != "" {
		text += " " + pad(p, 3)
	}
	st := Style{Fg: Strong}
	if speedBps > 0 && bps >= full*float64(speedBps) {
		st = Style{Fg: Alarm, Bold: true}
	}
	return span{text, st, 0}
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
	if l.Evicted > 0 {
		spans = append(spans, span{" · evicted " + count(l.Evicted), Style{Fg: Marked}, 4})
	}
	if paged && len(v.Panes.Links) > 1 {
		spans = append(spans, v.nextPane(i))
	}
	return spans
}

// leastShare is the share from which a class is named: 0 % is no news.
const leastShare = 0.005

func coverage(share float64, drops uint64) []span {
	text, st := "coverage unknown", Style{Fg: Faint}
	if !math.IsNaN(share) {
		text = "coverage " + incident.Percent(share)
		if share < 0.99 {
			st = Style{Fg: Marked, Bold: true}
		}
	}
	if drops == 0 {
		return []span{{text + " · drops 0", st, 3}}
	}
	return []span{{text, st, 3}, {" · drops " + count(drops), Style{Fg: Marked, Bold: true}, 2}}
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
