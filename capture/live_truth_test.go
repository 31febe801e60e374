package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spiketop/flow"
	"spiketop/testdata/netlab"
)

// noSuperFrames switches segmentation offload off at both ends.
func (p *pair) noSuperFrames() {
	p.near.IP("link set dev nic gso_max_segs 1")
	p.far.IP("link set dev peer gso_max_segs 1")
}

// tcp moves n bytes from near to far and waits until far has read them.
func (p *pair) tcp(t *testing.T, port int, n int64) {
	t.Helper()
	addr := net.JoinHostPort("10.9.0.2", strconv.Itoa(port))
	l, err := p.far.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- -1
			return
		}
		defer c.Close()
		m, _ := io.Copy(io.Discard, c)
		got <- m
	}()
	var c net.Conn
	if err := p.near.Do(func() (err error) { c, err = net.Dial("tcp4", addr); return err }); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for left := n; left > 0; {
		m, err := c.Write(buf[:min(left, int64(len(buf)))])
		if err != nil {
			t.Fatal(err)
		}
		left -= int64(m)
	}
	c.Close()
	if m := <-got; m != n {
		t.Fatalf("the other end read %d of %d bytes", m, n)
	}
}

// rawSender sends frames as they are, n times, on a device.
func rawSend(t *testing.T, ns *netlab.NS, dev string, frame []byte, n int) {
	t.Helper()
	err := ns.Do(func() error {
		i, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for range n {
			if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: i.Index}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// taggedUDP is a frame with an 802.1Q tag in it: IPv4, UDP port 7 to 7, to a
// MAC that nobody has.
func taggedUDP(vlan uint16, src, dst string, size int) []byte {
	f := make([]byte, size)
	copy(f, []byte{2, 0xfe, 0, 0, 0, 1, 2, 0xfe, 0, 0, 0, 2, 0x81, 0x00})
	binary.BigEndian.PutUint16(f[14:], vlan)
	binary.BigEndian.PutUint16(f[16:], 0x0800)
	ip := f[18:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(ip[12:], s[:])
	copy(ip[16:], d[:])
	binary.BigEndian.PutUint16(ip[20:], 7)
	binary.BigEndian.PutUint16(ip[22:], 7)
	binary.BigEndian.PutUint16(ip[24:], uint16(len(ip)-20))
	return f
}

// TestLiveTruth: every flow's packets and bytes in either direction are those
// that tcpdump saw on the same NIC.
func TestLiveTruth(t *testing.T) {
	p := newPair(t)
	p.noSuperFrames()
	r := open(t, p.near, ReaderConfig{})
	r.run()
	dump := netlab.StartTcpdump(t, p.near, "nic")
	send(t, p.udp(t, true, 5001), 700, 10, 0)
	send(t, p.udp(t, true, 5002), 300, 1400, 0)
	send(t, p.udp(t, false, 5003), 500, 512, 0)
	p.tcp(t, 5004, 3<<20)
	netlab.Run(t, "ip", "netns", "exec", p.near.Name, "ping", "-q", "-c", "10", "-i", "0.05", "10.9.0.2")
	rawSend(t, p.far, "peer", taggedUDP(100, "10.8.0.2", "10.8.0.1", 200), 40) // in: the kernel takes the tag off
	rawSend(t, p.near, "nic", taggedUDP(101, "10.8.0.1", "10.8.0.2", 300), 30) // out: the tag lies in the frame
	r.settle()
	r.end()
	seen := dump.Stop()

	type key struct{ flow, dir string }
	want, got := map[key]flow.Counters{}, map[key]flow.Counters{}
	for _, q := range seen {
		if !q.Src.IsValid() {
			continue // ARP
		}
		k := key{fmt.Sprintf("%v %v %v", q.Proto, q.Src, q.Dst), "rx"}
		if a := q.Src.Addr().String(); a == "10.9.0.1" || a == "10.8.0.1" {
			k = key{fmt.Sprintf("%v %v %v", q.Proto, q.Dst, q.Src), "tx"}
		}
		c := want[k]
		c.Add(flow.Counters{Bytes: uint64(q.Len), Packets: 1})
		want[k] = c
	}
	s := r.sums()
	for k, c := range s.flows {
		if k.Family != flow.FamilyIPv4 {
			continue
		}
		name := fmt.Sprintf("%v %v %v", k.Proto, netip.AddrPortFrom(k.RemoteAddr(), k.RemotePort), netip.AddrPortFrom(k.LocalAddr(), k.LocalPort))
		for _, d := range flow.Directions {
			if c[d] != (flow.Counters{}) {
				got[key{name, d.String()}] = c[d]
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flows (-tcpdump +ours):\n%s", diff)
	}
	if len(want) < 6 {
		t.Errorf("tcpdump saw only %d flows: %v", len(want), want)
	}
	tagged := map[uint16][2]flow.Counters{}
	for k, c := range s.flows {
		if k.VLAN != 0 {
			tagged[k.VLAN] = c
		}
	}
	wantTagged := map[uint16][2]flow.Counters{ // with the 4 bytes of the tag
		100: {flow.Rx: {Bytes: 40 * 200, Packets: 40}},
		101: {flow.Tx: {Bytes: 30 * 300, Packets: 30}},
	}
	if diff := cmp.Diff(wantTagged, tagged); diff != "" {
		t.Errorf("tagged flows (-want +got):\n%s", diff)
	}
	if st := r.Stats(); s.lost != 0 || s.late != 0 || st.Damaged != 0 || st.BadStamps != 0 || st.Decode.SuperFrames != 0 {
		t.Errorf("lost %d, late %d, %+v", s.lost, s.late, st)
	}
}

// tcpSegs reads TCP's own counts of segments sent in a namespace: all, and those
// sent again. GSO segments count one by one there.
func tcpSegs(t *testing.T, ns *netlab.NS) (all, again int64) {
	t.Helper()
	var names, values []string
	for line := range strings.Lines(netlab.Run(t, "ip", "netns", "exec", ns.Name, "cat", "/proc/net/snmp")) {
		if rest, ok := strings.CutPrefix(line, "Tcp:"); ok {
			names, values = values, strings.Fields(rest)
		}
	}
	for i, n := range names {
		v, _ := strconv.ParseInt(values[i], 10, 64)
		switch n {
		case "OutSegs":
			all += v
		case "RetransSegs":
			all += v
			again += v
		}
	}
	return all, again
}

// TestLiveSuperFrames: with offloads on, a super-frame counts as what the wire
// would carry, by TCP's own count of segments.
func TestLiveSuperFrames(t *testing.T) {
	p := newPair(t)
	r := open(t, p.near, ReaderConfig{})
	r.run()
	const payload = 64 << 20
	p.tcp(t, 5004, payload)
	r.settle()
	r.end()
	s := r.sums()
	c := s.port(5004)
	sent, again := tcpSegs(t, p.near)
	acks, _ := tcpSegs(t, p.far)
	// Ethernet 14 + IPv4 20 + TCP 20 + timestamps 12 = 66 bytes of headers; what
	// is sent again is a full segment of 1448 bytes.
	wire := float64(payload + 66*sent + 1448*again)
	segs, bytes := float64(c[flow.Tx].Packets)/float64(sent), float64(c[flow.Tx].Bytes)/wire
	back := float64(c[flow.Rx].Packets) / float64(acks)
	t.Logf("%d super-frames of %d frames; packets %.5f, bytes %.5f of the wire's; acks %.5f", r.Stats().Decode.SuperFrames, r.Stats().Frames, segs, bytes, back)
	if segs < 0.999 || segs > 1.001 || bytes < 0.998 || bytes > 1.002 || back < 0.999 || back > 1.001 {
		t.Errorf("packets %.5f, bytes %.5f of the wire's; acks %.5f; lost %d", segs, bytes, back, s.lost)
	}
	if r.Stats().Decode.SuperFrames < 100 {
		t.Errorf("only %d super-frames: nothing was tested", r.Stats().Decode.SuperFrames)
	}
}

// busyLoops keeps n CPUs busy until the returned function is called.
func busyLoops(t *testing.T, ns *netlab.NS, n int) (calm func()) {
	t.Helper()
	var loops []*exec.Cmd
	for range n {
		c := ns.Command("sh", "-c", "while :; do :; done")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		loops = append(loops, c)
	}
	var once sync.Once
	calm = func() {
		once.Do(func() {
			for _, c := range loops {
				_ = c.Process.Kill()
				_ = c.Wait()
			}
		})
	}
	t.Cleanup(calm)
	return calm
}

// TestLiveEchoStamps: the time between request and reply is that of tcpdump's
// stamps of the same packets, however busy the machine is.
func TestLiveEchoStamps(t *testing.T) {
	p := newPair(t)
	r := open(t, p.near, ReaderConfig{})
	r.run()
	dump := netlab.StartTcpdump(t, p.near, "nic", "icmp")
	calm := busyLoops(t, p.near, 2)
	const count = 200
	netlab.Run(t, "ip", "netns", "exec", p.near.Name, "ping", "-q", "-c", strconv.Itoa(count), "-i", "0.01", "10.9.0.2")
	r.settle()
	r.end()
	calm()                             // tcpdump needs the CPU to write its file
	truth := map[uint16][2]time.Time{} // by sequence number: request, reply
	for _, q := range dump.Stop() {
		v := truth[q.Seq]
		v[map[uint8]int{8: 0, 0: 1}[q.Type]] = q.At
		truth[q.Seq] = v
	}
	ours := map[uint16][2]flow.Echo{}
	for _, e := range r.sums().echoes {
		v := ours[e.Seq]
		n := 0
		if e.Reply {
			n = 1
		}
		v[n] = e
		ours[e.Seq] = v
	}
	if len(ours) != count || len(truth) < count/2 { // a witness stopped on a busy machine may miss the last ones
		t.Fatalf("%d echoes, tcpdump saw %d, want %d", len(ours), len(truth), count)
	}
	exact, compared, worst := 0, 0, time.Duration(0)
	for seq, e := range ours {
		if truth[seq][0].IsZero() || truth[seq][1].IsZero() {
			continue
		}
		compared++
		if e[0].Dir != flow.Tx || e[1].Dir != flow.Rx || e[0].Link != 1 || e[0].PayloadN != 24 {
			t.Errorf("echo %d: %+v", seq, e)
		}
		d := e[1].At.Sub(e[0].At) - truth[seq][1].Sub(truth[seq][0])
		if worst = max(worst, d.Abs()); d == 0 {
			exact++
		}
		if w := e[0].Offset.Wall(e[0].At); !w.Equal(truth[seq][0]) {
			t.Errorf("echo %d left at %v, tcpdump says %v", seq, w, truth[seq][0])
		}
	}
	t.Logf("%d of %d wire times equal to the nanosecond, the worst differs by %v", exact, compared, worst)
	if worst > 50*time.Microsecond {
		t.Errorf("a wire time differs by %v from tcpdump's", worst)
	}
}
