package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"spiketop/capture"
	"spiketop/capture/link"
	"spiketop/capture/recorder"
	"spiketop/flow"
	"spiketop/incident/store"
	"spiketop/probe"
)

// openSession opens all that needs rights, then gives the rights up.
func openSession(o *options, stderr io.Writer) (*session, error) {
	tuneRuntime(memoryBudget)
	s := &session{o: o, ev: &events{}, host: hostName(), readers: map[flow.LinkID]*capture.Reader{}, kept: map[flow.LinkID]*recorder.Memory{}, why: map[flow.LinkID]string{},
		batches: make(chan *flow.Batch, 64), probes: make(chan probe.Event, 4096), updates: make(chan link.Update, 1),
		counters: make(chan []flow.LinkCounters, 8), sampled: make(chan sampleList, 1), states: make(chan *link.State, 1), asks: make(chan ask, 4), configs: make(chan reread, 1), said: make(chan string, 16)}
	for _, open := range []func() error{s.openLog, s.openLinks, s.openReaders, s.openStore, s.openRing} {
		if err := open(); err != nil {
			s.close()
			return nil, err
		}
	}
	if o.keepRights {
		return s, nil
	}
	if err := dropRights(keepCapabilities(s.foreignStore())); err != nil {
		fmt.Fprintf(stderr, "spiketop: %s: going on with all rights\n", oneLine(err.Error()))
	}
	return s, nil
}

func (s *session) openLog() error {
	if s.o.jsonLog == "" {
		return nil
	}
	f, err := os.OpenFile(s.o.jsonLog, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open --json-log: %w", err)
	}
	s.ev.add(f, func(err error) { s.say(fmt.Sprintf("%s: %v", s.o.jsonLog, err)) })
	return nil
}

func (s *session) openLinks() (err error) {
	roots := s.roots()
	if s.netlink, err = link.Open(); err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	if s.state, err = link.Read(roots, s.netlink); err != nil {
		return fmt.Errorf("read network devices: %w", err)
	}
	choices, err := link.Choose(s.state, s.o.nics)
	if err != nil {
		f := &failure{err: err, status: exitFailed}
		if ce := (*link.ChoiceError)(nil); errors.As(err, &ce) {
			f.hint = ce.Hint
		}
		return f
	}
	if s.watcher, err = link.NewWatcher(link.WatchConfig{Roots: roots, State: s.state, Choices: choices, Heard: s.linksChanged}); err != nil {
		return fmt.Errorf("watch network devices: %w", err)
	}
	if s.sampler, err = link.NewSampler(roots); err != nil {
		return fmt.Errorf("open counters: %w", err)
	}
	if err := s.openGuests(); err != nil {
		return err
	}
	s.openSockets()
	s.openNear()
	names := map[string]bool{}
	for i, l := range s.watcher.First().Links {
		names[l.Name] = true
		if i < len(choices) {
			s.why[l.ID] = choices[i].Why
		}
	}
	for name := range s.o.linkSpeed {
		if !names[name] {
			return usage("captured are "+strings.Join(slices.Sorted(maps.Keys(names)), ", "), "read --link-speed %s: not a captured NIC", name)
		}
	}
	return nil
}

func (s *session) roots() link.Roots { return link.Roots{Sysfs: s.o.sysfs, Procfs: s.o.procfs} }

// openReaders opens a ring for each NIC. One that vanishes meanwhile is waited
// for; without any the program cannot start.
func (s *session) openReaders() error {
	clock, err := capture.NewClock()
	if err != nil {
		return fmt.Errorf("read clocks: %w", err)
	}
	s.clock = clock
	var failed error
	open := 0
	world := (&flow.World{Rules: s.o.rules, Links: s.watcher.First().Links}).Index()
	for _, l := range s.watcher.First().Links {
		err := s.openReader(l, world)
		switch {
		case err == nil:
			open++
		case errors.Is(err, capture.ErrPermission):
			return &failure{err, "run it with sudo, or once: sudo setcap cap_net_raw+ep " + ownPath(), exitPermission}
		default:
			failed = err
		}
	}
	if open == 0 && failed != nil {
		return failed
	}
	return nil
}

func (s *session) openReader(l flow.Link, w *flow.World) error {
	keep, err := s.openRecorder(l.ID)
	if err != nil {
		return err
	}
	r, err := capture.OpenReader(capture.ReaderConfig{Link: l.ID, Name: l.Name, Ifindex: l.Ifindex, Epoch: l.Epoch,
		MaxFlows: s.o.maxFlows, Clock: s.clock, Classify: classOf(w, l.ID), Out: s.batches, Recorder: keep})
	if err != nil {
		return err
	}
	s.readers[l.ID] = r
	return nil
}

// openRecorder sets the memory of a link's flight recorder aside, once for its
// life; nil with --snaplen 0.
func (s *session) openRecorder(id flow.LinkID) (*recorder.Memory, error) {
	if s.o.snaplen == 0 || s.kept[id] != nil {
		return s.kept[id], nil
	}
	m, err := recorder.New(recorderBytes, s.o.snaplen)
	if err != nil {
		return nil, err
	}
	s.kept[id] = m
	return m, nil
}

// classOf is the classifier of a World for one link, as its table wants it.
func classOf(w *flow.World, id flow.LinkID) flow.TableClassify {
	classify := w.ClassifyOn(id)
	return func(k *flow.Key, mac, inner [6]byte) flow.Class {
		c, _ := classify(k, mac, inner)
		return c
	}
}

func (s *session) openStore() (err error) {
	if s.o.tap {
		return nil
	}
	dir := s.o.incidents
	if dir == "" {
		if dir = store.DefaultDir(os.Geteuid(), os.Getenv); dir == "" {
			return usage("choose a directory with --incidents DIR", "find the incident directory: neither XDG_STATE_HOME nor HOME is set")
		}
	}
	uid, gid := sudoUser(os.Getenv, os.Geteuid())
	if s.store, err = store.Open(dir, store.Options{UID: max(uid, 0), GID: max(gid, 0), Keep: s.o.keep}); err != nil {
		return &failure{err, "choose another directory with --incidents DIR", exitFailed}
	}
	return nil
}

// foreignStore reports whether incidents or the ring belong to somebody else: the
// user behind sudo, or whoever owns a directory that was named.
func (s *session) foreignStore() bool {
	if s.store == nil {
		return false
	}
	if uid, _ := sudoUser(os.Getenv, os.Geteuid()); uid >= 0 {
		return true
	}
	dirs := []string{s.store.Dir()}
	if s.ring != nil {
		dirs = append(dirs, s.ring.Dir())
	}
	return slices.ContainsFunc(dirs, func(dir string) bool {
		var st unix.Stat_t
		return unix.Stat(dir, &st) == nil && int(st.Uid) != os.Geteuid()
	})
}

func ownPath() string {
	p, err := os.Executable()
	if err != nil {
		return "./spiketop"
	}
	return filepath.Clean(p)
}
