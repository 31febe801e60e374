package render

import (
	"fmt"
	"math"
	"time"

	"spiketop/flow"
	"spiketop/incident"
)

// stripMargin is the width of the labels of the strip's axis, "100ms ┤", and of
// the names of the NICs.
func stripMargin(w int) int {
	if w < 120 {
		return 9
	}
	return 14
}

// stripRows says how many axis and load rows a screen of h rows gives the strip.
func stripRows(h, links int) (axis, loads int) {
	// Four decades are usual, so four rows and eight have them at equal distances.
	switch {
	case h < 20:
		axis = 2
	case h < 30:
		axis = 3
	case h < 46:
		axis = 4
	default:
		axis = 8
	}
	loads = min(links, 1)
	if h >= 30 {
		loads = min(links, 2)
	}
	if h >= 40 {
		loads = min(links, 4)
	}
	return axis, loads
}

func stripHeight(h, links int) int {
	axis, loads := stripRows(h, links)
	return axis + loads + 3
}

// strip is the part of a Strip that is drawn: one column a cell, the newest at
// the right edge.
type strip struct {
	step   time.Duration
	from   flow.Time // start of cells[0]
	cells  []incident.Column
	margin int // columns of labels left of the strip
	x, w   int // where cells[0] lies and how many columns there are to the right edge
}

func (v *View) strip(x, w int) strip {
	s := strip{x: x, w: w, step: incident.Zooms[v.zoom(w)]}
	for i := range v.Frame.Strips {
		st := &v.Frame.Strips[i]
		if st.Step != s.step {
			continue
		}
		skip := max(len(st.Cells)-w, 0)
		s.cells = st.Cells[skip:]
		s.from = st.From.Add(time.Duration(skip) * st.Step)
		s.x = x + w - len(s.cells)
		s.w = len(s.cells)
	}
	return s
}

// drawStrip draws the ping strip with the members' load on the same time axis.
func drawStrip(c *Canvas, r rect, v *View) {
	axisRows, loads := stripRows(c.H, len(v.Frame.Links))
	if v.NoTrailing {
		axisRows, loads = r.h-3-len(v.Frame.Links), len(v.Frame.Links)
	}
	in := r.inside()
	margin := stripMargin(r.w)
	s := v.strip(in.x+margin, in.w-margin)
	s.margin = margin
	box(c, r, Style{Fg: Faint}, v.stripTitle(), v.stripFooter(&s))
	drawAxis(c, rect{in.x, in.y, in.w, axisRows}, &s, v)
	y := in.y + axisRows
	for _, i := range v.loadLinks(loads) {
		drawLoad(c, in.x, y, i, &s, v)
		y++
	}
	drawTimes(c, in.x, y, in.w, &s, v)
}

// loadLinks picks the links whose load is drawn: all that fit, from the first of
// the page that holds the selected one.
func (v *View) loadLinks(n int) []int {
	all := len(v.Frame.Links)
	if all == 0 || n == 0 {
		return nil
	}
	selected := ((v.Pane % all) + all) % all
	first := min(selected/n*n, all-n)
	links := make([]int, 0, n)
	for i := first; i < first+n; i++ {
		links = append(links, i)
	}
	return links
}

// target is the index of the ping view that is shown, -1 if there is none.
func (v *View) target() int {
	n := len(v.Frame.Pings)
	if n == 0 {
		return -1
	}
	return ((v.Target % n) + n) % n
}

func (v *View) stripTitle() []span {
	shown := v.target()
	spans := []span{{"ping", Style{Fg: Strong, Bold: true}, 0}}
	if shown < 0 {
		return append(spans, span{" ── nothing is pinged", Style{Fg: Marked}, 0})
	}
	pings := v.Frame.Pings
	p := &pings[shown]
	spans = append(spans, span{" ── " + targetName(p), Style{Bold: true}, 0})
	if len(pings) > 1 {
		spans = append(spans, span{fmt.Sprintf(" (%d/%d)", shown+1, len(pings)), Style{}, 4})
	}
	if p.Member != "" {
		spans = append(spans, span{" via " + incident.Clean(p.Member), Style{}, 5})
	}
	if p.Target.Trouble != "" {
		spans = append(spans, span{"  " + incident.Clean(p.Target.Trouble), Style{Fg: Alarm, Bold: true}, 0})
	} else {
		spans = append(spans, pingFigures(p)...)
	}
	if !p.Target.Captured {
		spans = append(spans, span{" · not by a captured NIC", Style{Fg: Marked}, 3})
	}
	for i := range pings {
		if i != shown {
			spans = append(spans, otherTarget(&pings[i])...)
		}
	}
	if p.Target.Reason != "" {
		spans = append(spans, span{"   " + incident.Clean(p.Target.Reason), Style{Fg: Faint}, 8})
	}
	return spans
}

func targetName(p *incident.PingView) string {
	if p.Target.Name != "" {
		return cut(incident.Clean(p.Target.Name), 40)
	}
	return p.Target.Addr.String()
}

func pingFigures(p *incident.PingView) []span {
	s := &p.Stats
	last := Style{Fg: Calm, Bold: true}
	switch {
	case p.Freeze > 0 && s.Last > p.Freeze:
		last = Style{Fg: Alarm, Bold: true}
	case p.Mark > 0 && s.Last > p.Mark:
		last = Style{Fg: Marked, Bold: true}
	}
	lossStyle := Style{}
	if s.Loss > 0 {
		lossStyle = Style{Fg: Alarm, Bold: true}
	}
	return []span{
		{"  " + pad(ms(s.Last), 7), last, 0},
		{"  p99 " + incident.Ms(s.P99), Style{}, 1},
		{"  jitter " + incident.Ms(s.Jitter), Style{}, 2},
		{"  loss " + incident.Percent(s.Loss), lossStyle, 0},
	}
}

// otherTarget sums up a target that is not drawn.
func otherTarget(p *incident.PingView) []span {
	name := span{" ── " + targetName(p), Style{Fg: Faint}, 6}
	if p.Target.Trouble != "" {
		return []span{name, {" " + incident.Clean(p.Target.Trouble), Style{Fg: Alarm}, 6}}
	}
	spans := []span{name, {" " + pad(ms(p.Stats.Last), 7), Style{Fg: Faint}, 6}}
	if p.Stats.Loss > 0 {
		spans = append(spans, span{" loss " + incident.Percent(p.Stats.Loss), Style{Fg: Alarm}, 6})
	}
	return spans
}

// stripFooter says what one column is and where the thresholds lie.
func (v *View) stripFooter(s *strip) []span {
	step := s.step.String()
	spans := []span{{"1 column = " + step, Style{Fg: Faint}, 1}}
	if i := v.target(); i >= 0 {
		if p := &v.Frame.Pings[i]; p.Freeze > 0 {
			spans = append(spans, span{" · freezes above " + ms(p.Freeze), Style{Fg: Faint}, 2})
		}
	}
	return append(spans, span{" · x lost  ? unknown  s own delay", Style{Fg: Faint}, 3})
}

// decades returns the axis: 10^lo to 10^hi nanoseconds, whole decades.
func decades(s *strip, target, rows int) (lo, hi int) {
	least, most := math.Inf(1), 0.0
	for i := range s.cells {
		if target < len(s.cells[i].Pings) {
			if w := float64(s.cells[i].Pings[target].Worst); w > 0 {
				least, most = min(least, w), max(most, w)
			}
		}
	}
	lo, hi = 5, 9 // 0.1 ms to 1 s, unless the network is faster or slower
	if most > 0 {
		lo = min(max(int(math.Floor(math.Log10(least))), 3), 7)
		hi = max(int(math.Floor(math.Log10(most)))+1, lo+min(rows, 4))
	}
	return lo, min(max(hi, lo+2), 11)
}

func decadeName(e int) string {
	switch {
	case e >= 9:
		return fmt.Sprintf("%ds", int(math.Pow10(e-9)))
	case e == 5:
		return "0.1ms"
	case e >= 6:
		return fmt.Sprintf("%dms", int(math.Pow10(e-6)))
	}
	return fmt.Sprintf("%dµs", int(math.Pow10(e-3)))
}

var blocks = [...]rune{' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'}

// drawAxis draws the RTT of the shown target on a logarithmic axis.
func drawAxis(c *Canvas, r rect, s *strip, v *View) {
	target := v.target()
	if r.h < 1 {
		return
	}
	if target < 0 {
		for y := range r.h {
			c.Rune(r.x+s.margin-1, r.y+y, '│', Style{Fg: Faint})
		}
		c.Fit(r.x+s.margin+1, r.y, r.w-s.margin-2, "no ping target: spikes cannot be seen; --ping HOST names one", Style{Fg: Faint})
		return
	}
	lo, hi := decades(s, target, r.h)
	per := float64(r.h) / float64(hi-lo) // rows of a decade
	for y := range r.h {
		c.Rune(r.x+s.margin-1, r.y+y, '│', Style{Fg: Faint})
	}
	lastRow := -1
	for e := lo; e < hi; e++ {
		row := int(float64(e-lo)*per + 1e-9)
		if row == lastRow {
			continue
		}
		lastRow = row
		y := r.y + r.h - 1 - row
		c.Right(r.x, y, s.margin-2, decadeName(e), Style{Fg: Faint})
		c.Rune(r.x+s.margin-1, y, '┤', Style{Fg: Faint})
	}
	for i := range s.cells {
		if target < len(s.cells[i].Pings) {
			drawPing(c, s.x+i, r, &s.cells[i].Pings[target], lo, per)
		}
	}
}

// drawPing draws one column: the height is the worst RTT, a mark in the upper
// row what became of an echo that has no RTT.
func drawPing(c *Canvas, x int, r rect, p *incident.PingCell, lo int, per float64) {
	if !p.Due {
		return
	}
	st := Style{Fg: Calm}
	switch {
	case p.Freeze:
		st = Style{Fg: Alarm, Bold: true}
	case p.Mark:
		st = Style{Fg: Marked}
	}
	if p.Worst > 0 {
		eighths := int(math.Round((math.Log10(float64(p.Worst)) - float64(lo)) * per * 8))
		eighths = min(max(eighths, 1), r.h*8)
		for y := r.h - 1; eighths > 0; y, eighths = y-1, eighths-8 {
			c.Rune(x, r.y+y, blocks[min(eighths, 8)], st)
		}
	}
	switch {
	case p.Lost:
		c.Rune(x, r.y, 'x', Style{Fg: Alarm, Bold: true})
	case p.Unknown:
		c.Rune(x, r.y, '?', Style{Fg: Marked, Bold: true})
	case p.Self:
		c.Rune(x, r.y, 's', Style{Fg: Faint, Bold: true})
	}
}

// drawLoad draws one link's load from its highest 10 ms bins.
func drawLoad(c *Canvas, x, y, link int, s *strip, v *View) {
	l := &v.Frame.Links[link]
	d := flow.Rx
	if v.Show == TxOnly {
		d = flow.Tx
	}
	c.Put(x+1, y, tail(incident.Clean(l.Link.Name), s.margin-4), Style{})
	c.Put(x+s.margin-2, y, arrows[d], Style{Fg: Faint})
	c.Rune(x+s.margin-1, y, '│', Style{Fg: Faint})
	top := float64(l.Link.SpeedBps)
	known := top > 0
	at := func(i int) float64 {
		if link >= len(s.cells[i].Links) {
			return -1
		}
		if d == flow.Tx {
			return s.cells[i].Links[link].Tx
		}
		return s.cells[i].Links[link].Rx
	}
	if !known { // scaled to the highest bin in sight
		for i := range s.cells {
			top = max(top, at(i))
		}
	}
	for i := range s.cells {
		load := at(i)
		if load < 0 || math.IsNaN(load) {
			continue
		}
		n := 1
		if top > 0 {
			n = min(max(int(math.Round(load/top*8)), 1), 8)
		}
		st := Style{Fg: Load}
		if known && load >= full*top {
			st = Style{Fg: Alarm, Bold: true}
		}
		c.Rune(s.x+i, y, blocks[n], st)
	}
}

var labelSteps = [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second,
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}

// drawTimes writes wall times under the axis, and the number of each incident
// under the column in which its echo was sent.
func drawTimes(c *Canvas, x, y, w int, s *strip, v *View) {
	right := x + w
	taken := make([]bool, c.W)
	for i := len(s.cells) - 1; i >= 0; i-- { // where two collide, the newer stays
		for _, n := range s.cells[i].Spikes {
			mark(c, taken, s.x+i, y, right, n)
		}
	}
	every := labelSteps[len(labelSteps)-1]
	for _, d := range labelSteps {
		if d >= 10*s.step {
			every = d
			break
		}
	}
	for i := range s.cells {
		t := v.wall(s.from.Add(time.Duration(i) * s.step)).Round(s.step)
		if t.UnixNano()%int64(every) != 0 {
			continue
		}
		label := t.Format("15:04:05")
		if free(taken, s.x+i, s.x+i+len(label)+1, right) {
			c.Put(s.x+i, y, label, Style{Fg: Faint})
		}
	}
}

// mark writes "▲#3" with the arrow in column x, or "#3▲" where the number would
// not fit to the right of it.
func mark(c *Canvas, taken []bool, x, y, right, n int) {
	text := fmt.Sprintf("▲#%d", n)
	w := textWidth(text)
	from := x
	if x+w > right {
		text, from = fmt.Sprintf("#%d▲", n), x-w+1
	}
	if !free(taken, from, from+w, right) {
		return
	}
	c.Put(from, y, text, Style{Fg: Alarm, Bold: true})
	for i := max(from-1, 0); i < min(from+w+1, len(taken)); i++ {
		taken[i] = true
	}
}

func free(taken []bool, from, to, right int) bool {
	if from < 0 || to > right+1 {
		return false
	}
	for i := max(from, 0); i < min(to, len(taken)); i++ {
		if taken[i] {
			return false
		}
	}
	return true
}
