package incident

import (
	"slices"
	"time"

	"spiketop/flow"
)

// Bounds of what is remembered of a link beside its look-back.
const (
	counterMemory = 64 * time.Second
	maxCounters   = 2048
	maxChanges    = 256
)

// link is everything about one captured NIC.
type link struct {
	flow.Link
	lookback *flow.Lookback
	drained  flow.Time           // watermark
	counters []flow.LinkCounters // by time
	driver   []flow.NICStats     // by time
	strips   [len(Zooms)]loadRing
}

// linkEvent is a change of a link that its collector reported.
type linkEvent struct {
	at                     flow.Time
	name, change, was, now string
}

// SetWorld takes a new World: links that joined, left, returned with a new
// epoch or were renamed, other class rules, guests and owners, a clock step. w
// must have its Index. Incidents that still collect show who is who by the newest
// World; an owner should stay in it for as long as the look-back, also when its
// connection has closed.
func (m *Monitor) SetWorld(now flow.Time, w *flow.World) {
	if w.Offset != m.offset {
		m.clockStep(now, w.Offset)
	}
	newClasses := m.world == nil || m.world.Generation != w.Generation
	m.world = w
	for _, c := range m.open {
		if to, _ := c.window(now); now <= to {
			c.world = w
		}
	}
	list := make([]*link, 0, len(w.Links))
	for i := range w.Links {
		l := m.link(w.Links[i].ID)
		if l == nil {
			l = &link{lookback: flow.NewLookback(m.cfg.LookbackSlots, w.ClassifyOn(w.Links[i].ID))}
		} else if newClasses {
			l.lookback.Reclassify(w.ClassifyOn(l.ID))
		}
		l.Link = w.Links[i]
		list = append(list, l)
	}
	m.links = list
	m.passiveLinks()
	m.guests.name(w.Guests)
	m.own = make(map[[16]byte]struct{}, len(w.Own))
	for _, a := range w.Own {
		m.own[a.As16()] = struct{}{}
	}
}

// link returns the captured link with number id, nil if there is none.
func (m *Monitor) link(id flow.LinkID) *link {
	for _, l := range m.links {
		if l.ID == id {
			return l
		}
	}
	return nil
}

// linkName is the present name of link id, "" for none.
func (m *Monitor) linkName(id flow.LinkID) string {
	if l := m.link(id); l != nil {
		return l.Name
	}
	return ""
}

// Batch takes what the reader of one link delivered: slots, losses, the
// watermark, clock steps, and the echoes that VMs sent and got; this host's own
// are the probe's and not looked at. Nothing of b may change afterwards.
func (m *Monitor) Batch(b *flow.Batch) {
	if b.Steps > 0 && b.Offset != m.offset {
		m.clockStep(b.Drained, b.Offset)
	}
	l := m.link(b.Link)
	if l == nil {
		return
	}
	for _, s := range b.Slots {
		l.lookback.Add(s)
		m.drawLoad(l, s)
	}
	m.passiveBatch(b, l.drained)
	l.drained = max(l.drained, b.Drained)
}

// clockStep moves the wall clock; nothing that is measured depends on it.
func (m *Monitor) clockStep(at flow.Time, o flow.WallOffset) {
	moved := time.Duration(o - m.offset)
	m.offset = o
	m.steps = append(m.steps, at)
	if len(m.steps) > maxChanges {
		m.steps = slices.Delete(m.steps, 0, maxChanges/2)
	}
	m.stepStrips(moved)
	m.note(at, "somebody set the clock by "+signedSeconds(moved)+"; what is measured does not depend on it")
}

// Counters takes a reading of the kernel's counters.
func (m *Monitor) Counters(c []flow.LinkCounters) {
	for _, r := range c {
		l := m.link(r.Link)
		if l == nil {
			continue
		}
		if n := len(l.counters); n > 0 && l.counters[n-1].At > r.At {
			continue // read before the last one: a late delivery adds nothing
		}
		if n := len(l.counters); n == maxCounters || n > 64 && l.counters[n/4].At < r.At.Add(-counterMemory) {
			l.counters = slices.Delete(l.counters, 0, n/4)
		}
		l.counters = append(l.counters, r)
	}
}

// LinkChange says what happened to a link: change is down, up, renamed, left,
// joined, speed, lacp or role (as in the link event of headless); was and now
// are its values in words.
func (m *Monitor) LinkChange(at flow.Time, name, change, was, now string) {
	if len(m.changes) == maxChanges {
		m.changes = slices.Delete(m.changes, 0, maxChanges/2)
	}
	m.changes = append(m.changes, linkEvent{at, name, change, was, now})
}

// countersAround returns the last reading at or before from and the first one
// at or after to, or the nearest ones there are; ok is false without two.
func (l *link) countersAround(from, to flow.Time) (first, last flow.LinkCounters, ok bool) {
	if len(l.counters) < 2 {
		return first, last, false
	}
	at := func(t flow.Time) int {
		i, _ := slices.BinarySearchFunc(l.counters, t, func(c flow.LinkCounters, t flow.Time) int { return int(c.At - t) })
		return i
	}
	a, b := at(from), min(at(to), len(l.counters)-1)
	if a == len(l.counters) || a > 0 && l.counters[a].At > from {
		a--
	}
	return l.counters[a], l.counters[b], a < b
}

// queueSlack is how far from the echo's time a reading of the queue still tells
// about it: readings are 100 ms apart.
const queueSlack = 120 * time.Millisecond

// queueAround returns the highest backlog of the link's qdisc around [from, to)
// and whether a neighbour was being resolved then; known is false if nothing was
// read at that time.
func (l *link) queueAround(from, to flow.Time) (backlog uint64, pending, known bool) {
	from, to = from.Add(-queueSlack), to.Add(queueSlack)
	for i := len(l.counters) - 1; i >= 0 && l.counters[i].At >= from; i-- {
		if c := &l.counters[i]; c.At <= to {
			known = true
			backlog = max(backlog, c.QdiscBacklogBytes)
			pending = pending || c.NeighbourPending
		}
	}
	return backlog, pending, known
}

// minBacklog is what lies in a qdisc at any moment of a busy link without
// meaning anything: two full frames.
const minBacklog = 3100

// explainsQueue reports whether what waited in l's qdisc around [from, to), or a
// neighbour that was being resolved, explains that an echo waited that long in
// this host: the backlog must take at least a third of that time to leave at the
// rate at which the link was sending.
func (l *link) explainsQueue(from, to flow.Time) bool {
	backlog, pending, _ := l.queueAround(from, to)
	return pending || l.drainsIn(backlog, from, to) >= to.Sub(from)/3 && backlog >= minBacklog
}

// drainsIn is how long backlog bytes need at the rate the link sent in [from, to).
func (l *link) drainsIn(backlog uint64, from, to flow.Time) time.Duration {
	if backlog == 0 {
		return 0
	}
	rate := binRate(l.lookback.Bins(from, max(to, from.Add(flow.SlotLen))), flow.Tx)
	if rate <= 0 {
		return time.Hour // it holds something and sends nothing: paused
	}
	return time.Duration(min(float64(backlog)*8/rate, 3600) * float64(time.Second))
}

// binRate is the mean rate of those bins that are known, in bit/s; -1 if none is.
func binRate(b flow.BinSeries, d flow.Direction) float64 {
	var sum uint64
	n := 0
	for i, ok := range b.Valid {
		if ok {
			sum += b.Bytes[d][i]
			n++
		}
	}
	if n == 0 {
		return -1
	}
	return float64(sum) * 8 / (time.Duration(n) * flow.BinLen).Seconds()
}
