package render

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"spiketop/incident"
)

// A cell of the picture, in SVG's user units. Runs of text are stretched to
// their columns, so that any monospaced font gives the same picture.
const (
	svgCellW  = 8
	svgCellH  = 17
	svgAscent = 13
	svgMargin = 10

	svgBackground = 0x1c1c1c
	svgForeground = 0xd0d0d0
)

// SnapshotSVG draws what [SnapshotText] writes as a picture without scripts,
// links or fonts of its own. It is the incident's screen.svg. The only errors are
// those of w.
func SnapshotSVG(w io.Writer, frame *incident.Frame, in *incident.Incident, width int) error {
	if err := WriteSVG(w, snapshotParts(frame, in, width)...); err != nil {
		return fmt.Errorf("write picture of incident %s: %w", in.ID, err)
	}
	return nil
}

// WriteSVG draws canvases below one another.
func WriteSVG(w io.Writer, parts ...*Canvas) error {
	cols, rows := 0, 0
	for _, c := range parts {
		cols, rows = max(cols, c.W), rows+c.H
	}
	b := bufio.NewWriter(w)
	width, height := cols*svgCellW+2*svgMargin, rows*svgCellH+2*svgMargin
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="13">`+"\n", width, height, width, height)
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="#%06x"/>`+"\n", svgBackground)
	row := 0
	for _, c := range parts {
		for y := range c.H {
			svgRow(b, c, y, svgMargin+(row+y)*svgCellH)
		}
		row += c.H
	}
	b.WriteString("</svg>\n")
	return b.Flush()
}

// svgRow draws one row of cells whose upper edge is at top: the backgrounds, then
// the text in runs of one style.
func svgRow(b *bufio.Writer, c *Canvas, y, top int) {
	for x := 0; x < c.W; {
		n := 1
		st := c.At(x, y).Style
		for x+n < c.W && c.At(x+n, y).Style == st {
			n++
		}
		fg, bg := svgColours(st)
		if bg != svgBackground {
			fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="#%06x"/>`+"\n", svgMargin+x*svgCellW, top, n*svgCellW, svgCellH, bg)
		}
		svgRun(b, c, x, n, y, top, fg, st.Bold)
		x += n
	}
}

// svgRun writes the words of n cells of one style. Blanks are not drawn.
func svgRun(b *bufio.Writer, c *Canvas, from, n, y, top int, fg int32, bold bool) {
	for x := from; x < from+n; {
		cell := c.At(x, y)
		if cell.Width == 0 || cell.Rune == ' ' {
			x++
			continue
		}
		var text strings.Builder
		start, first := x, cell
		for x < from+n {
			cell := c.At(x, y)
			if cell.Rune == ' ' || cell.Width == 0 || x > start && !runsOn(first, cell) {
				break
			}
			text.WriteRune(cell.Rune)
			text.WriteString(cell.Comb)
			x += int(cell.Width)
		}
		weight := ""
		if bold {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" textLength="%d" lengthAdjust="spacingAndGlyphs" fill="#%06x"%s>`, svgMargin+start*svgCellW, top+svgAscent, (x-start)*svgCellW, fg, weight)
		_ = xml.EscapeText(b, []byte(text.String()))
		b.WriteString("</text>\n")
	}
}

// runsOn reports whether a cell may stand in the run of another: ASCII with ASCII,
// a line or a block with its like. Anything else stands alone: whatever the font
// makes of it moves no other.
func runsOn(first, next Cell) bool {
	if first.Rune < 0x7f {
		return next.Rune < 0x7f && first.Comb == "" && next.Comb == ""
	}
	return next.Rune == first.Rune && next.Width == 1 && next.Comb == ""
}

func svgColours(st Style) (fg, bg int32) {
	fg, bg = Dark.Fg[st.Fg], svgBackground
	if fg == Default {
		fg = svgForeground
	}
	if st.Bar {
		bg = Dark.Bar
	}
	if st.Reverse {
		fg, bg = bg, fg
	}
	return fg, bg
}
