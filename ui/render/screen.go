package render

import (
	"fmt"
	"strings"

	"spiketop/flow"
	"spiketop/incident"
)

// Draw fills c with the whole screen and says where things lie.
func Draw(c *Canvas, v *View) Layout {
	c.Resize(c.W, c.H)
	switch {
	case c.W == 0 || c.H == 0:
		return Layout{}
	case c.W < MinWidth || c.H < MinHeight:
		s := fmt.Sprintf("spiketop needs %d x %d characters; this terminal has %d x %d.", MinWidth, MinHeight, c.W, c.H)
		for y, l := range wrap(s, c.W) {
			c.Put(0, y, l, Style{})
		}
		return Layout{}
	case v.Frame == nil:
		c.Put(1, c.H/2, "waiting for the first packets …", Style{Fg: Faint})
		drawKeys(c, v)
		return Layout{}
	}
	below := 2
	if n := noteLines(c.H, v.Frame); n > 0 {
		below += n
		drawNotes(c, c.H-below, n, v)
	}
	strip := stripHeight(c.H, len(v.Frame.Links), len(v.members()))
	drawStrip(c, rect{0, c.H - below - strip, c.W, strip}, v)
	upper := rect{0, 1, c.W, c.H - below - strip - 1}
	var l Layout
	switch v.Page {
	case Snapshot:
		l = drawSnapshot(c, upper, v)
	case Help:
		l = drawHelp(c, upper, v)
	default:
		drawTitle(c, v)
		l = drawPanes(c, v.drawCarried(c, upper), v)
	}
	drawKeys(c, v)
	if v.Prompt != nil {
		drawPrompt(c, c.H-2, v.Prompt, &l)
	} else {
		drawIncidentLine(c, c.H-2, v)
	}
	return l
}

// wrap breaks s into lines of at most w columns, at blanks where it can.
func wrap(s string, w int) []string {
	var lines []string
	cur := ""
	for word := range strings.FieldsSeq(s) {
		if cur != "" && textWidth(cur)+1+textWidth(word) > w {
			lines, cur = append(lines, cur), ""
		}
		if cur != "" {
			cur += " "
		}
		cur += word
		for textWidth(cur) > w && w > 1 {
			part := head(cur, w)
			if part == "" {
				break
			}
			lines, cur = append(lines, part), cur[len(part):]
		}
	}
	if cur != "" {
		lines = append(lines, cur)
	}
	return lines
}

// drawTitle writes host, bonds, totals, class shares, the state and the clock.
func drawTitle(c *Canvas, v *View) {
	right := rightTitle(c.W, v)
	room := c.W - lineWidth(right) - 3
	line(c, 1, 0, room, leftTitle(c.W, v))
	line(c, c.W-lineWidth(right)-1, 0, lineWidth(right), right)
}

func leftTitle(w int, v *View) []span {
	f := v.Panes
	spans := []span{{text: hostOf(f), st: Style{Bold: true}}}
	if f.World != nil {
		for i, b := range f.World.Bonds {
			more := ""
			if w >= 120 {
				more = strings.TrimRight(" "+incident.Clean(b.Mode)+" "+incident.Clean(b.Policy), " ")
			}
			spans = append(spans, span{"  " + incident.Clean(b.Name), Style{}, 1 + min(i, 1)*8}, span{more, Style{Fg: Faint}, 4 + min(i, 1)*5})
			if w >= 100 {
				spans = append(spans, bondTitle(f, b.Name)...)
			}
		}
	}
	if len(f.Links) == 0 && v.Frozen != nil { // an incident alone, read from disk
		return []span{{text: incident.Clean(v.Frozen.Host), st: Style{Bold: true}}, {"  " + incident.Clean(v.Frozen.ID), Style{Fg: Faint}, 1}}
	}
	total := [2]float64{}
	for i := range f.Links {
		for d := range total {
			total[d] += f.Links[i].Rate[d][0]
		}
	}
	if w >= 100 {
		spans = append(spans, span{"   " + down + " " + pad(incident.Rate(total[flow.Rx]), 5) + "  " + up + " " + pad(incident.Rate(total[flow.Tx]), 5), Style{Fg: Strong, Bold: true}, 2})
	}
	shares := classShares(f)
	for i, s := range shares {
		gap := "  "
		if i == 0 {
			gap = "   "
		}
		name := s.class.String()
		if w < 120 {
			gap, name = gap[1:], string(s.class.Letter())
		}
		spans = append(spans, span{gap + name + " " + percent(s.share), classStyle(s.class), 3})
	}
	return spans
}

func pad(s string, w int) string { return s + strings.Repeat(" ", max(w-textWidth(s), 0)) }

func hostOf(f *incident.Frame) string {
	if f.World == nil {
		return ""
	}
	return incident.Clean(f.World.Host)
}

type share struct {
	class flow.Class
	share float64
}

// classShares adds the classes of all links up, in order of class number after
// the first, which is fixed too: a title must not change places.
func classShares(f *incident.Frame) []share {
	var sums [256]float64
	total := 0.0
	for i := range f.Links {
		for _, c := range f.Links[i].Classes {
			n := c.Rate[0] + c.Rate[1]
			sums[c.Class] += n
			total += n
		}
	}
	var shares []share
	for _, k := range []int{int(flow.Storage), int(flow.VIF), int(flow.Host), int(flow.Control)} {
		if sums[k] >= total*leastShare && sums[k] > 0 {
			shares = append(shares, share{flow.Class(k), sums[k] / total})
		}
	}
	for k := int(flow.FirstUserClass); k < len(sums); k++ {
		if sums[k] >= total*leastShare && sums[k] > 0 {
			shares = append(shares, share{flow.Class(k), sums[k] / total})
		}
	}
	if sums[flow.Unknown] >= total*leastShare && len(shares) > 0 { // everything unknown is no news
		shares = append(shares, share{flow.Unknown, sums[flow.Unknown] / total})
	}
	return shares
}

// rightTitle is the state of the view and the wall clock with zone.
func rightTitle(w int, v *View) []span {
	var spans []span
	news := ""
	if v.News > 0 {
		news = fmt.Sprintf(" NEW #%d ", v.News)
	}
	switch {
	case v.Page == Snapshot: // the panes are not to be seen
	case v.Frozen != nil:
		spans = append(spans, span{" FROZEN" + numbered(v.Frozen) + " ", Style{Fg: Alarm, Bold: true, Reverse: true}, 0})
		if v.Held != "" && w >= 100 {
			spans = append(spans, span{" " + v.Held, Style{Fg: Faint}, 0})
		}
	case v.Paused:
		spans = append(spans, span{" PAUSED " + v.in(v.Panes.Wall).Format("15:04:05.0") + " ", Style{Fg: Marked, Bold: true, Reverse: true}, 0})
	case v.Replay != "":
		spans = append(spans, span{v.Replay, Style{Fg: Calm, Bold: true}, 0})
	default:
		spans = append(spans, span{"● LIVE", Style{Fg: Calm, Bold: true}, 0})
	}
	if news != "" {
		spans = append(spans, span{" ", Style{}, 0}, span{news, Style{Fg: Alarm, Bold: true, Reverse: true}, 0})
	}
	if v.NoTrailing {
		return spans
	}
	layout := "2006-01-02 15:04:05.000 -07:00"
	if w < 100 {
		layout = "15:04:05.000 -07:00"
	}
	return append(spans, span{"  " + v.in(v.Frame.Wall).Format(layout), Style{}, 0})
}
