package main

import (
	"context"
	"time"

	"spiketop/capture"
	"spiketop/capture/link"
)

// sampleEvery is the time between two looks at the kernel's counters: short
// enough that a queue of some hundred ms does not stand and go unseen.
const sampleEvery = 100 * time.Millisecond

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
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-s.sampled:
			s.sampler.SetLinks(l.links, l.state)
			s.sampler.SetNextHops(l.nextHops)
		case <-look.C:
			s.look()
		case <-tick.C:
			c, err := s.sampler.Read(capture.Now())
			if err != nil && err.Error() != said { // once, not ten times a second
				said = err.Error()
				s.say(said)
			}
			select {
			case s.counters <- c:
			default:
			}
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
