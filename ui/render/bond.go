package render

import (
	"fmt"
	"math"

	"spiketop/flow"
	"spiketop/incident"
)

// From these imbalances on a bond is called uneven, and it is marked.
const (
	uneven       = 0.2
	markedUneven = 0.5
)

// unevenSpan writes an imbalance, "uneven 0.78" or "even 0.04"; nil is not
// judged and gives nothing.
func unevenSpan(v *float64, drop int) span {
	switch {
	case v == nil || math.IsNaN(*v):
		return span{"", Style{}, drop}
	case *v < uneven:
		return span{fmt.Sprintf(" even %.2f", *v), Style{Fg: Faint}, drop}
	case *v < markedUneven:
		return span{fmt.Sprintf(" uneven %.2f", *v), Style{}, drop}
	}
	return span{fmt.Sprintf(" uneven %.2f", *v), Style{Fg: Marked, Bold: true}, drop}
}

// bondTitle says in the title which directions of a bond are uneven over 10 s.
func bondTitle(f *incident.Frame, name string) (spans []span) {
	for i := range f.Bonds {
		if f.Bonds[i].Bond.Name != name {
			continue
		}
		for _, d := range flow.Directions {
			if v := f.Bonds[i].Imbalance[d][1]; v != nil && *v >= markedUneven {
				s := unevenSpan(v, 3)
				spans = append(spans, span{" " + arrows[d] + s.text, s.st, 3})
			}
		}
	}
	return spans
}

// bondSpans is one bond of an incident: who carried what of each direction.
func bondSpans(p *incident.BondPart) []span {
	spans := []span{{"bond   ", Style{Fg: Faint}, 0}, {incident.Clean(p.Name), Style{Bold: true}, 0}}
	for d, part := range [2]*incident.BondDir{&p.Rx, &p.Tx} {
		spans = append(spans, span{"  " + arrows[d], Style{}, 0})
		if part.Bytes == 0 {
			spans = append(spans, span{" nothing", Style{Fg: Faint}, 0})
			continue
		}
		for i := range p.Members {
			share := p.Members[i].RxShare
			if d == int(flow.Tx) {
				share = p.Members[i].TxShare
			}
			if share != nil && (p.Members[i].Usable || *share > 0) {
				spans = append(spans, span{" " + incident.Clean(p.Members[i].Name) + " " + percent(*share), Style{}, 2})
			}
		}
		spans = append(spans, unevenSpan(part.Imbalance, 0))
		if v := part.BaselineImbalance; v != nil {
			spans = append(spans, span{fmt.Sprintf(" usual %.2f", *v), Style{Fg: Faint}, 4})
		}
	}
	for i := range p.Members {
		m := &p.Members[i]
		switch {
		case m.Trouble != "" && !m.Usable:
			spans = append(spans, span{"  " + incident.Clean(m.Name) + " OUT", Style{Fg: Alarm, Bold: true}, 0})
		case m.Trouble != "":
			spans = append(spans, span{"  " + incident.Clean(m.Name) + " troubled", Style{Fg: Marked, Bold: true}, 1})
		}
	}
	return append(spans, span{"   " + incident.Clean(p.Mode) + " " + incident.Clean(p.Policy), Style{Fg: Faint}, 5})
}

// bondShort is for a screen that has no line for each bond: the uneven direction
// of the first that has one.
func bondShort(in *incident.Incident) (spans []span) {
	for i := range in.Bond {
		p := &in.Bond[i]
		for d, part := range [2]*incident.BondDir{&p.Rx, &p.Tx} {
			if v := part.Imbalance; v != nil && *v >= markedUneven {
				s := unevenSpan(v, 2)
				return []span{{"   bond " + arrows[d] + s.text, s.st, 2}}
			}
		}
	}
	return nil
}

// hiddenSpans says by which ways traffic passed unseen.
func hiddenSpans(in *incident.Incident) []span {
	spans := []span{{"unseen ", Style{Fg: Faint}, 0}}
	for i, h := range in.Hidden {
		if i > 0 {
			h = "; " + h
		}
		spans = append(spans, span{incident.CleanMax(h, 160), Style{Fg: Marked}, 0})
	}
	return spans
}
