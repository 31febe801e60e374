package hops

import (
	"slices"
	"time"

	"spiketop/flow"
)

const (
	// MaxSights is how many requests and replies an Offline keeps, all points
	// together: 24 bytes each, and 48 for each different Key.
	MaxSights = 4 << 20
	// MaxPoints is how many points an Offline has at most.
	MaxPoints = 64
)

// Offline matches what captures of several points hold. It belongs to one
// goroutine: Add and Cover in the order of each file, then Match once.
type Offline struct {
	ids    map[Key]uint32
	keys   []Key
	points []pointSights
	limit  int // of one point
}

// pointSights is what one point saw, in the order of its file.
type pointSights struct {
	sights   []sight
	refused  int
	seen     bool // any packet
	cut      bool
	from, to flow.Time
}

// sight is a [Sight] in a list of its point.
type sight struct {
	at     flow.Time
	key    uint32
	vlan   uint16
	reply  bool
	tunnel bool
}

// NewOffline returns a matcher for points in the order of the request's way,
// between 1 and [MaxPoints].
func NewOffline(points int) *Offline {
	points = min(max(points, 1), MaxPoints)
	return &Offline{ids: map[Key]uint32{}, points: make([]pointSights, points), limit: MaxSights / points}
}

// latest is the latest time that is believed, 2116: differences of differences
// then fit an int64.
const latest = flow.Time(1) << 62

func believable(t flow.Time) flow.Time { return min(max(t, 0), latest) }

// Add takes one sight. False: its point has its share of [MaxSights], and this
// one and all later ones of the point are not used.
func (o *Offline) Add(s *Sight) bool {
	p := &o.points[s.Point]
	if len(p.sights) >= o.limit {
		p.refused++
		return false
	}
	id, ok := o.ids[s.Key]
	if !ok {
		id = uint32(len(o.keys))
		o.ids[s.Key] = id
		o.keys = append(o.keys, s.Key)
	}
	p.sights = append(p.sights, sight{at: believable(s.At), key: id, vlan: s.VLAN, reply: s.Reply, tunnel: s.Tunnel})
	o.Cover(s.Point, s.At)
	return true
}

// Cover says that a point was capturing at a time: every packet is a witness of
// it, whatever it carries.
func (o *Offline) Cover(point int, at flow.Time) {
	p := &o.points[point]
	if p.refused > 0 {
		return
	}
	at = believable(at)
	if !p.seen {
		p.seen, p.from = true, at
	}
	p.to = at
}

// Cut says that a point's file cannot be read beyond its last packet: what it
// does not show after it says nothing.
func (o *Offline) Cut(point int) { o.points[point].cut = true }

// Refused returns how many sights of a point were not taken.
func (o *Offline) Refused(point int) int { return o.points[point].refused }

// Matched is the result of [Offline.Match]. Echoes are in order of time, and must
// stay so: who wants them otherwise sorts a clone.
type Matched struct {
	Echoes []Echo
	Points []PointFacts

	clocks map[[2]int]*PairClock
}

// PointFacts is what became of one point's sights.
type PointFacts struct {
	Requests, Replies int
	Doubled           int // requests seen once more without having been sent once more: copies, and an echo that crosses twice
	Tunnelled         int
	Refused           int  // beyond MaxSights, not used
	Linked            bool // shares echoes with the others, so that its clock is known
}

// occurrence is an echo at one point.
type occurrence struct {
	Hop
	key uint32
	ref flow.Time // on the common time line: of the request, else of the reply
}

// line is a point while it is being matched.
type line struct {
	occ    []occurrence
	start  []uint32 // occurrences of key k: items[start[k]:start[k+1]]
	items  []uint32 // indexes in occ, in order
	from   flow.Time
	to     flow.Time // both on the common time line
	linked bool
	cut    bool // nothing is known after to
	seen   bool // any packet
}

// of returns the indexes of the occurrences with one key.
func (l *line) of(key int) []uint32 { return l.items[l.start[key]:l.start[key+1]] }

// Match matches everything that was added. Within a point a reply answers the
// latest earlier request of its Key, further ones are duplicates; an echo that
// crosses a point more than once is one.
func (o *Offline) Match() *Matched {
	m := &Matched{Points: make([]PointFacts, len(o.points)), clocks: map[[2]int]*PairClock{}}
	lines := make([]line, len(o.points))
	for i := range o.points {
		lines[i] = o.pair(i, &m.Points[i])
	}
	o.align(lines)
	for i := range lines {
		m.Points[i].Linked = lines[i].linked
	}
	list := o.join(lines, m.Points)
	o.witness(list, lines)
	m.Echoes = make([]Echo, len(list))
	for i := range list {
		list[i].Order = i
		m.Echoes[i] = list[i].Echo
	}
	return m
}

// pair makes the occurrences of one point.
func (o *Offline) pair(point int, facts *PointFacts) line {
	p := &o.points[point]
	inOrder(p.sights)
	facts.Refused = p.refused
	l := line{from: p.from, to: p.to, seen: p.seen, cut: p.cut || p.refused > 0}
	last := make([]int32, len(o.keys)) // 1 + index of the key's latest occurrence
	crossed := passes{}
	for i := range p.sights {
		s := &p.sights[i]
		if s.tunnel {
			facts.Tunnelled++
		}
		if !s.reply {
			facts.Requests++
			if n := last[s.key]; n > 0 && crossed.again(n-1, &l.occ[n-1], s) {
				facts.Doubled++
				continue
			}
			l.occ = append(l.occ, occurrence{key: s.key, Hop: Hop{Request: s.at, HasRequest: true, VLAN: s.vlan, Tunnel: s.tunnel}})
			last[s.key] = int32(len(l.occ))
			continue
		}
		facts.Replies++
		if n := last[s.key]; n > 0 && l.occ[n-1].HasRequest {
			crossed.reply(n-1, &l.occ[n-1], s)
			continue
		}
		l.occ = append(l.occ, occurrence{key: s.key, Hop: Hop{Reply: s.at, HasReply: true, VLAN: s.vlan, Tunnel: s.tunnel}})
		last[s.key] = int32(len(l.occ))
	}
	l.index(len(o.keys))
	p.sights = nil
	return l
}

// answer adds a reply.
func (h *Hop) answer(at flow.Time) {
	if h.HasReply {
		h.Duplicates++
		return
	}
	h.Reply, h.HasReply = at, true
}

// index finds the occurrences of each key.
func (l *line) index(keys int) {
	l.start = make([]uint32, keys+1)
	for i := range l.occ {
		l.start[l.occ[i].key+1]++
	}
	for k := range keys {
		l.start[k+1] += l.start[k]
	}
	l.items = make([]uint32, len(l.occ))
	next := slices.Clone(l.start)
	for i := range l.occ {
		k := l.occ[i].key
		l.items[next[k]] = uint32(i)
		next[k]++
	}
}

// disorder is by how much packets of a file may stand in the wrong order. What
// goes back further is a clock that was set back.
const disorder = time.Second

// inOrder sorts what stands slightly out of order, as files of several CPUs do,
// and leaves the order across a clock that was set back.
func inOrder(list []sight) {
	byTime := func(a, b sight) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	}
	begin := 0
	var top flow.Time
	for i := range list {
		if i > begin && list[i].at < top.Add(-disorder) {
			slices.SortStableFunc(list[begin:i], byTime)
			begin, top = i, list[i].at
		}
		top = max(top, list[i].at)
	}
	slices.SortStableFunc(list[begin:], byTime)
}

// at is the time by which an occurrence stands on its point's own clock.
func (o *occurrence) at() flow.Time {
	if o.HasRequest {
		return o.Request
	}
	return o.Reply
}
