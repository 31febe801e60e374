package link

import (
	"net/netip"
	"slices"

	"spiketop/flow"
)

// Roots are the mount points of the kernel's file systems. Tests and
// --sysfs/--procfs point them elsewhere.
type Roots struct {
	Sysfs  string // "/sys"
	Procfs string // "/proc"
}

// DefaultRoots are the usual mount points.
func DefaultRoots() Roots { return Roots{Sysfs: "/sys", Procfs: "/proc"} }

// Device is one network device of this namespace, as netlink and sysfs show it.
type Device struct {
	Ifindex  int
	Name     string
	AltNames []string // further names given by "ip link property add altname"
	Kind     string   // IFLA_INFO_KIND: "bond", "team", "bridge", "vlan", "veth", "tun", "openvswitch", ...; "" for hardware and lo
	PortKind string   // IFLA_INFO_SLAVE_KIND: kind of the master that it is a port of, or ""
	Master   int      // ifindex of its master, 0 = none
	Parent   int      // ifindex of the device it is stacked on (IFLA_LINK) in this namespace, 0 = none
	Loopback bool
	AdminUp  bool      // IFF_UP
	Carrier  bool      // IFF_LOWER_UP
	Oper     uint8     // IF_OPER_*, RFC 2863: 0 unknown, 2 down, 5 dormant, 6 up
	MAC      [6]byte   // as it is now; a bond's members have the bond's
	PermMAC  [6]byte   // permanent address, zero = unknown
	Bus      string    // name of the hardware device behind it ("0000:03:00.0", "virtio0"), ""= none or unknown
	Physical bool      // has a device behind it
	SpeedBps uint64    // bit/s, 0 = unknown
	XDP      uint32    // id of the XDP program attached to it, 0 = none or unknown
	VFs      int       // SR-IOV virtual functions switched on
	Bytes    uint64    // received and sent since it was made, to tell the busy from the idle
	Bond     *BondInfo // of a bond device, else nil
	Port     *PortInfo // of a member of a bond, else nil
}

// BondInfo is what a bond device says of itself.
type BondInfo struct {
	Mode       string   // "802.3ad", "active-backup", ...; "" = unknown
	Policy     string   // "layer3+4", ...; "" = unknown
	Aggregator int      // active aggregator id, 0 = none or not 802.3ad
	Active     int      // ifindex of the active member in active-backup, 0 = none
	Slaves     []string // names in order of enslaving; nil = unknown
}

// PortInfo is what a bond says of one of its members.
type PortInfo struct {
	State      string // "active" or "backup", "" = unknown
	MII        string // "up" or "down" ("going down" and "going back" pass), "" = unknown
	Aggregator int    // 802.3ad aggregator id, 0 = none
	Actor      int    // LACP actor port state bits, -1 = unknown
	Partner    int    // LACP partner port state bits, -1 = unknown
	QueueID    int    // not 0: tc may choose this member whatever the hash says
}

// Route is a default route, or one next hop of it if it has several.
type Route struct {
	Family  flow.Family
	Table   uint32     // 254 is the main table
	Oif     int        // ifindex of the device it leaves by
	Gateway netip.Addr // invalid: the route is on-link
	Metric  uint32     // lower is preferred
}

// Address is one of this host's own addresses.
type Address struct {
	Ifindex int
	Prefix  netip.Prefix // the address itself with the length of its network
}

// State is what a look at the host's network found. It is not changed once it
// was returned, so any goroutine may read it.
type State struct {
	Devices   []Device  // by ifindex
	Routes    []Route   // default routes: IPv4 before IPv6, the main table before others, the lowest metric first
	Addresses []Address // own addresses
	Bypass    []string  // what of this host's hardware may carry traffic that no packet tap sees: RDMA, DPDK; a sentence each
	OwnSysfs  bool      // sysfs shows this network namespace; false: speed and order of members are unknown
}

// Up reports whether d can carry traffic: switched on, with carrier, not
// operationally down. The "unknown" of veth, tap and lo is up.
func (d *Device) Up() bool {
	const notPresent, down, lowerLayerDown = 1, 2, 3 // IF_OPER_*, linux/if.h
	switch d.Oper {
	case notPresent, down, lowerLayerDown:
		return false
	}
	return d.AdminUp && d.Carrier
}

// Device returns the device with this ifindex, or nil.
func (s *State) Device(ifindex int) *Device {
	i, ok := slices.BinarySearchFunc(s.Devices, ifindex, func(d Device, x int) int { return d.Ifindex - x })
	if !ok {
		return nil
	}
	return &s.Devices[i]
}

// Named returns the device with this name or, if none has it, this alternative
// name; or nil.
func (s *State) Named(name string) *Device {
	for i := range s.Devices {
		if s.Devices[i].Name == name {
			return &s.Devices[i]
		}
	}
	for i := range s.Devices {
		if slices.Contains(s.Devices[i].AltNames, name) {
			return &s.Devices[i]
		}
	}
	return nil
}
