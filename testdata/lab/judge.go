package lab

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"spiketop/incident"
	"spiketop/testdata/netlab"
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
	said, err := ReadSaid(dir)
	if err != nil {
		r.Outcome, r.Why = Fail, []string{err.Error()}
		return r
	}
	j := &judge{s: s, t: truth, said: said}
	r.Truth, r.Said = j.happened(), said.String()
	if why := j.void(); why != "" {
		return r.void("%s", why)
	}
	j.all()
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
	if j.s.Pings == "vm" {
		return j.t.VMEchoes()
	}
	return j.t.OwnEchoes()
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

// all makes every assertion.
func (j *judge) all() {
	if j.said.Stderr != "" {
		j.failf("standard error: %s", j.said.Stderr)
	}
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
}

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
	if j.s.OnMember {
		one("link", in.Verdict.Link, []string{j.t.Member})
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

// close reports whether two byte counts agree within 2 %, or two full frames.
func agree(got uint64, truth int64) bool {
	d := math.Abs(float64(got) - float64(truth))
	return d <= 0.02*float64(truth) || d <= 2*1514
}

// bytes: each link's and direction's sum is tcpdump's, rows and other make up the
// links, no flow stands twice, and nearly everything was counted.
func (j *judge) bytes(in *incident.Incident) {
	var links [2]uint64
	for _, l := range in.Links {
		for d, got := range []uint64{l.Rx.Bytes, l.Tx.Bytes} {
			links[d] += got
			if truth := j.t.Sum(l.Name, d == 1, in.Window.From, in.Window.To, nil); !agree(got, truth) {
				j.failf("%s %s: %d bytes in the window, tcpdump says %d", l.Name, []string{"rx", "tx"}[d], got, truth)
			}
		}
		if l.Coverage != nil && *l.Coverage < 0.99 {
			j.failf("%s: coverage %.3f", l.Name, *l.Coverage)
		}
	}
	for d, rows := range [][]incident.FlowRow{in.Flows.Rx, in.Flows.Tx} {
		sum := []uint64{in.Flows.Other.Rx.Bytes, in.Flows.Other.Tx.Bytes}[d]
		seen := map[string]bool{}
		for _, row := range rows {
			sum += row.Bytes
			name := strings.Join([]string{row.Link, row.Proto, row.Local, row.Remote, fmt.Sprint(row.VLAN)}, " ")
			if seen[name] {
				j.failf("the flow %s stands twice", name)
			}
			seen[name] = true
		}
		if sum != links[d] {
			j.failf("rows + other = %d, the links carried %d", sum, links[d])
		}
	}
}

// classes: shares within 3 points of tcpdump's.
func (j *judge) classes(in *incident.Incident) {
	take := map[string]func(netlab.Packet) bool{"storage": Storage, "vif": VM, "host": Host}
	for _, c := range in.Classes {
		belongs, ok := take[c.Name]
		if !ok {
			continue
		}
		for d, got := range []*float64{c.Rx.Share, c.Tx.Share} {
			var part, all int64
			for _, m := range Members {
				part += j.t.Sum(m, d == 1, in.Window.From, in.Window.To, belongs)
				all += j.t.Sum(m, d == 1, in.Window.From, in.Window.To, nil)
			}
			if got == nil || all == 0 {
				continue
			}
			if truth := float64(part) / float64(all); math.Abs(*got-truth) > 0.03 {
				j.failf("%s has %.3f of %s, tcpdump says %.3f", c.Name, *got, []string{"rx", "tx"}[d], truth)
			}
		}
	}
}

// culprits: each named sender stands at the head of the list of the incident in
// whose window it sent, with tcpdump's bytes, on the member it really took.
func (j *judge) culprits() {
	for _, name := range j.s.Culprits {
		i := slices.IndexFunc(j.t.Senders, func(b Burst) bool { return b.Name == name })
		if i < 0 {
			j.failf("the script made no burst %q", name)
			continue
		}
		b := j.t.Senders[i]
		k := slices.IndexFunc(j.said.Incidents, func(in *incident.Incident) bool {
			return in.Window.From.Before(b.To) && in.Window.To.After(b.From)
		})
		if k < 0 {
			j.failf("no incident's window holds %s (%s -> %s)", name, b.Src, b.Dst)
			continue
		}
		j.culprit(j.said.Incidents[k], b)
	}
}

func (j *judge) culprit(in *incident.Incident, b Burst) {
	tx := j.s.Direction == "tx"
	rows, local, remote := in.Flows.Rx, b.Dst, b.Src
	if tx {
		rows, local, remote = in.Flows.Tx, b.Src, b.Dst
	}
	i := slices.IndexFunc(rows, func(r incident.FlowRow) bool { return r.Local == local && r.Remote == remote })
	if i < 0 || i >= j.rivals(in) {
		j.failf("%s <- %s is flow number %d, want among the first %d: %s", local, remote, i+1, j.rivals(in), heads(rows))
		return
	}
	row := rows[i]
	tuple := func(p netlab.Packet) bool {
		return p.Src == netip.MustParseAddrPort(b.Src) && p.Dst == netip.MustParseAddrPort(b.Dst)
	}
	if truth := j.t.Sum(b.Member, tx, in.Window.From, in.Window.To, tuple); truth == 0 || !agree(row.Bytes, truth) {
		j.failf("%d bytes of %s in the window, tcpdump on %s says %d", row.Bytes, remote, b.Member, truth)
	}
	if row.Link != b.Member || row.Proto != "tcp" || j.s.Class != "" && row.Class != j.s.Class {
		j.failf("%s <- %s is %s on %s, class %s (%s); want tcp on %s, class %s", local, remote, row.Proto, row.Link, row.Class, row.Why, b.Member, j.s.Class)
	}
}

// rivals is how many culprits sent in the incident's window: they share the head
// of the list.
func (j *judge) rivals(in *incident.Incident) (n int) {
	for _, b := range j.t.Senders {
		if slices.Contains(j.s.Culprits, b.Name) && in.Window.From.Before(b.To) && in.Window.To.After(b.From) {
			n++
		}
	}
	return n
}

func heads(rows []incident.FlowRow) string {
	var out []string
	for _, r := range rows[:min(3, len(rows))] {
		out = append(out, fmt.Sprintf("%s %s %s <- %s %d (%s)", r.Link, r.Proto, r.Local, r.Remote, r.Bytes, r.Class))
	}
	return strings.Join(out, ", ")
}
