package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

var errNoAddress = errors.New("no address yet")

// lookupTimeout bounds one name lookup.
const lookupTimeout = 5 * time.Second

func systemLookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// fixed returns the address of a target that needs no lookup.
func fixed(t Target) (netip.Addr, bool) {
	if t.Addr.IsValid() {
		return t.Addr.Unmap(), true
	}
	a, err := netip.ParseAddr(t.Name)
	return a.Unmap(), err == nil
}

// resolve looks the target up. An address that was in use and is still among
// the answers is kept: round robin is not a change.
func (p *Pinger) resolve(ctx context.Context, old netip.Addr) (netip.Addr, error) {
	if a, ok := fixed(p.cfg.Target); ok {
		return a, nil
	}
	if p.cfg.Follow != nil {
		if a := p.cfg.Follow(); a.IsValid() {
			return a.Unmap(), nil
		}
		return netip.Addr{}, errNoAddress
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, err := p.cfg.Lookup(ctx, p.cfg.Target.Name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("look up %s: %w", p.cfg.Target.Name, err)
	}
	first := netip.Addr{}
	for _, a := range slices.Backward(addrs) {
		if a = a.Unmap(); !a.IsValid() || a.IsUnspecified() {
			continue
		}
		if a == old {
			return a, nil
		}
		first = a
	}
	if !first.IsValid() {
		return first, fmt.Errorf("look up %s: no address", p.cfg.Target.Name)
	}
	return first, nil
}
