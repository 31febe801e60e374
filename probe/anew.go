package probe

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Again lets the pinger begin a new series with its next beat, under an id that
// PingerConfig.Pick is asked for; answers to the old one are still heard. A
// pause between two tries ends at once. Any goroutine; it never waits.
func (p *Pinger) Again() {
	select {
	case p.anew <- struct{}{}:
	default: // it has been told so already
	}
}

// Pause stops sending after the next beat, and reports why as Trouble; why "" goes on. Any
// goroutine; it never waits.
func (p *Pinger) Pause(why string) {
	old := p.paused.Swap(&why)
	if old == nil && why == "" || old != nil && *old == why {
		return
	}
	p.Again()
}

// pausedFor says why nothing is to be sent, or "".
func (p *Pinger) pausedFor() string {
	if s := p.paused.Load(); s != nil {
		return *s
	}
	return ""
}

// await waits as long as the pinger is paused, and then for its place between
// the pingers of the same host.
func (p *Pinger) await(ctx context.Context) error {
	for {
		select {
		case <-p.anew: // what it asks for is being done
		default:
		}
		why := p.pausedFor()
		if why == "" {
			break
		}
		p.trouble(errors.New(why))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.anew:
		}
	}
	if !sleep(ctx, p.untilBeat()) {
		return ctx.Err()
	}
	return nil
}

// untilBeat is how long it is to the pinger's next place, up to one interval. A
// place that has just gone by still counts: else every series that follows
// another would leave out an echo.
func (p *Pinger) untilBeat() time.Duration {
	if p.cfg.Beat == 0 {
		return 0
	}
	late := (time.Duration(p.cfg.Now()) - p.cfg.Beat) % p.cfg.Interval
	if late < 0 {
		late += p.cfg.Interval
	}
	if late <= p.cfg.Interval/8 {
		return 0
	}
	return p.cfg.Interval - late
}

// backOff waits for d, less if the pinger is told to begin anew.
func (p *Pinger) backOff(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.anew:
	case <-ctx.Done():
		return false
	}
	return true
}

func (p *Pinger) takeID(a netip.Addr) (uint16, error) {
	if p.cfg.Pick == nil {
		return p.cfg.IDs.take(nil)
	}
	return p.cfg.IDs.take(func(taken func(uint16) bool) (uint16, bool) { return p.cfg.Pick(a, taken) })
}
