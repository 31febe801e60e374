package socket

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"spiketop/flow"
)

// inodes returns the inodes of the sockets that exist and have one.
func (o *Owners) inodes(ctx context.Context, socks []flow.Socket) (map[flow.Socket]uint32, error) {
	inodes := make(map[flow.Socket]uint32, len(socks))
	var tcp []request
	udp := false
	for _, s := range socks {
		switch s.Proto {
		case flow.ProtoTCP:
			tcp = append(tcp, connection(s, 0, o.bound[s]))
		case flow.ProtoUDP:
			udp = true
		}
	}
	err := o.connections(ctx, tcp, inodes)
	if !udp {
		return inodes, err
	}
	list, cause := o.kernel.list(ctx, flow.ProtoUDP, everyState, func(*entry) bool { return true })
	if cause != nil {
		return inodes, errors.Join(err, cause)
	}
	table := newUDPTable(list)
	for _, s := range socks {
		if s.Proto != flow.ProtoUDP {
			continue
		}
		if e, ok := table.find(s); ok && e.inode != 0 {
			inodes[s] = e.inode
		}
	}
	return inodes, err
}

// connections finds TCP connections one by one, and by a list of all those that
// cannot be found so: one that is bound to a device or sits in a VRF.
func (o *Owners) connections(ctx context.Context, reqs []request, inodes map[flow.Socket]uint32) error {
	there := make([]bool, len(reqs))
	err := o.kernel.find(ctx, reqs, func(i int, e *entry, _ []byte) {
		there[i] = true
		if e.inode != 0 {
			inodes[e.socket] = e.inode
		}
	})
	missing := map[flow.Socket]bool{}
	for i, r := range reqs {
		if !there[i] && !o.vain[r.socket] {
			missing[r.socket] = true
		}
	}
	if err != nil || len(missing) == 0 || !o.listed.IsZero() && time.Since(o.listed) < listGap {
		return err
	}
	return o.listBound(ctx, missing, inodes)
}

func (o *Owners) listBound(ctx context.Context, missing map[flow.Socket]bool, inodes map[flow.Socket]uint32) error {
	o.listed = time.Now()
	const states = everyState &^ (1 << stateListen)
	list, err := o.kernel.list(ctx, flow.ProtoTCP, states, func(e *entry) bool { return e.ifindex != 0 && missing[e.socket] })
	if err != nil {
		return err
	}
	if len(o.bound) > MaxAsked {
		clear(o.bound)
	}
	for _, e := range list {
		delete(missing, e.socket)
		o.bound[e.socket] = e.ifindex
		if e.inode != 0 {
			inodes[e.socket] = e.inode
		}
	}
	if len(o.vain) > MaxAsked {
		clear(o.vain)
	}
	maps.Copy(o.vain, missing)
	return nil
}

// judgeAgain asks once more for the sockets that nobody holds, and judges those
// that are still there.
func (o *Owners) judgeAgain(ctx context.Context, socks []flow.Socket, inodes map[flow.Socket]uint32, judged []uint32) error {
	var again []flow.Socket
	for _, s := range socks {
		if _, found := slices.BinarySearch(judged, inodes[s]); found {
			again = append(again, s)
		}
	}
	still, err := o.inodes(ctx, again)
	for inode := range set(still) {
		o.judge(inode)
	}
	return err
}

// judge says of a socket that nobody holds that the kernel does, if every
// process of the host was looked into.
func (o *Owners) judge(inode uint32) {
	wait := min(max(firstLook, 2*o.absent[inode].wait), lastLook)
	o.absent[inode] = absence{kernel: o.search.provesAbsence(), next: time.Now().Add(wait), wait: wait}
}

func set(inodes map[flow.Socket]uint32) map[uint32]bool {
	s := make(map[uint32]bool, len(inodes))
	for _, inode := range inodes {
		s[inode] = true
	}
	return s
}
