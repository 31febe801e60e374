package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Netlink is an rtnetlink socket in the network namespace of the thread that
// opened it. Its methods may be called from any goroutine; they take turns.
type Netlink struct {
	mu  sync.Mutex
	fd  int // -1 when closed
	seq uint32
	buf []byte // of the last answer

	stale bool // an exchange ended before its last answer: what is still to come must be read off first
}

// ErrDumpInterrupted says that devices kept changing while they were listed
// (NLM_F_DUMP_INTR in every try): the list could lack some. Look again later.
var ErrDumpInterrupted = errors.New("list changed while it was read")

const (
	dumpTries     = 5
	answerTimeout = 2 // seconds; the kernel answers while the request is sent
	// The kernel cuts a dump into datagrams of at most 32 KiB (netlink_recvmsg,
	// max_recvmsg_len); a single answer is longer only if virtual functions were
	// asked for, which we never do.
	bufferLen = 64 << 10
)

var native = binary.NativeEndian

// Open opens an rtnetlink socket. It needs no capability.
func Open() (*Netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	n := &Netlink{fd: fd, buf: make([]byte, bufferLen)}
	if err := n.setUp(); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return n, nil
}

func (n *Netlink) setUp() error {
	tv := unix.Timeval{Sec: answerTimeout}
	if err := unix.SetsockoptTimeval(n.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return os.NewSyscallError("bind", unix.Bind(n.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// Close closes the socket. It waits for a call that is under way.
func (n *Netlink) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fd < 0 {
		return nil
	}
	err := unix.Close(n.fd)
	n.fd = -1
	return os.NewSyscallError("close", err)
}

// dump sends a dump request and hands every answer's payload to each, which
// must not keep it. reset is called before each try, for a dump that was
// interrupted by a change starts over.
func (n *Netlink) dump(req []byte, reset func(), each func(payload []byte)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for range dumpTries {
		reset()
		interrupted, err := n.exchange(req, 1, func(_ int, payload []byte) { each(payload) }, nil)
		if err != nil {
			return err
		}
		if !interrupted {
			return nil
		}
	}
	return ErrDumpInterrupted
}

// ask sends several requests in one go (each made by newRequest with NLM_F_ACK)
// and hands the answers to each, with the number of the request. failed is
// called for the requests that the kernel refused.
func (n *Netlink) ask(reqs [][]byte, each func(i int, payload []byte), failed func(i int, err error)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	// An answer takes some KiB of the socket's receive buffer (208 KiB): eight at a time never overflow it.
	const atOnce = 8
	for first := 0; first < len(reqs); first += atOnce {
		group := reqs[first:min(first+atOnce, len(reqs))]
		var all []byte
		for i, r := range group {
			native.PutUint32(r[8:], n.seq+1+uint32(i))
			all = append(all, r...)
		}
		_, err := n.exchangeAll(all, len(group),
			func(i int, p []byte) { each(first+i, p) }, func(i int, err error) { failed(first+i, err) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *Netlink) exchange(req []byte, count int, each func(int, []byte), failed func(int, error)) (bool, error) {
	native.PutUint32(req[8:], n.seq+1)
	return n.exchangeAll(req, count, each, failed)
}

// exchangeAll sends reqs, numbered from n.seq+1, and reads until all of them are
// done. Without failed, a refusal ends it.
func (n *Netlink) exchangeAll(reqs []byte, count int, each func(int, []byte), failed func(int, error)) (interrupted bool, err error) {
	if n.fd < 0 {
		return false, os.ErrClosed
	}
	if n.stale {
		n.drain()
	}
	base := n.seq + 1
	n.seq += uint32(count)
	if err := unix.Sendto(n.fd, reqs, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, os.NewSyscallError("sendto", err)
	}
	n.stale = true
	for left := count; left > 0; {
		b, err := n.receive(0)
		if err != nil {
			return false, err
		}
		for h, payload := range messages(b) {
			i := h.seq - base
			if i >= uint32(count) {
				continue // an answer to an earlier request that we gave up
			}
			interrupted = interrupted || h.flags&unix.NLM_F_DUMP_INTR != 0
			done, cause := finished(h, payload)
			switch {
			case !done:
				each(int(i), payload)
				continue
			case cause != nil && failed == nil:
				return false, cause
			case cause != nil:
				failed(int(i), cause)
			}
			left--
		}
	}
	n.stale = false
	return interrupted, nil
}

// drain reads off the rest of an exchange that was given up; while a dump is
// still running the kernel refuses the next one (EBUSY).
func (n *Netlink) drain() {
	for {
		if _, err := n.receive(unix.MSG_DONTWAIT); err != nil && !errors.Is(err, errShortBuffer) {
			n.stale = false
			return
		}
	}
}

// finished reports whether a message ends the answer to its request: NLMSG_DONE
// after a dump, NLMSG_ERROR (0 = acknowledged) else.
func finished(h header, payload []byte) (bool, error) {
	if h.typ != unix.NLMSG_DONE && h.typ != unix.NLMSG_ERROR {
		return false, nil
	}
	if len(payload) < 4 {
		return true, nil
	}
	if e := int32(native.Uint32(payload)); e < 0 {
		return true, unix.Errno(-e)
	}
	return true, nil
}

// receive returns the next datagram of the kernel in n.buf.
func (n *Netlink) receive(flags int) ([]byte, error) {
	for {
		// MSG_TRUNC makes the return value the datagram's real length.
		got, from, err := unix.Recvfrom(n.fd, n.buf, unix.MSG_TRUNC|flags)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, os.NewSyscallError("recvfrom", err)
		case got > len(n.buf):
			return nil, errShortBuffer
		}
		if sa, ok := from.(*unix.SockaddrNetlink); ok && sa.Pid == 0 { // of the kernel, not of another process
			return n.buf[:got], nil
		}
	}
}

var errShortBuffer = errors.New("netlink answer longer than 64 KiB")
