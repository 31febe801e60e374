package render

import (
	"fmt"

	"spiketop/incident"
)

// target is the index of the first ping view of the host that is shown, -1 if
// there is none.
func (v *View) target() int {
	if h, _, _ := v.shown(); h != nil {
		return h[0]
	}
	return -1
}

func (v *View) stripTitle() []span {
	shown, at, of := v.shown()
	spans := []span{{"ping", Style{Fg: Strong, Bold: true}, 0}}
	if of == 0 {
		return append(spans, span{" ── nothing is pinged", Style{Fg: Marked}, 0})
	}
	p := &v.Frame.Pings[shown[0]]
	spans = append(spans, span{" ── " + targetName(p), Style{Bold: true}, 0})
	if of > 1 {
		spans = append(spans, span{fmt.Sprintf(" (%d/%d)", at+1, of), Style{}, 4})
	}
	switch {
	case len(shown) > 1:
		spans = append(spans, v.memberFigures(shown)...)
	default:
		if p.Member != "" {
			spans = append(spans, span{" via " + incident.Clean(p.Member), Style{}, 5})
		}
		if p.Target.Trouble != "" {
			spans = append(spans, span{"  " + incident.Clean(p.Target.Trouble), Style{Fg: Alarm, Bold: true}, 0})
		} else {
			spans = append(spans, pingFigures(p)...)
		}
	}
	if !p.Target.Captured {
		spans = append(spans, span{" · not by a captured NIC", Style{Fg: Marked}, 3})
	}
	for i, h := range v.hosts() {
		if i != at {
			spans = append(spans, v.otherHost(h)...)
		}
	}
	spans = append(spans, cannotSteer(p)...)
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
