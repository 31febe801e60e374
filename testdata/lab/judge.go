package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Outcomes of a run.
const (
	Pass   = "pass"
	Fail   = "FAIL"
	Void   = "void" // the run proves nothing: something stood still, or did not happen
	NotYet = "not yet"
)

// Result is one line of the table.
type Result struct {
	Scenario, Member string
	Truth, Said      string
	Outcome          string
	Why              []string // of a FAIL or void
}

// Judge compares what spiketop said in a run with the truth.
func Judge(s *Scenario, dir string) Result {
	r := Result{Scenario: s.Name, Outcome: Pass}
	truth, err := ReadTruth(dir)
	switch {
	case err != nil:
		return r.void("%v", err)
	case truth.Failed != "":
		return r.void("%s", truth.Failed)
	}
	r.Member = truth.Member
	if truth.Unmet != "" {
		r.Outcome, r.Why = Fail, []string{truth.Unmet}
		return r
	}
	said, err := ReadSaid(dir)
	if err != nil {
		r.Outcome, r.Why = Fail, []string{err.Error()}
		return r
	}
	j := &judge{s: s, t: truth, said: said}
	r.Truth, r.Said = j.happened(), said.String()
	j.always()
	if len(j.why) == 0 {
		if why := j.void(); why != "" {
			return r.void("%s", why)
		}
		j.all()
	}
	if len(j.why) > 0 {
		r.Outcome, r.Why = Fail, j.why
	}
	return r
}

func (r Result) void(format string, args ...any) Result {
	r.Outcome, r.Why = Void, []string{fmt.Sprintf(format, args...)}
	return r
}

type judge struct {
	s    *Scenario
	t    *Truth
	said *Said
	why  []string

	late, lost []Echo
}

func (j *judge) failf(format string, args ...any) {
	j.why = append(j.why, fmt.Sprintf(format, args...))
}

// echoes are those that the scenario is about.
func (j *judge) echoes() []Echo {
	if j.s.Pings == "own" {
		return j.t.OwnEchoes()
	}
	return j.t.VMEchoes()
}

// happened tells the truth in a few words.
func (j *judge) happened() string {
	j.late, j.lost = j.t.Late(j.echoes())
	var worst time.Duration
	for _, e := range j.late {
		worst = max(worst, e.RTT())
	}
	var parts []string
	switch {
	case len(j.late) > 0:
		parts = append(parts, fmt.Sprintf("%d late, to %.0f ms", len(j.late), float64(worst)/1e6))
	case len(j.lost) == 0:
		parts = append(parts, "no echo late or lost")
	}
	if len(j.lost) > 0 {
		parts = append(parts, fmt.Sprintf("%d lost", len(j.lost)))
	}
	if len(j.t.Ping) > 0 {
		parts = append(parts, fmt.Sprintf("VM ping to %.0f ms", slices.Max(j.t.Ping)))
	}
	for _, b := range j.t.Senders {
		if b.Flood {
			parts = append(parts, fmt.Sprintf("%d SYNs", b.Bytes/40))
			continue
		}
		parts = append(parts, fmt.Sprintf("%s -> %s %.1f MB in %d ms", b.Src, b.Dst, float64(b.Bytes)/1e6, b.To.Sub(b.From).Milliseconds()))
	}
	return strings.Join(parts, "; ")
}

// always makes the assertions that no stall of the guest excuses.
func (j *judge) always() {
	if j.said.Stderr != "" {
		j.failf("standard error: %s", j.said.Stderr)
	}
	for _, in := range j.said.Incidents {
		j.books(in)
	}
	j.counted()
	j.pinged()
	j.notes()
}

// all makes those that hold while the guest ran evenly.
func (j *judge) all() {
	if n := len(j.said.Incidents); n < j.s.Incidents[0] || n > j.s.Incidents[1] {
		j.failf("%d incidents, want %d to %d", n, j.s.Incidents[0], j.s.Incidents[1])
	}
	j.linkEvents()
	for i := range j.said.Incidents {
		in := j.said.Incidents[i]
		j.verdict(in)
		j.when(in)
		j.guilty(in)
		j.bytes(in)
		j.classes(in)
	}
	j.culprits()
	j.top()
}

// top: the first flow of the first incident.
func (j *judge) top() {
	if len(j.s.Top) == 0 || len(j.said.Incidents) == 0 {
		return
	}
	rows := j.said.Incidents[0].Flows.Rx
	if len(rows) == 0 || rows[0].Proto != j.s.Top[0] || rows[0].Remote != j.s.Top[1] || rows[0].Class != j.s.Top[2] {
		j.failf("the first flows are %s, want %s", heads(rows), strings.Join(j.s.Top, " "))
	}
}

func (j *judge) linkEvents() {
	at := 0
	for _, want := range j.s.Events {
		want = strings.ReplaceAll(want, "$MEMBER", j.t.Member)
		i := slices.Index(j.said.LinkChanges[at:], want)
		if i < 0 {
			j.failf("no link event %q in order; there were %v", want, j.said.LinkChanges)
			return
		}
		at += i + 1
	}
	if len(j.s.Events) > 0 {
		j.carriesAgain()
	}
}

// carriesAgain: the member that went and came back has traffic in the end.
func (j *judge) carriesAgain() {
	if n := len(j.said.Summaries); n > 0 {
		for _, l := range j.said.Summaries[n-1].Links {
			if l.Name == j.t.Member && l.State == "up" && l.Rx+l.Tx > 0 {
				return
			}
		}
	}
	j.failf("the last summary does not say that %s is up and carries traffic again", j.t.Member)
}
