package pcapfile

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Magic numbers as a little-endian file has them.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Alexey Kuznetzov's, record headers of 24 bytes
)

// pcapState is what the header of a pcap file says.
type pcapState struct {
	unit   int64 // ns
	header int   // bytes of a record's header
}

func (r *Reader) startPcap(magic []byte) error {
	r.order = binary.LittleEndian
	m := r.order.Uint32(magic)
	switch binary.BigEndian.Uint32(magic) {
	case magicMicro, magicNano, magicModified:
		r.order = binary.BigEndian
		m = r.order.Uint32(magic)
	}
	switch m {
	case magicMicro:
		r.pcap = pcapState{1000, 16}
	case magicNano:
		r.pcap = pcapState{1, 16}
	case magicModified:
		r.pcap = pcapState{1000, 24}
	default:
		return fmt.Errorf("not a capture file: it begins with %q; pcap, pcapng and gzip of them are read", magic)
	}
	h, err := r.peek(24)
	if err != nil {
		return fmt.Errorf("pcap header: %w", ErrTruncated)
	}
	if major, minor := r.order.Uint16(h[4:]), r.order.Uint16(h[6:]); major != 2 {
		return fmt.Errorf("pcap version %d.%d: only 2.x is read", major, minor)
	}
	r.interfaces = []Interface{{SnapLen: r.order.Uint32(h[16:]), Link: LinkType(r.order.Uint32(h[20:]))}}
	r.skip(24)
	r.next = r.nextPcap
	return nil
}

func (r *Reader) nextPcap(p *Packet) error {
	h, err := r.peek(r.pcap.header)
	if err == io.EOF {
		return err
	}
	if err != nil {
		return fmt.Errorf("record header: %w", err)
	}
	captured := r.order.Uint32(h[8:])
	if int64(captured) > int64(r.opt.MaxPacket) {
		return fmt.Errorf("a packet of %d captured bytes: over %d", captured, r.opt.MaxPacket)
	}
	sec, frac, length := r.order.Uint32(h), r.order.Uint32(h[4:]), r.order.Uint32(h[12:])
	all := r.pcap.header + int(captured)
	b, err := r.peek(all)
	if err != nil {
		return fmt.Errorf("a packet of %d captured bytes, %d are left: %w", captured, max(0, len(b)-r.pcap.header), err)
	}
	*p = Packet{At: int64(sec)*1e9 + int64(frac)*r.pcap.unit, Link: r.interfaces[0].Link, Offset: r.offset,
		Len: int(min(length, math.MaxInt32)), Data: b[r.pcap.header:all:all], Comments: p.Comments[:0]}
	r.used = all
	return nil
}
