package render

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
