package link

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// GatewayTarget is a gateway that is reached through a captured NIC.
type GatewayTarget struct {
	Addr   netip.Addr    // with the device's name as zone where it is link-local
	Device string        // the device that carries the default route
	Bond   string        // the bond it goes through, or ""
	Links  []flow.LinkID // the captured links below Device
	Reason string        // "gateway through bond0", "gateway through eth0"
}

// DefaultGateways returns for each bond (or captured NIC without one) the
// gateways of the default routes that leave by it, at most one for each family,
// the best route's; IPv4 before IPv6. A default route without gateway gives
// none.
func DefaultGateways(state *State, captured []flow.Link) (targets []GatewayTarget) {
	type through struct {
		name   string
		family flow.Family
	}
	seen := map[through]bool{}
	for _, r := range state.Routes {
		dev := state.Device(r.Oif)
		if dev == nil || !r.Gateway.IsValid() {
			continue
		}
		ids := state.capturedUnder(dev, captured)
		if len(ids) == 0 {
			continue
		}
		t := GatewayTarget{Addr: r.Gateway, Device: dev.Name, Links: ids}
		name := linkNamed(captured, ids[0]).Name
		if t.Bond = linkNamed(captured, ids[0]).Bond; t.Bond != "" {
			name = t.Bond
		}
		if t.Addr.Is6() && t.Addr.IsLinkLocalUnicast() {
			t.Addr = t.Addr.WithZone(dev.Name)
		}
		t.Reason = "gateway through " + name
		k := through{name, r.Family}
		known := slices.ContainsFunc(targets, func(o GatewayTarget) bool { return o.Addr == t.Addr })
		if !seen[k] && !known {
			seen[k] = true
			targets = append(targets, t)
		}
	}
	return targets
}

func linkNamed(links []flow.Link, id flow.LinkID) *flow.Link {
	i := slices.IndexFunc(links, func(l flow.Link) bool { return l.ID == id })
	return &links[i]
}

// capturedUnder returns the captured links among d and what lies below it.
func (s *State) capturedUnder(d *Device, captured []flow.Link) (ids []flow.LinkID) {
	below := s.under(d)
	for _, l := range captured {
		if l.State == flow.LinkGone {
			continue // its ifindex may be another device's by now
		}
		if slices.ContainsFunc(below, func(b *Device) bool { return b.Ifindex == l.Ifindex }) {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// Path is the way packets of this host to an address take.
type Path struct {
	Device  string        // of the route
	Ifindex int           // of Device
	Links   []flow.LinkID // captured links below Device (one of them carries each packet); none: it does not leave by a captured NIC
	Gateway netip.Addr    // next hop, invalid if on-link
	OnLink  bool          // the address is a neighbour: no gateway, not our own, no broadcast
	Own     bool          // the address is one of this host's
	Source  netip.Addr    // the source address that the kernel prefers, may be invalid
}

// RouteLeavesBy asks the kernel for the route to addr (RTM_GETROUTE) and finds
// which captured links it leaves by. The kernel decides as for a packet without
// mark, source or ports; of several next hops it names one. Error: no route (a
// unix.Errno such as ENETUNREACH, wrapped), or the socket failed.
func (n *Netlink) RouteLeavesBy(state *State, captured []flow.Link, addr netip.Addr) (Path, error) {
	addr = addr.Unmap()
	oif := 0
	if addr.Zone() != "" {
		d := state.Named(addr.Zone())
		if d == nil {
			return Path{}, fmt.Errorf("route to %s: %w", addr, ErrNoDevice)
		}
		oif = d.Ifindex
	}
	r, err := n.routeTo(addr, oif)
	if err != nil {
		return Path{}, fmt.Errorf("route to %s: %w", addr, err)
	}
	return state.path(r, captured, addr)
}

func (s *State) path(r route, captured []flow.Link, addr netip.Addr) (Path, error) {
	if len(r.hops) == 0 {
		return Path{}, fmt.Errorf("route to %s: %w", addr, unix.ENETUNREACH)
	}
	h := r.hops[0]
	p := Path{Ifindex: h.oif, Gateway: h.gateway, Source: r.source, Own: r.kind == unix.RTN_LOCAL}
	p.OnLink = r.kind == unix.RTN_UNICAST && !h.gateway.IsValid()
	if d := s.Device(h.oif); d != nil {
		p.Device = d.Name
		if !p.Own {
			p.Links = s.capturedUnder(d, captured)
		}
	}
	return p, nil
}

// OnLink reports whether addr is a neighbour on a captured link.
func (n *Netlink) OnLink(state *State, captured []flow.Link, addr netip.Addr) bool {
	p, err := n.RouteLeavesBy(state, captured, addr)
	return err == nil && p.OnLink && len(p.Links) > 0
}

// OwnAddresses returns this host's addresses, each once, loopback included.
func (s *State) OwnAddresses() (list []netip.Addr) {
	for _, a := range s.Addresses {
		if addr := a.Prefix.Addr(); !slices.Contains(list, addr) {
			list = append(list, addr)
		}
	}
	return list
}
