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
	if j.s.Incidents[0] == 0 {
		return j.voidControl()
	}
	if why := j.nothingHappened(); why != "" {
		return why
	}
	if why := j.idle(); why != "" && len(j.late) > 0 {
		return why
	}
	if j.s.VMPing == "calm" {
		if late, _ := j.t.Late(j.t.VMEchoes()); len(late) > 0 {
			return fmt.Sprintf("an echo between the VMs was late too, by %v: there was nothing that only spiketop's ping could see", late[0].RTT())
		}
	}
	if gap := j.t.lacpGap(); slices.Equal(j.s.Triggers, []string{"loss"}) && gap > lacpPatience {
		return fmt.Sprintf("LACP itself lost its frames for %v: the member changed", gap.Round(time.Millisecond))
	}
	return stalled(j.t.Stalled(j.eventful()))
}

// voidControl is void for a run in which nothing must be reported: if all that was
// reported is the guest's doing. One incident without excuse, and the run counts.
func (j *judge) voidControl() (why string) {
	for _, in := range j.said.Incidents {
		excuse := j.excuse(in.Trigger.Sent, in.Window.To)
		if excuse == "" {
			return ""
		}
		why = excuse
	}
	if why == "" && j.s.Incidents[1] == 0 && len(j.late) > 0 {
		return fmt.Sprintf("tcpdump itself saw an echo of %v", j.late[0].RTT())
	}
	return why
}

// excuse says what in the guest may have made an incident, or "".
func (j *judge) excuse(sent, to time.Time) string {
	if why := stalled(j.t.Stalled(sent.Add(-200*time.Millisecond), to)); why != "" {
		return why
	}
	if j.s.Incidents[1] > 0 {
		return ""
	}
	for _, e := range append(slices.Clone(j.late), j.lost...) {
		if e.Out.Sub(sent).Abs() < 300*time.Millisecond {
			return fmt.Sprintf("tcpdump itself saw an echo of %v", e.RTT())
		}
	}
	return ""
}

// nothingHappened says that no echo was late or lost as the scenario wants it. Not
// so if spiketop reports an incident all the same, or if the pings between the VMs
// went the same way and were late: then its own echoes are what is missing.
func (j *judge) nothingHappened() string {
	bad, what := j.late, "late"
	if slices.Equal(j.s.Triggers, []string{"loss"}) {
		bad, what = j.lost, "lost"
	}
	if len(bad) > 0 {
		return ""
	}
	from, to := j.t.Begin.Add(-200*time.Millisecond), j.t.End.Add(time.Second)
	if j.t.Stalled(from, to) == 0 && (len(j.said.Incidents) > 0 || j.vmsWaited()) {
		return ""
	}
	return fmt.Sprintf("no echo was %s, so there was nothing to find", what)
}

// vmsWaited reports whether echoes between the VMs, which take the run's member,
// were well beyond the threshold though spiketop's were not.
func (j *judge) vmsWaited() bool {
	late, _ := j.t.Late(j.t.VMEchoes())
	return slices.ContainsFunc(late, func(e Echo) bool { return e.RTT() > 3*Threshold/2 }) && j.s.Pings == "own" && j.s.On != "other"
}

// lacpPatience is after how long without LACP's frames a bond with lacp_rate fast
// gives its partner up, with some room: IEEE 802.1AX short timeout, 3 s.
const lacpPatience = 2500 * time.Millisecond

// lacpGap is the longest time without a frame of LACP from the switch on the
// run's member while the script ran.
func (t *Truth) lacpGap() (gap time.Duration) {
	const slowProtocols = 0x8809
	last := t.Begin
	for _, p := range t.Frames[t.Member] {
		if p.Ether == slowProtocols && !t.tx[p.MAC] && p.At.After(last) {
			if last.Before(t.End) {
				gap = max(gap, p.At.Sub(last))
			}
			last = p.At
		}
	}
	return gap
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
