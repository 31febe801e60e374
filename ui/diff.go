package ui

import (
	"sync"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"
)

// glyph is one cell of the screen.
type glyph struct {
	r     rune
	comb  string
	style tcell.Style
	wide  bool // covers the cell to its right too
}

// covered stands for the right half of a wide glyph. It equals no glyph, so the
// cell is sent again when the wide one goes.
var covered = glyph{r: -1}

// diffScreen hands on only the cells that changed. tview clears and draws
// everything for every frame, which tcell would send again as a whole (measured:
// nine times the bytes).
//
// It also keeps tcell v2.13 from drawing while the screen is suspended, ended or
// of no size, where its loop may never end (fixed in v3 only), and makes a late
// Show harmless when the screen was ended by another goroutine.
type diffScreen struct {
	tcell.Screen
	initErr error // Init's, which tview ignores

	mu        sync.Mutex // protects all below, and orders Show, Sync and Fini
	w, h      int
	now, sent []glyph
	off       bool // suspended or ended
	ended     bool
}

func newDiffScreen(s tcell.Screen) *diffScreen { return &diffScreen{Screen: s} }

// Init keeps the error for Run.
func (d *diffScreen) Init() error {
	d.initErr = d.Screen.Init()
	return d.initErr
}

// fit follows the size of the terminal; after a change everything is sent again.
func (d *diffScreen) fit() {
	w, h := d.Screen.Size()
	if w == d.w && h == d.h {
		return
	}
	d.w, d.h = max(w, 0), max(h, 0)
	d.now = make([]glyph, d.w*d.h)
	d.sent = make([]glyph, d.w*d.h)
	d.blank(tcell.StyleDefault)
	d.Screen.Clear()
}

func (d *diffScreen) blank(st tcell.Style) {
	for i := range d.now {
		d.now[i] = glyph{r: ' ', style: st}
	}
}

func (d *diffScreen) Clear() { d.Fill(' ', tcell.StyleDefault) }

func (d *diffScreen) Fill(r rune, st tcell.Style) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fit()
	for i := range d.now {
		d.now[i] = glyph{r: r, style: st}
	}
}

// SetContent stores one cell; combining runes belong to it.
func (d *diffScreen) SetContent(x, y int, r rune, comb []rune, st tcell.Style) {
	g := glyph{r: r, style: st, wide: isWide(r, comb)}
	if len(comb) > 0 { // string(nil) would allocate, for every cell
		g.comb = string(comb)
	}
	d.put(x, y, g)
}

// isWide reports whether a glyph takes two columns. Letters, borders and blocks
// are decided without a look into the tables.
func isWide(r rune, comb []rune) bool {
	if r < 0x1100 || r >= 0x2500 && r < 0x25a0 {
		return false
	}
	return uniseg.StringWidth(string(r)+string(comb)) > 1
}

func (d *diffScreen) put(x, y int, g glyph) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x < 0 || y < 0 || x >= d.w || y >= d.h {
		return
	}
	d.now[y*d.w+x] = g
}

func (d *diffScreen) SetCell(x, y int, st tcell.Style, ch ...rune) {
	if len(ch) == 0 {
		ch = []rune{' '}
	}
	d.SetContent(x, y, ch[0], ch[1:], st)
}

// Put stores the first grapheme of s, as tcell's does.
func (d *diffScreen) Put(x, y int, s string, st tcell.Style) (string, int) {
	cluster, rest, width, _ := uniseg.FirstGraphemeClusterInString(s, -1)
	if cluster == "" {
		return "", 0
	}
	runes := []rune(cluster)
	d.SetContent(x, y, runes[0], runes[1:], st)
	return rest, width
}

func (d *diffScreen) PutStr(x, y int, s string) { d.PutStrStyled(x, y, s, tcell.StyleDefault) }

func (d *diffScreen) PutStrStyled(x, y int, s string, st tcell.Style) {
	for s != "" && x < d.w {
		rest, width := d.Put(x, y, s, st)
		s, x = rest, x+width
	}
}

func (d *diffScreen) GetContent(x, y int) (rune, []rune, tcell.Style, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x < 0 || y < 0 || x >= d.w || y >= d.h {
		return ' ', nil, tcell.StyleDefault, 1
	}
	g := d.now[y*d.w+x]
	if g.wide {
		return g.r, []rune(g.comb), g.style, 2
	}
	return g.r, []rune(g.comb), g.style, 1
}

func (d *diffScreen) Get(x, y int) (string, tcell.Style, int) {
	r, comb, st, width := d.GetContent(x, y)
	return string(r) + string(comb), st, width
}

// Show sends what changed since the last Show.
func (d *diffScreen) Show() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return
	}
	d.fit()
	if d.w == 0 || d.h == 0 {
		return
	}
	d.send()
	d.Screen.Show()
}

func (d *diffScreen) send() {
	for y := range d.h {
		for x := 0; x < d.w; x++ {
			i := y*d.w + x
			g := d.now[i]
			if g.wide && x+1 == d.w { // half of it would be lost
				g = glyph{r: ' ', style: g.style}
			}
			if g != d.sent[i] {
				d.Screen.SetContent(x, y, g.r, []rune(g.comb), g.style)
				d.sent[i] = g
			}
			if g.wide {
				x++
				d.sent[i+1] = covered
			}
		}
	}
}

// Sync sends everything anew.
func (d *diffScreen) Sync() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return
	}
	d.fit()
	if d.w == 0 || d.h == 0 {
		return
	}
	clear(d.sent)
	d.send()
	d.Screen.Sync()
}

func (d *diffScreen) Suspend() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	return d.Screen.Suspend()
}

func (d *diffScreen) Resume() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.Screen.Resume()
	d.off = err != nil || d.ended
	clear(d.sent)
	return err
}

// Fini restores the terminal. It may be called by any goroutine, more than once.
func (d *diffScreen) Fini() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	d.off, d.ended = true, true
	d.Screen.Fini()
}
