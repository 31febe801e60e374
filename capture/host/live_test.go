package host

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spiketop/flow"
	"spiketop/testdata/netlab"
)

const mute = "SPIKETOP_HOST_TEST_MUTE"

// TestMain lets this program play another's part: with mute set it only holds its
// descriptors until its standard input ends.
func TestMain(m *testing.M) {
	if os.Getenv(mute) != "" {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestLive meets real tun devices, veths and a bridge in a world of its own.
func TestLive(t *testing.T) {
	netlab.NeedNetns(t)
	if outside(t) {
		return
	}
	ip(t, "link add br0 type bridge")
	ip(t, "link set dev br0 up")
	guest := openTap(t, "023471", unix.IFF_TAP|unix.IFF_NO_PI)
	ip(t, "link set dev 023471 address fe:54:00:aa:bb:01 master br0 up")
	tunnel := openTap(t, "tun0", unix.IFF_TUN|unix.IFF_NO_PI)
	lonely := openTap(t, "tap9", unix.IFF_TAP|unix.IFF_NO_PI)
	pid := play(t, guest, "qemu-system-x86_64", "-name", "guest=vm_a", "-netdev", "tap,fd=3,id=n0", "-device", "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:01")
	play(t, lonely, "openvpn", "--dev", "tap9")
	play(t, tunnel, "openvpn", "--dev", "tun0")
	_ = lonely.Close() // held by the other alone
	containerPID := container(t)

	// A nested guest: the bridge hears a second address behind the tap.
	frame := make([]byte, 1000)
	copy(frame, "\xff\xff\xff\xff\xff\xff\x52\x54\x00\xaa\xbb\x77\x88\xb5")
	_, err := guest.Write(frame)
	must(t, err)

	name := cgroupGuest("/proc", containerPID)
	source := "cgroup, netns, bridge fdb"
	if name == "" { // the usual case: these tests do not run in a container
		name, source = "web", "netns, bridge fdb"
	}
	ip(t, "netns exec web ping -c 1 -W 5 10.66.0.1") // the bridge hears the container
	source = strings.TrimSuffix(source, ", bridge fdb")
	look := find(t, Options{})
	for i := range look.NICs { // what else the bridge has heard does not matter here
		look.NICs[i].Source = strings.TrimSuffix(look.NICs[i].Source, ", bridge fdb")
	}
	sameNICs(t, []flow.GuestNIC{
		nic("023471", "tap", "vm_a", "fdinfo, command line", pid, "br0", "52:54:00:aa:bb:01", "52:54:00:aa:bb:77"),
		nic("vethw", "veth", name, source, containerPID, "br0", "02:42:0a:42:00:02"),
	}, look.NICs)
	if len(look.Missing()) > 0 || len(look.Notes) > 0 {
		t.Errorf("got %v, %v", look.Missing(), look.Notes)
	}
	t.Run("without any right", func(t *testing.T) {
		var poor Look
		asNobody(t, func() { poor = find(t, Options{}) })
		seen := map[string]flow.GuestNIC{}
		for _, n := range poor.NICs { // tap9 too: who holds it is not to be seen, so it may be a guest's
			seen[n.Name] = n
		}
		for _, want := range look.NICs {
			if got := seen[want.Name]; got.Guest != want.Guest || got.PID != want.PID || len(got.MACs) == 0 {
				t.Errorf("want %+v, got %+v", want, got)
			}
		}
		status(t, poor, map[string]Status{"fdinfo": NotPermitted, "netns": NotPermitted, "command line": Found})

		must(t, unix.Mount("proc", "/proc", "proc", unix.MS_REMOUNT, "hidepid=invisible"))
		defer func() { must(t, unix.Mount("proc", "/proc", "proc", unix.MS_REMOUNT, "hidepid=off")) }()
		asNobody(t, func() { poor = find(t, Options{}) })
		status(t, poor, map[string]Status{"command line": NotPermitted})
		if len(poor.NICs) < 2 {
			t.Errorf("the vifs are still found: got %+v", poor.NICs)
		}
	})
	t.Run("counters", func(t *testing.T) { counters(t, guest, look.NICs) })
	t.Run("counters of an old kernel", func(t *testing.T) { oldCounters(t, look.NICs) })
}

// openTap makes a tun device that exists as long as somebody holds the file.
func openTap(t *testing.T, name string, flags uint16) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	req, err := unix.NewIfreq(name)
	must(t, err)
	req.SetUint16(flags)
	must(t, unix.IoctlIfreq(fd, unix.TUNSETIFF, req))
	f := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { f.Close() })
	return f
}

// play starts a process that is called as args say and holds f as descriptor 3.
func play(t *testing.T, f *os.File, args ...string) (pid int) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Args, cmd.Env = args, append(os.Environ(), mute+"=1")
	if f != nil {
		cmd.ExtraFiles = []*os.File{f}
	}
	life, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { life.Close(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// container makes a namespace with one process and a veth into br0.
func container(t *testing.T) (pid int) {
	t.Helper()
	ip(t, "netns add web")
	ip(t, "link add vethw type veth peer name eth0 address 02:42:0a:42:00:02 netns web")
	ip(t, "link set dev vethw master br0 up")
	ip(t, "-n web link set dev eth0 up")
	ip(t, "-n web addr add 10.66.0.2/24 dev eth0")
	ip(t, "addr add 10.66.0.1/24 dev br0")
	// Both ends of a pair in this namespace: no container's.
	ip(t, "link add qvo1 type veth peer name qvb1")
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command("ip", "netns", "exec", "web", self)
	cmd.Env = append(os.Environ(), mute+"=1")
	life, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { life.Close(); _ = cmd.Wait() })
	eventually(t, "the container's process", func() bool {
		ns, _ := netnsOf("/proc", cmd.Process.Pid)
		own, _ := netnsOf("/proc", os.Getpid())
		return ns != "" && ns != own
	})
	return cmd.Process.Pid
}

// counters: three frames of 1000 bytes from the guest are its tx; what it does
// not read is dropped on its way to it.
func counters(t *testing.T, guest *os.File, nics []flow.GuestNIC) {
	s, err := NewSampler()
	must(t, err)
	defer s.Close()
	read := func() flow.GuestNICCounters {
		t.Helper()
		list, err := s.Read(77, nics)
		must(t, err)
		if len(list) != 2 || list[0].Ifindex != nics[0].Ifindex || list[1].Ifindex != nics[1].Ifindex || list[0].At != 77 {
			t.Fatalf("got %+v", list)
		}
		return list[0]
	}
	if s.old {
		t.Error("this kernel knows RTM_GETSTATS")
	}
	before := read()
	frame := make([]byte, 1000)
	copy(frame, "\xff\xff\xff\xff\xff\xff\x52\x54\x00\xaa\xbb\x01\x88\xb5")
	for range 3 {
		_, err := guest.Write(frame)
		must(t, err)
	}
	eventually(t, "three frames", func() bool { return read().TxBytes == before.TxBytes+3*1000 })
	if got, want := read(), sysfs(t, "023471"); got.RxBytes != want.RxBytes || got.RxDropped != want.RxDropped {
		t.Errorf("want %+v, got %+v", want, got)
	}

	ip(t, "link set dev 023471 txqueuelen 2")
	conn, err := net.Dial("udp", "10.66.0.99:9")
	must(t, err)
	defer conn.Close()
	ip(t, "neigh add 10.66.0.99 lladdr 52:54:00:aa:bb:01 dev br0")
	before = read()
	eventually(t, "drops toward a guest that does not read", func() bool {
		_, _ = conn.Write(make([]byte, 500))
		return read().RxDropped > before.RxDropped
	})
	if read().TxDropped != before.TxDropped {
		t.Error("the guest's sending dropped as well")
	}
	nobody := append(nics[:2:2], flow.GuestNIC{Name: "gone", Ifindex: 1 << 20})
	if list, err := s.Read(1, nobody); err != nil || len(list) != 2 {
		t.Errorf("a vif that vanished: got %+v, %v", list, err)
	}
}

func sysfs(t *testing.T, dev string) (c flow.GuestNICCounters) {
	t.Helper()
	for file, v := range map[string]*uint64{"tx_bytes": &c.RxBytes, "rx_bytes": &c.TxBytes, "tx_dropped": &c.RxDropped, "rx_dropped": &c.TxDropped} {
		b, err := os.ReadFile(fmt.Sprintf("/sys/class/net/%s/statistics/%s", dev, file))
		must(t, err)
		*v, err = strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
		must(t, err)
	}
	return c
}

// oldCounters reads a quiet device both ways.
func oldCounters(t *testing.T, nics []flow.GuestNIC) {
	ip(t, "link set dev vethw down")
	s, err := NewSampler()
	must(t, err)
	defer s.Close()
	now, err := s.Read(1, nics[1:])
	must(t, err)
	s.old = true
	old, err := s.Read(1, nics[1:])
	must(t, err)
	if len(now) != 1 || len(old) != 1 || now[0] != old[0] || now[0].TxBytes == 0 {
		t.Errorf("want the same: %+v, %+v", now, old)
	}
}
