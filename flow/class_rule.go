package flow

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
)

// PortRange is a port or a range of ports, both ends included.
type PortRange struct{ Lo, Hi uint16 }

// Rule gives a class to flows. Conditions that are empty ask nothing; each one
// that is not must hold, and holds if one of its values does. A rule without
// any condition matches nothing.
//
// A rule that asks for nothing but a port or protocol is not asked about the
// traffic of a known guest: what a VM does on its ports is its own business.
type Rule struct {
	Class Class
	Text  string // as the user wrote it
	Why   string // what Classify answers, made once: "port 9422 (--storage 9422)"

	Ports     []PortRange    // one of the two ports lies in it (TCP, UDP, SCTP)
	Protos    []uint8        // IP protocol number
	Prefixes  []netip.Prefix // one of the two addresses lies in it
	VLANs     []uint16       // outermost VLAN id; 0 = untagged
	NICs      []string       // captured NIC, or the bond it is a member of
	MACs      [][6]byte      // of the local end, outside or inside of a tunnel, or of the remote end of a MAC pair
	Guests    []string       // name of the VM or container, see World.Guests
	VIFs      []string       // name of its virtual interface
	Processes []string       // comm of the socket's owner on this host; a * at the end stands for any rest
	Labels    []string       // label of the built-in rules: monitoring, logs
}

// compiled is a Rule as Classify reads it.
type compiled struct {
	*Rule
	prefixes []prefix128
	links    []LinkID
	weak     bool // only ports and protocols
	empty    bool
}

// prefix128 is a netip.Prefix, IPv4 as ::ffff:a.b.c.d, in two words.
type prefix128 struct{ hi, lo, maskHi, maskLo uint64 }

func newPrefix128(p netip.Prefix) prefix128 {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	a := p.Addr().As16()
	m := prefix128{maskHi: ^uint64(0), maskLo: ^uint64(0) << min(128-bits, 64)}
	if bits < 64 {
		m.maskHi <<= 64 - bits
	}
	m.hi, m.lo = binary.BigEndian.Uint64(a[:])&m.maskHi, binary.BigEndian.Uint64(a[8:])&m.maskLo
	return m
}

func (p *prefix128) contains(a *[16]byte) bool {
	return binary.BigEndian.Uint64(a[:])&p.maskHi == p.hi && binary.BigEndian.Uint64(a[8:])&p.maskLo == p.lo
}

func compileRule(r *Rule, w *World) compiled {
	c := compiled{Rule: r}
	for _, p := range r.Prefixes {
		c.prefixes = append(c.prefixes, newPrefix128(p))
	}
	for i := range w.Links {
		if l := &w.Links[i]; slices.Contains(r.NICs, l.Name) || l.Bond != "" && slices.Contains(r.NICs, l.Bond) {
			c.links = append(c.links, l.ID)
		}
	}
	strong := len(r.Prefixes) + len(r.VLANs) + len(r.NICs) + len(r.MACs) + len(r.Guests) + len(r.VIFs) + len(r.Processes) + len(r.Labels)
	c.weak = strong == 0
	c.empty = strong+len(r.Ports)+len(r.Protos) == 0
	return c
}

// matches asks the cheap conditions first; the owner of a socket is the dearest.
func (r *compiled) matches(s *subject) bool {
	k := s.key
	switch {
	case r.empty || r.weak && s.guest != nil:
		return false
	case len(r.Ports) > 0 && !(k.HasPorts() && (inPorts(r.Ports, k.LocalPort) || inPorts(r.Ports, k.RemotePort))):
		return false
	case len(r.Protos) > 0 && (k.Family == FamilyMAC || !slices.Contains(r.Protos, k.Proto)):
		return false
	case len(r.prefixes) > 0 && !r.inPrefixes(k):
		return false
	case len(r.VLANs) > 0 && !slices.Contains(r.VLANs, k.VLAN):
		return false
	case len(r.NICs) > 0 && !slices.Contains(r.links, s.link):
		return false
	case len(r.MACs) > 0 && !r.hasMAC(s):
		return false
	case len(r.Guests) > 0 && (s.guest == nil || !slices.Contains(r.Guests, s.guest.nic.Guest)):
		return false
	case len(r.VIFs) > 0 && (s.guest == nil || !slices.Contains(r.VIFs, s.guest.nic.Name)):
		return false
	case len(r.Labels) > 0 && !slices.Contains(r.Labels, s.label()):
		return false
	}
	return len(r.Processes) == 0 || s.ownerIn(r.Processes)
}

func inPorts(list []PortRange, p uint16) bool {
	for _, r := range list {
		if r.Lo <= p && p <= r.Hi {
			return true
		}
	}
	return false
}

// mapped is how the key of an IPv4 flow begins.
var mapped = []byte{10: 0xff, 11: 0xff}

func (r *compiled) inPrefixes(k *Key) bool {
	if k.Family == FamilyMAC || k.Family == FamilyIPv6 && bytes.HasPrefix(k.Local[:], mapped) {
		return false
	}
	for i := range r.prefixes {
		if p := &r.prefixes[i]; p.contains(&k.Local) || p.contains(&k.Remote) {
			// ::/0 and the like are networks of IPv6 only.
			if k.Family == FamilyIPv4 == r.Prefixes[i].Addr().Is4() {
				return true
			}
		}
	}
	return false
}

func (r *compiled) hasMAC(s *subject) bool {
	for _, m := range r.MACs {
		if m == s.mac || m == s.inner || s.key.Family == FamilyMAC && m == [6]byte(s.key.Remote[10:]) {
			return true
		}
	}
	return false
}
