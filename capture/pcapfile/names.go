package pcapfile

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
)

// Records of a Name Resolution Block.
const (
	recordEnd  = 0
	recordIPv4 = 1
	recordIPv6 = 2
)

// nameBlock reads a Name Resolution Block, record by record, as it may be far
// larger than the buffer.
func (r *Reader) nameBlock(total uint32) error {
	r.take(blockHead)
	left := int64(total) - blockMin
	for left > 0 {
		if left < 4 {
			return fmt.Errorf("%w: %d bytes behind the last name", errRecord, left)
		}
		h, err := r.whole(4, "a list of names")
		if err != nil {
			return err
		}
		typ, n := r.order.u16(h), int(r.order.u16(h[2:]))
		size := 4 + (n+3)&^3
		if typ == recordEnd {
			break // behind it are options, of which none is wanted
		}
		if int64(size) > left {
			return fmt.Errorf("%w: a name record of %d bytes exceeds its block", errRecord, n)
		}
		rec, err := r.whole(size, "a list of names")
		if err != nil {
			return err
		}
		r.nameRecord(typ, rec[4:4+n])
		r.take(size)
		left -= int64(size)
	}
	if err := r.skip(left, "a list of names"); err != nil {
		return err
	}
	return r.endBlock(total)
}

func (r *Reader) nameRecord(typ uint16, v []byte) {
	n := 4
	switch typ {
	case recordIPv4:
	case recordIPv6:
		n = 16
	default:
		return // MAC addresses, which the draft has but nobody writes
	}
	if len(v) < n {
		return
	}
	addr, _ := netip.AddrFromSlice(v[:n])
	for name := range bytes.SplitSeq(v[n:], []byte{0}) {
		r.addName(addr, name)
	}
}

func (r *Reader) addName(addr netip.Addr, name []byte) {
	known, ok := r.names[addr]
	if len(name) == 0 || len(known) >= maxNamesOf || !ok && len(r.names) >= maxNames || r.textsLeft == 0 {
		return
	}
	if slices.ContainsFunc(known, func(s string) bool { return s == string(name) }) {
		return
	}
	if r.names == nil {
		r.names = map[netip.Addr][]string{}
	}
	r.names[addr] = append(known, r.text(name))
}
