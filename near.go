package main

import (
	"context"
	"fmt"

	"spiketop/capture"
	"spiketop/capture/load"
	"spiketop/capture/nic"
	"spiketop/flow"
)

// nearSources are what this host says about itself beside the kernel's counters:
// its NICs' drivers and its CPUs.
type nearSources struct {
	drivers *nic.Reader // nil: it could not be opened
	stats   chan flow.NICStats
	load    chan flow.HostLoad
	hurry   chan struct{} // an echo is late: read the queues now
}

// openNear opens what reads them. Without, the incidents say less.
func (s *session) openNear() {
	s.near = nearSources{stats: make(chan flow.NICStats, 64), load: make(chan flow.HostLoad, 4), hurry: make(chan struct{}, 1)}
	var err error
	if s.near.drivers, err = nic.New(capture.Now, s.near.stats); err != nil {
		s.say(fmt.Sprintf("NIC statistics: %v", err))
	}
}

func (s *session) runNear(ctx context.Context) {
	s.near.setLinks(s.watcher.First().Links)
	if s.near.drivers != nil {
		s.task(func() { s.near.drivers.Run(ctx) })
	}
	s.task(func() { load.Run(ctx, s.roots().Procfs, capture.Now, s.near.load) })
}

func (n *nearSources) setLinks(links []flow.Link) {
	if n.drivers != nil {
		n.drivers.SetLinks(links)
	}
}

func (n *nearSources) close() {
	if n.drivers != nil {
		n.drivers.Close()
	}
}

// takeNear takes what has arrived.
func (w *watch) takeNear() {
	take(w.s.near.stats, w.mon.NICStats)
	take(w.s.near.load, w.mon.HostLoad)
}

// hurry asks for the queues at once while an echo is late.
func (w *watch) hurry() {
	if !w.mon.Urgent() {
		return
	}
	select {
	case w.s.near.hurry <- struct{}{}:
	default:
	}
}
