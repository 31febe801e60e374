package incident

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"spiketop/flow"
)

// Bounds of what the driver is asked to look up.
const (
	maxAsked  = 64  // TCP connections of an incident
	maxWanted = 256 // flows that are on top now
)

// askAgain is how long after the window's end TCP_INFO is asked for a second
// time: what was sent again by then belongs to the incident. Its seal comes later.
const askAgain = time.Second

// Ask names the TCP connections of this host whose TCP_INFO an incident wants as
// evidence, those that grew most first, at most 64. It is raised when the incident
// opens, and again a second after its window. Answer with [Monitor.TCPInfo].
type Ask struct {
	ID      string // of the incident
	Sockets []flow.Socket
}

// askedRow is a row of an incident that has a socket of this host.
type askedRow struct {
	socket flow.Socket
	tcp    bool
	delta  float64
}

// hostSocket returns the socket of this host that carries k; ok is false where
// there can be none: a guest's flow, an address of somebody else, no ports.
func (m *Monitor) hostSocket(k *flow.Key, who *whose) (s flow.Socket, ok bool) {
	if who.vif != "" || !k.HasPorts() {
		return s, false
	}
	_, ok = m.own[k.Local]
	return flow.SocketOf(k), ok
}

// ask raises an Ask for the rows of c's newest picture.
func (m *Monitor) ask(c *collecting) {
	c.asked++
	rows := slices.Clone(c.rows)
	slices.SortStableFunc(rows, func(a, b askedRow) int { return cmp.Compare(b.delta, a.delta) })
	var list []flow.Socket
	seen := make(map[flow.Socket]bool, len(rows))
	for _, r := range rows {
		if r.tcp && !seen[r.socket] && len(list) < maxAsked {
			seen[r.socket] = true
			list = append(list, r.socket)
		}
	}
	if len(list) > 0 {
		m.out.Asks = append(m.out.Asks, Ask{c.id, list})
	}
}

// Wanted are the sockets of this host whose owner is worth looking up now: those
// of the rows of incidents that still collect, all of them, then of the flows that
// carry most, the top of each link in turn, at most 256 of these. Each stands once,
// whether its owner is known already or not. Ask once a second or so; it belongs to
// the Monitor's goroutine.
func (m *Monitor) Wanted() []flow.Socket {
	var list []flow.Socket
	seen := map[flow.Socket]bool{}
	for _, c := range m.open {
		for _, r := range c.rows {
			if !seen[r.socket] {
				seen[r.socket] = true
				list = append(list, r.socket)
			}
		}
	}
	if len(m.own) == 0 {
		return list
	}
	tops := make([][]flow.FlowRate, len(m.links))
	longest := 0
	for i, l := range m.links {
		tops[i], _ = l.lookback.Flows(4 * maxWanted) // guests' flows are among them
		longest = max(longest, len(tops[i]))
	}
	most := len(list) + maxWanted
	for n := range longest {
		for _, top := range tops {
			if n >= len(top) || len(list) == most {
				continue
			}
			f := &top[n]
			var who whose
			if g := m.world.GuestOf(f.MAC, f.Inner); g != nil {
				who.vif = g.Name
			}
			if s, ok := m.hostSocket(&f.Key, &who); ok && !seen[s] {
				seen[s] = true
				list = append(list, s)
			}
		}
	}
	return list
}

// tcpReadings are the first and the newest reading of a connection.
type tcpReadings struct {
	firstAt, at flow.Time
	first, last flow.TCPInfo
	n           int
}

// TCPInfo takes what the kernel said at that time of the connections that an
// [Ask] of incident id named; those that are gone are left out. What was not asked
// for is ignored, as is an incident that is sealed or unknown. Call it as
// [Monitor.Counters].
func (m *Monitor) TCPInfo(id string, at flow.Time, info map[flow.Socket]flow.TCPInfo) {
	i := slices.IndexFunc(m.open, func(c *collecting) bool { return (c.id == id || c.was == id && id != "") && !c.suppressed })
	if i < 0 {
		return
	}
	c := m.open[i]
	if c.tcp == nil {
		c.tcp = make(map[flow.Socket]*tcpReadings)
	}
	for s, t := range info {
		r := c.tcp[s]
		switch {
		case r == nil && len(c.tcp) == 4*maxAsked:
			continue
		case r == nil:
			c.tcp[s] = &tcpReadings{at, at, t, t, 1}
		case at > r.at:
			r.at, r.last, r.n = at, t, r.n+1
		}
	}
}

// part is what two readings say; nil receives nil. Of the RTTs the first reading
// counts, which is nearer to the spike.
func (r *tcpReadings) part() *TCPPart {
	if r == nil {
		return nil
	}
	p := &TCPPart{RTT: measured(r.first.RTT), MinRTT: measured(r.first.MinRTT), Retransmissions: r.first.Retransmits, AppLimited: r.first.AppLimited}
	if n := r.first.DeliveryBps; n > 0 {
		p.DeliveryBps = &n
	}
	if r.n > 1 && r.last.Retransmits >= r.first.Retransmits { // less: another connection with the same ends
		p.Retransmissions, p.BetweenMs = r.last.Retransmits-r.first.Retransmits, MillisOf(r.at.Sub(r.firstAt))
	}
	return p
}

// measured is d, nil where it was not measured.
func measured(d time.Duration) *Millis {
	if d <= 0 {
		return nil
	}
	return MillisOf(d)
}

// Of the connections that grew, so many are evidence.
const maxTCPEvidence = 3

// tcpEvidence is what the kernel says of the connections that grew most.
func tcpEvidence(in *Incident) (list []string) {
	var rows []*FlowRow
	dirs := map[*FlowRow]string{}
	for _, d := range []string{"rx", "tx"} {
		flows := mdDirection(in, d)
		for i := range flows {
			if f := &flows[i]; f.TCP != nil && (f.DeltaBps == nil || *f.DeltaBps > 0) {
				rows = append(rows, f)
				dirs[f] = d
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b *FlowRow) int { return cmp.Compare(b.delta(), a.delta()) })
	seen := map[string]bool{}
	for _, f := range rows {
		ends := f.Local + " " + f.Remote
		if len(list) < maxTCPEvidence && !seen[ends] {
			seen[ends] = true
			list = append(list, fmt.Sprintf("tcp %s: %s", flowEnds(f.namedLocal(), f.Remote, dirs[f]), f.TCP.text()))
		}
	}
	return list
}

// delta is the row's change; without a baseline as if it had been silent.
func (f *FlowRow) delta() float64 {
	if f.DeltaBps == nil {
		return f.Bps
	}
	return *f.DeltaBps
}

// text is a connection in words: "RTT 2.30 ms (lowest 0.10), 12 segments sent
// again in 4.2 s, delivers 6.61 Gbit/s".
func (t *TCPPart) text() string {
	s := "RTT " + msUnit(t.RTT)
	if t.MinRTT != nil {
		s += " (lowest " + ms(t.MinRTT) + ")"
	}
	since := "since it began"
	if t.BetweenMs != nil {
		since = fmt.Sprintf("in %.1f s", math.Abs(float64(*t.BetweenMs))/1000)
	}
	switch t.Retransmissions {
	case 0:
		s += ", nothing sent again " + since
	case 1:
		s += ", 1 segment sent again " + since
	default:
		s += fmt.Sprintf(", %d segments sent again %s", t.Retransmissions, since)
	}
	if t.DeliveryBps != nil {
		s += ", delivers " + perSecond(float64(*t.DeliveryBps))
		if t.AppLimited {
			s += " (all it had to send)"
		}
	}
	return s
}
