package pcapfile

import (
	"encoding/binary"
	"fmt"
)

// Magic numbers as their first byte-order reads them.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Kuznetzov's libpcap of the 1990s
)

const (
	pcapHeaderLen = 24
	recordLen     = 16
	modifiedLen   = 24

	// linkMask cuts FCS length and reserved bits off the link type field.
	linkMask = 0x03ff_ffff

	packetOutgoing = 4 // PACKET_OUTGOING, linux/if_packet.h
)

// pcapFormat is which pcap it is.
type pcapFormat struct {
	record   int   // length of a record header
	perUnit  int64 // nanoseconds of the fraction's unit
	modified bool
	swapped  bool // lengths are always swapped (versions up to 2.2)
	maybe    bool // lengths may be swapped (version 2.3)
	link     LinkType
}

// openPcap reads the file header.
func (r *Reader) openPcap(head []byte) error {
	f := pcapFormat{record: recordLen, perUnit: 1000}
	magic := binary.LittleEndian.Uint32(head)
	if head[0] == 0xa1 {
		magic, r.order.big = binary.BigEndian.Uint32(head), true
	}
	switch magic {
	case magicMicro:
	case magicNano:
		f.perUnit = 1
	case magicModified:
		f.record, f.modified = modifiedLen, true
	default:
		return unknownMagic(head)
	}
	h, err := r.whole(pcapHeaderLen, "the file header")
	if err != nil {
		return err
	}
	major, minor := r.order.u16(h[4:]), r.order.u16(h[6:])
	if major != 2 {
		return badFormat("pcap version %d.%d: only version 2 can be read", major, minor)
	}
	f.swapped, f.maybe = minor < 3, minor == 3
	f.link = LinkType(r.order.u32(h[20:]) & linkMask)
	r.pcap = f
	r.ifaces = []Interface{{Link: f.link, SnapLen: r.order.u32(h[16:]), TSResol: 6}}
	if f.perUnit == 1 {
		r.ifaces[0].TSResol = 9
	}
	r.take(pcapHeaderLen)
	return nil
}

// foreignMagics are formats that people mistake for pcap.
var foreignMagics = []struct{ magic, name string }{
	{"snoop\x00\x00\x00", "a Solaris snoop file"},
	{"\x28\xb5\x2f\xfd", "compressed with zstd"},
	{"\x04\x22\x4d\x18", "compressed with lz4"},
	{"BZh", "compressed with bzip2"},
	{"\xfd7zX", "compressed with xz"},
	{"PK\x03\x04", "a zip archive"},
	{"\x7fELF", "a program"},
	{"\x1f\x8b", "gzip within gzip"},
}

func unknownMagic(head []byte) error {
	const read = "pcap, pcapng and gzip of these can be read"
	for _, m := range foreignMagics {
		if n := min(len(m.magic), len(head)); string(head[:n]) == m.magic[:n] {
			return badFormat("this is %s, not a capture file: %s", m.name, read)
		}
	}
	return badFormat("not a capture file (it begins with %q): %s", head, read)
}

// nextRecord reads one record of a pcap file.
func (r *Reader) nextRecord(p *Packet) error {
	f := &r.pcap
	h, err := r.peek(f.record, "a record header")
	if err != nil {
		return err
	}
	caplen, n := r.order.u32(h[8:]), r.order.u32(h[12:])
	if f.swapped || f.maybe && caplen > n {
		caplen, n = n, caplen
	}
	if int64(caplen) > int64(r.opt.MaxPacket) {
		return fmt.Errorf("%w: a packet that claims %d captured bytes (at most %d are taken)", errRecord, caplen, r.opt.MaxPacket)
	}
	rec, err := r.whole(f.record+int(caplen), "a packet")
	if err != nil {
		return err
	}
	p.At = int64(r.order.u32(rec))*nsPerSec + int64(r.order.u32(rec[4:]))*f.perUnit
	p.NoTime, p.Interface, p.Link, p.Dir = false, 0, f.link, DirUnknown
	if f.modified {
		p.Dir = DirIn
		if rec[22] == packetOutgoing {
			p.Dir = DirOut
		}
	}
	p.Len, p.Data = int(n), rec[f.record:]
	p.Drops, p.SegSize, p.Comments, p.Offset = 0, 0, nil, r.offset()
	r.take(len(rec))
	return nil
}
