package link

import (
	"cmp"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// route is what we read of an RTM_NEWROUTE message.
type route struct {
	family uint8
	kind   uint8 // RTN_UNICAST, RTN_LOCAL, ...
	dstLen uint8
	table  uint32
	metric uint32
	source netip.Addr
	hops   []hop
}

type hop struct {
	oif     int
	gateway netip.Addr
}

// parseRoute reads struct rtmsg and attributes (linux/rtnetlink.h).
func parseRoute(b []byte) (r route, ok bool) {
	if len(b) < unix.SizeofRtMsg {
		return route{}, false
	}
	r = route{family: b[0], dstLen: b[1], table: uint32(b[4]), kind: b[7]}
	var only hop
	for typ, v := range attributes(b[unix.SizeofRtMsg:]) {
		switch typ {
		case unix.RTA_TABLE:
			r.table = u32(v)
		case unix.RTA_PRIORITY:
			r.metric = u32(v)
		case unix.RTA_PREFSRC:
			r.source, _ = netip.AddrFromSlice(v)
		case unix.RTA_OIF:
			only.oif = int(u32(v))
		case unix.RTA_GATEWAY, unix.RTA_VIA:
			only.gateway = gateway(typ, v)
		case unix.RTA_MULTIPATH:
			r.hops = parseHops(v)
		}
	}
	if only.oif != 0 {
		r.hops = append(r.hops, only)
	}
	return r, r.family == unix.AF_INET || r.family == unix.AF_INET6
}

// parseHops reads RTA_MULTIPATH: struct rtnexthop (length u16, flags, hops,
// ifindex) with attributes, one after the other.
func parseHops(b []byte) (hops []hop) {
	for len(b) >= unix.SizeofRtNexthop {
		size := int(native.Uint16(b))
		if size < unix.SizeofRtNexthop || size > len(b) {
			break
		}
		h := hop{oif: int(int32(native.Uint32(b[4:])))}
		for typ, v := range attributes(b[unix.SizeofRtNexthop:size]) {
			if typ == unix.RTA_GATEWAY || typ == unix.RTA_VIA {
				h.gateway = gateway(typ, v)
			}
		}
		hops = append(hops, h)
		b = b[min(align4(size), len(b)):]
	}
	return hops
}

// gateway reads RTA_GATEWAY, or RTA_VIA (a family u16, then the address: an IPv4
// route by an IPv6 gateway, RFC 5549).
func gateway(typ uint16, v []byte) netip.Addr {
	if typ == unix.RTA_VIA {
		if len(v) < 2 {
			return netip.Addr{}
		}
		v = v[2:]
	}
	a, _ := netip.AddrFromSlice(v)
	return a
}

// defaultRoutes lists the default routes of all tables, best first.
func (n *Netlink) defaultRoutes() ([]Route, error) {
	var list []Route
	err := n.dump(newRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP, make([]byte, unix.SizeofRtMsg)),
		func() { list = list[:0] },
		func(b []byte) {
			if r, ok := parseRoute(b); ok && r.dstLen == 0 && r.kind == unix.RTN_UNICAST {
				for _, h := range r.hops {
					list = append(list, Route{familyOf(r.family), r.table, h.oif, h.gateway, r.metric})
				}
			}
		})
	sortRoutes(list)
	return list, err
}

func familyOf(af uint8) flow.Family {
	if af == unix.AF_INET {
		return flow.FamilyIPv4
	}
	return flow.FamilyIPv6
}

func sortRoutes(list []Route) {
	other := func(r Route) int {
		if r.Table == unix.RT_TABLE_MAIN {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), other(a)-other(b), cmp.Compare(a.Metric, b.Metric))
	})
}

// addresses lists this host's addresses.
func (n *Netlink) addresses() ([]Address, error) {
	var list []Address
	err := n.dump(newRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP, make([]byte, unix.SizeofIfAddrmsg)),
		func() { list = list[:0] },
		func(b []byte) {
			if a, ok := parseAddress(b); ok {
				list = append(list, a)
			}
		})
	return list, err
}

// parseAddress reads struct ifaddrmsg and attributes (linux/if_addr.h). On a
// point-to-point device IFA_ADDRESS is the other end; IFA_LOCAL is ours.
func parseAddress(b []byte) (Address, bool) {
	if len(b) < unix.SizeofIfAddrmsg {
		return Address{}, false
	}
	var addr, local netip.Addr
	for typ, v := range attributes(b[unix.SizeofIfAddrmsg:]) {
		switch typ {
		case unix.IFA_ADDRESS:
			addr, _ = netip.AddrFromSlice(v)
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(v)
		}
	}
	if local.IsValid() {
		addr = local
	}
	p := netip.PrefixFrom(addr, int(b[1]))
	return Address{Ifindex: int(native.Uint32(b[4:])), Prefix: p}, p.IsValid()
}

// routeTo asks which way packets to addr go (RTM_GETROUTE). A zone chooses the
// device. The error is a unix.Errno where there is no route.
func (n *Netlink) routeTo(addr netip.Addr, oif int) (r route, err error) {
	raw := addr.AsSlice()
	fixed := make([]byte, unix.SizeofRtMsg)
	fixed[0], fixed[1] = unix.AF_INET6, byte(8*len(raw))
	if len(raw) == 4 {
		fixed[0] = unix.AF_INET
	}
	req := addAttribute(newRequest(unix.RTM_GETROUTE, unix.NLM_F_ACK, fixed), unix.RTA_DST, raw)
	if oif != 0 {
		req = addAttribute(req, unix.RTA_OIF, native.AppendUint32(nil, uint32(oif)))
	}
	e := n.ask([][]byte{req},
		func(_ int, b []byte) { r, _ = parseRoute(b) },
		func(_ int, e error) { err = e })
	if e != nil {
		err = e
	}
	return r, err
}
