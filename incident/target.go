package incident

import (
	"cmp"
	"slices"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

const outstanding = probe.Outstanding

// echoMemory bounds the echoes kept of a target: a window at its longest with
// its margins, and what a late verdict needs.
const (
	echoMemory    = 60 * time.Second
	maxEchoMemory = 8192
)

// echo is the newest Sample of an echo and what the detector thinks of it.
type echo struct {
	probe.Sample
	learned bool // the baseline or an episode has its RTT
	judged  bool // its fate was taken into account
	over    bool // above the freeze threshold
	mark    bool // above the mark threshold
	self    bool // late because of this process itself
}

// target is everything about one pinged host.
type target struct {
	probe.Target
	base          baseline
	limits        thresholds // of base; renewed when base changes
	echoes        echoes
	firstAnswered int64 // N of the first answer, 0 = none yet
	lastAnswered  int64 // highest N whose answer is known to have come
	member        flow.LinkID
	replyMember   flow.LinkID
	usualMember   flow.LinkID           // by which the last calm echo left
	silent        bool                  // it has been said that it never answered
	strips        *[len(Zooms)]pingRing // nil: not drawn
	vm            *vmSeries             // nil: pinged by this program

	ep      *episode // running, nil = calm
	lastEp  *episode // the one before
	lossEnd int64    // losses up to this N have been dealt with
}

// name is how the target is called in files.
func (t *target) name() string {
	if t.Name == "" && t.Addr.IsValid() {
		return t.Addr.String()
	}
	return t.Name
}

// label is name, with the member where each has a ping of its own.
func (m *Monitor) label(t *target) string {
	if via := m.via(t); t.Group != 0 && via != "" {
		return t.name() + " via " + via
	}
	return t.name()
}

// via names the NIC of a ping: the member that it is meant for, or by which its
// newest echo left.
func (m *Monitor) via(t *target) string {
	if t.Member != 0 {
		if name := m.linkName(t.Member); name != "" {
			return name
		}
	}
	return m.linkName(t.member)
}

// leftBy names the NIC by which an echo of t left: where it was seen, or while
// it was not, where it was sent to.
func (m *Monitor) leftBy(t *target, member flow.LinkID) string {
	if member == 0 && t != nil {
		member = t.Member
	}
	return m.linkName(member)
}

// threshold returns the limits that hold for the next echo: those of its start
// while an episode runs.
func (t *target) threshold() *thresholds {
	if t.ep != nil {
		return &t.ep.limits
	}
	return &t.limits
}

// echoes holds the last echoes of a target by running number.
type echoes struct {
	list []echo // ascending N
	most int    // that are kept; 0 = maxEchoMemory
}

// put stores s and returns its place, which is valid until the next put; fresh
// says that the echo was not known.
func (h *echoes) put(s probe.Sample) (e *echo, fresh bool) {
	i, found := h.search(s.N)
	if found {
		h.list[i].Sample = s
		return &h.list[i], false
	}
	most := cmp.Or(h.most, maxEchoMemory)
	if len(h.list) == most {
		if i == 0 {
			return nil, false // older than everything that is kept
		}
		h.list = slices.Delete(h.list, 0, most/4)
		i, _ = h.search(s.N)
	}
	h.list = slices.Insert(h.list, i, echo{Sample: s})
	return &h.list[i], true
}

func (h *echoes) search(n int64) (int, bool) {
	return slices.BinarySearchFunc(h.list, n, func(e echo, n int64) int {
		switch {
		case e.N < n:
			return -1
		case e.N > n:
			return 1
		}
		return 0
	})
}

// get returns the echo with number n, nil if it is not known (any more).
func (h *echoes) get(n int64) *echo {
	if i, found := h.search(n); found {
		return &h.list[i]
	}
	return nil
}

// since returns the echoes sent at or after from. Running numbers and send
// times ascend together.
func (h *echoes) since(from flow.Time) []echo {
	i, _ := slices.BinarySearchFunc(h.list, from, func(e echo, t flow.Time) int {
		if e.Sent < t {
			return -1
		}
		return 1
	})
	return h.list[i:]
}

// forget drops what was sent before limit, now and then.
func (h *echoes) forget(limit flow.Time) {
	old := len(h.list) - len(h.since(limit))
	if old > 64 && old > len(h.list)/4 {
		h.list = slices.Delete(h.list, 0, old)
	}
}
