package flow

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ParseRule reads a rule that gives class to flows: a port (9422), a range of
// ports (6800-7568), a network (10.1.16.0/24, fd00::/8), an address or the name
// of a process (chunkserver). Ports are those of TCP, UDP and SCTP, at either
// end; a network or address matches either end. Bits behind a network's length
// are ignored.
func ParseRule(class Class, s string) (Rule, error) {
	r := Rule{Class: class, Text: s}
	what, err := r.parse(s)
	if err != nil {
		return Rule{}, fmt.Errorf("%s rule %s: %w", class, quoteShort(s), err)
	}
	r.Why = fmt.Sprintf("%s (--%s %s)", what, class, s)
	return r, nil
}

// parse fills the condition and says in words what it asks. What begins with a
// digit or has a colon may be a slip in a number: a name has a letter that no
// number has.
func (r *Rule) parse(s string) (what string, err error) {
	switch {
	case digits(s) || isPortRange(s):
		p, err := ParsePorts(s)
		r.Ports = []PortRange{p}
		return "port " + s, err
	case strings.ContainsRune(s, '/'):
		p, err := ParseNetwork(s)
		r.Prefixes = []netip.Prefix{p}
		return "in " + p.String(), err
	}
	if p, err := ParseNetwork(s); err == nil {
		r.Prefixes = []netip.Prefix{p}
		return "address " + p.Addr().String(), nil
	}
	if CheckProcess(s) == nil && !strings.HasSuffix(s, "*") {
		r.Processes = []string{s}
		return "process " + s, nil
	}
	return "", fmt.Errorf("want a port (9422), a range of ports (6800-7568), a network (10.1.16.0/24, fd00::/8), an address " +
		"or the name of a process (chunkserver)")
}

// ParsePorts reads a port or a range of ports in 1-65535: "9422", "6800-7568".
func ParsePorts(s string) (p PortRange, err error) {
	lo, hi, isRange := strings.Cut(s, "-")
	if !isRange {
		hi = lo
	}
	if p.Lo, err = parsePort(lo); err != nil {
		return PortRange{}, err
	}
	if p.Hi, err = parsePort(hi); err != nil {
		return PortRange{}, err
	}
	if p.Hi < p.Lo {
		return PortRange{}, fmt.Errorf("the range ends before it begins")
	}
	return p, nil
}

// ParseNetwork reads a network or an address, which is a network of one, and
// clears the bits behind the network's length.
func ParseNetwork(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return plainPrefix(p), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("not a network: want a form like 10.1.16.0/24 or fd00::/8")
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// plainPrefix makes an IPv4 prefix of an IPv4-mapped one, as Key.LocalAddr makes
// of addresses, and clears the bits behind the prefix.
func plainPrefix(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// CheckProcess says what is wrong with a process name: it has 1 to 64 of the
// characters A-Z, a-z, 0-9, "-", "_" and ".", a letter among them, and does not
// begin with "-" or "."; a "*" at its end stands for any rest.
func CheckProcess(s string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	name := strings.TrimSuffix(s, "*")
	if name == "" || len(name) > 64 || strings.Trim(name, letters+"0123456789-_.") != "" || !strings.ContainsAny(name, letters) ||
		name[0] == '-' || name[0] == '.' {
		return fmt.Errorf("not a process name: want letters, digits, - _ and . (chunkserver)")
	}
	return nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isPortRange(s string) bool {
	lo, hi, ok := strings.Cut(s, "-")
	return ok && digits(lo) && digits(hi)
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("want a port of 1-65535, or a range of them as 6800-7568")
	}
	return uint16(n), nil
}

// quoteShort quotes foreign text for an error message, in bounded length.
func quoteShort(s string) string {
	const most = 48
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
