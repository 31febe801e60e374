package socket

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// crowd fills a tree with processes that have descriptors, every other a socket.
func crowd(tr *tree, processes, each int) {
	inode := uint32(1_000_000)
	for p := range processes {
		pid := 1000 + p
		tr.process(pid, "crowd", 500)
		dir := filepath.Join(tr.root, strconv.Itoa(pid), "fd")
		for fd := range each {
			target := "/dev/null"
			if fd%2 == 0 {
				inode++
				target = "socket:[" + strconv.Itoa(int(inode)) + "]"
			}
			if err := os.Symlink(target, filepath.Join(dir, strconv.Itoa(fd))); err != nil {
				tr.t.Fatal(err)
			}
		}
	}
}

// TestCrowd: many descriptors cost many questions a little.
func TestCrowd(t *testing.T) {
	tr := newTree(t)
	crowd(tr, 5, 400)
	tr.process(9000, "last", 500, 100)
	o, _, all := made(tr, Options{Limit: patience, Look: 400}, 1)
	questions := 0
	for pending := 1; pending > 0; questions++ {
		var owners map[flow.Socket]flow.Owner
		var err error
		if owners, pending, err = o.Of(context.Background(), all, false); err != nil {
			t.Fatal(err)
		}
		if pending == 0 {
			equal(t, owners, map[flow.Socket]flow.Owner{all[0]: {PID: 9000, Name: "last"}})
		}
	}
	// 2001 descriptors, 400 to a question.
	if questions != 6 {
		t.Errorf("%d questions, want 6", questions)
	}
	if n := len(o.search.seen); n != 1001 {
		t.Errorf("%d sockets remembered, want 1001", n)
	}
	// The next socket anywhere is found from memory.
	o.kernel.(*fakeKernel).inodes[conn(5)] = 1_000_001
	began := o.search.began
	equal(t, ask(t, o, conn(5)), map[flow.Socket]flow.Owner{conn(5): {PID: 1000, Name: "crowd"}})
	if o.search.began != began {
		t.Error("looked everywhere again")
	}
}

func BenchmarkLookEverywhere(b *testing.B) {
	tr := newTree(b)
	crowd(tr, 20, 1000)
	o, _, all := made(tr, Options{Limit: patience}, 1)
	b.ReportAllocs()
	for b.Loop() {
		clear(o.absent)
		o.Of(context.Background(), all, true)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/20_000, "µs/fd")
}

// BenchmarkRealProc looks through the host's own /proc, with 15 000 more descriptors in this process.
func BenchmarkRealProc(b *testing.B) {
	const more = 15_000
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < more+100 {
		b.Skipf("may open only %d files (%v)", limit.Cur, err)
	}
	first, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(first)
	for range more {
		fd, err := unix.Dup(first)
		if err != nil {
			b.Fatal(err)
		}
		defer unix.Close(fd)
	}
	o := newOwners(Options{Limit: patience}, &fakeKernel{inodes: map[flow.Socket]uint32{conn(0): 1<<32 - 2}})
	b.ReportAllocs()
	for b.Loop() {
		clear(o.absent)
		o.Of(context.Background(), []flow.Socket{conn(0)}, true)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/more, "µs/fd")
}

// BenchmarkKnown is the usual question: 200 connections whose owners are known.
func BenchmarkKnown(b *testing.B) {
	o, err := New(Options{Limit: patience})
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var socks []flow.Socket
	for range 200 {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		socks = append(socks, sock(b, "tcp", c.LocalAddr().String(), c.RemoteAddr().String()))
	}
	if owners, _, err := o.Of(context.Background(), socks, true); len(owners) != 200 || err != nil {
		b.Fatalf("%d owners, %v", len(owners), err)
	}
	b.Run("Of", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o.Of(context.Background(), socks, false)
		}
	})
	b.Run("everything anew, as ss -p", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fresh := newOwners(Options{Limit: patience}, o.kernel)
			if owners, _, err := fresh.Of(context.Background(), socks, true); len(owners) != 200 || err != nil {
				b.Fatalf("%d owners, %v", len(owners), err)
			}
		}
	})
	b.Run("TCPInfo", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o.TCPInfo(context.Background(), socks)
		}
	})
	b.Run("Listeners", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o.Listeners(context.Background(), false)
		}
	})
}
