package host

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// device is one network device of this namespace, as far as vifs are concerned.
type device struct {
	ifindex  int
	name     string
	kind     string // IFLA_INFO_KIND
	portKind string // IFLA_INFO_SLAVE_KIND
	master   int
	peer     int // ifindex of a veth's other end, in the namespace nsid if that is not -1
	nsid     int // our id of the namespace of the other end; -1 = this one
	mac      [6]byte
	ether    bool   // ARPHRD_ETHER: of the tun devices, a tap
	bus      string // "xen-backend", "pci", ...; "" = none or unknown
}

// devices lists all devices of the socket's namespace.
func (n *rtnl) devices() ([]device, error) {
	var list []device
	err := n.dump(request(unix.RTM_GETLINK, unix.NLM_F_DUMP, make([]byte, unix.SizeofIfInfomsg)),
		func() { list = list[:0] },
		func(b []byte) {
			if d, ok := parseDevice(b); ok {
				list = append(list, d)
			}
		})
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return list, nil
}

// parseDevice reads an RTM_NEWLINK message's payload (struct ifinfomsg and
// attributes, linux/if_link.h).
func parseDevice(b []byte) (d device, ok bool) {
	if len(b) < unix.SizeofIfInfomsg || b[0] != unix.AF_UNSPEC {
		return device{}, false
	}
	d = device{ifindex: int(int32(native.Uint32(b[4:]))), ether: native.Uint16(b[2:]) == unix.ARPHRD_ETHER, nsid: -1}
	for typ, v := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch typ {
		case unix.IFLA_IFNAME:
			d.name = cstring(v)
		case unix.IFLA_ADDRESS:
			d.mac = lladdr(v)
		case unix.IFLA_MASTER:
			d.master = int(u32(v))
		case unix.IFLA_LINK:
			d.peer = int(int32(u32(v)))
		case unix.IFLA_LINK_NETNSID:
			d.nsid = int(int32(u32(v)))
		case unix.IFLA_PARENT_DEV_BUS_NAME:
			d.bus = cstring(v)
		case unix.IFLA_LINKINFO:
			parseLinkInfo(&d, v)
		}
	}
	return d, d.name != "" && d.ifindex > 0
}

func parseLinkInfo(d *device, b []byte) {
	for typ, v := range attributes(b) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			d.kind = cstring(v)
		case unix.IFLA_INFO_SLAVE_KIND:
			d.portKind = cstring(v)
		}
	}
}

// candidate returns what kind of vif d can be, or "".
//
// A veth counts if its other end is in another network namespace and nobody
// captures on this end: inside a container, and in a bond of the lab, a veth is
// the NIC. A Xen device is known by its bus, never by its name: libvirt lets a
// tap be called vif7.1 too.
func (d *device) candidate() string {
	switch {
	case d.portKind == "bond" || d.portKind == "team":
		return ""
	case d.kind == "tun" && d.ether:
		return "tap"
	case d.kind == "macvtap" || d.kind == "ipvtap":
		return d.kind
	case d.kind == "veth" && d.nsid >= 0:
		return "veth"
	case d.bus == "xen-backend":
		return "xen"
	}
	return ""
}

// namespaceID asks for our id of the network namespace of a process; -1 = it has
// none, so no device here has its other end there. It needs no capability
// (rtnl_net_getid, net/core/net_namespace.c).
func (n *rtnl) namespaceID(pid int) (int, error) {
	return n.nsid(unix.NETNSA_PID, pid)
}

// namespaceIDOf is namespaceID of an open file of a namespace.
func (n *rtnl) namespaceIDOf(fd int) (int, error) {
	return n.nsid(unix.NETNSA_FD, fd)
}

func (n *rtnl) nsid(attr uint16, v int) (id int, err error) {
	id = -1
	_, err = n.exchange(withU32(request(unix.RTM_GETNSID, unix.NLM_F_ACK, make([]byte, 4)), attr, uint32(v)), func(b []byte) {
		id = parseNSID(b)
	})
	return id, err
}

// parseNSID reads an RTM_NEWNSID payload.
func parseNSID(b []byte) int {
	const rtgenmsg = 4 // struct rtgenmsg, aligned
	if len(b) < rtgenmsg {
		return -1
	}
	for typ, v := range attributes(b[rtgenmsg:]) {
		if typ == unix.NETNSA_NSID && len(v) == 4 {
			return int(int32(native.Uint32(v)))
		}
	}
	return -1
}

// peerMAC returns the address of a device in the namespace that has our id nsid.
// It needs CAP_NET_ADMIN over that namespace (rtnl_get_net_ns_capable).
func (n *rtnl) peerMAC(nsid, ifindex int) (m [6]byte, err error) {
	fixed := make([]byte, unix.SizeofIfInfomsg)
	native.PutUint32(fixed[4:], uint32(ifindex))
	req := withU32(request(unix.RTM_GETLINK, unix.NLM_F_ACK, fixed), unix.IFLA_TARGET_NETNSID, uint32(nsid))
	_, err = n.exchange(req, func(b []byte) {
		if d, ok := parseDevice(b); ok && d.ifindex == ifindex {
			m = d.mac
		}
	})
	return m, err
}
