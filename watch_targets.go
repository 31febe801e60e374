package main

import (
	"context"
	"fmt"

	"spiketop/capture"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/probe"
)

// startPingers starts what is missing for the targets of the book.
func (w *watch) startPingers(ctx context.Context) {
	w.pinging = ctx
	for _, t := range w.book.list[len(w.hosts):] {
		w.hosts = append(w.hosts, &pingHost{Target: t})
	}
	w.targetsChanged()
}

// targetsChanged asks again by which NICs the targets are reached and tells both cores.
func (w *watch) targetsChanged() {
	w.retarget = false
	w.learnTargets()
	w.nextHops = nil // a new one: the sampler reads the old
	for i, h := range w.hosts {
		h.Reason = w.book.reasons[h.ID]
		if h.Addr.IsValid() { // a name that is not looked up yet has no route to judge
			was := h.Captured
			if h.Captured = w.reach(h); !h.Captured {
				h.Reason += uncaptured
				if was {
					w.s.say(fmt.Sprintf("ping %s: its route does not leave by a captured NIC: RTT is measured in user space", h.Name))
				}
			}
		}
		w.book.list[i] = h.Target
		for _, p := range h.pings {
			p.Captured, p.Reason = h.Captured, h.Reason
		}
	}
	w.steer()
	w.tellTargets()
	w.tellSampler()
}

// learnTargets takes the addresses and troubles that the pingers have found.
func (w *watch) learnTargets() {
	learned := w.set.Targets()
	for _, h := range w.hosts {
		for i, p := range h.pings {
			for j := range learned {
				if learned[j].ID == p.ID {
					p.Addr, p.Trouble = learned[j].Addr, learned[j].Trouble
				}
			}
			if i == 0 {
				h.Addr = p.Addr
			}
		}
	}
}

const uncaptured = "; not through a captured NIC, so measured in user space"

// reach reports whether a host is reached through a captured NIC, and notes the
// way and the next hop: until it is resolved, echoes wait in this host. Where
// there is no route now, the last way stands: it may come back.
func (w *watch) reach(h *pingHost) bool {
	path, err := w.s.netlink.RouteLeavesBy(w.state, w.world.Links, h.Addr)
	if err != nil {
		return false
	}
	h.leavesBy(path, w.world.Links)
	if len(path.Links) == 0 {
		return false
	}
	hop := h.Addr
	if path.Gateway.IsValid() {
		hop = path.Gateway
	}
	w.nextHops = append(w.nextHops, hop)
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
