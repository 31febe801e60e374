package incident

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// mdMaxLines bounds incident.md whatever the incident holds: it is pasted into
// tickets, and nobody scrolls there.
const mdMaxLines = 59

// Bounds of the sections; the flows get the lines that the others leave.
const (
	mdMaxLinks      = 4
	mdMaxPings      = 4
	mdEvidence      = 5 // more where there is room
	mdLeastEvidence = 2
	mdLeastFlows    = 14 // lines, with head and foot
	mdMaxEvidence   = 16
	mdTopFlows      = 5 // of a class and direction
	mdMaxSentence   = 1000
	mdMaxName       = 64
	mdMaxMembers    = 8 // of a bond
	mdMaxHidden     = 3
)

// mdTime is wall time with milliseconds and zone, as on the screen.
const (
	mdTime  = "2006-01-02 15:04:05.000 -07:00"
	mdClock = "15:04:05.000 -07:00"
)

// WriteMarkdown writes incident.md, the text for a ticket: the verdict in the
// first line, then links, flows, pings, path, evidence and how to look again.
// It has fewer than 60 lines, tables are of fixed width inside fences and read
// as plain text too. Addresses are in full. Foreign text can break neither a
// fence, a table nor a terminal.
//
// It does not change in and may be called from any goroutine.
func WriteMarkdown(w io.Writer, in *Incident) error {
	head := slices.Concat([]string{mdVerdict(in), ""}, mdTrigger(in), mdLinks(in))
	pings, path, again := mdPings(in), mdPath(in), mdAgain(in)
	room := mdMaxLines - len(head) - len(pings) - len(path) - len(again)
	least := mdEvidence
	for least > mdLeastEvidence && room-len(mdWhy(in, least)) < mdLeastFlows {
		least--
	}
	evidence := mdWhy(in, least)
	flows := mdFlows(in, room-len(evidence))
	if more := room - len(flows) - len(evidence); more > 0 {
		evidence = mdWhy(in, min(least+more, mdMaxEvidence))
	}
	lines := slices.Concat(head, flows, pings, path, evidence, again)
	if _, err := io.WriteString(w, strings.Join(lines, "\n")+"\n"); err != nil {
		return fmt.Errorf("write incident.md: %w", err)
	}
	return nil
}

// mdVerdict is the first line: the verdict's sentence, then what it does not
// say itself of host, 5-tuple and time.
func mdVerdict(in *Incident) string {
	s := proseLine(in.Verdict.Sentence, mdMaxSentence)
	if s == "" {
		s = "No verdict."
	}
	var add []string
	if b := in.Verdict.Burst; b != nil && (!strings.Contains(s, b.Local) || !strings.Contains(s, b.Remote)) {
		add = append(add, prose(b.Proto, mdMaxName)+" "+prose(flowEnds(b.Local, b.Remote, in.Verdict.Direction), maxCell))
	}
	if host := prose(in.Host, mdMaxName); host != "" && !hasWord(s, host) {
		add = append(add, "host "+host)
	}
	add = append(add, mdWhen(in).Format(mdTime))
	return s + " (" + strings.Join(add, "; ") + ")"
}

// hasWord reports whether word stands in s by itself ("nc1", not "nc10").
func hasWord(s, word string) bool {
	return slices.ContainsFunc(strings.Fields(s), func(f string) bool { return strings.Trim(f, ".,;:()") == word })
}

// mdWhen is the moment of the incident.
func mdWhen(in *Incident) time.Time {
	if in.Trigger.Sent.IsZero() {
		return in.Window.From
	}
	return in.Trigger.Sent
}

// flowEnds writes sender -> receiver, as the verdict's sentence does.
func flowEnds(local, remote, dir string) string {
	if dir == "tx" {
		return local + " -> " + remote
	}
	return remote + " -> " + local
}

func mdTrigger(in *Incident) []string {
	t := &in.Trigger
	what := ""
	switch t.Kind {
	case KindManual:
		what = "frozen by hand at " + mdWhen(in).Format(mdClock)
	case KindLoss:
		what = mdEcho(t) + ": no answer"
	case KindOutstanding:
		what = fmt.Sprintf("%s: still without an answer after %s", mdEcho(t), msUnit(t.Outstanding))
		if t.RTT != nil {
			what += ", which came after " + msUnit(t.RTT)
		}
	default:
		what = fmt.Sprintf("%s: %s", mdEcho(t), msUnit(t.RTT))
	}
	what += worstOf(t)
	if t.Kind != KindManual {
		what += fmt.Sprintf(" (usual %s, threshold %s%s)", msUnit(t.Baseline), msUnit(t.Threshold), prefixed(": ", prose(t.Rule, mdMaxName)))
	}
	base := "no time before it to compare with"
	if in.Baseline.Seconds > 0 {
		base = fmt.Sprintf("compared with %.1f s before it", in.Baseline.Seconds)
	}
	window := fmt.Sprintf("Window: %s to %s (%d ms), %s.", in.Window.From.Format(mdTime), in.Window.To.Format(mdClock),
		in.Window.To.Sub(in.Window.From).Milliseconds(), base)
	return []string{"Trigger: " + what + ".  ", window, ""}
}

func mdEcho(t *Trigger) string {
	s := fmt.Sprintf("echo %d to %s", t.Seq, prose(t.Target, mdMaxName))
	if t.Src != "" {
		s = fmt.Sprintf("echo %d of %s to %s, seen at %s", t.Seq, prose(t.Src, mdMaxName), prose(t.Target, mdMaxName), or(prose(t.Point, mdMaxName), "no vif"))
	}
	if t.Member != "" {
		s += " via " + prose(t.Member, mdMaxName)
	}
	if t.ReplyMember != "" && t.ReplyMember != t.Member {
		s += ", answer via " + prose(t.ReplyMember, mdMaxName)
	}
	return s
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// ms is [Ms] for a value of the file.
func ms(m *Millis) string {
	if m == nil {
		return NoValue
	}
	return Ms(time.Duration(float64(*m) * 1e6))
}

func msUnit(m *Millis) string {
	if m == nil {
		return "unknown"
	}
	return ms(m) + " ms"
}

// fence puts lines into a fence under a heading, with a blank line after it.
func fence(heading string, lines []string) []string {
	return slices.Concat([]string{"## " + heading, "```text"}, lines, []string{"```", ""})
}
