package link

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// neighbourPending reports whether an address on a device is being resolved now:
// packets for it wait in this host (INCOMPLETE), or its answer to our probe is
// awaited (PROBE). DELAY is left out: there the old address is used as if
// nothing were the matter, and every neighbour passes through it twice a minute.
func (n *Netlink) neighbourPending(ifindex int, hops []netip.Addr) (pending bool, err error) {
	req := newRequest(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, make([]byte, unix.SizeofNdMsg))
	req = addAttribute(req, unix.NDA_IFINDEX, native.AppendUint32(nil, uint32(ifindex))) // older kernels than 4.4 send all devices'
	err = n.dump(req, func() { pending = false }, func(b []byte) {
		if nb, ok := parseNeighbour(b); ok && nb.ifindex == ifindex && nb.pending() && matches(hops, nb.addr) {
			pending = true
		}
	})
	if err == ErrDumpInterrupted { // neighbours come and go; what was seen was true
		err = nil
	}
	return pending, err
}

type neighbour struct {
	ifindex int
	state   uint16
	addr    netip.Addr
}

func (n neighbour) pending() bool { return n.state&(unix.NUD_INCOMPLETE|unix.NUD_PROBE) != 0 }

// parseNeighbour reads struct ndmsg and attributes (linux/neighbour.h). Only IPv4
// and IPv6 neighbours are ok: a bridge lists its own kind of them too.
func parseNeighbour(b []byte) (nb neighbour, ok bool) {
	if len(b) < unix.SizeofNdMsg || (b[0] != unix.AF_INET && b[0] != unix.AF_INET6) {
		return nb, false
	}
	nb.ifindex = int(int32(native.Uint32(b[4:])))
	nb.state = native.Uint16(b[8:])
	for typ, v := range attributes(b[unix.SizeofNdMsg:]) {
		if typ == unix.NDA_DST {
			nb.addr, _ = netip.AddrFromSlice(v)
		}
	}
	return nb, true
}
