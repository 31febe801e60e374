package host

import (
	"encoding/binary"
	"iter"

	"golang.org/x/sys/unix"
)

var native = binary.NativeEndian

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
			b = b[min((size+3)&^3, len(b)):]
		}
	}
}

// attributes walks over rtnetlink attributes (struct rtattr), with the type freed
// of its flags. It stops at the first one whose length is impossible.
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
			b = b[min((size+3)&^3, len(b)):]
		}
	}
}

// request makes a netlink message; its sequence number is filled in later.
func request(typ, flags uint16, fixed []byte) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(fixed)+16)
	native.PutUint16(b[4:], typ)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST|flags)
	b = append(b, fixed...)
	native.PutUint32(b, uint32(len(b)))
	return b
}

// withU32 appends an attribute of four bytes.
func withU32(b []byte, typ uint16, v uint32) []byte {
	b = native.AppendUint16(b, unix.SizeofRtAttr+4)
	b = native.AppendUint16(b, typ)
	b = native.AppendUint32(b, v)
	native.PutUint32(b, uint32(len(b)))
	return b
}

// The values of attributes; a short one reads as zero.

func u32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return native.Uint32(b)
}

func cstring(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// lladdr returns a link-layer address if it is a MAC; InfiniBand has 20 bytes.
func lladdr(b []byte) (m [6]byte) {
	if len(b) == len(m) {
		copy(m[:], b)
	}
	return m
}
