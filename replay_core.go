package main

import (
	"cmp"
	"slices"
	"time"

	"spiketop/capture"
	"spiketop/capture/offline"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/probe"
)

const (
	// replayBegin is the Time of the first packet: like a host that has run for a while.
	replayBegin = flow.Time(1000 * time.Second)
	// disorder is how much later than its time a packet may stand in a file: each
	// CPU of the capturing host stamped for itself.
	disorder = 20 * time.Millisecond
	// pauseAfter is the silence of all files that is skipped, when what was open
	// has been sealed; pauseLeft is played before the next packet.
	pauseAfter = 90 * time.Second
	pauseLeft  = time.Second
	// replayPings is how many pings of a file are followed; others that leave are
	// judged as those of VMs are.
	replayPings = 8
)

// replay is the watch of capture files: it owns the pure cores and steps them
// through the files' time. The same files and options give the same incidents,
// byte for byte. It belongs to one goroutine.
type replay struct {
	o   *replayOptions
	c   *offline.Capture
	out *replayOut

	offset  flow.WallOffset
	player  *offline.Player
	packet  offline.Packet
	has     bool // packet waits for its time
	end     bool // the files are at their end
	closed  bool
	feeders []*capture.Feeder // by index of Capture.Links; nil for a vif
	newest  []flow.Time       // packet of each link
	vifs    []flow.Echo
	vifDec  *vifDecoder

	world *flow.World
	mon   *incident.Monitor
	heard *probe.Heard

	start, now, last   flow.Time // last: of the newest packet
	summary            summaries
	said               int // notes of the capture so far
	sealed, suppressed int
	pausesSaid         int
}

func newReplay(o *replayOptions, c *offline.Capture, out *replayOut) *replay {
	r := &replay{o: o, c: c, out: out, player: c.Play(), offset: flow.WallOffset(c.First - int64(replayBegin)),
		start: replayBegin, now: replayBegin, last: replayBegin, vifDec: newVIFDecoder()}
	first, only := r.pings()
	interval := replayInterval(c)
	r.heard = probe.NewHeard(probe.HeardConfig{Interval: interval, Most: replayPings, First: first, Only: only})
	r.world = &flow.World{Generation: 1, Host: o.host, Rules: o.rules, Offset: r.offset}
	r.world.Own = ownAddresses(first, singles(o.local))
	r.addLinks()
	r.world.Index()
	r.mon = incident.NewMonitor(incident.Config{Version: version(), Engine: replayEngine, Interval: interval, Spike: o.spike, Zone: o.zone}, r.start, r.world)
	for _, f := range r.feeders {
		if f != nil {
			f.Start(r.start)
		}
	}
	r.classify()
	return r
}

// replayEngine stands in every file in place of the ring's.
const replayEngine = "replay"

// beat plays the next 20 ms, and reports whether there is more.
func (r *replay) beat() bool {
	if r.closed {
		return false
	}
	r.now = r.now.Add(loopBeat)
	r.feed(r.now)
	drained := r.now.Add(-disorder)
	r.take(drained)
	r.judge(drained)
	r.sayNotes()
	if r.summary.due(r.now) {
		r.out.emit(r.now, newSummary(r.frame()))
	}
	if r.end && r.now >= r.last.Add(disorder) || r.o.runFor > 0 && r.now.Sub(r.start) >= r.o.runFor {
		r.finish()
		return false
	}
	r.out.seen = max(r.out.seen, r.now)
	r.skipPause()
	return true
}

// feed counts the packets until to.
func (r *replay) feed(to flow.Time) {
	for !r.end {
		if !r.has {
			if r.player.Next(&r.packet) != nil { // io.EOF; damage is in Troubles
				r.end = true
				break
			}
			r.has = true
		}
		at := r.offset.Mono(r.packet.At)
		if at >= to {
			break
		}
		r.has = false
		r.last = max(r.last, at)
		r.newLinks()
		r.add(at)
	}
}

func (r *replay) add(at flow.Time) {
	p := &r.packet
	f := r.feeders[p.Link]
	if f == nil {
		r.addVIF(p, at)
		return
	}
	if p.Drops > 0 {
		f.Lose(p.Drops, at)
		r.heard.Lost(r.newest[p.Link], at)
	}
	r.newest[p.Link] = max(r.newest[p.Link], at)
	f.Add(&capture.FilePacket{At: at, LinkType: p.LinkType, Dir: p.Dir, Len: p.Len, Data: p.Data, SegSize: p.SegSize})
}

// addVIF takes a packet of a vif. What the file says was lost there, and what is
// over the bound, must not look like an echo that never came.
func (r *replay) addVIF(p *offline.Packet, at flow.Time) {
	if p.Drops > 0 {
		r.mon.VIFLost(p.Link+1, r.newest[p.Link], at)
	}
	r.newest[p.Link] = max(r.newest[p.Link], at)
	e, ok := r.vifDec.echo(p, at, p.Link+1, r.offset)
	switch {
	case !ok:
	case len(r.vifs) < maxVIFEchoes:
		r.vifs = append(r.vifs, e)
	default:
		r.mon.VIFLost(p.Link+1, at, at.Add(1))
	}
}

// take hands what was read to the cores.
func (r *replay) take(drained flow.Time) {
	var echoes []flow.Echo
	for i, f := range r.feeders {
		if f == nil {
			continue
		}
		b := f.Close(drained)
		if b.Lost > 0 {
			r.out.emit(r.now, lostEvent{eventHead{"lost", r.wall(b.LostAt)}, "ring", r.world.Link(linkID(i)).Name, b.Lost})
		}
		echoes = append(echoes, b.Echoes...)
		r.mon.Batch(b)
	}
	slices.SortStableFunc(echoes, func(a, b flow.Echo) int { return cmp.Compare(a.At, b.At) })
	for i := range echoes {
		r.heard.Echo(&echoes[i])
	}
	r.heard.Drained(drained)
	r.mon.VIFEchoes(r.vifs)
	r.vifs = r.vifs[:0]
	r.mon.VIFDrained(drained)
}
