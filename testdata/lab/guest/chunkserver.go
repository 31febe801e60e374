package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"spiketop/testdata/netlab"
)

// A chunkserver takes chunks on port 9422 and hands each on to its replicas while
// it comes in, as storage with three copies does. A chunk begins with
// its length (4 bytes), the number of replicas (1) and their addresses (4 each).
const chunkPort = 9422

// window is what a receiver lets a sender have under way: less than the queue of
// a port, so that a burst delays what waits behind it without drops.
func window() int {
	queue, err := strconv.Atoi(os.Getenv("QUEUE"))
	if err != nil {
		queue = 625000 // as in topology.sh
	}
	return queue * 3 / 4
}

// serveChunks serves in the namespace of node until the process ends.
func serveChunks(node, ip string) error {
	l, err := listen(node, netip.AddrPortFrom(netip.MustParseAddr(ip), chunkPort).String())
	if err != nil {
		return err
	}
	go accept(l, func(c net.Conn) { _ = takeChunks(node, c) })
	return nil
}

// serveAsProcess is serveChunks of this host, as a process that has a name.
func serveAsProcess(ip string) error {
	if err := serveChunks("", ip); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	return nil
}

func listen(node, addr string) (l net.Listener, err error) {
	err = inNode(node, func() error {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, window()) })
		}}
		lc.SetMultipathTCP(false)
		l, err = lc.Listen(context.Background(), "tcp4", addr)
		return err
	})
	return l, err
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			serve(c)
		}()
	}
}

// takeChunks reads chunk after chunk from one connection.
func takeChunks(node string, c net.Conn) error {
	replicas := map[netip.Addr]net.Conn{}
	defer func() {
		for _, r := range replicas {
			_ = r.Close()
		}
	}()
	for {
		var head [5]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		to := []io.Writer{io.Discard}
		for range head[4] {
			var ip [4]byte
			if _, err := io.ReadFull(c, ip[:]); err != nil {
				return err
			}
			r, err := replica(node, replicas, netip.AddrFrom4(ip))
			if err != nil {
				return err
			}
			to = append(to, r)
		}
		n := int64(binary.BigEndian.Uint32(head[:]))
		for _, w := range to[1:] {
			if _, err := w.Write(chunkHead(n)); err != nil {
				return err
			}
		}
		if _, err := io.CopyN(io.MultiWriter(to...), c, n); err != nil {
			return err
		}
	}
}

func replica(node string, known map[netip.Addr]net.Conn, ip netip.Addr) (net.Conn, error) {
	if c := known[ip]; c != nil {
		return c, nil
	}
	c, err := dial(node, "", netip.AddrPortFrom(ip, chunkPort).String())
	if err == nil {
		known[ip] = c
	}
	return c, err
}

func chunkHead(n int64, replicas ...string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(n))
	b = append(b, byte(len(replicas)))
	for _, r := range replicas {
		a := netip.MustParseAddr(r).As4()
		b = append(b, a[:]...)
	}
	return b
}

// dial connects inside a node, from a given ip:port if there is one, with reno:
// cubic's hystart gives up as soon as the delay rises.
func dial(node, from, to string) (conn net.Conn, err error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 1<<20) // more than a queue, little enough to leave soon
		})
	}}
	d.SetMultipathTCP(false)
	if from != "" {
		if d.LocalAddr, err = net.ResolveTCPAddr("tcp4", from); err != nil {
			return nil, err
		}
	}
	if err = inNode(node, func() (err error) { conn, err = d.Dial("tcp4", to); return err }); err != nil {
		return nil, fmt.Errorf("%s -> %s in %q: %w", from, to, node, err)
	}
	return conn, nil
}

// inNode runs f in a node's namespace; "" is this host.
func inNode(node string, f func() error) error {
	if node == "" {
		return f()
	}
	return netlab.InNetns(node, f)
}
