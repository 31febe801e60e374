package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"spiketop/ui/render"
)

// TestReplayKeys: the keys of a replay reach it, stand in footer and help, and mean
// nothing on a live screen.
func TestReplayKeys(t *testing.T) {
	var pressed []string
	press := func(s string) func() { return func() { pressed = append(pressed, s) } }
	r := &Replay{Pause: press("pause"), Step: press("step"), Back: press("back"), Forward: press("forward"), Speed: press("speed"), State: func() string { return "▶ REPLAY 10x" }}
	m := newModel(30*time.Second, nothing())
	m.replays(r)
	c := render.NewCanvas(120, 40)
	f := fake{links: 2, rows: 9, targets: 2}
	m.frame(f.frame(0), testWall)
	for _, k := range "r.{}x" {
		m.key(tcell.KeyRune, k, testWall)
	}
	if got := strings.Join(pressed, " "); got != "pause step back forward speed" {
		t.Errorf("pressed %q", got)
	}
	m.layout = render.Draw(c, &m.v)
	text := c.String()
	for _, want := range []string{"▶ REPLAY 10x", "r stop/go", ". step", "x speed"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the screen:\n%s", want, text)
		}
	}
	live := newModel(30*time.Second, nothing())
	live.frame(f.frame(0), testWall)
	for _, k := range "r.{}x" {
		live.key(tcell.KeyRune, k, testWall)
		if live.v.Message != "press ? for help" {
			t.Errorf("%q on a live screen: %q", k, live.v.Message)
		}
	}
}

// TestRewound: when a replay goes back, its future is forgotten and its incidents
// freeze the panes again.
func TestRewound(t *testing.T) {
	m := newModel(30*time.Second, nothing())
	m.replays(&Replay{State: func() string { return "" }})
	calm := fake{links: 2, rows: 9, targets: 2}
	burst := fake{links: 2, rows: 9, targets: 2, burst: 9, number: 1}
	before, after := calm.frame(0), burst.frame(1)
	for range 2 {
		m.frame(before, testWall)
		if m.v.Frozen != nil || m.v.News != 0 {
			t.Fatal("frozen before the spike")
		}
		m.frame(after, testWall)
		if m.v.Frozen == nil {
			t.Fatal("not frozen")
		}
	}
}
