package link

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

var bondMAC = [6]byte{2, 0, 0, 0, 0, 0x10}

func all(*Device) bool { return true }

// nic is a device as an old kernel's netlink lists it, which knows nothing of
// bonds.
func nic(ifindex int, name string, master int) Device {
	return Device{Ifindex: ifindex, Name: name, Master: master, MAC: bondMAC, AdminUp: true, Carrier: true, Oper: 6}
}

func TestSysfsBond8023AD(t *testing.T) {
	devices := []Device{
		{Ifindex: 1, Name: "lo", Loopback: true, AdminUp: true, Carrier: true},
		nic(2, "eth0", 6), nic(3, "eth1", 6), nic(4, "eth2", 6), nic(5, "eth3", 6), nic(6, "bond0", 0),
	}
	s, mismatch := newState(Roots{Sysfs: "testdata/lacp"}, devices, all)
	if mismatch || !s.OwnSysfs {
		t.Fatalf("mismatch %v, own sysfs %v; want false, true", mismatch, s.OwnSysfs)
	}
	bonds, unknown := s.Bonds()
	want := []flow.Bond{{Name: "bond0", Mode: "802.3ad", Policy: "layer3+4", Active: 1, Members: []flow.Member{
		// In order of enslaving, which is neither that of names nor of numbers.
		{Name: "eth1", State: "active", MII: "up", Aggregator: 1, ActorState: 61, PartnerState: 61, SpeedBps: 10e9},
		{Name: "eth0", State: "active", MII: "up", Aggregator: 1, ActorState: 63, PartnerState: 63, SpeedBps: 10e9},
		{Name: "eth2", State: "backup", MII: "up", Aggregator: 2, ActorState: 7, PartnerState: 0, SpeedBps: 25e9},
		{Name: "eth3", State: "backup", MII: "down", Aggregator: 3, ActorState: 5, PartnerState: 1},
	}}}
	if diff := cmp.Diff(want, bonds); diff != "" {
		t.Errorf("bonds (-want +got):\n%s", diff)
	}
	if len(unknown) != 0 {
		t.Errorf("order unknown of %v", unknown)
	}
	type nicFacts struct {
		Speed    uint64
		Physical bool
		Perm     byte
	}
	got := map[string]nicFacts{}
	for _, d := range s.Devices {
		got[d.Name] = nicFacts{d.SpeedBps, d.Physical, d.PermMAC[5]}
	}
	facts := map[string]nicFacts{
		"lo": {}, "eth0": {10e9, true, 2}, "eth1": {10e9, true, 0x10}, "eth2": {25e9, true, 4}, "eth3": {0, true, 5}, "bond0": {20e9, false, 0},
	}
	if diff := cmp.Diff(facts, got); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
}

func TestSysfsBondActiveBackup(t *testing.T) {
	s, _ := newState(Roots{Sysfs: "testdata/backup"}, []Device{nic(2, "eth0", 4), nic(3, "eth1", 4), nic(4, "bond0", 0)}, all)
	bonds, _ := s.Bonds()
	want := []flow.Bond{{Name: "bond0", Mode: "active-backup", Policy: "layer2", Members: []flow.Member{
		{Name: "eth0", State: "backup", MII: "up", ActorState: -1, PartnerState: -1},
		{Name: "eth1", State: "active", MII: "up", ActorState: -1, PartnerState: -1},
	}}}
	if diff := cmp.Diff(want, bonds); diff != "" {
		t.Errorf("bonds (-want +got):\n%s", diff)
	}
	if v := s.Named("eth0").SpeedBps; v != 0 {
		t.Errorf("speed of a virtio NIC: %d, want 0 (unknown)", v)
	}
}

// Netlink has its say first; sysfs gives what it leaves open.
func TestSysfsBesideNetlink(t *testing.T) {
	d := []Device{nic(2, "eth0", 4), nic(3, "eth1", 4), nic(4, "bond0", 0)}
	d[0].PortKind, d[0].Port = kindBond, &PortInfo{State: "active", MII: "down", Actor: -1, Partner: -1}
	d[2].Kind, d[2].Bond = kindBond, &BondInfo{Mode: "balance-xor", Policy: "vlan+srcmac"}
	before := *d[2].Bond
	s, _ := newState(Roots{Sysfs: "testdata/backup"}, d, all)
	bonds, _ := s.Bonds()
	if b := bonds[0]; b.Mode != "balance-xor" || b.Policy != "vlan+srcmac" || b.Members[0].State != "active" || b.Members[0].MII != "down" {
		t.Errorf("sysfs overruled netlink: %+v", b)
	}
	if diff := cmp.Diff([]string{"eth0", "eth1"}, s.Named("bond0").Bond.Slaves); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, BondInfo{Mode: "balance-xor", Policy: "vlan+srcmac"}); diff != "" {
		t.Errorf("input changed: %s", diff)
	}
}

func TestSysfsOdd(t *testing.T) {
	d := []Device{nic(2, "eth0", 4), nic(3, "eth1", 4), nic(4, "bond0", 0), nic(5, "eth2", 0), nic(6, "eth3", 0), nic(7, "../../lacp/class/net/eth0", 0)}
	d[1].MAC[5] = 3
	s, mismatch := newState(Roots{Sysfs: "testdata/odd"}, d, all)
	if mismatch {
		t.Fatal("taken for another namespace's")
	}
	bonds, unknown := s.Bonds()
	want := []flow.Bond{{Name: "bond0", OrderUnknown: true, Members: []flow.Member{
		{Name: "eth0", MII: "up", ActorState: -1, PartnerState: -1},
		{Name: "eth1", State: "active", MII: "up", ActorState: -1, PartnerState: -1},
	}}}
	if diff := cmp.Diff(want, bonds); diff != "" {
		t.Errorf("bonds (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"bond0"}, unknown); diff != "" {
		t.Errorf("order unknown (-want +got):\n%s", diff)
	}
	for _, d := range s.Devices {
		if d.SpeedBps != 0 || d.Physical {
			t.Errorf("%s: speed %d, physical %v; want unknown", d.Name, d.SpeedBps, d.Physical)
		}
	}
}

func TestSysfsOfAnotherNamespace(t *testing.T) {
	eth0 := nic(2, "eth0", 0)
	otherNumber, otherMAC := eth0, eth0
	otherNumber.Ifindex = 77
	otherMAC.MAC[0] = 6
	tests := []struct {
		name          string
		roots         Roots
		devices       []Device
		own, mismatch bool
	}{
		{"same", Roots{Sysfs: "testdata/lacp"}, []Device{eth0}, true, false},
		{"another ifindex", Roots{Sysfs: "testdata/lacp"}, []Device{otherNumber}, false, true},
		{"same ifindex, another address", Roots{Sysfs: "testdata/lacp"}, []Device{otherMAC}, false, true},
		{"one of two", Roots{Sysfs: "testdata/lacp"}, []Device{eth0, nic(9, "eth1", 0)}, false, true},
		{"only lo known", Roots{Sysfs: "testdata/lacp"}, []Device{{Ifindex: 1, Name: "lo", Loopback: true}, nic(2, "veth0", 0)}, false, false},
		{"no sysfs", Roots{Sysfs: "testdata/nowhere"}, []Device{eth0}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, mismatch := newState(tt.roots, tt.devices, all)
			if s.OwnSysfs != tt.own || mismatch != tt.mismatch {
				t.Errorf("own %v, mismatch %v; want %v, %v", s.OwnSysfs, mismatch, tt.own, tt.mismatch)
			}
			if !tt.own && s.Devices[0].SpeedBps != 0 {
				t.Errorf("speed %d taken from it", s.Devices[0].SpeedBps)
			}
		})
	}
}

// Where sysfs says nothing, a bond's members stand by number and it is said.
func TestOrderUnknown(t *testing.T) {
	bond := Device{Ifindex: 4, Name: "bond0", Kind: kindBond, Bond: &BondInfo{Mode: "802.3ad"}}
	lone := Device{Ifindex: 8, Name: "bond1", Kind: kindBond}
	s, _ := newState(Roots{Sysfs: "testdata/nowhere"}, []Device{nic(3, "b", 4), bond, nic(2, "c", 4), nic(7, "d", 8), lone}, all)
	bonds, unknown := s.Bonds()
	if diff := cmp.Diff([]string{"bond0"}, unknown); diff != "" {
		t.Errorf("order unknown (-want +got):\n%s", diff)
	}
	if got := bonds[0].Members[0].Name + bonds[0].Members[1].Name; got != "cb" {
		t.Errorf("members %q, want by ifindex: cb", got)
	}
}

func TestParseSpeed(t *testing.T) {
	tests := []struct {
		in   string
		want uint64
	}{
		{"10000\n", 10_000_000_000}, {"100", 100_000_000}, {"400000\n", 400_000_000_000}, {"0", 0},
		{"-1\n", 0}, {"4294967295\n", 0}, {"", 0}, {"fast", 0}, {"1e4", 0}, {"99999999999999999999999", 0},
	}
	for _, tt := range tests {
		if got := parseSpeed(tt.in); got != tt.want {
			t.Errorf("parseSpeed(%q) = %d, want %d", tt.in, got, tt.want)
		}
	}
}

func TestLACPHealthy(t *testing.T) {
	// active 1, short timeout 2, aggregating 4, in sync 8, collecting 16, distributing 32, defaulted 64, expired 128
	for bits, want := range map[int]bool{63: true, 61: true, 62: true, 60: true, 0: false, 7: false, 15: false, 31: false, 55: false, 63 + 64: false, 63 + 128: false} {
		if flow.LACPHealthy(bits) != want {
			t.Errorf("lacpHealthy(%d) = %v", bits, !want)
		}
	}
}
