package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"spiketop/capture/offline"
	"spiketop/incident"
)

// played is a playback of the burst with a screen.
func played(t *testing.T, speed float64) *playback {
	t.Helper()
	raw := &rawReplay{}
	raw.defaults()
	raw.spike, raw.speed = "60ms", "1"
	o, err := raw.check(burst(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	o.speed = speed
	c, err := offline.Open(t.Context(), offline.Config{Paths: o.paths})
	if err != nil {
		t.Fatal(err)
	}
	return newPlayback(o, c, &replayOut{ev: &events{}, dirs: map[string]string{}}, make(chan *incident.Frame, 1))
}

// at is how far the newest picture is in the files.
func (p *playback) shown() time.Duration {
	f := <-p.frames
	p.frames <- f
	return f.At.Sub(p.r.start).Round(100 * time.Millisecond)
}

// TestPlayback: the files' time passes at the speed that was asked for, stops,
// steps, goes forward and back; what happened before a seek happens again.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := played(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.run(ctx) }()
		after := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		press := func(w wish) { p.wish(w); synctest.Wait() }
		check := func(what string, want time.Duration) {
			t.Helper()
			if got := p.shown(); (got - want).Abs() > 150*time.Millisecond {
				t.Errorf("%s: at %v, want %v (%s)", what, got, want, *p.state.Load())
			}
		}
		after(5 * time.Second)
		check("5 s", 5*time.Second)
		press(wishForward)
		check("10 s forward", 15*time.Second)
		press(wishPause)
		after(time.Minute)
		check("stopped", 15*time.Second)
		press(wishStep)
		press(wishStep)
		check("two steps", 15200*time.Millisecond)
		press(wishPause)
		press(wishSpeed)
		after(2 * time.Second)
		check("ten times as fast", 35200*time.Millisecond)
		press(wishSpeed)
		after(time.Second)
		if *p.state.Load() != "■ END OF FILE max" {
			t.Errorf("state %q", *p.state.Load())
		}
		if f := p.r.frame(); len(f.Incidents) != 1 || f.Incidents[0].Number != 1 {
			t.Errorf("incidents %+v", f.Incidents)
		}
		press(wishSpeed) // 1 again
		press(wishBack)
		check("10 s back from the end", 30*time.Second)
		if p.r.frame().Frozen != nil {
			t.Error("an incident of the future")
		}
		cancel()
		<-done
	})
}
