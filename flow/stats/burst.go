package stats

import "slices"

// A burst is a run of 10 ms bins each of which carries at least burstTimes the
// median of the historyLen bins before the run and at least burstFloor, with at
// most burstGap calmer bins in between. It is looked for once historyMin bins
// have passed: what is usual is not known before.
const (
	historyLen = 300
	historyMin = 30
	burstTimes = 4
	burstFloor = 12_500 // bytes in 10 ms: 10 Mbit/s
	burstGap   = 2
	maxBursts  = 64 // of each interface: the largest
)

// burst is one that has ended, or is under way.
type burst struct {
	from, to int64 // ns; half open
	bytes    uint64
	peak     uint64 // bytes of its largest bin
	usual    uint64 // median before it
	who      []share
}

// burster finds bursts in bins that come in order.
type burster struct {
	history [historyLen]uint64 // a ring
	sorted  []uint64           // the same, sorted
	next    int

	open  bool
	calm  int // bins since the last loud one
	now   burst
	found []burst
}

func (u *burster) add(b int64, x *bin) {
	if u.open {
		u.proceed(b, x)
		return
	}
	if median, ok := u.median(); ok && x.bytes >= max(burstFloor, burstTimes*median) {
		u.open, u.calm = true, 0
		u.now = burst{from: b * binLen, usual: median}
		u.grow(b, x)
		return
	}
	u.remember(x.bytes)
}

// proceed is add within a burst: what is loud does not become what is usual
// before it ends. One that lasts as long as the history is the new usual.
func (u *burster) proceed(b int64, x *bin) {
	if x.bytes >= max(burstFloor, burstTimes*u.now.usual) {
		u.grow(b, x)
		u.calm = 0
		if b*binLen-u.now.from < historyLen*binLen {
			return
		}
		u.end()
		u.forget()
		return
	}
	u.calm++
	if u.calm > burstGap {
		u.end()
	}
	u.remember(x.bytes)
}

func (u *burster) grow(b int64, x *bin) {
	u.now.to = (b + 1) * binLen
	u.now.bytes += x.bytes
	u.now.peak = max(u.now.peak, x.bytes)
	u.now.who = append(u.now.who, x.who...)
}

// end closes a burst that is under way.
func (u *burster) end() {
	if !u.open {
		return
	}
	u.open = false
	u.now.who = merge(u.now.who)
	u.now.who = slices.Clone(u.now.who[:min(len(u.now.who), whoKept)])
	if len(u.found) < maxBursts {
		u.found = append(u.found, u.now)
		return
	}
	least := 0
	for i := range u.found {
		if u.found[i].bytes < u.found[least].bytes {
			least = i
		}
	}
	if u.found[least].bytes < u.now.bytes {
		u.found[least] = u.now
	}
}

// gap tells of n empty bins that were not added one by one.
func (u *burster) gap(n int64) {
	if n > burstGap {
		u.end()
	}
	for range min(n, historyLen) {
		u.remember(0)
	}
}

func (u *burster) forget() { u.sorted, u.next = u.sorted[:0], 0 }

// remember puts a bin into the history; the oldest goes.
func (u *burster) remember(n uint64) {
	if len(u.sorted) == historyLen && u.history[u.next] == n { // as all do in long calm times
		u.next = (u.next + 1) % historyLen
		return
	}
	if len(u.sorted) == historyLen {
		at, _ := slices.BinarySearch(u.sorted, u.history[u.next])
		u.sorted = slices.Delete(u.sorted, at, at+1)
	}
	u.history[u.next] = n
	u.next = (u.next + 1) % historyLen
	at, _ := slices.BinarySearch(u.sorted, n)
	u.sorted = slices.Insert(u.sorted, at, n)
}

func (u *burster) median() (uint64, bool) {
	if len(u.sorted) < historyMin {
		return 0, false
	}
	return u.sorted[len(u.sorted)/2], true
}
