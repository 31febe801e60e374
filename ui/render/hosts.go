package render

import (
	"fmt"
	"math"

	"spiketop/incident"
)

// host is what is shown as one ping target: all pings of one host, one for each
// member of a bond where they can be told apart. They are indexes of Frame.Pings.
type host []int

// hosts are the ping targets in order.
func (v *View) hosts() (list []host) {
	pings := v.Frame.Pings
	for i := range pings {
		n := len(list)
		if n > 0 && pings[i].Target.SameHost(&pings[list[n-1][0]].Target) {
			list[n-1] = append(list[n-1], i)
			continue
		}
		list = append(list, host{i})
	}
	return list
}

// Hosts is how many ping targets there are, each host once.
func (v *View) Hosts() int { return len(v.hosts()) }

// shown is the host whose strip is drawn, nil if there is none, and its place
// among all.
func (v *View) shown() (h host, at, of int) {
	list := v.hosts()
	n := len(list)
	if n == 0 {
		return nil, 0, 0
	}
	at = ((v.Target % n) + n) % n
	return list[at], at, n
}

// Shown is the target whose strip is drawn, the first of its host's pings; nil if
// nothing is pinged.
func (v *View) Shown() *incident.PingView {
	if i := v.target(); i >= 0 {
		return &v.Frame.Pings[i]
	}
	return nil
}

// members are the pings of the shown host, if each member of a bond has its own.
func (v *View) members() host {
	if h, _, _ := v.shown(); len(h) > 1 {
		return h
	}
	return nil
}

// cell is the column of a host: the worst of its pings.
func (h host) cell(c *incident.Column) incident.PingCell {
	all := incident.PingCell{Worst: -1}
	for _, i := range h {
		if i >= len(c.Pings) {
			continue
		}
		p := &c.Pings[i]
		all.Worst = max(all.Worst, p.Worst)
		all.Due = all.Due || p.Due
		all.Lost = all.Lost || p.Lost
		all.Unknown = all.Unknown || p.Unknown
		all.Mark = all.Mark || p.Mark
		all.Freeze = all.Freeze || p.Freeze
		all.Self = all.Self || p.Self
	}
	return all
}

// memberRows says how many lines the strip has for the pings of single members on
// a screen of h rows.
func memberRows(h, members int) int {
	switch {
	case h < 20:
		return 0
	case h < 30:
		return min(members, 2)
	}
	return min(members, 4)
}

// drawMember draws the ping of one member in a line, on the axis' decades.
func drawMember(c *Canvas, x, y, ping, lo, hi int, s *strip, v *View) {
	p := &v.Frame.Pings[ping]
	name := incident.Clean(p.Member)
	if name == "" {
		name = "?"
	}
	if s.margin < 12 { // "eth0 rtt" needs every column
		c.Put(x, y, tail(name, s.margin-5)+" rtt", Style{})
	} else {
		c.Put(x+1, y, tail(name, s.margin-6)+" rtt", Style{})
	}
	c.Rune(x+s.margin-1, y, '│', Style{Fg: Faint})
	for i := range s.cells {
		if ping < len(s.cells[i].Pings) {
			drawPing(c, s.x+i, rect{0, y, 0, 1}, &s.cells[i].Pings[ping], lo, 1/float64(hi-lo))
		}
	}
}

// memberFigures are the figures of each member's ping, one after the other.
func (v *View) memberFigures(h host) (spans []span) {
	for n, i := range h {
		p := &v.Frame.Pings[i]
		sep := "  "
		if n > 0 {
			sep = "  ── "
		}
		spans = append(spans, span{sep + "via " + incident.Clean(p.Member), Style{Bold: true}, 0})
		if p.Target.Trouble != "" {
			spans = append(spans, span{" " + incident.Clean(p.Target.Trouble), Style{Fg: Alarm, Bold: true}, 0})
			continue
		}
		figures := pingFigures(p)
		figures[0].text = figures[0].text[1:]
		spans = append(spans, figures...)
	}
	return spans
}

// otherHost sums up a host that is not drawn: the worst of its pings.
func (v *View) otherHost(h host) []span {
	p := v.Frame.Pings[h[0]]
	for _, i := range h[1:] {
		o := &v.Frame.Pings[i]
		p.Stats.Last = max(p.Stats.Last, o.Stats.Last)
		if math.IsNaN(p.Stats.Loss) || o.Stats.Loss > p.Stats.Loss {
			p.Stats.Loss = o.Stats.Loss
		}
		if o.Target.Trouble == "" {
			p.Target.Trouble = "" // one that is measured says more
		}
	}
	return otherTarget(&p)
}

// cannotSteer says why a host behind a bond has one ping only.
func cannotSteer(p *incident.PingView) []span {
	if p.Target.CannotSteer == "" {
		return nil
	}
	return []span{{fmt.Sprintf("   cannot steer: %s", incident.CleanMax(p.Target.CannotSteer, 120)), Style{Fg: Faint}, 8}}
}
