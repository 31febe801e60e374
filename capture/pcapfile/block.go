package pcapfile

import (
	"fmt"
	"io"
)

// Block types (draft-ietf-opsawg-pcapng, section 10.1). All others are skipped:
// custom blocks, decryption secrets, systemd journal, and what is to come.
const (
	blockInterface  = 1
	blockPacket     = 2 // obsolete
	blockSimple     = 3
	blockNames      = 4
	blockStatistics = 5
	blockEnhanced   = 6
	blockSection    = 0x0a0d0d0a // the same in both byte orders

	byteOrderMagic = 0x1a2b3c4d
)

const (
	blockHead = 8 // type and total length
	blockMin  = 12
)

// nextBlock reads blocks up to the next packet.
func (r *Reader) nextBlock(p *Packet) error {
	for {
		at := r.offset()
		packet, err := r.readBlock(p)
		if err == io.EOF {
			return io.EOF
		}
		if err != nil {
			return &blockError{at, err}
		}
		if packet {
			p.Offset = at
			return nil
		}
	}
}

// readBlock reads one block, and reports whether it filled in p.
func (r *Reader) readBlock(p *Packet) (packet bool, err error) {
	h, err := r.peek(blockHead, "a block header")
	if err != nil {
		return false, err
	}
	typ, total := r.order.u32(h), r.order.u32(h[4:])
	if typ == blockSection {
		return false, r.sectionHeader()
	}
	if total < blockMin || total&3 != 0 {
		return false, fmt.Errorf("%w: a block of type %#x claims %d bytes", errRecord, typ, total)
	}
	switch typ {
	case blockEnhanced, blockPacket, blockSimple, blockInterface, blockStatistics:
	case blockNames:
		return false, r.nameBlock(total)
	default:
		return false, r.skipBlock(total)
	}
	body, err := r.block(total)
	if err != nil {
		return false, err
	}
	switch typ {
	case blockEnhanced:
		return true, r.enhanced(p, body)
	case blockPacket:
		return true, r.oldPacket(p, body)
	case blockSimple:
		return true, r.simple(p, body)
	case blockInterface:
		return false, r.interfaceBlock(body)
	}
	return false, r.statistics(body)
}

// block takes a block of total bytes and returns what is between its head and
// its trailing length, valid until the next peek.
func (r *Reader) block(total uint32) ([]byte, error) {
	if int64(total) > int64(r.opt.MaxPacket)+maxOptions {
		return nil, fmt.Errorf("%w: a block claims %d bytes (packets of at most %d are taken)", errRecord, total, r.opt.MaxPacket)
	}
	b, err := r.whole(int(total), "a block")
	if err != nil {
		return nil, err
	}
	if err := r.trailer(b[total-4:], total); err != nil {
		return nil, err
	}
	r.take(len(b))
	return b[blockHead : total-4 : total-4], nil
}

// trailer checks the length that ends a block.
func (r *Reader) trailer(b []byte, total uint32) error {
	if end := r.order.u32(b); end != total {
		return fmt.Errorf("%w: a block begins with length %d and ends with %d", errRecord, total, end)
	}
	return nil
}

// skipBlock takes a block of any length.
func (r *Reader) skipBlock(total uint32) error {
	if err := r.skip(int64(total)-4, "a block"); err != nil {
		return err
	}
	return r.endBlock(total)
}

// endBlock takes the length that ends a block.
func (r *Reader) endBlock(total uint32) error {
	b, err := r.whole(4, "a block")
	if err != nil {
		return err
	}
	r.take(4)
	return r.trailer(b, total)
}

// sectionHeader begins a section, which may have another byte order.
func (r *Reader) sectionHeader() error {
	h, err := r.whole(12, "a section header")
	if err != nil {
		return err
	}
	switch magic := (order{}).u32(h[8:]); {
	case magic == byteOrderMagic:
		r.order.big = false
	case (order{big: true}).u32(h[8:]) == byteOrderMagic:
		r.order.big = true
	case r.section < 0:
		return unknownMagic(h)
	default:
		return fmt.Errorf("%w: a section without byte order (%#x)", errRecord, magic)
	}
	total := r.order.u32(h[4:])
	if total < 28 || total&3 != 0 {
		return fmt.Errorf("%w: a section header claims %d bytes", errRecord, total)
	}
	body, err := r.block(total)
	if err != nil {
		return err
	}
	if major := r.order.u16(body[4:]); major != 1 {
		return badFormat("pcapng version %d.%d: only version 1 can be read", major, r.order.u16(body[6:]))
	}
	r.section++
	r.firstIf = len(r.ifaces)
	return r.sectionOptions(body[16:])
}

func (r *Reader) sectionOptions(opts []byte) error {
	var s Section
	for len(opts) > 0 {
		code, v, rest, err := r.option(opts)
		if err != nil {
			return err
		}
		opts = rest
		if len(r.sections) == maxSections {
			continue // only checked
		}
		switch code {
		case optComment:
			if r.opt.Comments && s.Comment == "" {
				s.Comment = r.text(v)
			}
		case shbHardware:
			s.Hardware = r.text(v)
		case shbOS:
			s.OS = r.text(v)
		case shbApp:
			s.Application = r.text(v)
		}
	}
	if len(r.sections) < maxSections {
		r.sections = append(r.sections, s)
	}
	return nil
}
