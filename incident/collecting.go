package incident

import (
	"fmt"
	"slices"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// At most so many incidents are written; manual ones are not counted.
const (
	perMinute = 6
	perHour   = 30
)

// collecting is an incident from its trigger until it is sealed.
type collecting struct {
	number int
	id     string
	was    string // its id before another echo became the guilty one
	kind   string
	rule   string
	offset flow.WallOffset // at the trigger: all its wall times use it
	world  *flow.World     // the last one inside its window

	t                                *target     // nil: manual
	usual                            flow.LinkID // NIC by which the last calm echo before it left
	guilty                           probe.Sample
	baseline, threshold, outstanding time.Duration // None if unknown

	sent  flow.Time // guilty echo sent; manual: the key
	from  flow.Time // begin of the window
	end   flow.Time // when the last spike so far came back or was given up
	waits []waitFor // spikes whose fate is open

	base      flow.Span   // the time it is compared with
	skip      []flow.Span // without these: other incidents' windows
	baseLinks map[flow.LinkID]*baseLink
	baseDone  bool
	win       map[flow.LinkID]*gathered // of the window, as far as its slots have come

	whose      map[flow.Key]whose
	classified uint64     // generation of the World that gave the flows their classes
	rows       []askedRow // of the newest picture
	tcp        map[flow.Socket]*tcpReadings
	asked      int // how often TCP_INFO was asked for

	far        farWord
	suppressed bool
	shown      picture   // what the preview shows
	shownAt    flow.Time // when it was made
	sealSince  time.Duration
	sealing    bool
}

// waitFor names an echo whose fate decides where the window ends.
type waitFor struct {
	t    *target
	n    int64
	sent flow.Time
}

// collect prepares an incident for the guilty echo e of t and takes what it is
// to be compared with out of the look-back, before that is overwritten.
func (m *Monitor) collect(t *target, e *echo, kind string) *collecting {
	th := t.threshold()
	c := &collecting{kind: kind, offset: m.offset, world: m.world, t: t, guilty: e.Sample,
		usual: t.usualMember, baseline: th.median, threshold: th.freeze, outstanding: probe.None,
		sent: e.Sent, from: windowFrom(m.offset, began(&e.Sample)), end: e.Sent, classified: m.world.Generation}
	m.takeBaseline(c)
	return c
}

// start counts an incident, or suppresses it.
func (m *Monitor) start(c *collecting) {
	m.open = append(m.open, c)
	if c.kind != KindManual && !(m.vmAllowed(c) && m.allow(m.now)) {
		c.suppressed = true
		m.suppressed++
		m.unsaid++
		const kind = "incidents not written: "
		minute, hour := perMinute, perHour
		if c.t != nil && c.t.vm != nil {
			minute, hour = vmPerMinute, vmPerHour
		}
		m.noteInstead(m.now, kind, fmt.Sprintf("%s%d (over %d a minute or %d an hour)", kind, m.suppressed, minute, hour))
		return
	}
	m.number++
	c.number = m.number
	name := ""
	if c.t != nil {
		name = c.t.name()
	}
	base := NewID(c.offset.Wall(c.sent), name)
	c.id = m.uniqueID(base)
	m.lines = append(m.lines, line{IncidentLine: IncidentLine{Number: c.number, ID: c.id, At: c.wall(m, c.sent), RTT: probe.None,
		Kind: c.kind, Target: name, Open: true}, sent: c.sent, base: base})
	if len(m.lines) > maxLines {
		m.lines = slices.Delete(m.lines, 0, len(m.lines)-maxLines)
	}
}

// uniqueID gives a clash within this process the number that the store would
// give it.
func (m *Monitor) uniqueID(id string) string {
	clash := 1
	for i := range m.lines {
		if m.lines[i].base == id {
			clash++
		}
	}
	if clash > 1 {
		return fmt.Sprintf("%s.%d", id, clash)
	}
	return id
}

// allow is the rate limit.
func (m *Monitor) allow(now flow.Time) bool {
	m.started = slices.DeleteFunc(m.started, func(t flow.Time) bool { return now.Sub(t) >= time.Hour })
	last := 0
	for _, t := range m.started {
		if now.Sub(t) < time.Minute {
			last++
		}
	}
	if last >= perMinute || len(m.started) >= perHour {
		return false
	}
	m.started = append(m.started, now)
	return true
}

// Freeze seals the evidence of this moment, because a person asks for it. The
// window begins [manualBefore] earlier than that of an echo sent now would: what
// made the person press the key has been on the screen for some time. While one
// such incident collects, its 5 s after the window included, a further call only
// gives a note: a key held down must not fill the disk.
func (m *Monitor) Freeze(now flow.Time) {
	m.now = max(m.now, now)
	for _, c := range m.open {
		if c.kind == KindManual {
			m.note(m.now, fmt.Sprintf("incident #%d was frozen by hand and still collects", c.number))
			return
		}
	}
	c := &collecting{kind: KindManual, offset: m.offset, world: m.world, baseline: probe.None, threshold: probe.None, outstanding: probe.None,
		sent: m.now, from: windowFrom(m.offset, m.now.Add(-manualBefore)), end: m.now, classified: m.world.Generation}
	m.takeBaseline(c)
	m.start(c)
	m.out.Spikes = append(m.out.Spikes, Spike{At: m.wall(m.now), Kind: KindManual, Outstanding: probe.None, RTT: probe.None, Threshold: probe.None})
	m.preview(c)
}

// add takes a spike into the window.
func (c *collecting) add(t *target, e *echo, now flow.Time) {
	if e.State == probe.Outstanding {
		if !slices.ContainsFunc(c.waits, func(w waitFor) bool { return w.t == t && w.n == e.N }) {
			c.waits = append(c.waits, waitFor{t, e.N, e.Sent})
		}
		return
	}
	c.end = max(c.end, echoEnd(e, now))
}

// settled tells the open incidents the fate of an echo.
func (m *Monitor) settled(t *target, e *echo) {
	for _, c := range m.open {
		if c.t == t && c.guilty.N == e.N {
			c.guilty = e.Sample
		}
		for i, w := range c.waits {
			if w.t == t && w.n == e.N {
				c.end = max(c.end, echoEnd(e, m.now))
				c.waits = slices.Delete(c.waits, i, i+1)
				break
			}
		}
	}
}

// window returns the end of the window as far as it is known: what still waits
// lasts until now.
func (c *collecting) window(now flow.Time) (to flow.Time, capped bool) {
	end := c.end
	for _, w := range c.waits {
		end = max(end, min(now, w.sent.Add(givenUpAfter)))
	}
	return windowTo(c.offset, c.from, end)
}

// waiting reports whether a fate that may lengthen the window is open. What has
// no fate long after it must have one (its target was dropped) does not count.
func (c *collecting) waiting(now flow.Time) bool {
	return slices.ContainsFunc(c.waits, func(w waitFor) bool { return now < w.sent.Add(2*givenUpAfter) })
}

// advance moves every open incident on: its baseline, a better preview, its seal.
// One seal or preview is made in a Tick, the others wait for the next. With all
// set it seals whatever there is.
func (m *Monitor) advance(all bool) {
	kept := m.open[:0]
	built := false
	for _, c := range m.open {
		to, capped := c.window(m.now)
		settled := capped || !c.waiting(m.now)
		switch {
		case all:
			m.seal(c, to, true)
			continue
		case settled && m.ripe(c, to) && !built:
			m.seal(c, to, capped)
			built = true
			continue
		case !c.suppressed:
			built = m.follow(c, to, built) || built
			if c.asked == 1 && settled && m.now >= to.Add(askAgain) {
				m.ask(c)
			}
		}
		kept = append(kept, c)
	}
	clear(m.open[len(kept):])
	m.open = kept
}

// complete reports whether every link that is up has delivered its slots up to
// t, and its ring has been read so far.
func (m *Monitor) complete(c *collecting, t flow.Time) bool {
	if m.now < t {
		return false
	}
	for _, l := range m.links {
		if l.State == flow.LinkUp && (l.drained < t || l.lookback.Newest() < slotFloor(m.offset, t)) {
			return false
		}
	}
	return true
}

// ripe reports whether c can be sealed: its series is complete, or has been
// waited for long enough while this process ran.
func (m *Monitor) ripe(c *collecting, to flow.Time) bool {
	if m.now < to.Add(seriesMargin) {
		c.sealing = false
		return false
	}
	if !c.sealing {
		c.sealing, c.sealSince = true, m.ran
	}
	return m.complete(c, to.Add(seriesMargin)) || m.ran-c.sealSince >= sealPatience
}

// seal builds the incident for good.
func (m *Monitor) seal(c *collecting, to flow.Time, truncated bool) {
	m.remember(flow.Span{From: c.from, To: to})
	if c.suppressed {
		return
	}
	m.settleKind(c)
	m.sumBaseline(c, m.cfg.LookbackSlots)
	in := m.build(c, to)
	in.Open, in.Truncated = false, truncated
	in.Self.SuppressedIncidents, m.unsaid = m.unsaid, 0
	m.show(c, in)
	m.out.Sealed = append(m.out.Sealed, in)
}

// settleKind says in the end what it was: an echo that fired while outstanding
// and was lost, in an episode without any late answer, was a loss; a window cut
// at its longest in which the RTT never came down is a shift.
func (m *Monitor) settleKind(c *collecting) {
	if c.t == nil {
		return
	}
	to, capped := c.window(m.now)
	late, high, answered := 0, 0, 0
	for _, e := range c.t.echoes.since(c.sent) {
		if e.Sent >= to {
			break
		}
		if e.State != probe.Answered {
			continue
		}
		answered++
		if e.over {
			late++
		}
		if e.RTT > c.exit() {
			high++
		}
	}
	switch {
	case c.kind == KindOutstanding && c.guilty.State == probe.Lost && late == 0:
		c.kind = KindLoss
	case capped && c.kind != KindLoss && answered >= warmUp && high*10 >= answered*9:
		c.kind = KindShift
	}
}

// exit is half way between the usual RTT and the threshold.
func (c *collecting) exit() time.Duration {
	usual := max(c.baseline, 0)
	return usual + (max(c.threshold, usual)-usual)/2
}

// remember keeps a window out of the baselines of what comes.
func (m *Monitor) remember(s flow.Span) {
	m.windows = slices.DeleteFunc(m.windows, func(w flow.Span) bool { return w.To < m.now.Add(-windowsMemory) })
	m.windows = append(m.windows, s)
}

func (c *collecting) wall(m *Monitor, t flow.Time) time.Time {
	return c.offset.Wall(t).In(m.cfg.Zone)
}
