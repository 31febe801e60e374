package link

import (
	"errors"
	"net/netip"

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
// gateways of the default routes that leave by it, IPv4 before IPv6. A bond
// whose default routes have no gateway has none.
func DefaultGateways(state *State, captured []flow.Link) []GatewayTarget { return nil }

// Path is the way packets of this host to an address take.
type Path struct {
	Device  string        // of the route
	Ifindex int           // of Device
	Links   []flow.LinkID // captured links below Device (one of them carries each packet); none: it does not leave by a captured NIC
	Gateway netip.Addr    // next hop, invalid if on-link
	OnLink  bool          // the address is a neighbour: no gateway, not our own
	Own     bool          // the address is one of this host's
	Source  netip.Addr    // the source address that the kernel prefers, may be invalid
}

// RouteLeavesBy asks the kernel for the route to addr (RTM_GETROUTE) and finds
// which captured links it leaves by. Error: no route, or the socket failed.
func (n *Netlink) RouteLeavesBy(state *State, captured []flow.Link, addr netip.Addr) (Path, error) {
	return Path{}, errors.ErrUnsupported
}

// OnLink reports whether addr is a neighbour on a captured link.
func (n *Netlink) OnLink(state *State, captured []flow.Link, addr netip.Addr) bool {
	p, err := n.RouteLeavesBy(state, captured, addr)
	return err == nil && p.OnLink && len(p.Links) > 0
}

// OwnAddresses returns this host's addresses, each once, loopback included.
func (s *State) OwnAddresses() []netip.Addr { return nil }
