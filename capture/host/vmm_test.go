package host

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func cmdline(line string) []byte {
	return []byte(strings.Join(strings.Fields(line), "\x00") + "\x00")
}

var macA, macB = [6]byte{0x52, 0x54, 0, 0xaa, 0xbb, 1}, [6]byte{0x52, 0x54, 0, 0xaa, 0xbb, 2}

func TestParseVMM(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		want       vmm
		other      bool // no VMM
	}{
		{
			name: "libvirt 9: JSON, descriptors",
			line: `/usr/bin/qemu-system-x86_64 -name guest=vm_a,debug-threads=on -machine pc -S
				-netdev {"type":"tap","fd":"29","vhost":true,"vhostfd":"31","id":"hostnet0"}
				-device {"driver":"virtio-net-pci","netdev":"hostnet0","id":"net0","mac":"52:54:00:aa:bb:01","bus":"pci.0","addr":"0x2"}
				-netdev {"type":"tap","fds":"32:33","id":"hostnet1"}
				-device {"driver":"virtio-net-pci","netdev":"hostnet1","mq":true,"vectors":6,"mac":"52:54:00:AA:BB:02"}`,
			want: vmm{name: "vm_a", nics: []vmmNIC{
				{fds: []string{"29"}, mac: macA, device: true},
				{fds: []string{"32", "33"}, mac: macB, device: true},
			}},
		},
		{
			name: "libvirt 4: commas, descriptors",
			line: `/usr/libexec/qemu-kvm -name guest=vm_b,debug-threads=on
				-netdev tap,fd=26,id=hostnet0,vhost=on,vhostfd=28
				-device virtio-net-pci,netdev=hostnet0,id=net0,mac=52:54:00:aa:bb:01,bus=pci.0,addr=0x3`,
			want: vmm{name: "vm_b", nics: []vmmNIC{{fds: []string{"26"}, mac: macA, device: true}}},
		},
		{
			name: "Proxmox: interface names",
			line: `/usr/bin/kvm -id 100 -name web-01,debug-threads=on
				-netdev type=tap,id=net0,ifname=tap100i0,script=/usr/libexec/qemu-server/pve-bridge,vhost=on
				-device virtio-net-pci,mac=52:54:00:aa:bb:01,netdev=net0,bus=pci.0`,
			want: vmm{name: "web-01", nics: []vmmNIC{{ifname: "tap100i0", mac: macA, device: true}}},
		},
		{
			name: "by hand: -nic, two dashes, a name with a comma",
			line: `qemu-system-aarch64 --name a,,b --nic tap,ifname=tap0,mac=52:54:00:aa:bb:01,script=no -nic user,mac=52:54:00:aa:bb:02`,
			want: vmm{name: "a,b", nics: []vmmNIC{{ifname: "tap0", mac: macA, device: true}}},
		},
		{
			name: "old style: -net nic and -net tap are not joined",
			line: `qemu -name guest=old -net nic,macaddr=52:54:00:aa:bb:01,model=e1000 -net tap,ifname=tap7`,
			want: vmm{name: "old", nics: []vmmNIC{{mac: macA, device: true}, {ifname: "tap7"}}},
		},
		{
			name: "no NIC, no name",
			line: `qemu-system-x86_64 -machine none -device virtio-blk-pci,drive=d0`,
		},
		{
			name: "broken JSON, options without value",
			line: `qemu-system-x86_64 -name guest=x -netdev {"type":"tap" -device {] -netdev`,
			want: vmm{name: "x"},
		},
		{
			name: "cloud-hypervisor",
			line: `/usr/local/bin/cloud-hypervisor --api-socket path=/run/ch/vm_c.sock --net tap=vmtap0,mac=52:54:00:aa:bb:01,num_queues=2 fd=[3,4],mac=52:54:00:aa:bb:02 --cpus boot=2`,
			want: vmm{name: "vm_c", nics: []vmmNIC{
				{ifname: "vmtap0", mac: macA, device: true},
				{fds: []string{"3", "4"}, mac: macB, device: true},
			}},
		},
		{
			name: "cloud-hypervisor under Kata: the socket's directory has the name",
			line: `cloud-hypervisor --api-socket /run/vc/vm/9f3c/clh-api.sock`,
			want: vmm{name: "9f3c"},
		},
		{
			name: "firecracker",
			line: `./firecracker --id vm-d --api-sock /run/fc.sock`,
			want: vmm{name: "vm-d"},
		},
		{
			name: "firecracker with its default id",
			line: `firecracker --id=anonymous-instance`,
		},
		{
			name: "crosvm, new and old",
			line: `crosvm run --name vm_e --net tap-name=tap3,mac=52:54:00:aa:bb:01 --tap-fd 12 --mac 52:54:00:aa:bb:02 vmlinux`,
			want: vmm{name: "vm_e", nics: []vmmNIC{
				{ifname: "tap3", mac: macA, device: true}, {fds: []string{"12"}, mac: macB, device: true},
			}},
		},
		{
			name: "kvmtool",
			line: `lkvm run --name vm_f --network mode=tap,tapif=tap4,guest_mac=52:54:00:aa:bb:01`,
			want: vmm{name: "vm_f", nics: []vmmNIC{{ifname: "tap4", mac: macA, device: true}}},
		},
		{name: "a shell that mentions QEMU", line: `sh -c qemu-system-x86_64 -name guest=vm_a`, other: true},
		{name: "kernel thread", line: ``, other: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseVMM(cmdline(tt.line))
			if ok == tt.other {
				t.Fatalf("a VMM: got %v", ok)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(vmm{}, vmmNIC{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseVMMCleansNames(t *testing.T) {
	got, _ := parseVMM([]byte("qemu-kvm\x00-name\x00guest=a\x1b[2Jb\xff\x00"))
	if want := "a\uFFFD[2Jb\uFFFD"; got.name != want {
		t.Errorf("want %q, got %q", want, got.name)
	}
}

func TestParseMAC(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want [6]byte
	}{
		{"52:54:00:aa:bb:01", macA},
		{"52-54-00-AA-BB-01", macA},
		{"52:54:0:aa:bb:1", macA},
		{"", [6]byte{}},
		{"52:54:00:aa:bb", [6]byte{}},
		{"52:54:00:aa:bb:01:02", [6]byte{}},
		{"52:54:00:aa:bb:0g", [6]byte{}},
		{"52:54:00:aa:bb:001", [6]byte{}},
		{"52:54:00:aa:bb:", [6]byte{}},
		{"52:54:00:aa:bb:\x10", [6]byte{}}, // 0x10|0x20 is '0'
	} {
		if got := parseMAC(tt.in); got != tt.want {
			t.Errorf("%q: want %x, got %x", tt.in, tt.want, got)
		}
	}
}
