package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"spiketop/flow"
)

// ErrPermission means that a raw ICMP socket may not be opened: CAP_NET_RAW is
// missing. Trying again does not help.
var ErrPermission = errors.New("operation not permitted")

const (
	// A series of echoes ends after seriesMost of them, or when seriesLost have
	// no answer, and the next takes over one beat later: pro-bing keeps a lost
	// echo in memory for ever.
	seriesMost = 30_000
	seriesLost = 1_000
	// drainFor is how long answers are waited for after a series' last echo.
	drainFor = 3 * time.Second
	// Sending may fail for giveUpAfter before the series ends and the back-off
	// begins: a route that changes is away for a moment only.
	giveUpAfter = time.Second
	// A target without an answer for silentFor is looked up again, and as often.
	silentFor = 10 * time.Second
)

// PingerConfig says what is pinged, how, and where the events go.
type PingerConfig struct {
	// Target is the host. With a valid Addr that address is pinged for ever;
	// without, Name is taken as an address or looked up, and looked up again
	// after a failure or when nothing answers.
	Target Target
	// Interval is the time between two echoes. Zero means 100 ms.
	Interval time.Duration
	// Events receives what happens. The pinger never waits for it: what finds it
	// full is counted (Event.Dropped). It is never closed. A target needs some
	// 20 places for each second in which nobody reads.
	Events chan<- Event
	// Now reads CLOCK_MONOTONIC. Called from several goroutines.
	Now func() flow.Time
	// IDs hands out ICMP ids; pingers of one process share one. Nil means one of
	// its own.
	IDs *IDs
	// Lookup resolves a name, until ctx is done. Nil means the system's resolver.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	// Follow gives the address that another pinger of the same host has found; an
	// invalid one is none yet. With it nothing is looked up here. Nil: a pinger of
	// its own. Any goroutine.
	Follow func() netip.Addr
	// Pick chooses the ICMP id of each new series to addr among those that are not
	// taken; ok false leaves it to chance, and so does nil. Any goroutine; it must
	// not wait.
	Pick func(addr netip.Addr, taken func(id uint16) bool) (id uint16, ok bool)
	// Beat staggers the pingers of one host: each series begins Beat, above 0 and up
	// to Interval, after a multiple of Interval on the clock of Now. Zero: at once.
	Beat time.Duration
}

// Pinger pings one target until it is told to stop.
type Pinger struct {
	cfg     PingerConfig
	send    transport
	most    int64          // seriesMost, fewer in tests
	wg      sync.WaitGroup // series that send or drain
	n       atomic.Int64   // running number of the newest echo
	dropped atomic.Uint64
	anew    chan struct{} // one place: begin a new series
	paused  atomic.Pointer[string]
}

// NewPinger returns a pinger that has not started. It panics without Events or
// Now, which is a mistake of the program.
func NewPinger(cfg PingerConfig) *Pinger {
	if cfg.Events == nil || cfg.Now == nil {
		panic("probe: PingerConfig without Events or Now")
	}
	if cfg.Interval <= 0 {
		cfg.Interval = 100 * time.Millisecond
	}
	if cfg.IDs == nil {
		cfg.IDs = new(IDs)
	}
	if cfg.Lookup == nil {
		cfg.Lookup = systemLookup
	}
	return &Pinger{cfg: cfg, send: proBing, most: seriesMost, anew: make(chan struct{}, 1)}
}

// Run pings until ctx is done and then returns nil, after all its goroutines
// have ended. It returns early only with an error that wraps [ErrPermission];
// everything else (no such host, no route, a NIC that is down) is reported as
// Trouble and tried again after 1 s to 30 s. Run may be called once.
func (p *Pinger) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer p.wg.Wait()
	defer cancel()
	var addr netip.Addr
	var pause backoff
	for {
		before := p.n.Load()
		err := p.try(ctx, &addr)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrPermission) {
			return fmt.Errorf("ping %s: %w", p.cfg.Target.Name, err)
		}
		p.trouble(err)
		if p.n.Load() != before {
			pause.reset()
		}
		if !p.backOff(ctx, pause.next()) {
			return nil
		}
	}
}

// Dropped returns how many events found the channel full. Any goroutine.
func (p *Pinger) Dropped() uint64 { return p.dropped.Load() }

// try resolves the target and pings it, series after series, until something
// fails. A name server that fails does not stop the ping of a known address.
func (p *Pinger) try(ctx context.Context, addr *netip.Addr) error {
	a, err := p.resolve(ctx, *addr)
	if err != nil && !addr.IsValid() {
		return err
	}
	if err != nil {
		a = *addr
	}
	for {
		if err := p.await(ctx); err != nil {
			return err
		}
		if p.cfg.Follow != nil {
			if f := p.cfg.Follow(); f.IsValid() {
				a = f.Unmap()
			}
		}
		if a != *addr {
			*addr = a
			p.emit(Event{Kind: Resolved, At: p.cfg.Now(), Addr: a})
		}
		r, err := p.start(ctx, a)
		if err != nil {
			return err
		}
		if a, err = p.watch(ctx, r); err != nil {
			return err
		}
		// The next echo is due one beat after the last one.
		rest := p.cfg.Interval - p.cfg.Now().Sub(flow.Time(r.sentAt.Load()))
		if !sleep(ctx, rest) {
			return ctx.Err()
		}
	}
}

// start begins a series in goroutines of its own.
func (p *Pinger) start(ctx context.Context, a netip.Addr) (*run, error) {
	id, err := p.takeID(a)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &run{p: p, addr: a, id: id, most: p.most, cancel: cancel,
		stopped: make(chan error, 1), ended: make(chan error, 1)}
	r.heard.Store(int64(p.cfg.Now()))
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		defer cancel()
		defer p.cfg.IDs.release(id)
		err := p.send(ctx, r.series(p.cfg.Interval))
		if !r.opened && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES)) {
			err = fmt.Errorf("open ICMP socket: %w", ErrPermission)
		}
		r.ended <- err
	}()
	return r, nil
}

// watch waits until the series has sent its last echo; its answers are heard
// for drainFor longer. It returns the address of the next series, or why there
// is none now.
func (p *Pinger) watch(ctx context.Context, r *run) (netip.Addr, error) {
	next := r.addr
	found := make(chan netip.Addr, 1)
	look := time.NewTicker(silentFor)
	defer look.Stop()
	for {
		select {
		case err := <-r.ended:
			select {
			case err := <-r.stopped: // answered to the last echo, and both seen at once
				return next, err
			default:
			}
			if err == nil {
				err = errors.New("the ping ended by itself")
			}
			return next, err
		case err := <-r.stopped:
			time.AfterFunc(drainFor, r.cancel)
			return next, err
		case <-p.anew:
			r.leave.Store(true) // with the next beat
		case a := <-found:
			if a != r.addr {
				next = a
				r.leave.Store(true) // with the next beat
			}
		case <-look.C:
			if _, ok := fixed(p.cfg.Target); !ok && p.cfg.Follow == nil && p.cfg.Now().Sub(flow.Time(r.heard.Load())) >= silentFor {
				p.lookAgain(ctx, r.addr, found)
			}
		}
	}
}

// lookAgain resolves the target without holding up its ping.
func (p *Pinger) lookAgain(ctx context.Context, old netip.Addr, found chan<- netip.Addr) {
	p.wg.Go(func() {
		if a, err := p.resolve(ctx, old); err == nil {
			select {
			case found <- a:
			default: // an answer waits to be read already
			}
		}
	})
}

func (p *Pinger) trouble(err error) {
	p.emit(Event{Kind: Trouble, At: p.cfg.Now(), Text: reason(err)})
}

// emit hands an event over or counts it. It never waits: the caller is
// pro-bing's loop, whose delay would look like a slow network.
func (p *Pinger) emit(e Event) {
	e.Target, e.Dropped = p.cfg.Target.ID, p.dropped.Load()
	select {
	case p.cfg.Events <- e:
	default:
		p.dropped.Add(1)
	}
}
