package ui

import (
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

// These tests pin down how tview and tcell behave where it shaped this package:
// an upgrade that changes a trap fails here by name, and something can be made
// simpler.

// endsSoon reports whether f returns at all; what does not stays blocked.
func endsSoon(f func()) bool {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(200 * time.Millisecond):
		return false
	}
}

func runningApp(root tview.Primitive) (*tview.Application, chan struct{}) {
	app := tview.NewApplication().SetScreen(tcell.NewSimulationScreen("UTF-8")).SetRoot(root, true)
	ran := make(chan struct{})
	go func() { app.Run(); close(ran) }()
	app.QueueUpdate(func() {})
	return app, ran
}

// Trap: an update that is queued after Run has returned waits for ever (tview
// issue 1163). loop's queue therefore looks at ended too.
func TestQueueUpdateAfterRunBlocks(t *testing.T) {
	app, ran := runningApp(tview.NewBox())
	app.Stop()
	<-ran
	if endsSoon(func() { app.QueueUpdate(func() {}) }) {
		t.Error("QueueUpdate returned: the trap is gone")
	}
}

// Trap: Stop before Run is lost. The pump therefore meets the loop once.
func TestStopBeforeRunIsLost(t *testing.T) {
	app := tview.NewApplication().SetRoot(tview.NewBox(), true)
	app.Stop() // no screen yet: nothing happens
	app.SetScreen(tcell.NewSimulationScreen("UTF-8"))
	ran := make(chan struct{})
	go func() { app.Run(); close(ran) }()
	if endsSoon(func() { <-ran }) {
		t.Error("Run returned: the trap is gone")
	}
	app.Stop()
	<-ran
}

type focusInDraw struct {
	*tview.Box
	app *tview.Application
}

func (f focusInDraw) Draw(tcell.Screen) { f.app.GetFocus() }

// Trap: draw holds the application's lock. Our Draw calls nothing of the
// application, and the input line gets its focus without it.
func TestFocusInsideDrawDeadlocks(t *testing.T) {
	app := tview.NewApplication().SetScreen(tcell.NewSimulationScreen("UTF-8"))
	app.SetRoot(focusInDraw{tview.NewBox(), app}, true)
	if endsSoon(func() { app.ForceDraw() }) {
		t.Error("ForceDraw returned: the trap is gone")
	}
}

// Trap: Ctrl-C stops the application by itself unless the input capture takes
// it, and then updates that wait are lost.
func TestCtrlCStopsByDefault(t *testing.T) {
	sim := tcell.NewSimulationScreen("UTF-8")
	app := tview.NewApplication().SetScreen(sim).SetRoot(tview.NewBox(), true)
	ran := make(chan struct{})
	go func() { app.Run(); close(ran) }()
	app.QueueUpdate(func() {})
	sim.InjectKey(tcell.KeyCtrlC, 0, tcell.ModCtrl)
	select {
	case <-ran:
	case <-time.After(time.Minute):
		app.Stop()
		t.Error("Run goes on: the trap is gone")
	}
}

// Trap: tview's text parses style tags, and its Escape does not save all of
// them. No foreign text goes through tview here: the canvas takes it literally.
func TestTaggedTextLosesEndpoints(t *testing.T) {
	for _, in := range []string{"[fd00:ec2::254]:80", "[fdaa:bbbb::1]:443", "[:::http://x/]y"} {
		s := tcell.NewSimulationScreen("UTF-8")
		if err := s.Init(); err != nil {
			t.Fatal(err)
		}
		s.SetSize(60, 1)
		tview.Print(s, tview.Escape(in), 0, 0, 60, tview.AlignLeft, tcell.ColorWhite)
		s.Show()
		if got := (&rig{screen: s}).text(); got == in+"\n" {
			t.Errorf("%q survives: the trap is gone", in)
		}
		s.Fini()
	}
}

// Trap: tview ignores the error of the screen's Init, so Run asks the wrapper.
func TestSetScreenIgnoresInitErrors(t *testing.T) {
	d := newDiffScreen(badScreen{tcell.NewSimulationScreen("UTF-8")})
	tview.NewApplication().SetScreen(d)
	if d.initErr == nil {
		t.Error("SetScreen did not call Init")
	}
}
