package incident

import (
	"fmt"
	"strings"
)

// mdLinks is the table of links, two rows each, and what the kernel counted
// against them.
func mdLinks(in *Incident) []string {
	t := textTable{align: "lllrlrrrrrrrr"}
	t.add("link", "bond", "state", "speed", "dir", "rate", "usual", "peak 10ms", "full", "busy ms", "bytes", "coverage", "drops")
	var notes []string
	shown := mdShownLinks(in)
	for _, l := range shown {
		speed, coverage := NoValue, ratio(l.Coverage)
		if l.SpeedBps != nil {
			speed = Rate(float64(*l.SpeedBps))
		}
		t.add(append(append([]string{l.Name, l.Bond, l.State, speed, "in ▼"}, mdLinkDir(&l.Rx)...), coverage, fmt.Sprint(l.CaptureDrops))...)
		t.add(append(append([]string{"", "", "", "", "out ▲"}, mdLinkDir(&l.Tx)...), "", "")...)
		if s := nicTrouble(l.NIC); s != "" {
			notes = append(notes, fenced(l.Name, mdMaxName)+" in the kernel: "+s)
		}
	}
	notes = append(notes, mdBonds(in)...)
	if n := len(in.Links) - len(shown); n > 0 {
		notes = append(notes, fmt.Sprintf("%d more links in incident.json", n))
	}
	return fence("Links (in = rx, toward this host; out = tx)", append(t.lines(), notes...))
}

// mdShownLinks picks the links that fit: the first ones, the verdict's always.
func mdShownLinks(in *Incident) []*LinkPart {
	var out []*LinkPart
	for i := range in.Links {
		l := &in.Links[i]
		if len(out) < mdMaxLinks {
			out = append(out, l)
		} else if l.Name == in.Verdict.Link {
			out[mdMaxLinks-1] = l
		}
	}
	return out
}

func mdLinkDir(d *LinkDir) []string {
	busy := NoValue
	if d.BusyMs != nil {
		m := Millis(*d.BusyMs)
		busy = ms(&m)
	}
	return []string{Rate(d.Bps), rate(d.BaselineBps), Rate(d.PeakBps), ratio(d.Utilisation), busy, Bytes(d.Bytes)}
}

func rate(bps *float64) string {
	if bps == nil {
		return NoValue
	}
	return Rate(*bps)
}

func change(bps *float64) string {
	if bps == nil {
		return NoValue
	}
	return Change(*bps)
}

func ratio(r *float64) string {
	if r == nil {
		return NoValue
	}
	return Percent(*r)
}

// nicTrouble names the kernel's counters that moved during the window.
func nicTrouble(n *NICPart) string {
	if n == nil {
		return ""
	}
	var s []string
	for _, c := range n.Moved() {
		s = append(s, fmt.Sprintf("%s %d", c.Name, c.N))
	}
	if q := n.Backlog(); q > 0 {
		s = append(s, fmt.Sprintf("qdisc_backlog_bytes %d", q))
	}
	return strings.Join(s, ", ")
}
