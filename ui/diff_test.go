package ui

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/gdamore/tcell/v2/terminfo"

	"spiketop/incident"
	"spiketop/ui/render"
)

// memTty is a terminal that remembers what was written to it.
type memTty struct {
	mu   sync.Mutex
	w, h int
	out  bytes.Buffer
	stop chan struct{}
}

func (m *memTty) Start() error { m.stop = make(chan struct{}); return nil }
func (m *memTty) Stop() error  { return nil }
func (m *memTty) Drain() error {
	select {
	case <-m.stop:
	default:
		close(m.stop)
	}
	return nil
}
func (m *memTty) NotifyResize(func()) {}
func (m *memTty) WindowSize() (tcell.WindowSize, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return tcell.WindowSize{Width: m.w, Height: m.h}, nil
}
func (m *memTty) Read([]byte) (int, error) { <-m.stop; return 0, nil }
func (m *memTty) Close() error             { return nil }
func (m *memTty) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.out.Write(b)
}

func (m *memTty) resize(w, h int) {
	m.mu.Lock()
	m.w, m.h = w, h
	m.mu.Unlock()
}

// take returns what was written since the last take.
func (m *memTty) take() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.out.String()
	m.out.Reset()
	return s
}

func newMemScreen(t testing.TB, w, h int) (*diffScreen, *memTty) {
	t.Helper()
	t.Setenv("COLORTERM", "truecolor")
	ti, err := terminfo.LookupTerminfo("xterm-256color")
	if err != nil {
		t.Fatal(err)
	}
	tty := &memTty{w: w, h: h}
	s, err := tcell.NewTerminfoScreenFromTtyTerminfo(tty, ti)
	if err != nil {
		t.Fatal(err)
	}
	d := newDiffScreen(s)
	if err := d.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Fini)
	return d, tty
}

func write(d *diffScreen, x, y int, s string) {
	for s != "" {
		var w int
		s, w = d.Put(x, y, s, tcell.StyleDefault)
		x += w
	}
}

func TestDiffSendsOnlyChanges(t *testing.T) {
	d, tty := newMemScreen(t, 20, 3)
	frame := func(s string) string {
		d.Clear()
		write(d, 0, 0, s)
		d.Show()
		return tty.take()
	}
	if out := frame("hello world"); !strings.Contains(out, "hello") {
		t.Errorf("first frame %q", out)
	}
	if out := frame("hello world"); strings.ContainsAny(out, "helowrd") && strings.Contains(out, "o w") {
		t.Errorf("the same frame again sends %q", out)
	}
	quiet := len(frame("hello world"))
	if out := frame("hello morld"); !strings.Contains(out, "m") || strings.Contains(out, "orld") {
		t.Errorf("one changed cell sends %q", out)
	}
	if quiet > 64 {
		t.Errorf("a frame without any change sends %d bytes", quiet)
	}
}

// What was under a wide rune comes back when the rune goes, combining runes are
// part of their cell, and half a wide rune at the edge is a blank.
func TestDiffWideAndCombining(t *testing.T) {
	sim := tcell.NewSimulationScreen("UTF-8")
	d := newDiffScreen(sim)
	if err := d.Init(); err != nil {
		t.Fatal(err)
	}
	defer d.Fini()
	sim.SetSize(8, 1)
	r := &rig{screen: sim}
	for _, s := range []string{"abcdefgh", "日本x", "abcdefgh", "a日本", "e\u0301b", "eb", "abcdefg日", "", "日本日本", "x本日本"} {
		d.Clear()
		write(d, 0, 0, s)
		d.Show()
		want := s
		if s == "abcdefg日" {
			want = "abcdefg"
		}
		if s == "x本日本" { // x covers the left half of the first rune only
			want = "x本日本"
		}
		if got := strings.TrimSuffix(r.text(), "\n"); got != want {
			t.Errorf("%q shows %q", s, got)
		}
	}
}

func TestDiffSyncAndResizeSendAll(t *testing.T) {
	d, tty := newMemScreen(t, 20, 3)
	draw := func() {
		d.Clear()
		write(d, 0, 1, "hello")
		d.Show()
	}
	draw()
	tty.take()
	d.Sync()
	if out := tty.take(); !strings.Contains(out, "hello") {
		t.Errorf("Sync sends %q", out)
	}
	tty.resize(30, 5)
	draw() // tcell learns of the new size in this Show
	draw()
	if out := tty.take(); !strings.Contains(out, "hello") {
		t.Errorf("after a resize %q is sent", out)
	}
}

// Trap: tcell v2.13 may spin for ever when it draws while suspended, or on a
// screen of no size.
func TestDiffGuardsShow(t *testing.T) {
	d, tty := newMemScreen(t, 20, 3)
	done := make(chan struct{})
	go func() {
		defer close(done)
		draw := func() { d.Clear(); write(d, 0, 0, "x"); d.Show() }
		draw()
		for _, size := range [][2]int{{0, 0}, {0, 5}, {5, 0}, {40, 2}, {0, 0}, {20, 3}} {
			tty.resize(size[0], size[1])
			draw()
			draw()
			d.Sync()
		}
		if err := d.Suspend(); err != nil {
			t.Error(err)
		}
		draw()
		d.Sync()
		if err := d.Resume(); err != nil {
			t.Error(err)
		}
		draw()
		d.Fini()
		draw()
		d.Sync()
		d.Fini()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("drawing does not end")
	}
}

// A quiet host at 160x48, ten frames a second: SCREEN says some 100 kB a minute.
func TestBytesOfAQuietMinute(t *testing.T) {
	if testing.Short() {
		t.Skip("600 made-up frames: not with -short")
	}
	d, tty := newMemScreen(t, 160, 48)
	m := newModel(0, nothing())
	v := newView(m, chooseTheme("dark", "", false, d.Colors()))
	v.SetRect(0, 0, 160, 48)
	k := fake{links: 2, rows: 12, targets: 2}
	sent := 0
	for n := range 600 {
		f := k.frame(n)
		m.frame(f, testWall.Add(time.Duration(n)*100*time.Millisecond))
		d.Clear()
		v.Draw(d)
		d.Show()
		if out := tty.take(); n > 0 {
			sent += len(out)
		}
	}
	t.Logf("%d bytes in a minute, %d a frame; rates change every 2 s, two columns of the strip a second", sent, sent/599)
	if sent > 600_000 {
		t.Errorf("%d bytes in a quiet minute", sent)
	}
	// The rest is the strip moving by a column; without that a frame is the clock.
	tty.take()
	f := k.frame(601)
	same := *f
	same.Wall = f.Wall.Add(time.Millisecond)
	m.frame(f, testWall)
	d.Clear()
	v.Draw(d)
	d.Show()
	tty.take()
	m.frame(&same, testWall)
	d.Clear()
	v.Draw(d)
	d.Show()
	if n := len(tty.take()); n > 200 {
		t.Errorf("a frame in which only the clock moved sends %d bytes", n)
	}
}

// BenchmarkFrame is what one frame costs on a large screen with two panes of
// 3500 rows, from the model to the changed cells.
func BenchmarkFrame(b *testing.B) {
	d, tty := newMemScreen(b, 160, 48)
	m := newModel(0, nothing())
	v := newView(m, chooseTheme("dark", "", false, d.Colors()))
	v.SetRect(0, 0, 160, 48)
	frames := make([]*incident.Frame, 8)
	for n := range frames {
		frames[n] = fake{links: 2, rows: 3500, targets: 2}.frame(n * 20)
	}
	b.ReportAllocs()
	sent := 0
	for n := 0; b.Loop(); n++ {
		m.frame(frames[n%len(frames)], testWall)
		d.Clear()
		v.Draw(d)
		d.Show()
		sent += len(tty.take())
	}
	b.ReportMetric(float64(sent)/float64(b.N), "sent-B/op")
}

// BenchmarkDraw is the same without any terminal.
func BenchmarkDraw(b *testing.B) {
	m := newModel(0, nothing())
	c := render.NewCanvas(160, 48)
	f := fake{links: 2, rows: 3500, targets: 2}.frame(0)
	m.frame(f, testWall)
	b.ReportAllocs()
	for b.Loop() {
		render.Draw(c, &m.v)
	}
}
