package probe

import (
	"cmp"
	"slices"

	"spiketop/flow"
)

// Lost says that packets between from and to are missing in the file.
func (h *Heard) Lost(from, to flow.Time) {
	h.gaps = remember(h.gaps, gap{min(from, to), max(from, to)})
}

// Drained says that every link has been read up to upTo.
func (h *Heard) Drained(upTo flow.Time) { h.upTo = max(h.upTo, upTo) }

// Tick judges what is outstanding at now and returns what changed since the last
// Tick, in order; the slice belongs to the caller.
func (h *Heard) Tick(now flow.Time) []Sample {
	h.now = max(h.now, now)
	for _, l := range h.lanes {
		kept := l.flights[:0]
		for i := range l.flights {
			f := l.flights[i]
			if !h.judge(l, &f) {
				kept = append(kept, f)
			}
		}
		l.flights = kept
	}
	h.gaps = forget(h.gaps, h.upTo.Add(-2*h.cfg.LossAfter))
	out := h.out
	h.out = nil
	return out
}

// judge reports an outstanding echo and says whether its fate is known.
func (h *Heard) judge(l *heardLane, f *heardFlight) (final bool) {
	deadline := f.sent.Add(h.cfg.LossAfter)
	upTo, hole := h.upTo, false
	for _, g := range h.gaps {
		if g.overlaps(f.sent, min(h.upTo, deadline)) {
			upTo, hole = min(upTo, g.from), true
		}
	}
	if h.upTo >= deadline {
		m := Sample{State: Lost}
		if hole {
			m.State = Uncertain
		}
		h.finish(l, f, m)
		return true
	}
	if l.gap > 0 {
		// A sender that is late with its next echo is stopped, and so may be whoever
		// would take the answer: until it goes on, waiting proves nothing.
		upTo = min(upTo, l.last.Add(l.gap*3/2))
	}
	if a := upTo.Sub(f.sent); a > h.cfg.Interval && a > f.age {
		f.age = a
		h.report(l, f, Sample{Age: a})
	}
	return false
}

func (h *Heard) report(l *heardLane, f *heardFlight, m Sample) {
	m.Target, m.N, m.ID, m.Seq, m.Sent, m.Began, m.Member = l.ID, f.n, f.id, f.seq, f.sent, f.sent, f.member
	if m.State == Answered {
		m.Back = f.sent.Add(m.RTT)
	} else {
		m.RTT, m.Wire, m.Wakeup, m.Queue, m.Own = None, None, None, f.queue, None
	}
	h.out = append(h.out, m)
}

func (h *Heard) finish(l *heardLane, f *heardFlight, m Sample) {
	h.report(l, f, m)
	switch m.State {
	case Answered:
		l.window.answered(h.now, m.RTT)
	case Lost:
		l.stats.Lost++
		l.window.miss(h.now)
	case Uncertain:
		l.stats.Unknown++
	}
}

// Changed reports once that Targets has changed.
func (h *Heard) Changed() bool {
	c := h.changed
	h.changed = false
	return c
}

// Targets returns the pings that are followed, those of one host together. The
// slice belongs to the caller.
func (h *Heard) Targets() []Target {
	var out []Target
	for _, l := range h.ordered() {
		out = append(out, l.Target)
	}
	return out
}

// Stats returns the statistics at the last Tick, in the order of Targets.
func (h *Heard) Stats() []Stats {
	var out []Stats
	for _, l := range h.ordered() {
		l.window.expire(h.now)
		s := l.stats
		l.window.fill(&s)
		out = append(out, s)
	}
	return out
}

// ordered lists the pings, each host's behind its first one.
func (h *Heard) ordered() []*heardLane {
	list := slices.Clone(h.lanes)
	slices.SortStableFunc(list, func(a, b *heardLane) int {
		return cmp.Compare(cmp.Or(a.Group, a.ID), cmp.Or(b.Group, b.ID))
	})
	return list
}

// Unfollowed is how many requests belonged to series for which there was no room.
func (h *Heard) Unfollowed() uint64 { return h.left }

// Series are those that are followed now.
func (h *Heard) Series() []SeriesKey {
	var out []SeriesKey
	for _, l := range h.lanes {
		out = append(out, l.key)
	}
	return out
}
