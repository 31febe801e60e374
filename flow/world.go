package flow

import "net/netip"

// World is what is known about this host besides its packets. It is immutable:
// a change makes a new World with a higher Generation, see Index.
type World struct {
	Generation uint64
	Host       string // host name
	Links      []Link // captured links, in pane order
	Bonds      []Bond
	Rules      []Rule // class rules of the user, first match wins

	Guests    []GuestNIC       // vifs of this host
	Own       []netip.Addr     // addresses of this host, on whatever device
	Owners    map[Socket]Owner // of connected sockets, as far as they were asked for
	Listeners map[Socket]Owner // of sockets that wait for somebody; nil = not known

	Offset     WallOffset
	ClockSteps int // how often Offset has moved

	Kernel Kernel   // of this host, zero = unknown
	Hidden []string // ways by which traffic passes this host unseen (RDMA, SR-IOV, DPDK, XDP), a sentence each

	index *worldIndex // of the Generation that it names; nil or an older one is not used
}

// Link returns the link with the given id, or nil.
func (w *World) Link(id LinkID) *Link {
	for i := range w.Links {
		if w.Links[i].ID == id {
			return &w.Links[i]
		}
	}
	return nil
}

// Guest returns the virtual interface behind which mac is, or nil. It is nil
// for a MAC that says nothing: zero, a group address, or that of a captured NIC.
func (w *World) Guest(mac [6]byte) *GuestNIC {
	if w == nil {
		return nil
	}
	if g := w.lookup().guest(mac); g != nil {
		return g.nic
	}
	return nil
}

// GuestOf returns the guest whose flow it is, by the MAC of the local end, then
// by that inside of a tunnel; nil if it is none's. See Record.
func (w *World) GuestOf(mac, inner [6]byte) *GuestNIC {
	if g := w.Guest(mac); g != nil {
		return g
	}
	return w.Guest(inner)
}

// IsOwn reports whether k is this host's own flow: its local address is this
// host's, or there is a socket for it here.
func (w *World) IsOwn(k *Key) bool {
	if w == nil {
		return false
	}
	s := subject{x: w.lookup(), key: k}
	return s.isOwn()
}

// OwnerOf returns the owner of the socket of this host that carries k: that of
// the connection, or of the socket that waits on its local port. ok is false if
// none is known. A guest's flow has no socket here, whatever its addresses are:
// ask GuestOf first.
func (w *World) OwnerOf(k *Key) (o Owner, ok bool) {
	if w == nil {
		return Owner{}, false
	}
	return w.lookup().ownerOf(k)
}
