package render

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"spiketop/flow"
	"spiketop/incident"
)

// drawChanges draws the flows of both directions, ranked by change and grouped
// by class; on a screen that has no room for two panes, the selected one.
func (v *View) drawChanges(c *Canvas, r rect, in *incident.Incident) Layout {
	if r.h < 3 {
		return Layout{}
	}
	l := Layout{Page: max(r.h-4, 1)}
	if r.w >= 2*minPane {
		half := r.w / 2
		a := v.drawChange(c, rect{r.x, r.y, half, r.h}, in, flow.Rx, "")
		b := v.drawChange(c, rect{r.x + half, r.y, r.w - half, r.h}, in, flow.Tx, "")
		l.Scroll = max(a, b)
		l.Panes = []PaneAt{{0, r.x, r.y, half, r.h}, {1, r.x + half, r.y, r.w - half, r.h}}
		return l
	}
	d, other := flow.Rx, up+" OUT"
	if v.Pane%2 != 0 {
		d, other = flow.Tx, down+" IN"
	}
	l.Scroll = v.drawChange(c, r, in, d, "Tab: "+other)
	l.Panes = []PaneAt{{int(d), r.x, r.y, r.w, r.h}}
	return l
}

// changeLine is a heading (class) or a flow.
type changeLine struct {
	heading bool
	class   string
	row     *incident.FlowRow
	sum     classRate
}

// classRate is a class in one direction over all links.
type classRate struct{ Bps, Usual float64 }

func (v *View) drawChange(c *Canvas, r rect, in *incident.Incident, d flow.Direction, footer string) int {
	title, list := down+" IN, by change", in.Flows.Rx
	if d == flow.Tx {
		title, list = up+" OUT, by change", in.Flows.Tx
	}
	foot := []span{{"… others " + incident.Bytes(otherBytes(in, d)), Style{Fg: Faint}, 1}}
	if footer != "" {
		foot = append(foot, span{" · " + footer, Style{Fg: Strong}, 0})
	}
	box(c, r, Style{Fg: Faint}, []span{{title, Style{Fg: Strong, Bold: true}, 0}}, foot)
	b := r.inside()
	x := b.x + b.w - 3*8
	for i, name := range []string{"rate", "usual", "change"} {
		c.Right(x+8*i, b.y, 8, name, Style{Fg: Faint})
	}
	room := b.h - 1
	scroll := min(max(v.Scroll, 0), max(len(list)-1, 0))
	lines := grouped(in, list[scroll:], d, room)
	for i := range lines {
		drawChangeLine(c, rect{b.x, b.y + 1 + i, b.w, 1}, &lines[i], d)
	}
	if len(list) == 0 {
		c.Fit(b.x+1, b.y+1, b.w-2, "no flow", Style{Fg: Faint})
	}
	return scroll
}

func otherBytes(in *incident.Incident, d flow.Direction) uint64 {
	if d == flow.Tx {
		return in.Flows.Other.Tx.Bytes
	}
	return in.Flows.Other.Rx.Bytes
}

// grouped takes as many flows from the top of the ranking as fit with the
// headings of their classes, and groups them; the class with the largest change
// comes first.
func grouped(in *incident.Incident, list []incident.FlowRow, d flow.Direction, room int) []changeLine {
	var order []string
	byClass := map[string][]*incident.FlowRow{}
	used := 0
	for i := range list {
		f := &list[i]
		need := 1
		if byClass[f.Class] == nil {
			need = 2
		}
		if used+need > room {
			break
		}
		if need == 2 {
			order = append(order, f.Class)
		}
		used += need
		byClass[f.Class] = append(byClass[f.Class], f)
	}
	sums := map[string]classRate{}
	for _, name := range order {
		sums[name] = classSum(in, name, d)
	}
	slices.SortStableFunc(order, func(a, b string) int {
		return cmp.Compare(math.Abs(figure(sums[b].Bps-sums[b].Usual, 0)), math.Abs(figure(sums[a].Bps-sums[a].Usual, 0)))
	})
	var lines []changeLine
	for _, name := range order {
		lines = append(lines, changeLine{heading: true, class: name, sum: sums[name]})
		for _, f := range byClass[name] {
			lines = append(lines, changeLine{class: name, row: f})
		}
	}
	return lines
}

// classSum turns a class's bytes and its usual share back into rates.
func classSum(in *incident.Incident, name string, d flow.Direction) classRate {
	s := classRate{math.NaN(), math.NaN()}
	for i := range in.Classes {
		if in.Classes[i].Name != name {
			continue
		}
		part := &in.Classes[i].Rx
		if d == flow.Tx {
			part = &in.Classes[i].Tx
		}
		if secs := in.Window.To.Sub(in.Window.From).Seconds(); secs > 0 {
			s.Bps = float64(part.Bytes) * 8 / secs
		}
		total := 0.0
		for j := range in.Links {
			dir := &in.Links[j].Rx
			if d == flow.Tx {
				dir = &in.Links[j].Tx
			}
			total += orNaN(dir.BaselineBps)
		}
		s.Usual = orNaN(part.BaselineShare) * total
	}
	return s
}

func drawChangeLine(c *Canvas, r rect, l *changeLine, d flow.Direction) {
	x := r.x + r.w - 3*8
	st := classStyle(classOf(l.class))
	figures := [3]string{incident.Rate(l.sum.Bps), incident.Rate(l.sum.Usual), incident.Change(l.sum.Bps - l.sum.Usual)}
	if l.heading {
		st.Bold = true
		c.Fit(r.x+1, r.y, x-r.x-2, strings.ToUpper(incident.Clean(l.class)), st)
	} else {
		figures = [3]string{incident.Rate(l.row.Bps), incident.Rate(orNaN(l.row.BaselineBps)), incident.Change(orNaN(l.row.DeltaBps))}
		changeEnds(c, r, x-r.x-1, l.row, st, d)
	}
	for i, s := range figures {
		c.Right(x+8*i, r.y, 8, s, Style{Bold: l.heading})
	}
}

// changeEnds writes link and both ends in the direction of the traffic. Where
// the room is short, the address of this host goes first: its port tells more.
func changeEnds(c *Canvas, r rect, w int, f *incident.FlowRow, st Style, d flow.Direction) {
	from, to := incident.Clean(f.Remote), snapshotLocal(f)
	if d == flow.Tx {
		from, to = to, from
	}
	x := c.Fit(r.x+1, r.y, 8, incident.Clean(f.Link), Style{Fg: Faint}) + 1
	room := r.x + w - x - 3
	suffix := ""
	if f.Proto != "tcp" {
		suffix = " " + incident.Clean(f.Proto)
	}
	if textWidth(from)+textWidth(to) > room {
		own := &to
		if d == flow.Tx {
			own = &from
		}
		if i := strings.LastIndexByte(*own, ':'); i > 0 && f.Proto != "arp" && strings.ContainsAny(f.Proto, "tuc") {
			*own = "…" + (*own)[i:]
		}
	}
	a, b := textWidth(from), textWidth(to)
	if a+b > room {
		if half := room / 2; a <= half {
			b = room - a
		} else if b <= room-half {
			a = room - b
		} else {
			a, b = half, room-half
		}
	}
	x = c.Put(x, r.y, cutEnd(from, a), st)
	x = c.Put(x, r.y, " → ", Style{Fg: Faint})
	x = c.Put(x, r.y, cutEnd(to, b), st)
	if x+len(suffix) <= r.x+w {
		c.Put(x, r.y, suffix, Style{Fg: Faint})
	}
}
