package render

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"spiketop/flow"
	"spiketop/incident"
)

// drawSnapshot draws one incident: what happened in sentences, who grew in each
// direction, and where the time of the echo went.
func drawSnapshot(c *Canvas, r rect, v *View) Layout {
	in := v.Incident
	right := rightTitle(c.W, v)
	room := c.W - lineWidth(right) - 3
	line(c, c.W-lineWidth(right)-1, 0, lineWidth(right), right)
	if in == nil {
		c.Put(1, 0, "INCIDENT", Style{Bold: true})
		c.Fit(1, r.y+1, r.w-2, "this incident is still being collected", Style{Fg: Faint})
		return Layout{}
	}
	line(c, 1, 0, room, v.snapshotTitle(in))
	y := r.y
	big := r.h >= 20
	if big {
		y++
	}
	for _, s := range v.story(in, r.w-6, r.h) {
		c.Fit(3, y, r.w-4, s.text, s.st)
		y++
	}
	if big {
		y++
	}
	tail := v.snapshotTail(in, r)
	panes := rect{r.x, y, r.w, r.y + r.h - y - len(tail)}
	l := v.drawChanges(c, panes, in)
	for i, spans := range tail {
		line(c, 1, r.y+r.h-len(tail)+i, r.w-2, spans)
	}
	return l
}

func (v *View) snapshotTitle(in *incident.Incident) []span {
	spans := []span{
		{fmt.Sprintf("INCIDENT #%d", in.Number), Style{Fg: Alarm, Bold: true}, 0},
		{"  " + incident.Clean(in.Host), Style{}, 3},
		{v.in(in.Window.From).Format("  2006-01-02"), Style{}, 4},
		{v.in(in.Window.From).Format("  15:04:05.000"), Style{}, 2},
		{v.in(in.Window.To).Format(" to 15:04:05.000"), Style{}, 2},
		{v.in(in.Window.To).Format(" -07:00"), Style{Fg: Faint}, 5},
	}
	if in.Open {
		spans = append(spans, span{"  still collecting", Style{Fg: Marked, Bold: true}, 1})
	}
	return spans
}

// story is the incident in sentences, as many lines as the screen can spare.
func (v *View) story(in *incident.Incident, w, h int) []span {
	var all []span
	add := func(s string, st Style) {
		for _, l := range wrap(incident.CleanMax(s, 1000), w) {
			all = append(all, span{l, st, 0})
		}
	}
	verdict := in.Verdict.Sentence // it begins with what happened to the echo
	if verdict == "" {
		verdict = triggerSentence(in)
	}
	if in.Verdict.Confidence != "" {
		verdict += " (confidence: " + in.Verdict.Confidence + ")"
	}
	add(verdict, Style{Bold: true})
	n := len(all)
	if h >= 20 {
		for _, e := range in.Verdict.Evidence {
			add("· "+e, Style{Fg: Faint})
		}
		add(in.Verdict.Advice, Style{})
	}
	most := max(h/3, 3)
	if h >= 20 {
		most = max(most, n)
	}
	if len(all) > most {
		all = all[:most]
		all[most-1].text = cut(all[most-1].text+" …", w)
		if !strings.HasSuffix(all[most-1].text, "…") {
			all[most-1].text += "…"
		}
	}
	return all
}

// triggerSentence says what was seen, without any judgement.
func triggerSentence(in *incident.Incident) string {
	t := &in.Trigger
	via := ""
	if t.Member != "" {
		via = " via " + t.Member
	}
	usually := ""
	if t.Baseline != nil {
		usually = " (usual " + msOf(t.Baseline) + ")"
	}
	echo := fmt.Sprintf("Echo %d to %s%s", t.Seq, t.Target, via)
	switch {
	case t.Kind == incident.KindManual:
		return "Frozen by hand."
	case t.RTT != nil:
		return echo + " took " + msOf(t.RTT) + usually + "."
	case t.Kind == incident.KindLoss:
		return echo + " and others before it were not answered" + usually + "."
	case t.Outstanding != nil:
		return echo + " had no answer after " + msOf(t.Outstanding) + usually + "."
	}
	return echo + ": " + t.Kind + "."
}

// snapshotTail is what stands under the panes: path, links, where it is saved.
func (v *View) snapshotTail(in *incident.Incident, r rect) [][]span {
	var tail [][]span
	if p := pathSpans(in); p != nil {
		tail = append(tail, p)
	}
	if r.h >= 20 {
		for i := range in.Links {
			tail = append(tail, linkSpans(&in.Links[i]))
		}
		for i := range in.Pings {
			tail = append(tail, pingSpans(&in.Pings[i]))
		}
	}
	saved := []span{{"saved  ", Style{Fg: Faint}, 0}, {incident.Clean(v.SavedIn), Style{}, 0}}
	if v.SavedIn == "" {
		saved = []span{{"not saved yet", Style{Fg: Marked}, 0}}
	}
	return append(tail, saved)
}

// pathSpans is the way of the echo that triggered, with the time of each part:
// "this host ─ queue 0.02 ─ eth0 ═ wire 120.38 ═ 10.1.16.55". The thicker line
// and the bold figure mark the longer part.
func pathSpans(in *incident.Incident) []span {
	own := in.Path.Own
	if own == nil || in.Trigger.Kind == incident.KindManual {
		return nil
	}
	member := in.Trigger.Member
	if member == "" {
		member = "NIC not seen"
	}
	q, w := durationOf(own.Queue), durationOf(own.Wire)
	spans := []span{{"path   ", Style{Fg: Faint}, 0}, {"this host ", Style{}, 0}}
	spans = append(spans, segment("queue", q, q > w)...)
	spans = append(spans, span{" " + incident.Clean(member) + " ", Style{}, 0})
	spans = append(spans, segment("wire", w, w >= q)...)
	spans = append(spans, span{" " + incident.Clean(in.Trigger.Target), Style{}, 0}, span{"   ms", Style{Fg: Faint}, 1})
	if own.Wakeup != nil {
		spans = append(spans, span{", then our own wake-up " + incident.Ms(durationOf(own.Wakeup)), Style{Fg: Faint}, 2})
	}
	if s := in.Path.VerdictSegment; s != "" {
		spans = append(spans, span{"   the delay lies in: " + incident.Clean(s), Style{Fg: Strong, Bold: true}, 3})
	}
	return spans
}

func segment(name string, d time.Duration, longer bool) []span {
	bar, st := "─", Style{}
	if longer {
		bar, st = "═", Style{Fg: Alarm, Bold: true}
	}
	return []span{{bar + " " + name + " " + incident.Ms(d) + " " + bar, st, 0}}
}

func linkSpans(l *incident.LinkPart) []span {
	spans := []span{{"link   ", Style{Fg: Faint}, 0}, {pad(cut(incident.Clean(l.Name), 15), 8), Style{Bold: true}, 0}}
	var speedBps uint64
	if l.SpeedBps != nil {
		speedBps = *l.SpeedBps
	}
	if l.State != "" && l.State != flow.LinkUp.String() {
		spans = append(spans, span{strings.ToUpper(incident.Clean(l.State)) + "  ", Style{Fg: Alarm, Bold: true}, 0})
	}
	for d, dir := range [2]*incident.LinkDir{&l.Rx, &l.Tx} {
		s := rateSpan(flow.Direction(d), dir.Bps, speedBps)
		spans = append(spans, s, span{" usual " + pad(incident.Rate(orNaN(dir.BaselineBps)), 5), Style{}, 2},
			span{"  peak " + pad(incident.Rate(dir.PeakBps), 5), Style{}, 4})
		if dir.BusyMs != nil && *dir.BusyMs > 0 {
			spans = append(spans, span{"  over 90% for " + wholeMs(*dir.BusyMs), Style{Fg: Alarm, Bold: true}, 1})
		}
		spans = append(spans, span{"   ", Style{}, 0})
	}
	spans = append(spans, coverage(orNaN(l.Coverage), l.CaptureDrops)...)
	return append(spans, nicSpans(l.NIC)...)
}

// nicSpans names only counters that moved.
func nicSpans(n *incident.NICPart) []span {
	if n == nil {
		return nil
	}
	var spans []span
	for _, x := range []struct {
		name string
		n    uint64
	}{{"rx missed", n.RxMissed}, {"rx no buffer", n.RxNoBuffer}, {"rx fifo", n.RxFifo}, {"rx dropped", n.RxDropped}, {"tx dropped", n.TxDropped},
		{"softnet drops", n.SoftnetDrops}, {"qdisc drops", n.QdiscDrops}, {"carrier changes", n.CarrierChanges}} {
		if x.n > 0 {
			spans = append(spans, span{" · " + x.name + " " + count(x.n), Style{Fg: Marked, Bold: true}, 1})
		}
	}
	if n.QdiscBacklogBytes > 0 {
		spans = append(spans, span{" · queue " + incident.Bytes(n.QdiscBacklogBytes), Style{Fg: Marked}, 4})
	}
	return spans
}

func pingSpans(p *incident.PingPart) []span {
	lost := Style{}
	if p.Lost > 0 {
		lost = Style{Fg: Alarm, Bold: true}
	}
	return []span{{"ping   ", Style{Fg: Faint}, 0}, {incident.Clean(p.Target), Style{Bold: true}, 0},
		{"  highest " + msOf(p.RTTMax), Style{}, 0}, {"  usual " + msOf(p.Baseline), Style{}, 0},
		{fmt.Sprintf("  sent %d", p.Sent), Style{}, 1}, {fmt.Sprintf("  lost %d", p.Lost), lost, 0}, {fmt.Sprintf("  unknown %d", p.Unknown), Style{}, 2}}
}

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
	from, to := incident.Clean(f.Remote), incident.Clean(f.Local)
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
