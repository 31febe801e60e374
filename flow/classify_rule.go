package flow

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ParseRule reads a rule that gives class to flows: a port (9422), a range of
// ports (6800-7568), a network (10.1.16.0/24, fd00::/8) or an address. Ports are
// those of TCP, UDP and SCTP, at either end; a network or address matches either
// end. Bits behind a network's length are ignored.
func ParseRule(class Class, s string) (Rule, error) {
	r := Rule{Class: class, Text: s}
	what, err := r.parse(s)
	if err != nil {
		return Rule{}, fmt.Errorf("%s rule %s: %w", class, quoteShort(s), err)
	}
	r.Why = fmt.Sprintf("%s (--%s %s)", what, class, s)
	return r, nil
}

// parse fills the condition and says in words what it asks.
func (r *Rule) parse(s string) (what string, err error) {
	lo, hi, isRange := strings.Cut(s, "-")
	switch {
	case digits(s):
		r.PortLo, err = parsePort(s)
		r.PortHi = r.PortLo
		return "port " + s, err
	case isRange && digits(lo) && digits(hi):
		if r.PortLo, err = parsePort(lo); err != nil {
			return "", err
		}
		if r.PortHi, err = parsePort(hi); err != nil {
			return "", err
		}
		if r.PortHi < r.PortLo {
			return "", fmt.Errorf("the range ends before it begins")
		}
		return "port " + s, nil
	case strings.ContainsRune(s, '/'):
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return "", fmt.Errorf("not a network: want a form like 10.1.16.0/24 or fd00::/8")
		}
		r.Prefix = plainPrefix(p)
		return "in " + r.Prefix.String(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return "", fmt.Errorf("want a port (9422), a range of ports (6800-7568), a network (10.1.16.0/24, fd00::/8) or an address; " +
			"names of hosts and processes are not understood")
	}
	a = a.Unmap()
	r.Prefix = netip.PrefixFrom(a, a.BitLen())
	return "address " + a.String(), nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("port %s is not in 1-65535", quoteShort(s))
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
