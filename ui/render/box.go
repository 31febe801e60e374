package render

// rect is a part of a canvas.
type rect struct{ x, y, w, h int }

// inside returns the part within the border.
func (r rect) inside() rect { return rect{r.x + 1, r.y + 1, max(r.w-2, 0), max(r.h-2, 0)} }

// box draws a border with a title in its upper and a footer in its lower edge.
func box(c *Canvas, r rect, st Style, title, footer []span) {
	if r.w < 2 || r.h < 2 {
		return
	}
	right, bottom := r.x+r.w-1, r.y+r.h-1
	for x := r.x + 1; x < right; x++ {
		c.Rune(x, r.y, '─', st)
		c.Rune(x, bottom, '─', st)
	}
	for y := r.y + 1; y < bottom; y++ {
		c.Rune(r.x, y, '│', st)
		c.Rune(right, y, '│', st)
	}
	c.Rune(r.x, r.y, '┌', st)
	c.Rune(right, r.y, '┐', st)
	c.Rune(r.x, bottom, '└', st)
	c.Rune(right, bottom, '┘', st)
	edge(c, r.x+1, r.y, r.w-2, title)
	edge(c, r.x+1, bottom, r.w-2, footer)
}

// span is a piece of text in one style. Spans of a line are dropped when there
// is no room, the highest drop first; 0 is never dropped, but cut with a mark.
type span struct {
	text string
	st   Style
	drop int
}

// fit drops spans until the rest is at most w columns wide or nothing more may
// be dropped.
func fit(spans []span, w int) []span {
	for {
		total, worst := 0, 0
		for _, s := range spans {
			total += textWidth(s.text)
			worst = max(worst, s.drop)
		}
		if total <= w || worst == 0 {
			return spans
		}
		kept := make([]span, 0, len(spans))
		for _, s := range spans {
			if s.drop < worst {
				kept = append(kept, s)
			}
		}
		spans = kept
	}
}

// edge writes spans with a blank on both sides into a border of w columns.
func edge(c *Canvas, x, y, w int, spans []span) {
	if len(spans) == 0 || w < 4 {
		return
	}
	c.Rune(x, y, ' ', Style{})
	end := line(c, x+1, y, w-2, spans)
	c.Rune(end, y, ' ', Style{})
}

// line writes spans into w columns and returns the column after them.
func line(c *Canvas, x, y, w int, spans []span) int {
	limit := x + w
	for _, s := range fit(spans, w) {
		if x >= limit {
			break
		}
		x = c.Fit(x, y, limit-x, s.text, s.st)
	}
	return x
}

// lineWidth is the width of spans written in full.
func lineWidth(spans []span) int {
	n := 0
	for _, s := range spans {
		n += textWidth(s.text)
	}
	return n
}
