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
// had says whether there was a terminal at the start.
// It runs in its own goroutine: a file may lie on a disk that does not answer.
func (s *session) followHangups(ctx context.Context, hup <-chan os.Signal, had bool) {
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

// reread is what became of reading the configuration again.
type reread struct {
	config
	err error // why it is refused
}

// reload reads the configuration again.
func (s *session) reload() {
	conf, err := readConfig(configPath(s.o.config, os.Getenv))
	newest(s.configs, reread{conf, err})
}

// newConfig takes a configuration that was read again: rules, classes and names
// of vifs. Targets and speeds are those of the start. A bad file changes nothing.
func (w *watch) newConfig(c reread) {
	if c.err != nil {
		w.tell(fmt.Sprintf("%v: the rules stay as they were", c.err))
		return
	}
	w.conf = c.config
	next := *w.world
	next.Rules = slices.Concat(w.s.o.storage, c.rules)
	if w.lastLook != nil {
		next.Guests = w.lastLook.NICs // without the names of the old file
	}
	w.setWorld(&next)
	from := c.path
	if from == "" {
		from = "no file"
	}
	w.tell(fmt.Sprintf("configuration read again from %s: rules: %d", from, len(c.rules)))
}

// tell is [session.say] and a note event. The monitor's notes are events anyway.
func (w *watch) tell(text string) {
	if w.s.diagnostics == nil {
		w.mon.Note(capture.Now(), oneLine(text)) // said is read by this goroutine: it could be full
		return
	}
	w.s.ev.emit(noteEvent{eventHead{"note", time.Now()}, oneLine(text)})
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
