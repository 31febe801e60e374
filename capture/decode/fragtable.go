package decode

import (
	"encoding/binary"
	"math/bits"
	"time"

	"spiketop/flow"
)

const (
	defaultFragments = 4096
	maxFragments     = 65536
	ways             = 4

	defaultFragmentTimeout = 30 * time.Second
)

// firstFragment remembers what the first fragment of a packet said.
type firstFragment struct {
	id                    flow.Key // see fragKey; Family 0 = free
	at                    flow.Time
	localPort, remotePort uint16
	proto                 uint8
	dir                   flow.Direction // the two ends number their packets independently
}

// fragTable is a set-associative cache of first fragments: an id may lie in one
// of four places, a newcomer takes a free or expired one, else the oldest. Its
// size is fixed. Whoever floods it with first fragments makes later fragments
// of others count with ports 0; nothing grows and no frame is lost.
type fragTable struct {
	sets    [][ways]firstFragment
	timeout time.Duration
}

func (t *fragTable) init(entries int, timeout time.Duration) {
	if entries <= 0 {
		entries = defaultFragments
	}
	n := 1 // sets
	for n*ways < min(entries, maxFragments) {
		n *= 2
	}
	t.sets = make([][ways]firstFragment, n)
	t.timeout = timeout
	if timeout <= 0 {
		t.timeout = defaultFragmentTimeout
	}
}

// find completes k by the first fragment of id, or returns false.
func (t *fragTable) find(id *flow.Key, m *Meta, k *flow.Key) bool {
	set := t.set(id)
	for i := range set {
		e := &set[i]
		if e.id == *id && e.dir == m.Dir && t.fresh(e, m.At) {
			k.LocalPort, k.RemotePort, k.Proto = e.localPort, e.remotePort, e.proto
			return true
		}
	}
	return false
}

// add remembers k as the flow of id. It returns 1 if a fresh entry had to go.
func (t *fragTable) add(id *flow.Key, m *Meta, k *flow.Key) (evicted uint64) {
	e := t.place(t.set(id), id, m)
	if e.id.Family != 0 && t.fresh(e, m.At) && (e.id != *id || e.dir != m.Dir) {
		evicted = 1
	}
	*e = firstFragment{id: *id, at: m.At, dir: m.Dir, localPort: k.LocalPort, remotePort: k.RemotePort, proto: k.Proto}
	return evicted
}

// place chooses where id goes: its old place, a free or expired one, the oldest.
func (t *fragTable) place(set *[ways]firstFragment, id *flow.Key, m *Meta) *firstFragment {
	best := &set[0]
	for i := range set {
		e := &set[i]
		if e.id == *id && e.dir == m.Dir {
			return e
		}
		if t.free(best, m.At) {
			continue
		}
		if t.free(e, m.At) || e.at < best.at {
			best = e
		}
	}
	return best
}

func (t *fragTable) free(e *firstFragment, now flow.Time) bool {
	return e.id.Family == 0 || !t.fresh(e, now)
}

// fresh reports whether e is younger than the timeout. Stamps of a ring or file
// may run backwards a little, so the distance counts either way.
func (t *fragTable) fresh(e *firstFragment, now flow.Time) bool {
	age := now.Sub(e.at)
	return age < t.timeout && -age < t.timeout
}

// set returns the four places of id. The hash is fixed so that a replayed file
// gives the same result each time; it need not withstand an adversary, see
// fragTable.
func (t *fragTable) set(id *flow.Key) *[ways]firstFragment {
	h := uint64(id.LocalPort)<<48 | uint64(id.RemotePort)<<32 | uint64(id.VLAN)<<16 | uint64(id.Proto)
	for _, a := range [...]*[16]byte{&id.Local, &id.Remote} {
		h = mix(h^binary.LittleEndian.Uint64(a[:8]), 0x9e3779b97f4a7c15)
		h = mix(h^binary.LittleEndian.Uint64(a[8:]), 0xd6e8feb86659fd93)
	}
	return &t.sets[h&uint64(len(t.sets)-1)]
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
