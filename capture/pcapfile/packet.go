package pcapfile

// Dir is the direction in which a packet passed its interface.
type Dir uint8

// What the direction bits of epb_flags say; DirUnknown where there are none.
const (
	DirUnknown Dir = iota
	DirIn
	DirOut
)

// String returns "in", "out" or "?".
func (d Dir) String() string {
	switch d {
	case DirIn:
		return "in"
	case DirOut:
		return "out"
	}
	return "?"
}

// Packet is one packet of a file.
type Packet struct {
	// At is when it was captured, in nanoseconds since the epoch. Times beyond
	// the years 1677 to 2262 are kept at that end; a fraction of a second that is
	// more than one (hostile pcap) is added as it stands. It is 0 if NoTime.
	At int64
	// NoTime: the file has no time for this packet (Simple Packet Block).
	NoTime bool

	Interface int // index into Reader.Interfaces
	Link      LinkType
	Dir       Dir

	// Len is its length on the wire as the file claims. It exceeds len(Data)
	// where the snaplen cut it; in a hostile file it may also be less, up to
	// 1<<32-1 it may be anything.
	Len int
	// Data is what was captured of it, Reader's memory: valid until the next call
	// of Next, not to be written to.
	Data []byte

	// Drops is how many packets were lost on this interface between this packet
	// and the one before it (epb_dropcount).
	Drops uint64
	// SegSize is the payload of each segment if the packet is an offload
	// super-frame, 0 if it is not: our own option, see Writer.
	SegSize uint16

	// Comments is filled in if Options.Comments asks for it. It is the file's
	// text: any bytes, to be escaped before it is shown.
	Comments []string

	// Offset is where its record or block begins in the uncompressed file.
	Offset int64
}

// Interface is where packets were captured. All text is the file's: any bytes,
// to be escaped before it is shown, each cut after 1 KiB.
type Interface struct {
	Name, Description string
	Filter            string // capture filter, if it was kept as text
	OS, Hardware      string
	Comments          []string // only if Options.Comments

	Link    LinkType
	SnapLen uint32  // 0 = unlimited
	Speed   uint64  // bit/s, 0 = unknown
	MAC     [6]byte // zero = unknown
	Section int     // running number of its section, from 0

	// TSResol is if_tsresol: 10^-n of a second, or 2^-n with the highest bit set.
	// TSOffset is in seconds and already part of Packet.At.
	TSResol  uint8
	TSOffset int64

	// Stats is what its last Interface Statistics Block so far said, zero if
	// there was none.
	Stats InterfaceStats

	clock clock
}

// InterfaceStats are an interface's counters at the end of a capture.
type InterfaceStats struct {
	Seen     bool   // there was a block
	Received uint64 // by the interface, if HasReceived
	Dropped  uint64 // packets lost for want of room in the capture, if HasDropped

	HasReceived, HasDropped bool
	Start, End              int64 // of the capture, nanoseconds since the epoch, 0 = not said
}

// Section is what a file says about the machine and program that wrote it. In
// what Reader returns each text is cut after 1 KiB; of several comments it has
// the first.
type Section struct {
	Hardware, OS, Application, Comment string
}
