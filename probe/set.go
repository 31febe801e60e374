package probe

import (
	"cmp"
	"math"
	"time"

	"spiketop/flow"
)

// SetConfig sets the deadlines of a [Set]. Zero values mean the defaults.
type SetConfig struct {
	// LossAfter is how long an answer is waited for; 2 s.
	LossAfter time.Duration
	// Interval is the time between two echoes of a target; 100 ms. An echo is
	// reported again and again once it is outstanding for longer than that.
	Interval time.Duration
	// Stall is the longest time between two Ticks in a process that runs; a
	// longer one means that this process itself was stopped meanwhile. 3 x
	// Interval; where Tick comes oftener, some four times its period is better.
	Stall time.Duration
	// Window is how far back Stats look; 60 s.
	Window time.Duration
}

const (
	// tolerance is how far stamps may contradict each other before a step of the
	// clock is suspected. Conversion moves them by microseconds.
	tolerance = time.Millisecond
	// patience bounds every wait for evidence that may never come: the stamps of
	// an answer that the socket has, a ring that is not drained.
	patience = 2 * time.Second
	// wakeupMost is how long an answer on the ring waits for its arrival at the
	// socket, which proves its stamps.
	wakeupMost = 500 * time.Millisecond
	// slack is added to the number of echoes that can be in flight.
	slack = 32
)

// Set joins the events of all pingers with the echoes on the rings and says for
// every echo what became of it. It belongs to one goroutine, starts none and
// reads no clock.
//
// The owner's order, in every round: hand over what the event channel holds
// (Event), what the rings delivered (Echo and Lost, then the Drained that covers
// them), then call Tick. Events and echoes of one ping may come in any order.
//
// # What is believed
//
// The stamps of the rings measure, the socket clears. An echo is late or lost
// only when every ring has been read so far that its answer would have been
// seen, and the events too: this process may have been stopped, and what waits
// in a queue of ours is not late. The events are known to have been read up to
// the Tick before the last one, and after a pause longer than Stall one Tick
// less. Stamps that contradict this process's own monotonic clock, because
// somebody set the wall clock meanwhile, are not used.
type Set struct {
	cfg     SetConfig
	targets []*target // order of Targets and Stats
	byID    map[TargetID]*target
	runs    map[uint16]*identity // by ICMP id
	addrs   map[[16]byte]bool    // of all targets

	links []link // whose watermarks count
	gaps  []gap  // overflows of rings, oldest first
	stops []gap  // pauses of this process, oldest first
	held  []flow.Echo

	ticks   int
	now     flow.Time // the last Tick
	prev    flow.Time // the one before
	paused  bool      // this process was stopped and has hardly resumed
	resumed flow.Time // the first Tick after the pause
	heard   flow.Time // events up to here have been read
	out     []Sample
}

// link is a captured link that is up.
type link struct {
	id   flow.LinkID
	upTo flow.Time
}

// undrained is before any time, and far enough from the limits to subtract.
const undrained = flow.Time(math.MinInt64 / 4)

// gap is a span in which something is missing, both ends included.
type gap struct{ from, to flow.Time }

func (g gap) overlaps(from, to flow.Time) bool { return g.from <= to && from <= g.to }

// NewSet returns a set without targets.
func NewSet(cfg SetConfig) *Set {
	cfg.LossAfter = cmp.Or(max(cfg.LossAfter, 0), 2*time.Second)
	cfg.Interval = cmp.Or(max(cfg.Interval, 0), 100*time.Millisecond)
	cfg.Stall = cmp.Or(max(cfg.Stall, 0), 3*cfg.Interval)
	cfg.Window = cmp.Or(max(cfg.Window, 0), time.Minute)
	return &Set{cfg: cfg, byID: map[TargetID]*target{}, runs: map[uint16]*identity{}, addrs: map[[16]byte]bool{}}
}

// SetTargets sets what is pinged, in the order of Targets and Stats. Targets
// that stay (by ID) keep their state, address and trouble; echoes of those that
// go are forgotten.
func (s *Set) SetTargets(targets []Target) {
	old := s.byID
	s.byID = make(map[TargetID]*target, len(targets))
	s.targets = s.targets[:0:0]
	for _, d := range targets {
		t := old[d.ID]
		if t == nil {
			t = s.newTarget(d)
		} else {
			t.describe(d)
		}
		if s.byID[d.ID] == nil {
			s.byID[d.ID] = t
			s.targets = append(s.targets, t)
		}
	}
	for id, r := range s.runs {
		if s.byID[r.target.ID] != r.target {
			delete(s.runs, id)
		}
	}
	s.indexAddrs()
}

// indexAddrs notes whose echoes may be ours before their ICMP id is known.
func (s *Set) indexAddrs() {
	clear(s.addrs)
	for _, t := range s.targets {
		if t.Addr.IsValid() {
			s.addrs[t.Addr.As16()] = true
		}
	}
}

// SetLinks says which captured links are up: only they must be drained before
// an echo is late or lost. A link that is new here counts from its first
// Drained on.
func (s *Set) SetLinks(links []flow.LinkID) {
	old := s.links
	s.links = make([]link, 0, len(links))
	for _, id := range links {
		l := link{id: id, upTo: undrained}
		for _, o := range old {
			if o.id == id {
				l = o
			}
		}
		s.links = append(s.links, l)
	}
}

// Drained says that everything link carried before upTo has been handed over.
func (s *Set) Drained(id flow.LinkID, upTo flow.Time) {
	for i := range s.links {
		if l := &s.links[i]; l.id == id {
			l.upTo = max(l.upTo, upTo)
		}
	}
}

// Lost says that link's ring overflowed: frames between from and to are missing.
func (s *Set) Lost(_ flow.LinkID, from, to flow.Time) {
	if to < from {
		from, to = to, from
	}
	s.gaps = remember(s.gaps, gap{from, to})
}

// remember appends g, or widens the newest span where it touches it. The number
// of spans is bounded: when there are too many, the oldest two become one, which
// makes more echoes uncertain and none wrongly lost.
func remember(gaps []gap, g gap) []gap {
	if n := len(gaps); n > 0 && gaps[n-1].overlaps(g.from, g.to.Add(tolerance)) {
		last := &gaps[n-1]
		last.from, last.to = min(last.from, g.from), max(last.to, g.to)
		return gaps
	}
	if len(gaps) >= 256 {
		gaps[1] = gap{min(gaps[0].from, gaps[1].from), max(gaps[0].to, gaps[1].to)}
		gaps = append(gaps[:0], gaps[1:]...)
	}
	return append(gaps, g)
}

// watermark is how far every ring has been read.
func (s *Set) watermark() flow.Time {
	low := flow.Time(math.MaxInt64)
	for _, l := range s.links {
		low = min(low, l.upTo)
	}
	return low
}

// Stats returns the statistics at the last Tick, in the order of SetTargets.
// The slice belongs to the caller.
func (s *Set) Stats() []Stats {
	out := make([]Stats, len(s.targets))
	for i, t := range s.targets {
		t.window.expire(s.now)
		out[i] = t.stats
		t.window.fill(&out[i])
	}
	return out
}

// Targets returns the targets with the addresses and troubles learned
// meanwhile, in the order of SetTargets. The slice belongs to the caller.
func (s *Set) Targets() []Target {
	out := make([]Target, len(s.targets))
	for i, t := range s.targets {
		out[i] = t.Target
	}
	return out
}
