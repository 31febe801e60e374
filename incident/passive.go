package incident

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"spiketop/flow"
	"spiketop/probe"
	"spiketop/probe/hops"
)

// Bounds of what is remembered of VMs' pings.
const (
	maxVMSeries   = 512              // followed at a time
	maxVMEchoes   = 512              // kept of each: a minute at 8 a second
	vmIdle        = 60 * time.Second // a series that is silent for longer makes room
	vmAnswers     = 10               // before one of its echoes may trigger
	vmLegs        = 32               // durations of each kind of leg, for the median
	vmLate        = 32               // passages of late and lost echoes of a series
	vmLateMemory  = 90 * time.Second // how long they are kept
	maxPathEchoes = 8                // that an incident lists
	vmPerMinute   = perMinute - 2    // incidents that VMs' pings start
	vmPerHour     = perHour - 10
)

// passive is what is known of pings that VMs send and receive, from seeing them
// pass by.
type passive struct {
	live   *hops.Live
	series map[hops.SeriesKey]*target
	list   []*target // the same, by age
	full   bool      // it has been said that there are too many
	vifs   flow.Time // watermark
}

// vmSeries is what a target has that is a VM's ping and none of ours.
type vmSeries struct {
	key     hops.SeriesKey
	src     string
	answers int // that were judged
	used    flow.Time
	legs    [hops.LegKinds]legTimes
	late    []hops.Passage // of the echoes that were late or lost

	gap      time.Duration // between two echoes, smoothed
	lastN    int64         // newest one
	lastSent flow.Time
}

// legTimes are the last durations of one kind of leg in calm echoes.
type legTimes struct {
	last [vmLegs]time.Duration
	n    int
}

func (l *legTimes) add(d time.Duration) {
	l.last[l.n%vmLegs] = d
	l.n++
}

// median is None without any.
func (l *legTimes) median() time.Duration {
	n := min(l.n, vmLegs)
	if n == 0 {
		return probe.None
	}
	list := slices.Clone(l.last[:n])
	slices.Sort(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// VIFEchoes takes the echoes that were seen on vifs, those of links come with
// [Monitor.Batch]. Then VIFDrained says how far all vifs have been read.
func (m *Monitor) VIFEchoes(list []flow.Echo) {
	for i := range list {
		m.passing(&list[i])
	}
}

// VIFDrained says that everything that the vifs carried before upTo has been
// handed over, or is counted as lost. Where it stands still for 2 s, the echoes of
// VMs are judged without it.
func (m *Monitor) VIFDrained(upTo flow.Time) {
	m.passive.vifs = max(m.passive.vifs, upTo)
	m.passive.live.Drained(0, upTo)
}

// VIFLost says that echoes between from and to are missing on the vif with this
// ifindex, 0 = on any: what seems lost then is not known.
func (m *Monitor) VIFLost(vif int, from, to flow.Time) { m.passive.live.Gap(vif, from, to) }

// PassiveCounts say how many of VMs' echoes are held and were left out.
func (m *Monitor) PassiveCounts() hops.LiveCounts { return m.passive.live.Counts() }

// passing takes an echo that may be a VM's: this host's own are not, nor those
// that others send to this host.
func (m *Monitor) passing(e *flow.Echo) {
	src, dst := &e.Src, &e.Dst
	if e.Reply {
		src, dst = dst, src
	}
	if _, own := m.own[*src]; own {
		return
	}
	if _, own := m.own[*dst]; own && e.Link != 0 {
		return
	}
	m.passive.live.Echo(e)
}

// passiveBatch takes the echoes of a link.
func (m *Monitor) passiveBatch(b *flow.Batch, before flow.Time) {
	for i := range b.Echoes {
		m.passing(&b.Echoes[i])
	}
	if b.Lost > 0 {
		m.passive.live.Gap(0, before, b.LostAt)
	}
	m.passive.live.Drained(b.Link, b.Drained)
}

// passiveLinks tells the matcher which links count.
func (m *Monitor) passiveLinks() {
	var up []flow.LinkID
	for _, l := range m.links {
		if l.State == flow.LinkUp {
			up = append(up, l.ID)
		}
	}
	m.passive.live.SetLinks(up)
}

// judgePassive judges what became known of VMs' echoes.
func (m *Monitor) judgePassive() {
	list := m.passive.live.Tick(m.now)
	for i := range list {
		if t := m.vmTarget(&list[i]); t != nil {
			m.passedBy(t, &list[i])
		}
	}
	for _, t := range m.passive.list {
		m.endSilent(t)
		m.acceptShift(t)
		t.echoes.forget(m.now.Add(-echoMemory))
	}
}

// endSilent ends the episode of a ping that nobody sends any more: neither calm
// nor a new level would ever end it, and its place would be taken for ever.
func (m *Monitor) endSilent(t *target) {
	ep := t.ep
	if ep == nil || m.now.Sub(t.vm.used) <= vmIdle {
		return
	}
	ep.to, ep.endN, ep.inc = m.now, t.lastAnswered, nil
	t.ep, t.lastEp = nil, ep
}

// vmTarget returns the target that stands for a passage's series; nil where
// there are too many.
func (m *Monitor) vmTarget(p *hops.Passage) *target {
	key := p.Series()
	t := m.passive.series[key]
	if t == nil {
		if len(m.passive.list) >= maxVMSeries && !m.dropIdle() {
			if !m.passive.full {
				m.passive.full = true
				m.note(m.now, "more pings of VMs than are followed: some are not judged")
			}
			return nil
		}
		dst := echoAddr(p.Dst)
		t = &target{Target: probe.Target{Name: dst.String(), Addr: dst, Captured: true},
			vm: &vmSeries{key: key, src: echoAddr(p.Src).String()}}
		t.echoes.most = maxVMEchoes
		t.limits = t.base.thresholds(m.cfg.Spike)
		if m.passive.series == nil {
			m.passive.series = make(map[hops.SeriesKey]*target)
		}
		m.passive.series[key] = t
		m.passive.list = append(m.passive.list, t)
	}
	t.vm.used = m.now
	return t
}

func echoAddr(a [16]byte) netip.Addr { return netip.AddrFrom16(a).Unmap() }

// dropIdle forgets the series that has been silent for longest, if that is long
// and no incident tells of it.
func (m *Monitor) dropIdle() bool {
	oldest, at := m.now.Add(-vmIdle), -1
	for i, t := range m.passive.list {
		if t.vm.used < oldest && t.ep == nil && !slices.ContainsFunc(m.open, func(c *collecting) bool { return c.t == t }) {
			oldest, at = t.vm.used, i
		}
	}
	if at < 0 {
		return false
	}
	delete(m.passive.series, m.passive.list[at].vm.key)
	m.passive.list = slices.Delete(m.passive.list, at, at+1)
	return true
}

// sampleOf is a passage in the form in which own echoes are judged.
func sampleOf(p *hops.Passage) probe.Sample {
	s := probe.Sample{N: p.N, ID: p.ID, Seq: p.Seq, Sent: p.Sent(), Source: probe.ByKernel,
		RTT: probe.None, Queue: probe.None, Wire: probe.None, Wakeup: probe.None, Own: probe.None}
	out, in := &p.Spots[hops.Outgoing], &p.Spots[hops.Incoming]
	s.Member, s.ReplyMember = out.RequestLink, out.ReplyLink
	if s.Member == 0 {
		s.Member = in.ReplyLink
	}
	if s.ReplyMember == 0 {
		s.ReplyMember = in.RequestLink
	}
	switch p.State {
	case hops.Waiting:
		s.State, s.Age = probe.Outstanding, p.Age
	case hops.Returned:
		s.State = probe.Answered
		s.RTT, _ = p.RTT()
		s.RTT = max(s.RTT, 0)
	case hops.Unanswered:
		s.State = probe.Lost
	default:
		s.State = probe.Uncertain
	}
	return s
}

// passedBy judges a VM's echo like an own one.
func (m *Monitor) passedBy(t *target, p *hops.Passage) {
	t.vm.sent(p)
	if p.State != hops.Returned {
		t.vm.remember(p, m.now) // an incident that it starts shows it at once
	} else if rtt, _ := p.RTT(); rtt > t.threshold().mark || t.vm.find(p.N) != nil {
		t.vm.remember(p, m.now)
	}
	m.takeEcho(t, sampleOf(p))
	if p.State != hops.Returned {
		return
	}
	t.vm.answers++
	if e := t.echoes.get(p.N); e == nil || e.over || t.ep != nil {
		return
	}
	var took [hops.LegKinds]time.Duration
	var room [2 * hops.Places]hops.Leg
	seen := [hops.LegKinds]bool{}
	for _, l := range p.Legs(room[:]) {
		took[l.Kind] += l.Took()
		seen[l.Kind] = true
	}
	for k := range took {
		if seen[k] {
			t.vm.legs[k].add(took[k])
		}
	}
}

// interval is the time between two echoes of t. A VM chooses its own, and a
// single echo that is lost shows as lost only by the answer to the next one.
func (t *target) interval(ours time.Duration) time.Duration {
	if t.vm == nil {
		return ours
	}
	return max(ours, t.vm.gap+t.vm.gap/4)
}

// sent learns the time between two echoes, smoothed.
func (v *vmSeries) sent(p *hops.Passage) {
	if n := p.N - v.lastN; v.lastN > 0 && n > 0 {
		gap := p.Sent().Sub(v.lastSent) / time.Duration(n)
		if v.gap == 0 {
			v.gap = gap
		}
		v.gap += (gap - v.gap) / 4
	}
	if p.N > v.lastN {
		v.lastN, v.lastSent = p.N, p.Sent()
	}
}

// young reports whether t is a VM's ping of which too little is known to judge it.
func (t *target) young() bool { return t.vm != nil && t.vm.answers < vmAnswers }

// find returns the passage of the late or lost echo n, nil if it is not kept.
func (v *vmSeries) find(n int64) *hops.Passage {
	for i := range v.late {
		if v.late[i].N == n {
			return &v.late[i]
		}
	}
	return nil
}

// remember keeps the newest picture of an echo that is late or lost. Where there
// are too many, the one that waited least goes.
func (v *vmSeries) remember(p *hops.Passage, now flow.Time) {
	if have := v.find(p.N); have != nil {
		*have = *p
		return
	}
	v.late = slices.DeleteFunc(v.late, func(q hops.Passage) bool { return q.Sent() < now.Add(-vmLateMemory) })
	if len(v.late) < vmLate {
		v.late = append(v.late, *p)
		return
	}
	least := 0
	for i := range v.late {
		if waitOf(&v.late[i]) < waitOf(&v.late[least]) {
			least = i
		}
	}
	if waitOf(&v.late[least]) < waitOf(p) {
		v.late[least] = *p
	}
}

// waitOf is how long an echo has been waited for.
func waitOf(p *hops.Passage) time.Duration {
	switch p.State {
	case hops.Returned:
		rtt, _ := p.RTT()
		return rtt
	case hops.Waiting:
		return p.Age
	case hops.Unanswered:
		return givenUpAfter
	}
	return math.MinInt64
}

// vmAllowed is the rate limit of incidents that VMs' pings start: a third below that
// of all, so that a VM with a bad line leaves room for what this host finds itself.
func (m *Monitor) vmAllowed(c *collecting) bool {
	if c.t == nil || c.t.vm == nil {
		return true
	}
	m.vmStarted = slices.DeleteFunc(m.vmStarted, func(t flow.Time) bool { return m.now.Sub(t) >= time.Hour })
	last := 0
	for _, t := range m.vmStarted {
		if m.now.Sub(t) < time.Minute {
			last++
		}
	}
	if last >= vmPerMinute || len(m.vmStarted) >= vmPerHour {
		return false
	}
	m.vmStarted = append(m.vmStarted, m.now)
	return true
}

// takeOver makes an own echo the guilty one of an incident that a VM's echo has
// started: it is measured nearer, and somebody has chosen what it is sent to. The
// VM's echo stays in the path.
func (m *Monitor) takeOver(c *collecting, t *target, e *echo, kind, rule string) {
	th := t.threshold()
	c.t, c.kind, c.rule, c.guilty, c.usual = t, kind, rule, e.Sample, t.usualMember
	c.baseline, c.threshold, c.outstanding, c.sent = th.median, th.freeze, probe.None, e.Sent
	if kind == KindLoss {
		c.threshold = probe.None
	}
	if kind == KindOutstanding {
		c.outstanding = e.Age
	}
	c.end = max(c.end, e.Sent)
	if from := windowFrom(c.offset, began(&e.Sample)); from < c.from {
		c.from, c.win, c.baseDone = from, nil, false
		m.takeBaseline(c)
		m.sumBaseline(c, baseFirst)
	}
	if l := m.lineOf(c.id); l != nil && c.id != "" {
		l.base = "" // it does not clash with itself
		base := NewID(c.offset.Wall(c.sent), t.name())
		c.was, c.id = c.id, m.uniqueID(base)
		l.base, l.ID, l.sent, l.At, l.Target = base, c.id, c.sent, c.wall(m, c.sent), t.name()
	}
	m.sayGuilty(c, e)
}

// sayGuilty reports the echo that c is about.
func (m *Monitor) sayGuilty(c *collecting, e *echo) {
	s := Spike{At: m.wall(m.now), Kind: c.kind, Target: c.t.name(), Member: m.leftBy(c.t, e.Member), N: e.N, Seq: e.Seq,
		Outstanding: c.outstanding, RTT: e.RTT, Threshold: c.threshold, Suppressed: c.suppressed}
	if v := c.t.vm; v != nil {
		s.Src, s.EchoID = v.src, e.ID
		if p := v.find(e.N); p != nil {
			s.Point = m.pointName(p, p.Entry)
		}
	}
	m.out.Spikes = append(m.out.Spikes, s)
}
