package pcapfile

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
)

// Options of an enhanced packet block. optSegment is ours: a custom option
// (binary, may be copied) with our number and the segment size.
const (
	optComment   = 1
	epbFlags     = 2
	epbDropCount = 4
	optCustom    = 2989
)

// privateEnterprise stands before our own option's value. There is no number
// registered for spiketop: this is the one reserved for documentation (RFC 5612).
const privateEnterprise = 32473

func (r *Reader) packetBlock(b []byte, p *Packet) error {
	if len(b) < 20 {
		return errors.New("a packet block without a body")
	}
	captured, length := r.order.Uint32(b[12:]), r.order.Uint32(b[16:])
	if err := r.fill(p, r.order.Uint32(b), b[20:], captured, length); err != nil {
		return err
	}
	p.At = r.ng.clocks[p.Interface-r.ng.first].nanoseconds(r.order.Uint32(b[4:]), r.order.Uint32(b[8:]))
	rest := b[20:]
	rest = rest[min(len(rest), (int(captured)+3)&^3):]
	if len(rest) == 0 {
		return nil
	}
	if err := r.packetOptions(rest, p); err != nil {
		return fmt.Errorf("packet block: %w", err)
	}
	return nil
}

// packetOptions is a loop of its own: a closure would escape to the heap for
// each packet.
func (r *Reader) packetOptions(b []byte, p *Packet) error {
	for len(b) >= 4 {
		code, n := r.order.Uint16(b), int(r.order.Uint16(b[2:]))
		if code == 0 {
			return nil
		}
		b = b[4:]
		if n > len(b) {
			return fmt.Errorf("option %d claims %d bytes, %d are left", code, n, len(b))
		}
		r.packetOption(code, b[:n], p)
		b = b[min(len(b), (n+3)&^3):]
	}
	return nil
}

func (r *Reader) packetOption(code uint16, v []byte, p *Packet) {
	switch {
	case code == optComment && r.opt.Comments && len(p.Comments) < 64:
		p.Comments = append(p.Comments, text(v))
	case code == epbFlags && len(v) == 4:
		p.Dir = Dir(r.order.Uint32(v) & 3)
		if p.Dir > DirOut {
			p.Dir = DirUnknown
		}
	case code == epbDropCount && len(v) == 8:
		p.Drops = r.order.Uint64(v)
	case code == optCustom && len(v) == 8 && r.order.Uint32(v) == privateEnterprise:
		p.SegSize = r.order.Uint16(v[4:])
	}
}

// oldPacketBlock is the obsolete Packet Block.
func (r *Reader) oldPacketBlock(b []byte, p *Packet) error {
	if len(b) < 20 {
		return errors.New("a packet block without a body")
	}
	err := r.fill(p, uint32(r.order.Uint16(b)), b[20:], r.order.Uint32(b[12:]), r.order.Uint32(b[16:]))
	if err != nil {
		return err
	}
	if d := r.order.Uint16(b[2:]); d != math.MaxUint16 {
		p.Drops = uint64(d)
	}
	p.At = r.ng.clocks[p.Interface-r.ng.first].nanoseconds(r.order.Uint32(b[4:]), r.order.Uint32(b[8:]))
	return nil
}

// simpleBlock has no time, and is of the section's first interface, whose snap
// length says how much of it is there.
func (r *Reader) simpleBlock(b []byte, p *Packet) error {
	if len(b) < 4 {
		return errors.New("a simple packet block without a body")
	}
	length := r.order.Uint32(b)
	captured := min(length, uint32(len(b)-4))
	if len(r.interfaces) > r.ng.first {
		if snap := r.interfaces[r.ng.first].SnapLen; snap > 0 {
			captured = min(captured, snap)
		}
	}
	return r.fill(p, 0, b[4:], captured, length)
}

// fill sets what all kinds of packet blocks have.
func (r *Reader) fill(p *Packet, iface uint32, data []byte, captured, length uint32) error {
	if int64(iface) >= int64(len(r.interfaces)-r.ng.first) {
		return fmt.Errorf("a packet of interface %d: its section has %d", iface, len(r.interfaces)-r.ng.first)
	}
	if int64(captured) > int64(len(data)) {
		return fmt.Errorf("a packet of %d captured bytes in a block with room for %d", captured, len(data))
	}
	if int64(captured) > int64(r.opt.MaxPacket) {
		return fmt.Errorf("a packet of %d captured bytes: over %d", captured, r.opt.MaxPacket)
	}
	i := r.ng.first + int(iface)
	*p = Packet{Interface: i, Link: r.interfaces[i].Link, Len: int(min(length, math.MaxInt32)), Data: data[:captured:captured],
		Offset: r.offset, Comments: p.Comments[:0]}
	return nil
}

// nameBlock reads a name resolution block: an address and its names in each
// record.
func (r *Reader) nameBlock(b []byte) error {
	for len(b) >= 4 {
		typ, n := r.order.Uint16(b), int(r.order.Uint16(b[2:]))
		b = b[4:]
		if typ == 0 {
			return nil
		}
		if n > len(b) {
			return fmt.Errorf("name resolution block: a record claims %d bytes, %d are left", n, len(b))
		}
		size := 4
		if typ == 2 {
			size = 16
		}
		if typ <= 2 && n >= size {
			a, _ := netip.AddrFromSlice(b[:size])
			r.addNames(a, b[size:n])
		}
		b = b[min(len(b), (n+3)&^3):]
	}
	return nil
}

// addNames keeps the names of an address, each ended by a zero byte.
func (r *Reader) addNames(a netip.Addr, b []byte) {
	if r.names == nil {
		r.names = map[netip.Addr][]string{}
	}
	if _, known := r.names[a]; !known && len(r.names) >= maxNames {
		return
	}
	for len(b) > 0 && len(r.names[a]) < 8 {
		end := 0
		for end < len(b) && b[end] != 0 {
			end++
		}
		if end > 0 {
			r.names[a] = append(r.names[a], text(b[:min(end, 255)]))
		}
		b = b[min(end+1, len(b)):]
	}
}
