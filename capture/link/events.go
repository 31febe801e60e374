package link

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// events is a socket that hears of every change of a link (RTNLGRP_LINK). What
// changed is not read from it: a look at everything is cheap, never misses an
// overrun, and sees what the kernel does not announce.
type events struct {
	file *os.File // of the runtime's poller, so that close wakes wait
	conn syscall.RawConn
	buf  []byte
}

// openEvents opens the socket in the calling thread's network namespace.
func openEvents() (*events, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink event socket: %w", err)
	}
	group := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_LINK - 1)}
	if err := unix.Bind(fd, group); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("subscribe to link events: %w", err)
	}
	file := os.NewFile(uintptr(fd), "netlink events")
	conn, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open netlink event socket: %w", err)
	}
	return &events{file: file, conn: conn, buf: make([]byte, 4096)}, nil
}

// wait blocks until something has changed and then reads off all that is
// waiting. A socket that was overrun (ENOBUFS) has lost messages: that is a
// change like any other.
func (e *events) wait() error {
	var failure error
	err := e.conn.Read(func(fd uintptr) bool {
		heard := false
		for {
			_, _, err := unix.Recvfrom(int(fd), e.buf, unix.MSG_DONTWAIT)
			switch {
			case err == nil, errors.Is(err, unix.ENOBUFS):
				heard = true
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return heard
			default:
				failure = os.NewSyscallError("recvfrom", err)
				return true
			}
		}
	})
	if err != nil {
		return err
	}
	return failure
}

func (e *events) close() { e.file.Close() }
