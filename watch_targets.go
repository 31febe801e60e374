package main

import (
	"context"
	"fmt"
	"net/netip"

	"spiketop/capture"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/probe"
)

// startPingers starts a pinger for each target that has none.
func (w *watch) startPingers(ctx context.Context) {
	for _, t := range w.book.list {
		if w.pingers[t.ID] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		w.pingers[t.ID] = cancel
		p := probe.NewPinger(probe.PingerConfig{Target: t, Interval: w.s.o.interval, Events: w.s.probes, Now: capture.Now, IDs: &w.ids})
		w.s.task(func() {
			defer cancel()
			if err := quiet(p.Run(ctx)); err != nil {
				w.s.fatal(&failure{err, "run it with sudo, or once: sudo setcap cap_net_raw+ep " + ownPath(), exitPermission})
			}
		})
	}
	w.set.SetTargets(w.book.list)
	w.targetsChanged()
}

// targetsChanged asks again by which NICs the targets are reached and tells both cores.
func (w *watch) targetsChanged() {
	w.retarget = false
	targets := w.set.Targets()
	w.nextHops = nil // a new one: the sampler reads the old
	for i := range targets {
		t := &targets[i]
		t.Reason = w.book.reasons[t.ID]
		if !t.Addr.IsValid() {
			continue // a name that is not looked up yet has no route to judge
		}
		if t.Captured = w.reach(t.Addr); !t.Captured {
			t.Reason += uncaptured
			if w.book.list[i].Captured {
				w.s.say(fmt.Sprintf("ping %s: its route does not leave by a captured NIC: RTT is measured in user space", t.Name))
			}
		}
	}
	w.book.list = targets
	w.set.SetTargets(targets)
	w.mon.SetTargets(targets)
	w.tellSampler()
}

const uncaptured = "; not through a captured NIC, so measured in user space"

// reach reports whether an address is reached through a captured NIC, and notes
// the next hop: until it is resolved, echoes wait in this host.
func (w *watch) reach(a netip.Addr) bool {
	path, err := w.s.netlink.RouteLeavesBy(w.state, w.world.Links, a)
	if err != nil || len(path.Links) == 0 {
		return false
	}
	if path.Gateway.IsValid() {
		a = path.Gateway
	}
	w.nextHops = append(w.nextHops, a)
	return true
}

// chooseTargets adds default targets: gateways that have appeared since, and the
// busiest peers once there has been some traffic.
func (w *watch) chooseTargets(ctx context.Context, now flow.Time) {
	if w.s.o.noPing || len(w.s.o.pings) > 0 {
		return
	}
	before := len(w.book.list)
	if w.looked {
		w.looked = false
		w.book.gateways(w.state, w.world.Links)
	}
	if !w.peers && now.Sub(w.start) >= peersAfter {
		w.peers = true
		w.addPeers(w.frame(now))
	}
	if len(w.book.list) == before {
		return
	}
	for _, t := range w.book.list[before:] {
		w.s.ev.emit(targetEvent{eventHead{"target", w.wall(now)}, startTarget{t.Name, t.Reason}})
	}
	w.startPingers(ctx)
}

// addPeers adds the busiest on-link TCP peer of each bond or NIC.
func (w *watch) addPeers(f *incident.Frame) {
	for _, group := range groups(w.world.Links) {
		if peer, ok := busiestPeer(f, group, w.onLink); ok {
			w.book.add(probe.Target{Name: peer.String(), Addr: peer, Reason: peerReason(group), Captured: true})
		}
	}
}

// finish seals what is open and waits for the disk.
func (w *watch) finish() {
	now := capture.Now()
	w.takeWaiting()
	w.judge(now)
	w.sayLostSamples(now)
	for i := range w.world.Links {
		w.sayLost(&w.world.Links[i], now)
	}
	w.carryOut(w.mon.Close(now), now)
	w.saver.stop()
	for d := range w.saver.done {
		w.saved(d)
	}
	w.reportUnsaved()
	w.s.ev.emit(stopEvent{eventHead{"stop", w.wall(capture.Now())}, seconds(now.Sub(w.start)), w.sealed, w.suppressed})
}
