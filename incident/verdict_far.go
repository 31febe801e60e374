package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"spiketop/probe"
	"spiketop/probe/hops"
)

// SegmentFar is a verdict segment: the far host itself says that the time passed
// there.
const SegmentFar = "far host"

// FarEcho is an echo with what two hosts saw of it.
type FarEcho struct {
	Host   string
	Report hops.EchoReport
	InFar  bool          // its longest segment lies in the far host, or behind it; if it was lost: it was lost there
	Worst  time.Duration // of that segment
	RTT    time.Duration // at the first point; 0 = unknown
}

// farWord is what another host has said of an incident so far.
type farWord struct {
	part *FarPart
	echo *FarEcho
}

// Bounds of what is quoted.
const (
	farQuoted = 2 // flows of a direction
	farLinks  = 4
)

// takeFar adds what the far host says, labelled as its word. It may move the
// segment from "physical network" to "far host", for what lies behind this
// host's NIC only the far one can tell apart; the cause, which is about this
// host, stays.
func (b *builder) takeFar(in *Incident) {
	w := &b.c.far
	if w.echo != nil {
		in.Path.Echoes = withEcho(in.Path.Echoes, w.echo.Report)
	}
	e := b.farTold()
	if e != nil {
		if says := e.says(); says != "" {
			in.Verdict.Evidence = append(in.Verdict.Evidence, says)
		}
		if e.blames(b.excess()) && in.Path.VerdictSegment == SegmentNetwork {
			in.Path.VerdictSegment = SegmentFar
			in.Verdict.Sentence += " " + e.short()
			if in.Verdict.Cause == CauseNone {
				in.Verdict.Advice = "By the stamps of " + orFar(e.Host) + " it happened there: look at that host."
			}
		}
	}
	if w.part != nil {
		p := *w.part
		p.Says = p.says()
		in.Verdict.Evidence = append(in.Verdict.Evidence, p.Says...)
		if e != nil {
			if says := e.says(); says != "" {
				p.Says = slices.Insert(p.Says, 0, says)
			}
		}
		in.Far = &p
	}
}

// farTold returns what two hosts saw of the very echo by which the incident is
// judged, nil where that is not known: while a worse one has not been joined yet,
// the stamps of the one before tell nothing about it, and an echo whose answer
// came after all was not lost.
func (b *builder) farTold() *FarEcho {
	e := b.c.far.echo
	if e == nil || b.c.t == nil {
		return nil
	}
	g := b.c.t.guiltyEcho(&b.told)
	if e.Report.ID != g.ID || e.Report.Seq != g.Seq || e.lost() && b.told.State == probe.Answered {
		return nil
	}
	return e
}

// withEcho puts r in the place of the same echo as this host alone saw it, else first.
func withEcho(list []hops.EchoReport, r hops.EchoReport) []hops.EchoReport {
	for i := range list {
		if e := &list[i]; e.Src == r.Src && e.Dst == r.Dst && e.ID == r.ID && e.Seq == r.Seq {
			out := slices.Clone(list)
			out[i] = r
			return out
		}
	}
	return slices.Insert(slices.Clone(list), 0, r)
}

// blames reports whether the far host says that most of what is to be explained
// passed there.
func (e *FarEcho) blames(excess time.Duration) bool {
	return e.InFar && (e.lost() || e.Worst > 0 && 2*e.Worst >= max(excess, e.RTT))
}

func (e *FarEcho) lost() bool { return e.Report.LostAfter != nil }

// short is the same in a sentence.
func (e *FarEcho) short() string {
	if e.lost() {
		return orFar(e.Host) + " says: the request came and no reply left it."
	}
	return fmt.Sprintf("%s says: %s ms of it passed there.", orFar(e.Host), Ms(e.Worst))
}

// says is the far host's part of the hop table in words, "" where it has none.
func (e *FarEcho) says() string {
	if l := e.Report.LostAfter; l != nil {
		leg := ""
		if l.Leg != nil {
			leg = ", on the way of the " + Clean(*l.Leg)
		}
		return fmt.Sprintf("with the stamps of %s: the echo was lost behind %s%s", orFar(e.Host), Clean(l.Point), leg)
	}
	worst := e.Report.Worst
	if worst == nil || e.RTT <= 0 {
		return ""
	}
	to := "what lies behind it"
	if worst.To != nil {
		to = Clean(*worst.To)
	}
	return fmt.Sprintf("with the stamps of %s: %s of %s ms passed between %s and %s", orFar(e.Host), Ms(e.Worst), Ms(e.RTT), Clean(worst.From), to)
}

// says are the figures of the far host in words.
func (p *FarPart) says() []string {
	host := orFar(p.Host)
	list := []string{}
	for i := range p.Links[:min(len(p.Links), farLinks)] {
		l := &p.Links[i]
		list = append(list, fmt.Sprintf("%s says: its %s carried rx %s%s, tx %s%s", host, Clean(l.Name),
			perSecond(l.Rx.Bps), usually(l.Rx.BaselineBps), perSecond(l.Tx.Bps), usually(l.Tx.BaselineBps)))
		if moved := l.NIC.Moved(); len(moved) > 0 {
			var counts []string
			for _, c := range moved {
				counts = append(counts, fmt.Sprintf("%s %d", c.Name, c.N))
			}
			list = append(list, fmt.Sprintf("%s says: counters of its %s meanwhile: %s", host, Clean(l.Name), strings.Join(counts, ", ")))
		}
	}
	for _, d := range []struct {
		word string
		rows []FlowRow
	}{{"rx", p.Flows.Rx}, {"tx", p.Flows.Tx}} {
		for i := range d.rows[:min(len(d.rows), farQuoted)] {
			f := &d.rows[i]
			if f.delta() <= 0 {
				continue
			}
			list = append(list, fmt.Sprintf("%s says: %s on its %s %s %s, %s%s (%s)", host, d.word, Clean(f.Link), Clean(f.Proto),
				Clean(flowEnds(f.Local, f.Remote, d.word)), perSecond(f.Bps), usually(f.BaselineBps), Clean(f.Class)))
		}
	}
	if p.Trouble != "" {
		list = append(list, host+": "+Clean(p.Trouble))
	}
	return list
}

func usually(bps *float64) string {
	if bps == nil {
		return ""
	}
	return " (usual " + perSecond(*bps) + ")"
}
