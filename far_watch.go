package main

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"spiketop/flow"
	"spiketop/incident"
	"spiketop/incident/far"
)

// Bounds and times of what the watch keeps of the far side.
const (
	farKept     = 4096                   // joined echoes, to find the guilty one among
	farAgain    = 500 * time.Millisecond // between two questions about an incident whose window grows
	farSettle   = 200 * time.Millisecond // after a window's end before it is asked about
	farVIFs     = 4                      // names of NICs that are said
	clockUnsure = 5 * time.Second        // of a clock that was only heard of through the pipe
)

// farWatch is what the watch knows of the far side.
type farWatch struct {
	join   *far.Join
	link   far.Link
	hello  far.Hello
	upTo   int64 // watermark of the far side, its clock
	beats  beatClock
	asked  map[int]*farAsked // by incident number
	serial int
	last   []far.Joined // newest last
	print  *hopPrinter
	owned  flow.Time // when the join was told last whom this host pings
}

// farAsked is what became of the question about an incident.
type farAsked struct {
	to     flow.Time // end of the window that was asked about
	at     flow.Time
	run    uint64
	answer far.Answer
	whole  bool
	echo   incident.GuiltyEcho // the one that was handed over last; a worse one may take its place
}

func (f *farWatch) init() {
	f.join, f.asked = far.NewJoin(), map[int]*farAsked{}
}

// host is what the far side is called: as it says, unless that is this host's own
// name.
func (f *farSide) host() string {
	if f.hello.Host != "" && f.hello.Host != f.options.near {
		return f.hello.Host
	}
	return f.options.name
}

// farTurns does what is due toward another host, on either side.
func (w *watch) farTurns(now flow.Time) {
	if w.s.tap != nil {
		w.tapTurn(now)
	}
	if w.s.far != nil {
		w.farTurn(now)
	}
}

// farTurn does what is due with the far side.
func (w *watch) farTurn(now flow.Time) {
	f := w.s.far
	take(f.events, func(e farEvent) { w.farHeard(&e) })
	if now.Sub(f.owned) >= time.Second {
		f.owned = now
		var targets []netip.Addr
		for _, h := range w.hosts {
			if h.Addr.IsValid() {
				targets = append(targets, h.Addr)
			}
		}
		f.join.Own(w.world.Own, targets)
	}
	for _, j := range f.join.Tick(now, w.world.Offset) {
		f.print.echo(&j)
		f.last = append(f.last, j)
	}
	if n := len(f.last) - farKept; n > 0 {
		f.last = slices.Delete(f.last, 0, n+farKept/4)
	}
	f.print.turn(w.wall(now), now)
	w.farIncidents(now)
}

// farHeard takes something of the far side.
func (w *watch) farHeard(e *farEvent) {
	f := w.s.far
	if e.over {
		if e.run == f.link.Run {
			f.link.Run = 0
			f.join.Far(f.link)
		}
		return
	}
	switch l := &e.line; {
	case l.Hello != nil:
		f.hello, f.beats, f.upTo = *l.Hello, beatClock{}, 0
		f.link = far.Link{Run: e.run, Host: f.host()}
		f.join.Far(f.link)
		f.trouble.Store(nil)
		names := f.hello.NICs[:min(len(f.hello.NICs), farVIFs)]
		w.s.say(fmt.Sprintf("%s: connected: spiketop %s watches %v there", f.host(), f.hello.Version, names))
	case e.run != f.link.Run:
	case l.Echo != nil:
		f.join.FarEcho(l.Echo)
	case l.Beat != nil:
		f.upTo, f.link.Drops = l.Beat.UpTo, l.Beat.Drops
		f.beats.add(l.Beat.At - int64(e.at))
		heard, _ := f.beats.offset()
		f.link.Told = flow.Time(f.upTo - heard)
		f.join.Far(f.link)
	case l.Window != nil:
		w.farAnswered(l.Window)
	}
}

// farAnswered takes a line of an answer.
func (w *watch) farAnswered(l *far.WindowLine) {
	f := w.s.far
	for number, a := range f.asked {
		if a.answer.ID != l.ID || a.whole {
			continue
		}
		if a.whole = a.answer.Add(l); a.whole {
			part := a.answer.Part()
			part.Host, part.Version = f.host(), f.hello.Version
			if ns, within, ok := f.clock(); ok {
				offset, unsure := milliseconds(time.Duration(ns-int64(w.world.Offset))), milliseconds(within)
				part.ClockOffset, part.Uncertainty = &offset, &unsure
			}
			w.mon.Far(number, part)
		}
		return
	}
}

// clock is the far wall clock minus this host's Time in ns, with the bound of its
// error: from the echoes, else as it was heard through the pipe.
func (f *farSide) clock() (ns int64, within time.Duration, ok bool) {
	if ns, within, ok = f.join.Offset(); ok {
		return ns, within, true
	}
	ns, ok = f.beats.offset()
	return ns, clockUnsure, ok
}

// beatClock takes the far wall clock minus our Time from the beats as they were
// heard: the fastest of the last minute has it best. The zero value knows nothing.
type beatClock struct {
	heard [60]int64 // one a second
	n     int
}

// beatStep is by how much a beat may come late before the far clock must have
// been set back.
const beatStep = int64(time.Second)

func (b *beatClock) add(offset int64) {
	if best, ok := b.offset(); ok && offset < best-beatStep {
		b.n = 0
	}
	b.heard[b.n%len(b.heard)] = offset
	b.n++
}

func (b *beatClock) offset() (ns int64, ok bool) {
	if b.n == 0 {
		return 0, false
	}
	return slices.Max(b.heard[:min(b.n, len(b.heard))]), true
}

// farIncidents asks about each incident whose window is over, and hands over its
// guilty echo as both hosts saw it.
func (w *watch) farIncidents(now flow.Time) {
	f := w.s.far
	open := w.mon.FarQuestions()
	for number := range f.asked {
		if !slices.ContainsFunc(open, func(q incident.FarQuestion) bool { return q.Number == number }) {
			delete(f.asked, number)
		}
	}
	for i := range open {
		q := &open[i]
		a := f.asked[q.Number]
		if a == nil {
			a = &farAsked{}
			f.asked[q.Number] = a
		}
		if j := f.guilty(&q.Guilty); j != nil && a.echo != q.Guilty {
			a.echo = q.Guilty
			e := incident.FarEcho{Host: f.host(), Report: j.Report, InFar: j.InFar}
			if j.Has {
				e.RTT = j.RTT
			}
			if j.Worst != nil {
				e.Worst = j.Worst.RTT
			}
			w.mon.FarEcho(q.Number, e)
		}
		if !q.Over || now < q.Window.To.Add(farSettle) || now.Sub(a.at) < farAgain {
			continue
		}
		if a.to == q.Window.To && (a.run == f.link.Run && a.run != 0 || a.whole) {
			continue
		}
		w.farAsk(q, a, now)
	}
}

// farAsk asks about a window, or notes that nobody is there to be asked. That is
// said again when somebody is.
func (w *watch) farAsk(q *incident.FarQuestion, a *farAsked, now flow.Time) {
	f := w.s.far
	a.at = now
	offset, _, ok := f.clock()
	if f.link.Run == 0 || !ok {
		if a.to != q.Window.To || a.run != 0 {
			a.to, a.run, a.whole = q.Window.To, 0, false
			why := "it has not told its time"
			if t := f.trouble.Load(); t != nil {
				why = *t
			}
			w.farNothing(q.Number, "nothing is known of that time: "+why)
		}
		return
	}
	f.serial++
	a.to, a.run, a.whole = q.Window.To, f.link.Run, false
	a.answer = far.Answer{ID: fmt.Sprintf("%d.%d", q.Number, f.serial)}
	select {
	case f.asks <- far.Question{Ask: far.AskWindow, ID: a.answer.ID, From: int64(q.Window.From) + offset, To: int64(q.Window.To) + offset}:
		w.farNothing(q.Number, "it was asked and has not answered in time")
	default:
		a.to = 0 // again
	}
}

// farNothing notes why the far side says nothing; its answer takes the place.
func (w *watch) farNothing(number int, why string) {
	none := far.Answer{}
	part := none.Part()
	part.Host, part.Trouble = w.s.far.host(), incident.CleanMax(why, 200)
	w.mon.Far(number, part)
}

// guilty finds the echo by which an incident is judged among those that both
// hosts saw, or at least this one.
func (f *farSide) guilty(g *incident.GuiltyEcho) *far.Joined {
	if !g.Known {
		return nil
	}
	for i := len(f.last) - 1; i >= 0; i-- {
		j := &f.last[i]
		same := j.Key.Dst == g.Dst && j.Key.Seq == g.Seq && j.Key.ID == g.ID && (!g.VM || j.Key.Src == g.Src)
		if same && j.Sent.Sub(g.Sent).Abs() < time.Second {
			return j
		}
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }
