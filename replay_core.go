package main

import (
	"cmp"
	"fmt"
	"net/netip"
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

// pings are the series that are followed from their first echo on. only: the
// files have no others.
func (r *replay) pings() (first []probe.SeriesKey, only bool) {
	for i := range r.c.Pings {
		p := &r.c.Pings[i]
		if !p.VIF && p.Requests > 2 && len(first) < replayPings {
			first = append(first, probe.SeriesKey{Family: p.Family, Src: p.Src, Dst: p.Dst, ID: p.ID})
		}
	}
	return first, r.c.AllPings
}

// replayInterval is the time between two echoes of the busiest ping.
func replayInterval(c *offline.Capture) time.Duration {
	for i := range c.Pings {
		if p := &c.Pings[i]; !p.VIF && p.Requests > 2 {
			d := time.Duration(p.Gap()).Round(10 * time.Millisecond)
			return min(max(d, 10*time.Millisecond), 10*time.Second)
		}
	}
	return 100 * time.Millisecond
}

// singles are the addresses that --local names one by one: this host's own.
func singles(local []netip.Prefix) (own []netip.Addr) {
	for _, p := range local {
		if p.IsSingleIP() {
			own = append(own, p.Addr())
		}
	}
	return own
}

func ownAddresses(series []probe.SeriesKey, more []netip.Addr) []netip.Addr {
	own := slices.Clone(more)
	for _, k := range series {
		if a := netip.AddrFrom16(k.Src).Unmap(); !slices.Contains(own, a) {
			own = append(own, a)
		}
	}
	return own
}

// addLinks gives every link of the files that has none its place, and reports
// whether there were any.
func (r *replay) addLinks() bool {
	old := len(r.feeders)
	for i := old; i < len(r.c.Links); i++ {
		l := &r.c.Links[i]
		r.newest = append(r.newest, r.now)
		if l.VIF {
			r.world.Guests = append(r.world.Guests, flow.GuestNIC{Name: oneLine(l.Name), Ifindex: i + 1, Guest: oneLine(l.Guest), MACs: l.MACs, Source: "the file"})
			r.feeders = append(r.feeders, nil)
			continue
		}
		link := flow.Link{ID: linkID(i), Name: oneLine(l.Name), Ifindex: i + 1, Bond: oneLine(l.Bond), State: flow.LinkUp, SpeedBps: l.Speed, Epoch: 1}
		if v := cmp.Or(r.o.linkSpeed[l.Name], r.o.conf.linkSpeed[l.Name]); v != 0 {
			link.SpeedBps = v
		}
		r.world.Links = append(r.world.Links, link)
		r.feeders = append(r.feeders, capture.NewFeeder(capture.FeederConfig{Link: link.ID, Offset: r.offset, Epoch: 1, MaxFlows: r.o.maxFlows}))
	}
	r.world.Guests = namedGuests(r.world.Guests, r.o.conf.vifs)
	return len(r.feeders) > old
}

func linkID(i int) flow.LinkID { return flow.LinkID(i + 1) }

func (r *replay) classify() {
	for i, f := range r.feeders {
		if f != nil {
			f.SetClassify(classOf(r.world, linkID(i)))
		}
	}
}

// setWorld publishes a changed World.
func (r *replay) setWorld(change func(*flow.World)) {
	next := *r.world
	next.Links, next.Guests = slices.Clone(next.Links), slices.Clone(next.Guests)
	r.world = &next
	change(&next)
	next.Generation++
	next.Index()
	r.classify()
	r.mon.SetWorld(r.now, &next)
}

// newLinks takes interfaces that appear in the middle of a file.
func (r *replay) newLinks() {
	if len(r.c.Links) == len(r.feeders) {
		return
	}
	old := len(r.feeders)
	r.setWorld(func(*flow.World) { r.addLinks() })
	for _, f := range r.feeders[old:] {
		if f != nil {
			f.Start(r.now)
		}
	}
}

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
		if e, ok := r.vifDec.echo(p, at, p.Link+1, r.offset); ok && len(r.vifs) < maxVIFEchoes {
			r.vifs = append(r.vifs, e)
		}
		return
	}
	if p.Drops > 0 {
		f.Lose(p.Drops, at)
		r.heard.Lost(r.newest[p.Link], at)
	}
	r.newest[p.Link] = max(r.newest[p.Link], at)
	f.Add(&capture.FilePacket{At: at, LinkType: p.LinkType, Dir: p.Dir, Len: p.Len, Data: p.Data, SegSize: p.SegSize})
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

// judge runs both cores and carries out what they decide.
func (r *replay) judge(drained flow.Time) {
	samples := r.heard.Tick(r.now)
	if r.heard.Changed() {
		r.targets()
	}
	for _, s := range samples {
		r.mon.Sample(s)
	}
	r.carryOut(r.mon.Tick(r.now))
}

// targets takes a ping that is followed from now on.
func (r *replay) targets() {
	targets := r.heard.Targets()
	own := ownAddresses(r.heard.Series(), r.world.Own)
	if !slices.Equal(own, r.world.Own) {
		r.setWorld(func(w *flow.World) { w.Own = own })
	}
	r.mon.SetTargets(targets)
	for i := range targets {
		if t := &targets[i]; t.ID > r.out.announced {
			r.out.announced = t.ID
			r.out.emit(r.now, targetEvent{eventHead{"target", r.wall(r.now)}, startTarget{t.Name, t.Reason}})
		}
	}
}

func (r *replay) carryOut(o incident.Output) {
	for i := range o.Spikes {
		if o.Spikes[i].Suppressed {
			r.suppressed++
		}
		r.out.emit(r.now, newSpike(&o.Spikes[i]))
	}
	for _, in := range o.Sealed {
		dir, err := r.out.save(in, r.frame())
		if err != nil {
			r.mon.SaveFailed(in.ID, troubleText(err))
		}
		if dir != "" {
			r.mon.Saved(in.ID, dir)
		}
		r.sealed++
		r.out.emit(r.now, sealedEvent(r.wall(r.now), in, incidentName(in, dir), dir))
	}
	for _, n := range o.Notes {
		r.out.emit(r.now, noteEvent{eventHead{"note", r.wall(r.now)}, n})
	}
}

// skipPause goes on just before the next packet where nothing comes for long.
func (r *replay) skipPause() {
	if !r.has || r.now < r.last.Add(pauseAfter) {
		return
	}
	next := r.offset.Mono(r.packet.At).Add(-pauseLeft)
	if next.Sub(r.now) < pauseAfter {
		return
	}
	for _, f := range r.feeders {
		if f != nil {
			f.Skip(r.now, next)
		}
	}
	if r.pausesSaid++; r.pausesSaid <= 8 {
		r.say(fmt.Sprintf("nothing in the files for %v: skipped", next.Sub(r.now).Round(time.Second)))
	}
	r.now = next
}

// sayNotes says what the files gave reason to.
func (r *replay) sayNotes() {
	for _, n := range r.c.Notes[min(r.said, len(r.c.Notes)):] {
		r.say(n)
	}
	r.said = len(r.c.Notes)
}

func (r *replay) say(text string) {
	r.mon.Note(r.now, text)
	r.out.say(text)
}

// finish judges what is left and seals what is open.
func (r *replay) finish() {
	r.closed = true
	for _, err := range r.player.Troubles() {
		r.say(err.Error() + ": what comes before was played")
		r.out.trouble(err)
	}
	if n := r.heard.Unfollowed(); n > 0 {
		r.say(fmt.Sprintf("more than %d pings at a time: %d echoes of others are not in the strip", replayPings, n))
	}
	r.player.Close()
	r.out.seen = min(r.out.seen, r.now-1) // what is sealed now is news
	r.carryOut(r.mon.Close(r.now))
	r.out.seen = r.now
	r.out.ev.emit(stopEvent{eventHead{"stop", r.wall(r.now)}, seconds(r.now.Sub(r.start)), r.sealed, r.suppressed})
}

// frame is a picture of now.
func (r *replay) frame() *incident.Frame {
	r.mon.SetStats(r.heard.Stats())
	return r.mon.Frame(r.now)
}

func (r *replay) wall(t flow.Time) time.Time { return r.offset.Wall(t).In(r.o.zone) }

// startEvent is the first line.
func (r *replay) startEvent() startEvent {
	why := map[flow.LinkID]string{}
	for i := range r.world.Links {
		why[r.world.Links[i].ID] = "in the file"
	}
	e := newStart(r.wall(r.start), r.world, why, nil)
	e.Engine = replayEngine
	return e
}

// maxVIFEchoes bounds the echoes of vifs between two beats.
const maxVIFEchoes = 1 << 14
