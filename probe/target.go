package probe

import (
	"slices"
	"time"

	"spiketop/flow"
)

// target is a Target with its echoes.
type target struct {
	Target
	flights []flight // no final state yet, ascending n
	newest  int64    // highest running number seen
	left    int64    // the newest echo that was seen leaving
	ids     []uint16 // of its runs, oldest first
	window  window
	stats   Stats // without what window knows
	dropped uint64
	// unseen counts answers in a row that came to the socket but to no ring
	// though all were read: after elsewhere of them, the rings prove nothing
	// about this target, whatever its route says.
	unseen int
}

const elsewhere = 3

// mostRuns bounds the runs of a target whose answers are still matched. A run
// ends at most once a second and is heard for drainFor longer.
const mostRuns = 8

// identity is one run of a pinger: an ICMP id in use with one address.
type identity struct {
	target  *target
	id      uint16
	addr    [16]byte
	tracker *tracker
	started bool
	seq     uint16    // of the newest echo
	alive   flow.Time // last sign of its sender's loop: the next echo is stamped later
	// of the newest echo seen on a ring
	offset   flow.WallOffset
	offsetOK bool
}

// tracker is the UUID that pro-bing writes into the payload of all echoes
// between two wraps of seq. It is not told to us: the first echo seen on a ring
// whose stamp fits the sending proves it.
type tracker struct {
	uuid  [16]byte
	known bool
}

// flight is an echo that has no final state yet.
type flight struct {
	n        int64
	id, seq  uint16
	run      *identity
	tracker  *tracker
	sent     flow.Time // after the write
	earliest flow.Time // before the stamp in the payload

	request, reply sight
	received       flow.Time // at the socket
	hasReceived    bool
	stepped        bool // the wall clock was set around its sending
	unsure         bool // an event may be missing
	age            time.Duration
}

// sight is an echo seen on a ring.
type sight struct {
	ok     bool
	at     flow.Time
	stamp  flow.Time // from the payload
	link   flow.LinkID
	offset flow.WallOffset
}

func (s *Set) newTarget(d Target) *target {
	most := int(min(s.cfg.Window/s.cfg.Interval+slack, 1<<16))
	return &target{Target: d, window: newWindow(s.cfg.Window, most), stats: Stats{Target: d.ID}}
}

// describe takes what the owner says anew; address and trouble are better known
// here.
func (t *target) describe(d Target) {
	addr, trouble := t.Addr, t.Trouble
	if t.Captured != d.Captured {
		t.unseen = 0
	}
	t.Target = d
	if addr.IsValid() {
		t.Addr = addr
	}
	t.Trouble = trouble
}

func (t *target) flight(n int64) *flight {
	for i := len(t.flights) - 1; i >= 0 && t.flights[i].n >= n; i-- {
		if t.flights[i].n == n {
			return &t.flights[i]
		}
	}
	return nil
}

// Event takes what a pinger reported. Events of unknown targets are ignored.
func (s *Set) Event(e Event) {
	t := s.byID[e.Target]
	if t == nil {
		return
	}
	if e.Dropped > t.dropped {
		t.dropped = e.Dropped
		for i := range t.flights {
			t.flights[i].unsure = true
		}
	}
	switch e.Kind {
	case Resolved:
		t.Addr = e.Addr
		s.indexAddrs()
	case Restarted:
		s.identify(t, &e)
	case Trouble:
		t.Trouble = e.Text
	case Sent:
		s.sent(t, &e)
	case Received:
		s.received(t, &e)
	case Duplicate:
		t.stats.Twice++
		s.alive(t, &e)
	}
}

// identify begins a new run.
func (s *Set) identify(t *target, e *Event) *identity {
	r := &identity{target: t, id: e.ID, tracker: new(tracker), alive: e.At}
	if e.Kind != Restarted { // that event is missing; the stamp must fit within a beat
		r.alive = e.At.Add(-s.cfg.Interval)
	}
	if e.Addr.IsValid() {
		r.addr = e.Addr.As16()
		t.Addr = e.Addr
	}
	s.runs[e.ID] = r
	t.ids = append(t.ids, e.ID)
	if len(t.ids) > mostRuns {
		if o := s.runs[t.ids[0]]; o != nil && o.target == t && o != r {
			delete(s.runs, o.id)
		}
		t.ids = slices.Delete(t.ids, 0, 1)
	}
	s.indexAddrs()
	return r
}

// alive returns the run of an event and notes that its loop has come so far.
func (s *Set) alive(t *target, e *Event) *identity {
	r := s.runs[e.ID]
	if r == nil || r.target != t {
		return nil
	}
	r.alive = max(r.alive, e.At)
	return r
}

func (s *Set) sent(t *target, e *Event) {
	if e.N <= t.newest {
		return
	}
	r := s.runs[e.ID]
	if r == nil || r.target != t {
		r = s.identify(t, e)
	}
	if r.started && e.Seq < r.seq {
		r.tracker = new(tracker) // seq has wrapped: pro-bing takes a new UUID
	}
	r.started, r.seq = true, e.Seq
	if len(t.flights) >= s.mostFlights() {
		s.finish(t, &t.flights[0], Sample{State: Uncertain})
		t.flights = slices.Delete(t.flights, 0, 1)
	}
	t.newest, t.stats.Sent, t.Trouble = e.N, e.N, ""
	t.flights = append(t.flights, flight{n: e.N, id: e.ID, seq: e.Seq, run: r, tracker: r.tracker,
		sent: e.At, earliest: min(r.alive, e.At)})
	r.alive = max(r.alive, e.At)
	f := &t.flights[len(t.flights)-1]
	s.report(t, f, Sample{})
	s.claim(t, f)
}

// mostFlights bounds the echoes of a target without a final state.
func (s *Set) mostFlights() int {
	return int(min((s.cfg.LossAfter+2*patience)/s.cfg.Interval, 1<<14)) + slack
}

func (s *Set) received(t *target, e *Event) {
	s.alive(t, e)
	f := t.flight(e.N)
	if f == nil {
		if e.N <= t.newest {
			t.stats.Late++
		}
		return
	}
	if f.hasReceived {
		return
	}
	f.hasReceived, f.received = true, max(e.At, f.sent)
	if !s.measure(t, f) {
		s.report(t, f, Sample{Age: f.age, Cleared: true})
	}
}

// drop forgets the flights that have a final state.
func (t *target) drop(f *flight) {
	n := f.n
	t.flights = slices.DeleteFunc(t.flights, func(f flight) bool { return f.n == n })
}

// report says what is known of f; the caller fills in state and figures.
func (s *Set) report(t *target, f *flight, m Sample) {
	m.Target, m.N, m.ID, m.Seq, m.Sent = t.ID, f.n, f.id, f.seq, f.sent
	m.Member, m.ReplyMember = f.request.link, f.reply.link
	m.Began, m.Back = f.began(), f.back(m.Source)
	if m.State != Answered {
		m.RTT, m.Wire, m.Wakeup = None, None, None
		m.Queue, m.Own = f.queue()
	}
	if f.request.ok && f.n >= t.left {
		t.left, t.stats.Member = f.n, f.request.link
	}
	s.out = append(s.out, m)
}

// began is the stamp in the payload, if it is to be believed.
func (f *flight) began() flow.Time {
	if queue, _ := f.queue(); queue == None {
		return f.sent
	}
	return f.request.stamp
}

// back is when the answer came, by the clock that has measured it.
func (f *flight) back(by Source) flow.Time {
	switch {
	case f.reply.ok && by == ByKernel:
		return f.reply.at
	case f.hasReceived:
		return f.received
	}
	return 0
}

// finish reports f's final state. The caller removes it.
func (s *Set) finish(t *target, f *flight, m Sample) {
	s.report(t, f, m)
	switch m.State {
	case Answered:
		t.window.answered(s.now, m.RTT)
	case Lost:
		t.stats.Lost++
		t.window.miss(s.now)
	case Uncertain:
		t.stats.Unknown++
	}
}
