package render

import (
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

func stripHeight(h, links, members int) int {
	axis, loads := stripRows(h, links)
	return axis + loads + memberRows(h, members) + 3
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

// drawStrip draws the ping strip, with a line for each member's ping and load on
// the same time axis.
func drawStrip(c *Canvas, r rect, v *View) {
	axisRows, loads := stripRows(c.H, len(v.Frame.Links))
	members := v.members()
	members = members[:memberRows(c.H, len(members))]
	if v.NoTrailing {
		members = v.members()
		axisRows, loads = r.h-3-len(v.Frame.Links)-len(members), len(v.Frame.Links)
	}
	in := r.inside()
	margin := stripMargin(r.w)
	s := v.strip(in.x+margin, in.w-margin)
	s.margin = margin
	box(c, r, Style{Fg: Faint}, v.stripTitle(), v.stripFooter(&s))
	drawAxis(c, rect{in.x, in.y, in.w, axisRows}, &s, v)
	y := in.y + axisRows
	shown, _, _ := v.shown()
	lo, hi := decades(&s, shown, axisRows)
	for _, i := range members {
		drawMember(c, in.x, y, i, lo, hi, &s, v)
		y++
	}
	for _, i := range v.loadLinks(loads) {
		drawLoad(c, in.x, y, i, &s, v)
		y++
	}
	drawTimes(c, in.x, y, in.w, &s, v)
}
