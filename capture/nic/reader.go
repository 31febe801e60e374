package nic

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// How often a driver is asked.
const (
	every     = time.Second
	slow      = 20 * time.Millisecond // a reading that took longer is made
	everySlow = 5 * time.Second       // as seldom as this
)

// Reader reads the drivers' counters of the captured NICs. Open it in the network
// namespace of the NICs; its methods may be called from any goroutine.
type Reader struct {
	now func() flow.Time
	out chan<- flow.NICStats
	fd  int
	// open makes what asks a NIC; tests put a driver of their own there.
	open func(ifindex int) (asker, error)

	mu      sync.Mutex
	ctx     context.Context // nil before Run and after it
	want    map[flow.LinkID]flow.Link
	running map[flow.LinkID]*worker
	left    int  // workers that have not ended
	closed  bool // the socket goes when the last of them has
}

// asker asks one NIC; tells is false where nothing of what it says is understood.
type asker interface {
	read(s *flow.NICStats) (tells bool, err error)
	close()
}

// worker asks one NIC.
type worker struct {
	link flow.Link
	stop context.CancelFunc
}

// New opens its socket. Readings go to out, which nobody has to read: one that
// is not taken is dropped, for the counters are cumulative. now is the clock of
// flow.Time.
func New(now func() flow.Time, out chan<- flow.NICStats) (*Reader, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open socket for NIC statistics: %w", err)
	}
	r := newReader(now, out)
	r.fd = fd
	r.open = func(ifindex int) (asker, error) { return openDevice(fd, ifindex) }
	return r, nil
}

func newReader(now func() flow.Time, out chan<- flow.NICStats) *Reader {
	return &Reader{now: now, out: out, fd: -1, want: map[flow.LinkID]flow.Link{}, running: map[flow.LinkID]*worker{}}
}

// SetLinks says which NICs are read from now on; a link without device (LinkGone)
// is passed over.
func (r *Reader) SetLinks(links []flow.Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.want)
	for _, l := range links {
		if l.State != flow.LinkGone && l.Ifindex > 0 {
			r.want[l.ID] = l
		}
	}
	r.follow()
}

// Run reads until ctx ends. It returns at once then: a driver that does not
// answer is left to its own goroutine.
func (r *Reader) Run(ctx context.Context) {
	r.mu.Lock()
	r.ctx = ctx
	r.follow()
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ctx = nil
	for id, w := range r.running {
		w.stop()
		delete(r.running, id)
	}
}

// Close closes the socket, when the last reading has ended.
func (r *Reader) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.release()
	}
}

func (r *Reader) release() {
	if r.closed && r.left == 0 && r.fd >= 0 {
		unix.Close(r.fd)
		r.fd = -1
	}
}

// follow starts and stops workers. A device that came back with another ifindex
// gets a new one. The caller has the lock.
func (r *Reader) follow() {
	if r.ctx == nil || r.closed {
		return
	}
	for id, w := range r.running {
		if l, ok := r.want[id]; !ok || l.Ifindex != w.link.Ifindex || l.Epoch != w.link.Epoch {
			w.stop()
			delete(r.running, id)
		}
	}
	for id, l := range r.want {
		if r.running[id] != nil {
			continue
		}
		ctx, stop := context.WithCancel(r.ctx)
		r.running[id] = &worker{link: l, stop: stop}
		r.left++
		go r.work(ctx, stop, l)
	}
}

func (r *Reader) work(ctx context.Context, stop context.CancelFunc, l flow.Link) {
	defer func() {
		stop()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.left--
		r.release()
	}()
	d, err := r.open(l.Ifindex)
	if err != nil {
		return // no memory: this NIC's own counters stay unknown
	}
	defer d.close()
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		next := every
		s := flow.NICStats{Link: l.ID}
		begin := time.Now()
		tells, err := d.read(&s)
		s.At, s.Took = r.now(), time.Since(begin)
		switch {
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, ErrTooMany):
			return // it never will tell
		case err != nil: // gone, or changing: it may come back
		case !tells:
			next = everySlow // queues that come may
		case ctx.Err() != nil: // it is another NIC's time
		default:
			select {
			case r.out <- s:
			default:
			}
		}
		if s.Took > slow {
			next = everySlow
		}
		wait.Reset(next)
	}
}

// Look asks one NIC once, for the doctor: its driver's name, how many values it
// has, and which names are understood, by count.
func Look(name string) (driver string, values int, found [flow.NICCounts][]string, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", 0, found, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if info, err := unix.IoctlGetEthtoolDrvinfo(fd, name); err == nil {
		driver = unix.ByteSliceToString(info.Driver[:])
	}
	mem, err := newMemory()
	if err != nil {
		return driver, 0, found, err
	}
	defer mem.close()
	d := &device{fd: fd, mem: mem}
	n, err := d.count(name)
	if err != nil {
		return driver, 0, found, err
	}
	list, err := d.strings(name, n)
	if err != nil {
		return driver, 0, found, err
	}
	p := find(list)
	for c := range p {
		for _, i := range p[c] {
			found[c] = append(found[c], list[i])
		}
	}
	return driver, len(list), found, nil
}
