package icmptap

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/capture"
	"spiketop/capture/decode"
	"spiketop/capture/recorder"
	"spiketop/flow"
)

// Bounds where the Config says nothing.
const (
	DefaultMaxVIFs = 1024
	DefaultRate    = 1000
	maxRate        = 10_000 // what is read of a vif at most is 64 frames four times each 10 ms
)

const (
	retryEvery = time.Second           // between two tries to open a tap
	gather     = 10 * time.Millisecond // echoes that come together are read together
	rounds     = 4                     // of reading after one wake
	quietAfter = 10 * time.Second      // without an echo, then
	beatQuiet  = 500 * time.Millisecond
	beatBusy   = 50 * time.Millisecond // how often the watermark is told
)

// Config describes Taps.
type Config struct {
	Clock   *capture.Clock // shared with the Readers
	Out     chan<- *Batch  // never closed; a full one makes batches merge
	MaxVIFs int            // 0 = 1024. Each may hold 128 KiB of kernel memory
	Rate    int            // echoes a second and vif that are delivered, 0 = 1000; half of it may come at once on top

	// Recorder keeps the first bytes of every frame that is delivered, and of as many
	// a second that passed the filter but are no whole echo (a large ping's first
	// fragment): SnapLen at most, of all vifs in one memory, told apart by Ifindex.
	// Outgoing there is what goes toward the guest, of a macvtap too. nil = none. The
	// taps' goroutine writes; it must not be closed before Run has ended.
	Recorder *recorder.Memory
}

// Taps are the taps of all vifs. Run belongs to one goroutine; Set and Stats may
// be called from any other.
type Taps struct {
	epoll, event int // the event wakes Run
	filter       []unix.SockFilter
	maxVIFs      int
	rate         float64

	// Run's own.
	receiver *receiver
	recorder *recorder.Memory // nil = nothing is kept
	kept     recorder.Frame   // here so that it does not escape to the heap each time
	decoder  *decode.Decoder
	record   flow.Record
	echo     flow.Echo
	stamps   *capture.Stamps
	out      outbox
	byFD     map[int32]*tap
	events   []unix.EpollEvent
	lastEcho flow.Time
	closer   closer

	mu    sync.Mutex
	want  []flow.GuestNIC // what Set said last, nil = nothing new
	taps  map[int]*tap    // by ifindex; changed by Run only
	stats Stats
}

// Stats is what Taps have done.
type Stats struct {
	VIFs          []VIFStats // those of the last Set, by ifindex
	Beyond        int        // vifs that are not tapped as they are too many
	DroppedEchoes uint64     // that the receiver did not take in time
}

// Open prepares taps; there is none before Set. Close or Run must follow.
func Open(cfg Config) (*Taps, error) {
	if cfg.MaxVIFs <= 0 {
		cfg.MaxVIFs = DefaultMaxVIFs
	}
	if cfg.Rate <= 0 {
		cfg.Rate = DefaultRate
	}
	t := &Taps{epoll: -1, event: -1, maxVIFs: cfg.MaxVIFs, rate: float64(min(cfg.Rate, maxRate)), receiver: newReceiver(), recorder: cfg.Recorder,
		decoder: decode.New(decode.Config{Fragments: 4}), stamps: capture.NewStamps(cfg.Clock), out: outbox{out: cfg.Out},
		byFD: map[int32]*tap{}, taps: map[int]*tap{}, events: make([]unix.EpollEvent, 256)}
	t.out.drained = capture.Now()
	t.out.offset = t.stamps.Offset()
	if err := t.open(); err != nil {
		t.Close()
		return nil, fmt.Errorf("open taps of vifs: %w", err)
	}
	return t, nil
}

func (t *Taps) open() (err error) {
	if t.filter, err = echoFilter(); err != nil {
		return err
	}
	if t.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	if t.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	if err = unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, t.event, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(t.event)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// Close ends Taps that were never Run. After Run it does nothing; during Run it
// must not be called.
func (t *Taps) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, fd := range []*int{&t.epoll, &t.event} {
		if *fd >= 0 {
			_ = unix.Close(*fd)
			*fd = -1
		}
	}
}

// Set says which vifs there are. Name, Ifindex and Kind count; nics is not kept.
// Taps are opened and closed by Run, at once. Beyond the bound those with the
// highest ifindex are left out.
func (t *Taps) Set(nics []flow.GuestNIC) {
	want := make([]flow.GuestNIC, 0, len(nics))
	for i := range nics {
		want = append(want, flow.GuestNIC{Name: nics[i].Name, Ifindex: nics[i].Ifindex, Kind: nics[i].Kind})
	}
	slices.SortFunc(want, func(a, b flow.GuestNIC) int { return a.Ifindex - b.Ifindex })
	want = slices.CompactFunc(want, func(a, b flow.GuestNIC) bool { return a.Ifindex == b.Ifindex })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Beyond = max(len(want)-t.maxVIFs, 0)
	t.want = want[:len(want)-t.stats.Beyond]
	t.wake()
}

// wake makes Run look at what is new. The caller holds mu.
func (t *Taps) wake() {
	if t.event >= 0 {
		_, _ = unix.Write(t.event, binary.NativeEndian.AppendUint64(nil, 1))
	}
}

// Stats returns what was done so far.
func (t *Taps) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.VIFs = make([]VIFStats, 0, len(t.taps))
	for _, p := range t.taps {
		s.VIFs = append(s.VIFs, p.stats)
	}
	slices.SortFunc(s.VIFs, func(a, b VIFStats) int { return a.Ifindex - b.Ifindex })
	return s
}

// Run reads the taps until ctx ends; it then closes them, within a fraction of a
// second, and returns nil. Sockets are opened in the network namespace of the
// thread that it runs on.
//
// It hands on a batch when there is something to tell, and for the watermark
// every 50 ms while there are echoes, else every 500 ms. It never waits for the
// receiver.
func (t *Taps) Run(ctx context.Context) error {
	defer t.end()
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.wake()
	})
	defer stop()
	for ctx.Err() == nil {
		t.apply()
		if err := t.turn(ctx); err != nil {
			return fmt.Errorf("poll taps of vifs: %w", err)
		}
	}
	return nil
}

// end closes everything.
func (t *Taps) end() {
	for _, p := range t.taps {
		t.closeTap(p)
	}
	t.closer.wait()
	t.Close()
}
