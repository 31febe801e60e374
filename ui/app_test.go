package ui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gdamore/tcell/v2"

	"spiketop/incident"
)

// rig is Run on a simulated screen.
type rig struct {
	screen tcell.SimulationScreen
	frames chan *incident.Frame
	cancel context.CancelFunc
	ended  chan error
}

func start(ctx context.Context, cfg Config, w, h int) *rig {
	s := &sized{tcell.NewSimulationScreen("UTF-8"), w, h}
	ctx, cancel := context.WithCancel(ctx)
	cfg.Screen = s
	r := &rig{s.SimulationScreen, make(chan *incident.Frame, 1), cancel, make(chan error, 1)}
	go func() { r.ended <- Run(ctx, cfg, r.frames) }()
	return r
}

// sized sets the size after Init, which resets it.
type sized struct {
	tcell.SimulationScreen
	w, h int
}

func (s *sized) Init() error {
	err := s.SimulationScreen.Init()
	s.SetSize(s.w, s.h)
	return err
}

// show hands a frame on as a producer does, and waits until it is drawn.
func (r *rig) show(f *incident.Frame) {
	r.frames <- f
	time.Sleep(redraw)
	synctest.Wait()
}

func (r *rig) press(k any) {
	switch k := k.(type) {
	case rune:
		r.screen.InjectKey(tcell.KeyRune, k, tcell.ModNone)
	case tcell.Key:
		r.screen.InjectKey(k, 0, tcell.ModNone)
	case string:
		for _, x := range k {
			r.screen.InjectKey(tcell.KeyRune, x, tcell.ModNone)
			synctest.Wait()
		}
	}
	synctest.Wait()
}

// text is what a person reads; the second cell of a wide rune is stepped over,
// for the simulated screen leaves it as it was.
func (r *rig) text() string {
	cells, w, h := r.screen.GetContents()
	var b strings.Builder
	for y := range h {
		var row strings.Builder
		for x := 0; x < w; x++ {
			row.WriteString(string(cells[y*w+x].Runes))
			if _, _, width := r.screen.Get(x, y); width > 1 {
				x += width - 1
			}
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	return b.String()
}

func (r *rig) expect(t *testing.T, what string, parts ...string) {
	t.Helper()
	text := r.text()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s: no %q on the screen:\n%s", what, p, text)
		}
	}
}

// inBubble runs f on a screen; the bubble fails if a goroutine is left behind.
func inBubble(t *testing.T, cfg Config, w, h int, f func(*rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t.Context(), cfg, w, h)
		defer r.cancel()
		synctest.Wait()
		f(r)
		r.cancel()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAppFreezesAndReturns(t *testing.T) {
	k := fake{links: 2, rows: 9, targets: 2}
	inBubble(t, Config{Hold: 30 * time.Second}, 120, 40, func(r *rig) {
		r.expect(t, "start", "waiting for the first packets")
		r.show(k.frame(0))
		r.expect(t, "live", "● LIVE", "nc1", "01:47:21.400 +08:00", "eth0 · 10G", "eth1 · 10G", "no incident so far")
		k.number, k.burst = 3, 9
		r.show(k.frame(1))
		r.expect(t, "frozen", "FROZEN #3", "live in 30 s", "+6.60G", "01:47:21.500")
		r.show(k.frame(2))
		r.expect(t, "the clock goes on", "FROZEN #3", "01:47:21.600")
		time.Sleep(30 * time.Second) // without a single frame
		synctest.Wait()
		r.expect(t, "hold over", "● LIVE")
		r.press(tcell.KeyEnter)
		r.expect(t, "incident", "INCIDENT #3", "▼ IN, by change", "▲ OUT, by change", "═ wire 120.4 ═ 10.1.16.55")
		r.press(tcell.KeyEscape)
		r.expect(t, "live again", "● LIVE")
	})
}

func TestAppFilter(t *testing.T) {
	k := fake{links: 1, rows: 7, targets: 1}
	inBubble(t, Config{}, 100, 30, func(r *rig) {
		r.show(k.frame(0))
		r.press('/')
		r.press("host 10.1.16.71x")
		r.expect(t, "typed", "filter: host 10.1.16.71x")
		r.press(tcell.KeyEnter)
		r.expect(t, "refused, the text stays", "filter: host 10.1.16.71x", "column 6")
		r.press(tcell.KeyBackspace2)
		r.press(tcell.KeyEnter)
		r.expect(t, "accepted", "10.1.16.71:40112", "filter hides 6")
		if strings.Contains(r.text(), "10.1.16.72") {
			t.Errorf("not filtered:\n%s", r.text())
		}
		r.press('l')
		r.press("q?")
		r.expect(t, "keys are text while typing", "regex: q?")
		r.press(tcell.KeyEscape)
		r.expect(t, "escape leaves it", "filter hides 6")
	})
}

func TestAppPaste(t *testing.T) {
	inBubble(t, Config{}, 80, 24, func(r *rig) {
		r.show(fake{links: 1, rows: 7}.frame(0))
		paste := func(s string) {
			r.screen.PostEvent(tcell.NewEventPaste(true))
			for _, x := range s {
				r.screen.InjectKey(tcell.KeyRune, x, tcell.ModNone)
			}
			r.screen.PostEvent(tcell.NewEventPaste(false))
			synctest.Wait()
		}
		paste("q") // must not quit
		r.expect(t, "pasted without a prompt", "● LIVE")
		r.press('/')
		paste("port 443")
		r.expect(t, "pasted into the prompt", "filter: port 443")
	})
}

func TestAppResize(t *testing.T) {
	inBubble(t, Config{}, 160, 48, func(r *rig) {
		f := fake{links: 2, rows: 9, targets: 1}.frame(0)
		r.show(f)
		r.expect(t, "wide", "─┐┌ eth1")
		for _, size := range [][2]int{{80, 24}, {0, 0}, {40, 10}, {1, 1}, {60, 15}, {200, 60}, {0, 24}, {80, 0}, {160, 48}} {
			r.screen.SetSize(size[0], size[1])
			r.screen.PostEvent(tcell.NewEventResize(size[0], size[1]))
			time.Sleep(time.Second)
			r.show(f)
			switch {
			case size[0] >= 120:
				r.expect(t, "wide again", "─┐┌ eth1", "● LIVE")
			case size[0] >= 60 && size[1] >= 15:
				r.expect(t, "narrow", "eth0 (1/2)")
			case size[0] == 40:
				r.expect(t, "too small", "spiketop needs 60 x 15")
			}
		}
	})
}

// At most ten redraws a second, and the newest frame wins.
func TestAppRedrawsAtMostTenTimesASecond(t *testing.T) {
	k := fake{links: 1, rows: 3}
	inBubble(t, Config{}, 80, 24, func(r *rig) {
		r.show(k.frame(0))
		shows := 0
		last := ""
		for n := range 1000 { // one each millisecond
			f := k.frame(n)
			select {
			case <-r.frames:
			default:
			}
			r.frames <- f
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if text := r.text(); text != last {
				last, shows = text, shows+1
			}
		}
		if shows > 11 || shows < 9 {
			t.Errorf("%d different screens in a second", shows)
		}
		time.Sleep(redraw)
		synctest.Wait()
		r.expect(t, "the newest frame", k.frame(999).Wall.Format("15:04:05.000"))
	})
}

func TestAppEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*rig)
	}{
		{"q", func(r *rig) { r.screen.InjectKey(tcell.KeyRune, 'q', tcell.ModNone) }},
		{"ctrl-c", func(r *rig) { r.screen.InjectKey(tcell.KeyCtrlC, 0, tcell.ModCtrl) }},
		{"ctrl-c while typing", func(r *rig) { r.press('/'); r.screen.InjectKey(tcell.KeyCtrlC, 0, tcell.ModCtrl) }},
		{"context", func(r *rig) { r.cancel() }},
		{"q in the help", func(r *rig) { r.press('?'); r.screen.InjectKey(tcell.KeyRune, 'q', tcell.ModNone) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rounds := 40 // with five ways to end: 200 times
			if testing.Short() {
				rounds = 8
			}
			for range rounds {
				synctest.Test(t, func(t *testing.T) {
					r := start(t.Context(), Config{}, 80, 24)
					defer r.cancel()
					stop := make(chan struct{})
					fed := make(chan struct{})
					go func() { // a producer that never stops to offer frames
						defer close(fed)
						f := fake{links: 1, rows: 2}.frame(0)
						for {
							select {
							case r.frames <- f:
							case <-stop:
								return
							}
							time.Sleep(10 * time.Millisecond)
						}
					}()
					time.Sleep(50 * time.Millisecond)
					synctest.Wait()
					tt.end(r)
					if err := <-r.ended; err != nil {
						t.Error(err)
					}
					close(stop)
					<-fed
				})
			}
		})
	}
}

func TestAppCancelledBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := start(ctx, Config{}, 80, 24)
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
	})
}

// Not in a bubble: tview keeps the goroutine of an update that comes after its
// loop has ended waiting for ever (TestQueueUpdateAfterRunBlocks).
func TestAppScreenFails(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		ready := make(chan struct{})
		s := &initialised{tcell.NewSimulationScreen("UTF-8"), ready}
		frames, ended := make(chan *incident.Frame, 1), make(chan error, 1)
		go func() { ended <- Run(t.Context(), Config{Screen: s}, frames) }()
		<-ready
		frames <- fake{links: 1}.frame(0)
		if err := s.PostEvent(tcell.NewEventError(errors.New("the terminal is gone"))); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "the terminal is gone") {
				t.Errorf("error %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("Run did not return")
		}
	}
}

type initialised struct {
	tcell.SimulationScreen
	ready chan struct{}
}

func (s *initialised) Init() error {
	err := s.SimulationScreen.Init()
	close(s.ready)
	return err
}

type badScreen struct{ tcell.SimulationScreen }

func (badScreen) Init() error { return errors.New("not a terminal") }

func TestAppCannotStart(t *testing.T) {
	err := Run(t.Context(), Config{Screen: badScreen{tcell.NewSimulationScreen("UTF-8")}}, nil)
	if err == nil || err.Error() != "open terminal: not a terminal" {
		t.Errorf("error %v", err)
	}
	err = Run(t.Context(), Config{Screen: tcell.NewSimulationScreen("UTF-8"), Filter: "prot 80"}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), `filter "prot 80": column 1`) {
		t.Errorf("error %v", err)
	}
	t.Setenv("TERM", "no-such-terminal")
	if err := Run(t.Context(), Config{}, nil); err == nil || !strings.Contains(err.Error(), `open terminal "no-such-terminal"`) {
		t.Errorf("error %v", err)
	}
}

func TestAppMouse(t *testing.T) {
	inBubble(t, Config{}, 120, 40, func(r *rig) {
		f := fake{links: 2, rows: 60, targets: 1}.frame(0)
		r.show(f)
		r.press('m')
		r.expect(t, "mouse on", "mouse on")
		r.screen.InjectMouse(100, 10, tcell.ButtonPrimary, tcell.ModNone)
		r.screen.InjectMouse(100, 10, tcell.ButtonNone, tcell.ModNone)
		synctest.Wait()
		r.screen.InjectMouse(100, 10, tcell.WheelDown, tcell.ModNone)
		synctest.Wait()
		lines := strings.Split(r.text(), "\n")
		found := false
		for _, l := range lines {
			left, right, _ := strings.Cut(l, "││")
			if strings.Contains(right, "from 4 on") {
				found = true
			}
			if strings.Contains(left, "from 4 on") {
				t.Error("the left pane was scrolled")
			}
		}
		if !found {
			t.Errorf("the right pane is not scrolled:\n%s", r.text())
		}
	})
}

func TestAppClipboard(t *testing.T) {
	inBubble(t, Config{Markdown: func(in *incident.Incident) string { return "# " + in.ID }}, 120, 40, func(r *rig) {
		r.show(fake{links: 1}.frame(0))
		f := fake{links: 1, number: 1}.frame(1)
		r.show(f)
		r.press('y')
		if got := string(r.screen.GetClipboardData()); got != "# "+f.Frozen.ID {
			t.Errorf("clipboard %q", got)
		}
	})
}

// Two frames of the same content draw the same screen; NO_COLOR draws the same
// text, without a colour in any cell.
func TestAppNoColor(t *testing.T) {
	k := fake{links: 2, rows: 9, targets: 2}
	var texts []string
	for _, noColor := range []bool{false, true} {
		inBubble(t, Config{NoColor: noColor}, 120, 40, func(r *rig) {
			r.show(k.frame(0))
			hit := k
			hit.number, hit.burst = 3, 9
			r.show(hit.frame(1))
			texts = append(texts, r.text())
			cells, _, _ := r.screen.GetContents()
			coloured := 0
			for _, c := range cells {
				if fg, bg, _ := c.Style.Decompose(); fg != tcell.ColorDefault || bg != tcell.ColorDefault {
					coloured++
				}
			}
			if noColor != (coloured == 0) {
				t.Errorf("NoColor %v: %d coloured cells", noColor, coloured)
			}
		})
	}
	if texts[0] != texts[1] {
		t.Errorf("the texts differ:\n%s\n%s", texts[0], texts[1])
	}
}

func TestRestoreOnPanic(t *testing.T) {
	s := newDiffScreen(tcell.NewSimulationScreen("UTF-8"))
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if p := recover(); p != "made up" {
			t.Errorf("panic %v does not go on", p)
		}
		if !s.ended {
			t.Error("the screen was not restored")
		}
		s.Show() // late drawing is harmless
	}()
	func() {
		defer restoreOnPanic(s)
		panic("made up")
	}()
}
