package ui

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"

	"spiketop/incident"
)

// Config says how the screen behaves and what it may ask the program to do. The
// functions are called in the loop's goroutine and must return at once; nil
// means that the program cannot do it.
type Config struct {
	Screen   tcell.Screen   // nil = the terminal; not initialised by the caller
	Hold     time.Duration  // how long an untouched freeze stays; 0 = for ever
	Theme    string         // "dark", "light" or "" = by COLORFGBG, else dark
	NoColor  bool           // as if NO_COLOR were set
	Filter   string         // filter to start with, in the language of flow.ParseFilter
	Scale    uint64         // bit/s of a full rate bar, 0 = the link's speed
	Zone     *time.Location // of every wall time; nil = the Frames'
	Freeze   func()         // freeze by hand
	Markdown func(*incident.Incident) string
	Replay   *Replay // nil = this is live
}

// Replay is what may be asked of a replay of files. State is one or two words for
// the title.
type Replay struct {
	Pause, Step, Back, Forward, Speed func()
	State                             func() string
}

const (
	redraw = 100 * time.Millisecond // least time between two drawn Frames
	idle   = 500 * time.Millisecond // without Frames time passes in these steps
)

// Run shows the newest of frames until ctx ends, the person quits, or the screen
// fails; only then it returns an error. The terminal is restored when it
// returns, and when anything panics in it. frames need not be closed; a producer
// should keep one slot in which the newest wins. Run is called once.
func Run(ctx context.Context, cfg Config, frames <-chan *incident.Frame) error {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	screen, err := openScreen(cfg.Screen)
	if err != nil {
		return err
	}
	app := tview.NewApplication()
	m := newModel(max(cfg.Hold, 0), effects{
		quit:   quit, // never app.Stop in a handler: the pump has to end first
		freeze: cfg.Freeze,
		copy:   func(text string) { copyText(screen, text) },
		mouse:  func(on bool) { app.EnableMouse(on) },
		sync:   screen.Sync,
		text:   cfg.Markdown,
	})
	m.replays(cfg.Replay)
	m.v.Zone, m.v.Scale = cfg.Zone, float64(cfg.Scale)
	if err := m.setFilter(cfg.Filter); err != nil {
		return fmt.Errorf("filter %q: %w", cfg.Filter, err)
	}
	app.SetScreen(screen) // initialises it
	if screen.initErr != nil {
		return fmt.Errorf("open terminal: %w", screen.initErr)
	}
	standIns(screen)
	colors := screen.Colors()
	v := newView(m, chooseTheme(cfg.Theme, os.Getenv("COLORFGBG"), cfg.NoColor || os.Getenv("NO_COLOR") != "", colors))
	app.SetRoot(v, true).EnablePaste(true)
	app.SetInputCapture(func(e *tcell.EventKey) *tcell.EventKey {
		v.key(e)
		return nil
	})
	return loop(ctx, app, screen, m, frames)
}

func openScreen(s tcell.Screen) (*diffScreen, error) {
	if s == nil {
		var err error
		if s, err = tcell.NewScreen(); err != nil {
			return nil, fmt.Errorf("open terminal %q: %w", os.Getenv("TERM"), err)
		}
	}
	return newDiffScreen(s), nil
}

// loop runs the application and the pump. The pump is the only goroutine that
// queues updates, and its last act stops the application; so no update waits for
// a loop that is gone.
func loop(ctx context.Context, app *tview.Application, screen *diffScreen, m *model, frames <-chan *incident.Frame) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{}) // closed when app.Run has returned
	queue := func(f func()) bool {
		ran := make(chan struct{})
		go func() { app.QueueUpdateDraw(f); close(ran) }()
		select {
		case <-ran:
			return true
		case <-ended: // the screen failed; f will not run
			return false
		}
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		defer restoreOnPanic(screen)
		defer app.Stop()
		pump(ctx, m, frames, queue)
	}()
	err := app.Run()
	close(ended)
	stop()
	<-stopped
	if err != nil {
		return fmt.Errorf("draw on the terminal: %w", err)
	}
	return nil
}

// restoreOnPanic gives the terminal back before the panic goes on. tview does so
// only for the goroutine of its own loop.
func restoreOnPanic(screen tcell.Screen) {
	if p := recover(); p != nil {
		screen.Fini()
		panic(p)
	}
}

// pump takes the newest frame, at most one every 100 ms, and lets time pass for
// the model when no frame comes.
func pump(ctx context.Context, m *model, frames <-chan *incident.Frame, queue func(func()) bool) {
	// An app.Stop before the loop runs would be lost, so meet the loop once.
	if !queue(func() {}) {
		return
	}
	var newest *incident.Frame
	var last time.Time
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case f, ok := <-frames:
			if !ok {
				frames = nil
				continue
			}
			newest = f
			if wait := redraw - time.Since(last); wait > 0 {
				timer.Reset(wait)
				continue
			}
		case <-timer.C:
		}
		f := newest
		newest, last = nil, time.Now()
		if !queue(func() { m.step(f, time.Now()) }) {
			return
		}
		timer.Reset(idle)
	}
}

// step takes a frame, or lets time pass when there is none.
func (m *model) step(f *incident.Frame, now time.Time) {
	if f != nil {
		m.frame(f, now)
		return
	}
	m.tick(now)
}

// copyText sends text to the clipboard of the terminal at the person's end with
// OSC 52, which works through SSH. tcell does so for some names of TERM only, so
// it is written to the terminal itself where there is one.
func copyText(screen tcell.Screen, text string) {
	tty, ok := screen.Tty()
	if !ok || tty == nil {
		screen.SetClipboard([]byte(text))
		return
	}
	fmt.Fprintf(tty, "\x1b]52;c;%s\a", base64.StdEncoding.EncodeToString([]byte(text)))
}
