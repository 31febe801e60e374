package link

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// sysfsTree makes files and, where the name ends in a slash, folders.
func sysfsTree(t *testing.T, files map[string]string) Roots {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir != path {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return Roots{Sysfs: root}
}

func TestHidden(t *testing.T) {
	eth0 := nic(2, "eth0", 0)
	eth0.MAC = [6]byte{2, 0, 0, 0, 0, 0x10}
	xdp, veth := eth0, nic(9, "cali12", 0)
	xdp.XDP, veth.XDP = 41, 40
	nicFiles := map[string]string{"class/net/eth0/ifindex": "2\n", "class/net/eth0/address": "02:00:00:00:00:10\n"}
	with := func(files map[string]string) map[string]string {
		for k, v := range nicFiles {
			files[k] = v
		}
		return files
	}
	links := []flow.Link{{ID: 1, Name: "eth0", Ifindex: 2}}
	tests := []struct {
		name    string
		files   map[string]string
		devices []Device
		want    []string
	}{
		{"nothing", with(map[string]string{}), []Device{eth0}, nil},
		{"RDMA", with(map[string]string{"class/infiniband/mlx5_0/device/net/eth0/": "", "class/infiniband/mlx5_1/device/": ""}), []Device{eth0},
			[]string{"RDMA (mlx5_0 on eth0, mlx5_1): storage over RoCE, iWARP or InfiniBand is not seen"}},
		{"RDMA in software is seen", with(map[string]string{"class/infiniband/rxe0/ports/": ""}), []Device{eth0}, nil},
		{"many of them", with(map[string]string{"class/infiniband/a/device/": "", "class/infiniband/b/device/": "", "class/infiniband/c/device/": "",
			"class/infiniband/d/device/": "", "class/infiniband/e/device/": "", "class/infiniband/f/device/": ""}), []Device{eth0},
			[]string{"RDMA (a, b, c, d and 2 more): storage over RoCE, iWARP or InfiniBand is not seen"}},
		{"SR-IOV", with(map[string]string{"class/net/eth0/device/sriov_numvfs": "8\n"}), []Device{eth0},
			[]string{"eth0 has 8 virtual functions (SR-IOV): what goes through them is not seen"}},
		{"one virtual function", with(map[string]string{"class/net/eth0/device/sriov_numvfs": "1\n"}), []Device{eth0},
			[]string{"eth0 has 1 virtual function (SR-IOV): what goes through them is not seen"}},
		{"SR-IOV switched off", with(map[string]string{"class/net/eth0/device/sriov_numvfs": "0\n"}), []Device{eth0}, nil},
		{"DPDK; a disk and the driver's own files do not count", with(map[string]string{"bus/pci/drivers/vfio-pci/0000:03:00.1/class": "0x020000\n",
			"bus/pci/drivers/vfio-pci/0000:05:00.0/class": "0x010802\n", "bus/pci/drivers/vfio-pci/bind": "", "bus/pci/drivers/igb_uio/0000:03:00.0/class": "0x020000\n"}), []Device{eth0},
			[]string{"NICs handed to user space (0000:03:00.1 with vfio-pci, 0000:03:00.0 with igb_uio): DPDK or a VM uses them, what they carry is not seen"}},
		{"XDP on a captured link, not on others", with(map[string]string{}), []Device{xdp, veth},
			[]string{"XDP program 41 on eth0: what it drops or redirects is not seen"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newState(sysfsTree(t, tt.files), tt.devices, all)
			if diff := cmp.Diff(tt.want, s.Hidden(links)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if gone := s.Hidden([]flow.Link{{Ifindex: 2, State: flow.LinkGone}}); len(gone) != len(s.Bypass) {
				t.Errorf("of a link that is gone: %q", gone)
			}
		})
	}
}

func TestParseXDP(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		want uint32
	}{
		{"none", attr(unix.IFLA_XDP_ATTACHED, []byte{0}), 0},
		{"driver mode", join(attr(unix.IFLA_XDP_ATTACHED, []byte{1}), attr(unix.IFLA_XDP_PROG_ID, n32(41)), attr(unix.IFLA_XDP_DRV_PROG_ID, n32(41))), 41},
		{"several", join(attr(unix.IFLA_XDP_ATTACHED, []byte{4}), attr(unix.IFLA_XDP_DRV_PROG_ID, n32(7)), attr(unix.IFLA_XDP_SKB_PROG_ID, n32(9))), 7},
		{"attached, without id", attr(unix.IFLA_XDP_ATTACHED, []byte{2}), 1},
		{"nothing", nil, 0},
		{"cut short", attr(unix.IFLA_XDP_PROG_ID, []byte{1, 0}), 0},
	} {
		if got := parseXDP(tt.b); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestKernel(t *testing.T) {
	if k := Kernel(); !k.Known() || k.Before(3, 0, 0) {
		t.Errorf("this kernel is %v", k)
	}
}
