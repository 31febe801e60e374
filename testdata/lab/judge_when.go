package lab

import (
	"slices"
	"strings"
	"time"

	"spiketop/incident"
)

func (j *judge) verdict(in *incident.Incident) {
	one := func(what, got string, want []string) {
		if len(want) > 0 && !slices.Contains(want, got) {
			j.failf("%s %q, want %s (%s)", what, got, strings.Join(want, " or "), in.Verdict.Sentence)
		}
	}
	one("trigger", in.Trigger.Kind, j.s.Triggers)
	one("segment", in.Path.VerdictSegment, j.s.Segments)
	one("cause", in.Verdict.Cause, j.s.Causes)
	if j.s.Direction != "" {
		one("direction", in.Verdict.Direction, []string{j.s.Direction})
	}
	if on := map[string]string{"member": j.t.Member, "other": j.t.Other}[j.s.On]; on != "" {
		one("link", in.Verdict.Link, []string{on})
	}
	j.whose(in)
}

// whose: the guilty echo is of spiketop or of a VM as the scenario says; where both
// wait and either may be the first, a VM's late one is named at least.
func (j *judge) whose(in *incident.Incident) {
	vm := in.Trigger.Src != ""
	switch {
	case j.s.Pings == "any":
		between := "between 023471 and " + j.t.Member
		if !vm && !slices.ContainsFunc(in.Verdict.Evidence, func(line string) bool { return strings.Contains(line, between) }) {
			j.failf("no echo of a VM is named that waited %s: %q", between, in.Verdict.Evidence)
		}
	case vm != (j.s.Pings == "vm"):
		j.failf("the guilty echo is from %q, want one of %s", in.Trigger.Src, map[bool]string{true: "a VM", false: "spiketop itself"}[!vm])
	}
}

// when: the guilty echo is one of the truth's, the first of them for the first
// incident, and the spike event came when it passed the threshold; all within 300 ms.
func (j *judge) when(in *incident.Incident) {
	const tolerance = 300 * time.Millisecond
	bad := append(slices.Clone(j.late), j.lost...)
	slices.SortFunc(bad, func(a, b Echo) int { return a.Out.Compare(b.Out) })
	if len(bad) == 0 {
		j.failf("an incident at %v, though no echo was late or lost", in.Trigger.Sent)
		return
	}
	near := func(e Echo) bool { return in.Trigger.Sent.Sub(e.Out).Abs() <= tolerance }
	first := in == j.said.Incidents[0] && in.Trigger.Kind != incident.KindLoss // one loss is none yet
	if first && !near(bad[0]) || !slices.ContainsFunc(bad, near) {
		j.failf("the guilty echo was sent %v after the first that was late", in.Trigger.Sent.Sub(bad[0].Out))
	}
	if in.Trigger.Kind == incident.KindLoss {
		return
	}
	passed := in.Trigger.Sent.Add(Threshold)
	if !slices.ContainsFunc(j.said.Spikes, func(at time.Time) bool { return at.Sub(passed).Abs() <= tolerance }) {
		j.failf("no spike event within %v of the threshold being passed; they came at %v", tolerance, since(passed, j.said.Spikes))
	}
}

// guilty: the members by which the guilty echo left and its answer came are those
// on which tcpdump saw them.
func (j *judge) guilty(in *incident.Incident) {
	if in.Trigger.Member == "" || in.Trigger.ReplyMember == "" && in.Trigger.Kind == incident.KindRTT {
		j.failf("the guilty echo left by %q and came back by %q: a member is not said", in.Trigger.Member, in.Trigger.ReplyMember)
	}
	if in.Trigger.Src == "" && j.s.Direction == "tx" {
		return // it waits before tcpdump sees it, and the other member's of the same number may pass it
	}
	out, back := j.t.Ways(in.Trigger.Seq, in.Trigger.Sent)
	for _, w := range []struct{ what, said, truth string }{{"left", in.Trigger.Member, out}, {"came back", in.Trigger.ReplyMember, back}} {
		if w.said != "" && w.truth != "" && w.said != w.truth {
			j.failf("the guilty echo %d %s by %s, tcpdump saw it on %s", in.Trigger.Seq, w.what, w.said, w.truth)
		}
	}
}

func since(t time.Time, at []time.Time) (out []time.Duration) {
	for _, a := range at {
		out = append(out, a.Sub(t).Round(time.Millisecond))
	}
	return out
}
