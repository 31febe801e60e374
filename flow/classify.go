package flow

import "net/netip"

// Classify says whose traffic the flow k is and why, in words for the person;
// mac is the local end's own address. The first rule that matches wins; what no
// rule names is Control if it is one of the protocols that keep a network
// together, else Unknown with why "". Neighbour discovery of IPv6 is not told
// from other ICMPv6: a Key does not know the type.
//
// It allocates nothing, changes nothing, and may be called from any goroutine.
// Its method value is a ClassifyFunc.
func (w *World) Classify(k *Key, mac [6]byte) (c Class, why string) {
	if w != nil {
		for i := range w.Rules {
			if r := &w.Rules[i]; r.matches(k) {
				return r.Class, r.Why
			}
		}
	}
	if k.Family == FamilyMAC {
		if why := controlProtocol(k); why != "" {
			return Control, why
		}
	}
	return Unknown, ""
}

func (r *Rule) matches(k *Key) bool {
	switch {
	case k.Family == FamilyMAC:
		return false
	case r.PortLo != 0:
		return k.HasPorts() && (r.hasPort(k.LocalPort) || r.hasPort(k.RemotePort))
	case r.Prefix.IsValid():
		return r.Prefix.Contains(k.LocalAddr()) || r.Prefix.Contains(k.RemoteAddr())
	}
	return false
}

func (r *Rule) hasPort(p uint16) bool { return r.PortLo <= p && p <= r.PortHi }

// controlProtocol names the protocols between neighbours that carry nobody's
// data. Spanning tree has a length where others have an ethertype, and is known
// by its group address.
func controlProtocol(k *Key) string {
	switch t := k.LocalPort; {
	case t == 0x0806:
		return "arp"
	case t == 0x8809:
		return "lacp"
	case t == 0x88cc:
		return "lldp"
	case t == 0x888e:
		return "eapol"
	case t < 0x600 && (spanningTree(&k.Local) || spanningTree(&k.Remote)):
		return "spanning tree"
	}
	return ""
}

// spanningTree reports whether a is the bridge group address (IEEE 802.1D 7.12.3)
// or that of Cisco's PVST+.
func spanningTree(a *[16]byte) bool {
	m := [6]byte(a[10:])
	return m == [6]byte{0x01, 0x80, 0xc2, 0, 0, 0} || m == [6]byte{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcd}
}

// plainPrefix makes an IPv4 prefix of an IPv4-mapped one, as Key.LocalAddr makes
// of addresses, and clears the bits behind the prefix.
func plainPrefix(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked()
}
