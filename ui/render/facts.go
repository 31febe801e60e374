package render

import (
	"fmt"
	"strings"
	"time"

	"spiketop/flow"
	"spiketop/incident"
)

// snapshotTail is what stands under the panes: path, links, where it is saved.
func (v *View) snapshotTail(in *incident.Incident, r rect) [][]span {
	var tail [][]span
	if p := pathSpans(in); p != nil {
		if r.h < 20 {
			p = append(p, bondShort(in)...)
		}
		tail = append(tail, p)
	}
	tail = append(tail, guestLines(in, r.h)...)
	if r.h >= 20 {
		for i := range in.Links {
			tail = append(tail, linkSpans(&in.Links[i]))
		}
		for i := range in.Bond[:min(len(in.Bond), 2)] {
			tail = append(tail, bondSpans(&in.Bond[i]))
		}
		if len(in.Hidden) > 0 {
			tail = append(tail, hiddenSpans(in))
		}
		for i := range in.Pings {
			tail = append(tail, pingSpans(in, i))
		}
	}
	switch {
	case v.SavedIn != "":
		return append(tail, []span{{"saved  ", Style{Fg: Faint}, 0}, {incident.Clean(v.SavedIn), Style{}, 0}})
	case v.NoTrailing:
		return tail // this text is what is being saved
	}
	return append(tail, []span{{"not saved yet", Style{Fg: Marked}, 0}})
}

// pathSpans is the way of the echo that triggered, with the time of each part:
// "this host ─ queue 0.02 ─ eth0 ═ wire 120.38 ═ 10.1.16.55". The thicker line
// and the bold figure mark the longer part.
func pathSpans(in *incident.Incident) []span {
	if len(in.Path.Legs) > 0 {
		return legSpans(in)
	}
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

// legSpans is the way of a VM's echo: "023471 ─ 0.02 ─ eth0 ═ 120.3 ═ eth0 ─ 0.02
// ─ 023471". The longest leg is marked.
func legSpans(in *incident.Incident) []span {
	legs := in.Path.Legs
	most := 0
	for i := range legs {
		if legs[i].Took > legs[most].Took {
			most = i
		}
	}
	spans := []span{{"path   ", Style{Fg: Faint}, 0}, {incident.Clean(legs[0].From) + " ", Style{}, 0}}
	for i := range legs {
		spans = append(spans, span{legBar(durationOf(&legs[i].Took), i == most), legStyle(i == most), 0})
		spans = append(spans, span{" " + incident.Clean(legs[i].To) + " ", Style{}, 0})
	}
	spans = append(spans, span{"  ms", Style{Fg: Faint}, 1})
	if s := in.Path.VerdictSegment; s != "" {
		spans = append(spans, span{"   the delay lies in: " + incident.Clean(s), Style{Fg: Strong, Bold: true}, 3})
	}
	return spans
}

func legBar(d time.Duration, longest bool) string {
	bar := "─"
	if longest {
		bar = "═"
	}
	return bar + " " + incident.Ms(d) + " " + bar
}

func legStyle(longest bool) Style {
	if longest {
		return Style{Fg: Alarm, Bold: true}
	}
	return Style{}
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
	spans = append(spans, ofNIC(l.NICCheck)...)
	return append(spans, nicSpans(l.NIC)...)
}

// nicSpans names only counters that moved.
func nicSpans(n *incident.NICPart) []span {
	if n == nil {
		return nil
	}
	var spans []span
	for _, x := range n.Moved() {
		if x.Name != "softnet_squeezed" { // every busy host has some
			spans = append(spans, span{" · " + strings.ReplaceAll(x.Name, "_", " ") + " " + count(x.N), Style{Fg: Marked, Bold: true}, 1})
		}
	}
	if q := n.Backlog(); q > 0 {
		spans = append(spans, span{" · queue " + incident.Bytes(q), Style{Fg: Marked}, 4})
	}
	return spans
}

func pingSpans(in *incident.Incident, i int) []span {
	p, via, one := &in.Pings[i], "", ""
	for j := range in.Pings { // the member, where the host has a ping by each
		if o := &in.Pings[j]; j != i && o.Target == p.Target && p.Member != "" {
			via = " via " + incident.Clean(p.Member)
		}
	}
	if p.CannotSteer != "" {
		one = "   cannot steer: " + incident.CleanMax(p.CannotSteer, 120)
	}
	lost := Style{}
	if p.Lost > 0 {
		lost = Style{Fg: Alarm, Bold: true}
	}
	return []span{{"ping   ", Style{Fg: Faint}, 0}, {incident.Clean(p.Target) + via, Style{Bold: true}, 0},
		{"  highest " + msOf(p.RTTMax), Style{}, 0}, {"  usual " + msOf(p.Baseline), Style{}, 0},
		{fmt.Sprintf("  sent %d", p.Sent), Style{}, 1}, {fmt.Sprintf("  lost %d", p.Lost), lost, 0}, {fmt.Sprintf("  unknown %d", p.Unknown), Style{}, 2},
		{one, Style{Fg: Faint}, 4}}
}
