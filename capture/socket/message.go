package socket

import (
	"encoding/binary"
	"iter"

	"golang.org/x/sys/unix"
)

var native = binary.NativeEndian

// header is what we use of struct nlmsghdr.
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

// attribute returns the value of the first attribute of a type, nil if there is
// none. It stops at the first one whose length is impossible.
func attribute(b []byte, typ uint16) []byte {
	for len(b) >= unix.SizeofRtAttr {
		size := int(native.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			return nil
		}
		if native.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) == typ {
			return b[unix.SizeofRtAttr:size]
		}
		b = b[min(align4(size), len(b)):]
	}
	return nil
}

func align4(n int) int { return (n + 3) &^ 3 }
