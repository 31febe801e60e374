package render

import (
	"fmt"
	"strings"

	"spiketop/incident"
)

// noteLines says how many lines a screen of h rows gives the newest note and the
// warnings that stand.
func noteLines(h int, f *incident.Frame) int {
	most := 1
	switch {
	case h >= 46:
		most = 4
	case h >= 30:
		most = 2
	}
	return min(most, min(len(f.Notes), 1)+len(f.Warnings))
}

// drawNotes writes the newest note, how many there are besides, and the first
// warnings, in n lines from y on.
func drawNotes(c *Canvas, y, n int, v *View) {
	put := func(label, count, text string) {
		line(c, 1, y, c.W-2, []span{{label, Style{Fg: Marked, Bold: true}, 0}, {count, Style{Fg: Faint}, 0}, {incident.Clean(text), Style{}, 0}})
		y++
	}
	if m := len(v.Frame.Notes); m > 0 && n > 0 {
		count := ""
		if m > 1 {
			count = fmt.Sprintf("(1 of %d) ", m)
		}
		put("note ", count, v.Frame.Notes[m-1])
		n--
	}
	warnings := v.Frame.Warnings
	for i := range min(max(n, 0), len(warnings)) {
		count := ""
		if left := len(warnings) - 1 - i; i == n-1 && left > 0 {
			count = fmt.Sprintf("(and %d more) ", left)
		}
		put("warning ", count, warnings[i])
	}
}

// drawIncidentLine writes the answer to the last key, or the newest incident.
func drawIncidentLine(c *Canvas, y int, v *View) {
	if v.Message != "" {
		line(c, 1, y, c.W-2, []span{{incident.Clean(v.Message), Style{Fg: Strong, Bold: true}, 0}})
		return
	}
	n := len(v.Frame.Incidents)
	if n == 0 {
		text := "no incident so far"
		if v.Frame.Suppressed > 0 {
			text = count(uint64(v.Frame.Suppressed)) + " incidents were not written (too many)"
		}
		line(c, 1, y, c.W-2, append([]span{{text, Style{Fg: Faint}, 0}}, v.carriedTail(c.H)...))
		return
	}
	line(c, 1, y, c.W-2, incidentSpans(&v.Frame.Incidents[n-1], c.W, v))
}

// incidentSpans is one line about an incident. Its summary says what happened,
// where, and after " — " who did it; a small screen leaves the where out.
func incidentSpans(in *incident.IncidentLine, w int, v *View) []span {
	what, who, _ := strings.Cut(in.Summary, " — ")
	if what == "" {
		what = in.Kind
	}
	if w < 100 && in.RTT >= 0 && in.Kind != incident.KindManual {
		what = ms(in.RTT)
	}
	if who != "" {
		what += " ── " + who
	}
	if in.Open {
		what = "(still collecting) " + what
	}
	return []span{
		{fmt.Sprintf("#%d ", in.Number), Style{Fg: Alarm, Bold: true}, 0},
		{v.in(in.At).Format("15:04:05.0 "), Style{}, 0},
		{incident.Clean(what), Style{}, 0},
	}
}

// drawKeys writes as many keys of the footer as fit. The last two, help and quit,
// always have their place.
func drawKeys(c *Canvas, v *View) {
	width := func(k Hint) int { return textWidth(k.Key) + 1 + textWidth(k.Name) + 2 }
	last := max(len(v.Footer)-2, 0)
	room := c.W
	for _, k := range v.Footer[last:] {
		room -= width(k)
	}
	x, y := 1, c.H-1
	for i, k := range v.Footer {
		if w := width(k); i < last {
			if w > room {
				continue
			}
			room -= w
		}
		x = c.Put(x, y, k.Key, Style{Fg: Strong, Bold: true})
		x = c.Put(x+1, y, k.Name, Style{Fg: Faint}) + 2
	}
}

// drawPrompt writes the line that is being typed; why it was refused stands in
// the line of the keys, with a mark over the column.
func drawPrompt(c *Canvas, y int, p *Prompt, l *Layout) {
	c.Clear(0, y, c.W, 1)
	x := c.Put(1, y, p.Label+" ", Style{Fg: Strong, Bold: true})
	l.PromptX, l.PromptY, l.PromptW = x, y, c.W-x-1
	text := incident.Clean(p.Text)
	c.Fit(x, y, l.PromptW, text, Style{})
	if p.Error == "" {
		return
	}
	if at := textWidth(firstRunes(text, p.Col)); p.Col >= 0 && at < l.PromptW {
		c.Rune(x+at, y-1, '▼', Style{Fg: Alarm, Bold: true})
	}
	c.Clear(0, c.H-1, c.W, 1)
	c.Fit(1, c.H-1, c.W-2, incident.Clean(p.Error), Style{Fg: Alarm, Bold: true})
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
