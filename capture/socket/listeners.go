package socket

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"spiketop/flow"
)

// Listener is a socket that waits: TCP in LISTEN, UDP bound to a port without a
// remote end.
type Listener struct {
	Socket     flow.Socket // no remote; the zero Local is every address of IPv4, IPv6 or both
	IPv4, IPv6 bool        // what it accepts
	Owner      flow.Owner  // the zero Owner = not known
}

const maxListeners = 16384

// Listeners returns the sockets that wait, ordered by protocol, port and
// address, with the owners that are known now; pending is as in [Owners.Of].
// With an error the list lacks some.
func (o *Owners) Listeners(ctx context.Context, thorough bool) (list []Listener, pending int, err error) {
	ctx, a, cancel := o.allow(ctx, thorough)
	defer cancel()
	entries, err := o.waiting(ctx)
	inodes := make(map[uint32]bool, len(entries))
	for _, e := range entries {
		if e.inode != 0 {
			inodes[e.inode] = true
		}
	}
	holders, judged := o.holders(inodes, a)
	if len(judged) > 0 {
		again, cause := o.waiting(ctx)
		for _, e := range again {
			if _, found := slices.BinarySearch(judged, e.inode); found {
				o.judge(e.inode)
			}
		}
		err = errors.Join(err, cause)
	}
	names := o.processes(holders)
	for _, e := range entries {
		l := Listener{Socket: e.socket, IPv4: !e.ipv6 || !e.v6only && canBeIPv4(&e.socket.Local), IPv6: e.ipv6 && !isMapped(&e.socket.Local)}
		var ok bool
		if l.Owner, ok = o.owner(e.inode, holders, names); !ok {
			l.Owner = flow.Owner{}
			if _, looked := o.absent[e.inode]; e.inode != 0 && !looked {
				pending++
			}
		}
		list = append(list, l)
	}
	slices.SortFunc(list, compareListeners)
	return slices.Compact(list), pending, err // SO_REUSEPORT: one for each process
}

// waiting lists the sockets that wait.
func (o *Owners) waiting(ctx context.Context) ([]entry, error) {
	tcp, err1 := o.kernel.list(ctx, flow.ProtoTCP, 1<<stateListen, func(e *entry) bool { return e.state == stateListen })
	udp, err2 := o.kernel.list(ctx, flow.ProtoUDP, everyState, func(e *entry) bool {
		return e.socket.LocalPort != 0 && e.socket.RemotePort == 0 && e.socket.Remote == [16]byte{}
	})
	all := append(tcp, udp...)
	return all[:min(len(all), maxListeners)], errors.Join(err1, err2)
}

// canBeIPv4 is true for the unspecified address and for a mapped one.
func canBeIPv4(a *[16]byte) bool { return *a == [16]byte{} || isMapped(a) }

func compareListeners(a, b Listener) int {
	return cmp.Or(
		cmp.Compare(a.Socket.Proto, b.Socket.Proto),
		cmp.Compare(a.Socket.LocalPort, b.Socket.LocalPort),
		bytes.Compare(a.Socket.Local[:], b.Socket.Local[:]),
		compareBool(b.IPv4, a.IPv4),
		cmp.Compare(a.Owner.PID, b.Owner.PID),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
