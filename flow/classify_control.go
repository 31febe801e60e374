package flow

// controlEthertypes are the protocols between neighbours that carry nobody's
// data (IEEE 802 numbers).
var controlEthertypes = [...]struct {
	ethertype uint16
	why       string
}{
	{0x0806, "arp"},
	{0x8809, "lacp"},
	{0x88cc, "lldp"},
	{0x888e, "eapol"},
	{0x8808, "pause frames"},
	{0x88f7, "ptp"},
	{0x8902, "cfm"},
}

// controlProtos are those that run over IP (IANA protocol numbers).
var controlProtos = [...]struct {
	proto uint8
	why   string
}{
	{2, "igmp"},
	{88, "eigrp"},
	{89, "ospf"},
	{103, "pim"},
	{112, "vrrp"},
}

// controlProtocol names the protocol of k if it is one between neighbours, by
// which a network keeps itself together. Spanning tree has a length where others
// have an ethertype, and is known by its group address.
func controlProtocol(k *Key) string {
	if k.Family == FamilyMAC {
		for _, c := range controlEthertypes {
			if c.ethertype == k.LocalPort {
				return c.why
			}
		}
		if k.LocalPort < 0x600 && (spanningTree(&k.Local) || spanningTree(&k.Remote)) {
			return "spanning tree"
		}
		return ""
	}
	switch k.Neighbourhood() {
	case ICMPNeighbour:
		return "neighbour discovery"
	case ICMPListener:
		return "multicast listener discovery"
	}
	for _, c := range controlProtos {
		if c.proto == k.Proto {
			return c.why
		}
	}
	return ""
}

// spanningTree reports whether a is the bridge group address (IEEE 802.1D 7.12.3)
// or that of Cisco's PVST+.
func spanningTree(a *[16]byte) bool {
	m := [6]byte(a[10:])
	return m == [6]byte{0x01, 0x80, 0xc2, 0, 0, 0} || m == [6]byte{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcd}
}

// isGroup reports whether an end of k is a multicast address or the broadcast
// address of IPv4.
func isGroup(k *Key) bool { return groupAddr(k, &k.Local) || groupAddr(k, &k.Remote) }

func groupAddr(k *Key, a *[16]byte) bool {
	switch k.Family {
	case FamilyIPv4:
		return a[12]>>4 == 14 || [4]byte(a[12:]) == [4]byte{255, 255, 255, 255}
	case FamilyIPv6:
		return a[0] == 0xff
	}
	return false
}
