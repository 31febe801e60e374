package render

import (
	"fmt"

	"spiketop/incident"
)

// target is the index of the ping view that is shown, -1 if there is none.
func (v *View) target() int {
	n := len(v.Frame.Pings)
	if n == 0 {
		return -1
	}
	return ((v.Target % n) + n) % n
}

func (v *View) stripTitle() []span {
	shown := v.target()
	spans := []span{{"ping", Style{Fg: Strong, Bold: true}, 0}}
	if shown < 0 {
		return append(spans, span{" ── nothing is pinged", Style{Fg: Marked}, 0})
	}
	pings := v.Frame.Pings
	p := &pings[shown]
	spans = append(spans, span{" ── " + targetName(p), Style{Bold: true}, 0})
	if len(pings) > 1 {
		spans = append(spans, span{fmt.Sprintf(" (%d/%d)", shown+1, len(pings)), Style{}, 4})
	}
	if p.Member != "" {
		spans = append(spans, span{" via " + incident.Clean(p.Member), Style{}, 5})
	}
	if p.Target.Trouble != "" {
		spans = append(spans, span{"  " + incident.Clean(p.Target.Trouble), Style{Fg: Alarm, Bold: true}, 0})
	} else {
		spans = append(spans, pingFigures(p)...)
	}
	if !p.Target.Captured {
		spans = append(spans, span{" · not by a captured NIC", Style{Fg: Marked}, 3})
	}
	for i := range pings {
		if i != shown {
			spans = append(spans, otherTarget(&pings[i])...)
		}
	}
	if p.Target.Reason != "" {
		spans = append(spans, span{"   " + incident.Clean(p.Target.Reason), Style{Fg: Faint}, 8})
	}
	return spans
}

func targetName(p *incident.PingView) string {
	if p.Target.Name != "" {
		return cut(incident.Clean(p.Target.Name), 40)
	}
	return p.Target.Addr.String()
}

func pingFigures(p *incident.PingView) []span {
	s := &p.Stats
	last := Style{Fg: Calm, Bold: true}
	switch {
	case p.Freeze > 0 && s.Last > p.Freeze:
		last = Style{Fg: Alarm, Bold: true}
	case p.Mark > 0 && s.Last > p.Mark:
		last = Style{Fg: Marked, Bold: true}
	}
	lossStyle := Style{}
	if s.Loss > 0 {
		lossStyle = Style{Fg: Alarm, Bold: true}
	}
	return []span{
		{"  " + pad(ms(s.Last), 7), last, 0},
		{"  p99 " + incident.Ms(s.P99), Style{}, 1},
		{"  jitter " + incident.Ms(s.Jitter), Style{}, 2},
		{"  loss " + incident.Percent(s.Loss), lossStyle, 0},
	}
}

// otherTarget sums up a target that is not drawn.
func otherTarget(p *incident.PingView) []span {
	name := span{" ── " + targetName(p), Style{Fg: Faint}, 6}
	if p.Target.Trouble != "" {
		return []span{name, {" " + incident.Clean(p.Target.Trouble), Style{Fg: Alarm}, 6}}
	}
	spans := []span{name, {" " + pad(ms(p.Stats.Last), 7), Style{Fg: Faint}, 6}}
	if p.Stats.Loss > 0 {
		spans = append(spans, span{" loss " + incident.Percent(p.Stats.Loss), Style{Fg: Alarm}, 6})
	}
	return spans
}

// stripFooter says what one column is and where the thresholds lie.
func (v *View) stripFooter(s *strip) []span {
	step := s.step.String()
	spans := []span{{"1 column = " + step, Style{Fg: Faint}, 1}}
	if i := v.target(); i >= 0 {
		if p := &v.Frame.Pings[i]; p.Freeze > 0 {
			spans = append(spans, span{" · freezes above " + ms(p.Freeze), Style{Fg: Faint}, 2})
		}
	}
	return append(spans, span{" · x lost  ? unknown  s own delay", Style{Fg: Faint}, 3})
}
