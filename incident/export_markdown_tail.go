package incident

import (
	"fmt"
	"strings"
)

func mdPings(in *Incident) []string {
	if len(in.Pings) == 0 {
		return nil
	}
	t := textTable{align: "llrrrrr"}
	t.add("target", "via", "sent", "lost", "unknown", "max ms", "usual ms")
	for i := range in.Pings[:min(mdMaxPings, len(in.Pings))] {
		p := &in.Pings[i]
		t.add(pingName(p), p.Member, fmt.Sprint(p.Sent), fmt.Sprint(p.Lost), fmt.Sprint(p.Unknown), ms(p.RTTMax), ms(p.Baseline))
	}
	lines := t.lines()
	if n := len(in.Pings) - mdMaxPings; n > 0 {
		lines = append(lines, fmt.Sprintf("%d more in incident.json", n))
	}
	return fence("Ping, window and 5 s on both sides", lines)
}

// mdPath says where the time of the guilty echo went, one line.
func mdPath(in *Incident) []string {
	p := &in.Path
	segment := prose(p.VerdictSegment, mdMaxName)
	if segment == "" {
		segment = "unknown"
	}
	if p.Own == nil && len(p.Legs) > 0 {
		return mdLegs(p, segment)
	}
	if p.Own == nil {
		return []string{"Path: the delay lies in: " + segment + ".", ""}
	}
	return []string{fmt.Sprintf("Path: this host ─ queue %s ─ %s ═ wire %s ═ %s: %s. The delay lies in: %s.",
		msUnit(p.Own.Queue), or(prose(in.Trigger.Member, mdMaxName), "NIC"), msUnit(p.Own.Wire),
		or(prose(in.Trigger.Target, mdMaxName), "target"), p.Own.text(in.Trigger.RTT), segment), ""}
}

// text is "RTT 120.4 = queue 0.020 + wire 120.4; wake-up 0.050".
func (o *OwnPath) text(rtt *Millis) string {
	s := fmt.Sprintf("RTT %s = queue %s + wire %s", ms(rtt), ms(o.Queue), ms(o.Wire))
	if o.Wakeup != nil {
		s += "; wake-up " + ms(o.Wakeup)
	}
	return s
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// mdWhy lists the first most pieces of evidence, what limits them, the advice.
func mdWhy(in *Incident, most int) []string {
	v := &in.Verdict
	out := []string{fmt.Sprintf("## Evidence (cause %s, confidence %s)", or(prose(v.Cause, mdMaxName), "unknown"), or(prose(v.Confidence, mdMaxName), "unknown"))}
	if len(v.Evidence) == 0 {
		out = append(out, "- none recorded")
	}
	for _, e := range v.Evidence[:min(most, len(v.Evidence))] {
		out = append(out, "- "+proseLine(e, mdMaxSentence))
	}
	if n := len(v.Evidence) - most; n > 0 {
		out = append(out, fmt.Sprintf("- %d more in incident.json", n))
	}
	if s := mdLimits(in); s != "" {
		out = append(out, "- Limits of this evidence: "+s)
	}
	if s := mdHidden(in); s != "" {
		out = append(out, "- Storage may be invisible: "+s)
	}
	if v.Advice != "" {
		out = append(out, "- What to do: "+prose(v.Advice, mdMaxSentence))
	}
	return append(out, "")
}

// mdHidden says by which ways traffic passed unseen, one line.
func mdHidden(in *Incident) string {
	var s []string
	for _, h := range in.Hidden[:min(len(in.Hidden), mdMaxHidden)] {
		s = append(s, prose(h, mdMaxName*4))
	}
	if n := len(in.Hidden) - mdMaxHidden; n > 0 {
		s = append(s, fmt.Sprintf("%d more in incident.json", n))
	}
	return strings.Join(s, "; ")
}

// mdLimits says what is missing, for the reader must not think it was nothing.
func mdLimits(in *Incident) string {
	var s []string
	add := func(n int, what string) {
		if n > 0 {
			s = append(s, fmt.Sprintf("%s: %d", what, n))
		}
	}
	if in.Open {
		s = append(s, "still collecting")
	}
	if in.Truncated {
		s = append(s, "cut short before the spike was over")
	}
	lost := uint64(0)
	for i := range in.Links {
		lost += in.Links[i].CaptureDrops
	}
	if lost > 0 {
		s = append(s, fmt.Sprintf("frames lost in the capture ring: %d", lost))
	}
	if p := in.Packets; p != nil && len(p.Missing) > 0 {
		s = append(s, "packets.pcapng: "+strings.Join(p.Missing, "; "))
	}
	add(in.Self.LateTicks, "ticks at which this process was late")
	add(in.Self.EvictedFlows, "flows evicted from a full table")
	add(in.Self.ClockSteps, "clock steps")
	add(in.Self.SuppressedIncidents, "incidents suppressed before this one")
	return strings.Join(s, ", ")
}

func mdAgain(in *Incident) []string {
	out := []string{"## Look again",
		fmt.Sprintf("Directory `%s` of spiketop on %s: incident.json has every number, flows.csv every row of both lists.  ",
			or(prose(in.ID, 2*maxCell), "?"), or(prose(in.Host, mdMaxName), "this host"))}
	if c := mdCommand(in); c != "" {
		out = append(out, "The same view live: `"+c+"`  ")
	}
	return append(out, fmt.Sprintf("Written by spiketop %s, engine %s.", or(prose(in.Version, mdMaxName), "?"), or(prose(in.Engine, mdMaxName), "?")))
}

// mdCommand is the command that shows the same links and target live. A name
// that a shell would not take as one plain word is left out: somebody will paste
// this line.
func mdCommand(in *Incident) string {
	words := []string{"sudo", "spiketop"}
	if t := in.Trigger.Target; plainWord(t) {
		words = append(words, "--ping", t)
	}
	for _, l := range mdShownLinks(in) {
		if plainWord(l.Name) {
			words = append(words, l.Name)
		}
	}
	if len(words) == 2 {
		return ""
	}
	return strings.Join(words, " ")
}

func plainWord(s string) bool {
	if s == "" || s[0] == '-' || len(s) > mdMaxName {
		return false
	}
	for _, r := range s {
		if !idRune(r) && r != ':' && r != '_' {
			return false
		}
	}
	return true
}
