package probe

import (
	"time"

	"spiketop/flow"
)

const (
	// resumeFor is how long after a pause the goroutines of this process may need
	// until they have read what had piled up.
	resumeFor = 20 * time.Millisecond
	// wakeSlack is how soon after a pause an answer must come to the socket to be
	// suspected of having waited there.
	wakeSlack = 50 * time.Millisecond
)

// Tick judges what is outstanding at now and returns what changed since the
// last Tick, in order; the slice belongs to the caller.
func (s *Set) Tick(now flow.Time) []Sample {
	s.advance(max(now, s.now))
	for _, t := range s.targets {
		s.judgeAll(t)
	}
	s.expireHeld()
	old := s.now.Add(-s.cfg.LossAfter - 3*patience)
	s.gaps, s.stops = forget(s.gaps, old), forget(s.stops, old)
	out := s.out
	s.out = nil
	return out
}

// advance notes how far the events have been read. What arrived before the last
// Tick has had the time since then to reach the channel and the owner. After a
// pause that time was no time: then the Tick before it counts.
func (s *Set) advance(now flow.Time) {
	if s.ticks++; s.ticks == 1 {
		s.now, s.prev, s.heard = now, now, now
		return
	}
	if now.Sub(s.now) > s.cfg.Stall {
		s.stops = remember(s.stops, gap{s.now, now})
		s.paused, s.resumed = true, now
		s.heard = max(s.heard, s.prev)
	} else if s.paused {
		s.paused = now.Sub(s.resumed) < resumeFor
		s.heard = max(s.heard, s.prev)
	} else {
		s.heard = max(s.heard, s.now)
	}
	s.prev, s.now = s.now, now
}

func forget(gaps []gap, before flow.Time) []gap {
	n := 0
	for n < len(gaps) && gaps[n].to < before {
		n++
	}
	return append(gaps[:0], gaps[n:]...)
}

func (s *Set) judgeAll(t *target) {
	kept := t.flights[:0]
	for i := range t.flights {
		f := t.flights[i]
		if m, ok := s.verdict(t, &f); ok {
			s.finish(t, &f, m)
			continue
		}
		if a := s.age(t, &f); a > s.cfg.Interval && a > f.age {
			f.age = a
			s.report(t, &f, Sample{Age: a})
		}
		kept = append(kept, f)
	}
	clear(t.flights[len(kept):])
	t.flights = kept
}

// ringsTell reports whether t's answers would be seen on the rings.
func (s *Set) ringsTell(t *target) bool {
	return t.Captured && t.unseen < elsewhere && len(s.links) > 0
}

// age is how long f has surely been without an answer.
func (s *Set) age(t *target, f *flight) time.Duration {
	if f.hasReceived {
		return 0
	}
	upTo := s.heard
	if f.reply.ok {
		upTo = min(upTo, f.reply.at)
	}
	if s.ringsTell(t) {
		upTo = min(upTo, s.watermark())
		for _, g := range s.gaps {
			if g.overlaps(f.sent, upTo) {
				upTo = g.from
			}
		}
	} else if f.unsure {
		return 0
	}
	return upTo.Sub(f.sent)
}

// measure gives f its final state at once if the socket and the rings agree on
// it, removes it and reports true.
func (s *Set) measure(t *target, f *flight) bool {
	m, ok := s.byKernel(f)
	if ok {
		s.finish(t, f, m)
		t.drop(f)
	}
	return ok
}

// verdict returns f's final state, if it is known by now.
func (s *Set) verdict(t *target, f *flight) (Sample, bool) {
	if m, ok := s.byKernel(f); ok {
		return m, true
	}
	if f.hasReceived {
		return s.byUser(t, f)
	}
	if f.reply.ok && s.heard.Sub(f.reply.at) >= wakeupMost && f.consistent(s.now) {
		return s.answered(f), true // the event is missing
	}
	return s.unanswered(t, f)
}

// byKernel measures f by the stamps of the rings, if all are there and the
// answer's arrival at the socket confirms them.
func (s *Set) byKernel(f *flight) (Sample, bool) {
	if !f.reply.ok || !f.hasReceived || !f.consistent(f.received) {
		return Sample{}, false
	}
	if !f.request.ok && s.watermark() < f.reply.at && s.heard.Sub(f.received) < patience {
		return Sample{}, false // the request may still lie in another ring
	}
	return s.answered(f), true
}

// consistent reports whether the stamps of the rings can be true: in order,
// the first between the sender's last sign of life and the return from the
// write, the last not after read, when the answer had surely come. Where the
// wall clock was set meanwhile, they cannot be trusted.
func (f *flight) consistent(read flow.Time) bool {
	first := f.reply.stamp
	if f.request.ok {
		first = f.request.stamp
		if stepped(f.request.offset, f.reply.offset) || f.request.at < first.Add(-tolerance) || f.reply.at < f.request.at.Add(-tolerance) {
			return false
		}
	}
	return !f.stepped && f.plausible(first) && f.reply.at >= first.Add(-tolerance) && f.reply.at <= read.Add(tolerance)
}

// answered is the measurement of a consistent flight.
func (s *Set) answered(f *flight) Sample {
	if f.reply.at.Sub(f.sent) > s.cfg.LossAfter {
		f.run.target.stats.Late++
		return Sample{State: Lost}
	}
	f.run.target.unseen = 0
	m := Sample{State: Answered, Source: ByKernel, Queue: None, Wire: None, Wakeup: None, Own: None}
	first := f.reply.stamp
	if f.request.ok {
		first = f.request.stamp
		out := max(f.request.at, first)
		m.Queue, m.Own = f.queue()
		m.Wire = max(f.reply.at.Sub(out), 0)
		m.RTT = m.Queue + m.Wire
	} else {
		m.RTT = max(f.reply.at.Sub(first), 0)
	}
	if f.hasReceived {
		m.Wakeup = max(f.received.Sub(f.reply.at), 0)
	}
	return m
}

// queue is the time from the payload's stamp to the NIC, and this process's own
// part of it; None if unknown.
func (f *flight) queue() (queue, own time.Duration) {
	if !f.request.ok || f.stepped || !f.plausible(f.request.stamp) || f.request.at < f.request.stamp.Add(-tolerance) {
		return None, None
	}
	queue = max(f.request.at.Sub(f.request.stamp), 0)
	return queue, min(max(f.sent.Sub(f.request.stamp), 0), queue)
}

// byUser measures f by this process's own clock, once no stamp is to be hoped
// for.
func (s *Set) byUser(t *target, f *flight) (Sample, bool) {
	tell := s.ringsTell(t)
	drained := s.watermark() >= f.received
	if tell && !drained && s.heard.Sub(f.received) < patience && !(f.request.ok && f.reply.ok) {
		return Sample{}, false
	}
	if tell && drained && !f.reply.ok && !s.overflowed(f.sent, f.received) {
		t.unseen++
	}
	rtt := f.received.Sub(f.sent)
	switch {
	case s.waited(f):
		return Sample{State: Uncertain}, true
	case rtt > s.cfg.LossAfter:
		t.stats.Late++
		return Sample{State: Lost}, true
	}
	return Sample{State: Answered, Source: ByUser, RTT: rtt, Queue: None, Wire: None, Wakeup: None, Own: None}, true
}

// waited reports whether f's answer may have waited at the socket because this
// process was stopped, so that its own clock says nothing about the network.
func (s *Set) waited(f *flight) bool {
	for _, g := range s.stops {
		pause := min(g.to, f.received).Sub(max(g.from, f.sent))
		if pause > s.cfg.Stall && f.received.Sub(g.to) <= wakeSlack {
			return true
		}
	}
	return false
}

func (s *Set) overflowed(from, to flow.Time) bool {
	for _, g := range s.gaps {
		if g.overlaps(from, to) {
			return true
		}
	}
	return false
}

// unanswered judges a flight without any usable answer after its deadline.
func (s *Set) unanswered(t *target, f *flight) (Sample, bool) {
	deadline := f.sent.Add(s.cfg.LossAfter)
	if s.heard < deadline {
		return Sample{}, false
	}
	if !s.ringsTell(t) {
		if f.unsure || f.reply.ok {
			return Sample{State: Uncertain}, true
		}
		return Sample{State: Lost}, true
	}
	if s.watermark() < deadline {
		// A ring that nobody drains must not keep the echo for ever.
		return Sample{State: Uncertain}, s.heard.Sub(deadline) >= patience
	}
	if f.reply.ok || s.overflowed(f.sent, deadline) {
		return Sample{State: Uncertain}, true
	}
	return Sample{State: Lost}, true
}
