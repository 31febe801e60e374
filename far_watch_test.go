package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"spiketop/flow"
	"spiketop/incident"
	"spiketop/incident/far"
)

// watchedFar is a watch with a frozen incident, and a far side without a process.
type watchedFar struct {
	*watch
	now flow.Time
}

func newWatchedFar(t *testing.T) *watchedFar {
	t.Helper()
	world := (&flow.World{Generation: 1, Host: "nc1", Offset: flow.WallOffset(1_795_262_400_000_000_000)}).Index()
	now := flow.Time(time.Hour)
	w := &watchedFar{now: now, watch: &watch{world: world, s: &session{diagnostics: io.Discard},
		mon: incident.NewMonitor(incident.Config{}, now, world)}}
	w.s.far = newFarSide(farOptions{name: "nc2", near: "nc1"}, func(string) {})
	w.s.far.print = newHopPrinter(io.Discard, false, func(error) {})
	t.Cleanup(w.s.far.print.end)
	return w
}

func (w *watchedFar) run(d time.Duration) {
	for end := w.now.Add(d); w.now < end; w.now = w.now.Add(20 * time.Millisecond) {
		w.mon.Tick(w.now)
		w.farTurn(w.now)
	}
}

// hears takes lines of the far side as its reader would hand them on.
func (w *watchedFar) hears(t *testing.T, run uint64, lines ...string) {
	t.Helper()
	for _, text := range lines {
		l, err := far.ParseLine([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		w.farHeard(&farEvent{run: run, at: w.now, line: l})
	}
}

// TestFarQuestions: an open incident is asked about once its window is over, and
// whatever becomes of the question stands in it.
func TestFarQuestions(t *testing.T) {
	hello := strings.TrimSpace(goodHello)
	beat := `{"beat":{"at":1795266000000000000,"up_to":1795266000000000000}}` // an hour after noon, as here
	tests := []struct {
		name  string
		after func(w *watchedFar, asked far.Question) // what happens when it has been asked
		up    bool
		want  string // trouble
	}{
		{"nobody is there", func(*watchedFar, far.Question) {}, false, "nothing is known of that time: it has not answered yet"},
		{"no answer", func(*watchedFar, far.Question) {}, true, "it was asked and has not answered in time"},
		{"dies", func(w *watchedFar, _ far.Question) {
			why := "it has ended"
			w.s.far.trouble.Store(&why)
			w.farHeard(&farEvent{run: 1, over: true})
		}, true, "nothing is known of that time: it has ended"},
		{"answers", func(w *watchedFar, q far.Question) {
			for _, l := range far.AnswerOf(&q, &incident.FarPart{Links: []incident.LinkPart{{Name: "eth7"}}}) {
				w.hears(t, 1, strings.TrimSpace(string(l.Append(nil))))
			}
		}, true, ""},
		{"answers for another question", func(w *watchedFar, q far.Question) {
			q.ID = "99.1"
			for _, l := range far.AnswerOf(&q, &incident.FarPart{Links: []incident.LinkPart{{Name: "eth7"}}}) {
				w.hears(t, 1, strings.TrimSpace(string(l.Append(nil))))
			}
		}, true, "it was asked and has not answered in time"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWatchedFar(t)
			if tc.up {
				w.hears(t, 1, hello, beat)
			}
			w.run(time.Second)
			w.mon.Freeze(w.now)
			w.run(2 * time.Second)
			var q far.Question
			if n := len(w.s.far.asks); tc.up != (n == 1) {
				t.Fatalf("asked %d times", n)
			} else if n == 1 {
				q = <-w.s.far.asks
				// Frozen an hour and a second after our Time 0, when the far clock had 12:00.
				if at := time.Unix(0, q.To).UTC().Format("15:04"); at != "13:00" || q.To <= q.From {
					t.Errorf("asked about %s", at)
				}
			}
			tc.after(w, q)
			w.run(time.Second)
			out := w.mon.Close(w.now)
			if len(out.Sealed) != 1 || out.Sealed[0].Far == nil {
				t.Fatalf("sealed %+v", out.Sealed)
			}
			got := out.Sealed[0].Far
			if got.Trouble != tc.want || got.Host != "nc2" || (len(got.Links) == 1) != (tc.want == "") {
				t.Errorf("far %+v, want trouble %q", got, tc.want)
			}
		})
	}
}

// TestBeatClock: the fastest beat of the last minute tells the far clock, also
// after that clock was set back.
func TestBeatClock(t *testing.T) {
	var b beatClock
	if _, ok := b.offset(); ok {
		t.Error("known before the first beat")
	}
	ms := int64(time.Millisecond)
	for n, step := range []struct{ add, want int64 }{{-300 * ms, -300 * ms}, {-20 * ms, -20 * ms}, {-900 * ms, -20 * ms}, {-3600e9, -3600e9}, {-3600e9 + 5*ms, -3600e9 + 5*ms}} {
		b.add(step.add)
		if got, ok := b.offset(); !ok || got != step.want {
			t.Errorf("beat %d: %d, %v, want %d", n, got, ok, step.want)
		}
	}
	for range 60 { // it drifts back: the old one is forgotten
		b.add(-3600e9 - 10*ms)
	}
	if got, _ := b.offset(); got != -3600e9-10*ms {
		t.Errorf("%d after a minute", got)
	}
}
