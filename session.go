package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"spiketop/capture"
	"spiketop/capture/link"
	"spiketop/capture/recorder"
	"spiketop/capture/ring"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/incident/store"
	"spiketop/probe"
)

// memoryBudget is the soft limit of the Go heap: two tables of a million flows,
// their look-backs and the frames, with room.
const memoryBudget = 512 << 20

// recorderBytes is the memory of one NIC's flight recorder; the kernel provides it
// as it is filled.
const recorderBytes = 32 << 20

// vifRecorderBytes is that of all vifs' pings together: 26 000 of them.
const vifRecorderBytes = 4 << 20

// session is everything that is open while the monitor runs. Who owns what:
//
//	goroutine         owns                                   ends when
//	reader, one a NIC its ring, decoder and flow table       ctx, seen within a poll timeout
//	pinger, one each  its pro-bing                           ctx, or its target is dropped
//	link watcher      its netlink sockets                    ctx
//	counter sampler   its netlink socket                     ctx
//	guest finder      capture/host's Finder                  ctx
//	vif taps          their sockets                          ctx
//	guest sampler     the vifs' counters                     ctx
//	socket worker     capture/socket's Owners                ctx
//	driver readers    what each NIC's driver counts          ctx; one that hangs is left behind
//	load reader       nothing: reads /proc/stat, PSI         ctx
//	disk sampler      the connection to libvirt              ctx
//	hangups           nothing: reads the configuration       ctx
//	far side          the process of a far tap (path --live) ctx; then its group has ended
//	ring writer       the files of --ring                    ctx, and the readers have ended
//	saver             the incident directory                 its queue is closed and written
//	watch             Set, Monitor, World, targets           ctx; its last act closes the saver's queue
//	screen            the terminal (live only)               ctx, or the person quits
type session struct {
	o     *options
	ev    *events
	clock *capture.Clock
	guests
	sockets
	near nearSources
	vifTaps
	host string

	netlink *link.Netlink
	state   *link.State
	watcher *link.Watcher
	sampler *link.Sampler
	readers map[flow.LinkID]*capture.Reader
	kept    map[flow.LinkID]*recorder.Memory // flight recorders of the readers
	why     map[flow.LinkID]string           // why a NIC is captured

	keptVIFs *recorder.Memory // flight recorder of the pings on vifs, of all taps; nil = none
	store    *store.Store
	ring     *ring.Ring // nil without --ring

	batches  chan *flow.Batch
	probes   chan probe.Event
	updates  chan link.Update
	counters chan []flow.LinkCounters
	sampled  chan sampleList
	states   chan *link.State
	asks     chan ask
	configs  chan reread // newest wins
	said     chan string // to be shown among the screen's notes

	frames      chan *incident.Frame // newest wins; nil without a screen
	diagnostics io.Writer            // nil with a screen
	giveUp      context.CancelFunc   // ends the run
	tap         *tap                 // nil but in spiketop tap
	far         *farSide             // nil but in path --live

	draining atomic.Int64 // readers and taps that run
	tasks    sync.WaitGroup
	mu       sync.Mutex // protects what follows
	err      error      // first fatal error
	crash    *crash     // first panic of a task
}

// sampleList tells the sampler which links to read from now on.
type sampleList struct {
	links    []flow.Link
	state    *link.State
	nextHops []netip.Addr
}

// ask is a wish of the person in front of the screen.
type ask uint8

const askFreeze ask = iota

// fatal ends the run with err; the first one counts.
func (s *session) fatal(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.giveUp()
}

// crash is a panic in a task, kept until the terminal is restored.
type crash struct {
	value any
	stack []byte
}

// task runs f in a goroutine that is joined at the end of the run. A panic in it
// ends the run; it goes on its way only when the terminal is restored, so that
// the person finds a usable shell below the stack.
func (s *session) task(f func()) {
	s.tasks.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				s.crashed(v, debug.Stack())
			}
		}()
		f()
	})
}

func (s *session) crashed(v any, stack []byte) {
	s.mu.Lock()
	if s.crash == nil {
		s.crash = &crash{v, stack}
	}
	s.mu.Unlock()
	s.giveUp()
}

// repanic continues the first panic of a task, if there was one.
func (s *session) repanic() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crash != nil {
		panic(fmt.Sprintf("%v\n\nin a goroutine:\n%s", s.crash.value, s.crash.stack))
	}
}

// close releases what was opened; goroutines have ended by then.
func (s *session) close() {
	for _, r := range s.readers {
		r.Close()
	}
	for _, m := range s.kept {
		_ = m.Close()
	}
	if s.keptVIFs != nil {
		_ = s.keptVIFs.Close()
	}
	if s.sampler != nil {
		_ = s.sampler.Close()
	}
	if s.netlink != nil {
		_ = s.netlink.Close()
	}
	s.guests.close()
	s.near.close()
	s.sockets.close()
}

// run starts every goroutine, watches until ctx ends and joins them all.
func (s *session) run(ctx context.Context) error {
	if s.o.runFor > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.o.runFor)
		defer cancel()
	}
	if !signal.Ignored(unix.SIGHUP) { // else somebody wants it to outlive the terminal: nohup
		hup, stop := hangups()
		defer stop()         // when all is sealed
		had := hasTerminal() // before anybody hears that the run has begun
		s.task(func() { s.followHangups(ctx, hup, had) })
	}
	for _, r := range s.readers {
		s.goReader(ctx, r)
	}
	s.runRing(ctx)
	s.task(func() { s.watcher.Run(ctx, s.updates) })
	s.task(func() { s.sample(ctx) })
	s.runTaps(ctx)
	s.runGuests(ctx)
	s.runSockets(ctx)
	s.runNear(ctx)
	if s.far != nil {
		s.task(func() { s.far.run(ctx) })
	}
	sv := newSaver()
	s.task(func() { sv.run(ctx, s.store) })

	s.task(func() {
		defer sv.end() // also when the watch panics: nobody may wait for it
		newWatch(s, sv).run(ctx)
	})
	s.tasks.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// goReader runs the drain of one link. A ring that fails for good is said, the
// other links go on.
func (s *session) goReader(ctx context.Context, r *capture.Reader) {
	s.draining.Add(1)
	s.task(func() {
		defer s.draining.Add(-1)
		if err := quiet(r.Run(ctx)); err != nil {
			s.say(err.Error())
		}
	})
}

// say tells the person something that is no event: on standard error, or where a
// screen owns the terminal among its notes. Any goroutine may call it; what the
// screen cannot take is dropped.
func (s *session) say(text string) {
	if s.diagnostics != nil {
		fmt.Fprintf(s.diagnostics, "spiketop: %s\n", oneLine(text))
		return
	}
	select {
	case s.said <- oneLine(text):
	default:
	}
}
