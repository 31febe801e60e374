package host

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
)

// guard stands between libvirt's socket and go-libvirt, whose reader
// makes a buffer of whatever length a message claims, in a goroutine of its own
// (a length below the header's would end the program), and reads again and again
// when the connection has a deadline. It lets only possible lengths pass, and
// makes every error final.
type guard struct {
	net.Conn
	head   [4]byte
	filled int // of head
	left   int // bytes of the message that are still to come
	dead   atomic.Bool
}

const (
	leastMessage = 28       // length word and header
	mostMessage  = 32 << 20 // VIR_NET_MESSAGE_MAX
)

var errMessageLength = errors.New("libvirt message of impossible length")

func (g *guard) Read(b []byte) (int, error) {
	if g.dead.Load() {
		return 0, io.EOF
	}
	n, err := g.Conn.Read(b)
	if bad := g.follow(b[:n]); bad != nil {
		g.dead.Store(true)
		g.Conn.Close()
		return 0, bad
	}
	if err != nil {
		g.dead.Store(true)
		return n, io.EOF
	}
	return n, nil
}

// follow keeps track of where messages begin.
func (g *guard) follow(b []byte) error {
	for len(b) > 0 {
		if g.left > 0 {
			n := min(g.left, len(b))
			g.left -= n
			b = b[n:]
			continue
		}
		n := copy(g.head[g.filled:], b)
		g.filled += n
		b = b[n:]
		if g.filled < len(g.head) {
			return nil
		}
		length := binary.BigEndian.Uint32(g.head[:])
		if length < leastMessage || length > mostMessage {
			return errMessageLength
		}
		g.filled, g.left = 0, int(length)-len(g.head)
	}
	return nil
}
