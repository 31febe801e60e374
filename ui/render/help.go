package render

// helpColumn is the least width of a column of the help.
const helpColumn = 58

// helpLine is one line of the help: a heading, a key with its explanation, or
// the rest of an explanation.
type helpLine struct{ heading, key, text string }

// drawHelp draws the list of keys over the panes; the strip goes on below.
func drawHelp(c *Canvas, r rect, v *View) Layout {
	c.Put(1, 0, "spiketop: keys", Style{Bold: true})
	right := rightTitle(c.W, v)
	line(c, c.W-lineWidth(right)-1, 0, lineWidth(right), right)
	in := r.inside()
	cols := max(1, in.w/helpColumn)
	w := in.w / cols
	lines, keyW := helpLines(v.Help, w-4)
	rows := max(in.h, 1)
	per := max((len(lines)+cols-1)/cols, rows)
	most := per - rows
	scroll := min(max(v.Scroll, 0), most)
	footer := []span{{"rates are bit/s of layer 2, SI: 6.81G = 6.81 Gbit/s", Style{Fg: Faint}, 1}}
	if most > 0 {
		footer = append([]span{{"j k PgDn PgUp: more · ", Style{Fg: Strong}, 0}}, footer...)
	}
	box(c, r, Style{Fg: Faint}, []span{{"help", Style{Fg: Strong, Bold: true}, 0}}, footer)
	for i, l := range lines {
		y := i%per - scroll
		if y < 0 || y >= rows {
			continue
		}
		x := in.x + 1 + i/per*w
		c.Fit(x, in.y+y, w-2, l.heading, Style{Bold: true})
		c.Put(x+1, in.y+y, l.key, Style{Fg: Strong, Bold: true})
		c.Fit(x+keyW+3, in.y+y, w-keyW-5, l.text, Style{})
	}
	return Layout{Page: max(rows-1, 1), Scroll: scroll}
}

// helpLines wraps the explanations and returns the width of the widest key.
func helpLines(groups []HelpGroup, w int) (lines []helpLine, keyW int) {
	for _, g := range groups {
		for _, k := range g.Keys {
			keyW = max(keyW, textWidth(k.Key))
		}
	}
	for _, g := range groups {
		lines = append(lines, helpLine{heading: g.Title})
		for _, k := range g.Keys {
			key := k.Key
			for _, text := range wrap(k.Name, max(w-keyW-1, 10)) {
				lines = append(lines, helpLine{key: key, text: text})
				key = ""
			}
		}
	}
	return lines, keyW
}
