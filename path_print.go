package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"spiketop/flow"
	"spiketop/incident"
	"spiketop/incident/far"
	"spiketop/probe/hops"
)

// Bounds of what path --live prints.
const (
	printEvery  = time.Second
	printQueue  = 64  // seconds that wait for a slow reader
	printSeries = 32  // pings in a second
	printEchoes = 500 // JSON lines in a second
	printLast   = time.Second
)

// hopPrinter prints the hop table as it grows. Everything but its own goroutine
// belongs to the watch, which never waits for it: a reader that is too slow
// misses lines, and is told how many.
type hopPrinter struct {
	json  bool
	lines chan []byte
	done  chan struct{}

	buf    []byte
	next   flow.Time
	series []printedSeries // of this second, in the order they came
	echoes int             // of this second
	left   int             // lines that are missing since it was said last

	missed func(n int) // says of JSON lines that they are missing, away from them
	told   flow.Time   // when it was called last
}

// printedSeries is a ping in this second.
type printedSeries struct {
	key    hops.SeriesKey
	n, bad int // echoes, and those without an answer
	worst  far.Joined
}

func newHopPrinter(w io.Writer, asJSON bool, failed func(error)) *hopPrinter {
	p := &hopPrinter{json: asJSON, lines: make(chan []byte, printQueue), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for b := range p.lines {
			if _, err := w.Write(b); err != nil {
				failed(fmt.Errorf("write the hop table: %w", err))
				return
			}
		}
	}()
	return p
}

// end waits a little for what is not printed yet. Nothing may be printed afterwards.
func (p *hopPrinter) end() {
	close(p.lines)
	select {
	case <-p.done:
	case <-time.After(printLast):
	}
}

// echo takes an echo that is over.
func (p *hopPrinter) echo(j *far.Joined) {
	if p.json {
		if p.echoes++; p.echoes > printEchoes {
			p.left++
			return
		}
		if b, err := json.Marshal(&j.Report); err == nil {
			p.buf = append(append(p.buf, incident.EscapeJSON(b)...), '\n')
		}
		return
	}
	k := j.Key.Series()
	i := slices.IndexFunc(p.series, func(s printedSeries) bool { return s.key == k })
	if i < 0 {
		if len(p.series) == printSeries {
			p.left++
			return
		}
		i = len(p.series)
		p.series = append(p.series, printedSeries{key: k, worst: *j})
	}
	s := &p.series[i]
	s.n++
	if !j.Has {
		s.bad++
	}
	if worse(j, &s.worst) {
		s.worst = *j
	}
}

// worse reports whether a should be shown instead of b: what was not answered
// comes before what was slow.
func worse(a, b *far.Joined) bool {
	if a.Has != b.Has {
		return !a.Has
	}
	return a.RTT > b.RTT
}

// turn prints what a second has brought; JSON goes out at once.
func (p *hopPrinter) turn(wall time.Time, now flow.Time) {
	second := now >= p.next
	if second {
		p.next = now.Add(printEvery)
		p.echoes = 0
		for i := range p.series {
			p.buf = append(p.buf, hopLine(wall, &p.series[i])...)
		}
		p.series = p.series[:0]
		switch {
		case p.left == 0:
		case p.json:
			p.tellMissed(now)
		default:
			p.buf = fmt.Appendf(p.buf, "%s  %d echoes are not shown\n", wall.Format("15:04:05"), p.left)
			p.left = 0
		}
	}
	if len(p.buf) == 0 {
		return
	}
	select {
	case p.lines <- p.buf:
	default:
		p.left += strings.Count(string(p.buf), "\n")
	}
	p.buf = nil
}

// missedEvery is how often it is said that JSON lines are missing.
const missedEvery = 10 * time.Second

func (p *hopPrinter) tellMissed(now flow.Time) {
	if p.missed == nil || p.told != 0 && now < p.told.Add(missedEvery) {
		return
	}
	p.missed(p.left)
	p.left, p.told = 0, now
}

// hopLine is the worst echo of a ping in a second: its RTT, then each point with
// what lay between it and the next.
func hopLine(wall time.Time, s *printedSeries) string {
	r := &s.worst.Report
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s > %s id %d seq %d", wall.Format("15:04:05"), r.Src, r.Dst, r.ID, r.Seq)
	switch {
	case s.worst.Has:
		fmt.Fprintf(&b, "  %s ms ", incident.Ms(s.worst.RTT))
		hopSegments(&b, r)
	case r.LostAfter != nil:
		leg := ""
		if r.LostAfter.Leg != nil {
			leg = ", on the way of the " + *r.LostAfter.Leg
		}
		fmt.Fprintf(&b, "  lost behind %s%s", r.LostAfter.Point, leg)
	default:
		b.WriteString("  no answer seen")
	}
	if s.n > 1 {
		fmt.Fprintf(&b, "  (worst of %d", s.n)
		if s.bad > 0 {
			fmt.Fprintf(&b, ", %d without answer", s.bad)
		}
		b.WriteByte(')')
	}
	return incident.Clean(b.String()) + "\n"
}

// hopSegments draws the way: eth0 -0.210- nc2:eth0 -0.015- |.
func hopSegments(b *strings.Builder, r *hops.EchoReport) {
	for i := range r.Segments {
		seg := &r.Segments[i]
		fmt.Fprintf(b, " %s ─ %.3f ─", seg.From, seg.RTT)
		if seg.RequestMs != nil && seg.ReplyMs != nil && seg.UncertaintyMs != nil && *seg.UncertaintyMs < seg.RTT/4 {
			fmt.Fprintf(b, " (out %.3f, back %.3f) ─", *seg.RequestMs, *seg.ReplyMs)
		}
	}
	b.WriteString(" ┤")
}
