package stats

import (
	"cmp"
	"slices"
)

const (
	binLen  = 10_000_000 // ns
	wideLen = 100_000_000

	// window is how many bins a packet may be late and still be put into its own:
	// files of several interfaces or rings are not quite in order of time.
	window = 128

	// maxSeries bounds the interfaces whose peaks are looked for.
	maxSeries = 256

	maxTouched = 1 << 15 // flows of one bin that are told apart
	whoKept    = 5       // of them are remembered
	maxPeaks   = 3       // of each interface and length
)

// share is what a flow had of a bin or burst.
type share struct {
	flow  uint32
	bytes uint64
}

// bin is 10 ms of an interface.
type bin struct {
	bytes uint64
	who   []share // largest first, at most whoKept
}

// series is what an interface carried over time, of which only the last bins are
// kept: peaks and bursts are found as bins leave.
type series struct {
	iface   int32
	started bool
	newest  int64 // number of the newest bin: its time / binLen
	first   int64 // number of the oldest bin with something in it; those before are no zeros
	bins    [window]bin
	gen     uint32 // which entries' slots count in touched
	touched []share
	mixed   bool // there are other series: a flow may stand twice in touched

	wide      int64 // number of the 100 ms at hand
	wideBytes uint64

	narrowPeaks, widePeaks peaks
	burst                  burster
}

// add counts n bytes of flow e (number i) at a time. gens counts the bins of all
// series, so that an entry knows whose bin its slot is in.
func (s *series) add(at int64, n uint64, e *entry, i uint32, gens *uint32) {
	b := at / binLen
	if !s.started {
		s.start(b, gens)
	}
	switch {
	case b == s.newest:
	case b > s.newest:
		s.advance(b, gens)
	case b <= s.newest-window:
		// A time far back: clocks were set, or files put together. Go on from there.
		s.flush()
		s.start(b, gens)
	default:
		s.first = min(s.first, b)
	}
	s.bins[uint64(b)%window].bytes += n
	if e == nil || b != s.newest {
		return
	}
	if e.gen == s.gen {
		s.touched[e.slot].bytes += n
	} else if len(s.touched) < maxTouched {
		e.gen, e.slot = s.gen, uint32(len(s.touched))
		s.touched = append(s.touched, share{i, n})
	}
}

func (s *series) start(b int64, gens *uint32) {
	s.started, s.newest, s.first = true, b, b
	s.wide, s.wideBytes = b/10, 0
	*gens++
	s.gen = *gens
}

// advance makes b the newest bin; what falls out of the window is judged.
func (s *series) advance(b int64, gens *uint32) {
	s.closeNewest()
	if b-s.newest >= window {
		s.drain()
		s.burst.gap(b - s.newest - window)
		s.newest = b
	}
	for s.newest < b {
		s.newest++
		s.leave(s.newest-window, &s.bins[uint64(s.newest)%window])
	}
	*gens++
	s.gen = *gens
}

// closeNewest keeps who was largest in the newest bin.
func (s *series) closeNewest() {
	t := s.touched
	if s.mixed {
		t = merge(t)
	}
	w := s.bins[uint64(s.newest)%window].who[:0]
	for _, x := range t {
		w = keepLargest(w, x)
	}
	s.bins[uint64(s.newest)%window].who = w
	s.touched = s.touched[:0]
}

// keepLargest puts x into the largest ones, largest first.
func keepLargest(list []share, x share) []share {
	if len(list) == whoKept && !x.larger(list[whoKept-1]) {
		return list
	}
	if len(list) < whoKept {
		list = append(list, x)
	}
	i := len(list) - 1
	for ; i > 0 && x.larger(list[i-1]); i-- {
		list[i] = list[i-1]
	}
	list[i] = x
	return list
}

func (x share) larger(o share) bool {
	return x.bytes > o.bytes || x.bytes == o.bytes && x.flow < o.flow
}

// drain lets all bins leave.
func (s *series) drain() {
	for b := max(s.first, s.newest-window+1); b <= s.newest; b++ {
		s.leave(b, &s.bins[uint64(b)%window])
	}
}

// flush ends the series: nothing is left in it.
func (s *series) flush() {
	if !s.started {
		return
	}
	s.closeNewest()
	s.drain()
	s.widePeaks.add(s.wide*wideLen, s.wideBytes)
	s.burst.end()
	s.burst.forget()
	s.started = false
}

// leave judges bin number b.
func (s *series) leave(b int64, x *bin) {
	if b < s.first {
		return
	}
	if b/10 != s.wide {
		s.widePeaks.add(s.wide*wideLen, s.wideBytes)
		s.wide, s.wideBytes = b/10, 0
	}
	s.wideBytes += x.bytes
	s.narrowPeaks.add(b*binLen, x.bytes)
	s.burst.add(b, x)
	x.bytes, x.who = 0, x.who[:0]
}

// merge sums the shares of the same flow, and puts the largest first. It reuses
// t.
func merge(t []share) []share {
	slices.SortFunc(t, func(a, b share) int { return cmp.Compare(a.flow, b.flow) })
	n := 0
	for _, x := range t {
		if n > 0 && t[n-1].flow == x.flow {
			t[n-1].bytes += x.bytes
			continue
		}
		t[n] = x
		n++
	}
	t = t[:n]
	slices.SortFunc(t, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.flow, b.flow))
	})
	return t
}

// peak is a bin with much in it.
type peak struct {
	at    int64
	bytes uint64
}

// peaks are the largest bins, largest first; of equal ones the earliest.
type peaks struct {
	list [maxPeaks]peak
	n    int
}

func (p *peaks) add(at int64, bytes uint64) {
	if bytes == 0 || p.n == maxPeaks && bytes <= p.list[maxPeaks-1].bytes {
		return
	}
	if p.n < maxPeaks {
		p.n++
	}
	i := p.n - 1
	for ; i > 0 && p.list[i-1].bytes < bytes; i-- {
		p.list[i] = p.list[i-1]
	}
	p.list[i] = peak{at, bytes}
}
