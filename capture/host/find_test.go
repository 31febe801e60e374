package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

const (
	qemuA = `qemu-system-x86_64 -name guest=vm_a,debug-threads=on -netdev {"type":"tap","fds":"29:30","id":"h0"} -device {"driver":"virtio-net-pci","netdev":"h0","mac":"52:54:00:aa:bb:01"}`
	qemuB = `/usr/bin/kvm -name vm_b -netdev type=tap,id=net0,ifname=tap101i0 -device virtio-net-pci,mac=52:54:00:aa:bb:02,netdev=net0`
)

func TestFindVMs(t *testing.T) {
	tr := newTree(t)
	tr.process(100, ownNetns, qemuA)
	tr.tun(100, 29, "023471")
	tr.tun(100, 30, "023471")
	tr.process(200, ownNetns, qemuB)
	tr.tun(200, 12, "tap101i0")
	tr.process(300, ownNetns, "firecracker --id vm_c")
	tr.link("proc/300/fd/9", "/srv/jail/vm_c/root/dev/net/tun") // a jail's own /dev
	tr.file("proc/300/fdinfo/9", "iff:\tfc0\n")
	tr.process(400, ownNetns, "qemu-kvm -nic none")
	tr.link("proc/400/fd/7", "/dev/tap9") // a macvtap, named by its ifindex
	tr.file("proc/400/cgroup", `0::/machine.slice/machine-qemu\x2d1\x2dvm_d.scope`+"\n")
	tr.process(500, "net:[4026532999]", "qemu-kvm -name guest=pod_vm") // has a 023471 too, in a pod
	tr.tun(500, 5, "023471")
	tr.process(600, ownNetns, "openvpn --dev tap7")
	tr.tun(600, 5, "tap7")
	tr.process(700, ownNetns, "myvmm")
	tr.tun(700, 5, "tap8")
	tr.link("proc/700/fd/6", "anon_inode:kvm-vm")
	tr.process(800, ownNetns, "sleep 9")
	k := &fakeKernel{list: []device{
		{ifindex: 1, name: "lo", nsid: -1},
		bridge(2, "br0"),
		tap(3, "023471", 2, "fe:54:00:aa:bb:01"),
		tap(4, "tap101i0", 2, "e2:00:00:00:00:01"),
		tap(5, "fc0", 0, "e2:00:00:00:00:02"),
		tap(6, "tap7", 0, "e2:00:00:00:00:03"),
		tap(7, "tap8", 0, "e2:00:00:00:00:04"),
		{ifindex: 9, name: "macvtap0", kind: "macvtap", ether: true, nsid: -1},
		{ifindex: 10, name: "tun0", kind: "tun", nsid: -1},                                    // layer 3
		{ifindex: 11, name: "vif7.1", nsid: -1},                                               // not Xen: there is none here
		{ifindex: 12, name: "eth0", kind: "veth", portKind: "bond", nsid: 3},                  // of a bond
		{ifindex: 13, name: "eth9", kind: "veth", nsid: 3, peer: 4},                           // captured
		{ifindex: 14, name: "qvb1", kind: "veth", nsid: -1, peer: 15}, tap(16, "idle", 2, ""), // both ends here; nobody holds it
	}, heard: []learned{
		{5, parseMAC("06:00:ac:10:00:02")}, // learned of fc0
		{3, parseMAC("52:54:00:aa:bb:02")}, // vm_a pretends to be vm_b
		{4, parseMAC("0e:00:00:00:00:01")}, // vm_b pretends to be the bridge
		{12, parseMAC("52:54:00:99:99:99")},
	}}
	captured := func(f *Finder) { f.SetCaptured([]flow.Link{{Ifindex: 13}}) }
	got := look(t, tr.options(), k, captured)
	sameNICs(t, []flow.GuestNIC{
		nic("023471", "tap", "vm_a", "fdinfo, command line", 100, "br0", "52:54:00:aa:bb:01"),
		nic("tap101i0", "tap", "vm_b", "fdinfo, command line", 200, "br0", "52:54:00:aa:bb:02"),
		nic("fc0", "tap", "vm_c", "fdinfo, command line, bridge fdb", 300, "", "06:00:ac:10:00:02"),
		nic("tap8", "tap", "", "fdinfo", 700, ""),
		nic("macvtap0", "macvtap", "vm_d", "fdinfo, cgroup", 400, ""),
		nic("idle", "tap", "", "", 0, "br0"),
	}, got.NICs)
	wantNotes(t, got, "023471: sends as 52:54:00:aa:bb:02, which belongs to tap101i0", "tap101i0: sends as 0e:00:00:00:00:01, which is this host's own")
	if len(got.Missing()) != 0 {
		t.Errorf("missing: %v", got.Missing())
	}
}

func wantNotes(t *testing.T, l Look, parts ...string) {
	t.Helper()
	if len(l.Notes) != len(parts) {
		t.Errorf("want %d notes, got %q", len(parts), l.Notes)
	}
	for _, part := range parts {
		if !strings.Contains(strings.Join(l.Notes, "\n"), part) {
			t.Errorf("no note of %q in %q", part, l.Notes)
		}
	}
}

// TestFindOrder: the first source names, addresses are united, and who disagrees
// is told of.
func TestFindOrder(t *testing.T) {
	tr := newTree(t)
	tr.process(100, ownNetns, qemuA)
	tr.tun(100, 29, "023471")
	status, err := os.ReadFile("testdata/vm_a.xml")
	must(t, err)
	tr.file("run/libvirt/qemu/vm_a.xml", string(status))
	tr.file("run/libvirt/qemu/half.xml", "<domstatus><domain>") // being written
	tr.file("run/libvirt/qemu/vm_a.pid", "100")
	opt := tr.options()
	opt.UserMap = map[string]string{"023471": "the web server", "eth7": "a\x1bb", "none": "x"}
	k := &fakeKernel{list: []device{
		bridge(2, "br0"), tap(3, "023471", 2, "fe:54:00:aa:bb:01"),
		{ifindex: 4, name: "macvtap0", kind: "macvtap", ether: true, nsid: -1},
		{ifindex: 5, name: "eth7", ether: true, nsid: -1},
	}, heard: []learned{{3, parseMAC("52:54:00:aa:bb:77")}}}
	got := look(t, opt, k)
	sameNICs(t, []flow.GuestNIC{
		nic("023471", "tap", "vm_a", "fdinfo, command line, libvirt files, bridge fdb, user map", 100, "br0", "52:54:00:aa:bb:01", "52:54:00:aa:bb:77"),
		nic("macvtap0", "macvtap", "vm_a", "libvirt files", 2345, "", "52:54:00:aa:bb:02"),
		nic("eth7", "device", "a\uFFFDb", "user map", 0, ""),
	}, got.NICs)
	wantNotes(t, got, `vif 023471: user map calls the guest "the web server", shown is "vm_a"`)
	statusOf(t, got, "libvirt files", Failed)
}

func statusOf(t *testing.T, l Look, source string, want Status) {
	t.Helper()
	for _, r := range l.Sources {
		if r.Source == source {
			if r.Status != want {
				t.Errorf("want %v, got %v", want, r)
			}
			return
		}
	}
	t.Errorf("no report of %s", source)
}

// TestFindByAddress: without the right to see descriptors, addresses join command
// lines and vifs.
func TestFindByAddress(t *testing.T) {
	tr := newTree(t)
	tr.process(100, ownNetns, qemuA)
	tr.process(200, ownNetns, strings.Replace(qemuB, "ifname=tap101i0", "fd=22", 1))
	must(t, os.RemoveAll(filepath.Join(tr.root, "proc/100/fd")))
	must(t, os.RemoveAll(filepath.Join(tr.root, "proc/200/fd"))) // as if it ended while it was read
	k := &fakeKernel{list: []device{
		bridge(2, "br0"),
		tap(3, "vnet0", 2, "fe:54:00:aa:bb:01"), // made from the guest's
		tap(4, "vnet1", 2, "ee:00:00:00:00:01"), // not
		tap(5, "vnet2", 2, "fe:54:00:aa:bb:09"), // nobody's, but libvirt made it
	}, heard: []learned{{4, macB}}}
	sameNICs(t, []flow.GuestNIC{
		nic("vnet0", "tap", "vm_a", "command line, tap mac", 100, "br0", "52:54:00:aa:bb:01"),
		nic("vnet1", "tap", "vm_b", "command line, bridge fdb", 200, "br0", "52:54:00:aa:bb:02"),
		nic("vnet2", "tap", "", "tap mac", 0, "br0", "52:54:00:aa:bb:09"),
	}, look(t, tr.options(), k).NICs)
}

func TestFindContainers(t *testing.T) {
	const other, kata = "net:[4026532100]", "net:[4026532200]"
	tr := newTree(t)
	tr.process(100, other, "nginx")
	tr.process(50, other, "pause") // the first
	tr.file("proc/50/cgroup", "0::/lxc.payload.web/init.scope\n")
	tr.file("proc/100/cgroup", "0::/lxc.payload.later\n")
	tr.process(200, kata, "qemu-system-x86_64 -name sandbox-9f3c")
	tr.process(300, ownNetns, "sshd")
	k := &fakeKernel{
		list: []device{
			bridge(2, "docker0"),
			{ifindex: 3, name: "veth1", kind: "veth", ether: true, master: 2, nsid: 0, peer: 12},
			{ifindex: 4, name: "veth2", kind: "veth", ether: true, master: 2, nsid: 1, peer: 13},
			{ifindex: 5, name: "veth3", kind: "veth", ether: true, nsid: 2, peer: 14},
		},
		spaces: map[int]int{100: 0, 50: 0, 200: 1},
		peers:  map[int][6]byte{12: parseMAC("02:42:ac:11:00:02"), 13: parseMAC("02:42:ac:11:00:03")},
	}
	got := look(t, tr.options(), k)
	sameNICs(t, []flow.GuestNIC{
		nic("veth1", "veth", "web", "cgroup, netns", 50, "docker0", "02:42:ac:11:00:02"),
		nic("veth2", "veth", "sandbox-9f3c", "command line, netns", 200, "docker0", "02:42:ac:11:00:03"),
		nic("veth3", "veth", "", "", 0, ""),
	}, got.NICs)
	statusOf(t, got, "netns", NotPermitted) // the address behind veth3
}

func TestFindXenAndOVS(t *testing.T) {
	tr := newTree(t)
	tr.file("proc/xen/capabilities", "control_d\n")
	k := &fakeKernel{list: []device{
		{ifindex: 2, name: "ovs-system", kind: "openvswitch", ether: true, nsid: -1},
		{ifindex: 3, name: "vif7.0", bus: "xen-backend", ether: true, nsid: -1},
		{ifindex: 4, name: "023471", ether: true, nsid: -1}, // an older kernel does not tell its bus
		tap(5, "vif7.0-emu", 0, "fe:ff:ff:ff:ff:ff"),
		tap(6, "vnet3", 2, "fe:54:00:aa:bb:01"),
		{ifindex: 7, name: "pod1", kind: "openvswitch", ether: true, master: 2, nsid: -1},
		{ifindex: 8, name: "br-int", kind: "openvswitch", ether: true, master: 2, nsid: -1},
	}}
	tools := func(f *Finder) {
		f.lookPath = func(name string) (string, error) { return name, nil }
		f.command = func(_ context.Context, name string, _ ...string) ([]byte, error) {
			file := map[string]string{"xenstore-ls": "xenstore-ls", "xl": "xl-list", "ovs-vsctl": "ovs-vsctl.json"}[name]
			return os.ReadFile(filepath.Join("testdata", file))
		}
	}
	got := look(t, tr.options(), k, tools)
	sameNICs(t, []flow.GuestNIC{
		nic("vif7.0", "xen", "vm_a", "xen", 0, "xenbr0", "00:16:3e:01:02:03"),
		nic("vif7.0-emu", "tap", "vm_a", "xen", 0, "xenbr0", "00:16:3e:01:02:03"),
		nic("023471", "xen", "vm_a", "xen", 0, "", "00:16:3e:01:02:04"),
		nic("vnet3", "tap", "6b5f6c1e-0001-4002-8003-000000000001", "ovs", 0, "br-int", "52:54:00:aa:bb:01"),
		nic("pod1", "ovs", "default_web-0", "ovs", 0, "br-int", "52:54:00:aa:bb:02"),
	}, got.NICs)
	wantNotes(t, got)

	broken := func(f *Finder) {
		tools(f)
		f.command = func(context.Context, string, ...string) ([]byte, error) {
			return nil, errors.New("database\x1b is down")
		}
	}
	got = look(t, tr.options(), k, broken)
	statusOf(t, got, "xen", Failed)
	statusOf(t, got, "ovs", Failed)
	for _, r := range got.Missing() {
		if strings.Contains(r.String(), "\x1b") {
			t.Errorf("a control byte in %q", r)
		}
	}
}

func TestFindFails(t *testing.T) {
	f := newFinder(newTree(t).options(), &fakeKernel{failed: errors.New("no")})
	if _, err := f.Find(context.Background()); err == nil {
		t.Error("want an error without a list of devices")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f = newFinder(newTree(t).options(), &fakeKernel{})
	if _, err := f.Find(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("want %v, got %v", context.Canceled, err)
	}
}

// TestForeignFiles: what is no plain file is not read and not waited for.
func TestForeignFiles(t *testing.T) {
	tr := newTree(t)
	tr.file("proc/1/cmdline/deep", "")
	tr.link("proc/2/cmdline", "/dev/zero")
	tr.process(3, ownNetns, qemuA)
	must(t, os.Remove(filepath.Join(tr.root, "proc/3/fd/0")))
	tr.link("proc/3/fd/29", "/dev/net/tun")
	mkfifo(t, tr.path("proc/3/fdinfo/29"))
	mkfifo(t, tr.path("run/libvirt/qemu/a.xml"))
	tr.file("run/libvirt/qemu/b.xml", strings.Repeat("<a>", 1<<20))
	k := &fakeKernel{list: []device{tap(3, "vnet0", 0, "fe:54:00:aa:bb:01")}}
	sameNICs(t, []flow.GuestNIC{
		nic("vnet0", "tap", "vm_a", "command line, tap mac", 3, "", "52:54:00:aa:bb:01"),
	}, look(t, tr.options(), k).NICs)
}

// TestStrangers: who holds no tap is not looked through again, until there is
// another tap.
func TestStrangers(t *testing.T) {
	tr := newTree(t)
	tr.process(100, ownNetns, "ovpn")
	k := &fakeKernel{list: []device{bridge(2, "br0"), tap(3, "tap0", 2, "")}}
	f := newFinder(tr.options(), k)
	pidOf := func(vif string) int {
		t.Helper()
		l, err := f.Find(context.Background())
		must(t, err)
		for _, n := range l.NICs {
			if n.Name == vif {
				return n.PID
			}
		}
		t.Fatalf("%s not in %+v", vif, l.NICs)
		return 0
	}
	if pid := pidOf("tap0"); pid != 0 {
		t.Errorf("nobody holds it: got %d", pid)
	}
	tr.tun(100, 5, "tap0")
	if pid := pidOf("tap0"); pid != 0 {
		t.Errorf("it is not looked through again: got %d", pid)
	}
	tr.tun(100, 6, "tap1")
	k.list = append(k.list, tap(4, "tap1", 2, ""))
	if a, b := pidOf("tap0"), pidOf("tap1"); a != 100 || b != 100 {
		t.Errorf("another tap: want 100 for both, got %d, %d", a, b)
	}
}

func TestNews(t *testing.T) {
	refused := SourceReport{Source: "fdinfo", Status: NotPermitted, Detail: "no", Remedy: "run as root"}
	old := Look{Sources: []SourceReport{{Source: "xen"}, refused}, Notes: []string{"a"}}
	now := Look{Sources: []SourceReport{refused, {Source: "ovs", Status: Failed, Detail: "down"}}, Notes: []string{"a", "b"}}
	line := "fdinfo: not permitted (no); run as root"
	if diff := cmp.Diff([]string{line, "a"}, old.News(nil)); diff != "" {
		t.Errorf("first (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ovs: failed (down)", "b"}, now.News(&old)); diff != "" {
		t.Errorf("then (-want +got)\n%s", diff)
	}
}

// TestStatusFilesAreReadOnce: a file that did not change is not parsed again.
func TestStatusFilesAreReadOnce(t *testing.T) {
	tr := newTree(t)
	status, err := os.ReadFile("testdata/vm_a.xml")
	must(t, err)
	tr.file("run/libvirt/qemu/vm_a.xml", string(status))
	f := newFinder(tr.options(), &fakeKernel{})
	file := filepath.Join(tr.root, "run/libvirt/qemu/vm_a.xml")
	at := time.Unix(1700000000, 0)
	name := func() string {
		t.Helper()
		list, _ := f.readStatusFiles()
		if len(list) != 1 {
			t.Fatalf("got %+v", list)
		}
		return list[0].name
	}
	must(t, os.Chtimes(file, at, at))
	if got := name(); got != "vm_a" {
		t.Errorf("got %q", got)
	}
	tr.file("run/libvirt/qemu/vm_a.xml", strings.Replace(string(status), "<name>vm_a", "<name>vm_z", 1))
	must(t, os.Chtimes(file, at, at))
	if got := name(); got != "vm_a" {
		t.Errorf("same time and size: got %q", got)
	}
	must(t, os.Chtimes(file, at, at.Add(time.Second)))
	if got := name(); got != "vm_z" {
		t.Errorf("changed: got %q", got)
	}
}
