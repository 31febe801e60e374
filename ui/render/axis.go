package render

import (
	"fmt"
	"math"

	"spiketop/incident"
)

// decades returns the axis: 10^lo to 10^hi nanoseconds, whole decades.
func decades(s *strip, h host, rows int) (lo, hi int) {
	least, most := math.Inf(1), 0.0
	for i := range s.cells {
		for _, p := range h {
			if p >= len(s.cells[i].Pings) {
				continue
			}
			if w := float64(s.cells[i].Pings[p].Worst); w > 0 {
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

// drawAxis draws the RTT of the shown target, the worst of its members' pings, on
// a logarithmic axis.
func drawAxis(c *Canvas, r rect, s *strip, v *View) {
	h, _, _ := v.shown()
	if r.h < 1 {
		return
	}
	if h == nil {
		for y := range r.h {
			c.Rune(r.x+s.margin-1, r.y+y, '│', Style{Fg: Faint})
		}
		c.Fit(r.x+s.margin+1, r.y, r.w-s.margin-2, "no ping target: spikes cannot be seen; --ping HOST names one", Style{Fg: Faint})
		return
	}
	lo, hi := decades(s, h, r.h)
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
		p := h.cell(&s.cells[i])
		drawPing(c, s.x+i, r, &p, lo, per)
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
	case p.Queue:
		c.Rune(x, r.y, 'q', Style{Fg: Marked, Bold: true})
	case p.Wake:
		c.Rune(x, r.y, 'w', Style{Fg: Faint, Bold: true})
	}
}
