package incident

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
	"spiketop/probe"
)

// TestTimelines plays the files of testdata/timeline: lines of commands (see
// simCommands), and under each, indented, what the monitor said. The files were
// checked by reading: -update is to be followed by reading the diff.
func TestTimelines(t *testing.T) {
	files, err := filepath.Glob("testdata/timeline/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no timelines: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := playTimeline(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

const timelineIndent = "    "

// playTimeline runs the commands of text and returns it with what was said.
func playTimeline(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	p := &player{t: t}
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if strings.HasPrefix(line, timelineIndent) {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		p.play(strings.Fields(line))
		for _, s := range p.said {
			out.WriteString(timelineIndent + s + "\n")
		}
		p.said = nil
	}
	return out.String()
}

type player struct {
	t    *testing.T
	s    *sim
	said []string
}

// play runs one command:
//
//	world [spike=60ms] NAME:SPEED|NAME:?[:BOND] ...     first of all; speeds in bit/s
//	target ADDR [via NIC] [gateway] rtt D         ADDR@NIC: the ping of one member, called so from then on
//	rule storage PORT                             a class rule
//	flow NIC rx|tx FROM TO RATE [wobble N%] [for D] [guest VIF]
//	ping ADDR [rtt D] [queue D] [own D] [wake D] [lost] [uncertain] [user] [reply NIC] [unseen] [xN]   for the next N echoes, or from now on
//	lag D           the rings deliver everything later by that
//	loss ADDR N%    of the echoes from now on are lost, at random
//	tick D          lets time pass
//	late D          stops the process for D
//	lose NIC N      N frames lost in the ring, in the slot that runs
//	backlog NIC BYTES; neighbour NIC on|off; counter NIC rx_missed N
//	change NIC WHAT WAS NOW
//	mute NIC        its ring delivers nothing any more
//	down NIC; back NIC                           the link as the World has it
//	step D          somebody sets the clock
//	vmping, vmecho, path: pings of VMs, see sim_vm_test.go
//	bond, kernel, hidden: see timeline_bond_test.go
//	own, owner, class, tcp, ...: see timeline_who_test.go
//	driver, count, softnet, cpus, ...: see timeline_near_test.go
//	freeze; close; status; incident; flows; bonds
func (p *player) play(f []string) {
	p.t.Helper()
	if f[0] == "world" {
		p.world(f[1:])
		return
	}
	if f[0] == "flow" {
		p.flow(f[1:])
		return
	}
	run, ok := map[string]func([]string){"target": p.target, "rule": p.rule, "ping": p.ping, "tick": p.tick, "late": p.late, "lose": p.lose,
		"backlog": p.backlog, "neighbour": p.neighbour, "counter": p.counter, "change": p.change, "mute": p.mute, "down": p.down, "back": p.back,
		"step": p.step, "freeze": p.freeze, "close": p.close, "status": p.status, "incident": p.incident, "flows": p.flows, "strip": p.strip, "loss": p.loss, "lag": p.lag,
		"vmping": p.vmping, "vmecho": p.vmecho, "path": p.path,
		"bond": p.bond, "kernel": p.kernel, "hidden": p.hidden, "bonds": p.bonds}[f[0]]
	if !ok {
		run, ok = p.guestCommand(f[0])
	}
	if !ok {
		run, ok = p.whoCommand(f[0])
	}
	if !ok {
		run, ok = p.nearCommand(f[0])
	}
	if !ok {
		p.t.Fatalf("unknown command %q", f)
	}
	run(f[1:])
	p.said = append(p.said, p.s.seen...)
	p.s.seen = nil
}

func (p *player) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func (p *player) number(s string) float64 {
	unit := 1.0
	if i := strings.IndexByte("kMG", s[len(s)-1]); i >= 0 {
		unit, s = []float64{1e3, 1e6, 1e9}[i], s[:len(s)-1]
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return v * unit
}

func (p *player) world(f []string) {
	var links []flow.Link
	cfg := Config{}
	for _, w := range f {
		if d, ok := strings.CutPrefix(w, "spike="); ok {
			cfg.Spike = p.duration(d)
			continue
		}
		part := strings.Split(w, ":")
		l := flow.Link{ID: flow.LinkID(len(links) + 1), Name: part[0]}
		if part[1] != "?" {
			l.SpeedBps = uint64(p.number(part[1]))
		}
		if len(part) > 2 {
			l.Bond = part[2]
		}
		links = append(links, l)
	}
	p.s = newSim(cfg, links...)
}

func (p *player) link(name string) *simLink {
	l := p.s.link(name)
	if l == nil {
		p.t.Fatalf("no link %s", name)
	}
	return l
}

func (p *player) target(f []string) {
	via, gateway, rtt := "", false, time.Duration(0)
	for i := 1; i < len(f); i++ {
		switch f[i] {
		case "via":
			i++
			via = f[i]
		case "gateway":
			gateway = true
		case "rtt":
			i++
			rtt = p.duration(f[i])
		}
	}
	p.s.addTarget(f[0], via, gateway, rtt)
}

func (p *player) rule(f []string) {
	r, err := flow.ParseRule(flow.Storage, f[1])
	if err != nil {
		p.t.Fatal(err)
	}
	p.s.newWorld(func(w *flow.World) { w.Rules = append(w.Rules, r) })
}

func (p *player) flow(f []string) {
	d := flow.Rx
	if f[1] == "tx" {
		d = flow.Tx
	}
	wobble, length := 0.0, time.Duration(0)
	for i := 5; i < len(f); i++ {
		switch f[i] {
		case "wobble":
			i++
			wobble = p.number(strings.TrimSuffix(f[i], "%")) / 100
		case "for":
			i++
			length = p.duration(f[i])
		case "guest":
			i++
			defer p.guestFlow(p.link(f[0]), f[i])
		}
	}
	p.link(f[0]).addFlow(p.s, d, f[2], f[3], p.number(f[4]), wobble, length)
}

func (p *player) ping(f []string) {
	t := p.s.target(f[0])
	if t == nil {
		p.t.Fatalf("no target %s", f[0])
	}
	way, times := t.way, 0
	for i := 1; i < len(f); i++ {
		switch w := f[i]; {
		case w == "rtt" || w == "queue" || w == "own" || w == "wake":
			i++
			*map[string]*time.Duration{"rtt": &way.rtt, "queue": &way.queue, "own": &way.own, "wake": &way.wake}[w] = p.duration(f[i])
		case w == "lost":
			way.lost = true
		case w == "uncertain":
			way.uncertain = true
		case w == "user":
			way.user = true
		case w == "unseen":
			way.member, way.queue = 0, time.Hour
		case w == "reply":
			i++
			way.reply = p.link(f[i]).ID
		case w[0] == 'x':
			times = int(p.number(w[1:]))
		default:
			p.t.Fatalf("ping %s", w)
		}
	}
	if times == 0 {
		t.way = way
	}
	for range times {
		t.once = append(t.once, way)
	}
}

func (p *player) loss(f []string) {
	p.s.target(f[0]).loss = p.number(strings.TrimSuffix(f[1], "%")) / 100
}
func (p *player) lag(f []string)  { p.s.lag = p.duration(f[0]) }
func (p *player) tick(f []string) { p.s.run(p.duration(f[0])) }
func (p *player) late(f []string) { p.s.stop(p.duration(f[0])) }
func (p *player) lose(f []string) { p.link(f[0]).lose += uint64(p.number(f[1])) }
func (p *player) mute(f []string) { p.link(f[0]).silent = true }
func (p *player) backlog(f []string) {
	p.link(f[0]).counter.QdiscBacklogBytes = uint64(p.number(f[1]))
}
func (p *player) neighbour(f []string) { p.link(f[0]).counter.NeighbourPending = f[1] == "on" }
func (p *player) counter(f []string)   { p.link(f[0]).counter.RxMissed += uint64(p.number(f[2])) }
func (p *player) change(f []string)    { p.s.m.LinkChange(p.s.now, f[0], f[1], f[2], f[3]) }
func (p *player) freeze([]string)      { p.s.m.Freeze(p.s.now) }
func (p *player) close([]string)       { p.s.take(p.s.m.Close(p.s.now)) }

func (p *player) down(f []string) {
	l := p.link(f[0])
	l.silent, l.slot = true, nil
	p.s.newWorld(func(w *flow.World) { w.Link(l.ID).State = flow.LinkDown })
}

func (p *player) back(f []string) {
	l := p.link(f[0])
	l.silent, l.slot, l.late = false, nil, nil
	l.Epoch++
	p.s.newWorld(func(w *flow.World) { w.Link(l.ID).State, w.Link(l.ID).Epoch = flow.LinkUp, l.Epoch })
}

func (p *player) step(f []string) {
	d := p.duration(f[0])
	for _, l := range p.s.links {
		l.slot, l.bytes = nil, map[flow.FlowID]*[2]uint64{}
	}
	p.s.newWorld(func(w *flow.World) { w.Offset += flow.WallOffset(d); w.ClockSteps++ })
}

// newWorld publishes a changed World.
func (s *sim) newWorld(change func(*flow.World)) {
	w := *s.world
	w.Links = append([]flow.Link(nil), w.Links...)
	w.Generation++
	change(&w)
	s.world = w.Index()
	s.m.SetWorld(s.now, s.world)
}

func simSeconds(d time.Duration) string { return fmt.Sprintf("%7.2f", d.Seconds()) }

func known(d time.Duration) string {
	if d == probe.None {
		return "-"
	}
	return Ms(d)
}

func spikeText(s *Spike) string {
	t := fmt.Sprintf("spike %s %s via %s n %d, out %s, rtt %s, limit %s", s.Kind, s.Target, s.Member, s.N, known(s.Outstanding), known(s.RTT), known(s.Threshold))
	if s.Suppressed {
		t += ", suppressed"
	}
	return t
}

func sealedText(in *Incident) string {
	t := fmt.Sprintf("#%d %s: %s %s/%s", in.Number, in.Trigger.Kind, in.Verdict.Cause, in.Verdict.Confidence, in.Path.VerdictSegment)
	if in.Verdict.Link != "" {
		t += " " + strings.TrimSpace(in.Verdict.Link+" "+in.Verdict.Direction)
	}
	if in.Truncated {
		t += ", truncated"
	}
	return t
}

func (p *player) status([]string) {
	f := p.s.m.Frame(p.s.now)
	for i := range f.Pings {
		v := &f.Pings[i]
		p.say("%s usual %s, mark %s, freeze %s (%s)", p.s.targets[i].key, known(v.Baseline), Ms(v.Mark), Ms(v.Freeze), p.s.m.targets[i].threshold().rule)
	}
	for _, l := range f.Incidents {
		open := ""
		if l.Open {
			open = ", open"
		}
		p.say("#%d %s%s", l.Number, l.Summary, open)
	}
	if f.Suppressed > 0 {
		p.say("suppressed %d", f.Suppressed)
	}
}

func (p *player) say(format string, a ...any) { p.said = append(p.said, fmt.Sprintf(format, a...)) }

// strip shows the last n columns of 100 ms of each target: "." an answer, "m"
// marked, "F" over the freeze threshold, "s" our own fault, "q" it
// waited in our queue, "w" its answer waited for us, "L" lost, "?"
// uncertain, "_" nothing was due.
func (p *player) strip(f []string) {
	n := int(p.number(f[0]))
	s := p.s.m.Frame(p.s.now).Strips[0]
	for i, t := range p.s.targets {
		var b strings.Builder
		for _, c := range s.Cells[len(s.Cells)-n:] {
			cell := &c.Pings[i]
			switch {
			case !cell.Due:
				b.WriteByte('_')
			case cell.Lost:
				b.WriteByte('L')
			case cell.Unknown:
				b.WriteByte('?')
			case cell.Self:
				b.WriteByte('s')
			case cell.Queue:
				b.WriteByte('q')
			case cell.Wake:
				b.WriteByte('w')
			case cell.Freeze:
				b.WriteByte('F')
			case cell.Mark:
				b.WriteByte('m')
			default:
				b.WriteByte('.')
			}
		}
		p.say("%s %s", t.key, b.String())
	}
}

// last is the newest incident, sealed or not.
func (p *player) last() *Incident {
	in := p.s.m.frozen
	if in == nil {
		p.t.Fatal("there is no incident")
	}
	return in
}

func (p *player) incident([]string) {
	in := p.last()
	p.say("%s", in.ID)
	t := &in.Trigger
	if t.Kind != KindManual {
		p.say("trigger %s n %d via %s back via %s: rtt %s usual %s limit %s (%s)", t.Kind, t.N, t.Member, t.ReplyMember, ms(t.RTT), ms(t.Baseline), ms(t.Threshold), t.Rule)
	}
	p.say("window %s +%.1f s, baseline %.1f s", in.Window.From.Format("15:04:05.000"), in.Window.To.Sub(in.Window.From).Seconds(), in.Baseline.Seconds)
	for i := range in.Links {
		p.linkLine(&in.Links[i])
	}
	p.bondLines(in)
	for i := range in.Pings {
		g := &in.Pings[i]
		p.say("ping %s: %d sent, %d lost, %d unknown, max %s, usual %s", g.Target, g.Sent, g.Lost, g.Unknown, ms(g.RTTMax), ms(g.Baseline))
	}
	v := &in.Verdict
	p.say("cause %s %s %s %s, %s", v.Cause, v.Link, v.Direction, v.Confidence, in.Path.VerdictSegment)
	p.say("%s", v.Sentence)
	for _, e := range v.Evidence {
		p.say("- %s", e)
	}
	if v.Advice != "" {
		p.say("> %s", v.Advice)
	}
	if s := in.Self; s != (SelfPart{}) {
		p.say("self: %d late, %d evicted, %d clock steps, %d suppressed", s.LateTicks, s.EvictedFlows, s.ClockSteps, s.SuppressedIncidents)
	}
}

func (p *player) linkLine(l *LinkPart) {
	p.say("%s rx %s", l.Name, dirText(&l.Rx, l))
	if l.Tx.Bytes > 0 {
		p.say("%s tx %s", l.Name, dirText(&l.Tx, l))
	}
}

func dirText(v *LinkDir, l *LinkPart) string {
	s := fmt.Sprintf("%s, peak %s", Rate(v.Bps), Rate(v.PeakBps))
	if v.BaselineBps != nil {
		s += ", usual " + Rate(*v.BaselineBps)
	}
	if v.BusyMs != nil {
		s += fmt.Sprintf(", busy %.0f ms, %s full", *v.BusyMs, Percent(*v.Utilisation))
	}
	if l.Coverage != nil && *l.Coverage < 1 {
		s += ", coverage " + Percent(*l.Coverage)
	}
	return s
}

func (p *player) flows([]string) {
	in := p.last()
	for _, d := range []struct {
		name  string
		rows  []FlowRow
		other uint64
	}{{"rx", in.Flows.Rx, in.Flows.Other.Rx.Bytes}, {"tx", in.Flows.Tx, in.Flows.Other.Tx.Bytes}} {
		for i := range d.rows {
			r := &d.rows[i]
			delta := "?"
			if r.DeltaBps != nil {
				delta = Change(*r.DeltaBps)
			}
			hash := ""
			if r.HashMember != "" {
				hash = ", hash " + r.HashMember
			}
			p.say("%d %s %s %s %s %s | %s, %s, %s%s%s", r.Rank, d.name, r.Link, r.Class, r.Local, r.Remote, Rate(r.Bps), delta, Percent(r.Share), hash, whoText(r))
		}
		p.say("other %s %s", d.name, Bytes(d.other))
	}
	for _, c := range in.Classes {
		p.say("class %s rx %s tx %s", c.Name, Bytes(c.Rx.Bytes), Bytes(c.Tx.Bytes))
	}
}
