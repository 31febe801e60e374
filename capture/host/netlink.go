package host

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// rtnl is an rtnetlink socket in the network namespace of the thread that opened
// it. Its methods may be called from any goroutine; they take turns.
//
// It is a second one beside that of package link because the two ask for
// different things: link for the NICs' facts, this for peers in other
// namespaces, forwarding tables and counters of hundreds of vifs.
type rtnl struct {
	mu    sync.Mutex
	fd    int // -1 when closed
	seq   uint32
	buf   []byte
	stale bool // an exchange was given up: the rest of its answer must be read off first
}

const (
	dumpTries     = 5
	answerSeconds = 2        // the kernel answers while the request is sent
	answerLen     = 64 << 10 // netlink_recvmsg cuts dumps at 32 KiB
)

func openNetlink() (*rtnl, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	tv := unix.Timeval{Sec: answerSeconds}
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set up netlink socket: %w", err)
	}
	return &rtnl{fd: fd, buf: make([]byte, answerLen)}, nil
}

// Close waits for a call that is under way.
func (n *rtnl) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fd < 0 {
		return nil
	}
	err := unix.Close(n.fd)
	n.fd = -1
	return os.NewSyscallError("close", err)
}

// dump sends a dump request and hands every answer's payload to each, which must
// not keep it. reset is called before each try: a dump that was interrupted by a
// change starts over. A list that changed in each of five tries is good enough:
// the change brings a link event and with it another look.
func (n *rtnl) dump(req []byte, reset func(), each func(payload []byte)) error {
	for range dumpTries {
		reset()
		interrupted, err := n.exchange(req, each)
		if err != nil || !interrupted {
			return err
		}
	}
	return nil
}

// exchange sends one request and reads until it is answered.
func (n *rtnl) exchange(req []byte, each func(payload []byte)) (interrupted bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fd < 0 {
		return false, os.ErrClosed
	}
	if n.stale {
		n.drain()
	}
	n.seq++
	native.PutUint32(req[8:], n.seq)
	if err := unix.Sendto(n.fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, os.NewSyscallError("sendto", err)
	}
	n.stale = true
	for {
		b, err := n.receive(0)
		if err != nil {
			return false, err
		}
		for h, payload := range messages(b) {
			if h.seq != n.seq {
				continue // an answer to a request that was given up
			}
			interrupted = interrupted || h.flags&unix.NLM_F_DUMP_INTR != 0
			if h.typ != unix.NLMSG_DONE && h.typ != unix.NLMSG_ERROR {
				each(payload)
				continue
			}
			n.stale = false
			if e := int32(u32(payload)); e < 0 {
				return interrupted, unix.Errno(-e)
			}
			return interrupted, nil
		}
	}
}

func (n *rtnl) drain() {
	for {
		if _, err := n.receive(unix.MSG_DONTWAIT); err != nil && !errors.Is(err, errLongAnswer) {
			n.stale = false
			return
		}
	}
}

var errLongAnswer = errors.New("netlink answer longer than 64 KiB")

func (n *rtnl) receive(flags int) ([]byte, error) {
	for {
		got, from, err := unix.Recvfrom(n.fd, n.buf, unix.MSG_TRUNC|flags) // MSG_TRUNC: the real length
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, os.NewSyscallError("recvfrom", err)
		case got > len(n.buf):
			return nil, errLongAnswer
		}
		if sa, ok := from.(*unix.SockaddrNetlink); ok && sa.Pid == 0 { // of the kernel, not of another process
			return n.buf[:got], nil
		}
	}
}
