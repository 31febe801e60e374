package link

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// Update is how the captured links stand after a look. Nothing in it is changed
// after it was sent.
type Update struct {
	At           flow.Time     // when the look was taken; zero in Watcher.First
	Links        []flow.Link   // all captured links, in pane order; a link once listed stays listed
	Bonds        []flow.Bond   // all bonds and teams of this host, and OVS datapaths as mode "ovs"
	OrderUnknown []string      // bonds whose Members stand in ifindex order, because the order of enslaving is unknown
	Hidden       []string      // ways by which traffic passes this host unseen, a sentence each: State.Hidden of the links
	Added        []flow.LinkID // links that are listed for the first time: open a reader for each
	Reopen       []flow.LinkID // links that came back with another ifindex: open their reader anew
	Changes      []Change      // what happened since the last Update, oldest first
	Notes        []string      // said once: what the watcher cannot do (any more)
	State        *State        // the look itself; routes and addresses are those of the start
}

// WatchConfig says what to follow.
type WatchConfig struct {
	Roots    Roots
	State    *State        // the look that Choices were made from
	Choices  []Choice      // from Choose
	Interval time.Duration // between looks without any event; 0 = one second
	Heard    func()        // called at each event of any link of this host, in a goroutine of Run's; must not block; may be nil
}

const (
	lookInterval = time.Second
	lookPause    = 100 * time.Millisecond // between looks, however many events come
	mostChanges  = 256                    // kept while nobody takes an Update
)

// Watcher follows the captured links for life. A link keeps its LinkID when it
// is renamed, goes down, leaves its bond or vanishes; a new device with the name
// of a vanished one, or else its permanent address and kind, takes its place
// with the next Epoch and a new Ifindex. Epoch also grows when a link that was
// down comes up.
type Watcher struct {
	tracker  *tracker
	last     Update // of the newest look
	failing  bool   // the newest look failed: said once
	interval time.Duration

	look  func(want func(*Device) bool) (*State, error)
	heard func()
	wait  func() error // blocks until a link event, fails when closed; nil: there are no events
	stop  func()       // makes wait fail, closes the sockets
	now   func() flow.Time
}

// NewWatcher gives the chosen links their LinkIDs, 1 upward in pane order, and
// opens the netlink sockets in the calling thread's network namespace. Without
// event socket it watches by looking every Interval alone, and says so in the
// Notes of the first Update.
func NewWatcher(cfg WatchConfig) (*Watcher, error) {
	n, err := Open()
	if err != nil {
		return nil, err
	}
	w := newWatcher(cfg)
	w.look = func(want func(*Device) bool) (*State, error) { return readDevices(cfg.Roots, n, want) }
	w.now = monotonic
	e, err := openEvents()
	if err != nil {
		w.last.Notes = append(w.last.Notes, noEvents(err))
		w.stop = func() { n.Close() }
		return w, nil
	}
	w.wait = e.wait
	w.stop = func() { e.close(); n.Close() }
	return w, nil
}

func newWatcher(cfg WatchConfig) *Watcher {
	w := &Watcher{tracker: newTracker(cfg.State, cfg.Choices), interval: cfg.Interval}
	if w.interval <= 0 {
		w.interval = lookInterval
	}
	if w.heard = cfg.Heard; w.heard == nil {
		w.heard = func() {}
	}
	w.last = Update{Links: w.tracker.snapshot(), State: cfg.State}
	w.last.Bonds, w.last.OrderUnknown = cfg.State.Bonds()
	w.last.Hidden = cfg.State.Hidden(w.last.Links)
	for _, l := range w.last.Links {
		w.last.Added = append(w.last.Added, l.ID)
	}
	return w
}

func noEvents(err error) string {
	return fmt.Sprintf("link events failed (%v): looking every second only", err)
}

func monotonic() flow.Time {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return flow.Time(ts.Nano())
}

// First returns how things stand before Run: the links with their ids, all in
// Added, no Changes. Call it before Run.
func (w *Watcher) First() Update {
	return w.last
}

// Run looks at once, at every netlink link event (at most ten times a second) and
// every Interval, and sends an Update whenever something differs from the last one
// sent. While out is not taken, Updates are merged: newest links, all changes
// (the last 256). It returns when ctx ends, having joined its goroutines and
// closed its sockets; it does not close out. It runs once.
func (w *Watcher) Run(ctx context.Context, out chan<- Update) {
	events, failed := make(chan struct{}, 1), make(chan error, 1)
	var wg sync.WaitGroup
	if w.wait != nil {
		wg.Go(func() { failed <- w.forward(events) })
	}
	defer wg.Wait()
	defer w.stop()

	due := time.NewTimer(0) // much may have happened since the state was read
	defer due.Stop()
	var pending Update // not sent yet
	var dirty bool     // there is something to send
	var lastLook time.Time
	add := func(u Update, news bool) {
		if news {
			pending, dirty = merge(pending, u), true
		}
	}
	for {
		to := out
		if !dirty {
			to = nil
		}
		select {
		case <-ctx.Done():
			return
		case to <- pending:
			pending, dirty = Update{}, false
		case <-events:
			due.Reset(max(0, lookPause-time.Since(lastLook)))
		case err := <-failed:
			add(w.say(noEvents(err)), true)
		case <-due.C:
			due.Reset(w.interval)
			lastLook = time.Now()
			add(w.step())
		}
	}
}

// forward turns events into at most one waiting signal, until wait fails.
func (w *Watcher) forward(events chan<- struct{}) error {
	for {
		if err := w.wait(); err != nil {
			return err
		}
		w.heard()
		select {
		case events <- struct{}{}:
		default: // one is waiting: the look it causes sees this too
		}
	}
}

// step takes a look. news says that something differs from the last one.
func (w *Watcher) step() (u Update, news bool) {
	s, err := w.look(w.tracker.interesting())
	if err != nil {
		first := !w.failing
		w.failing = true
		return w.say(err.Error()), first
	}
	w.failing = false
	s.Routes, s.Addresses = w.last.State.Routes, w.last.State.Addresses
	u = Update{At: w.now(), State: s}
	u.Added, u.Reopen, u.Changes = w.tracker.look(s)
	u.Links = w.tracker.snapshot()
	u.Bonds, u.OrderUnknown = s.Bonds()
	u.Hidden = s.Hidden(u.Links)
	news = len(u.Changes)+len(u.Added)+len(u.Reopen) > 0 || !sameStanding(&u, &w.last)
	w.last = u
	return u, news
}

// say returns the last Update with nothing new in it but a note.
func (w *Watcher) say(note string) Update {
	u := w.last
	u.At, u.Added, u.Reopen, u.Changes = w.now(), nil, nil, nil
	u.Notes = []string{note}
	return u
}

// merge returns u with what old still had to tell.
func merge(old, u Update) Update {
	u.Added = union(old.Added, u.Added)
	u.Reopen = union(old.Reopen, u.Reopen)
	u.Notes = slices.Concat(old.Notes, u.Notes)
	u.Changes = slices.Concat(old.Changes, u.Changes)
	if n := len(u.Changes); n > mostChanges {
		u.Changes = u.Changes[n-mostChanges:]
	}
	return u
}

func union(a, b []flow.LinkID) []flow.LinkID {
	list := slices.Clone(a)
	for _, id := range b {
		if !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

// sameStanding compares what people see of two looks.
func sameStanding(a, b *Update) bool {
	return slices.Equal(a.Links, b.Links) && slices.Equal(a.OrderUnknown, b.OrderUnknown) && slices.Equal(a.Hidden, b.Hidden) &&
		slices.EqualFunc(a.Bonds, b.Bonds, func(x, y flow.Bond) bool {
			return x.Name == y.Name && x.Mode == y.Mode && x.Policy == y.Policy && x.Active == y.Active &&
				slices.Equal(x.Members, y.Members)
		})
}
