package decode

import (
	"time"

	"spiketop/flow"
)

// Meta is what the ring says about a frame besides its bytes.
type Meta struct {
	At  flow.Time // kernel stamp, converted
	Dir flow.Direction

	// Len is the frame's length as the kernel sees it (tp_len), layer 2 header
	// included. It exceeds the captured bytes where the snaplen cut them.
	Len uint32

	// The tag that the kernel moved from the frame into the ring header
	// (TP_STATUS_VLAN_VALID); Len lacks its 4 bytes. VLAN may be the whole TCI:
	// only its lower 12 bits are used.
	VLAN     uint16
	VLANTPID uint16 // informational: 0x8100, 0x88a8
	HasVLAN  bool

	// From struct virtio_net_hdr (linux/virtio_net.h), valid if HasVnet. GSOType
	// may carry the ECN flag. HdrLen is not trusted: the kernel fills in
	// skb_headlen, which need not end with the headers.
	GSOType uint8
	GSOSize uint16
	HdrLen  uint16
	HasVnet bool
}

// Config sizes a Decoder. The zero value is what the live monitor uses.
type Config struct {
	// Fragments is how many first fragments are remembered, 0 means 4096. It is
	// rounded up to a power of two and kept within 4 and 65536 (56 bytes each).
	Fragments int
	// FragmentTimeout is how long a first fragment is remembered, 0 means 30 s
	// (net.ipv4.ipfrag_time).
	FragmentTimeout time.Duration
	// FirstFragments makes the first part of a fragmented echo an echo. Live its
	// payload is that of an own ping, which is never fragmented.
	FirstFragments bool
}

// Stats counts what a Decoder has seen. Odd frames are counted here and in their
// record; they are not errors.
type Stats struct {
	Frames      uint64 // calls of Decode
	SuperFrames uint64 // GSO or GRO frames that stood for more than one wire packet

	// Malformed frames contradict themselves or end before a header does, as
	// they were on the wire. They are counted under what could still be read.
	Malformed uint64
	// Truncated frames were cut by the snaplen before their ports (or their
	// addresses): the snaplen is too small for them.
	Truncated uint64

	Fragments        uint64 // frames that are IP fragments, first ones included
	FragmentsUnknown uint64 // later fragments without their first: counted with ports 0
	FragmentsEvicted uint64 // first fragments that left the table before their time
}

// Decoder decodes the frames of one link. It belongs to one goroutine; every
// link has its own, as fragments of one packet keep to one link.
type Decoder struct {
	stats          Stats
	frags          fragTable
	firstFragments bool
}

// New returns a Decoder. All memory it will ever need is allocated here.
func New(cfg Config) *Decoder {
	d := &Decoder{firstFragments: cfg.FirstFragments}
	d.frags.init(cfg.Fragments, cfg.FragmentTimeout)
	return d
}

// Stats returns the counts since New.
func (d *Decoder) Stats() Stats { return d.stats }

// Decode fills in all fields of rec from the captured bytes of one frame. For an
// unfragmented ICMP or ICMPv6 echo, also one inside of VXLAN, Geneve or GRE, it
// fills in echo too and returns true; echo's Link, VIF and Offset are then zero,
// for the caller to set. Otherwise echo is left alone. The record is always that
// of the packet on the wire, so of the tunnel. Neither data nor m is kept. data may be empty or cut anywhere.
func (d *Decoder) Decode(data []byte, m *Meta, rec *flow.Record, echo *flow.Echo) (hasEcho bool) {
	d.stats.Frames++
	if d.fastIPv4(data, m, rec) {
		return false
	}
	return d.general(data, m, rec, echo)
}

// general decodes any frame.
func (d *Decoder) general(data []byte, m *Meta, rec *flow.Record, echo *flow.Echo) (hasEcho bool) {
	var f frame // field by field: a literal is built twice as large and copied, 8 ns
	f.data, f.m, f.rec, f.echo = data, m, rec, echo
	f.wire, f.end = max(int(min(m.Len, maxLen)), len(data)), len(data)
	rec.At, rec.Dir, rec.TCPFlags, rec.Inner = m.At, m.Dir, 0, [6]byte{}
	d.ethernet(&f)
	d.count(&f)
	switch f.fault {
	case malformed:
		d.stats.Malformed++
	case truncated:
		d.stats.Truncated++
	}
	return f.hasEcho
}

// maxLen keeps offsets within an int of 32 bits. The kernel's frames end far
// below it.
const maxLen = 1 << 30
