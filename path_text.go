package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"spiketop/incident"
	"spiketop/probe/hops"
)

// Columns of the text form; everything fits 100.
const (
	pathWidth = 100
	nameWidth = 16
	barWidth  = 60
)

// writeText writes the form for people: the worst echoes, one of them drawn, the
// segments over all echoes, losses, files and notes.
func (r *pathResult) writeText(w io.Writer) error {
	var b strings.Builder
	r.writeHead(&b)
	for i := range r.worst[:r.shown] {
		if _, ok := r.worst[i].RTT(); !ok {
			break // what has no time stands among the losses
		}
		r.writeEcho(&b, &r.worst[i])
		if i == 0 {
			r.writeBars(&b, &r.worst[i])
		}
		if b.Len() > 1<<16 {
			if _, err := io.WriteString(w, b.String()); err != nil {
				return fmt.Errorf("write path: %w", err)
			}
			b.Reset()
		}
	}
	r.writeSummary(&b)
	r.writeLosses(&b)
	r.writeFiles(&b)
	r.writeNotes(&b)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write path: %w", err)
	}
	return nil
}

func (r *pathResult) writeHead(b *strings.Builder) {
	answered, lost, open := r.count()
	fmt.Fprintf(b, "%s: %d answered, %d lost", plural(len(r.echoes), "echo", "echoes"), answered, lost)
	if open > 0 {
		fmt.Fprintf(b, ", %d not known", open)
	}
	b.WriteString("\n")
	if answered > r.shown {
		fmt.Fprintf(b, "the %d worst; --top shows more\n", r.shown)
	}
	if len(r.echoes) > 0 {
		b.WriteString("milliseconds; times are UTC, each point's own clock\n")
	}
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", more)
}

// echoName is how an echo is called.
func echoName(e *hops.Echo) string {
	s := fmt.Sprintf("%s > %s  id %d  seq %d", hops.Addr(e.Family, e.Src), hops.Addr(e.Family, e.Dst), e.ID, e.Seq)
	if e.Occurrence > 1 {
		s += fmt.Sprintf("  (use %d of these numbers)", e.Occurrence)
	}
	return s
}

// writeEcho writes the table of one echo.
func (r *pathResult) writeEcho(b *strings.Builder, e *hops.Echo) {
	rtt, _ := e.RTT()
	fmt.Fprintf(b, "\n%s  %s ms\n", echoName(e), millis(rtt))
	fmt.Fprintf(b, "  %s %-15s %-15s %11s  %-19s %11s %7s\n", pad("point", nameWidth), "request", "reply", "RTT", "segment to", "took", "share")
	segments := e.Segments()
	worst, _ := hops.Worst(segments)
	for i := range e.Hops {
		line := "  " + pad(r.label(i), nameWidth) + " " + hopText(&e.Hops[i])
		for _, s := range segments {
			if s.From == i {
				line += r.segmentText(s, rtt, len(segments) > 1 && s == worst)
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
		for _, s := range segments {
			if s.From == i {
				r.writeSplit(b, e, s)
			}
		}
	}
	if after, way, lost := e.Loss(); lost {
		fmt.Fprintf(b, "  lost %s\n", r.lossText(after, way))
	}
}

// label is a point's name in a column.
func (r *pathResult) label(i int) string { return incident.CleanMax(r.reporter.Points[i], nameWidth) }

// hopText are the columns request, reply and RTT.
func hopText(h *hops.Hop) string {
	request, reply, rtt := "-", "-", "-"
	switch {
	case h.HasRequest || h.HasReply:
	case h.Blind:
		request = "no witness"
	default:
		request = "not seen"
	}
	if h.HasRequest {
		request = clockText(h.Request.Sub(0))
	}
	if h.HasReply {
		reply = clockText(h.Reply.Sub(0))
	}
	if d, ok := h.RTT(); ok {
		rtt = millis(d)
	}
	return fmt.Sprintf("%-15s %-15s %11s  ", request, reply, rtt)
}

// clockText is the time of day, UTC, of nanoseconds since 1970.
func clockText(d time.Duration) string { return time.Unix(0, int64(d)).UTC().Format("15:04:05.000000") }

// millis are milliseconds to the microsecond.
func millis(d time.Duration) string { return fmt.Sprintf("%.3f", ms(d)) }

func (r *pathResult) segmentText(s hops.Segment, rtt time.Duration, worst bool) string {
	to := "beyond"
	if s.To != hops.Beyond {
		to = "> " + r.label(s.To)
	}
	text := pad(to, 19) + fmt.Sprintf(" %11s %7s", millis(s.RTT), percentOf(s.RTT, rtt))
	if worst {
		text += " <"
	}
	return text
}

func percentOf(d, all time.Duration) string {
	if all <= 0 || d < 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(d)/float64(all))
}

// writeSplit says on which way a segment's time was, where that is known.
func (r *pathResult) writeSplit(b *strings.Builder, e *hops.Echo, s hops.Segment) {
	if s.To == hops.Beyond {
		return
	}
	sp, ok := r.matched.Split(e, s.From, s.To)
	if !ok || 4*sp.Uncertainty > s.RTT {
		return
	}
	fmt.Fprintf(b, "%*sout %s, back %s (+-%s)\n", 2+nameWidth+1+16+16+11+2, "", millis(sp.Request), millis(sp.Reply), millis(sp.Uncertainty))
}

// writeBars draws how much of an echo's time lay at each point and beyond it.
func (r *pathResult) writeBars(b *strings.Builder, e *hops.Echo) {
	all, _ := e.RTT()
	segments := e.Segments()
	if len(segments) < 2 || all <= 0 {
		return
	}
	worst, _ := hops.Worst(segments)
	b.WriteString("\n  time from request to reply at each point; where the bar shrinks is the delay\n")
	for _, s := range segments {
		rtt, _ := e.Hops[s.From].RTT()
		n := min(barWidth, int((float64(rtt)/float64(all))*barWidth+0.5))
		bar := strings.Repeat("█", max(n, 0))
		if n <= 0 {
			bar = "▏"
		}
		fmt.Fprintf(b, "  %s %s %s\n", pad(r.label(s.From), nameWidth), pad(bar, barWidth), fmt.Sprintf("%11s", millis(rtt)))
		if s == worst {
			to := "beyond it"
			if s.To != hops.Beyond {
				to = "until " + r.label(s.To)
			}
			fmt.Fprintf(b, "  %s ^ %s ms %s\n", pad("", nameWidth), millis(s.RTT), to)
		}
	}
}

// writeSummary writes the segments over all echoes.
func (r *pathResult) writeSummary(b *strings.Builder) {
	list := r.reporter.Summary(r.echoes)
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s %8s %11s %11s %11s %7s\n", pad("segment, all echoes", 2*nameWidth+5), "echoes", "median", "p99", "max", "share")
	for _, s := range list {
		to := "beyond"
		if s.To != nil {
			to = "> " + incident.CleanMax(*s.To, nameWidth)
		}
		fmt.Fprintf(b, "  %s %s %8d %11.3f %11.3f %11.3f %5.1f %%\n", pad(incident.CleanMax(s.From, nameWidth), nameWidth), pad(to, nameWidth+2),
			s.Echoes, *s.Median, *s.P99, *s.Max, 100**s.Share)
	}
}

// lossExamples is how many lost echoes of one place are named.
const lossExamples = 3

func (r *pathResult) writeLosses(b *strings.Builder) {
	list := r.losses()
	if len(list) == 0 {
		return
	}
	b.WriteString("\nlost\n")
	for _, l := range list {
		fmt.Fprintf(b, "  %6d %s\n", len(l.echoes), r.lossText(l.after, l.way))
		for _, e := range l.echoes[:min(lossExamples, len(l.echoes))] {
			at := ""
			for i := range e.Hops {
				if e.Hops[i].HasRequest {
					at = clockText(e.Hops[i].Request.Sub(0))
					break
				}
			}
			fmt.Fprintf(b, "         %s  %s\n", at, echoName(e))
		}
	}
}

// lossText says where an echo was lost.
func (r *pathResult) lossText(after int, way hops.Way) string {
	switch way {
	case hops.WayOut:
		return "on the way out, after " + r.label(after)
	case hops.WayBack:
		return "on the way back, after " + r.label(after)
	}
	return "beyond " + r.label(after) + ", the last that saw it: out or back is not known"
}

func (r *pathResult) writeFiles(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s %9s %9s %9s  %-24s %s\n", pad("files", nameWidth+2), "packets", "requests", "replies", "first packet", "last")
	for i, p := range r.files {
		first, last := "-", "-"
		if p.first > 0 {
			first, last = time.Unix(0, p.first).UTC().Format("2006-01-02 15:04:05.000"), time.Unix(0, p.last).UTC().Format("15:04:05.000")
		}
		f := &r.matched.Points[i]
		fmt.Fprintf(b, "  %s %9d %9d %9d  %-24s %s\n", pad(r.label(i), nameWidth), p.packets, f.Requests, f.Replies, first, last)
	}
}

func (r *pathResult) writeNotes(b *strings.Builder) {
	if len(r.notes) == 0 {
		return
	}
	b.WriteString("\nnotes\n")
	for _, n := range r.notes {
		for i, line := range wrap(n, pathWidth-4) {
			lead := "  - "
			if i > 0 {
				lead = "    "
			}
			b.WriteString(lead + line + "\n")
		}
	}
}

// wrap breaks text at its blanks into lines of at most width columns; a longer
// word is cut.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		word = incident.CleanMax(word, width)
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
