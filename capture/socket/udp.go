package socket

import "spiketop/flow"

// udpTable finds the UDP socket that takes what belongs to a flow.
type udpTable struct {
	exact map[flow.Socket]entry // connected
	bound map[flow.Socket]entry // to a local address, no remote
	wild4 map[uint16]entry      // bound to a port of every IPv4 address
	wild6 map[uint16]entry      // bound to a port of every IPv6 address
}

// newUDPTable sorts sockets by how they are bound. Of several that share a port
// (SO_REUSEPORT) the first counts, unless only a later one has an inode.
func newUDPTable(list []entry) *udpTable {
	t := &udpTable{map[flow.Socket]entry{}, map[flow.Socket]entry{}, map[uint16]entry{}, map[uint16]entry{}}
	for _, e := range list {
		switch s := e.socket; {
		case s.RemotePort != 0 || s.Remote != [16]byte{}:
			keepFirst(t.exact, s, e)
		case s.Local != [16]byte{}:
			keepFirst(t.bound, s, e)
		case !e.ipv6:
			keepFirst(t.wild4, s.LocalPort, e)
		default:
			keepFirst(t.wild6, s.LocalPort, e)
			if _, taken := t.wild4[s.LocalPort]; !e.v6only && !taken {
				t.wild4[s.LocalPort] = e
			}
		}
	}
	return t
}

func keepFirst[K comparable](m map[K]entry, k K, e entry) {
	if old, has := m[k]; !has || old.inode == 0 || old.ipv6 && !e.ipv6 {
		m[k] = e
	}
}

// find looks for the exact socket, then for one bound to the local end, then for
// one bound to the local port of every address.
func (t *udpTable) find(s flow.Socket) (entry, bool) {
	if e, ok := t.exact[s]; ok {
		return e, true
	}
	end := flow.Socket{Local: s.Local, LocalPort: s.LocalPort, Proto: s.Proto}
	if e, ok := t.bound[end]; ok {
		return e, true
	}
	if isMapped(&s.Local) {
		e, ok := t.wild4[s.LocalPort]
		return e, ok
	}
	e, ok := t.wild6[s.LocalPort]
	return e, ok
}
