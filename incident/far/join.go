package far

import (
	"net/netip"
	"time"

	"spiketop/flow"
	"spiketop/probe/hops"
)

// Times of the join.
const (
	settle   = 300 * time.Millisecond // after the last sight of an answered echo: taps and the far side lag behind
	giveUp   = 3 * time.Second        // after the first sight of one without answer; it is lost after 2 s
	repeated = time.Second            // the same request at the same point again within this is a copy, later another echo
	coarse   = time.Millisecond       // by which stamps of one host may contradict one another
)

// Bounds of the join.
const (
	maxOwn     = 4096 // echoes held of this host's own pings
	maxKnown   = 8192 // of others that are known to pass both hosts
	maxUnknown = 2048 // of the rest
	maxPairs   = 1024 // pings that are known to pass both hosts
)

// place is a point by what it is, in the order of the way of a request that
// begins at the near host.
type place int

const (
	nearVIF place = iota
	nearNIC
	farNIC
	farVIF
	places
)

// spot is what one place saw.
type spot struct {
	hops.Hop
	request, reply string // names of the points
}

// pair names a ping.
type pair struct {
	src, dst [16]byte
	id       uint16
}

// joining is an echo that is not over.
type joining struct {
	key     hops.Key
	serial  uint64 // it is gone from the queue where the map has another one
	spots   [places]spot
	fromFar int8      // 1: the request comes from the far host's side, -1: from the near one's, 0: not known yet
	first   flow.Time // when its first sight was heard of
	last    flow.Time
	drops   uint64 // of the far side, when it began
	run     uint64 // of the far side in which it began, 0 = none
}

// queued is a place in a queue.
type queued struct {
	key    hops.Key
	serial uint64
}

// Counts say what a Join holds and had to leave out.
type Counts struct {
	Joined      uint64 // echoes reported that both hosts saw
	Implausible uint64 // whose far stamps contradict this host's: the far ones were left out
	Evicted     uint64
}

// Join puts together what two hosts saw of the same echoes. Each host's stamps
// are of its own clock; only differences within one clock are used. It belongs
// to one goroutine. Hand over sights, then call Tick; memory is bounded whatever
// arrives, and whoever floods evicts himself.
type Join struct {
	open    map[hops.Key]*joining
	mine    []queued // by arrival
	known   []queued
	unknown []queued
	pairs   map[pair]struct{}
	order   []pair
	own     map[netip.Addr]bool // addresses of this host
	targets map[netip.Addr]bool
	serial  uint64
	now     flow.Time
	clock   clock
	far     Link
	count   Counts
}

// Link is how it stands with the far side.
type Link struct {
	Run   uint64 // grows with every start of it, 0 = it does not run
	Host  string
	Drops uint64 // echoes that it did not tell in this run
	// Told is this host's time up to which it has told everything it saw: its
	// silence about what came later proves nothing.
	Told flow.Time
}

// NewJoin returns a Join that has seen nothing.
func NewJoin() *Join {
	return &Join{open: map[hops.Key]*joining{}, pairs: map[pair]struct{}{}, own: map[netip.Addr]bool{}, targets: map[netip.Addr]bool{}}
}

// Own says whom this host pings, and by which addresses of its own: these echoes
// are reported also where the far side does not see them, and nobody else's can
// take their room.
func (j *Join) Own(addresses, targets []netip.Addr) {
	clear(j.own)
	clear(j.targets)
	for _, a := range addresses {
		j.own[a.Unmap()] = true
	}
	for _, a := range targets {
		j.targets[a.Unmap()] = true
	}
}

// Far says how it stands with the far side. Another host or run has another clock.
func (j *Join) Far(l Link) {
	if l.Run != j.far.Run {
		j.clock = clock{}
	}
	j.far = l
}

// Counts returns what was done so far.
func (j *Join) Counts() Counts { return j.count }

// Offset returns the far wall clock, in ns, minus this host's Time, estimated,
// with the bound of its error.
func (j *Join) Offset() (ns int64, within time.Duration, ok bool) { return j.clock.offset() }

// Near takes an echo that this host saw at the point called name.
func (j *Join) Near(e *flow.Echo, name string) {
	s := sight{key: hops.KeyOf(e), place: nearNIC, name: name, at: e.At, reply: e.Reply, dir: e.Dir, vlan: e.VLAN, tunnel: e.Tunnel}
	if e.VIF != 0 {
		s.place = nearVIF
	}
	j.take(&s)
}

// FarEcho takes one that the far side saw.
func (j *Join) FarEcho(e *Echo) {
	s := sight{place: farNIC, name: e.Point, at: flow.Time(e.At), reply: e.Reply, vlan: e.VLAN, tunnel: e.Tunnel}
	if e.Dir == flow.Tx.String() {
		s.dir = flow.Tx
	} else {
		s.dir = flow.Rx
	}
	if e.VIF {
		s.place = farVIF
	}
	s.key = hops.Key{Family: flow.FamilyIPv4, Src: e.Src.As16(), Dst: e.Dst.As16(), ID: e.ID, Seq: e.Seq}
	if e.Src.Is6() {
		s.key.Family = flow.FamilyIPv6
	}
	if e.Reply {
		s.key.Src, s.key.Dst = s.key.Dst, s.key.Src
	}
	j.take(&s)
}

// sight is a request or a reply at a place.
type sight struct {
	key    hops.Key
	place  place
	name   string
	at     flow.Time
	reply  bool
	dir    flow.Direction
	vlan   uint16
	tunnel bool
}

// fromFar says from which side the request of the echo came, as this sight shows.
func (s *sight) fromFar() int8 {
	out := s.dir == flow.Tx // leaves by a NIC, or comes from a guest
	away := s.place == nearNIC && out || s.place == nearVIF && out || s.place == farNIC && !out || s.place == farVIF && !out
	if away != s.reply {
		return -1
	}
	return 1
}

func (j *Join) take(s *sight) {
	e := j.open[s.key]
	if e != nil && !s.reply && e.spots[s.place].HasRequest && s.at.Sub(e.spots[s.place].Request).Abs() > repeated {
		if s.place >= farNIC && e.seenBy(nearVIF) {
			return // the far side cannot take away what this host saw
		}
		delete(j.open, s.key) // its numbers are used again
		e = nil
	}
	if e == nil {
		if e = j.begin(s); e == nil {
			return
		}
	}
	e.last = j.now
	if e.fromFar == 0 || s.place == nearNIC || s.place == farNIC && !e.spots[nearNIC].HasRequest {
		e.fromFar = s.fromFar()
	}
	p := &e.spots[s.place]
	switch {
	case s.reply && p.HasReply:
		p.Duplicates = min(p.Duplicates+1, 1<<20)
	case s.reply:
		p.HasReply, p.Reply, p.reply = true, s.at, s.name
	case p.HasRequest: // a copy
	default:
		p.HasRequest, p.Request, p.request = true, s.at, s.name
	}
	p.VLAN, p.Tunnel = s.vlan, s.tunnel
	if e.seenBy(nearVIF) && e.seenBy(farNIC) {
		j.learn(s.key.Src, s.key.Dst, s.key.ID)
	}
}

// seenBy reports whether the host to which first belongs (nearVIF, farNIC) saw it.
func (e *joining) seenBy(first place) bool {
	for i := first; i < first+2; i++ {
		if e.spots[i].HasRequest || e.spots[i].HasReply {
			return true
		}
	}
	return false
}

// begin makes room for a new echo.
func (j *Join) begin(s *sight) *joining {
	j.serial++
	e := &joining{key: s.key, serial: j.serial, first: j.now, last: j.now, drops: j.far.Drops, run: j.far.Run}
	q, most := &j.unknown, maxUnknown
	switch {
	case j.isOwn(&s.key):
		q, most = &j.mine, maxOwn
	case j.passesBoth(&s.key):
		q, most = &j.known, maxKnown
	}
	for len(*q) >= most {
		old := (*q)[0]
		*q = (*q)[1:]
		if o := j.open[old.key]; o != nil && o.serial == old.serial {
			delete(j.open, old.key)
			j.count.Evicted++
		}
	}
	*q = append(*q, queued{s.key, j.serial})
	j.open[s.key] = e
	return e
}

func (j *Join) passesBoth(k *hops.Key) bool {
	_, ok := j.pairs[pair{k.Src, k.Dst, k.ID}]
	return ok
}

func (j *Join) isOwn(k *hops.Key) bool {
	return j.targets[addrOf(k.Family, k.Dst)] && j.own[addrOf(k.Family, k.Src)]
}

// learn notes that a ping passes both hosts.
func (j *Join) learn(src, dst [16]byte, id uint16) {
	p := pair{src, dst, id}
	if _, ok := j.pairs[p]; ok {
		return
	}
	if len(j.order) == maxPairs {
		delete(j.pairs, j.order[0])
		j.order = j.order[1:]
	}
	j.pairs[p] = struct{}{}
	j.order = append(j.order, p)
}

// Tick returns the echoes that are over. What only one host saw is reported only
// where it is this host's own or its ping is known to pass both. offset writes
// this host's times as wall time.
func (j *Join) Tick(now flow.Time, offset flow.WallOffset) []Joined {
	j.now = max(j.now, now)
	var out []Joined
	for _, q := range []*[]queued{&j.mine, &j.known, &j.unknown} {
		kept := (*q)[:0]
		for _, at := range *q {
			e := j.open[at.key]
			switch {
			case e == nil || e.serial != at.serial:
			case !j.over(e):
				kept = append(kept, at)
			default:
				delete(j.open, at.key)
				if r, ok := j.finish(e, offset); ok {
					out = append(out, r)
				}
			}
		}
		*q = kept
	}
	return out
}

// over reports whether nothing more is to be waited for.
func (j *Join) over(e *joining) bool {
	if j.now.Sub(e.first) >= giveUp {
		return true
	}
	end := nearNIC
	if !e.spots[nearNIC].HasRequest {
		end = nearVIF
	}
	_, near := e.spots[end].RTT()
	_, far := e.spots[farNIC].RTT()
	return near && (far || j.far.Run == 0) && j.now.Sub(e.last) >= settle
}
