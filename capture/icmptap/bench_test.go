package icmptap

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/flow"
	"spiketop/testdata/netlab"
)

const (
	benchVIFs   = 200 // with taps, and as many without
	benchRounds = 300
)

// BenchmarkTaps200 is what a host with 200 vifs pays: the CPU time of traffic
// that is no ICMP through 200 vifs with taps against the same through 200 without,
// by turns every millisecond.
//
// The metrics are medians of the ratios of neighbouring turns. "noise" is the
// same before there are taps: how far from 1 nothing is. Frames are stamped either
// way, as by every capture. ns/frame is what the tap adds to a datagram,
// idle-cpu-% what the goroutine takes while nobody pings.
func BenchmarkTaps200(b *testing.B) {
	host, guests := netlab.NewNS(b, "host"), netlab.NewNS(b, "guests")
	vifs := benchSite(b, host, guests)
	loads := []struct {
		name   string
		frames float64 // of a turn; 0 = they are offload frames of many sizes
		turn   func(net int) time.Duration
	}{
		{"udp-in", benchVIFs, benchUDP(b, host, guests, 2, benchVIFs)},
		{"udp-out", benchVIFs, benchUDP(b, guests, host, 1, benchVIFs)},
		{"udp-in-bursts", benchVIFs, benchUDP(b, host, guests, 2, 8)},
		{"udp-out-bursts", benchVIFs, benchUDP(b, guests, host, 1, 8)},
		{"tcp-in", 0, benchTCP(b, host, guests, 2)},
	}
	for b.Loop() {
		benchStamper(b, host)
		r := start(b, host, Config{})
		for _, phase := range []string{"noise", "taps"} {
			if phase == "taps" {
				r.Set(vifs)
				r.opened(benchVIFs)
			}
			for _, l := range loads {
				var ratios, extra []float64
				for i := range benchRounds {
					var took [2]time.Duration
					for j := range 2 {
						side := (i + j) % 2 // 0 = with taps
						took[side] = l.turn(side)
					}
					ratios = append(ratios, took[0].Seconds()/took[1].Seconds())
					extra = append(extra, float64(took[0]-took[1])/l.frames)
				}
				b.ReportMetric(median(ratios), l.name+"-"+phase)
				if l.frames != 0 && phase == "taps" {
					b.ReportMetric(median(extra), l.name+"-ns/frame")
				}
			}
		}
		b.ReportMetric(100*idleCPU(b, 2*time.Second), "idle-cpu-%")
		r.settle()
		if len(r.echoes) != 0 {
			b.Errorf("%d echoes in traffic without any", len(r.echoes))
		}
		r.end()
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// benchSite joins two namespaces by 400 veths: 10.100.N.0/24 over vif N, the
// first half, and 10.101.N.0/24 over the others. The kernel's tables of both are
// mixed.
func benchSite(b *testing.B, host, guests *netlab.NS) (vifs []flow.GuestNIC) {
	var make, there strings.Builder
	for i := range benchVIFs {
		for _, n := range []int{100, 101} {
			name := fmt.Sprintf("vif%d.%d", n, i)
			fmt.Fprintf(&make, "link add %s index %d type veth peer name eth%d.%d netns %s\n", name, 1000+2*i+n-100, n, i, guests.Name)
			fmt.Fprintf(&make, "addr add 10.%d.%d.1/24 dev %s\nlink set %s up\n", n, i, name, name)
			fmt.Fprintf(&there, "addr add 10.%d.%d.2/24 dev eth%d.%d\nlink set eth%d.%d up\n", n, i, n, i, n, i)
		}
		vifs = append(vifs, flow.GuestNIC{Name: fmt.Sprintf("vif100.%d", i), Ifindex: 1000 + 2*i, Kind: "veth"})
	}
	batch(b, host, make.String())
	batch(b, guests, there.String())
	return vifs
}

// benchUDP sends datagrams through some vifs of a half, in turn as many as there
// are vifs, to a socket that nobody reads. One through each of 200 is the worst
// case: nothing of its way is in the CPU's cache.
func benchUDP(b *testing.B, from, to *netlab.NS, end byte, vifs int) func(int) time.Duration {
	if err := to.Do(func() error {
		c, err := net.ListenPacket("udp4", fmt.Sprint("0.0.0.0:", 9000+vifs))
		if err == nil {
			b.Cleanup(func() { c.Close() })
		}
		return err
	}); err != nil {
		b.Fatal(err)
	}
	var fd int
	if err := from.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Close(fd) })
	payload := make([]byte, 300)
	turn := func(half int) time.Duration {
		start := ownCPU(b)
		for i := range benchVIFs {
			if err := unix.Sendto(fd, payload, 0, &unix.SockaddrInet4{Port: 9000 + vifs, Addr: [4]byte{10, byte(100 + half), byte(i * vifs / benchVIFs), end}}); err != nil {
				b.Fatal(err)
			}
		}
		return ownCPU(b) - start
	}
	for range 3 { // neighbours are known from here on
		turn(0)
		turn(1)
	}
	return turn
}

// benchTCP sends through one vif of a half to somebody who reads it all.
func benchTCP(b *testing.B, from, to *netlab.NS, end byte) func(int) time.Duration {
	const size = 1 << 20
	data, sink := make([]byte, size), make([]byte, size)
	var in, out [2]net.Conn
	for half := range 2 {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(100 + half), 7, end}), 9000).String()
		l, err := to.Listen(at)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { l.Close() })
		if err := from.Do(func() (err error) { out[half], err = net.Dial("tcp4", at); return err }); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { out[half].Close() })
		if in[half], err = l.Accept(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { in[half].Close() })
	}
	return func(half int) time.Duration {
		start := ownCPU(b)
		go func() { _, _ = out[half].Write(data) }()
		if _, err := io.ReadFull(in[half], sink); err != nil {
			b.Fatal(err)
		}
		return ownCPU(b) - start
	}
}

// benchStamper makes the kernel stamp frames as long as the benchmark runs.
func benchStamper(b *testing.B, ns *netlab.NS) {
	filter, err := echoFilter()
	if err != nil {
		b.Fatal(err)
	}
	var fd int
	if err := ns.Do(func() (err error) { fd, err = openSocket(1, filter); return err }); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Close(fd) })
}

// ownCPU is the CPU time of this process so far. What the kernel does for a frame
// on its way through a veth it does in the sender's time, nearly always.
func ownCPU(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// idleCPU is the share of one CPU that this process takes while it does nothing.
func idleCPU(b *testing.B, d time.Duration) float64 {
	before, start := ownCPU(b), time.Now()
	time.Sleep(d)
	return (ownCPU(b) - before).Seconds() / time.Since(start).Seconds()
}
