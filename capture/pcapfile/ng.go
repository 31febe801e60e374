package pcapfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Block types.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacketOld = 2
	blockSimple    = 3
	blockNames     = 4
	blockStats     = 5
	blockPacket    = 6

	byteOrderMagic = 0x1a2b3c4d
)

// ngState is the section that is being read.
type ngState struct {
	section int
	first   int // number of the section's first interface
	clocks  []clock
}

// clock converts an interface's time stamps (if_tsresol, if_tsoffset).
type clock struct {
	exp    uint8 // 10^-exp or 2^-exp
	binary bool
	offset int64 // s
}

func (r *Reader) startNG() error {
	r.ng.section = -1
	r.next = r.nextNG
	if err := r.section(); err != nil {
		if err == io.EOF {
			err = ErrTruncated
		}
		return err
	}
	return nil
}

// nextNG reads blocks until one is a packet.
func (r *Reader) nextNG(p *Packet) error {
	for {
		h, err := r.peek(8)
		if err == io.EOF {
			return err
		}
		if err != nil {
			return fmt.Errorf("block header: %w", err)
		}
		if binary.BigEndian.Uint32(h) == blockSection {
			if err := r.section(); err != nil {
				return err
			}
			continue
		}
		typ, length := r.order.Uint32(h), r.order.Uint32(h[4:])
		if length < 12 || length%4 != 0 {
			return fmt.Errorf("a block of type %#x claims %d bytes", typ, length)
		}
		if typ == 0 || typ > blockPacket || typ == blockStats {
			if err := r.pass(int64(length)); err != nil {
				return fmt.Errorf("a block of type %#x and %d bytes: %w", typ, length, err)
			}
			continue
		}
		if length > maxBlock {
			return fmt.Errorf("a block of type %#x claims %d bytes: over %d", typ, length, maxBlock)
		}
		b, err := r.peek(int(length))
		if err != nil {
			return fmt.Errorf("a block of type %#x and %d bytes: %w", typ, length, truncated(err))
		}
		if back := r.order.Uint32(b[length-4:]); back != length {
			return fmt.Errorf("a block of type %#x has %d bytes at its head and %d at its end", typ, length, back)
		}
		packet, err := r.block(typ, b[8:length-4], p)
		if err != nil {
			return err
		}
		if packet {
			r.used = int(length)
			return nil
		}
		r.skip(int(length))
	}
}

func truncated(err error) error {
	if err == io.EOF {
		return ErrTruncated
	}
	return err
}

// block reads the body of a block that means something to us.
func (r *Reader) block(typ uint32, body []byte, p *Packet) (packet bool, err error) {
	switch typ {
	case blockInterface:
		return false, r.interfaceBlock(body)
	case blockNames:
		return false, r.nameBlock(body)
	case blockPacket:
		return true, r.packetBlock(body, p)
	case blockPacketOld:
		return true, r.oldPacketBlock(body, p)
	}
	return true, r.simpleBlock(body, p)
}

// section begins a section: another byte order, interfaces anew.
func (r *Reader) section() error {
	h, err := r.peek(28)
	if err != nil {
		return fmt.Errorf("section header: %w", truncated(err))
	}
	switch uint32(byteOrderMagic) {
	case binary.LittleEndian.Uint32(h[8:]):
		r.order = binary.LittleEndian
	case binary.BigEndian.Uint32(h[8:]):
		r.order = binary.BigEndian
	default:
		return fmt.Errorf("section header: byte order %x", h[8:12])
	}
	length := r.order.Uint32(h[4:])
	if length < 28 || length%4 != 0 || length > maxBlock {
		return fmt.Errorf("section header: it claims %d bytes", length)
	}
	if major := r.order.Uint16(h[12:]); major != 1 {
		return fmt.Errorf("pcapng version %d.%d: only 1.x is read", major, r.order.Uint16(h[14:]))
	}
	b, err := r.peek(int(length))
	if err != nil {
		return fmt.Errorf("section header of %d bytes: %w", length, truncated(err))
	}
	if back := r.order.Uint32(b[length-4:]); back != length {
		return fmt.Errorf("section header has %d bytes at its head and %d at its end", length, back)
	}
	if err := r.options(b[24:length-4], func(uint16, []byte) {}); err != nil {
		return fmt.Errorf("section header: %w", err)
	}
	r.skip(int(length))
	r.ng.section++
	r.ng.first, r.ng.clocks = len(r.interfaces), r.ng.clocks[:0]
	return nil
}

func (r *Reader) interfaceBlock(b []byte) error {
	if len(b) < 8 {
		return errors.New("an interface block without a body")
	}
	if len(r.interfaces) >= maxInterfaces {
		return fmt.Errorf("over %d interfaces", maxInterfaces)
	}
	i := Interface{Link: LinkType(r.order.Uint16(b)), SnapLen: r.order.Uint32(b[4:]), Section: r.ng.section}
	c := clock{exp: 6}
	err := r.options(b[8:], func(code uint16, v []byte) {
		switch {
		case code == 2:
			i.Name = text(v)
		case code == 3:
			i.Description = text(v)
		case code == 8 && len(v) == 8:
			i.Speed = r.order.Uint64(v)
		case code == 9 && len(v) == 1:
			c.exp, c.binary = v[0]&0x7f, v[0]&0x80 != 0
		case code == 14 && len(v) == 8:
			c.offset = int64(r.order.Uint64(v))
		}
	})
	if err != nil {
		return fmt.Errorf("interface block: %w", err)
	}
	r.interfaces, r.ng.clocks = append(r.interfaces, i), append(r.ng.clocks, c)
	return nil
}

// maxText bounds a name or comment that is kept.
const maxText = 4096

func text(v []byte) string { return string(v[:min(len(v), maxText)]) }

// options calls f for each option of a list.
func (r *Reader) options(b []byte, f func(code uint16, value []byte)) error {
	for len(b) >= 4 {
		code, n := r.order.Uint16(b), int(r.order.Uint16(b[2:]))
		if code == 0 {
			return nil
		}
		b = b[4:]
		if n > len(b) {
			return fmt.Errorf("option %d claims %d bytes, %d are left", code, n, len(b))
		}
		f(code, b[:n])
		b = b[min(len(b), (n+3)&^3):]
	}
	return nil
}

// nanoseconds converts a time stamp; what does not fit is the nearest that does.
func (c clock) nanoseconds(high, low uint32) int64 {
	t := uint64(high)<<32 | uint64(low)
	sec, frac := c.split(t)
	if sec > math.MaxInt64/1_000_000_000 {
		return math.MaxInt64
	}
	s := int64(sec)
	if c.offset > 0 && s > math.MaxInt64/1_000_000_000-c.offset {
		return math.MaxInt64
	}
	if c.offset < -(math.MaxInt64/1_000_000_000)+s {
		return math.MinInt64
	}
	s += c.offset
	if s >= math.MaxInt64/1_000_000_000 {
		return math.MaxInt64
	}
	return s*1_000_000_000 + frac
}

// split parts a stamp into seconds and nanoseconds.
func (c clock) split(t uint64) (sec uint64, ns int64) {
	if c.binary {
		if c.exp >= 64 {
			return 0, 0
		}
		sec = t >> c.exp
		f := float64(t&(1<<c.exp-1)) / float64(uint64(1)<<c.exp)
		return sec, int64(f * 1e9)
	}
	if c.exp > 19 {
		return 0, 0
	}
	unit := uint64(1)
	for range c.exp {
		unit *= 10
	}
	sec, t = t/unit, t%unit
	for e := c.exp; e > 9; e-- {
		t /= 10
	}
	for e := c.exp; e < 9; e++ {
		t *= 10
	}
	return sec, int64(t)
}
