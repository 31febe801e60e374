package socket

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"spiketop/flow"
)

// MaxAsked is how many sockets one question may have. More are not looked at.
const MaxAsked = 8192

// Options say where to look and how much.
type Options struct {
	Proc string // where the proc file system is mounted, "" = /proc
	// Look is how many file descriptors one question may look at, 0 = 20 000,
	// which takes some 100 ms, nearly all of it in the kernel. What does not fit is for the next one.
	Look int
	// Limit is how long one question may take, 0 = 1 s; a thorough one twice as long.
	Limit time.Duration
}

const (
	defaultLook  = 20_000
	defaultLimit = time.Second
	// A connection that has ended keeps its owner: whoever looks back asks for it.
	memory    = 2 * time.Minute
	maxMemory = 16384
	// How soon a socket that nobody holds is looked for again, at first and at last.
	firstLook, lastLook = 15 * time.Second, 15 * time.Minute
	// A thorough question may have to end a scan that began before what it asks was known.
	thoroughScans = 2
	// How long a process is believed to have the same name (execve changes it).
	nameAge = 10 * time.Second
	// Connections that are bound to a device are not found one by one; everything
	// is listed for them at most so often.
	listGap = 10 * time.Second
)

// kernel is where sockets are asked for. It is the netlink, but in tests.
type kernel interface {
	list(ctx context.Context, proto uint8, states uint32, keep func(*entry) bool) ([]entry, error)
	find(ctx context.Context, reqs []request, found func(i int, e *entry, info []byte)) error
	close() error
}

// Owners answers who owns sockets. One goroutine owns it: either the one that
// calls its methods, or, while [Owners.Run] runs, that.
type Owners struct {
	opt    Options
	kernel kernel
	search *search

	past   map[flow.Socket]past
	absent map[uint32]absence     // by inode, of sockets that nobody holds
	tried  map[uint32]bool        // inodes looked for in the processes of hot
	hot    map[int32]bool         // processes that own asked sockets
	names  map[int32]named        // by PID
	bound  map[flow.Socket]uint32 // connections bound to a device, from the last list
	vain   map[flow.Socket]bool   // connections that a list did not have
	listed time.Time              // when it was
	said   map[string]bool        // findings that have been reported
}

type past struct {
	owner flow.Owner
	at    time.Time
}

type absence struct {
	kernel bool // proved
	next   time.Time
	wait   time.Duration
}

type named struct {
	process
	at time.Time
}

// New opens the netlink socket, in the network namespace of the calling thread.
// It needs no capability.
func New(opt Options) (*Owners, error) {
	n, err := openNetlink()
	if err != nil {
		return nil, err
	}
	return newOwners(opt, n), nil
}

func newOwners(opt Options, k kernel) *Owners {
	if opt.Proc == "" {
		opt.Proc = "/proc"
	}
	if opt.Look <= 0 {
		opt.Look = defaultLook
	}
	if opt.Limit <= 0 {
		opt.Limit = defaultLimit
	}
	return &Owners{
		opt: opt, kernel: k, search: newSearch(opt.Proc),
		past: map[flow.Socket]past{}, absent: map[uint32]absence{}, tried: map[uint32]bool{}, hot: map[int32]bool{},
		names: map[int32]named{}, bound: map[flow.Socket]uint32{}, vain: map[flow.Socket]bool{}, said: map[string]bool{},
	}
}

// Close closes the netlink socket. Not while Run runs.
func (o *Owners) Close() error { return o.kernel.close() }

// Of returns the owners of those sockets (TCP connections and UDP) whose owner
// is known now. pending is how many more may become known by asking again: their
// processes have not all been looked through yet. Thorough looks until ctx or
// the limit ends. With an error the answer lacks some.
func (o *Owners) Of(ctx context.Context, socks []flow.Socket, thorough bool) (owners map[flow.Socket]flow.Owner, pending int, err error) {
	ctx, a, cancel := o.allow(ctx, thorough)
	defer cancel()
	socks = socks[:min(len(socks), MaxAsked)]
	inodes, err := o.inodes(ctx, socks)
	holders, judged := o.holders(set(inodes), a)
	if len(judged) > 0 {
		err = errors.Join(err, o.judgeAgain(ctx, socks, inodes, judged))
	}
	owners = make(map[flow.Socket]flow.Owner, len(socks))
	names := o.processes(holders)
	clear(o.hot)
	for pid := range names {
		if pid != 1 { // is to be looked at last
			o.hot[pid] = true
		}
	}
	now := time.Now()
	for _, s := range socks {
		inode, there := inodes[s]
		if owner, ok := o.owner(inode, holders, names); ok {
			owners[s] = owner
			o.past[s] = past{owner, now}
			continue
		}
		if p, ok := o.past[s]; ok && !there && now.Sub(p.at) <= memory {
			owners[s] = p.owner
		} else if _, looked := o.absent[inode]; there && !looked {
			pending++
		}
	}
	o.forget(now)
	return owners, pending, err
}

// allow returns what one question may cost.
func (o *Owners) allow(ctx context.Context, thorough bool) (context.Context, *allowance, context.CancelFunc) {
	limit, look := o.opt.Limit, o.opt.Look
	if thorough {
		limit, look = 2*limit, 1<<30
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	return ctx, &allowance{ctx: ctx, look: look, hurried: thorough}, cancel
}

// holders finds the processes that hold the inodes. judged are those that a
// complete look through all processes did not find.
func (o *Owners) holders(inodes map[uint32]bool, a *allowance) (holders map[uint32]holder, judged []uint32) {
	holders = make(map[uint32]holder, len(inodes))
	unknown := o.known(inodes, holders)
	if fresh := o.untried(unknown); len(fresh) > 0 {
		half := allowance{a.ctx, a.look / 2, a.hurried}
		before := half.look
		o.search.lookInto(slices.Sorted(maps.Keys(o.hot)), fresh, &half)
		a.look -= before - half.look
		unknown = o.known(inodes, holders)
	}
	for scans := 0; scans < thoroughScans && (len(unknown) > 0 || o.search.scan != nil); scans++ {
		nobody := o.search.lookEverywhere(unknown, a)
		judged = append(judged, nobody...)
		unknown = o.known(inodes, holders)
		for _, inode := range judged {
			delete(unknown, inode)
		}
		if o.search.scan != nil || !a.hurried || a.ctx.Err() != nil || o.search.err != nil {
			break
		}
	}
	slices.Sort(judged)
	return holders, judged
}

// known fills in what is remembered and still true, and returns the rest that is
// worth a search.
func (o *Owners) known(inodes map[uint32]bool, holders map[uint32]holder) (unknown map[uint32]bool) {
	unknown = map[uint32]bool{}
	now := time.Now()
	for inode := range inodes {
		if _, done := holders[inode]; done {
			continue
		}
		if h, ok := o.search.holder(inode); ok {
			holders[inode] = h
			delete(o.absent, inode)
		} else if ab, looked := o.absent[inode]; !looked || !now.Before(ab.next) {
			unknown[inode] = true
		}
	}
	return unknown
}

func (o *Owners) untried(unknown map[uint32]bool) map[uint32]bool {
	if len(o.tried) > MaxAsked {
		clear(o.tried)
	}
	fresh := map[uint32]bool{}
	for inode := range unknown {
		if !o.tried[inode] {
			o.tried[inode], fresh[inode] = true, true
		}
	}
	return fresh
}

func (o *Owners) owner(inode uint32, holders map[uint32]holder, names map[int32]string) (flow.Owner, bool) {
	if inode == 0 {
		return flow.Owner{}, false
	}
	if h, ok := holders[inode]; ok {
		name, ok := names[h.pid]
		return flow.Owner{PID: int(h.pid), Name: name}, ok
	}
	return flow.Owner{Kernel: true}, o.absent[inode].kernel
}

// processes names the holders that still live.
func (o *Owners) processes(holders map[uint32]holder) map[int32]string {
	names := map[int32]string{}
	for _, h := range holders {
		if _, done := names[h.pid]; done {
			continue
		}
		if p, ok := o.process(h.pid); ok {
			names[h.pid] = p.name
		}
	}
	return names
}

// process returns who has the PID. The name is read again when another process
// has the number, and now and then.
func (o *Owners) process(pid int32) (process, bool) {
	n, had := o.names[pid]
	now := time.Now()
	if had && now.Sub(n.at) < nameAge {
		if start, ok := o.search.proc.started(pid); ok && start == n.start {
			return n.process, true
		}
	}
	p, ok := o.search.proc.process(pid)
	if ok {
		o.names[pid] = named{p, now}
	} else {
		delete(o.names, pid)
	}
	return p, ok
}

// forget keeps what is remembered bounded.
func (o *Owners) forget(now time.Time) {
	maps.DeleteFunc(o.past, func(_ flow.Socket, p past) bool { return now.Sub(p.at) > memory })
	maps.DeleteFunc(o.names, func(_ int32, n named) bool { return now.Sub(n.at) > memory })
	for s := range o.past {
		if len(o.past) <= maxMemory {
			break
		}
		delete(o.past, s)
	}
	if len(o.absent) > maxMemory {
		clear(o.absent)
	}
}
