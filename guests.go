package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"spiketop/capture"
	"spiketop/capture/host"
	"spiketop/flow"
)

// guestsEvery is the time between two readings of the vifs' and the VMs' disks'
// counters.
const guestsEvery = time.Second

// guests looks for who is behind each vif, and reads what they move.
type guests struct {
	finder  *host.Finder
	vifs    *host.Sampler
	events  chan struct{}  // a link of this host has changed
	looks   chan host.Look // newest wins
	known   chan []flow.GuestNIC
	running chan bool // there are VMs whose disks can be asked for; newest wins
	moved   chan []flow.GuestNICCounters
	disks   chan []flow.DiskCounters
}

// openGuests opens what needs the right network namespace and rights. It comes
// before the captured links are followed.
func (s *session) openGuests() (err error) {
	g := &s.guests
	g.events, g.looks = make(chan struct{}, 1), make(chan host.Look, 1)
	g.known, g.running = make(chan []flow.GuestNIC, 1), make(chan bool, 1)
	g.moved, g.disks = make(chan []flow.GuestNICCounters, 8), make(chan []flow.DiskCounters, 8)
	if g.finder, err = host.New(host.Options{Proc: s.o.procfs, UserMap: nil}); err != nil {
		return fmt.Errorf("look for vifs: %w", err)
	}
	if g.vifs, err = host.NewSampler(); err != nil {
		return fmt.Errorf("open vif counters: %w", err)
	}
	g.finder.SetCaptured(s.watcher.First().Links)
	return nil
}

func (g *guests) close() {
	if g.finder != nil {
		_ = g.finder.Close()
	}
	if g.vifs != nil {
		_ = g.vifs.Close()
	}
}

// linksChanged tells the finder that a link came, went or changed. Any goroutine
// may call it.
func (s *session) linksChanged() {
	select {
	case s.guests.events <- struct{}{}:
	default: // one waits already
	}
}

// runGuests starts the goroutines that look at guests.
func (s *session) runGuests(ctx context.Context) {
	s.task(func() { s.finder.Run(ctx, s.guests.events, func(l host.Look) { newest(s.looks, l) }) })
	s.task(func() { s.sampleGuests(ctx) })
	s.task(func() { s.sampleDisks(ctx) })
}

// newest puts v in place of what waits in a channel of capacity one. Only one
// goroutine may send.
func newest[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	c <- v
}

// sampleGuests reads the vifs' counters each second.
func (s *session) sampleGuests(ctx context.Context) {
	tick := time.NewTicker(guestsEvery)
	defer tick.Stop()
	var nics []flow.GuestNIC
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case nics = <-s.known:
		case <-tick.C:
			c, err := s.vifs.Read(capture.Now(), nics)
			if err != nil {
				said = s.sayOnce(said, err)
				continue
			}
			offer(s.moved, c)
		}
	}
}

// sampleDisks reads the VMs' disk counters each second while there are VMs.
func (s *session) sampleDisks(ctx context.Context) {
	disks := host.NewDisks("")
	defer disks.Close()
	tick := time.NewTicker(guestsEvery)
	defer tick.Stop()
	said, vms := "", false
	for {
		select {
		case <-ctx.Done():
			return
		case vms = <-s.running:
		case <-tick.C:
			if !vms {
				continue
			}
			c, err := disks.Read(ctx)
			switch {
			case errors.Is(err, host.ErrNoHypervisor), ctx.Err() != nil:
			case err != nil:
				said = s.sayOnce(said, err)
			default:
				offer(s.guests.disks, c)
			}
		}
	}
}

// offer gives v to whoever reads c; cumulative counters that nobody takes are
// replaced by the next.
func offer[T any](c chan T, v T) {
	select {
	case c <- v:
	default:
	}
}

// sayOnce says an error unless it was said last, and returns what was.
func (s *session) sayOnce(said string, err error) string {
	if err.Error() != said {
		s.say(err.Error())
	}
	return err.Error()
}

// mostOfGuests bounds what is said of vifs: guests come and go for years.
const mostOfGuests = 64

// sayOfGuests says what is missing and what is strange, each once in this run.
func (w *watch) sayOfGuests(l *host.Look) {
	for _, line := range l.News(w.lastLook) {
		switch n := len(w.saidOfGuests); {
		case n > mostOfGuests || w.saidOfGuests[line]:
			continue
		case n == mostOfGuests:
			w.s.say("more is strange about vifs than is said here: spiketop doctor lists it")
		default:
			w.s.say(line)
		}
		if w.saidOfGuests == nil {
			w.saidOfGuests = map[string]bool{}
		}
		w.saidOfGuests[line] = true
	}
}

// newGuests takes a new picture of the vifs: their names, and with their
// addresses the class of every flow.
func (w *watch) newGuests(l host.Look) {
	w.sayOfGuests(&l)
	same := w.lastLook != nil && reflect.DeepEqual(l.NICs, w.lastLook.NICs)
	w.lastLook = &l
	if same { // a source counts something else now: no flow is another's for that
		return
	}
	next := *w.world
	next.Guests = l.NICs
	w.setWorld(&next)
	newest(w.s.known, l.NICs)
	w.tapGuests(l.NICs)
	vms := false
	for i := range l.NICs {
		vms = vms || l.NICs[i].Kind != "veth"
	}
	newest(w.s.running, vms)
}
