package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/capture/socket"
	"spiketop/flow"
)

func tcpSocket(remotePort int) flow.Socket {
	return flow.Socket{Proto: flow.ProtoTCP, LocalPort: 9422, RemotePort: uint16(remotePort)}
}

// TestOwned: what was overtaken by others keeps its owner for two minutes, an
// answer overrides what is remembered, and none of it grows without bound.
func TestOwned(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	one, other := flow.Owner{PID: 812, Name: "chunkserver"}, flow.Owner{PID: 4711, Name: "rsync"}
	type owners = map[flow.Socket]flow.Owner
	var o owned
	for _, step := range []struct {
		second    int
		add, want owners
	}{
		{0, owners{tcpSocket(1): one, tcpSocket(2): one}, owners{tcpSocket(1): one, tcpSocket(2): one}},
		{60, owners{tcpSocket(2): other}, owners{tcpSocket(1): one, tcpSocket(2): other}},
		{120, nil, owners{tcpSocket(1): one, tcpSocket(2): other}},
		{121, owners{tcpSocket(3): one}, owners{tcpSocket(2): other, tcpSocket(3): one}},
	} {
		if diff := cmp.Diff(step.want, o.add(at(step.second), step.add)); diff != "" {
			t.Errorf("after %d s (-want +got):\n%s", step.second, diff)
		}
	}
	many := owners{}
	for i := range mostOwned {
		many[tcpSocket(10_000+i)] = one
	}
	if got := o.add(at(130), many); len(got) != mostOwned {
		t.Errorf("%d remembered, want the newest %d", len(got), mostOwned)
	}
}

// TestOwnersReachTables: new owners alone make a World for the monitor at once,
// and one for the tables with the next look at who listens.
func TestOwnersReachTables(t *testing.T) {
	w := newIdleWatch(&session{})
	answer := func(pid int, listeners []socket.Listener) socket.Answer {
		return socket.Answer{At: time.Unix(int64(pid), 0), Owners: map[flow.Socket]flow.Owner{tcpSocket(pid): {PID: pid, Name: fmt.Sprint("p", pid)}}, Listeners: listeners}
	}
	for i, step := range []struct {
		a         socket.Answer
		unclassed bool
		owners    int
	}{
		{answer(1, nil), true, 1},
		{answer(2, nil), true, 2},
		{answer(3, []socket.Listener{}), false, 3},
		{answer(3, []socket.Listener{}), false, 3},
	} {
		before := w.world.Generation
		w.answered(step.a)
		if w.unclassed != step.unclassed || len(w.world.Owners) != step.owners {
			t.Errorf("step %d: unclassed %v, %d owners; want %v, %d", i, w.unclassed, len(w.world.Owners), step.unclassed, step.owners)
		}
		if grown := w.world.Generation > before; grown != (i < 3) {
			t.Errorf("step %d: another World: %v", i, grown)
		}
	}
}
