package socket

import (
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// request is what we set of struct inet_diag_req_v2 (linux/inet_diag.h).
type request struct {
	family, proto, ext uint8
	states             uint32      // bits of the TCP states wanted, in a dump
	socket             flow.Socket // in a request for one
	ifindex            uint32      // to which that one is bound, 0 = none
}

const (
	requestLen = unix.NLMSG_HDRLEN + 56
	messageLen = 72 // struct inet_diag_msg

	// Attributes and states of linux/inet_diag.h and net/tcp_states.h, which x/sys does not have.
	attrInfo    = 2  // INET_DIAG_INFO
	attrV6Only  = 11 // INET_DIAG_SKV6ONLY
	extInfo     = 1 << (attrInfo - 1)
	stateListen = 10
	everyState  = 0xfff
)

// encode appends requests, numbered from seq.
func encode(reqs []request, seq uint32, flags uint16) []byte {
	b := make([]byte, requestLen*len(reqs))
	for i, r := range reqs {
		m := b[requestLen*i : requestLen*(i+1)]
		native.PutUint32(m, requestLen)
		native.PutUint16(m[4:], unix.SOCK_DIAG_BY_FAMILY)
		native.PutUint16(m[6:], unix.NLM_F_REQUEST|flags)
		native.PutUint32(m[8:], seq+uint32(i))
		m = m[unix.NLMSG_HDRLEN:]
		m[0], m[1], m[2] = r.family, r.proto, r.ext
		native.PutUint32(m[4:], r.states)
		binary.BigEndian.PutUint16(m[8:], r.socket.LocalPort)
		binary.BigEndian.PutUint16(m[10:], r.socket.RemotePort)
		putAddr(m[12:28], r.family, &r.socket.Local)
		putAddr(m[28:44], r.family, &r.socket.Remote)
		native.PutUint32(m[44:], r.ifindex)
		native.PutUint64(m[48:], ^uint64(0)) // INET_DIAG_NOCOOKIE
	}
	return b
}

func putAddr(dst []byte, family uint8, a *[16]byte) {
	if family == unix.AF_INET {
		copy(dst[:4], a[12:])
		return
	}
	copy(dst, a[:])
}

// entry is one socket of the kernel's.
type entry struct {
	socket  flow.Socket // an unspecified address is zero, of IPv4 as of IPv6
	state   uint8
	ipv6    bool   // made for IPv6, whatever its addresses are
	v6only  bool   // an unconnected IPv6 socket that takes no IPv4
	ifindex uint32 // bound to this device, 0 = none
	inode   uint32 // 0 = none: TIME_WAIT, SYN_RECV, closed by its program
}

// parseEntry reads struct inet_diag_msg and what follows it. attrs are the
// attributes, in b.
func parseEntry(b []byte, proto uint8) (e entry, attrs []byte, ok bool) {
	if len(b) < messageLen || b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return entry{}, nil, false
	}
	e = entry{
		socket: flow.Socket{
			Proto:      proto,
			LocalPort:  binary.BigEndian.Uint16(b[4:]),
			RemotePort: binary.BigEndian.Uint16(b[6:]),
			Local:      addr(b[0], b[8:24]),
			Remote:     addr(b[0], b[24:40]),
		},
		state:   b[1],
		ipv6:    b[0] == unix.AF_INET6,
		ifindex: native.Uint32(b[40:]),
		inode:   native.Uint32(b[68:]),
	}
	attrs = b[messageLen:]
	if v := attribute(attrs, attrV6Only); e.ipv6 && len(v) > 0 {
		e.v6only = v[0] != 0
	}
	return e, attrs, true
}

func addr(family uint8, b []byte) (a [16]byte) {
	if family == unix.AF_INET6 {
		copy(a[:], b)
	} else if [4]byte(b) != [4]byte{} {
		flow.SetIPv4(&a, b)
	}
	if isMapped(&a) && [4]byte(a[12:]) == [4]byte{} { // ::ffff:0.0.0.0 is unspecified, too
		return [16]byte{}
	}
	return a
}

func isMapped(a *[16]byte) bool {
	return [12]byte(a[:12]) == [12]byte{10: 0xff, 11: 0xff}
}

// families are asked one after the other; a kernel without IPv6 answers the
// second with an empty list.
var families = [...]uint8{unix.AF_INET, unix.AF_INET6}

// list returns the sockets of a protocol that are in one of the states and that
// keep wants; keep may see a socket again when the list changed under way.
func (n *netlink) list(ctx context.Context, proto uint8, states uint32, keep func(*entry) bool) ([]entry, error) {
	var all []entry
	for _, family := range families {
		before := len(all)
		req := request{family: family, proto: proto, states: states}
		err := n.dump(ctx, req, func() { all = all[:before] }, func(payload []byte) {
			if e, _, ok := parseEntry(payload, proto); ok && keep(&e) {
				all = append(all, e)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("list %s sockets: %w", protoName(proto), err)
		}
	}
	return all, nil
}

// find asks for single TCP connections. found gets the number of the request,
// the socket, and its tcp_info if the request wanted it. A listening socket is
// no connection: the kernel names it when there is none.
func (n *netlink) find(ctx context.Context, reqs []request, found func(i int, e *entry, info []byte)) error {
	err := n.ask(ctx, reqs, func(i int, payload []byte) {
		e, attrs, ok := parseEntry(payload, flow.ProtoTCP)
		if ok && e.socket == reqs[i].socket && e.state != stateListen {
			found(i, &e, attribute(attrs, attrInfo))
		}
	})
	if err != nil {
		return fmt.Errorf("find TCP sockets: %w", err)
	}
	return nil
}

// connection makes the request for a TCP connection.
func connection(s flow.Socket, ext uint8, ifindex uint32) request {
	r := request{family: unix.AF_INET6, proto: flow.ProtoTCP, ext: ext, states: everyState, socket: s, ifindex: ifindex}
	if isMapped(&s.Local) {
		r.family = unix.AF_INET // finds an IPv6 socket with mapped addresses as well
	}
	return r
}

func protoName(proto uint8) string {
	if proto == flow.ProtoUDP {
		return "UDP"
	}
	return "TCP"
}
