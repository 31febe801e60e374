package lab

import (
	"fmt"
	"strings"
	"time"
)

// A program that sees nothing and says nothing would pass where nothing must be
// found. So in every run its pings must go on, its capture must be whole, and the
// clock's steps must be noted.

// pingEvery is spiketop's --ping-interval, by each member.
const pingEvery = 100 * time.Millisecond

// counted: no summary says that frames were missed, nothing was lost, and there
// were as many summaries as the time had tens of seconds.
func (j *judge) counted() {
	if len(j.said.Lost) > 0 {
		j.failf("spiketop lost something: %s", strings.Join(j.said.Lost, " "))
	}
	if least := int(j.t.Stopped.Sub(j.t.Began)/(10*time.Second)) - 1; len(j.said.Summaries) < least {
		j.failf("%d summaries in %v", len(j.said.Summaries), j.t.Stopped.Sub(j.t.Began).Round(time.Second))
	}
	for _, s := range j.said.Summaries {
		if len(s.Links) != len(Members) {
			j.failf("a summary of %d links", len(s.Links))
		}
		for _, l := range s.Links {
			if l.Drops > 0 || l.Coverage == nil && j.carried(l.Name, s.At) || l.Coverage != nil && *l.Coverage < 0.99 {
				j.failf("%s at %s: coverage %s, %d frames lost", l.Name, s.At.Format("15:04:05"), ratio(l.Coverage), l.Drops)
			}
		}
	}
}

// pinged: spiketop's own echoes went out by the run's member all the time, by
// tcpdump: four in five of those that were due, and some in the last two seconds.
// The clock's steps spoil single stamps, so echoes are counted, not held apart.
func (j *judge) pinged() {
	sent, last := 0, 0
	for _, p := range j.t.Frames[j.t.Member] {
		if p.Type != 8 || p.Proto != 1 || !j.t.own(p.ID) {
			continue
		}
		sent++
		if d := j.t.Stopped.Sub(p.At); d >= 0 && d < 2*time.Second {
			last++
		}
	}
	due := float64(j.t.Stopped.Sub(j.t.Began)-time.Second-j.s.Gap) / float64(pingEvery)
	if float64(sent) < 0.8*due {
		j.failf("%d own echoes left by %s, some %.0f were due", sent, j.t.Member, due)
	}
	if last == 0 && j.t.Stalled(j.t.Stopped.Add(-2*time.Second), j.t.Stopped) < time.Second {
		j.failf("no own echo left by %s in the last two seconds", j.t.Member)
	}
}

// own reports whether an echo id is of spiketop's.
func (t *Truth) own(id uint16) bool {
	for _, e := range t.Own {
		if e.ID == id {
			return true
		}
	}
	return false
}

// notes: each step of the clock is noted, in order, within 50 ms of what was
// measured; and no step that was not.
func (j *judge) notes() {
	if j.s.Notes != "clock" {
		return
	}
	var said []float64
	for _, n := range j.said.Notes {
		var by float64
		if _, err := fmt.Sscanf(n, "somebody set the clock by %f s", &by); err == nil {
			said = append(said, by)
		}
	}
	if len(said) != len(j.t.Steps) || len(said) == 0 {
		j.failf("%d notes of a clock that was set %d times: %v, %v", len(said), len(j.t.Steps), said, j.t.Steps)
		return
	}
	for i, s := range j.t.Steps {
		if d := said[i] - s.By.Seconds(); d > 0.05 || d < -0.05 {
			j.failf("a note of a step by %.3f s that was %.3f s", said[i], s.By.Seconds())
		}
	}
}

// carried reports whether tcpdump saw frames on a member in the 10 s before at: of
// a member that was down so long, no coverage can be said.
func (j *judge) carried(member string, at time.Time) bool {
	from, to := at.Add(-9*time.Second), at.Add(-time.Second)
	return j.t.Sum(member, false, from, to, nil)+j.t.Sum(member, true, from, to, nil) > 0
}
