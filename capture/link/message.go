package link

import (
	"iter"

	"golang.org/x/sys/unix"
)

// header is struct nlmsghdr without its length.
type header struct {
	typ, flags uint16
	seq        uint32
}

// messages walks over the netlink messages of a datagram. It stops at the first
// one whose length is impossible.
func messages(b []byte) iter.Seq2[header, []byte] {
	return func(yield func(header, []byte) bool) {
		for len(b) >= unix.NLMSG_HDRLEN {
			size := int(native.Uint32(b))
			if size < unix.NLMSG_HDRLEN || size > len(b) {
				return
			}
			h := header{typ: native.Uint16(b[4:]), flags: native.Uint16(b[6:]), seq: native.Uint32(b[8:])}
			if !yield(h, b[unix.NLMSG_HDRLEN:size]) {
				return
			}
			b = b[min(align4(size), len(b)):]
		}
	}
}

// attributes walks over rtnetlink attributes (struct rtattr). The type comes
// without NLA_F_NESTED and NLA_F_NET_BYTEORDER. It stops at the first one whose
// length is impossible.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			size := int(native.Uint16(b))
			if size < unix.SizeofRtAttr || size > len(b) {
				return
			}
			if !yield(native.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.SizeofRtAttr:size]) {
				return
			}
			b = b[min(align4(size), len(b)):]
		}
	}
}

func align4(n int) int { return (n + 3) &^ 3 }

// newRequest makes a netlink message: header, the family's fixed part, then
// attributes may be added. The sequence number is filled in when it is sent.
func newRequest(typ, flags uint16, fixed []byte) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(fixed)+32)
	native.PutUint16(b[4:], typ)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST|flags)
	return setLength(append(b, fixed...))
}

// addAttribute appends an attribute and corrects the message's length.
func addAttribute(b []byte, typ uint16, value []byte) []byte {
	b = native.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = native.AppendUint16(b, typ)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return setLength(b)
}

func setLength(b []byte) []byte {
	native.PutUint32(b, uint32(len(b)))
	return b
}

// The values of attributes; a short one reads as zero.

func u8(b []byte) uint8 {
	if len(b) < 1 {
		return 0
	}
	return b[0]
}

func u16(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return native.Uint16(b)
}

func u32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return native.Uint32(b)
}

// text returns a string attribute up to its terminating zero.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

func mac(b []byte) (m [6]byte) {
	if len(b) == len(m) { // InfiniBand has 20 bytes: not a MAC
		copy(m[:], b)
	}
	return m
}
