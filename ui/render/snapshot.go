package render

import (
	"fmt"
	"strings"

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
		{"INCIDENT" + numbered(in), Style{Fg: Alarm, Bold: true}, 0},
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

// numbered is the running number of an incident; one read from disk has none.
func numbered(in *incident.Incident) string {
	if in.Number == 0 {
		return ""
	}
	return fmt.Sprintf(" #%d", in.Number)
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
