package main

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"spiketop/flow/stats"
	"spiketop/incident"
)

// column of a table: numbers stand right.
type column struct {
	name  string
	right bool
}

// textTable is lined up when all its rows are known.
type textTable struct {
	columns []column
	rows    [][]string
}

func (t *textTable) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *textTable) write(w *strings.Builder) {
	width := make([]int, len(t.columns))
	for i, c := range t.columns {
		width[i] = utf8.RuneCountInString(c.name)
		for _, r := range t.rows {
			width[i] = max(width[i], utf8.RuneCountInString(r[i]))
		}
	}
	line := func(cell func(int) string) {
		var b strings.Builder
		for i, c := range t.columns {
			s := cell(i)
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(s))
			b.WriteString("  ")
			if c.right {
				b.WriteString(pad + s)
			} else {
				b.WriteString(s + pad)
			}
		}
		w.WriteString(strings.TrimRight(b.String(), " ") + "\n")
	}
	line(func(i int) string { return t.columns[i].name })
	for _, r := range t.rows {
		line(func(i int) string { return r[i] })
	}
}

// section begins a part of the text; of is how many lines there are.
func section(w *strings.Builder, title string, shown, of int) {
	w.WriteString("\n" + title)
	if shown < of {
		fmt.Fprintf(w, " (%d of %s)", shown, grouped(uint64(of)))
	}
	w.WriteString("\n")
}

// writeText writes the statistics for people.
func (c *captured) writeText(out io.Writer, top int) error {
	var w strings.Builder
	c.textFacts(&w)
	c.textFlows(&w, top)
	c.textEchoes(&w, top)
	c.textTCP(&w, top)
	c.textTrees(&w, top)
	c.textPeaks(&w, top)
	c.textBursts(&w, top)
	_, err := io.WriteString(out, w.String())
	return err
}

func (c *captured) textFacts(w *strings.Builder) {
	r := c.report
	types := c.linkTypes()
	if n := len(types); n > 8 {
		types = append(types[:8], fmt.Sprintf("and %d more", n-8))
	}
	fmt.Fprintf(w, "%s\n", incident.Clean(c.name))
	fmt.Fprintf(w, "  %s packets, %s bytes on the wire, %s\n", grouped(r.Packets), grouped(r.Bytes), strings.Join(types, " "))
	if r.Frames != r.Packets {
		fmt.Fprintf(w, "  in %s frames: offload super-frames are counted as their segments\n", grouped(r.Frames))
	}
	if d := r.Last - r.First; r.First != 0 {
		rate := ""
		if d > 0 {
			rate = ", " + bitRate(float64(r.Bytes)*8e9/float64(d)) + " on average"
		}
		fmt.Fprintf(w, "  %s to %s, %s%s\n", statsTime(r.First), statsTime(r.Last), time.Duration(d), rate)
	}
	var odd []string
	for _, o := range []struct {
		n    uint64
		what string
	}{{r.NotIP, "not IP"}, {r.Malformed, "malformed"}, {r.Opaque, "of link types that are not read"}, {r.Totals.Fragments, "fragments without their first"}} {
		if o.n > 0 {
			odd = append(odd, grouped(o.n)+" "+o.what)
		}
	}
	if len(odd) > 0 {
		fmt.Fprintf(w, "  %s\n", strings.Join(odd, ", "))
	}
	if c.damage != nil {
		fmt.Fprintf(w, "  TRUNCATED: %s\n", oneLine(c.damage.Error()))
	}
	c.textInterfaces(w)
}

// textInterfaces names them where there are several.
func (c *captured) textInterfaces(w *strings.Builder) {
	if len(c.interfaces) < 2 {
		return
	}
	const most = 8
	for n, i := range c.interfaces[:min(len(c.interfaces), most)] {
		fmt.Fprintf(w, "  interface %d: %s %s\n", n, cmp.Or(incident.Clean(i.Name), "(no name)"), i.Link)
	}
	if n := len(c.interfaces); n > most {
		fmt.Fprintf(w, "  and %d more interfaces\n", n-most)
	}
}

func (c *captured) textFlows(w *strings.Builder, top int) {
	r := c.report
	if len(r.Flows) == 0 {
		return
	}
	n := min(top, len(r.Flows))
	title := "Flows by bytes, outermost IP header"
	if c.inner {
		title = "Flows by bytes, innermost IP header"
	}
	section(w, title, n, len(r.Flows))
	t := textTable{columns: []column{{"proto", false}, {"a", false}, {"b", false}, {"packets a>b", true}, {"bytes a>b", true}, {"packets b>a", true}, {"bytes b>a", true}, {"share", true}}}
	for i := range r.Flows[:n] {
		f := &r.Flows[i]
		t.add(protoName(f.Proto), flowEnd(f.Proto, f.A), flowEnd(f.Proto, f.B), grouped(f.AB.Packets), grouped(f.AB.Bytes), grouped(f.BA.Packets), grouped(f.BA.Bytes),
			shareText(f.AB.Bytes+f.BA.Bytes, r.Bytes))
	}
	t.write(w)
	if r.Other.Packets > 0 {
		fmt.Fprintf(w, "  other flows, beyond the bound: %s packets, %s bytes\n", grouped(r.Other.Packets), grouped(r.Other.Bytes))
	}
}

// pingSum is the echoes of one sender, target and id.
type pingSum struct {
	src, dst      netip.Addr
	id            uint16
	sent, lost    int
	duplicates    uint64
	rtts          []int64
	worst         *stats.Echo
	worstDuration int64
}

func pingsOf(list []stats.Echo) []*pingSum {
	type who struct {
		src, dst netip.Addr
		id       uint16
	}
	of := map[who]*pingSum{}
	var out []*pingSum
	for i := range list {
		e := &list[i]
		k := who{e.Src, e.Dst, e.ID}
		p := of[k]
		if p == nil {
			p = &pingSum{src: e.Src, dst: e.Dst, id: e.ID}
			of[k] = p
			out = append(out, p)
		}
		p.sent++
		p.duplicates += uint64(e.Duplicates)
		if !e.Answered {
			p.lost++
			continue
		}
		rtt := e.Reply - e.Request
		p.rtts = append(p.rtts, rtt)
		if p.worst == nil || rtt > p.worstDuration {
			p.worst, p.worstDuration = e, rtt
		}
	}
	for _, p := range out {
		slices.Sort(p.rtts)
	}
	slices.SortStableFunc(out, func(a, b *pingSum) int { return cmp.Compare(b.sent, a.sent) })
	return out
}

func (c *captured) textEchoes(w *strings.Builder, top int) {
	r := c.report
	all := pingsOf(r.Echoes)
	if len(all) == 0 && r.Orphaned == 0 {
		return
	}
	n := min(top, len(all))
	section(w, "Pings, RTT in ms", n, len(all))
	t := textTable{columns: []column{{"from", false}, {"to", false}, {"id", true}, {"sent", true}, {"lost", true}, {"loss", true}, {"dup", true}, {"min", true}, {"median", true}, {"max", true}, {"worst: seq", true}, {"sent at", false}}}
	for _, p := range all[:n] {
		cells := []string{p.src.String(), p.dst.String(), fmt.Sprint(p.id), grouped(uint64(p.sent)), grouped(uint64(p.lost)), shareText(uint64(p.lost), uint64(p.sent)), grouped(p.duplicates)}
		if len(p.rtts) == 0 {
			t.add(append(cells, "-", "-", "-", "-", "")...)
			continue
		}
		t.add(append(cells, millisText(p.rtts[0]), millisText(p.rtts[len(p.rtts)/2]), millisText(p.rtts[len(p.rtts)-1]), fmt.Sprint(p.worst.Seq), statsTime(p.worst.Request).String())...)
	}
	if len(t.rows) > 0 {
		t.write(w)
	}
	if r.Orphaned > 0 {
		fmt.Fprintf(w, "  %s replies without a request\n", grouped(r.Orphaned))
	}
}

// textTCP shows the conversations with troubles; how many there are in which
// state is said of all.
func (c *captured) textTCP(w *strings.Builder, top int) {
	r := c.report
	if len(r.TCP) == 0 {
		return
	}
	states := map[string]int{}
	bad := []*stats.Conversation{}
	for i := range r.TCP {
		x := &r.TCP[i]
		states[x.State]++
		if x.Trouble() > 0 || x.State == stats.StateReset || x.State == stats.StateSyn {
			bad = append(bad, x)
		}
	}
	slices.SortStableFunc(bad, func(a, b *stats.Conversation) int { return cmp.Compare(b.Trouble(), a.Trouble()) })
	n := min(top, len(bad))
	section(w, "TCP conversations with trouble", n, len(bad))
	var words []string
	for _, s := range []string{stats.StateSyn, stats.StateEstablished, stats.StateClosing, stats.StateClosed, stats.StateReset} {
		if states[s] > 0 {
			words = append(words, grouped(uint64(states[s]))+" "+s)
		}
	}
	fmt.Fprintf(w, "  of %s: %s\n", grouped(uint64(len(r.TCP))), strings.Join(words, ", "))
	if n == 0 {
		w.WriteString("  none\n")
		return
	}
	t := textTable{columns: []column{{"a", false}, {"b", false}, {"state", false}, {"handshake ms", true}, {"packets", true}, {"retransmitted", true}, {"out of order", true}, {"dup acks", true}, {"zero windows", true}}}
	for _, x := range bad[:n] {
		shake := "-"
		if x.Handshake >= 0 {
			shake = millisText(x.Handshake)
		}
		t.add(x.A.String(), x.B.String(), x.State, shake, grouped(x.Packets), grouped(uint64(x.Retransmissions)), grouped(uint64(x.OutOfOrder)), grouped(uint64(x.DuplicateAcks)), grouped(uint64(x.ZeroWindows)))
	}
	t.write(w)
}

func (c *captured) textTrees(w *strings.Builder, top int) {
	r := c.report
	for _, topic := range []string{stats.SourceTopic, stats.DestinationTopic} {
		of := slices.DeleteFunc(slices.Clone(r.Addresses), func(a stats.Address) bool { return a.Topic != topic })
		if len(of) == 0 {
			continue
		}
		n := min(top, len(of))
		section(w, topic, n, len(of))
		t := textTable{columns: []column{{"address", false}, {"packets", true}, {"percent", true}}}
		for _, a := range of[:n] {
			t.add(a.Item.String(), grouped(a.Count), fmt.Sprintf("%.2f", a.Percent))
		}
		t.write(w)
	}
	if len(r.Services) == 0 {
		return
	}
	n := min(top, len(r.Services))
	section(w, "Destinations and ports", n, len(r.Services))
	t := textTable{columns: []column{{"address", false}, {"proto", false}, {"port", true}, {"packets", true}, {"percent", true}}}
	for _, s := range r.Services[:n] {
		port := "-"
		if s.Proto != "NONE" {
			port = fmt.Sprint(s.Port)
		}
		t.add(s.Address.String(), s.Proto, port, grouped(s.Count), fmt.Sprintf("%.2f", s.Percent))
	}
	t.write(w)
}

func (c *captured) textPeaks(w *strings.Builder, top int) {
	list := c.report.Peaks
	if len(list) == 0 {
		return
	}
	n := min(max(top, 6), len(list))
	section(w, "Peaks", n, len(list))
	t := textTable{columns: []column{{"interface", false}, {"within", true}, {"rate", true}, {"at", false}}}
	for i := range list[:n] {
		p := &list[i]
		t.add(c.interfaceName(p.Interface), fmt.Sprintf("%d ms", p.BinMS), bitRate(p.BPS()), statsTime(p.At).String())
	}
	t.write(w)
	if c.report.Unplaced > 0 {
		fmt.Fprintf(w, "  %s packets of further interfaces are not looked through\n", grouped(c.report.Unplaced))
	}
}

func (c *captured) textBursts(w *strings.Builder, top int) {
	list := c.report.Bursts
	if len(list) == 0 {
		return
	}
	order := make([]*stats.Burst, len(list))
	for i := range list {
		order[i] = &list[i]
	}
	slices.SortStableFunc(order, func(a, b *stats.Burst) int { return cmp.Compare(b.Bytes, a.Bytes) })
	n := min(top, len(order))
	section(w, "Bursts, by bytes", n, len(order))
	t := textTable{columns: []column{{"interface", false}, {"from", false}, {"for", true}, {"bytes", true}, {"peak", true}, {"usual", true}, {"most of it", false}}}
	for _, b := range order[:n] {
		who := "-"
		if len(b.Flows) > 0 {
			f := b.Flows[0].Flow
			who = fmt.Sprintf("%s %s - %s (%s)", protoName(f.Proto), flowEnd(f.Proto, f.A), flowEnd(f.Proto, f.B), shareText(b.Flows[0].Bytes, b.Bytes))
		}
		t.add(c.interfaceName(b.Interface), statsTime(b.From).String(), fmt.Sprintf("%d ms", (b.To-b.From)/1e6), grouped(b.Bytes), bitRate(binBPS(b.Peak)), bitRate(binBPS(b.Usual)), who)
	}
	t.write(w)
}

func (c *captured) interfaceName(n int) string {
	if n < len(c.interfaces) && c.interfaces[n].Name != "" {
		return incident.CleanMax(c.interfaces[n].Name, 32)
	}
	return fmt.Sprint(n)
}

// bitRate writes a rate with its unit: "15.7 Mbit/s".
func bitRate(bps float64) string {
	for _, u := range []struct {
		over float64
		name string
	}{{1e9, "Gbit/s"}, {1e6, "Mbit/s"}, {1e3, "kbit/s"}} {
		if bps >= u.over {
			return fmt.Sprintf("%.3g %s", bps/u.over, u.name)
		}
	}
	return fmt.Sprintf("%.0f bit/s", bps)
}

func millisText(ns int64) string { return fmt.Sprintf("%.3f", float64(ns)/1e6) }

func shareText(n, of uint64) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", float64(n)*100/float64(of))
}

// grouped writes a number with a space between groups of three digits.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(d)
	}
	return b.String()
}
