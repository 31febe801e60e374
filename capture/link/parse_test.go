package link

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// attr makes an attribute; nested ones carry NLA_F_NESTED as the kernel's do not
// always.
func attr(typ uint16, value ...[]byte) []byte {
	var all []byte
	for _, v := range value {
		all = append(all, v...)
	}
	b := native.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(all)))
	b = native.AppendUint16(b, typ)
	b = append(b, all...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func n16(v uint16) []byte { return native.AppendUint16(nil, v) }
func n32(v uint32) []byte { return native.AppendUint32(nil, v) }

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// ifinfo is struct ifinfomsg.
func ifinfo(family uint8, index int32, flags uint32) []byte {
	return join([]byte{family, 0}, n16(1), n32(uint32(index)), n32(flags), n32(0))
}

func TestParseDeviceBond(t *testing.T) {
	msg := join(ifinfo(unix.AF_UNSPEC, 6, unix.IFF_UP|unix.IFF_LOWER_UP),
		attr(unix.IFLA_IFNAME, []byte("bond0\x00")),
		attr(unix.IFLA_ADDRESS, bondMAC[:]),
		attr(unix.IFLA_OPERSTATE, []byte{6}),
		attr(unix.IFLA_LINKINFO|unix.NLA_F_NESTED,
			attr(unix.IFLA_INFO_KIND, []byte("bond\x00")),
			attr(unix.IFLA_INFO_DATA|unix.NLA_F_NESTED,
				attr(unix.IFLA_BOND_MODE, []byte{4}),
				attr(unix.IFLA_BOND_XMIT_HASH_POLICY, []byte{1}),
				attr(unix.IFLA_BOND_AD_INFO|unix.NLA_F_NESTED, attr(unix.IFLA_BOND_AD_INFO_AGGREGATOR, n16(3))))))
	got, ok := parseDevice(msg)
	want := Device{Ifindex: 6, Name: "bond0", Kind: "bond", AdminUp: true, Carrier: true, Oper: 6, MAC: bondMAC,
		Bond: &BondInfo{Mode: "802.3ad", Policy: "layer3+4", Aggregator: 3}}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("ok %v (-want +got):\n%s", ok, diff)
	}
}

func TestParseDeviceMember(t *testing.T) {
	perm := []byte{2, 0, 0, 0, 0, 2}
	msg := join(ifinfo(unix.AF_UNSPEC, 2, unix.IFF_UP),
		// The slave's data before its kind: the order of attributes means nothing.
		attr(unix.IFLA_LINKINFO,
			attr(unix.IFLA_INFO_SLAVE_DATA,
				attr(unix.IFLA_BOND_SLAVE_STATE, []byte{1}),
				attr(unix.IFLA_BOND_SLAVE_MII_STATUS, []byte{2}),
				attr(unix.IFLA_BOND_SLAVE_PERM_HWADDR, perm),
				attr(unix.IFLA_BOND_SLAVE_QUEUE_ID, n16(3)),
				attr(unix.IFLA_BOND_SLAVE_AD_AGGREGATOR_ID, n16(2)),
				attr(unix.IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE, []byte{7}),
				attr(unix.IFLA_BOND_SLAVE_AD_PARTNER_OPER_PORT_STATE, n16(1))),
			attr(unix.IFLA_INFO_SLAVE_KIND, []byte("bond\x00"))),
		attr(unix.IFLA_IFNAME, []byte("eth0\x00")),
		attr(unix.IFLA_MASTER, n32(6)),
		attr(unix.IFLA_PARENT_DEV_NAME, []byte("0000:03:00.0\x00")),
		attr(unix.IFLA_PROP_LIST|unix.NLA_F_NESTED, attr(unix.IFLA_ALT_IFNAME, []byte("enp3s0\x00"))))
	got, ok := parseDevice(msg)
	want := Device{Ifindex: 2, Name: "eth0", AltNames: []string{"enp3s0"}, PortKind: "bond", Master: 6, AdminUp: true,
		PermMAC: [6]byte(perm), Bus: "0000:03:00.0", Physical: true,
		Port: &PortInfo{State: "backup", MII: "down", Aggregator: 2, Actor: 7, Partner: 1, QueueID: 3}}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("ok %v (-want +got):\n%s", ok, diff)
	}
}

func TestParseDeviceOdd(t *testing.T) {
	name := attr(unix.IFLA_IFNAME, []byte("x\x00"))
	tests := []struct {
		name string
		msg  []byte
		ok   bool
		want Device
	}{
		{"empty", nil, false, Device{}},
		{"short", make([]byte, 15), false, Device{}},
		{"bridge port's own message", join(ifinfo(unix.AF_BRIDGE, 2, 0), name), false, Device{}},
		{"no name", ifinfo(0, 2, 0), false, Device{Ifindex: 2}},
		{"number zero", join(ifinfo(0, 0, 0), name), false, Device{Name: "x"}},
		{"negative number", join(ifinfo(0, -1, 0), name), false, Device{Ifindex: -1, Name: "x"}},
		{"values too short", join(ifinfo(0, 2, 0), name, attr(unix.IFLA_MASTER, []byte{1}), attr(unix.IFLA_OPERSTATE), attr(unix.IFLA_ADDRESS, []byte{1, 2}),
			attr(unix.IFLA_STATS64, make([]byte, 12)), attr(unix.IFLA_LINKINFO, attr(unix.IFLA_INFO_KIND))), true, Device{Ifindex: 2, Name: "x"}},
		{"an attribute longer than the message", join(ifinfo(0, 2, 0), name, n16(200), n16(unix.IFLA_MASTER)), true, Device{Ifindex: 2, Name: "x"}},
		{"an attribute of length zero", join(ifinfo(0, 2, 0), name, n32(0), attr(unix.IFLA_MASTER, n32(5))), true, Device{Ifindex: 2, Name: "x"}},
		{"parent in another namespace", join(ifinfo(0, 2, 0), name, attr(unix.IFLA_LINK, n32(9)), attr(unix.IFLA_LINK_NETNSID, n32(0))), true, Device{Ifindex: 2, Name: "x"}},
		{"its own parent", join(ifinfo(0, 2, 0), name, attr(unix.IFLA_LINK, n32(2))), true, Device{Ifindex: 2, Name: "x"}},
		{"mode of a newer kernel", join(ifinfo(0, 2, 0), name, attr(unix.IFLA_LINKINFO, attr(unix.IFLA_INFO_KIND, []byte("bond\x00")),
			attr(unix.IFLA_INFO_DATA, attr(unix.IFLA_BOND_MODE, []byte{99})))), true,
			Device{Ifindex: 2, Name: "x", Kind: "bond", Bond: &BondInfo{Mode: "99"}}},
		{"member of an old kernel's bond, without data", join(ifinfo(0, 2, 0), name, attr(unix.IFLA_LINKINFO, attr(unix.IFLA_INFO_SLAVE_KIND, []byte("bond\x00")))), true,
			Device{Ifindex: 2, Name: "x", PortKind: "bond", Port: &PortInfo{Actor: -1, Partner: -1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseDevice(tt.msg)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("ok %v, want %v (-want +got):\n%s", ok, tt.ok, diff)
			}
		})
	}
}

func TestParseCounters(t *testing.T) {
	var stats []byte
	for i := range uint64(24) {
		stats = native.AppendUint64(stats, 100+i)
	}
	msg := join(ifinfo(0, 2, 0), attr(unix.IFLA_STATS64, stats), attr(unix.IFLA_CARRIER_CHANGES, n32(5)))
	var got flow.LinkCounters
	if !parseCounters(msg, &got) {
		t.Fatal("not ok")
	}
	// struct rtnl_link_stats64: rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped,
	// tx_dropped, multicast, collisions, 4 receive errors, rx_fifo_errors (14), rx_missed_errors (15), ...
	want := flow.LinkCounters{RxPackets: 100, TxPackets: 101, RxBytes: 102, TxBytes: 103, RxDropped: 106, TxDropped: 107,
		RxFifo: 114, RxMissed: 115, CarrierChanges: 5}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if parseCounters(ifinfo(0, 2, 0), &got) {
		t.Error("ok without counters")
	}
}

func tcmsg(ifindex, parent uint32) []byte {
	return join(n32(0), n32(ifindex), n32(0x8001<<16), n32(parent), n32(2))
}

func TestParseQdisc(t *testing.T) {
	queue := join(n32(7), n32(48000), n32(3), n32(0), n32(12)) // qlen, backlog, drops, requeues, overlimits
	msg := join(tcmsg(4, 0xffffffff), attr(unix.TCA_KIND, []byte("tbf\x00")),
		attr(unix.TCA_STATS2, attr(1, make([]byte, 12)), attr(3, queue)))
	backlog, drops, ok := parseQdisc(msg)
	if backlog != 48000 || drops != 3 || !ok {
		t.Errorf("backlog %d, drops %d, ok %v; want 48000, 3, true", backlog, drops, ok)
	}
	for _, tt := range []struct {
		name string
		msg  []byte
		dev  int
		root bool
	}{
		{"root", msg, 4, true},
		{"child", tcmsg(4, 1<<16), 4, false},
		{"ingress", tcmsg(4, 0xfffffff1), 4, false},
		{"short", msg[:19], 0, false},
	} {
		if dev, root := qdiscPlace(tt.msg); dev != tt.dev || root != tt.root {
			t.Errorf("%s: device %d, root %v; want %d, %v", tt.name, dev, root, tt.dev, tt.root)
		}
	}
	for _, short := range [][]byte{nil, msg[:20], join(tcmsg(4, 0), attr(unix.TCA_STATS2, attr(3, queue[:8])))} {
		if _, _, ok := parseQdisc(short); ok {
			t.Errorf("ok for %d bytes without queue", len(short))
		}
	}
}

func TestParseNeighbour(t *testing.T) {
	msg := func(family uint8, state uint16) []byte {
		return join([]byte{family, 0, 0, 0}, n32(4), n16(state), []byte{0, 1}, attr(unix.NDA_DST, []byte{10, 0, 0, 9}))
	}
	for state, pending := range map[uint16]bool{unix.NUD_INCOMPLETE: true, unix.NUD_PROBE: true, unix.NUD_REACHABLE: false,
		unix.NUD_STALE: false, unix.NUD_DELAY: false, unix.NUD_FAILED: false, unix.NUD_PERMANENT: false, unix.NUD_NOARP: false} {
		nb, ok := parseNeighbour(msg(unix.AF_INET, state))
		if !ok || nb.pending() != pending || nb.ifindex != 4 || nb.addr != netip.MustParseAddr("10.0.0.9") {
			t.Errorf("state %#x: %+v, ok %v; want pending %v", state, nb, ok, pending)
		}
	}
	if _, ok := parseNeighbour(msg(unix.AF_BRIDGE, unix.NUD_INCOMPLETE)); ok {
		t.Error("a bridge's entry taken for a neighbour")
	}
}

func TestParseRoute(t *testing.T) {
	rtmsg := func(family, dstLen, kind uint8) []byte {
		return join([]byte{family, dstLen, 0, 0, 254, 0, 0, kind}, n32(0))
	}
	gw4, gw6 := []byte{10, 0, 0, 1}, netip.MustParseAddr("fe80::1").AsSlice()
	nexthop := func(oif uint32, attrs ...[]byte) []byte {
		a := join(attrs...)
		return join(n16(uint16(8+len(a))), []byte{0, 0}, n32(oif), a)
	}
	addr := netip.MustParseAddr
	tests := []struct {
		name string
		msg  []byte
		want route
	}{
		{"gateway", join(rtmsg(unix.AF_INET, 0, 1), attr(unix.RTA_GATEWAY, gw4), attr(unix.RTA_OIF, n32(3)), attr(unix.RTA_PRIORITY, n32(100))),
			route{family: unix.AF_INET, kind: 1, table: 254, metric: 100, hops: []hop{{3, addr("10.0.0.1")}}}},
		{"on-link", join(rtmsg(unix.AF_INET6, 128, 1), attr(unix.RTA_OIF, n32(3)), attr(unix.RTA_TABLE, n32(1000))),
			route{family: unix.AF_INET6, kind: 1, dstLen: 128, table: 1000, hops: []hop{{3, netip.Addr{}}}}},
		{"IPv4 by an IPv6 gateway", join(rtmsg(unix.AF_INET, 0, 1), attr(unix.RTA_VIA, n16(unix.AF_INET6), gw6), attr(unix.RTA_OIF, n32(3))),
			route{family: unix.AF_INET, kind: 1, table: 254, hops: []hop{{3, addr("fe80::1")}}}},
		{"two next hops", join(rtmsg(unix.AF_INET, 0, 1), attr(unix.RTA_MULTIPATH, nexthop(3, attr(unix.RTA_GATEWAY, gw4)), nexthop(4))),
			route{family: unix.AF_INET, kind: 1, table: 254, hops: []hop{{3, addr("10.0.0.1")}, {4, netip.Addr{}}}}},
		{"next hop cut short", join(rtmsg(unix.AF_INET, 0, 1), attr(unix.RTA_MULTIPATH, nexthop(3), n16(99), n16(0), n32(4))),
			route{family: unix.AF_INET, kind: 1, table: 254, hops: []hop{{3, netip.Addr{}}}}},
		{"gateway of five bytes", join(rtmsg(unix.AF_INET, 0, 1), attr(unix.RTA_GATEWAY, make([]byte, 5)), attr(unix.RTA_OIF, n32(3))),
			route{family: unix.AF_INET, kind: 1, table: 254, hops: []hop{{3, netip.Addr{}}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseRoute(tt.msg)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(route{}, hop{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || !ok {
				t.Errorf("ok %v (-want +got):\n%s", ok, diff)
			}
		})
	}
	if _, ok := parseRoute(rtmsg(unix.AF_BRIDGE, 0, 1)); ok {
		t.Error("a route of another family")
	}
}

func TestParseAddress(t *testing.T) {
	head := func(bits uint8) []byte { return join([]byte{unix.AF_INET, bits, 0, 0}, n32(4)) }
	tests := []struct {
		name string
		msg  []byte
		want string
	}{
		{"plain", join(head(24), attr(unix.IFA_ADDRESS, []byte{10, 0, 0, 5})), "10.0.0.5/24"},
		{"point to point: ours, not the other end", join(head(32), attr(unix.IFA_ADDRESS, []byte{10, 0, 0, 6}), attr(unix.IFA_LOCAL, []byte{10, 0, 0, 5})), "10.0.0.5/32"},
		{"33 bits", join(head(33), attr(unix.IFA_ADDRESS, []byte{10, 0, 0, 5})), ""},
		{"none", head(24), ""},
	}
	for _, tt := range tests {
		got, ok := parseAddress(tt.msg)
		if ok != (tt.want != "") || (ok && (got.Prefix.String() != tt.want || got.Ifindex != 4)) {
			t.Errorf("%s: %v, ok %v; want %q", tt.name, got, ok, tt.want)
		}
	}
}

func TestMessages(t *testing.T) {
	a, b := newRequest(16, 2, []byte{1, 2, 3, 4}), newRequest(17, 0, nil)
	native.PutUint32(b[8:], 77)
	var got []uint16
	for h, payload := range messages(join(a, b, []byte{9, 9})) {
		got = append(got, h.typ, h.flags, uint16(h.seq), uint16(len(payload)))
	}
	want := []uint16{16, unix.NLM_F_REQUEST | 2, 0, 4, 17, unix.NLM_F_REQUEST, 77, 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range messages(n32(1 << 30)) {
		t.Error("a message longer than its datagram")
	}
}

// Whatever comes, nothing panics, hangs or takes a value from outside the bytes.
func FuzzParse(f *testing.F) {
	f.Add(join(ifinfo(0, 2, 1), attr(unix.IFLA_IFNAME, []byte("eth0\x00")), attr(unix.IFLA_LINKINFO,
		attr(unix.IFLA_INFO_KIND, []byte("bond\x00")), attr(unix.IFLA_INFO_DATA, attr(unix.IFLA_BOND_AD_INFO, attr(1, n16(1)))),
		attr(unix.IFLA_INFO_SLAVE_KIND, []byte("bond\x00")), attr(unix.IFLA_INFO_SLAVE_DATA, attr(4, make([]byte, 6))))))
	f.Add(join(tcmsg(1, 0xffffffff), attr(unix.TCA_STATS2, attr(3, make([]byte, 20)))))
	f.Add(join([]byte{2, 0, 0, 0, 254, 0, 0, 1}, n32(0), attr(unix.RTA_MULTIPATH, n16(8), n16(0), n32(1)), attr(unix.RTA_VIA, n16(10))))
	f.Add(newRequest(1, 2, make([]byte, 16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		kept := string(b)
		if d, ok := parseDevice(b); ok && (d.Name == "" || d.Ifindex <= 0 || len(d.Name) > len(b)) {
			t.Errorf("accepted %+v", d)
		}
		parseRoute(b)
		if a, ok := parseAddress(b); ok && !a.Prefix.IsValid() {
			t.Errorf("accepted %v", a)
		}
		parseQdisc(b)
		qdiscPlace(b)
		parseNeighbour(b)
		parseCounters(b, &flow.LinkCounters{})
		total := 0
		for _, p := range messages(b) {
			total += len(p) + unix.NLMSG_HDRLEN
		}
		if total > len(b) {
			t.Errorf("messages of %d bytes in %d", total, len(b))
		}
		if string(b) != kept {
			t.Error("the bytes were changed")
		}
	})
}
