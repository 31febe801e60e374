package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spiketop/capture/host"
	"spiketop/capture/link"
	"spiketop/capture/socket"
	"spiketop/flow"
)

const allRights = 1<<unix.CAP_NET_RAW | 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_CHOWN

// healthy is a host on which nothing is missing: a bond of two 25 Gbit/s NICs.
func healthy(t *testing.T) *doctorHost {
	t.Helper()
	root := t.TempDir()
	h := &doctorHost{doctorOptions: doctorOptions{roots: link.Roots{Sysfs: root + "/sys", Procfs: root + "/proc"}}, root: root, program: "/usr/bin/spiketop",
		caps: allRights, release: "6.1.0-18-amd64"}
	env := map[string]string{"TERM": "xterm-256color", "LANG": "C.UTF-8", "HOME": "/root"}
	h.getenv = func(name string) string { return env[name] }
	member := func(ifindex int, name string) link.Device {
		return link.Device{Ifindex: ifindex, Name: name, PortKind: "bond", Master: 4, AdminUp: true, Carrier: true, Physical: true, SpeedBps: 25e9,
			Port: &link.PortInfo{State: "active", MII: "up", Aggregator: 1, Actor: 63, Partner: 63}}
	}
	h.network = func() (*link.State, error) {
		return &link.State{OwnSysfs: true, Devices: []link.Device{member(2, "eth0"), member(3, "eth1"),
			{Ifindex: 4, Name: "bond0", Kind: "bond", AdminUp: true, Carrier: true, Bond: &link.BondInfo{Mode: "802.3ad", Policy: "layer3+4", Aggregator: 1, Slaves: []string{"eth0", "eth1"}}}}}, nil
	}
	h.openRing = func(int) error { return nil }
	h.openPing = func(int) error { return nil }
	h.openTap = func() error { return nil }
	h.features = func(string) (features, error) { return features{TSO: true, GRO: true}, nil }
	h.drivers = func(string) (driverLook, error) {
		return driverLook{"mlx5_core", 1204, [flow.NICCounts][]string{flow.NICMissed: {"rx_discards_phy"}, flow.NICNoBuffer: {"rx_out_of_buffer"}}}, nil
	}
	h.counters = func(c []link.Choice) ([]flow.LinkCounters, error) {
		list := make([]flow.LinkCounters, len(c))
		for i := range list {
			list[i].HasQdisc, list[i].HasSoftnet = true, true
		}
		return list, nil
	}
	put(t, root, "proc/stat", "cpu 1 2 3 4 5 6 7 8 9 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n")
	put(t, root, "proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n")
	h.guests = func() ([]host.SourceReport, error) {
		return []host.SourceReport{{Source: "fdinfo", Status: host.Found, Detail: "taps: 2"}, {Source: "xen", Status: host.Absent}}, nil
	}
	h.sockets = func() []socket.Finding {
		return []socket.Finding{{What: socket.AboutTCP, OK: true, Detail: "sock_diag"}}
	}
	h.mayWrite = func(string) error { return nil }
	h.space = func(string) (uint64, uint64, error) { return 50 << 30, 100 << 30, nil }
	h.synced = func() (bool, error) { return true, nil }
	h.terminal = func() (int, int, bool) { return 120, 40, true }
	put(t, root, "proc/1/fd/.keep", "")
	if err := os.Remove(root + "/proc/1/fd/.keep"); err != nil {
		t.Fatal(err)
	}
	put(t, root, "var/lib/.keep", "")
	return h
}

// put writes a file below root.
func put(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDoctorHealthy: on a healthy host every line is in order or not here.
func TestDoctorHealthy(t *testing.T) {
	list := examine(healthy(t))
	for _, f := range list {
		if f.State != fine && f.State != absent || f.Remedy != "" {
			t.Errorf("%+v: want it in order", f)
		}
	}
	seen := map[string]bool{}
	for _, f := range list {
		seen[f.Group] = true
	}
	for _, c := range checks {
		if !seen[c.group] {
			t.Errorf("nothing said about %s", c.group)
		}
	}
}

// TestDoctorFindings: each thing that can be wrong is found, with its remedy.
func TestDoctorFindings(t *testing.T) {
	device := func(h *doctorHost, edit func(s *link.State)) {
		s, _ := h.network()
		edit(s)
		h.network = func() (*link.State, error) { return s, nil }
	}
	tests := []struct {
		name          string
		harm          func(t *testing.T, h *doctorHost)
		what          string
		state         condition
		found, remedy string // parts
	}{
		{"no raw sockets", func(_ *testing.T, h *doctorHost) { h.caps = 0 }, "CAP_NET_RAW", missing, "no capture", "sudo setcap cap_net_raw+ep /usr/bin/spiketop"},
		{"no ptrace", func(_ *testing.T, h *doctorHost) { h.caps = 1 << unix.CAP_NET_RAW }, "CAP_SYS_PTRACE", missing, "owners", "cap_sys_ptrace"},
		{"root without chown", func(_ *testing.T, h *doctorHost) { h.caps &^= 1 << unix.CAP_CHOWN }, "CAP_CHOWN", limited, "root", "CAP_CHOWN"},
		{"user without chown", func(_ *testing.T, h *doctorHost) { h.caps, h.euid = 0, 1000 }, "CAP_CHOWN", absent, "not needed", ""},
		{"old kernel", func(_ *testing.T, h *doctorHost) { h.release = "5.4.0-150" }, "kernel", limited, "use one member", "5.5"},
		{"very old kernel", func(_ *testing.T, h *doctorHost) { h.release = "4.4.0-generic" }, "offload headers in rings", missing, "super-frames", "4.6"},
		{"driver without statistics", func(_ *testing.T, h *doctorHost) {
			h.drivers = func(string) (driverLook, error) { return driverLook{driver: "tun"}, unix.EOPNOTSUPP }
		}, "drops and pauses of eth0", limited, "tun has no statistics", "switch port"},
		{"driver that tells little", func(_ *testing.T, h *doctorHost) {
			h.drivers = func(string) (driverLook, error) {
				return driverLook{"virtio_net", 20, [flow.NICCounts][]string{flow.NICNoBuffer: {"rx_hw_drop_overruns", "rx_hw_drop_overruns", "rx_hw_drop_overruns"}}}, nil
			}
		}, "drops and pauses of eth1", limited, "rx_no_buffer = rx_hw_drop_overruns + rx_hw_drop_overruns + 1 more; not rx_missed", "switch port"},
		{"driver that tells nothing", func(_ *testing.T, h *doctorHost) {
			h.drivers = func(string) (driverLook, error) { return driverLook{driver: "veth", values: 12}, nil }
		}, "drops and pauses of eth0", limited, "veth, 12 statistics, none", "switch port"},
		{"no queues", func(_ *testing.T, h *doctorHost) {
			h.counters = func([]link.Choice) ([]flow.LinkCounters, error) { return make([]flow.LinkCounters, 2), nil }
		}, "output queues", limited, "eth0, eth1", "own queue"},
		{"no softnet", func(_ *testing.T, h *doctorHost) {
			h.counters = func([]link.Choice) ([]flow.LinkCounters, error) {
				return make([]flow.LinkCounters, 2), errors.New("no such file")
			}
		}, "softnet_stat", limited, "no such file", "--procfs"},
		{"no counters", func(_ *testing.T, h *doctorHost) {
			h.counters = func([]link.Choice) ([]flow.LinkCounters, error) { return nil, errors.New("refused") }
		}, "output queues", unclear, "refused", ""},
		{"no PSI", func(_ *testing.T, h *doctorHost) {
			if err := os.RemoveAll(h.root + "/proc/pressure"); err != nil {
				t.Error(err)
			}
		}, "CPU steal and pressure", absent, "steal only", ""},
		{"not so old kernel", func(_ *testing.T, h *doctorHost) { h.release = "4.19.0" }, "offload headers in rings", fine, "TPACKET_V3", ""},
		{"odd kernel", func(_ *testing.T, h *doctorHost) { h.release = "linux" }, "kernel", unclear, `"linux"`, ""},
		{"no netlink", func(_ *testing.T, h *doctorHost) {
			h.network = func() (*link.State, error) { return nil, unix.EPERM }
		}, "NICs", unclear, "operation not permitted", "NETLINK_ROUTE"},
		{"no NIC", func(_ *testing.T, h *doctorHost) { device(h, func(s *link.State) { s.Devices = nil }) }, "NICs to capture", missing, "none to capture", "namespace"},
		{"ring refused", func(_ *testing.T, h *doctorHost) { h.caps, h.openRing = 0, func(int) error { return unix.EPERM } }, "ring on eth0", missing, "not permitted", "cap_net_raw"},
		{"ring refused by a policy", func(_ *testing.T, h *doctorHost) { h.openRing = func(int) error { return unix.EPERM } }, "ring on eth1", missing, "not permitted", "seccomp"},
		{"ring unknown", func(_ *testing.T, h *doctorHost) { h.openRing = func(int) error { return unix.EINVAL } }, "ring on eth0", missing, "invalid", "TPACKET_V3"},
		{"another namespace's sysfs", func(_ *testing.T, h *doctorHost) { device(h, func(s *link.State) { s.OwnSysfs = false }) }, "sysfs", limited, "no NIC of this", "--sysfs"},
		{"ping refused", func(_ *testing.T, h *doctorHost) { h.caps, h.openPing = 0, func(int) error { return unix.EPERM } }, "ping IPv4", missing, "not permitted", "cap_net_raw"},
		{"taps refused", func(_ *testing.T, h *doctorHost) { h.caps, h.openTap = 0, func() error { return unix.EPERM } }, "ICMP on vifs", missing, "not permitted", "cap_net_raw"},
		{"no packet sockets", func(_ *testing.T, h *doctorHost) { h.openTap = func() error { return unix.EAFNOSUPPORT } }, "ICMP on vifs", missing, "not supported", "CONFIG_PACKET"},
		{"no IPv6", func(_ *testing.T, h *doctorHost) {
			h.openPing = func(f int) error {
				if f == unix.AF_INET6 {
					return unix.EAFNOSUPPORT
				}
				return nil
			}
		}, "ping IPv6", absent, "does not have it", ""},
		{"member down", func(_ *testing.T, h *doctorHost) { device(h, func(s *link.State) { s.Devices[1].Port.MII = "down" }) }, "bond0", limited, "eth1 active (down)", "cable"},
		{"member elsewhere", func(_ *testing.T, h *doctorHost) { device(h, func(s *link.State) { s.Devices[0].Port.Aggregator = 2 }) }, "bond0", limited, "aggregator 2, the bond uses 1", "same LACP group"},
		{"no partner", func(_ *testing.T, h *doctorHost) { device(h, func(s *link.State) { s.Devices[0].Port.Partner = 1 }) }, "bond0", limited, "LACP partner state 1", "switch port of eth0"},
		{"policy layer2", func(_ *testing.T, h *doctorHost) {
			device(h, func(s *link.State) { s.Devices[2].Bond.Policy = "layer2" })
		}, "bond0", limited, "layer2", "layer3+4"},
		{"no speed", func(_ *testing.T, h *doctorHost) { device(h, func(s *link.State) { s.Devices[0].SpeedBps = 0 }) }, "eth0 speed", limited, "unknown", "--link-speed eth0=RATE"},
		{"LRO", func(_ *testing.T, h *doctorHost) {
			h.features = func(string) (features, error) { return features{GRO: true, LRO: true, VLANStrip: true}, nil }
		}, "eth1 offloads", limited, "GRO, LRO, VLAN tags stripped", "lro off"},
		{"no offloads asked", func(_ *testing.T, h *doctorHost) {
			h.features = func(string) (features, error) { return features{}, unix.EOPNOTSUPP }
		}, "eth0 offloads", unclear, "not supported", ""},
		{"a source that is closed", func(_ *testing.T, h *doctorHost) {
			h.guests = func() ([]host.SourceReport, error) {
				return []host.SourceReport{{Source: "libvirt", Status: host.NotPermitted, Detail: "polkit", Remedy: "join the group libvirt"}}, nil
			}
		}, "vifs, by libvirt", missing, "polkit", "group libvirt"},
		{"no vifs to be read", func(_ *testing.T, h *doctorHost) {
			h.guests = func() ([]host.SourceReport, error) { return nil, unix.EPERM }
		}, "vifs", unclear, "not permitted", ""},
		{"hidden processes", func(_ *testing.T, h *doctorHost) {
			h.sockets = func() []socket.Finding {
				return []socket.Finding{{What: socket.AboutOthers, Detail: "hidepid", Remedy: "run as root"}}
			}
		}, socket.AboutOthers, missing, "hidepid", "run as root"},
		{"incidents cannot be written", func(_ *testing.T, h *doctorHost) { h.mayWrite = func(string) error { return unix.EROFS } }, "incidents", missing, "read-only", "--incidents"},
		{"incidents is a file", func(t *testing.T, h *doctorHost) { put(t, h.root, "var/lib/spiketop", "") }, "incidents", missing, "no directory", "--incidents"},
		{"full disk", func(_ *testing.T, h *doctorHost) {
			h.space = func(string) (uint64, uint64, error) { return 4 << 30, 100 << 30, nil } // 4 %
		}, "incidents", missing, "under 5 %", "free some space"},
		{"no place for incidents", func(_ *testing.T, h *doctorHost) { h.euid, h.getenv = 1000, func(string) string { return "" } }, "incidents", missing, "HOME", "--incidents"},
		{"clock runs free", func(_ *testing.T, h *doctorHost) { h.synced = func() (bool, error) { return false, nil } }, "clock", limited, "not synchronised", "chrony"},
		{"no terminal", func(_ *testing.T, h *doctorHost) { h.terminal = func() (int, int, bool) { return 0, 0, false } }, "terminal", absent, "headless", ""},
		{"small terminal", func(_ *testing.T, h *doctorHost) { h.terminal = func() (int, int, bool) { return 60, 20, true } }, "terminal", limited, "60 columns", "80 columns"},
		{"no colour", func(_ *testing.T, h *doctorHost) { env(h, "TERM", "dumb") }, "colour", missing, "dumb", "TERM"},
		{"no UTF-8", func(_ *testing.T, h *doctorHost) { env(h, "LC_ALL", "POSIX") }, "UTF-8", limited, "ASCII", "LANG"},
		{"bad configuration", func(t *testing.T, h *doctorHost) {
			put(t, h.root, "x.yaml", "pings: []\n")
			h.config = h.root + "/x.yaml"
		}, "configuration", missing, `x.yaml:1:1`, "docs/CLASSES.md"},
		{"good configuration", func(t *testing.T, h *doctorHost) {
			put(t, h.root, "x.yaml", "ping: [a, b]\n")
			h.config = h.root + "/x.yaml"
		}, "configuration", fine, "ping targets: 2", ""},
		{"escapes in names", func(_ *testing.T, h *doctorHost) {
			h.guests = func() ([]host.SourceReport, error) {
				return []host.SourceReport{{Source: "ovs", Status: host.Found, Detail: "a\x1b[31m"}}, nil
			}
		}, "vifs, by ovs", fine, "a\ufffd[31m", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := healthy(t)
			tt.harm(t, h)
			for _, f := range examine(h) {
				if f.What != tt.what {
					continue
				}
				if f.State != tt.state || !strings.Contains(f.Found, tt.found) || !strings.Contains(f.Remedy, tt.remedy) || (tt.remedy == "") != (f.Remedy == "") {
					t.Errorf("%+v\nwant %s, found %q, remedy %q", f, tt.state, tt.found, tt.remedy)
				}
				return
			}
			t.Errorf("nothing said about %q", tt.what)
		})
	}
}

func env(h *doctorHost, name, value string) {
	old := h.getenv
	h.getenv = func(n string) string {
		if n == name {
			return value
		}
		return old(n)
	}
}

// TestDoctorText: aligned, one line each, a legend with the sums.
func TestDoctorText(t *testing.T) {
	var b bytes.Buffer
	list := []finding{{"g", "short", fine, "all well", ""}, {"g", "a longer one", missing, "not there", "do this"}, {"g", "third", limited, "half", "do that"}}
	if err := writeFindings(&b, list); err != nil {
		t.Fatal(err)
	}
	want := "+ short         all well\n" +
		"x a longer one  not there  -> do this\n" +
		"! third         half       -> do that\n" +
		"\n+ 1 in order   ! 1 limited   x 1 missing   - 0 not here   ? 0 not known\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	if err := writeFindings(brokenPipe{}, list); !errors.Is(err, unix.EPIPE) {
		t.Errorf("error %v, want that of the writer", err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, unix.EPIPE }

func TestDoctorJSON(t *testing.T) {
	var b bytes.Buffer
	if err := writeFindingsJSON(&b, examine(healthy(t))); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Schema string
		Checks []finding
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != doctorSchema || len(got.Checks) < len(checks) || got.Checks[0].What != "CAP_NET_RAW" || got.Checks[0].State != fine {
		t.Errorf("got %+v", got)
	}
}

// TestMemberTrouble: what unknown states of LACP mean: nothing.
func TestMemberTrouble(t *testing.T) {
	b := &flow.Bond{Name: "bond0", Mode: "802.3ad", Active: 1}
	if got, _ := memberTrouble(b, &flow.Member{Name: "eth0", PartnerState: -1, ActorState: -1}); got != "" {
		t.Errorf("trouble %q of a member that nothing is known of", got)
	}
}
