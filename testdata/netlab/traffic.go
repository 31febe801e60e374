package netlab

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Sink accepts TCP on addr inside ns and reads everything away. recvBuffer > 0
// clamps the sender's window, so that a burst delays without dropping.
func Sink(t testing.TB, ns *NS, addr string, recvBuffer int) {
	t.Helper()
	var l net.Listener
	err := ns.Do(func() (err error) {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			if recvBuffer == 0 {
				return nil
			}
			return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, recvBuffer) })
		}}
		lc.SetMultipathTCP(false)
		l, err = lc.Listen(context.Background(), "tcp", addr)
		return err
	})
	if err != nil {
		t.Fatalf("listen on %s in %s: %v", addr, ns.Name, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { _, _ = io.Copy(io.Discard, c); _ = c.Close() })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
}

// Stream is one TCP connection that sends when it is told to.
type Stream struct {
	conn *net.TCPConn
	// Local and Remote are the 5-tuple's ends as the sender sees them.
	Local, Remote string
}

// Dial connects from localAddr ("ip:port", port 0 = any) to remoteAddr inside ns, with reno
// where the kernel has it: cubic's hystart gives up as soon as the delay rises.
func Dial(t testing.TB, ns *NS, localAddr, remoteAddr string) *Stream {
	t.Helper()
	var conn net.Conn
	err := ns.Do(func() (err error) {
		laddr, err := net.ResolveTCPAddr("tcp", localAddr)
		if err != nil {
			return err
		}
		d := net.Dialer{LocalAddr: laddr, Timeout: 5 * time.Second, Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
				_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 1<<20) // above the queue, so that it fills; small enough that what is written leaves soon
			})
		}}
		d.SetMultipathTCP(false)
		conn, err = d.Dial("tcp", remoteAddr)
		return err
	})
	if err != nil {
		t.Fatalf("dial %s -> %s in %s: %v", localAddr, remoteAddr, ns.Name, err)
	}
	s := &Stream{conn: conn.(*net.TCPConn), Local: conn.LocalAddr().String(), Remote: conn.RemoteAddr().String()}
	t.Cleanup(func() { _ = s.conn.SetLinger(0); _ = s.conn.Close() })
	return s
}

// Burst sends as fast as the connection takes it for d, and returns when it
// began and ended (when the last write was taken) and how many payload bytes.
func (s *Stream) Burst(d time.Duration) (from, to time.Time, n int64, err error) {
	buf := make([]byte, 32<<10)
	from = time.Now()
	if err = s.conn.SetWriteDeadline(from.Add(d)); err != nil {
		return from, from, 0, fmt.Errorf("burst %s: %w", s.Local, err)
	}
	for time.Since(from) < d {
		k, werr := s.conn.Write(buf)
		n += int64(k)
		if werr != nil {
			if ne, ok := werr.(net.Error); ok && ne.Timeout() {
				break
			}
			return from, time.Now(), n, fmt.Errorf("burst %s: %w", s.Local, werr)
		}
	}
	_ = s.conn.SetWriteDeadline(time.Time{})
	return from, time.Now(), n, nil
}

// Trickle sends at bitsPerSecond in steps of 20 ms until ctx ends.
func (s *Stream) Trickle(ctx context.Context, bitsPerSecond float64) {
	const step = 20 * time.Millisecond
	buf := make([]byte, int(bitsPerSecond/8*step.Seconds())+1)
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := s.conn.Write(buf); err != nil {
				return
			}
		}
	}
}
