package probe

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"spiketop/flow"

	"golang.org/x/sys/unix"
)

// TestLive pings with pro-bing itself between two network namespaces. The test
// runs itself again inside the first one.
func TestLive(t *testing.T) {
	if os.Getenv("SPIKETOP_PROBE_LIVE") != "" {
		t.Skip("this is the inner run")
	}
	if os.Getuid() != 0 {
		need(t, "netns", "not root: cannot make network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		need(t, "netns", "no ip command (iproute2)")
	}
	a, b := fmt.Sprintf("spk-probe-a-%d", os.Getpid()), fmt.Sprintf("spk-probe-b-%d", os.Getpid())
	for _, ns := range []string{a, b} {
		if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
			need(t, "netns", fmt.Sprintf("ip netns add: %v: %s", err, out))
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	}
	ip(t, "-n "+a+" link add veth0 type veth peer name veth0 netns "+b)
	for i, ns := range []string{a, b} {
		ip(t, "-n "+ns+" link set lo up")
		ip(t, "-n "+ns+" link set veth0 up")
		ip(t, fmt.Sprintf("-n %s addr add 10.77.0.%d/24 dev veth0", ns, i+1))
		ip(t, fmt.Sprintf("-n %s addr add fd77::%d/64 dev veth0 nodad", ns, i+1))
	}
	ip(t, "-n "+a+" route add prohibit 10.88.0.0/16")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", a, self, "-test.run", "^TestLiveInside$", "-test.v", "-test.timeout", "90s")
	cmd.Env = append(os.Environ(), "SPIKETOP_PROBE_LIVE=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	passed := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		t.Log(lines.Text())
		passed = passed || strings.Contains(lines.Text(), "--- PASS: TestLiveInside")
		if lines.Text() == stopMe {
			go stopAndGo(cmd.Process)
		}
	}
	if err := cmd.Wait(); err != nil || !passed {
		t.Errorf("inside: %v", err)
	}
}

// stopMe is what the inner run prints when it is ready to be suspended.
const stopMe = "stop me"

// stopAndGo suspends a process for the times that no incident may come of.
func stopAndGo(p *os.Process) {
	for _, d := range []time.Duration{50 * msec, 150 * msec, 400 * msec, time.Second, 2100 * msec} {
		if p.Signal(syscall.SIGSTOP) != nil {
			return
		}
		time.Sleep(d) // the time is the stimulus here; nothing waits for it to be enough
		_ = p.Signal(syscall.SIGCONT)
		time.Sleep(230 * msec)
	}
}

// need skips the test, or fails it where SPIKETOP_REQUIRE names what is missing.
func need(t *testing.T, what, why string) {
	t.Helper()
	for w := range strings.SplitSeq(os.Getenv("SPIKETOP_REQUIRE"), ",") {
		if w == what {
			t.Fatal(why)
		}
	}
	t.Skip(why)
}

func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

func monotonic() flow.Time {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return flow.Time(ts.Nano())
}

// The outcomes asked of each target.
type outcome struct {
	kernel, user, lost, unknown int
	n                           int64         // of the newest sample
	aged                        int           // samples with an age
	worst                       time.Duration // RTT without Own
}

func TestLiveInside(t *testing.T) {
	if os.Getenv("SPIKETOP_PROBE_LIVE") == "" {
		t.Skip("runs inside TestLive's namespace")
	}
	targets := []Target{
		{ID: 1, Name: "10.77.0.2", Captured: true},
		{ID: 2, Name: "fd77::2", Captured: true},
		{ID: 3, Name: "127.0.0.1"},
		{ID: 4, Name: "10.99.0.1", Captured: true},        // no route
		{ID: 5, Name: "10.88.0.1", Captured: true},        // route of type prohibit: EACCES
		{ID: 6, Name: "no-such-host.invalid"},             // no name server here
		{ID: 7, Name: "10.77.0.99", Captured: true},       // nobody there
		{ID: 8, Name: "::ffff:10.77.0.2", Captured: true}, // IPv4 in IPv6 clothes, and a second one to one address
	}
	ring := openTap(t, "veth0")
	events := make(chan Event, 4096)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var pingers sync.WaitGroup
	ids := new(IDs)
	for _, d := range targets {
		p := NewPinger(PingerConfig{Target: d, Events: events, Now: monotonic, IDs: ids})
		p.most = 15 // a hand-over after every 1.5 s
		pingers.Go(func() {
			if err := p.Run(ctx); err != nil {
				t.Errorf("%s: %v", d.Name, err)
			}
		})
	}
	s := NewSet(SetConfig{Stall: 50 * msec})
	s.SetTargets(targets)
	s.SetLinks([]flow.LinkID{1})
	got := map[TargetID]*outcome{}
	for _, d := range targets {
		got[d.ID] = new(outcome)
	}
	runs := map[TargetID]int{}
	pauses, longest, last := 0, time.Duration(0), monotonic()
	told := false
	enough := func() bool {
		return got[1].kernel >= 40 && got[2].kernel >= 40 && got[3].user >= 40 && got[8].kernel >= 40 && pauses >= 4 &&
			(got[7].lost > 0 || s.byID[7].Trouble != "") && s.byID[4].Trouble != "" && s.byID[5].Trouble != "" && s.byID[6].Trouble != ""
	}
	tick := time.NewTicker(10 * msec)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for !enough() {
		select {
		case e := <-events:
			if e.Kind == Restarted {
				runs[e.Target]++
			}
			s.Event(e)
		case <-tick.C:
			now := monotonic()
			if late := now.Sub(last); late > 100*msec {
				pauses, longest = pauses+1, max(longest, late)
			}
			last = now
			ring.drain(s)
			for _, m := range s.Tick(now) {
				got[m.Target].add(t, m)
			}
			if !told && got[1].kernel >= 5 && got[2].kernel >= 5 {
				told = true
				fmt.Println(stopMe)
			}
		case <-deadline:
			for _, d := range s.Targets() {
				t.Logf("%s: %+v, trouble %q, %d runs", d.Name, *got[d.ID], d.Trouble, runs[d.ID])
			}
			t.Fatal("not enough in 60 s")
		}
	}
	var cpu syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &cpu)
	for i, st := range s.Stats() {
		d := s.Targets()[i]
		t.Logf("%-22s %+v, %d runs, trouble %q, p50 %v p99 %v", d.Name, *got[d.ID], runs[d.ID], d.Trouble, st.P50, st.P99)
	}
	t.Logf("user CPU %v; suspended %d times, up to %v", time.Duration(cpu.Utime.Nano()), pauses, longest)
	for _, id := range []TargetID{1, 2, 3, 8} {
		if o := got[id]; o.lost > 0 || runs[id] < 3 || id != 3 && o.unknown > 0 {
			t.Errorf("target %d: %+v in %d runs", id, *o, runs[id])
		}
	}
	// Suspended for up to 2.1 s in a quiet network: no echo is late. 140 ms leaves
	// room for a busy machine and none for the pauses of 150 ms and more.
	for _, id := range []TargetID{1, 2, 8} {
		if o := got[id]; o.aged > 0 || o.worst > 140*msec {
			t.Errorf("target %d: %d ages reported, the worst RTT without our own part %v", id, o.aged, o.worst)
		}
	}
	if o := got[3]; o.aged > 0 || o.worst > 140*msec {
		t.Errorf("without rings: %d ages reported, the worst RTT %v", o.aged, o.worst)
	}
	for id, want := range map[TargetID]string{4: "network is unreachable", 5: "permission denied"} {
		if s.byID[id].Trouble != want {
			t.Errorf("target %d: trouble %q, want %q", id, s.byID[id].Trouble, want)
		}
	}
	cancel()
	pingers.Wait()
	if len(ids.used) != 0 {
		t.Errorf("%d ids not given back", len(ids.used))
	}
}

func (o *outcome) add(t *testing.T, m Sample) {
	if m.N < o.n-40 || m.N > o.n+1 {
		t.Errorf("%s after N %d", describe(m), o.n)
	}
	o.n = max(o.n, m.N)
	o.worst = max(o.worst, m.RTT-max(m.Own, 0))
	if m.Age > 0 {
		o.aged++
	}
	switch {
	case m.State == Lost:
		o.lost++
	case m.State == Uncertain:
		o.unknown++
	case m.State == Answered && m.Source == ByUser:
		// The kernel switches stamping on a little after it was asked to; until
		// then it stamps when the tap is read, which is after the answer.
		if m.Member == 1 && m.N > 1 {
			t.Errorf("%s", describe(m))
		}
		o.user++
	case m.State == Answered:
		o.kernel++
		if m.Member != 1 || m.ReplyMember != 1 || m.Queue == None || m.Wakeup == None {
			t.Errorf("%s", describe(m))
		}
	}
}

// tap reads a NIC's ICMP echoes with their kernel stamps; it stands in for the
// ring, which is another package's.
type tap struct {
	fd     int
	offset flow.WallOffset
	buf    [2048]byte
	oob    [256]byte
}

func openTap(t *testing.T, nic string) *tap {
	ifi, err := net.InterfaceByName(nic)
	if err != nil {
		t.Fatal(err)
	}
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, int(all))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		t.Fatal(err)
	}
	return &tap{fd: fd, offset: flow.WallOffset(time.Now().UnixNano() - int64(monotonic()))}
}

// drain hands all echoes to s; what is read until nothing is left was all there
// was when it began.
func (r *tap) drain(s *Set) {
	began := monotonic()
	for {
		n, oobn, _, from, err := unix.Recvmsg(r.fd, r.buf[:], r.oob[:], 0)
		if err != nil {
			break
		}
		e := flow.Echo{Link: 1, Offset: r.offset}
		if from.(*unix.SockaddrLinklayer).Pkttype == unix.PACKET_OUTGOING {
			e.Dir = flow.Tx
		}
		msgs, _ := unix.ParseSocketControlMessage(r.oob[:oobn])
		for _, m := range msgs {
			if m.Header.Type == unix.SO_TIMESTAMPNS {
				sec, nsec := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
				e.At = r.offset.Mono(int64(sec)*1e9 + int64(nsec))
			}
		}
		if parseEcho(r.buf[:n], &e) {
			s.Echo(e)
		}
	}
	s.Drained(1, began)
}

// parseEcho reads IPv4 and IPv6 without options, which is what is sent here.
func parseEcho(b []byte, e *flow.Echo) bool {
	switch {
	case len(b) >= 52 && b[0] == 0x45 && b[9] == 1:
		e.Src, e.Dst = netip.AddrFrom4([4]byte(b[12:])).As16(), netip.AddrFrom4([4]byte(b[16:])).As16()
		b = b[20:]
		e.Reply = b[0] == 0
		if b[0] != 0 && b[0] != 8 {
			return false
		}
	case len(b) >= 72 && b[0]>>4 == 6 && b[6] == 58:
		e.Src, e.Dst = [16]byte(b[8:]), [16]byte(b[24:])
		b = b[40:]
		e.Reply = b[0] == 129
		if b[0] != 128 && b[0] != 129 {
			return false
		}
	default:
		return false
	}
	e.ID, e.Seq = binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	e.PayloadN = uint8(copy(e.Payload[:], b[8:]))
	return true
}
