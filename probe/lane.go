package probe

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"

	"spiketop/flow"
)

// Lane is the ping of one host by one member.
type Lane struct {
	Number int         // within its Steering, from 0, never reused
	Link   flow.LinkID // the member that is wanted, 0 = not steered
	Name   string      // of Link
	Paused string      // why nothing is sent now, or ""

	aim   atomic.Pointer[aim] // nil: any id
	id    atomic.Uint32       // chosen last
	seen  int64               // newest echo that was taken into account
	wrong int                 // in a row by another member
	bad   []uint16            // ids that did not lead there
}

// aim is how an id is chosen. It is immutable.
type aim struct {
	way    Way
	member string
	bad    []uint16 // not empty: the hash is not what we think, any other id may do
}

// stale reports whether the id in use leads to another member by now.
func (l *Lane) stale() bool {
	a, id := l.aim.Load(), uint16(l.id.Load())
	return id != 0 && a != nil && len(a.bad) == 0 && !a.leads(id)
}

// frame is the echo request as the hash sees it.
func (w *Way) frame() *flow.TxFrame {
	src, dst := w.Source.WithZone("").Unmap(), w.Addr.WithZone("").Unmap()
	f := &flow.TxFrame{Key: flow.Key{Family: flow.FamilyIPv4, Proto: flow.ProtoICMP}}
	if dst.Is6() {
		f.Key.Family, f.Key.Proto = flow.FamilyIPv6, flow.ProtoICMPv6
		f.Key.Local, f.Key.Remote = src.As16(), dst.As16()
		return f
	}
	a, b := src.As4(), dst.As4()
	flow.SetIPv4(&f.Key.Local, a[:])
	flow.SetIPv4(&f.Key.Remote, b[:])
	return f
}

func (a *aim) leads(id uint16) bool {
	f := a.way.frame()
	f.ICMP = &flow.ICMPHead{Type: 8, ID: id}
	if f.Key.Family == flow.FamilyIPv6 {
		f.ICMP.Type = 128
	}
	member, _ := a.way.Bond.TxMember(f, a.way.Kernel)
	return member == a.member
}

// Pick chooses the id of a new series: one that leads to the lane's member, or
// any that is not taken where there is none or no wish. ok is false if it found
// none at all. It is meant for [PingerConfig.Pick] and may be called from any
// goroutine.
func (l *Lane) Pick(addr netip.Addr, taken func(id uint16) bool) (id uint16, ok bool) {
	a := l.aim.Load()
	if a != nil && addr.Unmap() == a.way.Addr.Unmap() {
		id, ok = draw(func(id uint16) bool {
			return !taken(id) && !slices.Contains(a.bad, id) && (len(a.bad) > 0 || a.leads(id))
		})
	}
	if !ok {
		id, ok = draw(func(id uint16) bool { return !taken(id) })
	}
	l.id.Store(uint32(id))
	return id, ok
}

// draw looks for an id by chance. Of about n ids one leads to a given one of n
// members, so that 4096 tries are far more than it takes.
func draw(good func(id uint16) bool) (uint16, bool) {
	for range 4096 {
		if id := uint16(rand.N(1<<16-1) + 1); good(id) { // never 0, which some kernels hash as 1
			return id, true
		}
	}
	return 0, false
}
