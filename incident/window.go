package incident

import (
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// Times of an incident.
const (
	windowBefore  = 500 * time.Millisecond // of the window, before the guilty echo was sent
	windowAfter   = 200 * time.Millisecond // after the last one came back or was given up
	windowMax     = 20 * time.Second
	seriesMargin  = 5 * time.Second // of series and pings, on both sides of the window
	baselineSpan  = 30 * time.Second
	sealPatience  = 1500 * time.Millisecond // for slots that do not come, of time in which this process ran
	givenUpAfter  = 2 * time.Second         // an echo without answer is lost
	manualBefore  = 2 * time.Second         // how much earlier than the key the person saw what is meant
	windowsMemory = 90 * time.Second        // how long other incidents' windows are kept out of baselines
)

// slotFloor and slotCeil round to slots of 100 ms of wall time.
func slotFloor(o flow.WallOffset, t flow.Time) flow.Time { return o.SlotStart(t) }

func slotCeil(o flow.WallOffset, t flow.Time) flow.Time {
	s := o.SlotStart(t)
	if s < t {
		s = s.Add(flow.SlotLen)
	}
	return s
}

// began is where the time of an echo begins to run.
func began(e *probe.Sample) flow.Time {
	if e.Began != 0 {
		return e.Began
	}
	return e.Sent
}

// windowFrom is the begin of the window of an echo sent at sent.
func windowFrom(o flow.WallOffset, sent flow.Time) flow.Time {
	return slotFloor(o, sent.Add(-windowBefore))
}

// windowTo is the end of a window whose last spike ended at end, at most
// [windowMax] after from; capped says that it would have been longer.
func windowTo(o flow.WallOffset, from, end flow.Time) (to flow.Time, capped bool) {
	to = slotCeil(o, end.Add(windowAfter))
	if limit := from.Add(windowMax); to > limit {
		return limit, true
	}
	return to, false
}

// echoEnd is when an echo came back or was given up. An echo that is still
// outstanding at now has waited until now.
func echoEnd(e *echo, now flow.Time) flow.Time {
	switch {
	case e.RTT >= 0 && e.Back != 0:
		return e.Back
	case e.RTT >= 0:
		return e.Sent.Add(e.RTT)
	case e.State == outstanding:
		return min(max(now, e.Sent), e.Sent.Add(givenUpAfter))
	}
	return e.Sent.Add(givenUpAfter)
}

// overlap is how long [from, to) and the spans have in common; the spans may
// overlap one another.
func overlap(spans []flow.Span, from, to flow.Time) time.Duration {
	var sum time.Duration
	done := from
	for _, s := range spans { // in order of From
		a, b := max(s.From, done), min(s.To, to)
		if b > a {
			sum += b.Sub(a)
			done = b
		}
	}
	return sum
}
