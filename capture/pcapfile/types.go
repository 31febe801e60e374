package pcapfile

import (
	"errors"
	"fmt"
	"strconv"
)

// LinkType is a LINKTYPE_ value of tcpdump.org: what a packet begins with.
type LinkType uint16

// The link types that are decoded.
const (
	Null  LinkType = 0   // BSD loopback: address family in the byte order of the writer
	EN10  LinkType = 1   // Ethernet
	RawIP LinkType = 101 // an IP packet
	Loop  LinkType = 108 // as Null, in network byte order
	SLL   LinkType = 113 // Linux cooked
	IPv4  LinkType = 228
	IPv6  LinkType = 229
	SLL2  LinkType = 276

	// What RawIP was written as before it had a number of its own.
	rawBSD     LinkType = 12
	rawOpenBSD LinkType = 14
)

var linkNames = map[LinkType]string{Null: "NULL", EN10: "EN10MB", RawIP: "RAW", Loop: "LOOP", SLL: "LINUX_SLL", IPv4: "IPV4", IPv6: "IPV6", SLL2: "LINUX_SLL2", rawBSD: "RAW", rawOpenBSD: "RAW",
	6: "IEEE802_5", 9: "PPP", 50: "PPP_HDLC", 104: "C_HDLC", 105: "IEEE802_11", 127: "IEEE802_11_RADIOTAP", 147: "USER0", 192: "PPI", 197: "ERF", 220: "USB_LINUX_MMAPPED", 239: "NFLOG", 249: "USBPCAP", 253: "NETLINK", 258: "PKTAP"}

// String returns the name without its prefix: "EN10MB", else "LINKTYPE_201".
func (l LinkType) String() string {
	if n := linkNames[l]; n != "" {
		return n
	}
	return "LINKTYPE_" + strconv.Itoa(int(l))
}

// Supported reports whether packets of this type can be decoded.
func (l LinkType) Supported() bool {
	switch l {
	case Null, EN10, RawIP, rawBSD, rawOpenBSD, Loop, SLL, IPv4, IPv6, SLL2:
		return true
	}
	return false
}

// Dir says which way a packet went through its interface (epb_flags).
type Dir uint8

// Directions.
const (
	DirUnknown Dir = iota
	DirIn
	DirOut
)

// Interface is where packets were captured.
type Interface struct {
	Name, Description string
	Link              LinkType
	SnapLen           uint32
	Speed             uint64 // bit/s, 0 = not known
	Section           int    // number of its section, from 0
}

// Packet is one captured packet.
type Packet struct {
	At        int64 // ns since the epoch; 0 if the file has no time for it
	Interface int   // index in Reader.Interfaces
	Link      LinkType
	Dir       Dir
	Len       int      // bytes on the wire
	Data      []byte   // captured bytes; valid until the next call of Next
	Drops     uint64   // lost between the packet before and this one, if the file says so
	Comments  []string // with Options.Comments
	SegSize   uint16   // payload bytes of each segment of an offload super-frame; 0 = none. Our own option
	Offset    int64    // where the packet stands in the (uncompressed) file
}

// Options bound what a Reader accepts. The zero value is good.
type Options struct {
	Comments  bool // read the comments of packets
	MaxPacket int  // captured bytes of one packet; 0 = 256 KiB, as dumpcap. A larger one is an error
}

// ErrTruncated means that the file ends in the middle of a packet or block; what
// came before was whole.
var ErrTruncated = errors.New("the file is cut off")

// FileError says where a file cannot be read. Offset is in the uncompressed file.
type FileError struct {
	Name   string
	Offset int64
	Err    error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s at byte %d: %v", e.Name, e.Offset, e.Err) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }
