package ui

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"spiketop/incident"
)

// TestShowFakeHost is no test but the program that the tmux tests look at: the
// real Run on the real terminal, fed by the fake host. After two seconds the
// host has a burst.
func TestShowFakeHost(t *testing.T) {
	mode := os.Getenv("SPIKETOP_UI_SHOW")
	if mode == "" {
		t.Skip("only run inside a terminal by the tmux tests (SPIKETOP_UI_SHOW)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	frames := make(chan *incident.Frame, 1)
	go feed(ctx, frames, mode)
	err := Run(ctx, Config{Hold: 30 * time.Second, Freeze: func() {}, Markdown: markdown(mode),
		Theme: os.Getenv("SPIKETOP_UI_THEME")}, frames)
	if err != nil {
		t.Fatal(err)
	}
}

func feed(ctx context.Context, frames chan *incident.Frame, mode string) {
	k := fake{links: 2, rows: 24, targets: 2}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n == 20 && mode != "calm" {
			k.number, k.open = 3, true
		}
		if n >= 20 && mode != "calm" {
			k.burst, k.open = n-20+9, n < 30
		}
		select {
		case <-frames:
		default:
		}
		frames <- k.frame(n)
	}
}

// markdown panics in mode "panic": y then tests what is left of the terminal.
func markdown(mode string) func(*incident.Incident) string {
	return func(in *incident.Incident) string {
		if mode == "panic" {
			panic("made-up panic in the user interface")
		}
		return "# " + in.ID
	}
}
