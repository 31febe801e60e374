package incident

import (
	"fmt"
	"slices"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// Numbers of an episode.
const (
	calmRow    = 5                // answered in a row below the exit limit end it
	shiftAfter = 60 * time.Second // then the new level is the usual one
)

// episode is the time in which one target is out of its usual range.
type episode struct {
	limits   thresholds // at its start; they hold until it ends
	from     flow.Time  // guilty echo sent
	calmFrom int64      // first echo of the present row of calm ones
	calmN    int
	to       flow.Time // last echo of the row that ended it was sent; 0 = running
	endN     int64     // its number

	level     []time.Duration // what was answered, without a pause of givenUpAfter
	levelFrom flow.Time       // since when
	levelLast flow.Time       // the newest of them was sent
	inc       *collecting     // nil: no incident of its own
}

// spike takes an echo that is a reason to freeze: over the threshold, too long
// outstanding, or lost.
func (m *Monitor) spike(t *target, e *echo, kind, rule string) {
	if ep := m.episodeOf(t, e); ep != nil {
		m.extend(t, ep, e)
		return
	}
	if t.Gateway {
		if !m.suspected(t) {
			m.judgeGateway(suspect{t: t, n: e.N, since: m.ran, kind: kind, rule: rule}, e)
		}
		return
	}
	m.fire(t, e, kind, rule)
}

// episodeOf returns the episode of t to which echo e belongs: the one that runs,
// or the last one if e was sent before it ended (losses are known 2 s later).
func (m *Monitor) episodeOf(t *target, e *echo) *episode {
	if t.ep != nil {
		return t.ep
	}
	if t.lastEp != nil && e.Sent <= t.lastEp.to {
		return t.lastEp
	}
	return nil
}

// extend adds a further spike to an episode.
func (m *Monitor) extend(t *target, ep *episode, e *echo) {
	if ep == t.ep && (ep.calmN == 0 || e.N > ep.calmFrom) {
		ep.calmN = 0
	}
	if ep.inc != nil {
		ep.inc.add(t, e, m.now)
	}
}

// begin starts an episode of t with the guilty echo e.
func (m *Monitor) begin(t *target, e *echo, inc *collecting) *episode {
	ep := &episode{limits: *t.threshold(), from: e.Sent, inc: inc}
	if e.RTT >= 0 {
		ep.learn(e, m.now)
	}
	t.ep = ep
	m.dropSuspects(t)
	return ep
}

// fire starts an episode, and an incident unless one of another target covers
// the same time.
func (m *Monitor) fire(t *target, e *echo, kind, rule string) {
	if inc := m.joinable(t, e); inc != nil {
		if t.vm == nil && inc.t != nil && inc.t.vm != nil {
			m.takeOver(inc, t, e, kind, rule)
		}
		m.begin(t, e, inc)
		m.addSpikes(inc, t, e, kind)
		return
	}
	c := m.collect(t, e, kind)
	c.rule = rule
	if kind == KindLoss {
		c.threshold = probe.None
	}
	m.start(c)
	m.begin(t, e, c)
	m.addSpikes(c, t, e, kind)
	if kind == KindOutstanding {
		c.outstanding = e.Age
	}
	m.sayGuilty(c, e)
	m.preview(c)
}

// addSpikes gives c the guilty echo, and for a loss the others that count with it.
func (m *Monitor) addSpikes(c *collecting, t *target, e *echo, kind string) {
	c.add(t, e, m.now)
	if kind != KindLoss {
		return
	}
	for i := range t.echoes.list {
		if l := &t.echoes.list[i]; l.State == probe.Lost && l.N > e.N {
			c.add(t, l, m.now)
		}
	}
}

// joinable returns the open incident of other targets whose episode or window
// echo e falls into.
func (m *Monitor) joinable(t *target, e *echo) *collecting {
	for i := len(m.open) - 1; i >= 0; i-- {
		c := m.open[i]
		if c.kind == KindManual || e.Sent >= c.from.Add(windowMax) || echoEnd(e, m.now) < c.from {
			continue // another time
		}
		if c.suppressed && t.vm == nil && c.t != nil && c.t.vm != nil {
			continue // VMs' pings have a limit of their own; it is not this host's
		}
		if to, _ := c.window(m.now); e.Sent < to || m.running(c) {
			return c
		}
	}
	return nil
}

// running reports whether a target's episode that belongs to c has not ended.
func (m *Monitor) running(c *collecting) bool {
	runs := func(t *target) bool { return t.ep != nil && t.ep.inc == c }
	return slices.ContainsFunc(m.targets, runs) || slices.ContainsFunc(m.passive.list, runs)
}

// calmInEpisode counts an answer below the threshold towards the end of the
// episode.
func (m *Monitor) calmInEpisode(t *target, e *echo) {
	ep := t.ep
	if e.Sent <= ep.from {
		return
	}
	if e.RTT >= ep.limits.exit {
		ep.calmN = 0
		return
	}
	if ep.calmN == 0 {
		ep.calmFrom = e.N
	}
	if ep.calmN++; ep.calmN < calmRow {
		return
	}
	ep.to, ep.endN = e.Sent, e.N
	t.ep, t.lastEp = nil, ep
	m.relearn(t, ep)
}

// relearn gives the baseline the calm row that ended the episode.
func (m *Monitor) relearn(t *target, ep *episode) {
	for _, v := range ep.level[max(0, len(ep.level)-calmRow):] {
		if v < ep.limits.exit {
			t.base.add(v)
		}
	}
	t.limits = t.base.thresholds(m.cfg.Spike)
}

// learn takes an RTT of the episode. After a pause without answers the level
// begins anew: what comes back from an outage is not yet usual.
func (ep *episode) learn(e *echo, now flow.Time) {
	if len(ep.level) == 0 || e.Sent > ep.levelLast.Add(givenUpAfter) {
		ep.level, ep.levelFrom = ep.level[:0], now
	}
	ep.levelLast = max(ep.levelLast, e.Sent)
	ep.level = appendLast(ep.level, e.RTT, baselineLen)
}

// acceptShift ends an episode whose RTTs have lasted for a minute: what was
// unusual is the new level, and the baseline begins with it. A fixed threshold does not
// move, so there the episode lasts until the RTT comes down.
func (m *Monitor) acceptShift(t *target) {
	ep := t.ep
	if ep == nil || m.cfg.Spike > 0 || m.now < ep.levelFrom.Add(shiftAfter) || len(ep.level) < warmUp {
		return
	}
	was := ep.limits.median
	t.base.reset(ep.level[max(0, len(ep.level)-baselineLen):])
	t.limits = t.base.thresholds(m.cfg.Spike)
	ep.to, ep.endN = m.now, t.lastAnswered
	t.ep, t.lastEp = nil, ep
	if t.vm != nil {
		return
	}
	m.note(m.now, fmt.Sprintf("%s: the usual RTT is now %s ms (it was %s): a new level, accepted after 60 s", Clean(m.label(t)), Ms(t.limits.median), Ms(was)))
}
