package main

import (
	"context"
	"time"

	"spiketop/capture"
	"spiketop/capture/link"
	"spiketop/flow"
)

// sampleEvery is the time between two looks at the kernel's counters: short
// enough that a queue of some hundred ms does not stand and go unseen.
const sampleEvery = 100 * time.Millisecond

// hurryEvery is the time between two looks while an echo is late.
const hurryEvery = 20 * time.Millisecond

// lookEvery is the time between two looks at devices, addresses and routes.
const lookEvery = 5 * time.Second

// sample reads the links' counters until ctx ends. A look that nobody takes is
// dropped: the counters are cumulative.
func (s *session) sample(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	said := ""
	last := flow.Time(0)
	read := func() {
		now := capture.Now()
		if now.Sub(last) < hurryEvery {
			return
		}
		last = now
		c, err := s.sampler.Read(now)
		if err != nil && err.Error() != said { // once, not ten times a second
			said = err.Error()
			s.say(said)
		}
		select {
		case s.counters <- c:
		default:
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-s.sampled:
			s.sampler.SetLinks(l.links, l.state)
			s.near.setLinks(l.links)
			s.sampler.SetNextHops(l.nextHops)
		case <-look.C:
			s.look()
		case <-s.near.hurry: // an echo is late
			read()
		case <-tick.C:
			read()
		}
	}
}

// look reads devices, addresses and routes; the newest look wins. A look that
// fails leaves the last one in force.
func (s *session) look() {
	state, err := link.Read(s.roots(), s.netlink)
	if err != nil {
		return
	}
	select {
	case <-s.states:
	default:
	}
	s.states <- state
}
