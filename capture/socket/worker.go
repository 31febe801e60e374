package socket

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// Request asks for several things at once.
type Request struct {
	ID        uint64        // the sender's, ascending
	Sockets   []flow.Socket // whose owners are wanted; see MaxAsked
	TCPInfo   []flow.Socket // connections whose TCP_INFO is wanted
	Listeners bool
	Thorough  bool // look until everything is found or the limit ends: at a freeze
}

// Answer answers every request up to that with its ID. It is the receiver's.
type Answer struct {
	ID        uint64
	At        time.Time // when the work for it began
	Took      time.Duration
	Owners    map[flow.Socket]flow.Owner // those that are known
	Pending   int                        // how many owners may be found by asking again
	TCPInfo   map[flow.Socket]flow.TCPInfo
	Listeners []Listener // nil if not asked for
	Missing   []Finding  // what is missing for good and was not said in an earlier answer
	Err       error      // why something is missing this time
	Refused   bool       // Err will be the same the next time: Missing has said it
}

// Answer answers one request, now. It takes as long as Options.Limit says for
// each kind of thing asked for: some milliseconds as a rule.
func (o *Owners) Answer(ctx context.Context, r Request) Answer {
	a := Answer{ID: r.ID, At: time.Now()}
	var errs [3]error
	if len(r.TCPInfo) > 0 { // first: it is about this moment
		limited, cancel := context.WithTimeout(ctx, o.opt.Limit)
		a.TCPInfo, errs[0] = o.TCPInfo(limited, r.TCPInfo)
		cancel()
	}
	if len(r.Sockets) > 0 {
		a.Owners, a.Pending, errs[1] = o.Of(ctx, r.Sockets, r.Thorough)
	}
	if r.Listeners {
		var pending int
		a.Listeners, pending, errs[2] = o.Listeners(ctx, r.Thorough)
		a.Pending += pending
	}
	a.Err = errors.Join(errs[:]...)
	a.Refused = a.Err != nil && refused(a.Err)
	a.Missing = o.news(a.Err)
	a.Took = time.Since(a.At)
	return a
}

// merge joins two requests that nobody has begun to answer. What the newer one
// asks comes first, for only so much is looked at.
func merge(older, newer Request) Request {
	newer.Sockets = union(newer.Sockets, older.Sockets)
	newer.TCPInfo = union(newer.TCPInfo, older.TCPInfo)
	newer.Listeners = newer.Listeners || older.Listeners
	newer.Thorough = newer.Thorough || older.Thorough
	return newer
}

func union(first, then []flow.Socket) []flow.Socket {
	if len(then) == 0 {
		return first
	}
	has := make(map[flow.Socket]bool, len(first)+len(then))
	all := make([]flow.Socket, 0, len(first)+len(then))
	for _, list := range [][]flow.Socket{first, then} {
		for _, s := range list {
			if !has[s] && len(all) < MaxAsked {
				has[s] = true
				all = append(all, s)
			}
		}
	}
	return all
}

// Run answers requests until ctx or in ends, and then returns when the last work
// has ended. A send on in never waits for an answer: requests that come while one
// is being answered, or while an answer waits on out, are merged, and the next
// answer is for all of them. The Owners and the slices of a request belong to
// Run. The work is done on a thread of low priority.
func (o *Owners) Run(ctx context.Context, in <-chan Request, out chan<- Answer) {
	serve(ctx, in, out, func(work <-chan Request, done chan<- Answer) {
		// The thread ends with its goroutine, so that its priority spoils nobody else's.
		runtime.LockOSThread()
		const nice = 10
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice)
		for r := range work {
			done <- o.Answer(ctx, r)
		}
	})
}

// serve keeps at most one request with the worker and merges the others.
func serve(ctx context.Context, in <-chan Request, out chan<- Answer, worker func(<-chan Request, chan<- Answer)) {
	work, done := make(chan Request), make(chan Answer, 1)
	ended := make(chan struct{})
	var broken any
	go func() {
		defer close(ended)
		defer func() {
			if v := recover(); v != nil {
				broken = fmt.Sprintf("%v\n\nin the socket worker:\n%s", v, debug.Stack())
			}
		}()
		worker(work, done)
	}()
	defer func() {
		close(work)
		<-ended
		if broken != nil {
			panic(broken) // where the caller can see to its terminal first
		}
	}()

	var next *Request // not begun
	var ready *Answer // not taken
	busy, open := false, true
	for open || busy || next != nil || ready != nil {
		var begin chan<- Request
		var give chan<- Answer
		var r Request
		var a Answer
		if next != nil && !busy && ready == nil {
			begin, r = work, *next
		}
		if ready != nil {
			give, a = out, *ready
		}
		select {
		case <-ctx.Done():
			return
		case <-ended:
			return
		case got, ok := <-in:
			if !ok {
				in, open = nil, false
				continue
			}
			if next != nil {
				got = merge(*next, got)
			}
			next = &got
		case begin <- r:
			next, busy = nil, true
		case got := <-done:
			ready, busy = &got, false
		case give <- a:
			ready = nil
		}
	}
}
