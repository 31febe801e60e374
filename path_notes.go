package main

import (
	"errors"
	"fmt"
	"time"

	"spiketop/capture/pcapfile"
)

// findNotes says what a reader of the tables must know, each in one sentence.
func (r *pathResult) findNotes() (notes []string) {
	for i := range r.files {
		notes = append(notes, r.fileNotes(i)...)
	}
	if len(r.files) == 1 {
		notes = append(notes, "one point tells the RTT there, not where the time went: give captures of more points")
	}
	apart := false
	for i := 1; i < len(r.files); i++ {
		notes = append(notes, r.clockNotes(i-1, i)...)
		c := r.matched.Clock(i-1, i)
		apart = apart || c.Known() && !c.One
	}
	if apart {
		notes = append(notes, "clocks that are not in step do no harm: only differences of RTTs are used, and \"out\" and \"back\" hold within what is said")
	}
	if n := r.duplicates(); n > 0 {
		notes = append(notes, plural(n, "echo was", "echoes were")+" answered more than once; the first reply counts")
	}
	if _, _, open := r.count(); open > 0 {
		notes = append(notes, plural(open, "echo is", "echoes are")+" neither answered nor lost: the captures end too soon after the request, or hold the reply alone")
	}
	return notes
}

func (r *pathResult) duplicates() (n int) {
	for i := range r.echoes {
		for j := range r.echoes[i].Hops {
			if r.echoes[i].Hops[j].Duplicates > 0 {
				n++
				break
			}
		}
	}
	return n
}

// fileNotes are about one file.
func (r *pathResult) fileNotes(i int) (notes []string) {
	p, f, name := r.files[i], &r.matched.Points[i], r.reporter.Points[i]
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if p.err != nil {
		cause := oneLine(p.err.Error())
		var fe *pcapfile.FileError
		if errors.As(p.err, &fe) {
			cause = fmt.Sprintf("at byte %d: %s", fe.Offset, oneLine(fe.Err.Error()))
		}
		add("%s: the file could not be read to its end (%s); what came before is used", name, cause)
	}
	if p.unread > 0 {
		add("%s: %s of link type %v, which is not known here", name, plural(int(p.unread), "packet is", "packets are"), p.unknown)
	}
	if p.timeless > 0 {
		add("%s: %s without a time, not used", name, plural(int(p.timeless), "echo stands", "echoes stand"))
	}
	if p.cooked && f.Doubled > 0 {
		add("%s was captured on \"any\": a packet that crosses several interfaces stands there several times; %s within 1 ms taken for the echo itself, what waited longer in between for another one that was lost", name, plural(f.Doubled, "further request is", "further requests are"))
	} else if p.cooked {
		add("%s was captured on \"any\": a packet that crosses several interfaces would stand there several times", name)
	}
	if f.Refused > 0 {
		add("%s: %s beyond the first %d not used: cut the captures by time", name, plural(f.Refused, "request or reply", "requests and replies"), f.Requests+f.Replies)
	}
	switch {
	case f.Requests+f.Replies == 0:
		add("%s saw no echo: the wrong interface or filter, or all were lost before it", name)
	case !f.Linked && len(r.files) > 1:
		add("%s shares no echo with the other points: other addresses (NAT), or not on the way", name)
	case f.Replies == 0 && r.anyReply():
		add("%s saw no reply: the way back leads elsewhere (another member of the bond?), or all were lost", name)
	case f.Requests == 0:
		add("%s saw no request: the way out leads elsewhere (another member of the bond?)", name)
	}
	if p.tunnels > 0 {
		add("%s: %s of %d seen inside a tunnel (VXLAN, Geneve or GRE); addresses are the inner ones", name, plural(int(p.tunnels), "echo packet", "echo packets"), p.sights)
	}
	if f.Doubled > 0 {
		add("%s: %s seen more than once (captured on several interfaces, or doubled on the way); the first counts", name, plural(f.Doubled, "request was", "requests were"))
	}
	if p.drops > 0 {
		add("%s: the file says that %s not captured", name, plural(int(p.drops), "packet was", "packets were"))
	}
	return notes
}

func (r *pathResult) anyReply() bool {
	for i := range r.matched.Points {
		if r.matched.Points[i].Replies > 0 {
			return true
		}
	}
	return false
}

// clockNotes are about the clocks of two neighbours.
func (r *pathResult) clockNotes(from, to int) (notes []string) {
	c, a, b := r.matched.Clock(from, to), r.reporter.Points[from], r.reporter.Points[to]
	switch {
	case c.Reversed:
		notes = append(notes, fmt.Sprintf("most echoes took longer at %s than at %s: are the points in the order of the way out?", b, a))
	case !c.Known():
		return nil
	case c.One:
		notes = append(notes, fmt.Sprintf("%s and %s have one clock, or are in step within %s ms", a, b, millis(c.Uncertainty)))
	default:
		notes = append(notes, fmt.Sprintf("the clock of %s is %s of that of %s (+-%s ms)", b, aheadText(c.Offset), a, millis(c.Uncertainty)))
	}
	for i, s := range c.Steps {
		if i == 3 {
			notes = append(notes, fmt.Sprintf("the clocks of %s and %s were set %d times in all, or one of them is not steady", a, b, len(c.Steps)))
			break
		}
		at := clockText(r.matched.Echoes[s.Order].Hops[from].Request.Sub(0))
		notes = append(notes, fmt.Sprintf("a clock was set at %s of %s: %s then %s further", at, a, b, aheadText(s.By)))
	}
	return notes
}

// aheadText says by how much a clock is ahead or behind.
func aheadText(d time.Duration) string {
	word := "ahead"
	if d < 0 {
		word, d = "behind", -d
	}
	if d >= 10*time.Second {
		return d.Round(time.Millisecond).String() + " " + word
	}
	return millis(d) + " ms " + word
}
