package stats

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// Counts of one direction.
type Counts struct{ Packets, Bytes uint64 }

// Flow is a 5-tuple; A sent its first packet of the file.
type Flow struct {
	Proto  uint8
	A, B   netip.AddrPort // port 0 where the protocol has none
	AB, BA Counts
}

// Echo is a ping: what answered it, and when (ns since the epoch).
type Echo struct {
	Src, Dst       netip.Addr // of the request
	ID, Seq        uint16
	Request, Reply int64
	Answered       bool
	Duplicates     uint32 // further replies
}

// Address is a line of Wireshark's IPv4 statistics "Source and Destination
// Addresses".
type Address struct {
	Topic   string // SourceTopic or DestinationTopic
	Item    netip.Addr
	Count   uint64
	Percent float64 // of all IPv4 packets
}

// Topics of addresses.
const (
	SourceTopic      = "Source IPv4 Addresses"
	DestinationTopic = "Destination IPv4 Addresses"
)

// Service is a line of Wireshark's IPv4 statistics "Destinations and Ports".
type Service struct {
	Address netip.Addr
	Proto   string // "TCP", "UDP", "SCTP", "DCCP", else "NONE"
	Port    uint16 // 0 for NONE
	Count   uint64
	Percent float64 // of the packets to this address and protocol
}

// Conversation is what TCP did between two ends. A sent the SYN, where it was
// seen.
type Conversation struct {
	A, B        netip.AddrPort
	State       string
	Handshake   int64 // ns from the SYN to the segment that ends the handshake; -1 = not seen
	Connections uint32
	Packets     uint64

	Retransmissions, Fast, Spurious, OutOfOrder uint32 // Fast and Spurious are among Retransmissions
	DuplicateAcks, ZeroWindows                  uint32
	LostSegments                                uint32 // places where something is acknowledged that the file has not
}

// Trouble is how much went wrong.
func (c *Conversation) Trouble() uint64 {
	return uint64(c.Retransmissions) + uint64(c.DuplicateAcks) + uint64(c.ZeroWindows)
}

// Peak is a bin in which an interface carried much.
type Peak struct {
	Interface int
	BinMS     int // 10 or 100; bins begin at its multiples
	At        int64
	Bytes     uint64
}

// BPS returns the rate in bit/s.
func (p *Peak) BPS() float64 { return float64(p.Bytes) * 8 * 1000 / float64(p.BinMS) }

// Burst is a time in which an interface carried several times the usual.
type Burst struct {
	Interface int
	From, To  int64 // ns since the epoch, half open
	Bytes     uint64
	Peak      uint64 // bytes of the largest 10 ms
	Usual     uint64 // bytes of usual 10 ms before: the median of up to 3 s
	Flows     []Share
}

// Share is what a flow had of a burst, both directions.
type Share struct {
	Flow  *Flow
	Bytes uint64
}

// Report is the result. Its lists are ordered: flows and conversations by size,
// echoes by time, peaks by interface, bursts by time.
type Report struct {
	Totals
	Flows       []Flow
	Other       Counts // of flows beyond Options.MaxFlows
	Echoes      []Echo
	Orphans     []Echo // replies without a request
	Orphaned    uint64 // how many of them, those included that are not in the list
	OtherEchoes uint64 // requests beyond Options.MaxEchoes
	Duplicates  uint64
	Addresses   []Address
	Services    []Service
	TCP         []Conversation
	Peaks       []Peak
	Bursts      []Burst
}

// Report ends the collecting: no Add may follow.
func (c *Collector) Report() *Report {
	r := &Report{Totals: c.total, Other: c.other, Orphaned: c.echoes.orphaned, OtherEchoes: c.echoes.other, Duplicates: c.echoes.repeated}
	place := c.reportFlows(r)
	c.reportTrees(r)
	r.Echoes, r.Orphans = publish(c.echoes.list), publish(c.echoes.orphans)
	for _, n := range slices.Sorted(maps.Keys(c.series)) {
		s := c.series[n]
		s.flush()
		r.Peaks = append(append(r.Peaks, s.widePeaks.publish(n, 100)...), s.narrowPeaks.publish(n, 10)...)
		for i := range s.burst.found {
			r.Bursts = append(r.Bursts, s.burst.found[i].publish(n, r, place))
		}
	}
	slices.SortStableFunc(r.Bursts, func(a, b Burst) int { return cmp.Compare(a.From, b.From) })
	return r
}

func (e *entry) flow() Flow {
	f := Flow{e.proto, netip.AddrPortFrom(e.low.netip(e.v4), e.lowPort), netip.AddrPortFrom(e.high.netip(e.v4), e.highPort), e.n[0], e.n[1]}
	if e.fromHigh {
		f.A, f.B, f.AB, f.BA = f.B, f.A, f.BA, f.AB
	}
	return f
}

// reportFlows fills in flows and conversations, and returns where each flow's
// number stands in the list.
func (c *Collector) reportFlows(r *Report) (place []uint32) {
	order := make([]uint32, c.flows.n)
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		x, y := c.flows.at(a), c.flows.at(b)
		return cmp.Or(cmp.Compare(y.n[0].Bytes+y.n[1].Bytes, x.n[0].Bytes+x.n[1].Bytes), x.key.compare(&y.key))
	})
	place = make([]uint32, len(order))
	r.Flows = make([]Flow, len(order))
	for i, n := range order {
		e := c.flows.at(n)
		place[n] = uint32(i)
		r.Flows[i] = e.flow()
		if e.tcp != 0 {
			r.TCP = append(r.TCP, c.conversation(e.tcp).publish(e))
		}
	}
	return place
}

func (k *key) compare(o *key) int {
	return cmp.Or(k.low.compare(o.low), k.high.compare(o.high), cmp.Compare(k.lowPort, o.lowPort), cmp.Compare(k.highPort, o.highPort),
		cmp.Compare(k.proto, o.proto))
}

func (c *conversation) publish(e *entry) Conversation {
	f := e.flow()
	o := Conversation{A: f.A, B: f.B, State: c.state(), Handshake: c.handshake, Connections: c.connections, Packets: f.AB.Packets + f.BA.Packets,
		Retransmissions: c.retransmissions, Fast: c.fast, Spurious: c.spurious, OutOfOrder: c.outOfOrder,
		DuplicateAcks: c.duplicateAcks, ZeroWindows: c.zeroWindows, LostSegments: c.lost}
	if fromHigh := c.client == 1; c.syn && fromHigh != e.fromHigh {
		o.A, o.B = o.B, o.A
	}
	return o
}

func publish(list []echo) []Echo {
	out := make([]Echo, len(list))
	for i := range list {
		e := &list[i]
		out[i] = Echo{e.src.netip(e.v4), e.dst.netip(e.v4), e.id, e.seq, e.request, e.reply, e.answered, e.duplicates}
	}
	slices.SortStableFunc(out, func(a, b Echo) int { return cmp.Or(cmp.Compare(a.Request, b.Request), cmp.Compare(a.Reply, b.Reply)) })
	return out
}

func (p *peaks) publish(iface int32, ms int) (out []Peak) {
	for _, x := range p.list[:p.n] {
		out = append(out, Peak{int(iface), ms, x.at, x.bytes})
	}
	return out
}

func (b *burst) publish(iface int32, r *Report, place []uint32) Burst {
	o := Burst{Interface: int(iface), From: b.from, To: b.to, Bytes: b.bytes, Peak: b.peak, Usual: b.usual}
	for _, s := range b.who {
		o.Flows = append(o.Flows, Share{&r.Flows[place[s.flow]], s.bytes})
	}
	return o
}
