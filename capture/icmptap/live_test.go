package icmptap

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spiketop/capture"
	"spiketop/flow"
	"spiketop/testdata/netlab"
)

// site is a host with a bridge, two guests on veths, and a NIC to a far host.
type site struct {
	host, vmA, vmB, far *netlab.NS
}

const (
	addrA, addrB, addrFar = "10.9.0.1", "10.9.0.2", "10.9.0.3"
)

func newSite(t *testing.T) *site {
	t.Helper()
	netlab.NeedTool(t, "netns", "ping")
	s := &site{netlab.NewNS(t, "host"), netlab.NewNS(t, "vma"), netlab.NewNS(t, "vmb"), netlab.NewNS(t, "far")}
	s.host.IP("link add br0 type bridge")
	s.host.IP("link set br0 up")
	s.port(t, "vif_a", "", s.vmA, addrA, "fd00::1")
	s.port(t, "vif_b", "", s.vmB, addrB, "fd00::2")
	s.port(t, "nic", "", s.far, addrFar, "fd00::3")
	return s
}

// port gives ns a NIC whose other end is a port of the host's bridge; number is
// its ifindex there, "" = any.
func (s *site) port(t *testing.T, name, number string, ns *netlab.NS, addrs ...string) {
	t.Helper()
	if number != "" {
		number = "index " + number
	}
	s.host.IP("link add " + name + " " + number + " type veth peer name eth0 netns " + ns.Name)
	s.host.IP("link set " + name + " master br0 up")
	ns.IP("link set eth0 up")
	for _, a := range addrs {
		bits := "/24"
		if strings.Contains(a, ":") {
			bits = "/64 nodad"
		}
		ns.IP("addr add " + a + bits + " dev eth0")
	}
}

func ifindex(t testing.TB, ns *netlab.NS, name string) int {
	t.Helper()
	var i *net.Interface
	if err := ns.Do(func() (err error) { i, err = net.InterfaceByName(name); return err }); err != nil {
		t.Fatal(err)
	}
	return i.Index
}

func (s *site) vifs(t *testing.T, names ...string) (list []flow.GuestNIC) {
	t.Helper()
	for _, n := range names {
		list = append(list, flow.GuestNIC{Name: n, Kind: "veth", Ifindex: ifindex(t, s.host, n)})
	}
	return list
}

// ping sends n pings from ns and fails the test if one is not answered.
func ping(t *testing.T, ns *netlab.NS, to string, n int, args ...string) {
	t.Helper()
	args = append([]string{"-n", "-q", "-i", "0.02", "-W", "5", "-c", fmt.Sprint(n)}, append(args, to)...)
	if out, err := ns.Command("ping", args...).CombinedOutput(); err != nil {
		t.Fatalf("ping %s: %v\n%s", to, err, out)
	}
}

// running are Taps under test with what they have handed on.
type running struct {
	*Taps
	t    testing.TB
	out  chan *Batch
	stop context.CancelFunc
	done chan error

	echoes  []flow.Echo
	gaps    []Gap
	changes []Change
	drained flow.Time
}

func start(t testing.TB, ns *netlab.NS, cfg Config) *running {
	t.Helper()
	clock, err := capture.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, out: make(chan *Batch, 1<<14), done: make(chan error, 1)}
	cfg.Clock, cfg.Out = clock, r.out
	if r.Taps, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- ns.Do(func() error { return r.Run(ctx) }) }()
	t.Cleanup(r.end)
	return r
}

func (r *running) end() {
	if r.stop == nil {
		return
	}
	r.stop()
	r.stop = nil
	if err := <-r.done; err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

func (r *running) take(b *Batch) {
	if b.Drained < r.drained {
		r.t.Errorf("watermark went back by %v", r.drained.Sub(b.Drained))
	}
	for _, e := range b.Echoes {
		if e.At < r.drained {
			r.t.Errorf("echo of vif %d seq %d stamped %v before a watermark that was told", e.VIF, e.Seq, r.drained.Sub(e.At))
		}
	}
	r.drained = b.Drained
	r.echoes = append(r.echoes, b.Echoes...)
	r.gaps = append(r.gaps, b.Gaps...)
	r.changes = append(r.changes, b.Changes...)
}

// settle waits until everything stamped so far has been handed on.
func (r *running) settle() {
	r.t.Helper()
	at, deadline := capture.Now(), time.After(20*time.Second)
	for r.drained <= at {
		select {
		case b := <-r.out:
			r.take(b)
		case <-deadline:
			r.t.Fatalf("watermark did not reach %d: %+v", at, r.Stats())
		}
	}
}

// opened waits until n taps are open.
func (r *running) opened(n int) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := 0
		s := r.Stats()
		for i := range s.VIFs {
			if s.VIFs[i].Open {
				got++
			}
		}
		if got == n {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d taps are open, want %d: %+v", got, n, s)
		}
	}
}

// sight is an echo as the tests compare it.
type sight struct {
	vif   int
	dir   flow.Direction
	reply bool
	id    uint16
	seq   uint16
}

func sights(echoes []flow.Echo) map[sight]flow.Echo {
	m := map[sight]flow.Echo{}
	for _, e := range echoes {
		m[sight{e.VIF, e.Dir, e.Reply, e.ID, e.Seq}] = e
	}
	return m
}

// Every ping between two guests is seen on both vifs, out and back, in order.
func TestEchoesBetweenGuests(t *testing.T) {
	s := newSite(t)
	vifs := s.vifs(t, "vif_a", "vif_b")
	a, b := vifs[0].Ifindex, vifs[1].Ifindex
	for _, tt := range []struct {
		name, from, to string
		family         flow.Family
		args           []string
	}{
		{"IPv4", addrA, addrB, flow.FamilyIPv4, nil},
		{"IPv6", "fd00::1", "fd00::2", flow.FamilyIPv6, nil},
		{"large", addrA, addrB, flow.FamilyIPv4, []string{"-s", "1472"}},
		{"without payload", addrA, addrB, flow.FamilyIPv4, []string{"-s", "0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, s.host, Config{})
			r.Set(vifs)
			r.opened(2)
			before := capture.Now()
			ping(t, s.vmA, tt.to, 5, append(tt.args, "-e", "4660")...)
			r.settle()
			after := capture.Now()
			got := sights(r.echoes)
			if len(r.echoes) != 20 || len(got) != 20 { // 5 pings, out and back, on two vifs
				t.Errorf("%d echoes, %d of them different, want 20", len(r.echoes), len(got))
			}
			for seq := uint16(1); seq <= 5; seq++ {
				last := before
				for _, want := range []sight{{a, flow.Tx, false, 4660, seq}, {b, flow.Rx, false, 4660, seq}, {b, flow.Tx, true, 4660, seq}, {a, flow.Rx, true, 4660, seq}} {
					e, ok := got[want]
					if !ok {
						t.Errorf("%+v was not seen", want)
						continue
					}
					if e.At < last || e.At > after {
						t.Errorf("%+v is stamped %v before what came before it", want, last.Sub(e.At))
					}
					last = e.At
					src, dst := netip.MustParseAddr(tt.from), netip.MustParseAddr(tt.to)
					if e.Reply {
						src, dst = dst, src
					}
					if e.Src != src.As16() || e.Dst != dst.As16() || e.VLAN != 0 || e.Family != tt.family || e.Link != 0 || e.Tunnel {
						t.Errorf("%+v: %+v", want, e)
					}
				}
			}
			if len(r.gaps) != 0 {
				t.Errorf("gaps: %+v", r.gaps)
			}
			r.end()
		})
	}
}

// The stamps on a vif and those of a ring on the NIC are one clock's: out, the
// vif comes first, back, the NIC.
func TestStampsAgainstNIC(t *testing.T) {
	s := newSite(t)
	r := start(t, s.host, Config{})
	vifs := s.vifs(t, "vif_a", "vif_b")
	r.Set(vifs)
	r.opened(2)
	clock, err := capture.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	batches := make(chan *flow.Batch, 1<<12)
	var reader *capture.Reader
	nic := ifindex(t, s.host, "nic")
	if err := s.host.Do(func() (err error) {
		reader, err = capture.OpenReader(capture.ReaderConfig{Link: 1, Name: "nic", Ifindex: nic, Clock: clock, Out: batches})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- reader.Run(ctx) }()
	ping(t, s.vmA, addrFar, 10)
	r.settle()
	var onNIC []flow.Echo
	for drained := flow.Time(0); drained < r.drained; {
		b := <-batches
		onNIC, drained = append(onNIC, b.Echoes...), b.Drained
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	vif, link := sights(r.echoes), sights(onNIC)
	if len(vif) != 20 || len(link) != 20 { // 10 pings, out and back
		t.Fatalf("%d echoes on the vif, %d on the NIC, want 20", len(vif), len(link))
	}
	for k, e := range vif {
		out := sight{0, flow.Tx, k.reply, k.id, k.seq}
		if k.reply {
			out.dir = flow.Rx
		}
		n, ok := link[out]
		if !ok {
			t.Errorf("%+v was not seen on the NIC", k)
			continue
		}
		if k.dir == flow.Tx && n.At < e.At || k.dir == flow.Rx && n.At > e.At {
			t.Errorf("%+v: vif %d, NIC %d", k, e.At, n.At)
		}
		// They are some us apart; a wrong clock would be off by far more.
		if n.At.Sub(e.At).Abs() > time.Second || n.Payload != e.Payload || n.Src != e.Src || n.VLAN != e.VLAN {
			t.Errorf("%+v: on the NIC %+v", e, n)
		}
	}
}

// A guest that tags: the tag lies in the frame, or beside it where the kernel has
// taken it out.
func TestTags(t *testing.T) {
	s := newSite(t)
	r := start(t, s.host, Config{})
	vifs := s.vifs(t, "vif_a", "vif_b")
	r.Set(vifs)
	r.opened(2)
	frames := [][]byte{
		join(eth(0x8100, 0x6005, 0x800), ip4(1, 0, 0, icmp(8))),
		join(eth(0x88a8, 6, 0x8100, 7, 0x86dd), ip6(58, icmp(129))),
		join(eth(0x8100, 8, 0x800), ip4(17, 0, 0, icmp(8))), // no echo
	}
	sendFrames(t, s.vmA, func(send func([]byte) error) error {
		for _, f := range frames {
			if err := send(f); err != nil {
				return err
			}
		}
		return nil
	})
	r.settle()
	type tagged struct {
		vif    int
		dir    flow.Direction
		vlan   uint16
		family flow.Family
	}
	got := map[tagged]int{}
	for _, e := range r.echoes {
		got[tagged{e.VIF, e.Dir, e.VLAN, e.Family}]++
	}
	a, b := vifs[0].Ifindex, vifs[1].Ifindex
	want := map[tagged]int{
		{a, flow.Tx, 5, flow.FamilyIPv4}: 1, {b, flow.Rx, 5, flow.FamilyIPv4}: 1, // the bridge floods what it does not know
		{a, flow.Tx, 6, flow.FamilyIPv6}: 1, {b, flow.Rx, 6, flow.FamilyIPv6}: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("echoes (-want +got):\n%s", diff)
	}
}

// flood sends requests out of a guest's NIC as fast as it can.
func flood(t *testing.T, ns *netlab.NS, d time.Duration) (sent uint64) {
	t.Helper()
	frame := join(eth(0x800), ip4(1, 0, 0, icmp(8)))
	sendFrames(t, ns, func(send func([]byte) error) error {
		for end := time.Now().Add(d); time.Now().Before(end); {
			for range 50 {
				if send(frame) == nil {
					sent++
				}
			}
		}
		return nil
	})
	return sent
}

// sendFrames lets f send frames out of a guest's NIC.
func sendFrames(t testing.TB, ns *netlab.NS, f func(send func([]byte) error) error) {
	t.Helper()
	err := ns.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := &unix.SockaddrLinklayer{Ifindex: i.Index}
		return f(func(frame []byte) error { return unix.Sendto(fd, frame, 0, to) })
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A guest that floods is bounded and counted; another guest's pings are all seen.
func TestFlood(t *testing.T) {
	s := newSite(t)
	r := start(t, s.host, Config{Rate: 200})
	vifs := s.vifs(t, "vif_a", "vif_b")
	r.Set(vifs)
	r.opened(2)
	a, b := vifs[0].Ifindex, vifs[1].Ifindex
	calm := s.vmB.Command("ping", "-n", "-q", "-i", "0.05", "-W", "5", "-c", "30", addrFar)
	if err := calm.Start(); err != nil {
		t.Fatal(err)
	}
	from := capture.Now()
	sent := flood(t, s.vmA, 1500*time.Millisecond)
	took := capture.Now().Sub(from)
	if err := calm.Wait(); err != nil {
		t.Fatalf("the calm guest's ping: %v", err)
	}
	st := r.of(a)
	for deadline := time.Now().Add(10 * time.Second); st.Seen != st.Delivered+st.Over+st.Dropped+st.Other && time.Now().Before(deadline); st = r.of(a) {
		time.Sleep(20 * time.Millisecond)
	}
	r.settle()
	t.Logf("%d requests sent in %v: %+v", sent, took, st)
	if most := uint64(200*took.Seconds()) + 100 + 200; st.Delivered > most || st.Delivered < 100 { // rate, bucket, a second of slack
		t.Errorf("%d echoes were delivered, want 100 to %d", st.Delivered, most)
	}
	if st.Seen > sent || st.Seen < sent/10 || st.Seen != st.Delivered+st.Over+st.Dropped+st.Other || st.Over == 0 {
		t.Errorf("of %d sent: %+v", sent, st)
	}
	calmEchoes, floodEchoes := 0, uint64(0)
	for _, e := range r.echoes {
		switch e.VIF {
		case a:
			floodEchoes++
		case b:
			calmEchoes++
		}
		for _, g := range r.gaps {
			// What was told as missing is missing, so that nobody counts on half of it.
			if g.VIF == e.VIF && g.Flood && e.At > g.From && e.At < g.Until && g.Until.Sub(g.From) == muteFor {
				t.Errorf("an echo in the middle of the gap %+v", g)
			}
		}
	}
	if floodEchoes != st.Delivered {
		t.Errorf("%d echoes handed on, %d counted", floodEchoes, st.Delivered)
	}
	// Every request and answer of the calm guest, unless this machine was too slow,
	// which then is told.
	if other := r.of(b); calmEchoes != 60 && other.Dropped == 0 || other.Over != 0 {
		t.Errorf("%d of 60 echoes of the calm guest: %+v", calmEchoes, other)
	}
	told := time.Duration(0)
	for _, g := range r.gaps {
		if g.VIF == a {
			told += g.Until.Sub(g.From)
		}
	}
	if told < took/2 {
		t.Errorf("gaps of %v in %v of a flood", told, took)
	}
}

func (r *running) of(ifindex int) VIFStats {
	s := r.Stats()
	i := slices.IndexFunc(s.VIFs, func(v VIFStats) bool { return v.Ifindex == ifindex })
	if i < 0 {
		r.t.Fatalf("no vif %d in %+v", ifindex, s)
	}
	return s.VIFs[i]
}

// A vif goes down, vanishes and returns, with another number and with its own.
func TestVanish(t *testing.T) {
	s := newSite(t)
	r := start(t, s.host, Config{})
	seen := func(what string) {
		t.Helper()
		n := len(r.echoes)
		ping(t, s.vmA, addrFar, 3)
		r.settle()
		if got := len(r.echoes) - n; got != 6 {
			t.Errorf("%s: %d echoes, want 6; %+v", what, got, r.Stats())
		}
	}
	vifs := s.vifs(t, "vif_a")
	r.Set(vifs)
	r.opened(1)
	seen("at first")
	s.host.IP("link set vif_a down")
	s.host.IP("link set vif_a up")
	r.opened(1)
	seen("after it was down")

	s.host.IP("link del vif_a")
	r.opened(0)
	if st := r.of(vifs[0].Ifindex); st.Err != nil {
		t.Errorf("a vif that is gone: %v", st.Err)
	}
	s.port(t, "vif_a", fmt.Sprint(vifs[0].Ifindex), s.vmA, addrA)
	r.opened(1)
	seen("back with its number, unasked")

	s.host.IP("link del vif_a")
	s.port(t, "vif_a", "", s.vmA, addrA)
	vifs = s.vifs(t, "vif_a")
	r.Set(vifs)
	r.opened(1)
	seen("with another number")

	r.Set(nil)
	r.opened(0)
	r.settle()
	var opens, closes int
	for _, c := range r.changes {
		if c.Open {
			opens++
		} else {
			closes++
		}
	}
	if opens != 3 || closes != 3 {
		t.Errorf("%d times opened, %d times closed, want 3 and 3: %+v", opens, closes, r.changes)
	}
	if len(r.gaps) != 0 {
		t.Errorf("gaps: %+v", r.gaps)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	l, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(l) == 0 {
		t.Fatalf("own descriptors: %v", err)
	}
	return len(l)
}

// idle makes n devices that carry nothing.
func idle(t testing.TB, ns *netlab.NS, n int) (list []flow.GuestNIC) {
	t.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "link add vif%03d index %d type bridge\nlink set vif%03d up\n", i, 1000+i, i)
		list = append(list, flow.GuestNIC{Name: fmt.Sprintf("vif%03d", i), Ifindex: 1000 + i, Kind: "tap"})
	}
	batch(t, ns, lines.String())
	return list
}

// batch runs many lines of ip(8) at once.
func batch(t testing.TB, ns *netlab.NS, lines string) {
	t.Helper()
	cmd := exec.Command("ip", "-n", ns.Name, "-batch", "-")
	cmd.Stdin = strings.NewReader(lines)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip -batch: %v\n%s", err, out)
	}
}

// 200 vifs come and go; no descriptor and no goroutine stays.
func TestMany(t *testing.T) {
	ns := netlab.NewNS(t, "many")
	vifs := idle(t, ns, 200)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	r := start(t, ns, Config{MaxVIFs: 150})
	for range 3 {
		r.Set(vifs)
		r.opened(150)
		if s := r.Stats(); s.Beyond != 50 || len(s.VIFs) != 150 || s.VIFs[149].Ifindex != 1149 {
			t.Errorf("beyond the bound %d, %d known, last %d", s.Beyond, len(s.VIFs), s.VIFs[len(s.VIFs)-1].Ifindex)
		}
		r.Set(vifs[100:110])
		r.opened(10)
		if n := openFiles(t); n < files+10 {
			t.Errorf("%d descriptors, want at least %d", n, files+10)
		}
	}
	r.Set(vifs)
	r.opened(150)
	at := time.Now()
	r.end()
	t.Logf("closed 150 taps in %v", time.Since(at))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		g, f := runtime.NumGoroutine(), openFiles(t)
		if g <= goroutines && f <= files {
			return
		}
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, were %d; %d descriptors, were %d\n%s", g, goroutines, f, files, buf[:runtime.Stack(buf, true)])
		}
	}
}

// A process without rights learns it at once.
func TestCheck(t *testing.T) {
	netlab.Need(t, "netns", os.Geteuid() == 0, "not root")
	if err := Check(); err != nil {
		t.Error(err)
	}
}
