package host

import (
	"context"
	"reflect"
	"time"
)

// The pauses of Run.
const (
	settle  = 300 * time.Millisecond // after the last event: a guest's start makes a dozen
	longest = 2 * time.Second        // events may put a look off
	late    = 2 * time.Second        // after a look, one more: a VMM's files come after its devices
	rarely  = time.Minute            // without events: addresses that bridges have learned since
	atMost  = 20                     // of the time, one part goes to looking
)

// Run looks at once, then after each link event: 0.3 s after the last of a row of
// them (at most 2 s after the first), once more 2 s later, and once a minute.
// Where looks are dear they are rarer: no more than a twentieth of the time goes
// into them. publish is called, in Run's goroutine, with the first look and each
// one that differs from the last; a look that fails is passed over, and
// the next event or minute brings another. Run returns when ctx ends; a nil
// changed means that there are no events. A changed of capacity 1 to which the
// sender does not wait is best; a closed one counts as nil.
func (f *Finder) Run(ctx context.Context, changed <-chan struct{}, publish func(Look)) {
	p := pacer{find: f.Find, publish: publish}
	p.run(ctx, changed)
}

// pacer decides when to look.
type pacer struct {
	find    func(context.Context) (Look, error)
	publish func(Look)

	last      Look
	published bool
	again     bool      // a second look is still to come
	first     time.Time // of the events that wait for a look, zero = none
	ready     time.Time // no look before: the cost of the last one
}

func (p *pacer) run(ctx context.Context, changed <-chan struct{}) {
	due := time.NewTimer(0)
	defer due.Stop()
	p.again = true
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-changed:
			if !open {
				changed = nil
				continue
			}
			due.Reset(p.afterEvent(time.Now()))
		case <-due.C:
			due.Reset(p.look(ctx))
		}
	}
}

// afterEvent returns how long to wait for further events.
func (p *pacer) afterEvent(now time.Time) time.Duration {
	if p.first.IsZero() {
		p.first = now
	}
	p.again = true
	wait := min(settle, p.first.Add(longest).Sub(now))
	return max(wait, p.ready.Sub(now), 0)
}

// look looks, and returns the time until the next look if nothing happens.
func (p *pacer) look(ctx context.Context) time.Duration {
	begin := time.Now()
	look, err := p.find(ctx)
	cost := time.Since(begin)
	p.ready, p.first = time.Now().Add((atMost-1)*cost), time.Time{}
	if err == nil && (!p.published || !reflect.DeepEqual(look, p.last)) {
		p.last, p.published = look, true
		p.publish(look)
	}
	if p.again {
		p.again = false
		return max(late, (atMost-1)*cost)
	}
	return max(rarely, (atMost-1)*cost)
}
