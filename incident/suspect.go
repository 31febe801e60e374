package incident

import (
	"fmt"
	"slices"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// weight says whose fault a late echo is, as far as one can tell now.
type weight uint8

const (
	undecided weight = iota
	genuine          // the network, or this host's queue
	own              // this process, or this host's scheduler
)

// stallSlack is how much longer than its record a stall of this process may
// have been: lateness is noticed in steps of the owner's loop.
const stallSlack = 50 * time.Millisecond

// usualQueue is what a round trip may always spend in this host without being
// suspected: the way through the kernel and an ordinary wait for a processor.
const usualQueue = time.Millisecond

// weigh says whether an echo that has taken total is beyond limit by the
// network's doing. What the kernel measured on the wire counts whatever this
// process did meanwhile. What was spent between the stamp in the payload and the
// NIC counts only if a queue or a pending neighbour explains it and our own
// lateness does not. Times of this process's own clock count less what it slept.
func (m *Monitor) weigh(t *target, e *echo, total, limit time.Duration) weight {
	if t.vm != nil {
		return genuine // nothing in it was measured by this process
	}
	seenLeaving := e.Queue >= 0
	if !t.Captured || e.State == probe.Answered && (e.Source == probe.ByUser || !seenLeaving) {
		if total-m.ownLate(e.Sent, e.Sent.Add(total)) > limit {
			return genuine
		}
		return own
	}
	queue, self, member := max(e.Queue, 0), max(e.Own, 0), e.Member
	switch {
	case member == 0: // it is still in this host
		queue, member, self = total, t.member, m.ownLate(e.Sent, e.Sent.Add(total))
	case e.State == probe.Outstanding: // its age begins when the write was done
		queue, self = max(queue-self, 0), 0
	}
	switch {
	case total-max(queue-usualQueue, 0) > limit:
		return genuine
	case total-self <= limit:
		return own
	case m.queueExplains(member, e.Sent, e.Sent.Add(queue)):
		return genuine
	}
	return undecided
}

// ownLate is how long this process may not have run in [from, to).
func (m *Monitor) ownLate(from, to flow.Time) time.Duration {
	d := overlap(m.late, from, to)
	if d > 0 {
		d += stallSlack
	}
	return d
}

// queueExplains asks the link by which the echo left or should have left; any
// link if that is not known.
func (m *Monitor) queueExplains(member flow.LinkID, from, to flow.Time) bool {
	for _, l := range m.links {
		if (member == 0 || l.ID == member) && l.explainsQueue(from, to) {
			return true
		}
	}
	return false
}

// A suspect is a late echo that waits for something that decides about it: a
// reading of the queue, the fate of another target's echo.
type suspect struct {
	t     *target
	n     int64
	since time.Duration // Monitor.ran
	// For a gateway: the spike that it would be.
	kind, rule string
}

// Patience with suspects, in time in which this process ran.
const (
	queuePatience   = 300 * time.Millisecond
	gatewayPatience = 500 * time.Millisecond
)

// judgeSuspects looks at the suspects again.
func (m *Monitor) judgeSuspects() {
	list := m.suspect
	m.suspect = nil
	for _, s := range list {
		e := s.t.echoes.get(s.n)
		switch {
		case e == nil || m.target(s.t.ID) != s.t:
		case s.kind != "":
			m.judgeGateway(s, e)
		default:
			m.judgeQueue(s, e)
		}
	}
}

// judgeQueue decides about an RTT whose excess lies in this host.
func (m *Monitor) judgeQueue(s suspect, e *echo) {
	if e.judged {
		return
	}
	switch w := m.weigh(s.t, e, e.RTT, s.t.threshold().freeze); {
	case w == genuine:
		m.passed(s.t, e)
	case w == own || m.ran-s.since > queuePatience:
		m.blameSelf(s.t, e)
	default:
		m.suspect = append(m.suspect, s)
		return
	}
	m.drawEcho(s.t, e)
}

// judgeGateway decides about a spike of a gateway: routers police ICMP, so one
// that is late alone, while another target is calm, is a note and no incident.
func (m *Monitor) judgeGateway(s suspect, e *echo) {
	if s.t.ep != nil || m.episodeOf(s.t, e) != nil {
		return
	}
	alone, known := m.gatewayAlone(s.t, e)
	switch {
	case alone:
		m.note(m.now, fmt.Sprintf("gateway %s alone is late or lossy (echo %d), the other targets are calm: routers police ICMP", Clean(s.t.name()), e.Seq))
		m.begin(s.t, e, nil) // an episode without incident: it is not said again and again
	case known || m.ran-s.since > gatewayPatience:
		m.fire(s.t, e, s.kind, s.rule)
	default:
		m.suspect = append(m.suspect, s)
	}
}

// gatewayAlone looks at the first echo that each other target sent after e.
// known is false while one of them may still turn out calm.
func (m *Monitor) gatewayAlone(t *target, e *echo) (alone, known bool) {
	known = true
	for _, o := range m.targets {
		if o == t || o.Gateway || o.Trouble != "" || m.otherWay(t, o) {
			continue
		}
		list := o.echoes.since(e.Sent)
		if len(list) == 0 {
			if before := o.echoes.since(e.Sent.Add(-10 * m.cfg.Interval)); len(before) > 0 {
				known = false // its next echo is due
			}
			continue
		}
		switch f := &list[0]; {
		case f.State == probe.Answered && f.RTT <= o.threshold().exit:
			if m.comparable(t, e, o) {
				return true, true
			}
		case f.State == probe.Outstanding && !f.over:
			known = false
		}
	}
	return false, known
}

// otherWay reports whether o is the ping of another member than t's while its
// host has one of t's member too: that one is to be asked.
func (m *Monitor) otherWay(t, o *target) bool {
	if t.Member == 0 || o.Member == 0 || o.Member == t.Member {
		return false
	}
	return slices.ContainsFunc(m.targets, func(p *target) bool {
		return p.Member == t.Member && p.SameHost(&o.Target) && p.Trouble == ""
	})
}

// comparable reports whether a calm echo of o excuses the gateway t: it must
// have come by the same member, or no member may carry more than usual. A full
// link beside a calm one is worth an incident even if only the gateway is behind
// it.
func (m *Monitor) comparable(t *target, e *echo, o *target) bool {
	if t.replyMember == 0 || o.replyMember == 0 || t.replyMember == o.replyMember {
		return true
	}
	c := m.collect(t, e, KindRTT)
	for _, w := range m.way(c) {
		if w.changed {
			return false
		}
	}
	return true
}

// suspected reports whether a spike of gateway t is being thought about.
func (m *Monitor) suspected(t *target) bool {
	return slices.ContainsFunc(m.suspect, func(s suspect) bool { return s.t == t && s.kind != "" })
}

// dropSuspects forgets what is pending about t.
func (m *Monitor) dropSuspects(t *target) {
	m.suspect = slices.DeleteFunc(m.suspect, func(s suspect) bool { return s.t == t && s.kind != "" })
}
