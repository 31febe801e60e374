package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"spiketop/capture/offline"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/ui"
)

// replayHeadless plays files as JSON lines.
func replayHeadless(ctx context.Context, cancel context.CancelFunc, o *replayOptions, c *offline.Capture, out *replayOut, stdout, stderr io.Writer) error {
	var broken error
	out.stderr = stderr
	out.ev.add(stdout, func(err error) { // nobody reads any more: seal what is open, and end
		broken = err
		cancel()
	})
	p := newPlayback(o, c, out, nil)
	out.ev.emit(p.r.startEvent())
	p.run(ctx)
	if broken != nil {
		return broken
	}
	return out.result()
}

// replayScreen plays files on the screen; what is at the end stays until the
// person quits.
func replayScreen(ctx context.Context, cancel context.CancelFunc, o *replayOptions, c *offline.Capture, out *replayOut, stderr io.Writer) error {
	frames := make(chan *incident.Frame, 1)
	p := newPlayback(o, c, out, frames)
	ended := make(chan *crash, 1)
	go func() {
		defer func() {
			v := recover()
			if v == nil {
				ended <- nil
				return
			}
			ended <- &crash{v, debug.Stack()}
			cancel()
		}()
		out.ev.emit(p.r.startEvent())
		p.run(ctx)
	}()
	err := ui.Run(ctx, ui.Config{Hold: o.hold, Theme: o.theme, NoColor: os.Getenv("NO_COLOR") != "", Filter: o.filter, Scale: o.scale,
		Freeze: func() { p.wish(wishFreeze) }, Markdown: markdown, Replay: p.keys()}, frames)
	cancel()
	if crashed := <-ended; crashed != nil {
		panic(fmt.Sprintf("%v\n\nin a goroutine:\n%s", crashed.value, crashed.stack))
	}
	for _, text := range out.said { // the notes are gone with the screen
		fmt.Fprintf(stderr, "spiketop: %s\n", oneLine(text))
	}
	if err := quiet(err); err != nil {
		return err
	}
	return out.result()
}

// wish is what the person in front of a replay wants.
type wish uint8

const (
	wishFreeze wish = iota
	wishPause
	wishStep
	wishBack
	wishForward
	wishSpeed
)

// replaySeek is how far one key goes.
const replaySeek = 10 * time.Second

// playback lets the files' time pass at the person's pace.
type playback struct {
	o      *replayOptions
	c      *offline.Capture
	out    *replayOut
	r      *replay
	frames chan *incident.Frame // newest wins; nil without a screen

	wishes chan wish
	speed  float64
	paused bool
	state  atomic.Pointer[string]

	real time.Time // when at was now
	at   flow.Time
	next flow.Time // the next picture
}

func newPlayback(o *replayOptions, c *offline.Capture, out *replayOut, frames chan *incident.Frame) *playback {
	p := &playback{o: o, c: c, out: out, frames: frames, speed: o.speed, wishes: make(chan wish, 16), r: newReplay(o, c, out)}
	p.pace()
	return p
}

// keys are what the screen may ask for.
func (p *playback) keys() *ui.Replay {
	return &ui.Replay{Pause: func() { p.wish(wishPause) }, Step: func() { p.wish(wishStep) }, Speed: func() { p.wish(wishSpeed) },
		Back: func() { p.wish(wishBack) }, Forward: func() { p.wish(wishForward) }, State: func() string { return *p.state.Load() }}
}

// wish passes on a key; a full queue means that it is being done.
func (p *playback) wish(w wish) {
	select {
	case p.wishes <- w:
	default:
	}
}

// pace begins to let time pass from here.
func (p *playback) pace() {
	p.real, p.at = time.Now(), p.r.now
	s := "▶ REPLAY "
	switch {
	case p.r.closed:
		s = "■ END OF FILE "
	case p.paused:
		s = "‖ PAUSED "
	}
	if p.speed == 0 {
		s += "max"
	} else {
		s += fmt.Sprintf("%gx", p.speed)
	}
	p.state.Store(&s)
}

// run plays until ctx ends, or without a screen until the files do.
func (p *playback) run(ctx context.Context) {
	defer func() {
		if !p.r.closed {
			p.r.finish()
		}
	}()
	p.seek(ctx, p.r.start.Add(p.o.begin))
	p.pace()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait := p.due()
		if wait < 0 { // only the person goes on
			select {
			case <-ctx.Done():
			case w := <-p.wishes:
				p.do(ctx, w)
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case w := <-p.wishes:
			p.do(ctx, w)
			continue
		case <-timer.C:
		}
		more := p.r.beat()
		p.picture(!more)
		if !more {
			p.pace()
			if p.frames == nil {
				return
			}
		}
	}
}

// due is how long to wait for the next beat, negative = for ever.
func (p *playback) due() time.Duration {
	switch {
	case p.paused || p.r.closed:
		return -1
	case p.speed == 0:
		return 0
	}
	at := p.real.Add(time.Duration(float64(p.r.now.Sub(p.at)) / p.speed))
	late := time.Since(at)
	if late > time.Second { // a skipped pause, or a machine too slow for that: no haste afterwards
		p.pace()
	}
	return max(-late, 0)
}

// picture publishes a frame when one is due.
func (p *playback) picture(now bool) {
	if p.frames == nil || !now && p.r.now < p.next && p.next.Sub(p.r.now) <= frameEvery {
		return
	}
	p.next = p.r.now.Add(frameEvery)
	select {
	case <-p.frames:
	default:
	}
	p.frames <- p.r.frame()
}

func (p *playback) do(ctx context.Context, w wish) {
	switch w {
	case wishFreeze:
		if !p.r.closed {
			p.r.mon.Freeze(p.r.now)
		}
	case wishPause:
		p.paused = !p.paused
	case wishStep:
		p.paused = true
		p.seek(ctx, p.r.now.Add(frameEvery))
	case wishBack:
		p.seek(ctx, p.r.now.Add(-replaySeek))
	case wishForward:
		p.seek(ctx, p.r.now.Add(replaySeek))
	case wishSpeed:
		p.speed = nextSpeed(p.speed)
	}
	p.pace()
	p.picture(true)
}

// nextSpeed goes from 1 to 10 to as fast as it goes, and back to 1.
func nextSpeed(speed float64) float64 {
	switch speed {
	case 1:
		return 10
	case 10:
		return 0
	}
	return 1
}

// seek plays to at without waiting; to go back it begins anew, for what a moment
// shows depends on what was before.
func (p *playback) seek(ctx context.Context, at flow.Time) {
	if at < p.r.now {
		if p.c.Streams() {
			p.r.say("a pipe cannot be played again: no way back")
			return
		}
		if !p.r.closed {
			p.r.player.Close()
		}
		p.r = newReplay(p.o, p.c, p.out)
	}
	for p.r.now < at && ctx.Err() == nil {
		if !p.r.beat() {
			break
		}
	}
}
