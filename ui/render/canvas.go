package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Role says what a cell means; a theme turns it into a colour. No meaning rests
// on the role alone: a letter, a mark or a height says it too.
type Role uint8

const (
	Plain   Role = iota
	Faint        // borders, headings, what may be overlooked
	Strong       // figures of a title, the selected pane
	Storage      // class S
	VIF          // class V
	Host         // class H
	Control      // class C
	Other        // class ? and users' classes
	Calm         // an RTT below the mark threshold
	Marked       // above it
	Alarm        // above the freeze threshold, a loss, a full or broken link
	Load         // load of a link
	Roles        // number of roles
)

// Style is how a cell looks.
type Style struct {
	Fg      Role
	Bar     bool // the rate bar lies behind it
	Bold    bool
	Reverse bool
}

// Cell is one place of the grid. Width is 1, 2 for a wide rune, 0 for the place
// that a wide rune to its left covers.
type Cell struct {
	Rune  rune
	Width uint8
	Style Style
	Comb  string // combining runes
}

// Canvas is a grid of cells. It belongs to one goroutine.
type Canvas struct {
	W, H  int
	cells []Cell
}

// NewCanvas returns an empty canvas. A size below zero counts as zero.
func NewCanvas(w, h int) *Canvas {
	c := &Canvas{}
	c.Resize(w, h)
	return c
}

// Resize clears the canvas and gives it another size; memory is reused.
func (c *Canvas) Resize(w, h int) {
	c.W, c.H = max(w, 0), max(h, 0)
	n := c.W * c.H
	if cap(c.cells) < n {
		c.cells = make([]Cell, n)
	}
	c.cells = c.cells[:n]
	for i := range c.cells {
		c.cells[i] = Cell{Rune: ' ', Width: 1}
	}
}

// At returns the cell at x, y; outside of the canvas a blank.
func (c *Canvas) At(x, y int) Cell {
	if x < 0 || y < 0 || x >= c.W || y >= c.H {
		return Cell{Rune: ' ', Width: 1}
	}
	return c.cells[y*c.W+x]
}

// set writes one cell and mends what it tears: half a wide rune becomes a blank.
func (c *Canvas) set(x, y int, cell Cell) {
	if x < 0 || y < 0 || x >= c.W || y >= c.H {
		return
	}
	if cell.Width == 2 && x+1 >= c.W {
		cell = Cell{Rune: ' ', Width: 1, Style: cell.Style}
	}
	i := y*c.W + x
	c.tear(i, x)
	if cell.Width == 2 {
		c.tear(i+1, x+1)
		c.cells[i+1] = Cell{Style: cell.Style}
	}
	c.cells[i] = cell
}

func (c *Canvas) tear(i, x int) {
	switch c.cells[i].Width {
	case 0:
		if x > 0 {
			c.cells[i-1] = Cell{Rune: ' ', Width: 1, Style: c.cells[i-1].Style}
		}
	case 2:
		if x+1 < c.W {
			c.cells[i+1] = Cell{Rune: ' ', Width: 1, Style: c.cells[i+1].Style}
		}
	}
}

// Rune writes one rune of width 1: a glyph of ours.
func (c *Canvas) Rune(x, y int, r rune, st Style) {
	c.set(x, y, Cell{Rune: r, Width: 1, Style: st})
}

// Put writes s at x, y and returns the column after it. What lies outside of
// the canvas is not drawn. An unprintable rune becomes U+FFFD.
func (c *Canvas) Put(x, y int, s string, st Style) int {
	return c.put(x, y, c.W, s, st)
}

func (c *Canvas) put(x, y, limit int, s string, st Style) int {
	for state := -1; s != "" && x < limit; {
		if b := s[0]; b >= ' ' && b < 0x7f && (len(s) == 1 || s[1] < 0x80) {
			c.set(x, y, Cell{Rune: rune(b), Width: 1, Style: st})
			x, s, state = x+1, s[1:], -1
			continue
		}
		var g string
		var width int
		g, s, width, state = uniseg.FirstGraphemeClusterInString(s, state)
		cell := cluster(g, width)
		if cell.Width == 0 {
			continue
		}
		if x+int(cell.Width) > limit {
			break
		}
		cell.Style = st
		c.set(x, y, cell)
		x += int(cell.Width)
	}
	return x
}

// maxCluster bounds the bytes of one cell: a name of a thousand combining
// marks must not fill the terminal's line buffer.
const maxCluster = 32

func cluster(g string, width int) Cell {
	r, n := utf8.DecodeRuneInString(g)
	comb := g[n:]
	for _, p := range g {
		if !unicode.IsPrint(p) {
			return Cell{Rune: unicode.ReplacementChar, Width: 1}
		}
	}
	if width == 0 || unicode.Is(unicode.M, r) {
		return Cell{}
	}
	if len(comb) > maxCluster {
		comb = ""
	}
	return Cell{Rune: r, Comb: comb, Width: uint8(min(width, 2))}
}

// Fit writes s into the w columns from x, y; what does not fit is cut and ends
// in "…". It returns the column after the text.
func (c *Canvas) Fit(x, y, w int, s string, st Style) int {
	return c.put(x, y, min(x+w, c.W), cut(s, w), st)
}

// Right writes s so that it ends before column x+w; it is cut at its end if it
// is longer than w.
func (c *Canvas) Right(x, y, w int, s string, st Style) {
	s = cut(s, w)
	c.Put(x+w-textWidth(s), y, s, st)
}

// Bar lays the rate bar behind n cells from x, y.
func (c *Canvas) Bar(x, y, n int) {
	for i := range n {
		if x+i >= 0 && x+i < c.W && y >= 0 && y < c.H {
			c.cells[y*c.W+x+i].Style.Bar = true
		}
	}
}

// Clear blanks a rectangle.
func (c *Canvas) Clear(x, y, w, h int) {
	for j := range h {
		for i := range w {
			c.set(x+i, y+j, Cell{Rune: ' ', Width: 1})
		}
	}
}

// String returns the canvas as text, one line a row, without trailing blanks.
func (c *Canvas) String() string {
	var b strings.Builder
	for y := range c.H {
		b.WriteString(c.line(y))
		b.WriteByte('\n')
	}
	return b.String()
}

func (c *Canvas) line(y int) string {
	var b strings.Builder
	for _, cell := range c.cells[y*c.W : (y+1)*c.W] {
		if cell.Width > 0 {
			b.WriteRune(cell.Rune)
			b.WriteString(cell.Comb)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// textWidth is the number of columns s takes.
func textWidth(s string) int {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return uniseg.StringWidth(s)
		}
	}
	return len(s)
}

// cut shortens s to w columns and marks the cut with "…".
func cut(s string, w int) string {
	if textWidth(s) <= w {
		return s
	}
	if w <= 0 {
		return ""
	}
	return head(s, w-1) + "…"
}

// head returns the first graphemes of s that fit into w columns.
func head(s string, w int) string {
	n, used, rest := 0, 0, s
	for state := -1; rest != ""; {
		g, r, width, st := uniseg.FirstGraphemeClusterInString(rest, state)
		if used+width > w {
			break
		}
		n, used, rest, state = n+len(g), used+width, r, st
	}
	return s[:n]
}

// tail shortens s from its front: names of NICs differ at their end.
func tail(s string, w int) string {
	for cut := s; cut != ""; {
		mark := ""
		if len(cut) < len(s) {
			mark = "…"
		}
		if textWidth(mark+cut) <= w {
			return mark + cut
		}
		_, cut, _, _ = uniseg.FirstGraphemeClusterInString(cut, -1)
	}
	return ""
}
