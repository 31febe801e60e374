package pcapfile

import "fmt"

// enhanced reads an Enhanced Packet Block.
func (r *Reader) enhanced(p *Packet, b []byte) error {
	if len(b) < 20 {
		return fmt.Errorf("%w: a packet block of %d bytes", errRecord, len(b))
	}
	i, err := r.iface(r.order.u32(b))
	if err != nil {
		return err
	}
	p.Drops = 0
	r.stamp(p, i, r.order.u32(b[4:]), r.order.u32(b[8:]))
	return r.body(p, b[20:], r.order.u32(b[12:]), r.order.u32(b[16:]))
}

// oldPacket reads the obsolete Packet Block.
func (r *Reader) oldPacket(p *Packet, b []byte) error {
	if len(b) < 20 {
		return fmt.Errorf("%w: a packet block of %d bytes", errRecord, len(b))
	}
	i, err := r.iface(uint32(r.order.u16(b)))
	if err != nil {
		return err
	}
	p.Drops = uint64(r.order.u16(b[2:]))
	if p.Drops == 0xffff {
		p.Drops = 0 // not known
	}
	r.stamp(p, i, r.order.u32(b[4:]), r.order.u32(b[8:]))
	return r.body(p, b[20:], r.order.u32(b[12:]), r.order.u32(b[16:]))
}

// simple reads a Simple Packet Block: of the section's first interface, without
// a time, cut by the interface's snaplen.
func (r *Reader) simple(p *Packet, b []byte) error {
	if len(b) < 4 {
		return fmt.Errorf("%w: a packet block of %d bytes", errRecord, len(b))
	}
	i, err := r.iface(0)
	if err != nil {
		return err
	}
	n := r.order.u32(b)
	caplen := n
	if s := r.ifaces[i].SnapLen; s != 0 {
		caplen = min(n, s)
	}
	p.Interface, p.Link = i, r.ifaces[i].Link
	p.At, p.NoTime, p.Drops = 0, true, 0
	b = b[4:]
	// There are no options: what is left is padding, which body must not read.
	return r.body(p, b[:min(len(b), int(min(caplen, 1<<30)+3)&^3)], caplen, n)
}

// iface returns the index of a section's interface.
func (r *Reader) iface(id uint32) (int, error) {
	if n := len(r.ifaces) - r.firstIf; uint64(id) >= uint64(n) {
		return 0, fmt.Errorf("%w: interface %d of a section that described %d", errRecord, id, n)
	}
	return r.firstIf + int(id), nil
}

func (r *Reader) stamp(p *Packet, i int, high, low uint32) {
	f := &r.ifaces[i]
	p.Interface, p.Link = i, f.Link
	p.At, p.NoTime = f.clock.ns(uint64(high)<<32|uint64(low)), false
}

// body reads what packet blocks have in common: the bytes and the options.
func (r *Reader) body(p *Packet, b []byte, caplen, n uint32) error {
	if int64(caplen) > int64(r.opt.MaxPacket) {
		return fmt.Errorf("%w: a packet that claims %d captured bytes (at most %d are taken)", errRecord, caplen, r.opt.MaxPacket)
	}
	if int(caplen) > len(b) {
		return fmt.Errorf("%w: a packet of %d bytes in a block with room for %d", errRecord, caplen, len(b))
	}
	p.Len, p.Data = int(n), b[:caplen:caplen]
	p.Dir, p.SegSize, p.Comments = DirUnknown, 0, nil
	b = b[min((int(caplen)+3)&^3, len(b)):]
	for len(b) > 0 {
		code, v, rest, err := r.option(b)
		if err != nil {
			return err
		}
		b = rest
		switch code {
		case epbFlags:
			if len(v) == 4 {
				p.Dir = direction(r.order.u32(v))
			}
		case epbDrops:
			if len(v) == 8 {
				p.Drops = r.order.u64(v)
			}
		case optCustom:
			if len(v) == 8 && r.order.u32(v) == privateEnterprise {
				p.SegSize = r.order.u16(v[4:])
			}
		case optComment:
			if r.opt.Comments && len(p.Comments) < maxComments {
				p.Comments = append(p.Comments, string(v))
			}
		}
	}
	return nil
}

// direction reads the two bits of epb_flags.
func direction(flags uint32) Dir {
	switch flags & 3 {
	case 1:
		return DirIn
	case 2:
		return DirOut
	}
	return DirUnknown
}
