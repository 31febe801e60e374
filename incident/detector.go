package incident

import (
	"fmt"
	"time"

	"spiketop/probe"
)

// take judges one report about an echo.
func (m *Monitor) take(s probe.Sample) {
	if t := m.target(s.Target); t != nil {
		m.takeEcho(t, s)
	}
}

// takeEcho judges one report about an echo of t.
func (m *Monitor) takeEcho(t *target, s probe.Sample) {
	e, _ := t.echoes.put(s)
	if e == nil {
		return
	}
	if s.Member != 0 {
		t.member = s.Member
	}
	if s.ReplyMember != 0 {
		t.replyMember = s.ReplyMember
	}
	switch s.State {
	case probe.Outstanding:
		m.waiting(t, e)
	case probe.Answered:
		m.answered(t, e)
	case probe.Lost:
		m.lost(t, e)
	case probe.Uncertain:
		e.judged = true
	}
	if s.State != probe.Outstanding {
		m.settled(t, e)
	}
	m.drawEcho(t, e)
}

// waiting judges an echo without answer. It is late when its age passes the
// threshold by one interval and no later echo has been answered: one echo that
// was merely lost is none of it.
func (m *Monitor) waiting(t *target, e *echo) {
	if e.Cleared {
		t.lastAnswered = max(t.lastAnswered, e.N)
		return
	}
	th := t.threshold()
	e.mark = e.Age > th.mark
	if e.over || e.N <= t.lastAnswered || t.lastAnswered == 0 || t.young() {
		return // a host that has never answered is no spike: a wrong name, a firewall
	}
	limit := th.freeze + t.interval(m.cfg.Interval)
	if t.ep == nil && !t.lossGone(e.N) {
		limit = max(limit, lossyPatience)
	}
	if e.Age <= limit || m.weigh(t, e, e.Age, limit) != genuine {
		return // the next report tells more
	}
	e.over = true
	m.spike(t, e, KindOutstanding, th.rule)
}

// answered judges an RTT.
func (m *Monitor) answered(t *target, e *echo) {
	t.lastAnswered = max(t.lastAnswered, e.N)
	if t.firstAnswered == 0 {
		t.firstAnswered = e.N
	}
	th := t.threshold()
	e.mark, e.self = e.RTT > th.mark, false
	if e.over && !e.judged { // it fired while it was outstanding
		e.judged = true
		m.learn(t, e)
		return
	}
	if e.RTT <= th.freeze || t.young() {
		m.calm(t, e)
		return
	}
	switch m.weigh(t, e, e.RTT, th.freeze) {
	case genuine:
		m.passed(t, e)
	case own:
		m.blameSelf(t, e)
	case undecided:
		m.suspect = append(m.suspect, suspect{t: t, n: e.N, since: m.ran})
	}
}

// passed takes an RTT over the threshold that is not this process's fault.
func (m *Monitor) passed(t *target, e *echo) {
	first := !e.judged || !e.over
	e.judged, e.over, e.self = true, true, false
	m.learn(t, e)
	if first {
		m.spike(t, e, KindRTT, t.threshold().rule)
	}
}

// neverAnswered says once that a target is silent from the start.
func (m *Monitor) neverAnswered(t *target) {
	if t.silent {
		return
	}
	name := t.name()
	for _, o := range m.targets {
		if o.SameHost(&t.Target) && o.firstAnswered == 0 {
			o.silent = true
		} else if o.SameHost(&t.Target) {
			name = m.label(t)
		}
	}
	m.note(m.now, fmt.Sprintf("%s has not answered so far: nothing is judged by it", Clean(name)))
}

// calm takes an RTT below the threshold.
func (m *Monitor) calm(t *target, e *echo) {
	if e.judged {
		return
	}
	e.judged = true
	t.usualMember = e.Member
	m.learn(t, e)
	if t.ep != nil {
		m.calmInEpisode(t, e)
	}
}

// learn gives an RTT to the episode that runs, else to the baseline unless it is
// a spike: the baseline learns nothing from spikes.
func (m *Monitor) learn(t *target, e *echo) {
	if e.learned {
		return
	}
	if t.ep != nil {
		e.learned = true
		t.ep.learn(e, m.now)
	} else if !e.over {
		e.learned = true
		t.base.add(e.RTT)
		t.limits = t.base.thresholds(m.cfg.Spike)
	}
}

// appendLast appends v and keeps the last n values.
func appendLast(list []time.Duration, v time.Duration, n int) []time.Duration {
	if len(list) >= 2*n {
		list = append(list[:0], list[len(list)-n:]...)
	}
	return append(list, v)
}

// blameSelf marks an echo that is late because this process did not run.
func (m *Monitor) blameSelf(t *target, e *echo) {
	e.judged, e.self = true, true
	m.noteSelf(t, e)
}

// Loss freezes from two in a row or three of ten. While an earlier episode's loss
// goes on, an echo without answer is more likely to be the next lost one than a
// late one: it must be outstanding for lossyPatience.
const (
	lossRow       = 2
	lossOften     = 3
	lossOf        = 10
	lossyPatience = 500 * time.Millisecond
)

// lost judges an echo without answer 2 s after it was sent.
func (m *Monitor) lost(t *target, e *echo) {
	if e.judged {
		return
	}
	e.judged = true
	if !t.Captured && overlap(m.late, e.Sent, e.Sent.Add(givenUpAfter)) > givenUpAfter/4 {
		e.self = true // nobody was there to take the answer
		return
	}
	if t.young() {
		return
	}
	if t.firstAnswered == 0 || e.N < t.firstAnswered {
		t.lossEnd = e.N
		m.neverAnswered(t)
		return
	}
	if ep := m.episodeOf(t, e); ep != nil {
		m.extend(t, ep, e)
		t.lossEnd = max(t.lossEnd, e.N)
		return
	}
	guilty, rule := t.lossRule(e.N)
	if guilty == nil {
		return
	}
	t.lossEnd = e.N
	if !t.lossGone(guilty.N) {
		m.extend(t, t.lastEp, e) // the same loss goes on
		return
	}
	m.spike(t, guilty, KindLoss, rule)
}

// lossGone reports whether at some moment between the end of the last episode and
// echo n the last ten echoes were no loss any more. Only then a new episode may
// begin with a loss: five answers in a row, which end one, come again and again
// in a time of random loss, and it would be an incident each time.
func (t *target) lossGone(n int64) bool {
	if t.lastEp == nil {
		return true
	}
	for k := n - 1; k >= t.lastEp.endN; k-- {
		if !t.lossy(k) {
			return true
		}
	}
	return false
}

// lossy reports whether of the ten echoes up to number k two in a row or three
// were lost, as far as that is known.
func (t *target) lossy(k int64) bool {
	row, all := 0, 0
	for i := k - lossOf + 1; i <= k; i++ {
		if !t.missing(t.echoes.get(i)) {
			row = 0
			continue
		}
		row++
		if all++; row >= lossRow || all >= lossOften {
			return true
		}
	}
	return false
}

// missing reports whether e is lost, or will be: a later echo has been answered,
// and it is still out.
func (t *target) missing(e *echo) bool {
	switch {
	case e == nil || e.self:
		return false
	case e.State == probe.Outstanding:
		return !e.Cleared && e.N < t.lastAnswered && e.Age > t.threshold().freeze
	}
	return e.State == probe.Lost
}

// lossRule returns the first echo of a loss that counts, ending with echo n, and
// which rule found it. Losses that belong to an earlier episode do not count
// again, what is uncertain never does.
func (t *target) lossRule(n int64) (guilty *echo, rule string) {
	row, often := 0, 0
	unbroken := true
	var first, firstRow *echo
	for i := n; i > n-lossOf && i > t.lossEnd; i-- {
		e := t.echoes.get(i)
		if e == nil || e.State != probe.Lost || e.self {
			unbroken = false
			continue
		}
		often++
		first = e
		if unbroken {
			row++
			firstRow = e
		}
	}
	switch {
	case row >= lossRow:
		return firstRow, fmt.Sprintf("%d lost in a row", lossRow)
	case often >= lossOften:
		return first, fmt.Sprintf("%d of %d lost", lossOften, lossOf)
	}
	return nil, ""
}
