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
