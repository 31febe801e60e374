package stats

// Options bound a Collector. The zero value is good.
type Options struct {
	MaxFlows  int    // 0 = 256 Ki, some 300 bytes each and three times that in the report; further ones are counted together
	MaxEchoes int    // 0 = 256 Ki requests; further ones are counted together
	Seed      uint64 // of the hash of flows; a random one keeps a made file from making it slow. The report does not depend on it
}

const (
	defaultFlows  = 1 << 18
	defaultEchoes = 1 << 18
)

// Collector makes the statistics of one file.
type Collector struct {
	total  Totals
	flows  *table
	frags  fragments
	echoes echoes
	tcp    [][]conversation // in chunks
	tcpN   int

	series map[int32]*series
	last   *series // the one of the packet before
	only   *series // the first one
	gens   uint32
	other  Counts
	quoted map[servicePlace]uint64 // ICMP errors by what they quote
}

// Totals count the whole file.
type Totals struct {
	Packets, Bytes uint64 // on the wire
	Frames         uint64 // in the file: a super-frame is one
	NotIP          uint64 // packets without a sound IP header
	Opaque         uint64 // packets whose link type is not read, see AddOpaque
	Malformed      uint64
	Fragments      uint64 // later fragments whose first one was not seen: they have no ports
	Unplaced       uint64 // packets of interfaces beyond those whose peaks are looked for
	First, Last    int64  // ns since the epoch; 0 = no packet has a time
}

// New returns a Collector.
func New(o Options) *Collector {
	if o.MaxFlows <= 0 {
		o.MaxFlows = defaultFlows
	}
	if o.MaxEchoes <= 0 {
		o.MaxEchoes = defaultEchoes
	}
	return &Collector{flows: newTable(min(o.MaxFlows, 1<<30), o.Seed), echoes: echoes{max: o.MaxEchoes}, series: make(map[int32]*series), quoted: make(map[servicePlace]uint64)}
}

// Add Counts a packet. It may change p's ports, but keeps nothing of it.
func (c *Collector) Add(p *Packet) {
	c.sum(p)
	t := &c.total
	if p.Malformed {
		t.Malformed += uint64(p.Packets)
	}
	if !p.IP {
		t.NotIP += uint64(p.Packets)
		c.place(p, nil, 0)
		return
	}
	if p.Fragment != Whole && !c.frags.complete(p) {
		t.Fragments += uint64(p.Packets)
	}
	e, i := c.count(p)
	if p.QuotedProto != 0 && p.V4 && e != nil {
		c.quote(p)
	}
	if p.Echo != NoEcho {
		c.echoes.add(p)
	}
	c.place(p, e, i)
}

// AddOpaque counts a packet of which nothing but its size is known: only At,
// Bytes, Packets and Interface are used.
func (c *Collector) AddOpaque(p *Packet) {
	c.sum(p)
	c.total.Opaque += uint64(p.Packets)
	c.place(p, nil, 0)
}

func (c *Collector) sum(p *Packet) {
	t := &c.total
	t.Frames++
	t.Packets += uint64(p.Packets)
	t.Bytes += p.Bytes
	if p.At == 0 {
		return
	}
	if t.First == 0 || p.At < t.First {
		t.First = p.At
	}
	if t.Last == 0 || p.At > t.Last {
		t.Last = p.At
	}
}

// count adds p to its flow; nil if there is no room for it.
func (c *Collector) count(p *Packet) (*entry, uint32) {
	k, fromHigh := flowOf(p)
	i, ok := c.flows.find(&k, fromHigh)
	if !ok {
		c.other.Packets += uint64(p.Packets)
		c.other.Bytes += p.Bytes
		return nil, 0
	}
	e, from := c.flows.at(i), 0
	if fromHigh {
		from = 1
	}
	e.n[from].Packets += uint64(p.Packets)
	e.n[from].Bytes += p.Bytes
	if p.TCP || p.Proto == ProtoTCP && p.Fragment != Whole {
		if e.tcp == 0 {
			e.tcp = c.addTCP()
		}
		c.conversation(e.tcp).add(p, from)
	}
	return e, i
}

// maxQuoted bounds the places that ICMP errors are counted under; further errors
// stay with their own protocol, which has no ports.
const maxQuoted = 1 << 16

func (c *Collector) quote(p *Packet) {
	k := servicePlace{p.Dst, p.QuotedProto, p.QuotedPort}
	if _, known := c.quoted[k]; known || len(c.quoted) < maxQuoted {
		c.quoted[k] += uint64(p.Packets)
	}
}

func (c *Collector) addTCP() uint32 {
	if c.tcpN>>chunkBits == len(c.tcp) {
		c.tcp = append(c.tcp, make([]conversation, chunkLen))
	}
	c.tcpN++
	n := uint32(c.tcpN)
	*c.conversation(n) = conversation{connections: 1, handshake: -1}
	return n
}

// conversation returns the one of an entry's number.
func (c *Collector) conversation(n uint32) *conversation {
	n--
	return &c.tcp[n>>chunkBits][n&(chunkLen-1)]
}

// maxTime is the year 2116: times beyond are taken for damage, and get no place
// in the series.
const maxTime = 1 << 62

// place puts p into the series of its interface.
func (c *Collector) place(p *Packet, e *entry, i uint32) {
	if p.At <= 0 || p.At > maxTime {
		return
	}
	s := c.last
	if s == nil || s.iface != p.Interface {
		s = c.series[p.Interface]
		if s == nil {
			if len(c.series) >= maxSeries {
				c.total.Unplaced += uint64(p.Packets)
				return
			}
			s = &series{iface: p.Interface, mixed: true}
			if len(c.series) == 0 {
				s.mixed, c.only = false, s
			} else {
				c.only.mixed = true
			}
			if f := c.total.First; f > 0 && f < p.At { // this interface was silent so far
				s.burst.gap((p.At - f) / binLen)
			}
			c.series[p.Interface] = s
		}
		c.last = s
	}
	s.add(p.At, p.Bytes, e, i, &c.gens)
}
