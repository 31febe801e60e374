package incident

import (
	"slices"
	"strconv"
	"time"

	"spiketop/flow"
)

// Bounds of what is asked of the kernel about sockets.
const (
	maxWanted = 256 // of what can be seen
	maxTCP    = 64  // connections whose TCP_INFO is asked for at a freeze
	// The rows of an incident are known when its window is over, the culprits' state
	// is of the moment only at once: so both are asked.
	askAgain = 1200 * time.Millisecond
)

// Ask is what the driver should find out about an incident's rows, soon: who owns
// these sockets, and how the TCP connections among the first of them fare. The
// answer comes as a World with Owners, and through [Monitor.TCPInfo].
type Ask struct {
	ID     string // of the incident
	Owners []flow.Socket
	TCP    []flow.Socket // largest growth first
}

// Wanted are the sockets of this host whose flows can be seen now, at most 256,
// and those of open incidents: World.Owners should know them. Call it as Frame.
func (m *Monitor) Wanted() []flow.Socket {
	var keys []flow.Key
	for _, l := range m.links {
		rows, _ := l.lookback.Flows(MaxRows)
		for i := range rows {
			keys = append(keys, rows[i].Key)
		}
	}
	list := m.hostSockets(keys)
	list = list[:min(len(list), maxWanted)]
	for _, c := range m.open {
		list = append(list, c.asked...)
	}
	return list
}

// hostSockets keeps the flows that a socket of this host can carry, each once.
func (m *Monitor) hostSockets(keys []flow.Key) (list []flow.Socket) {
	seen := map[flow.Socket]bool{}
	for i := range keys {
		s := flow.SocketOf(&keys[i])
		if keys[i].HasPorts() && m.world.IsOwn(&keys[i]) && !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	return list
}

// askSockets asks about each open incident at once and when its window is over.
func (m *Monitor) askSockets() {
	for _, c := range m.open {
		if c.suppressed || c.asks == 2 || c.asks == 1 && m.now < c.sent.Add(askAgain) {
			continue
		}
		c.asks++
		b := &builder{m: m, c: c, to: m.now, told: c.told(m.now), sums: m.gather(c, m.now)}
		var keys []flow.Key
		for _, d := range flow.Directions {
			for _, r := range b.rank(d) {
				keys = append(keys, r.flow.Key)
			}
		}
		c.asked = m.hostSockets(keys)
		tcp := slices.DeleteFunc(slices.Clone(c.asked), func(s flow.Socket) bool { return s.Proto != flow.ProtoTCP })
		if len(c.asked) > 0 {
			m.out.Asks = append(m.out.Asks, Ask{c.id, c.asked, tcp[:min(len(tcp), maxTCP)]})
		}
	}
}

// TCPInfo takes what the kernel says of an incident's connections at a time. What
// comes after its seal is too late. Call it as [Monitor.Counters].
func (m *Monitor) TCPInfo(id string, at flow.Time, info map[flow.Socket]flow.TCPInfo) {
	for _, c := range m.open {
		if c.id != id || len(info) == 0 {
			continue
		}
		if c.tcp == nil {
			c.tcp = map[flow.Socket]tcpReading{}
		}
		for s, i := range info {
			r, known := c.tcp[s]
			if !known {
				r = tcpReading{first: i}
			}
			r.last = i
			c.tcp[s] = r
		}
	}
}

// tcpReading is a connection's TCP_INFO at the freeze and when it was last read.
type tcpReading struct{ first, last flow.TCPInfo }

// part is the reading as it is written: RTT of the freeze, retransmissions since
// the connection began.
func (r *tcpReading) part() *TCPPart {
	return &TCPPart{RTT: knownMillis(r.first.RTT), MinRTT: knownMillis(r.last.MinRTT), Retransmissions: r.last.Retransmits, DeliveryBps: r.first.DeliveryBps}
}

func knownMillis(d time.Duration) *Millis {
	if d == 0 {
		return nil
	}
	return MillisOf(d)
}

// who fills in whose a row is, by what is known now.
func (b *builder) who(row *FlowRow, f *flow.FlowSum) {
	w := b.m.world
	if g := w.GuestOf(f.MAC, f.Inner); g != nil {
		row.VM, row.VIF = g.Guest, g.Name
		return
	}
	if o, ok := w.OwnerOf(&f.Key); ok && w.IsOwn(&f.Key) {
		row.Process = ownerName(o)
	}
	if r, ok := b.c.tcp[flow.SocketOf(&f.Key)]; ok {
		row.TCP = r.part()
	}
}

// whoseFlow is who has the local end of a flow, as far as it is known.
func whoseFlow(w *flow.World, k *flow.Key, mac, inner [6]byte) (guest, vif, process string) {
	if g := w.GuestOf(mac, inner); g != nil {
		return g.Guest, g.Name, ""
	}
	o, ok := w.OwnerOf(k)
	switch {
	case !ok || !w.IsOwn(k):
		return "", "", ""
	case o.Kernel:
		return "", "", "kernel"
	}
	return "", "", o.Name
}

// ownerName is a process as it is shown: chunkserver[812], or kernel.
func ownerName(o flow.Owner) string {
	switch {
	case o.Kernel:
		return "kernel"
	case o.Name == "":
		return ""
	}
	return o.Name + "[" + strconv.Itoa(o.PID) + "]"
}
