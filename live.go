package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"spiketop/incident"
	"spiketop/ui"
)

// runLive is the monitor with a screen. The screen runs on this goroutine; when
// it ends, for whatever reason, everything ends, and the terminal is restored
// before anything is printed.
func runLive(ctx context.Context, o *options, stderr io.Writer) error {
	if err := checkTerminal(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := openSession(o, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	s.giveUp = cancel
	s.frames = make(chan *incident.Frame, 1)
	watched := make(chan error, 1)
	go func() {
		defer cancel()
		watched <- s.run(ctx)
	}()
	err = ui.Run(ctx, ui.Config{Hold: o.hold, Theme: o.theme, NoColor: os.Getenv("NO_COLOR") != "", Filter: o.filter, Scale: o.scale,
		Freeze: func() { s.wish(askFreeze) }, Markdown: markdown}, s.frames)
	cancel()
	werr := <-watched
	s.repanic()
	if werr != nil {
		return werr
	}
	if terminalGone() { // nobody is there to be told, and everything is sealed
		return nil
	}
	return quiet(err)
}

// terminalGone reports whether the terminal was hung up: the screen may notice
// that before the signal comes.
func terminalGone() bool {
	_, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS)
	return errors.Is(err, unix.EIO)
}

// wish passes on what the person wants; a full queue means it is being done.
func (s *session) wish(a ask) {
	select {
	case s.asks <- a:
	default:
	}
}

func markdown(in *incident.Incident) string {
	var b strings.Builder
	if err := incident.WriteMarkdown(&b, in); err != nil {
		return ""
	}
	return b.String()
}

// checkTerminal says before anything is opened that there is no terminal.
func checkTerminal() error {
	for _, f := range []*os.File{os.Stdin, os.Stdout} {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
			return &failure{fmt.Errorf("open screen: %s is no terminal", f.Name()), "spiketop headless needs none", exitFailed}
		}
	}
	return nil
}
