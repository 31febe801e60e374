package socket

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"
)

// search finds the processes that hold sockets. It remembers every socket it
// came across, so that most questions need no look through all processes.
type search struct {
	proc *procfs
	seen map[uint32]holder // by inode; whether it is still so is checked on use

	scan   *scan     // through all processes, under way
	began  time.Time // of the newest scan
	spent  time.Duration
	denied int   // processes that the newest scan that ended may not look into
	whole  bool  // that scan could see every process of the host
	looked int   // processes it saw
	err    error // why processes cannot be listed at all
}

// scan is a look through all processes, in portions.
type scan struct {
	wanted map[uint32]bool // asked for when it began
	fresh  map[uint32]holder
	known  map[int32]bool // PIDs of todo, past ones too
	todo   []int32
	after  int32 // descriptor in todo[0] that was the last one looked at
	denied int
	rounds int
}

const (
	maxSeen  = 1 << 17 // sockets remembered: some 4 MiB
	scanGap  = 5 * time.Second
	scanPart = 20 // a scan takes at most this part of the time: 1/20 of one CPU
	// Processes that began while others were looked through are looked at as
	// well, and those that began meanwhile; then it is enough.
	scanRounds = 3
)

func newSearch(root string) *search {
	return &search{proc: newProcfs(root), seen: map[uint32]holder{}}
}

// allowance is how much a call may look at.
type allowance struct {
	ctx     context.Context
	look    int  // descriptors
	hurried bool // do not wait for the time between two scans
}

// more takes one descriptor from the allowance.
func (a *allowance) more() bool {
	if a.look <= 0 || a.look%256 == 0 && a.ctx.Err() != nil {
		return false
	}
	a.look--
	return true
}

// holder returns the process that holds a socket, from memory, if that is still true.
func (s *search) holder(inode uint32) (holder, bool) {
	for _, m := range s.memories() {
		if h, ok := m[inode]; ok {
			if s.proc.holds(h, inode) {
				return h, true
			}
			delete(m, inode)
		}
	}
	return holder{}, false
}

// memories are where holders are remembered, the newest last.
func (s *search) memories() []map[uint32]holder {
	if s.scan != nil {
		return []map[uint32]holder{s.seen, s.scan.fresh}
	}
	return []map[uint32]holder{s.seen}
}

// lookInto looks through some processes, one by one, until nothing is wanted.
func (s *search) lookInto(pids []int32, wanted map[uint32]bool, a *allowance) {
	left := len(wanted)
	for _, pid := range pids {
		if left == 0 || a.look <= 0 {
			return
		}
		s.proc.sockets(pid, -1, a.more, func(h holder, inode uint32) {
			if _, had := s.seen[inode]; !had && wanted[inode] {
				left--
			}
			keep(s.seen, inode, h, wanted)
		})
	}
}

// keep remembers a holder. The first one stays: PIDs ascend, so it is as a rule
// the oldest process, and 1 comes last.
func keep(m map[uint32]holder, inode uint32, h holder, wanted map[uint32]bool) {
	if _, had := m[inode]; !had && (len(m) < maxSeen || wanted[inode]) {
		m[inode] = h
	}
}

// lookEverywhere begins or goes on with a look through all processes. If that
// came to its end, it returns what of the wanted nobody holds who may be looked
// at; only what was wanted when the scan began is judged.
func (s *search) lookEverywhere(wanted map[uint32]bool, a *allowance) (nobody []uint32) {
	start := time.Now()
	if s.scan == nil && !s.begin(wanted, a, start) {
		return nil
	}
	defer func() { s.spent += time.Since(start) }()
	for !s.portion(a) {
		if s.next() {
			continue
		}
		return s.end()
	}
	return nil
}

// begin reports whether a scan has begun.
func (s *search) begin(wanted map[uint32]bool, a *allowance, now time.Time) bool {
	gap := max(scanGap, scanPart*s.spent)
	if !s.began.IsZero() && !a.hurried && now.Sub(s.began) < gap {
		return false
	}
	s.began, s.spent = now, 0
	pids, err := s.proc.pids()
	s.err = err
	if err != nil {
		return false
	}
	s.scan = &scan{wanted: wanted, fresh: make(map[uint32]holder, len(s.seen)), known: make(map[int32]bool, len(pids)), after: -1}
	s.scan.add(pids)
	return true
}

func (sc *scan) add(pids []int32) {
	sc.rounds++
	for _, pid := range pids {
		if !sc.known[pid] {
			sc.known[pid] = true
			sc.todo = append(sc.todo, pid)
		}
	}
}

// portion looks into the processes of the scan. stopped: the allowance is used up.
func (s *search) portion(a *allowance) (stopped bool) {
	sc := s.scan
	for len(sc.todo) > 0 {
		if a.ctx.Err() != nil {
			return true
		}
		pid := sc.todo[0]
		last, err := s.proc.sockets(pid, sc.after, a.more, func(h holder, inode uint32) {
			keep(sc.fresh, inode, h, sc.wanted)
		})
		switch {
		case errors.Is(err, errEnough):
			sc.after = last
			return true
		case errors.Is(err, fs.ErrPermission):
			sc.denied++
		}
		sc.todo, sc.after = sc.todo[1:], -1
	}
	return false
}

// next adds the processes that have begun since; it reports whether there are any to look at.
func (s *search) next() bool {
	if s.scan.rounds >= scanRounds {
		return false
	}
	pids, err := s.proc.pids()
	if err != nil {
		s.err = err
		return false
	}
	s.scan.add(pids)
	return len(s.scan.todo) > 0
}

// end closes the scan and returns the wanted that were not found.
func (s *search) end() (nobody []uint32) {
	sc := s.scan
	s.scan, s.seen = nil, sc.fresh
	s.looked, s.denied, s.whole = len(sc.known), sc.denied, s.proc.wholeHost()
	for inode := range sc.wanted {
		if _, found := sc.fresh[inode]; !found {
			nobody = append(nobody, inode)
		}
	}
	slices.Sort(nobody)
	return nobody
}

// provesAbsence reports whether what the newest scan did not find is in no process.
func (s *search) provesAbsence() bool { return s.whole && s.denied == 0 && s.err == nil }
