package main

import (
	"context"
	"slices"

	"spiketop/capture"
	"spiketop/capture/link"
	"spiketop/flow"
)

// withSpeeds applies --link-speed, then the configuration's, to a copy of the links. A speed belongs to the
// link that first had the name, and stays when it is renamed.
func (w *watch) withSpeeds(links []flow.Link) []flow.Link {
	out := slices.Clone(links)
	for i := range out {
		l := &out[i]
		v, ok := w.s.o.linkSpeed[l.Name]
		if !ok {
			v = w.s.o.conf.linkSpeed[l.Name]
		}
		if w.speeds[l.ID] == 0 {
			w.speeds[l.ID] = v
		}
		if v := w.speeds[l.ID]; v != 0 {
			l.SpeedBps = v
		}
	}
	return out
}

// checkClock makes a World with the new offset when somebody has stepped the
// clock: wall times change, nothing else.
func (w *watch) checkClock() {
	offset, steps := w.s.clock.Sample()
	if steps == w.world.ClockSteps {
		return
	}
	next := *w.world
	next.Offset, next.ClockSteps = offset, steps
	w.setWorld(&next)
}

func (w *watch) setWorld(next *flow.World) {
	next.Generation++
	next.Guests = namedGuests(next.Guests, w.conf.vifs)
	w.world = next.Index()
	w.unclassed = false
	w.publishClasses()
	w.tellRing()
	w.mon.SetWorld(capture.Now(), next)
	w.evidence.vifNames(capture.Now(), next.Guests)
}

// update takes a new picture of the links.
func (w *watch) update(u link.Update) {
	next := *w.world
	next.Links, next.Bonds, next.Hidden = w.withSpeeds(u.Links), u.Bonds, u.Hidden
	w.setWorld(&next)
	if u.State != nil {
		w.state = u.State
	}
	w.s.finder.SetCaptured(next.Links)
	w.nextReaders = 0 // a reader for each new link, on the next beat
	for i := range next.Links {
		if r := w.s.readers[next.Links[i].ID]; r != nil {
			r.Follow(readableIfindex(&next.Links[i]), next.Links[i].Epoch)
		}
	}
	for _, c := range u.Changes {
		w.mon.LinkChange(u.At, c.Name, c.Change, c.Was, c.Now)
		w.s.ev.emit(linkEvent{eventHead{"link", w.wall(u.At)}, c})
	}
	for _, n := range u.Notes {
		w.s.say(n)
	}
	w.setLinks()
	w.steer()
}

// newState takes a new look at the host's devices and routes: the way to a
// target may be another one now.
func (w *watch) newState(st *link.State) {
	w.state, w.looked = st, true
	if own := st.OwnAddresses(); !slices.Equal(own, w.world.Own) {
		next := *w.world
		next.Own = own
		w.setWorld(&next)
	}
	w.setLinks()
	w.targetsChanged()
}

// checkReaders marks the links whose ring could not be opened (again) as
// waiting, opens those that never were, and reports what rings lost and slots
// that this goroutine did not take in time. A link without a ring must not count
// as read: what is missing would be "unknown" for ever.
func (w *watch) checkReaders(ctx context.Context, now flow.Time) {
	links := slices.Clone(w.world.Links)
	changed := false
	w.sayLostSamples(now)
	for i := range links {
		l := &links[i]
		w.sayLost(l, now)
		var err error
		if r := w.s.readers[l.ID]; r != nil {
			err = w.readerTrouble(r, l, now)
		} else if l.State == flow.LinkUp || l.State == flow.LinkWaiting {
			err = w.addReader(ctx, *l)
		}
		switch {
		case err != nil && l.State == flow.LinkUp:
			l.State, l.Note, changed = flow.LinkWaiting, oneLine(err.Error()), true
			w.s.say(err.Error())
		case err == nil && l.State == flow.LinkWaiting:
			l.State, l.Note, changed = flow.LinkUp, "", true
		}
	}
	if changed {
		next := *w.world
		next.Links = links
		w.setWorld(&next)
		w.setLinks()
	}
}

// sayLost reports what a link's ring has dropped since the last time: once a
// second, not with every block of an overflow.
func (w *watch) sayLost(l *flow.Link, now flow.Time) {
	if n := w.lost[l.ID]; n > 0 {
		delete(w.lost, l.ID)
		w.s.ev.emit(lostEvent{eventHead{"lost", w.wall(now)}, "ring", l.Name, n})
	}
}

// sayLostSamples reports what the pingers had to drop since the last time.
func (w *watch) sayLostSamples(now flow.Time) {
	if n := w.lostSamples; n > 0 {
		w.lostSamples = 0
		w.s.ev.emit(lostEvent{eventHead{"lost", w.wall(now)}, "samples", "", n})
	}
}

// readerTrouble returns why a link's ring is not open, nil if it is.
func (w *watch) readerTrouble(r *capture.Reader, l *flow.Link, now flow.Time) error {
	st := r.Stats()
	if n := st.DroppedSlots - w.missed[l.ID]; n > 0 {
		w.missed[l.ID] = st.DroppedSlots
		w.s.ev.emit(lostEvent{eventHead{"lost", w.wall(now)}, "samples", l.Name, n})
	}
	if st.Open {
		return nil
	}
	return st.Err
}

// readableIfindex is 0 for a device that is gone.
func readableIfindex(l *flow.Link) int {
	if l.State == flow.LinkGone {
		return 0
	}
	return l.Ifindex
}

// addReader opens the ring of a link that has none and runs its reader.
func (w *watch) addReader(ctx context.Context, l flow.Link) error {
	if err := w.s.openReader(l, w.world); err != nil {
		return err
	}
	w.s.goReader(ctx, w.s.readers[l.ID])
	return nil
}

// setLinks tells everybody which links count.
func (w *watch) setLinks() {
	var up []flow.LinkID
	for i := range w.world.Links {
		if w.world.Links[i].State == flow.LinkUp {
			up = append(up, w.world.Links[i].ID)
		}
	}
	w.set.SetLinks(up)
	w.tellSampler()
}

// tellSampler tells the sampler what to read from now on; newest wins.
func (w *watch) tellSampler() {
	select {
	case <-w.s.sampled:
	default:
	}
	w.s.sampled <- sampleList{w.world.Links, w.state, w.nextHops}
}
