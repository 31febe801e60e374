package link

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// parseDevice reads an RTM_NEWLINK message's payload (struct ifinfomsg and
// attributes, linux/if_link.h). ok is false for what is not a device of its own:
// a bridge port's AF_BRIDGE message, or one without name.
func parseDevice(b []byte) (d Device, ok bool) {
	if len(b) < unix.SizeofIfInfomsg || b[0] != unix.AF_UNSPEC {
		return Device{}, false
	}
	flags := native.Uint32(b[8:])
	d = Device{
		Ifindex:  int(int32(native.Uint32(b[4:]))),
		Loopback: flags&unix.IFF_LOOPBACK != 0,
		AdminUp:  flags&unix.IFF_UP != 0,
		Carrier:  flags&unix.IFF_LOWER_UP != 0,
	}
	elsewhere := false
	for typ, v := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch typ {
		case unix.IFLA_IFNAME:
			d.Name = text(v)
		case unix.IFLA_PROP_LIST:
			d.AltNames = parseAltNames(v)
		case unix.IFLA_ADDRESS:
			d.MAC = mac(v)
		case unix.IFLA_PERM_ADDRESS:
			d.PermMAC = mac(v)
		case unix.IFLA_MASTER:
			d.Master = int(u32(v))
		case unix.IFLA_LINK:
			d.Parent = int(u32(v))
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		case unix.IFLA_OPERSTATE:
			d.Oper = u8(v)
		case unix.IFLA_PARENT_DEV_NAME:
			d.Bus = text(v)
		case unix.IFLA_STATS64:
			c := parseStats(v)
			d.Bytes = c.RxBytes + c.TxBytes
		case unix.IFLA_LINKINFO:
			parseLinkInfo(&d, v)
		case unix.IFLA_XDP:
			d.XDP = parseXDP(v)
		}
	}
	if elsewhere || d.Parent == d.Ifindex { // the number counts in the other namespace
		d.Parent = 0
	}
	d.Physical = d.Bus != ""
	return d, d.Name != "" && d.Ifindex > 0
}

// parseXDP reads IFLA_XDP (rtnl_xdp_fill in net/core/rtnetlink.c): the id of the
// program, or of the first of several. A program without id counts as 1.
func parseXDP(b []byte) (id uint32) {
	attached := false
	for typ, v := range attributes(b) {
		switch typ {
		case unix.IFLA_XDP_ATTACHED:
			attached = u8(v) != 0
		case unix.IFLA_XDP_PROG_ID, unix.IFLA_XDP_DRV_PROG_ID, unix.IFLA_XDP_SKB_PROG_ID, unix.IFLA_XDP_HW_PROG_ID:
			if id == 0 {
				id = u32(v)
			}
		}
	}
	if attached && id == 0 {
		return 1
	}
	return id
}

func parseAltNames(b []byte) (names []string) {
	for typ, v := range attributes(b) {
		if typ == unix.IFLA_ALT_IFNAME {
			names = append(names, text(v))
		}
	}
	return names
}

func parseLinkInfo(d *Device, b []byte) {
	var data, portData []byte
	for typ, v := range attributes(b) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			d.Kind = text(v)
		case unix.IFLA_INFO_SLAVE_KIND:
			d.PortKind = text(v)
		case unix.IFLA_INFO_DATA:
			data = v
		case unix.IFLA_INFO_SLAVE_DATA:
			portData = v
		}
	}
	if d.Kind == kindBond {
		d.Bond = parseBond(data)
	}
	if d.PortKind == kindBond {
		d.Port = parsePort(d, portData)
	}
}

// parseBond reads IFLA_INFO_DATA of a bond (bond_fill_info in
// drivers/net/bonding/bond_netlink.c).
func parseBond(b []byte) *BondInfo {
	info := &BondInfo{}
	for typ, v := range attributes(b) {
		switch typ {
		case unix.IFLA_BOND_MODE:
			info.Mode = numbered(bondModes[:], int(u8(v)))
		case unix.IFLA_BOND_XMIT_HASH_POLICY:
			info.Policy = numbered(bondPolicies[:], int(u8(v)))
		case unix.IFLA_BOND_ACTIVE_SLAVE:
			info.Active = int(u32(v))
		case unix.IFLA_BOND_AD_INFO:
			for typ, v := range attributes(v) {
				if typ == unix.IFLA_BOND_AD_INFO_AGGREGATOR {
					info.Aggregator = int(u16(v))
				}
			}
		}
	}
	return info
}

// parsePort reads IFLA_INFO_SLAVE_DATA of a bond's member (bond_fill_slave_info).
func parsePort(d *Device, b []byte) *PortInfo {
	p := &PortInfo{Actor: -1, Partner: -1}
	for typ, v := range attributes(b) {
		switch typ {
		case unix.IFLA_BOND_SLAVE_STATE:
			p.State = numbered(portStates[:], int(u8(v)))
		case unix.IFLA_BOND_SLAVE_MII_STATUS:
			p.MII = numbered(miiStates[:], int(u8(v)))
		case unix.IFLA_BOND_SLAVE_PERM_HWADDR:
			if d.PermMAC == ([6]byte{}) {
				d.PermMAC = mac(v)
			}
		case unix.IFLA_BOND_SLAVE_QUEUE_ID:
			p.QueueID = int(u16(v))
		case unix.IFLA_BOND_SLAVE_AD_AGGREGATOR_ID:
			p.Aggregator = int(u16(v))
		case unix.IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE:
			p.Actor = int(u8(v))
		case unix.IFLA_BOND_SLAVE_AD_PARTNER_OPER_PORT_STATE:
			p.Partner = int(u16(v))
		}
	}
	return p
}

// The words that sysfs uses for the numbers that netlink uses
// (drivers/net/bonding/bond_options.c).
var (
	bondModes = [...]string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}
	// A policy has a meaning in balance-xor, 802.3ad and balance-tlb only, but every bond has one.
	bondPolicies = [...]string{"layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"}
	portStates   = [...]string{"active", "backup"}
	miiStates    = [...]string{"up", "going down", "down", "going back"}
)

func numbered(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return strconv.Itoa(i) // a newer kernel's
}

// stats are the counters of struct rtnl_link_stats64 that we use.
type stats struct {
	RxPackets, TxPackets, RxBytes, TxBytes uint64
	RxDropped, TxDropped                   uint64
	RxFifo, RxMissed                       uint64
}

// parseStats reads IFLA_STATS64: 64 bit numbers in the order of struct
// rtnl_link_stats64 (linux/if_link.h). Counters beyond its end are zero.
func parseStats(b []byte) stats {
	at := func(i int) uint64 {
		if len(b) < 8*i+8 {
			return 0
		}
		return native.Uint64(b[8*i:])
	}
	return stats{
		RxPackets: at(0), TxPackets: at(1), RxBytes: at(2), TxBytes: at(3),
		RxDropped: at(6), TxDropped: at(7), RxFifo: at(14), RxMissed: at(15),
	}
}
