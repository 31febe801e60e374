package socket

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	library "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// several makes connections of all kinds and returns the sockets of both ends.
func several(t *testing.T, ns string, server, client *helper) []flow.Socket {
	t.Helper()
	var socks []flow.Socket
	for _, c := range []struct{ listen, dial string }{
		{"tcp4 127.0.0.1:9422", "127.0.0.1:9422"}, {"tcp6 [::1]:9422", "[::1]:9422"}, {"tcp [::]:9423", "127.0.0.1:9423"},
	} {
		server.do("listen %s", c.listen)
		for range 5 {
			socks = append(socks, client.socket("dial tcp %s", c.dial), server.socket("accept"))
		}
	}
	return socks
}

// TestLiveAgainstSS: ss(8) names the same processes.
func TestLiveAgainstSS(t *testing.T) {
	ns := namespace(t)
	if _, err := exec.LookPath("ss"); err != nil {
		t.Skip("needs ss(8)")
	}
	server, client := startHelper(t, ns, "server"), startHelper(t, ns, "client")
	socks := several(t, ns, server, client)
	got, o := map[string]string{}, ownersIn(t, ns, Options{})
	for s, owner := range ask(t, o, socks...) {
		got[ends(s)] = fmt.Sprintf("%s %d", owner.Name, owner.PID)
	}
	want := map[string]string{}
	user := regexp.MustCompile(`users:\(\("([^"]*)",pid=(\d+)`)
	for line := range strings.SplitSeq(sh(t, "ip", "netns", "exec", ns, "ss", "-Htanp", "state", "established"), "\n") {
		if m, f := user.FindStringSubmatch(line), strings.Fields(line); m != nil && len(f) > 4 {
			plain := strings.NewReplacer("[::ffff:", "", "]", "", "[", "")
			want[plain.Replace(f[2])+" "+plain.Replace(f[3])] = m[1] + " " + m[2]
		}
	}
	if len(want) != len(socks) {
		t.Fatalf("ss names %d connections, want %d", len(want), len(socks))
	}
	equal(t, got, want)

	client.do("write 100000") // so little that it limits the rate
	infos, err := o.TCPInfo(context.Background(), socks)
	if err != nil {
		t.Fatal(err)
	}
	limited := 0
	for _, info := range infos {
		if info.AppLimited {
			limited++
		}
	}
	text := sh(t, "ip", "netns", "exec", ns, "ss", "-Htin", "state", "established")
	if n := strings.Count(text, "app_limited"); limited != n || n == 0 {
		t.Errorf("%d connections limited by their program, ss says %d\n%s", limited, n, text)
	}
}

func ends(s flow.Socket) string {
	k := flow.Key{Local: s.Local, Remote: s.Remote, LocalPort: s.LocalPort, RemotePort: s.RemotePort, Proto: s.Proto, Family: flow.FamilyIPv6}
	if isMapped(&s.Local) {
		k.Family = flow.FamilyIPv4
	}
	return strings.NewReplacer("[", "", "]", "").Replace(k.LocalEnd() + " " + k.RemoteEnd())
}

// TestLiveAgainstLibrary: the usual library lists the same sockets with the same
// inodes, and reads the same TCP_INFO.
func TestLiveAgainstLibrary(t *testing.T) {
	ns := namespace(t)
	server, client := startHelper(t, ns, "server"), startHelper(t, ns, "client")
	socks := several(t, ns, server, client)
	client.do("write 100000")
	o := ownersIn(t, ns, Options{})
	var want []string
	inside(t, ns, func() {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			list, err := library.SocketDiagTCPInfo(family)
			if err != nil {
				t.Error(err)
				return
			}
			for _, r := range list {
				want = append(want, fmt.Sprint(r.InetDiagMsg.ID.SourcePort, r.InetDiagMsg.ID.DestinationPort, r.InetDiagMsg.INode, r.InetDiagMsg.State))
			}
		}
	})
	list, err := o.kernel.list(context.Background(), flow.ProtoTCP, everyState, func(*entry) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, fmt.Sprint(e.socket.LocalPort, e.socket.RemotePort, e.inode, e.state))
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(got) < len(socks) {
		t.Errorf("%d sockets listed, want at least %d", len(got), len(socks))
	}
	equal(t, got, want)
	// A figure may change between the two looks, so look until they agree.
	waitFor(t, "TCP_INFO as the library reads it", func() bool { return againstLibrary(t, ns, o, socks) })
}

func againstLibrary(t *testing.T, ns string, o *Owners, socks []flow.Socket) (same bool) {
	t.Helper()
	infos, err := o.TCPInfo(context.Background(), socks)
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]flow.TCPInfo{}
	for s, info := range infos {
		info.AppLimited = false // the library reads another bit (v1.3.1, >> 7): ss is the witness
		ours[fmt.Sprint(s.LocalPort, s.RemotePort, isMapped(&s.Local))] = info
	}
	theirs := map[string]flow.TCPInfo{}
	inside(t, ns, func() {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			list, err := library.SocketDiagTCPInfo(family)
			if err != nil {
				t.Error(err)
				return
			}
			for _, r := range list {
				id := r.InetDiagMsg.ID
				if r.TCPInfo == nil || id.DestinationPort == 0 {
					continue
				}
				theirs[fmt.Sprint(id.SourcePort, id.DestinationPort, id.Source.To4() != nil)] = flow.TCPInfo{
					RTT: usec(r.TCPInfo.Rtt), MinRTT: usec(r.TCPInfo.Min_rtt), Retransmits: r.TCPInfo.Total_retrans,
					DeliveryBps: 8 * r.TCPInfo.Delivery_rate,
				}
			}
		}
	})
	if len(theirs) != len(socks) {
		t.Fatalf("the library has %d connections, want %d", len(theirs), len(socks))
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Logf("(-library +ours)\n%s", diff)
		return false
	}
	return true
}

func usec(n uint32) time.Duration {
	if n == ^uint32(0) {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

// TestLiveTCPInfo: behind a short queue retransmits rise, and rate and RTT are
// what the queue makes of them.
func TestLiveTCPInfo(t *testing.T) {
	ns, far := namespace(t), namespace(t)
	sh(t, "ip", "-n", ns, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far)
	for i, n := range []string{ns, far} {
		sh(t, "ip", "-n", n, "addr", "add", fmt.Sprintf("10.1.16.%d/24", 165+i), "dev", "eth0")
		sh(t, "ip", "-n", n, "link", "set", "dev", "eth0", "up")
	}
	sender, sink := startHelper(t, ns, "sender"), startHelper(t, far, "sink")
	sink.do("listen tcp4 10.1.16.166:9422")
	out := sender.socket("dial tcp 10.1.16.166:9422")
	sink.socket("accept")
	sink.do("swallow")
	o := ownersIn(t, ns, Options{})
	info := func() flow.TCPInfo {
		infos, err := o.TCPInfo(context.Background(), []flow.Socket{out})
		if err != nil || len(infos) != 1 {
			t.Fatalf("TCP_INFO of %d, %v", len(infos), err)
		}
		return infos[out]
	}
	sender.do("write 200000")
	waitFor(t, "a measured connection", func() bool { i := info(); return i.MinRTT > 0 && i.DeliveryBps > 0 })
	before := info()
	if before.RTT < before.MinRTT {
		t.Errorf("rtt %s, min_rtt %s", before.RTT, before.MinRTT)
	}
	// 5 KiB behind 20 Mbit/s, and what would wait longer is dropped: a window of 60 KiB loses segments.
	sh(t, "tc", "-n", ns, "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "20mbit", "burst", "5k", "limit", "15k")
	sender.do("write 2000000")
	waitFor(t, "retransmits", func() bool { return info().Retransmits > before.Retransmits })
	after := info()
	if after.DeliveryBps > 30e6 {
		t.Errorf("delivery rate %d bit/s through 20 Mbit/s", after.DeliveryBps)
	}
	if after.RTT <= after.MinRTT {
		t.Errorf("rtt %s, min_rtt %s behind a queue", after.RTT, after.MinRTT)
	}
	// The end that only receives has sent nothing again, and is not of this namespace.
	in := flow.Socket{Local: out.Remote, Remote: out.Local, LocalPort: out.RemotePort, RemotePort: out.LocalPort, Proto: out.Proto}
	infos, err := o.TCPInfo(context.Background(), []flow.Socket{in, sock(t, "tcp", "10.1.16.165:1", "10.1.16.166:2"), sock(t, "udp", "10.1.16.165:1", "10.1.16.166:2")})
	if err != nil || len(infos) != 0 {
		t.Errorf("TCP_INFO of sockets that are not here: %v, %v", infos, err)
	}
}
