package lab

import (
	"fmt"
	"slices"
	"time"
)

// void says why the run proves nothing, or "". A stall can make a spike that was
// not meant, or spoil one; it cannot hide an incident where none must be, so a
// silent run is void only if something was reported during a stall.
func (j *judge) void() string {
	if j.s.Incidents[0] > 0 {
		loss := slices.Equal(j.s.Triggers, []string{"loss"})
		if !loss && len(j.late) == 0 {
			return "no echo was late, so there was nothing to find"
		}
		if loss && len(j.lost) == 0 {
			return "no echo was lost, so there was nothing to find"
		}
		if why := j.idle(); why != "" {
			return why
		}
		return stalled(j.t.Stalled(j.eventful()))
	}
	for _, in := range j.said.Incidents {
		if why := stalled(j.t.Stalled(in.Trigger.Sent.Add(-200*time.Millisecond), in.Window.To)); why != "" {
			return why
		}
	}
	if j.s.Incidents[1] == 0 && len(j.late) > 0 {
		return fmt.Sprintf("tcpdump itself saw an echo of %v", j.late[0].RTT())
	}
	return ""
}

// idle says which culprit delayed no echo, and so gave nothing to find.
func (j *judge) idle() string {
	for _, b := range j.t.Senders {
		delayed := func(e Echo) bool { return e.In.After(b.From) && e.Out.Before(b.To.Add(500*time.Millisecond)) }
		if slices.Contains(j.s.Culprits, b.Name) && !slices.ContainsFunc(j.late, delayed) {
			return fmt.Sprintf("%s (%s) delayed no echo", b.Name, b.Src)
		}
	}
	return ""
}

// eventful is the time in which the run's claims are made: from the first late
// or lost echo and the first burst to the last, and 100 ms around.
func (j *judge) eventful() (from, to time.Time) {
	for _, e := range j.late {
		from, to = earlier(from, e.Out), later(to, e.In)
	}
	for _, e := range j.lost {
		from, to = earlier(from, e.Out), later(to, e.Out)
	}
	for _, b := range j.t.Senders {
		if !b.Flood {
			from, to = earlier(from, b.From), later(to, b.To)
		}
	}
	return from.Add(-100 * time.Millisecond), to.Add(100 * time.Millisecond)
}

func stalled(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("the guest stood still for %v meanwhile", d.Round(time.Millisecond))
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
