package main

import (
	"context"
	"net/netip"
	"time"

	"spiketop/capture"
	"spiketop/capture/host"
	"spiketop/capture/link"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/probe"
)

// How often the watch does what is not done on every beat.
const (
	frameEvery   = 100 * time.Millisecond
	readersEvery = time.Second
	peersAfter   = 5 * time.Second // default targets: the busiest peers are known by then
)

// watch is the one owner of the pure cores: what arrives from readers, pingers,
// link watcher and sampler goes through it, in its own goroutine, and what the
// cores decide is carried out by it.
type watch struct {
	s     *session
	saver *saver
	set   *probe.Set
	mon   *incident.Monitor
	world *flow.World
	state *link.State
	conf  config // as it was read last

	book     targetBook
	ids      probe.IDs
	nextHops []netip.Addr    // toward the targets: only their resolution can delay an echo
	hosts    []*pingHost     // as book.list
	pinging  context.Context // of all pingers
	troubled map[probe.TargetID]bool
	peers    bool // the busiest peers have been chosen
	looked   bool // devices and routes have been looked at again
	retarget bool // a target's address or trouble is another one: ask for its route again

	start, last, nextFrame, nextReaders flow.Time
	summary                             summaries
	sealed, suppressed                  int
	dropped                             map[probe.TargetID]uint64 // events each pinger has dropped
	lostSamples                         uint64                    // events dropped by all pingers since it was last said
	lost                                map[flow.LinkID]uint64    // frames each ring has dropped since it was last said
	speeds                              map[flow.LinkID]uint64    // --link-speed
	unsaved                             map[string]bool           // incidents that failed to be written so far
	trouble                             string                    // why the last one failed
	missed                              map[flow.LinkID]uint64    // slots each reader has dropped
	evidence                            *evidence
	asking                              asking
	socketSpell                         spell // of questions that were not answered
	owned                               owned
	unclassed                           bool // owners have changed since the tables were told of a World
	vifs                                vifSeen
	lastLook                            *host.Look                // the newest of the vifs
	saidOfGuests                        map[string]bool           // of all looks, bounded
	drained                             map[flow.LinkID]flow.Time // each link's watermark
}

func newWatch(s *session, sv *saver) *watch {
	now := capture.Now()
	w := &watch{s: s, saver: sv, state: s.state, conf: s.o.conf, start: now, last: now,
		troubled: map[probe.TargetID]bool{}, dropped: map[probe.TargetID]uint64{},
		drained: map[flow.LinkID]flow.Time{}, missed: map[flow.LinkID]uint64{}, lost: map[flow.LinkID]uint64{},
		speeds: map[flow.LinkID]uint64{}, unsaved: map[string]bool{}}
	w.evidence = newEvidence(s.kept, s.keptVIFs)
	w.set = probe.NewSet(probe.SetConfig{Interval: s.o.interval, Stall: 4 * loopBeat})
	w.world = &flow.World{Generation: 1, Host: s.host, Rules: s.o.rules, Offset: s.clock.Offset(), Kernel: link.Kernel()}
	first := s.watcher.First()
	w.world.Links, w.world.Bonds, w.world.Hidden = w.withSpeeds(first.Links), first.Bonds, first.Hidden
	w.world.Own = s.state.OwnAddresses()
	w.world.Index()
	w.publishClasses()
	w.mon = incident.NewMonitor(incident.Config{Version: version(), Engine: engine, Interval: s.o.interval, Spike: s.o.spike, Zone: time.Local}, now, w.world)
	return w
}

// run watches until ctx ends, then seals what is open and waits for the disk.
func (w *watch) run(ctx context.Context) {
	w.setLinks()
	w.tellRing()
	if !w.s.o.noPing {
		w.book.given(w.s.o.pings)
		if len(w.s.o.pings) == 0 {
			w.book.gateways(w.state, w.world.Links)
		}
	}
	w.startPingers(ctx)
	if w.s.tap != nil {
		w.tapHello()
	}
	w.s.ev.emit(newStart(w.wall(w.start), w.world, w.s.why, w.book.list))
	beat := time.NewTicker(loopBeat)
	defer beat.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case a := <-w.s.asks:
			w.ask(a)
		case d := <-w.saver.done:
			w.saved(d)
		case <-beat.C:
			w.beat(ctx)
		}
	}
	w.finish()
}

// beat judges. What waits in the channels is taken first: after a stop of this
// process the answers lie there, and only then what is missing is late.
func (w *watch) beat(ctx context.Context) {
	now := capture.Now()
	if now.Sub(w.last) > loopBeat+lateAfter {
		w.mon.Late(w.last, now)
	}
	w.takeWaiting()
	w.checkClock()
	if now >= w.nextReaders {
		w.nextReaders = now.Add(readersEvery)
		w.checkReaders(ctx, now)
	}
	w.judge(now)
	w.farTurns(now)
	w.askOwners(now)
	w.chooseTargets(ctx, now)
	if w.s.frames != nil && now >= w.nextFrame {
		w.nextFrame = now.Add(frameEvery)
		w.publish(w.frame(now))
	}
	if w.summary.due(now) {
		w.s.ev.emit(newSummary(w.frame(now)))
	}
	w.last = capture.Now()
}

// takeWaiting takes what has arrived, in the order that probe.Set asks for: what
// the pingers did before what the rings saw of it.
func (w *watch) takeWaiting() {
	take(w.s.probes, w.event)
	if w.retarget { // once for all of them: each asks the kernel for every target's route
		w.targetsChanged()
	}
	take(w.s.batches, w.batch)
	take(w.s.updates, w.update)
	take(w.s.counters, w.mon.Counters)
	w.takeNear()
	take(w.s.states, w.newState)
	take(w.s.tapped, w.vifEchoes)
	take(w.s.looks, w.newGuests)
	take(w.s.moved, w.mon.GuestNICs)
	take(w.s.guests.disks, w.mon.Disks)
	take(w.s.sockets.answers, w.answered)
	take(w.s.configs, w.newConfig)
	take(w.s.said, func(text string) { w.mon.Note(capture.Now(), text) })
}

// take hands on what waits in a channel now; what comes meanwhile is for the next beat.
func take[T any](from <-chan T, to func(T)) {
	for range len(from) {
		to(<-from)
	}
}

// judge runs both cores and carries out what they decide.
func (w *watch) judge(now flow.Time) {
	for _, s := range w.set.Tick(now) {
		w.mon.Sample(s)
		w.saw(&s)
	}
	out := w.mon.Tick(now)
	w.evidence.keep(now, w.mon.OpenWindows(), w.world.Offset, w.watermarks())
	w.carryOut(out, now)
	w.hurry()
}

func (w *watch) batch(b *flow.Batch) {
	for i := range b.Echoes {
		w.set.Echo(b.Echoes[i])
	}
	w.seen(b.Echoes)
	if b.Lost > 0 {
		w.tapLost(b.Lost)
		w.set.Lost(b.Link, w.drained[b.Link], b.LostAt)
		w.lost[b.Link] += b.Lost
	}
	if b.Drained > w.drained[b.Link] {
		w.drained[b.Link] = b.Drained
		w.set.Drained(b.Link, b.Drained)
	}
	w.mon.Batch(b)
}

// watermarks say how far links and taps have been read.
func (w *watch) watermarks() watermarks { return watermarks{w.drained, w.vifs.upTo} }

func (w *watch) event(e probe.Event) {
	w.set.Event(e)
	if n := e.Dropped - w.dropped[e.Target]; e.Dropped > w.dropped[e.Target] {
		w.dropped[e.Target] = e.Dropped
		w.lostSamples += n
	}
	switch e.Kind {
	case probe.Resolved:
		w.resolved(e.Target, e.Addr)
		w.retarget = true
	case probe.Trouble:
		w.troubled[e.Target], w.retarget = true, true
	case probe.Sent: // the trouble is over
		if w.troubled[e.Target] {
			delete(w.troubled, e.Target)
			w.retarget = true
		}
	}
}

func (w *watch) ask(a ask) {
	if a == askFreeze {
		w.mon.Freeze(capture.Now())
	}
}

// frame builds a picture with the newest statistics.
func (w *watch) frame(now flow.Time) *incident.Frame {
	w.mon.SetStats(w.set.Stats())
	return w.mon.Frame(now)
}

// publish: newest wins; a slow terminal loses old pictures, not our time.
func (w *watch) publish(f *incident.Frame) {
	select {
	case <-w.s.frames:
	default:
	}
	w.s.frames <- f
}

func (w *watch) wall(t flow.Time) time.Time { return w.world.Offset.Wall(t).Local() }

// onLink reports whether a is a neighbour on a captured link.
func (w *watch) onLink(a netip.Addr) bool {
	return w.s.netlink.OnLink(w.state, w.world.Links, a)
}
