package host

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const hex64 = "3f2a9c1b7d5500112233445566778899aabbccddeeff00112233445566778899"

func TestParseCgroup(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"docker, systemd", "0::/system.slice/docker-" + hex64 + ".scope\n", "docker-3f2a9c1b7d55"},
		{"docker, cgroupfs, version 1", "12:memory:/docker/" + hex64 + "\n1:name=systemd:/docker/" + hex64 + "\n", "docker-3f2a9c1b7d55"},
		{"podman", "0::/machine.slice/libpod-" + hex64 + ".scope/container\n", "libpod-3f2a9c1b7d55"},
		{"podman's own monitor is not the container", "0::/machine.slice/libpod-conmon-" + hex64 + ".scope\n", ""},
		{"containerd without Kubernetes", "0::/system.slice/cri-containerd-" + hex64 + ".scope\n", "cri-containerd-3f2a9c1b7d55"},
		{"Kubernetes, systemd: the pod", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1f2e3d4c_0001_4002_8003_000000000004.slice/cri-containerd-" + hex64 + ".scope\n", "pod-1f2e3d4c"},
		{"Kubernetes, cgroupfs", "0::/kubepods/besteffort/pod1f2e3d4c-0001-4002-8003-000000000004/" + hex64 + "\n", "pod-1f2e3d4c"},
		{"LXC 4", "0::/lxc.payload.web/system.slice/ssh.service\n", "web"},
		{"LXC's monitor is not the container", "0::/lxc.monitor.web\n", ""},
		{"Proxmox", "0::/lxc/101/ns/init.scope\n", "101"},
		{"libvirt, systemd", `0::/machine.slice/machine-qemu\x2d7\x2dvm_a.scope/libvirt/emulator` + "\n", "vm_a"},
		{"libvirt, a name with dashes", `0::/machine.slice/machine-lxc\x2d12\x2dweb\x2d01.scope` + "\n", "web-01"},
		{"libvirt without systemd", "7:cpu:/machine/qemu-3-vm_a.libvirt-qemu/emulator\n", "vm_a"},
		{"nspawn", "0::/machine.slice/systemd-nspawn@deb12.service/payload\n", "deb12"},
		{"Docker in LXC: the outer one", "0::/lxc.payload.build/docker/" + hex64 + "\n", "build"},
		{"a service", "0::/system.slice/ssh.service\n", ""},
		{"a session", "0::/user.slice/user-0.slice/session-3.scope\n", ""},
		{"not an id", "0::/system.slice/docker-abc.scope\n", ""},
		{"control bytes", "0::/lxc.payload.a\x1bb\n", "a\uFFFDb"},
		{"hidden control bytes", `0::/machine.slice/machine-a\x1bb.scope` + "\n", "a\uFFFDb"},
		{"broken", "docker\n:::\n0:\n", ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseCgroup([]byte(tt.text)); got != tt.want {
				t.Errorf("want %q, got %q", tt.want, got)
			}
		})
	}
}

func TestParseFdinfo(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"tap", "pos:\t0\nflags:\t0104002\nmnt_id:\t27\nino:\t5\niff:\tvnet0\n", "vnet0"},
		{"not attached", "pos:\t0\nflags:\t0104002\n", ""},
		{"longer than a name can be", "iff:\t0123456789abcdef\n", ""},
		{"a path", "iff:\t../x\n", ""},
	} {
		if got := parseFdinfo([]byte(tt.text)); got != tt.want {
			t.Errorf("%s: want %q, got %q", tt.name, tt.want, got)
		}
	}
}

func TestMacvtapIndex(t *testing.T) {
	for _, tt := range []struct {
		target string
		want   int
	}{{"/dev/tap12", 12}, {"/jail/dev/tap7", 7}, {"/dev/tap", 0}, {"/dev/tap-1", 0}, {"/dev/net/tun", 0}, {"/dev/tap1x", 0}} {
		if got := macvtapIndex(tt.target); got != tt.want {
			t.Errorf("%s: want %d, got %d", tt.target, tt.want, got)
		}
	}
}

func TestParseStartTime(t *testing.T) {
	stat := "57 (a) b (c) S 1 " + strings.Repeat("0 ", 17) + "4711 9 9\n" // fields 3, 4, 5 to 21, 22
	if got := parseStartTime([]byte(stat)); got != 4711 {
		t.Errorf("want 4711, got %d", got)
	}
	for _, broken := range []string{"", "57 (a", "57 (a) S 1"} {
		if got := parseStartTime([]byte(broken)); got != 0 {
			t.Errorf("%q: want 0, got %d", broken, got)
		}
	}
}

func TestParseStatus(t *testing.T) {
	text, err := os.ReadFile("testdata/vm_a.xml")
	must(t, err)
	got, err := parseStatus(text)
	must(t, err)
	want := domain{name: "vm_a", pid: 2345, nics: []domainNIC{
		{vif: "023471", mac: macA, bridge: "br0"},
		{vif: "macvtap0", mac: macB},
		{mac: [6]byte{0x52, 0x54, 0, 0xaa, 0xbb, 3}}, // a virtual function: no vif
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(domain{}, domainNIC{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, broken := range []string{"", "<domstatus", "<other/>", "<domstatus pid='1'><domain><name>a</domain></domstatus>", "<domstatus>&x;</domstatus>"} {
		if d, err := parseStatus([]byte(broken)); err == nil {
			t.Errorf("%q: want an error, got %+v", broken, d)
		}
	}
	if d, err := parseStatus([]byte("<domstatus pid='-7'><domain><name>a\u200bb</name></domain></domstatus>")); err != nil || d.pid != 0 || d.name != "a\uFFFDb" {
		t.Errorf("odd pid and name: got %+v, %v", d, err)
	}
}

func TestParseXen(t *testing.T) {
	store, err := os.ReadFile("testdata/xenstore-ls")
	must(t, err)
	want := []xenNIC{
		{domid: 7, number: 0, vif: "vif7.0", mac: [6]byte{0, 0x16, 0x3e, 1, 2, 3}, bridge: "xenbr0"},
		{domid: 7, number: 1, vif: "023471", mac: [6]byte{0, 0x16, 0x3e, 1, 2, 4}},
	}
	if diff := cmp.Diff(want, parseXenStore(store), cmp.AllowUnexported(xenNIC{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	list, err := os.ReadFile("testdata/xl-list")
	must(t, err)
	if diff := cmp.Diff(map[int]string{7: "vm_a", 12: "vm b"}, parseXlList(list)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestParseOVS(t *testing.T) {
	text, err := os.ReadFile("testdata/ovs-vsctl.json")
	must(t, err)
	want := []ovsNIC{
		{vif: "vnet3", mac: macA, guest: "6b5f6c1e-0001-4002-8003-000000000001", bridge: "br-int"},
		{vif: "pod1", mac: macB, guest: "default_web-0", bridge: "br-int"},
		{vif: "br-int", bridge: "br-int"},
		{vif: "lost"},
	}
	if diff := cmp.Diff(want, parseOVS(text), cmp.AllowUnexported(ovsNIC{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTapOf(t *testing.T) {
	for _, tt := range []struct {
		tap, guest string
		want       bool
	}{
		{"fe:54:00:aa:bb:01", "52:54:00:aa:bb:01", true},
		{"fa:54:00:aa:bb:01", "fe:54:00:aa:bb:01", true}, // the guest's own first byte is fe
		{"fa:54:00:aa:bb:01", "52:54:00:aa:bb:01", false},
		{"fe:54:00:aa:bb:02", "52:54:00:aa:bb:01", false},
		{"fe:54:00:aa:bb:01", "fe:54:00:aa:bb:01", false},
	} {
		if got := tapOf(parseMAC(tt.tap), parseMAC(tt.guest)); got != tt.want {
			t.Errorf("%s of %s: want %v", tt.tap, tt.guest, tt.want)
		}
	}
	for _, tt := range []struct{ tap, want string }{
		{"fe:54:00:aa:bb:01", "52:54:00:aa:bb:01"},
		{"fe:16:3e:aa:bb:01", "fa:16:3e:aa:bb:01"},
		{"fe:11:22:aa:bb:01", ""}, // may have been any
		{"52:54:00:aa:bb:01", ""},
	} {
		m, ok := guestOfTap(parseMAC(tt.tap))
		if ok != (tt.want != "") || ok && m != parseMAC(tt.want) {
			t.Errorf("%s: want %q, got %x %v", tt.tap, tt.want, m, ok)
		}
	}
}
