package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"spiketop/capture"
	"spiketop/capture/socket"
	"spiketop/flow"
	"spiketop/incident"
)

// How often owners of the visible flows and listening sockets are asked for.
const (
	ownersEvery    = 2 * time.Second
	listenersEvery = 10 * time.Second
)

// sockets asks which processes own this host's flows.
type sockets struct {
	owners  *socket.Owners // nil: could not be opened
	asked   chan socket.Request
	answers chan socket.Answer
}

// openSockets opens sock_diag in this thread's network namespace. Without it
// nobody's name is known, and everything else works.
func (s *session) openSockets() {
	s.sockets.asked, s.sockets.answers = make(chan socket.Request, 4), make(chan socket.Answer, 1)
	owners, err := socket.New(socket.Options{Proc: s.o.procfs})
	if err != nil {
		s.say(fmt.Sprintf("%v: processes will not be named", err))
		return
	}
	s.sockets.owners = owners
}

func (s *sockets) close() {
	if s.owners != nil {
		_ = s.owners.Close()
	}
}

func (s *session) runSockets(ctx context.Context) {
	if s.sockets.owners != nil {
		s.task(func() { s.sockets.owners.Run(ctx, s.sockets.asked, s.sockets.answers) })
	}
}

// asking is what the watch has asked of the socket worker.
type asking struct {
	id            uint64
	next, listens flow.Time
	freezes       []freezeAsk // incidents that wait for an answer, oldest first
	unsent        []socket.Request
}

// freezeAsk is an incident that waits for the answer to a request.
type freezeAsk struct {
	id       uint64
	incident string
}

// askOwners asks for the owners of what can be seen, and now and then for who
// listens.
func (w *watch) askOwners(now flow.Time) {
	if w.s.sockets.owners == nil {
		return
	}
	w.sendAsked()
	if now < w.asking.next {
		return
	}
	w.asking.next = now.Add(ownersEvery)
	r := socket.Request{Sockets: w.mon.Wanted(), Listeners: now >= w.asking.listens}
	if r.Listeners {
		w.asking.listens = now.Add(listenersEvery)
	}
	w.askSockets(r)
}

// askFrozen asks at once for everything about an incident's rows: the look is
// thorough, and the culprits' TCP_INFO is that of this moment.
func (w *watch) askFrozen(asks []incident.Ask) {
	if w.s.sockets.owners == nil {
		return
	}
	for _, a := range asks {
		w.askSockets(socket.Request{Sockets: a.Sockets, TCPInfo: a.Sockets, Thorough: true})
		w.asking.freezes = append(w.asking.freezes, freezeAsk{w.asking.id, a.ID})
	}
}

func (w *watch) askSockets(r socket.Request) {
	w.asking.id++
	r.ID = w.asking.id
	w.asking.unsent = append(w.asking.unsent, r)
	w.sendAsked()
}

// sendAsked hands on what the worker takes now. It merges what it cannot answer
// yet, so that at most a few wait here.
func (w *watch) sendAsked() {
	for len(w.asking.unsent) > 0 {
		select {
		case w.s.sockets.asked <- w.asking.unsent[0]:
			w.asking.unsent = w.asking.unsent[1:]
		default:
			return
		}
	}
}

// answered takes what the socket worker has found.
func (w *watch) answered(a socket.Answer) {
	for _, m := range a.Missing {
		text := m.What + ": " + m.Detail
		if m.Remedy != "" {
			text += "; " + m.Remedy
		}
		w.s.say(text)
	}
	w.sayUnanswered(a)
	w.newOwners(a)
	asked := capture.Now().Add(-time.Since(a.At)) // TCP_INFO comes first in an answer
	for len(w.asking.freezes) > 0 && w.asking.freezes[0].id <= a.ID {
		w.mon.TCPInfo(w.asking.freezes[0].incident, asked, a.TCPInfo)
		w.asking.freezes = w.asking.freezes[1:]
	}
}

// sayUnanswered says when questions have failed for a while, and when they are
// answered again. What is refused for good is in Answer.Missing, once.
func (w *watch) sayUnanswered(a socket.Answer) {
	switch {
	case a.Refused, errors.Is(a.Err, context.Canceled):
	case a.Err != nil && w.socketSpell.failed(a.At):
		why := a.Err.Error()
		if errors.Is(a.Err, context.DeadlineExceeded) {
			why = "this host is too busy to find them in time"
		}
		w.s.say("processes of flows and TCP_INFO are not known now: " + why)
	case a.Err == nil && (a.Owners != nil || a.Listeners != nil) && w.socketSpell.worked():
		w.s.say("processes of flows and TCP_INFO are known again")
	}
}

// newOwners makes a World of them if anything has changed.
func (w *watch) newOwners(a socket.Answer) {
	next := *w.world
	if a.Owners != nil {
		next.Owners = w.owned.add(a.At, a.Owners)
	}
	if a.Listeners != nil {
		next.Listeners = make(map[flow.Socket]flow.Owner, len(a.Listeners))
		for _, l := range a.Listeners {
			next.Listeners[l.Socket] = l.Owner
		}
	}
	owners := !maps.Equal(next.Owners, w.world.Owners)
	switch {
	case !maps.Equal(next.Listeners, w.world.Listeners), a.Listeners != nil && (owners || w.unclassed):
		w.setWorld(&next)
	case owners:
		// The tables need not ask about every flow again each time: what they know by
		// class is what has no row. With the next look at who listens is soon enough.
		w.unclassed = true
		next.Generation++
		w.world = next.Index()
		w.mon.SetWorld(capture.Now(), w.world)
	}
}
