package socket

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// netlink speaks sock_diag. It belongs to one goroutine.
type netlink struct {
	wire  wire
	seq   uint32
	stale bool // an exchange ended before its last answer: what is still to come must be read off first
}

// wire carries datagrams to and from the kernel. It is a diagSocket, but in tests.
type wire interface {
	send(datagram []byte) error
	receive(ctx context.Context, flags int) ([]byte, error) // valid until the next
	close() error
}

// diagSocket is a NETLINK_SOCK_DIAG socket.
type diagSocket struct {
	fd  int    // -1 when closed
	buf []byte // of the last answer
}

// ErrInterrupted says that sockets kept changing while they were listed
// (NLM_F_DUMP_INTR in every try): the list could lack some. Ask again later.
var ErrInterrupted = errors.New("list of sockets changed while it was read")

const (
	dumpTries = 5
	// The kernel answers while the request is sent, or while the answer is read,
	// so nobody ever waits this long; it is how often the context is looked at.
	waitMicroseconds = 100_000
	// A dump comes in datagrams of at most 32 KiB (netlink_recvmsg, max_recvmsg_len).
	bufferLen = 64 << 10
	// A single answer takes about 2 KiB of the receive buffer (208 KiB): so many never overflow it.
	askAtOnce = 32
)

func openNetlink() (*netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", os.NewSyscallError("socket", err))
	}
	tv := unix.Timeval{Usec: waitMicroseconds}
	err = os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	return &netlink{wire: &diagSocket{fd: fd, buf: make([]byte, bufferLen)}}, nil
}

func (n *netlink) close() error { return n.wire.close() }

func (d *diagSocket) close() error {
	if d.fd < 0 {
		return nil
	}
	err := unix.Close(d.fd)
	d.fd = -1
	return os.NewSyscallError("close", err)
}

func (d *diagSocket) send(datagram []byte) error {
	if d.fd < 0 {
		return os.ErrClosed
	}
	return os.NewSyscallError("sendto", unix.Sendto(d.fd, datagram, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// dump hands the payload of every answer to each, which must not keep it. reset
// is called before each try, for a dump that was interrupted starts over.
func (n *netlink) dump(ctx context.Context, req request, reset func(), each func(payload []byte)) error {
	for range dumpTries {
		reset()
		interrupted, err := n.exchange(ctx, []request{req}, unix.NLM_F_DUMP, func(_ int, h header, payload []byte) bool {
			if h.typ == unix.SOCK_DIAG_BY_FAMILY {
				each(payload)
			}
			return h.typ == unix.NLMSG_DONE || h.typ == unix.NLMSG_ERROR
		})
		if err != nil {
			return err
		}
		if !interrupted {
			return nil
		}
	}
	return ErrInterrupted
}

// ask puts requests for single sockets and hands their answers to each, with
// the number of the request. A socket that is not there gets no answer.
func (n *netlink) ask(ctx context.Context, reqs []request, each func(i int, payload []byte)) error {
	for first := 0; first < len(reqs); first += askAtOnce {
		group := reqs[first:min(first+askAtOnce, len(reqs))]
		_, err := n.exchange(ctx, group, 0, func(i int, h header, payload []byte) bool {
			if h.typ == unix.SOCK_DIAG_BY_FAMILY {
				each(first+i, payload)
			}
			return true // one answer, or an error
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// exchange sends requests in one go and reads until take has said of each that
// this message was its last. interrupted: some message had NLM_F_DUMP_INTR.
// Errors are the socket's, the context's, and the refusal of a request except
// ENOENT, which says that there is no such socket.
func (n *netlink) exchange(ctx context.Context, reqs []request, flags uint16, take func(i int, h header, payload []byte) bool) (interrupted bool, err error) {
	if err := n.drain(ctx); err != nil {
		return false, err
	}
	base := n.seq + 1
	n.seq += uint32(len(reqs))
	if err := n.wire.send(encode(reqs, base, flags)); err != nil {
		return false, err
	}
	n.stale = true
	var refused error
	for left := len(reqs); left > 0; {
		b, err := n.wire.receive(ctx, 0)
		if err != nil {
			return false, err
		}
		for h, payload := range messages(b) {
			i := h.seq - base
			if i >= uint32(len(reqs)) {
				continue // an answer to an earlier request
			}
			interrupted = interrupted || h.flags&unix.NLM_F_DUMP_INTR != 0
			if e := failure(h, payload, flags&unix.NLM_F_DUMP != 0); e != nil && refused == nil {
				refused = e
			}
			if take(int(i), h, payload) {
				left--
			}
		}
	}
	n.stale = false
	return interrupted, refused
}

// failure returns what the kernel refused a request with. ENOENT says of a
// single socket that there is none, of a list that a module is missing.
func failure(h header, payload []byte, dump bool) error {
	if h.typ != unix.NLMSG_DONE && h.typ != unix.NLMSG_ERROR || len(payload) < 4 {
		return nil
	}
	e := -int32(native.Uint32(payload))
	if e <= 0 || !dump && unix.Errno(e) == unix.ENOENT {
		return nil
	}
	return unix.Errno(e)
}

// drain reads off the rest of an exchange that was given up; while a dump is
// still running the kernel refuses the next one (EBUSY).
func (n *netlink) drain(ctx context.Context) error {
	for n.stale {
		_, err := n.wire.receive(ctx, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			n.stale = false
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, errShortBuffer) && !errors.Is(err, unix.ENOBUFS):
			return err
		}
	}
	return nil
}

// receive returns the next datagram of the kernel in d.buf.
func (d *diagSocket) receive(ctx context.Context, flags int) ([]byte, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// MSG_TRUNC makes the return value the datagram's real length.
		got, from, err := unix.Recvfrom(d.fd, d.buf, unix.MSG_TRUNC|flags)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN) && flags&unix.MSG_DONTWAIT == 0:
			continue
		case err != nil:
			return nil, os.NewSyscallError("recvfrom", err)
		case got > len(d.buf):
			return nil, errShortBuffer
		}
		if sa, ok := from.(*unix.SockaddrNetlink); ok && sa.Pid == 0 { // of the kernel, not of another process
			return d.buf[:got], nil
		}
	}
}

var errShortBuffer = errors.New("sock_diag answer longer than 64 KiB")
