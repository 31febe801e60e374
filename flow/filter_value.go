package flow

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

var filterProtos = map[string]filterProto{"ip": protoIP, "ip6": protoIP6, "arp": protoARP, "tcp": protoTCP, "udp": protoUDP,
	"sctp": protoSCTP, "icmp": protoICMP, "icmp6": protoICMP6}

var filterKinds = map[string]filterKind{"host": kindHost, "net": kindNet, "port": kindPort, "portrange": kindPortRange, "proto": kindIPProto}

var filterKindNames = [...]string{kindHost: "host", kindNet: "net", kindPort: "port", kindPortRange: "portrange", kindIPProto: "proto"}

// ipProtoNumbers are the names that "proto" knows besides numbers.
var ipProtoNumbers = map[string]uint16{"icmp": ProtoICMP, "tcp": ProtoTCP, "udp": ProtoUDP, "icmp6": ProtoICMPv6, "sctp": ProtoSCTP}

// isFilterWord reports whether t has a meaning of its own, so that it is no
// value.
func isFilterWord(t string) bool {
	switch t {
	case "and", "or", "not", "&&", "||", "!", "(", ")", "src", "dst", "vlan", "&", "|":
		return true
	}
	_, proto := filterProtos[t]
	_, kind := filterKinds[t]
	_, _, label := filterLabel(t)
	return proto || kind || label
}

// filterLabel cuts a word of ours: class:, nic:, vm: and process:. An address of
// IPv6 does not begin like that.
func filterLabel(t string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(t, ":")
	return key, value, ok && (key == "class" || key == "nic" || key == "vm" || key == "process")
}

// value makes the test of an id with these qualifiers.
func (q filterQual) value(t filterToken) (*filterTest, error) {
	test := &filterTest{filterQual: q}
	var why string
	if t.text == "" {
		return nil, t.errorf("%s of what?", filterKindNames[q.kind])
	}
	switch q.kind {
	case kindHost:
		test.prefix, why = hostValue(t.text)
	case kindNet:
		test.prefix, why = netValue(t.text)
	case kindPort:
		test.lo, why = number(t.text, 65535, "not a port (0-65535)")
		test.hi = test.lo
	case kindPortRange:
		test.lo, test.hi, why = portRangeValue(t.text)
	case kindIPProto:
		test.lo, why = ipProtoValue(t.text)
	}
	if why == "" && test.prefix.IsValid() && q.proto != protoAny && (q.proto == protoIP) != test.prefix.Addr().Is4() {
		why = "an address of the other family"
	}
	if why != "" {
		return nil, t.errorf("%s", why)
	}
	return test, nil
}

// The functions below return a reason instead of a value if there is none.

func hostValue(s string) (netip.Prefix, string) {
	if strings.ContainsRune(s, '/') {
		return netip.Prefix{}, "host takes one address; a network is written net 10.1.16.0/24"
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, "not an address (names are not looked up)"
	}
	return netip.PrefixFrom(a, a.BitLen()), ""
}

// netValue reads 10.1.16.0/24, 10.1/16, 10.1 (which is 10.1/16), fd00::/8 and a
// whole address, which is a network of one.
func netValue(s string) (netip.Prefix, string) {
	const why = "not a network (10.1.16.0/24, 10.1/16, fd00::/8)"
	addr, length, hasLength := strings.Cut(s, "/")
	var a netip.Addr
	bits := 0
	if strings.ContainsRune(addr, ':') {
		var err error
		if a, err = netip.ParseAddr(addr); err != nil || a.Zone() != "" {
			return netip.Prefix{}, why
		}
		bits = 128
	} else {
		octets := strings.Split(addr, ".")
		if len(octets) > 4 {
			return netip.Prefix{}, why
		}
		var b [4]byte
		for i, o := range octets {
			n, bad := number(o, 255, why)
			if bad != "" {
				return netip.Prefix{}, why
			}
			b[i] = byte(n)
		}
		a, bits = netip.AddrFrom4(b), 8*len(octets)
	}
	if hasLength {
		n, bad := number(length, uint16(a.BitLen()), fmt.Sprintf("not a length of 0 to %d bits", a.BitLen()))
		if bad != "" {
			return netip.Prefix{}, bad
		}
		bits = int(n)
	}
	p := netip.PrefixFrom(a, bits)
	if p != p.Masked() {
		return netip.Prefix{}, "bits are set behind the network's length; the network is " + p.Masked().String()
	}
	return p, ""
}

// portRangeValue takes the ends in either order, and a single port, as tcpdump
// does.
func portRangeValue(s string) (lo, hi uint16, why string) {
	const bad = "not a range of ports (6800-7300)"
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	if lo, why = number(first, 65535, bad); why != "" {
		return 0, 0, why
	}
	if hi, why = number(last, 65535, bad); why != "" {
		return 0, 0, why
	}
	return min(lo, hi), max(lo, hi), ""
}

func ipProtoValue(s string) (uint16, string) {
	if n, ok := ipProtoNumbers[strings.TrimPrefix(s, `\`)]; ok {
		return n, ""
	}
	return number(s, 255, "not an IP protocol (0-255)")
}

// number reads a decimal number. A leading zero is refused: tcpdump would read
// octal.
func number(s string, most uint16, why string) (uint16, string) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n > uint64(most) || len(s) > 1 && s[0] == '0' {
		return 0, why
	}
	return uint16(n), ""
}

// vlan reads the number behind "vlan", if there is one.
func (p *filterParser) vlan() (*filterTest, error) {
	test := &filterTest{filterQual: filterQual{kind: kindVLAN}}
	t := p.peek()
	if t.text == "" || isFilterWord(t.text) {
		return test, nil
	}
	p.take()
	n, why := number(t.text, 4095, "not a VLAN (1-4095)")
	if why == "" && n == 0 {
		why = "not a VLAN (1-4095); what has none is not vlan"
	}
	if why != "" {
		return nil, t.errorf("%s", why)
	}
	test.lo = n
	return test, nil
}

// labelTest makes the test of class:NAME, nic:NAME, vm:NAME and process:NAME.
func labelTest(t filterToken, key, value string) (*filterTest, error) {
	if value == "" {
		return nil, t.errorf("%s of what?", key)
	}
	switch key {
	case "nic":
		return &filterTest{filterQual: filterQual{kind: kindNIC}, name: value}, nil
	case "vm":
		return &filterTest{filterQual: filterQual{kind: kindGuest}, name: value}, nil
	case "process":
		if err := CheckProcess(value); err != nil {
			return nil, t.errorf("%v", err)
		}
		return &filterTest{filterQual: filterQual{kind: kindProcess}, name: value}, nil
	}
	c, ok := ClassNamed(value)
	if !ok {
		return nil, t.errorf("no such class; there are %s", strings.Join(ClassNames(), ", "))
	}
	return &filterTest{filterQual: filterQual{kind: kindClass}, class: c}, nil
}
