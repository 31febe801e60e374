package main

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"spiketop/capture"
	"spiketop/capture/link"
	"spiketop/flow"
	"spiketop/probe"
)

// pingHost is a ping target of the book with its pings: one for each member of the
// bond that leads to it where the echo's id decides by which it leaves, else one.
type pingHost struct {
	probe.Target
	steering probe.Steering
	pings    []*ping
	bond     string // that all echoes leave by, "" = none or several
	links    int    // captured NICs that may carry them
	source   netip.Addr
	addr     atomic.Pointer[netip.Addr] // for the pingers that follow the first
}

// ping is a pinger, with the lane that says by which member its echoes leave.
type ping struct {
	probe.Target
	lane   *probe.Lane
	pinger *probe.Pinger
	cancel context.CancelFunc
}

// leavesBy notes the way to the host.
func (h *pingHost) leavesBy(p link.Path, links []flow.Link) {
	h.bond, h.links, h.source = "", len(p.Links), p.Source
	for i, id := range p.Links {
		for j := range links {
			switch l := &links[j]; {
			case l.ID != id:
			case i == 0:
				h.bond = l.Bond
			case l.Bond != h.bond:
				h.bond = ""
			}
		}
	}
}

// way is what decides by which member echoes to the host leave.
func (h *pingHost) way(w *flow.World) probe.Way {
	y := probe.Way{Kernel: w.Kernel, Source: h.source, Addr: h.Addr}
	if h.bond == "" {
		if h.links > 1 {
			y.Why = "several NICs lead to it that are no bond"
		}
		return y
	}
	for i := range w.Bonds {
		if b := &w.Bonds[i]; b.Name == h.bond {
			y.Bond = b
		}
	}
	if y.Bond == nil {
		return y
	}
	for i := range w.Links { // in pane order, in which the strip has them too
		if l := &w.Links[i]; l.State != flow.LinkGone && y.Bond.Member(l.Name) != nil {
			y.Members = append(y.Members, probe.WayMember{Link: l.ID, Name: l.Name})
		}
	}
	return y
}

// host returns the one with this number, or nil.
func (w *watch) host(id probe.TargetID) *pingHost {
	for _, h := range w.hosts {
		if h.ID == id {
			return h
		}
	}
	return nil
}

// steer looks which pings every host needs as the bonds are now, and starts,
// ends and turns pingers accordingly.
func (w *watch) steer() {
	now, changed := capture.Now(), false
	for _, h := range w.hosts {
		anew := h.steering.Set(h.way(w.world), now)
		changed = w.follow(h, anew) || changed
	}
	if changed {
		w.tellTargets()
	}
}

// follow gives each lane of h its ping, and reports whether a target has changed.
func (w *watch) follow(h *pingHost, anew []*probe.Lane) (changed bool) {
	lanes := h.steering.Lanes()
	kept := make([]*ping, 0, len(lanes))
	for _, l := range lanes {
		p := h.pingOf(l)
		if p == nil {
			p = w.newPing(h, l)
		}
		kept = append(kept, p)
	}
	for _, p := range h.pings {
		if !slices.Contains(kept, p) {
			p.cancel()
			changed = true
		}
	}
	h.pings = kept
	for _, p := range kept {
		t := p.Target
		t.Member, t.CannotSteer, t.Group = p.lane.Link, h.steering.Why(), 0
		if len(kept) > 1 {
			t.Group = kept[0].ID
		}
		if t != p.Target {
			p.Target, changed = t, true
		}
		p.pinger.Pause(p.lane.Paused)
	}
	for _, l := range anew {
		if p := h.pingOf(l); p != nil {
			p.pinger.Again()
		}
	}
	return changed
}

func (h *pingHost) pingOf(l *probe.Lane) *ping {
	for _, p := range h.pings {
		if p.lane == l {
			return p
		}
	}
	return nil
}

// newPing starts a pinger for a lane. The first of a host has the host's number
// and looks up its name; the others follow it to the address that it finds.
func (w *watch) newPing(h *pingHost, l *probe.Lane) *ping {
	p := &ping{Target: h.Target, lane: l}
	cfg := probe.PingerConfig{Interval: w.s.o.interval, Events: w.s.probes, Now: capture.Now, IDs: &w.ids, Pick: l.Pick}
	if h.bond != "" || !h.Addr.IsValid() { // else it stays the only one
		cfg.Beat = beatOf(l.Number, w.s.o.interval)
	}
	if l.Number > 0 {
		p.ID = w.book.number()
		addr := h.Addr
		h.addr.CompareAndSwap(nil, &addr)
		cfg.Follow = func() netip.Addr {
			if a := h.addr.Load(); a != nil {
				return *a
			}
			return netip.Addr{}
		}
	}
	cfg.Target = p.Target
	if cfg.Follow != nil {
		cfg.Target.Addr = netip.Addr{}
	}
	p.pinger = probe.NewPinger(cfg)
	if l.Paused != "" {
		p.pinger.Pause(l.Paused)
	}
	ctx, cancel := context.WithCancel(w.pinging)
	p.cancel = cancel
	w.s.task(func() {
		defer cancel()
		if err := quiet(p.pinger.Run(ctx)); err != nil {
			w.s.fatal(&failure{err, "run it with sudo, or once: sudo setcap cap_net_raw+ep " + ownPath(), exitPermission})
		}
	})
	return p
}

// beatOf staggers the pings of one host: the second half way between two echoes
// of the first, the next ones between those.
func beatOf(lane int, interval time.Duration) time.Duration {
	part, step := time.Duration(0), interval/2
	for n := lane; n > 0 && step > 0; n, step = n/2, step/2 {
		if n%2 == 1 {
			part += step
		}
	}
	return interval - part
}

// saw tells the steering by which member an echo left.
func (w *watch) saw(m *probe.Sample) {
	if m.Member == 0 {
		return
	}
	for _, h := range w.hosts {
		for _, p := range h.pings {
			if p.ID != m.Target {
				continue
			}
			why := h.steering.Why()
			anew := h.steering.Saw(p.lane, m)
			if len(anew) > 0 || why != h.steering.Why() {
				if w.follow(h, anew) {
					w.tellTargets()
				}
			}
			return
		}
	}
}

// resolved takes the address that a host's first pinger found.
func (w *watch) resolved(id probe.TargetID, a netip.Addr) {
	h := w.host(id)
	if h == nil || len(h.pings) == 0 {
		return
	}
	if old := h.addr.Swap(&a); old != nil && *old == a {
		return
	}
	for _, p := range h.pings[1:] {
		p.pinger.Again()
	}
}

// tellTargets tells both cores what is pinged, in the order of the book, the
// pings of one host together.
func (w *watch) tellTargets() {
	w.set.SetTargets(w.pinged())
	w.mon.SetTargets(w.set.Targets())
}

func (w *watch) pinged() (list []probe.Target) {
	for _, h := range w.hosts {
		for _, p := range h.pings {
			list = append(list, p.Target)
		}
	}
	return list
}
