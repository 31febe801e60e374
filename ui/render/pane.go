package render

import (
	"math"
)

// drawPane draws one pane and returns the scroll position it used. The last
// line within the border belongs to what has no row.
func drawPane(c *Canvas, r rect, p *pane, v *View, marked, scrolls bool) int {
	border := Style{Fg: Faint}
	if marked {
		border = Style{Fg: Strong, Bold: true}
	}
	box(c, r, border, p.title, p.footer)
	in := r.inside()
	if in.h < 2 || in.w < 20 {
		return 0
	}
	drawHead(c, in, p, v)
	room := in.h - 1
	hasRest := p.more > 0 || p.rows.len() > room || p.rest[0]+p.rest[1] >= 1
	if hasRest {
		room--
	}
	scroll := 0
	if scrolls {
		scroll = min(max(v.Scroll, 0), max(p.rows.len()-room, 0))
	}
	shown := min(room, p.rows.len()-scroll)
	for i := range shown {
		drawRow(c, in, in.y+1+i, p.rows.at(scroll+i), p, v)
	}
	if p.rows.len() == 0 {
		c.Fit(in.x+2, in.y+1, in.w-3, p.empty, Style{Fg: Faint})
	}
	if hasRest {
		drawRest(c, in, p, scroll, shown)
	}
	return scroll
}

// ends returns where the two ends of a row begin and how wide they are.
func (p *pane) ends(w int) (localW, remoteX, remoteW int) {
	figures := 0
	for _, col := range p.cols {
		figures += col.w
	}
	room := max(w-2-1-figures, 0)
	localW = room / 2
	return localW, 2 + localW + 1, room - localW
}

func drawHead(c *Canvas, in rect, p *pane, v *View) {
	st := Style{Fg: Faint}
	lw, rx, rw := p.ends(in.w)
	l, r := "local", "remote"
	switch v.Sort {
	case ByLocal:
		l += "*"
	case ByRemote:
		r += "*"
	}
	c.Fit(in.x+2, in.y, lw, l, st)
	if v.Why {
		c.Fit(in.x+rx, in.y, in.w-rx, "why this class", st)
		return
	}
	c.Fit(in.x+rx, in.y, rw, r, st)
	x := in.x + in.w
	for i := len(p.cols) - 1; i >= 0; i-- {
		x -= p.cols[i].w
		c.Right(x, in.y, p.cols[i].w, p.cols[i].head, st)
	}
}

func drawRow(c *Canvas, in rect, y int, r *row, p *pane, v *View) {
	lw, rx, _ := p.ends(in.w)
	letter := r.class.Letter()
	if r.letter != 0 {
		letter = r.letter
	}
	if r.mixed {
		letter = '+'
	}
	st := classStyle(r.class)
	c.Rune(in.x, y, letter, Style{Fg: st.Fg, Bold: true})
	c.Put(in.x+2, y, cutEnd(r.end(v, local), lw), st)
	if v.Why {
		c.Fit(in.x+rx, y, in.w-rx, r.reason(), Style{})
	} else {
		drawRemote(c, in, y, r, p, v)
	}
	if v.Bars {
		c.Bar(in.x, y, barLength(p.barOf(r), p.scale, in.w, v.LogBars))
	}
}

// drawRemote writes the remote end of a row, its protocol and its figures.
func drawRemote(c *Canvas, in rect, y int, r *row, p *pane, v *View) {
	_, rx, rw := p.ends(in.w)
	x := c.Put(in.x+rx, y, cutEnd(r.end(v, remote), rw), classStyle(r.class))
	if k := r.kind(); k != "" && x+1+len(k) <= in.x+rx+rw {
		c.Put(x+1, y, k, Style{Fg: Faint})
	}
	x = in.x + in.w
	for i := len(p.cols) - 1; i >= 0; i-- {
		x -= p.cols[i].w
		c.Right(x, y, p.cols[i].w, p.cols[i].text(p.cols[i].val(r)), p.cols[i].st)
	}
}

// barLength is the part of w columns that a rate fills. The logarithmic scale is
// iftop's: log(rate) / log(full).
func barLength(bps, full float64, w int, logarithmic bool) int {
	if bps <= 0 || full <= 0 || math.IsNaN(bps) {
		return 0
	}
	share := bps / full
	if logarithmic {
		if bps <= 1 || full <= 1 {
			return 0
		}
		share = math.Log(bps) / math.Log(full)
	}
	return int(math.Round(min(max(share, 0), 1) * float64(w)))
}

// drawRest says in the last line what no row shows: how many flows, and their
// rates, so that the pane adds up to its link.
func drawRest(c *Canvas, in rect, p *pane, scroll, shown int) {
	y := in.y + in.h - 1
	st := Style{Fg: Faint}
	hidden := p.more + uint64(p.rows.len()-shown)
	text := "… " + count(hidden) + " more"
	if hidden == 0 {
		text = "… in no row"
	}
	if scroll > 0 {
		text += " · from " + count(uint64(scroll+1)) + " on"
	}
	lw, _, rw := p.ends(in.w)
	c.Fit(in.x+2, y, lw+1+rw, text, st)
	x := in.x + in.w
	for i := len(p.cols) - 1; i >= 0; i-- {
		col := &p.cols[i]
		x -= col.w
		if col.dir < 0 {
			continue
		}
		rest := p.rest[col.dir]
		for j := range p.rows.len() {
			if j < scroll || j >= scroll+shown {
				rest += figure(col.val(p.rows.at(j)), 0)
			}
		}
		if math.Abs(rest) < 1 {
			rest = 0 // what is left when floats that cancel are added up
		}
		c.Right(x, y, col.w, col.text(rest), st)
	}
}
