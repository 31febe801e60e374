package main

import (
	"fmt"
	"slices"
	"time"

	"spiketop/flow"
	"spiketop/incident"
)

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
