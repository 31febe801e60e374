package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/capture"
	"spiketop/flow"
)

// hangups hands on SIGHUP from now on; stop ends that. With one the
// configuration file is read again, unless the terminal has gone away, which
// sends the same signal.
func hangups() (hup chan os.Signal, stop func()) {
	hup = make(chan os.Signal, 1)
	signal.Notify(hup, unix.SIGHUP)
	return hup, func() { signal.Stop(hup) }
}

// followHangups reads the configuration again with every hangup until ctx ends.
// It runs in its own goroutine: a file may lie on a disk that does not answer.
func (s *session) followHangups(ctx context.Context, hup <-chan os.Signal) {
	had := hasTerminal()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		if had && !hasTerminal() {
			s.giveUp()
			return
		}
		s.reload()
	}
}

// hasTerminal reports whether this process has a controlling terminal: the
// kernel takes it away before it tells of the hangup (__tty_hangup).
func hasTerminal() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}

// reload reads the configuration again. A bad file changes nothing.
func (s *session) reload() {
	conf, err := readConfig(configPath(s.o.config, os.Getenv))
	if err != nil {
		s.say(fmt.Sprintf("%v: the rules stay as they were", err))
		return
	}
	select {
	case <-s.configs: // newest wins
	default:
	}
	s.configs <- conf
}

// newConfig takes a configuration that was read again: rules, classes and names
// of vifs. Targets and speeds are those of the start.
func (w *watch) newConfig(c config) {
	w.conf = c
	next := *w.world
	next.Rules = slices.Concat(w.s.o.storage, c.rules)
	w.setWorld(&next)
	from := c.path
	if from == "" {
		from = "no file"
	}
	text := fmt.Sprintf("configuration read again from %s: rules: %d", from, len(c.rules))
	w.s.ev.emit(noteEvent{eventHead{"note", time.Now()}, text})
	if w.s.diagnostics == nil {
		w.mon.Note(capture.Now(), text) // said is read by this goroutine: it could be full
		return
	}
	w.s.say(text)
}

// namedGuests gives vifs the names that the configuration has for them.
func namedGuests(list []flow.GuestNIC, names map[string]string) []flow.GuestNIC {
	const source = "configuration file"
	var out []flow.GuestNIC
	for i := range list {
		name, ok := names[list[i].Name]
		if !ok || name == list[i].Guest {
			continue
		}
		if out == nil {
			out = slices.Clone(list)
		}
		g := &out[i]
		if g.Guest = name; g.Source != "" {
			g.Source += ", "
		}
		g.Source += source
	}
	if out == nil {
		return list
	}
	return out
}

// publishClasses gives every reader the classifier of the present World.
func (w *watch) publishClasses() {
	for id, r := range w.s.readers {
		r.SetClassify(classOf(w.world, id))
	}
}
