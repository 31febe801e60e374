package probe

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"spiketop/flow"
)

// SeriesKey names the echoes of one ping as they are seen: Src sends the requests.
type SeriesKey struct {
	Family   flow.Family
	Src, Dst [16]byte
	ID       uint16
}

// SeriesOf returns the ping to which an echo belongs.
func SeriesOf(e *flow.Echo) SeriesKey {
	if e.Reply {
		return SeriesKey{e.Family, e.Dst, e.Src, e.ID}
	}
	return SeriesKey{e.Family, e.Src, e.Dst, e.ID}
}

// HeardConfig sets up a [Heard]. Zero values mean the defaults.
type HeardConfig struct {
	LossAfter time.Duration // how long an answer is waited for; 2 s
	Interval  time.Duration // as in SetConfig; 100 ms
	Window    time.Duration // how far back Stats look; 60 s
	Most      int           // series that are followed at a time; 8
	// First are the series to follow, the most important first; they count from
	// their first echo on. Only says that no others are.
	First []SeriesKey
	Only  bool
	// Local reports whether an address is this host's; nil = every source of an
	// echo that leaves is.
	Local func([16]byte) bool
}

// Bounds of a Heard.
const (
	heardAfter      = 3                // echoes after which a series is followed that First does not name
	heardCandidates = 1024             // series that are counted until then
	heardFlights    = 4096             // echoes of a series without a final state
	heardIdle       = 30 * time.Second // a series silent for longer makes room
	heardSkew       = 2 * time.Millisecond
	heardUnseen     = 32 // echoes in a row that may be missing by their numbers
)

// Heard says what became of echoes that it only saw pass: those of a capture
// file, whose sender told nobody. It is to a file what [Set] is to pingers, with
// the same samples: the stamps measure from NIC out to NIC in; where the payload
// has pro-bing's stamp of the same clock, from there.
//
// A ping is known by its addresses and its ICMP id. A new id between addresses
// where an older one has fallen silent is the same ping; one beside it is another
// one of the same host, as by the other member of a bond.
//
// A request whose number is missing between two others, in a series that keeps its
// beat, was sent and did not leave (or its packet was not captured): it counts from
// the time when it was due.
//
// It belongs to one goroutine, starts none and reads no clock. In every round:
// Echo in the order of their stamps, Lost, Drained, then Tick. Memory is bounded
// whatever is seen.
type Heard struct {
	cfg        HeardConfig
	first      map[SeriesKey]bool
	lanes      []*heardLane
	byKey      map[SeriesKey]*heardLane
	candidates map[SeriesKey]int
	upTo       flow.Time
	gaps       []gap
	ids        TargetID
	changed    bool
	left       uint64 // echoes of series for which there was no room
	now        flow.Time
	out        []Sample
}

// heardLane is one ping.
type heardLane struct {
	Target
	key     SeriesKey
	flights []heardFlight // oldest first
	n       int64
	id      uint16        // of the newest request
	seq     uint16        // of the newest request
	last    flow.Time     // newest request
	gap     time.Duration // between two requests, smoothed
	skew    time.Duration // smallest time from a payload's stamp to the NIC so far
	stamps  int           // requests with a stamp so far
	window  window
	stats   Stats
}

// heardFlight is an echo whose fate is not known.
type heardFlight struct {
	n      int64
	id     uint16
	seq    uint16
	sent   flow.Time
	out    flow.Time // at the NIC
	queue  time.Duration
	member flow.LinkID
	age    time.Duration
	unseen bool // its request is not in the file: its number is missing
}

// NewHeard returns a Heard that has seen nothing.
func NewHeard(cfg HeardConfig) *Heard {
	cfg.LossAfter = cmp.Or(max(cfg.LossAfter, 0), 2*time.Second)
	cfg.Interval = cmp.Or(max(cfg.Interval, 0), 100*time.Millisecond)
	cfg.Window = cmp.Or(max(cfg.Window, 0), time.Minute)
	cfg.Most = cmp.Or(max(cfg.Most, 0), 8)
	h := &Heard{cfg: cfg, first: map[SeriesKey]bool{}, byKey: map[SeriesKey]*heardLane{}, candidates: map[SeriesKey]int{}, upTo: undrained}
	for _, k := range cfg.First {
		h.first[k] = true
	}
	return h
}

// Echo takes an echo that passed a captured link.
func (h *Heard) Echo(e *flow.Echo) {
	if e.Reply != (e.Dir == flow.Rx) || e.Tunnel || e.Link == 0 {
		return
	}
	key := SeriesOf(e)
	if h.cfg.Local != nil && !h.cfg.Local(key.Src) {
		return
	}
	l := h.byKey[key]
	if l == nil {
		if e.Reply {
			return
		}
		if l = h.admit(key, e); l == nil {
			return
		}
	}
	if e.Reply {
		h.reply(l, e)
	} else {
		h.request(l, e)
	}
}

// admit follows a series from now on, or returns nil.
func (h *Heard) admit(key SeriesKey, e *flow.Echo) *heardLane {
	if !h.first[key] {
		if h.cfg.Only {
			return nil
		}
		if len(h.candidates) >= heardCandidates {
			clear(h.candidates)
		}
		if h.candidates[key]++; h.candidates[key] < heardAfter {
			return nil
		}
	}
	if l := h.successor(key, e.At); l != nil {
		delete(h.byKey, l.key)
		delete(h.candidates, key)
		l.key, l.stamps = key, 0
		h.byKey[key] = l
		return l
	}
	if len(h.lanes) >= h.cfg.Most && !h.makeRoom(e.At) {
		h.left++
		return nil
	}
	delete(h.candidates, key)
	h.ids++
	addr := netip.AddrFrom16(key.Dst).Unmap()
	l := &heardLane{key: key, Target: Target{ID: h.ids, Name: addr.String(), Addr: addr, Captured: true,
		Reason: "echoes in the file, from " + netip.AddrFrom16(key.Src).Unmap().String()},
		window: newWindow(h.cfg.Window, 1<<12), stats: Stats{Target: h.ids}}
	h.lanes = append(h.lanes, l)
	h.byKey[key] = l
	h.changed = true
	h.group(l, e.Link)
	return l
}

// successor returns the ping between the same addresses that has fallen silent.
func (h *Heard) successor(key SeriesKey, at flow.Time) *heardLane {
	for _, l := range h.lanes {
		if l.key.Src == key.Src && l.key.Dst == key.Dst && l.key.Family == key.Family && at.Sub(l.last) > max(l.gap, h.cfg.Interval)*5/2 {
			return l
		}
	}
	return nil
}

// makeRoom drops the ping that has been silent for longest, if that is long.
func (h *Heard) makeRoom(at flow.Time) bool {
	oldest, i := at.Add(-heardIdle), -1
	for k, l := range h.lanes {
		if l.last < oldest {
			oldest, i = l.last, k
		}
	}
	if i < 0 {
		return false
	}
	delete(h.byKey, h.lanes[i].key)
	h.lanes = slices.Delete(h.lanes, i, i+1)
	h.changed = true
	return true
}

// group joins the pings of one host, which go by different members.
func (h *Heard) group(l *heardLane, by flow.LinkID) {
	l.Member = by
	alone := true
	for _, o := range h.lanes {
		if o == l || o.key.Src != l.key.Src || o.key.Dst != l.key.Dst {
			continue
		}
		alone = false
		if o.Group == 0 {
			o.Group = o.ID
		}
		l.Group = o.Group
	}
	if alone {
		l.Member = 0
		return
	}
	for _, o := range h.lanes {
		if o.Group == l.Group && o.Member == 0 {
			o.Member = o.stats.Member
		}
	}
}

func (h *Heard) request(l *heardLane, e *flow.Echo) {
	for i := len(l.flights) - 1; i >= 0; i-- {
		if f := &l.flights[i]; f.id == e.ID && f.seq == e.Seq {
			return // a second sight of the same
		}
	}
	if l.n > 0 && e.Seq == l.seq && e.ID == l.key.ID && e.At.Sub(l.last) < h.cfg.Interval/2 {
		return // the same, after its answer
	}
	if len(l.flights) >= heardFlights {
		h.finish(l, &l.flights[0], Sample{State: Uncertain})
		l.flights = l.flights[1:]
	}
	h.missing(l, e)
	if l.n > 0 {
		if d := e.At.Sub(l.last); l.gap == 0 {
			l.gap = d
		} else {
			l.gap += (d - l.gap) / 8
		}
	}
	l.n++
	l.seq, l.id, l.last = e.Seq, e.ID, max(l.last, e.At)
	f := heardFlight{n: l.n, id: e.ID, seq: e.Seq, sent: e.At, out: e.At, queue: None, member: e.Link}
	if at, ok := l.stamp(e, h.cfg.LossAfter); ok {
		f.queue = max(e.At.Sub(at), 0)
		f.sent = e.At.Add(-f.queue)
	}
	l.stats.Sent, l.stats.Member = l.n, e.Link
	l.flights = append(l.flights, f)
	h.report(l, &l.flights[len(l.flights)-1], Sample{})
}

// missing adds the echoes whose numbers are left out before e.
func (h *Heard) missing(l *heardLane, e *flow.Echo) {
	n := int(e.Seq - l.seq)
	if l.n < heardAfter || e.ID != l.id || n < 2 || n > heardUnseen || len(l.flights)+n > heardFlights {
		return
	}
	d := e.At.Sub(l.last)
	if beat := l.gap * time.Duration(n); d < beat*3/4 || d > beat*5/4 {
		return
	}
	from := l.last
	for i := 1; i < n; i++ {
		sent := from.Add(d * time.Duration(i) / time.Duration(n))
		l.n++
		l.stats.Sent = l.n
		l.flights = append(l.flights, heardFlight{n: l.n, id: e.ID, seq: l.seq + uint16(i), sent: sent, out: sent, queue: None, unseen: true})
		h.report(l, &l.flights[len(l.flights)-1], Sample{})
	}
	l.last, l.seq = from.Add(d*time.Duration(n-1)/time.Duration(n)), e.Seq-1
}

// stamp is the time that pro-bing wrote into the payload, if it did and its clock
// is that of the capture: a stamp that never came near the NIC's is another
// host's, or a guest's.
func (l *heardLane) stamp(e *flow.Echo, most time.Duration) (flow.Time, bool) {
	if e.PayloadN < 24 || e.Payload[8+6]>>4 != 4 || e.Payload[8+8]>>6 != 2 { // a UUID of version 4
		return 0, false
	}
	at := stamp(e)
	d := e.At.Sub(at)
	if d < -tolerance || d > most {
		return 0, false
	}
	if l.stamps++; l.stamps == 1 || d < l.skew {
		l.skew = d
	}
	return at, l.skew <= heardSkew
}

func (h *Heard) reply(l *heardLane, e *flow.Echo) {
	for i := range l.flights {
		f := &l.flights[i]
		if f.id != e.ID || f.seq != e.Seq || e.At < f.out.Add(-tolerance) {
			continue
		}
		m := Sample{State: Answered, Source: ByKernel, Own: None, Wakeup: None, Queue: f.queue, Wire: max(e.At.Sub(f.out), 0), ReplyMember: e.Link}
		m.RTT = m.Wire + max(f.queue, 0)
		if f.unseen {
			m = h.unseen(l, e)
		}
		if m.RTT > h.cfg.LossAfter {
			l.stats.Late++
			m = Sample{State: Lost, ReplyMember: e.Link}
		}
		h.finish(l, f, m)
		l.flights = slices.Delete(l.flights, i, i+1)
		return
	}
	if d := l.seq - e.Seq; l.n > 0 && e.ID == l.key.ID && d < 1<<15 {
		l.stats.Twice++ // or after it was lost
	}
}

// unseen measures an answer whose request is not in the file by the stamp that it
// brings back.
func (h *Heard) unseen(l *heardLane, e *flow.Echo) Sample {
	if e.PayloadN < 24 || l.stamps == 0 || l.skew > heardSkew {
		return Sample{State: Uncertain, ReplyMember: e.Link}
	}
	d := e.At.Sub(stamp(e))
	if d < 0 || d > h.cfg.LossAfter {
		return Sample{State: Uncertain, ReplyMember: e.Link}
	}
	return Sample{State: Answered, Source: ByKernel, RTT: d, Queue: None, Wire: None, Wakeup: None, Own: None, ReplyMember: e.Link}
}

// Lost says that packets between from and to are missing in the file.
func (h *Heard) Lost(from, to flow.Time) {
	h.gaps = remember(h.gaps, gap{min(from, to), max(from, to)})
}

// Drained says that every link has been read up to upTo.
func (h *Heard) Drained(upTo flow.Time) { h.upTo = max(h.upTo, upTo) }

// Tick judges what is outstanding at now and returns what changed since the last
// Tick, in order; the slice belongs to the caller.
func (h *Heard) Tick(now flow.Time) []Sample {
	h.now = max(h.now, now)
	for _, l := range h.lanes {
		kept := l.flights[:0]
		for i := range l.flights {
			f := l.flights[i]
			if !h.judge(l, &f) {
				kept = append(kept, f)
			}
		}
		l.flights = kept
	}
	h.gaps = forget(h.gaps, h.upTo.Add(-2*h.cfg.LossAfter))
	out := h.out
	h.out = nil
	return out
}

// judge reports an outstanding echo and says whether its fate is known.
func (h *Heard) judge(l *heardLane, f *heardFlight) (final bool) {
	deadline := f.sent.Add(h.cfg.LossAfter)
	upTo, hole := h.upTo, false
	for _, g := range h.gaps {
		if g.overlaps(f.sent, min(h.upTo, deadline)) {
			upTo, hole = min(upTo, g.from), true
		}
	}
	if h.upTo >= deadline {
		m := Sample{State: Lost}
		if hole {
			m.State = Uncertain
		}
		h.finish(l, f, m)
		return true
	}
	if l.gap > 0 {
		// A sender that is late with its next echo is stopped, and so may be whoever
		// would take the answer: until it goes on, waiting proves nothing.
		upTo = min(upTo, l.last.Add(l.gap*3/2))
	}
	if a := upTo.Sub(f.sent); a > h.cfg.Interval && a > f.age {
		f.age = a
		h.report(l, f, Sample{Age: a})
	}
	return false
}

func (h *Heard) report(l *heardLane, f *heardFlight, m Sample) {
	m.Target, m.N, m.ID, m.Seq, m.Sent, m.Member = l.ID, f.n, f.id, f.seq, f.sent, f.member
	if m.State != Answered {
		m.RTT, m.Wire, m.Wakeup, m.Queue, m.Own = None, None, None, f.queue, None
	}
	h.out = append(h.out, m)
}

func (h *Heard) finish(l *heardLane, f *heardFlight, m Sample) {
	h.report(l, f, m)
	switch m.State {
	case Answered:
		l.window.answered(h.now, m.RTT)
	case Lost:
		l.stats.Lost++
		l.window.miss(h.now)
	case Uncertain:
		l.stats.Unknown++
	}
}

// Changed reports once that Targets has changed.
func (h *Heard) Changed() bool {
	c := h.changed
	h.changed = false
	return c
}

// Targets returns the pings that are followed, those of one host together. The
// slice belongs to the caller.
func (h *Heard) Targets() []Target {
	var out []Target
	for _, l := range h.ordered() {
		out = append(out, l.Target)
	}
	return out
}

// Stats returns the statistics at the last Tick, in the order of Targets.
func (h *Heard) Stats() []Stats {
	var out []Stats
	for _, l := range h.ordered() {
		l.window.expire(h.now)
		s := l.stats
		l.window.fill(&s)
		out = append(out, s)
	}
	return out
}

// ordered lists the pings, each host's behind its first one.
func (h *Heard) ordered() []*heardLane {
	list := slices.Clone(h.lanes)
	slices.SortStableFunc(list, func(a, b *heardLane) int {
		return cmp.Compare(cmp.Or(a.Group, a.ID), cmp.Or(b.Group, b.ID))
	})
	return list
}

// Unfollowed is how many requests belonged to series for which there was no room.
func (h *Heard) Unfollowed() uint64 { return h.left }

// Series are those that are followed now.
func (h *Heard) Series() []SeriesKey {
	var out []SeriesKey
	for _, l := range h.lanes {
		out = append(out, l.key)
	}
	return out
}
