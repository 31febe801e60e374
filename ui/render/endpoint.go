package render

import (
	"net/netip"
	"strconv"
	"strings"

	"spiketop/flow"
)

// side is one end of a flow.
type side uint8

const (
	local side = iota
	remote
)

// endpoint writes one end of a flow as the view wants it: with or without its
// port, "*" for a host that is hidden.
func (v *View) endpoint(k *flow.Key, s side) string {
	full, hide, ports, port := (*flow.Key).LocalEnd, v.HideLocal, v.LocalPorts, k.LocalPort
	addr := k.LocalAddr()
	if s == remote {
		full, hide, ports, port, addr = (*flow.Key).RemoteEnd, v.HideRemote, v.RemotePorts, k.RemotePort, k.RemoteAddr()
	}
	ports = ports && k.HasPorts()
	switch {
	case hide && ports:
		return "*:" + strconv.Itoa(int(port))
	case hide:
		return "*"
	case k.Family == flow.FamilyMAC || ports:
		return full(k)
	}
	return addr.String()
}

// kind names what is not TCP, for the end of a row.
func kind(k *flow.Key) string {
	s := ""
	if k.Proto != flow.ProtoTCP || k.Family == flow.FamilyMAC {
		s = k.ProtoName()
	}
	return vlanKind(s, k.VLAN)
}

func vlanKind(s string, vlan uint16) string {
	if vlan != 0 {
		s = strings.TrimLeft(s+" v"+strconv.Itoa(int(vlan)), " ")
	}
	return s
}

// cutEnd shortens an endpoint to w columns: the port stays, and the middle of
// the address gives way to "…", for both ends of an address tell hosts apart.
func cutEnd(s string, w int) string {
	if textWidth(s) <= w {
		return s
	}
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > 0 && (s[i-1] == ']' || strings.IndexByte(s, ':') == i) {
		host, port = s[:i], s[i:]
	}
	room := w - len(port) - 1
	if room < 4 || textWidth(host) != len(host) {
		return cut(s, w)
	}
	back := room / 2
	return host[:room-back] + "…" + host[len(host)-back:] + port
}

// keyOf rebuilds a key from the text of an incident, so that filter, sorting and
// ports work on a frozen pane too. It reports false for what it cannot read.
func keyOf(proto, localEnd, remoteEnd string, vlan uint16) (flow.Key, bool) {
	k := flow.Key{VLAN: vlan}
	a, ap, ok := parseEnd(localEnd)
	b, bp, ok2 := parseEnd(remoteEnd)
	if !ok || !ok2 || a.Is4() != b.Is4() {
		return k, false
	}
	k.Family, k.Local, k.Remote, k.LocalPort, k.RemotePort = flow.FamilyIPv6, a.As16(), b.As16(), ap, bp
	if a.Is4() {
		k.Family = flow.FamilyIPv4
	}
	switch proto {
	case "tcp":
		k.Proto = flow.ProtoTCP
	case "udp":
		k.Proto = flow.ProtoUDP
	case "sctp":
		k.Proto = flow.ProtoSCTP
	case "icmp":
		k.Proto = flow.ProtoICMP
	case "icmp6":
		k.Proto = flow.ProtoICMPv6
	case "nd":
		k.Proto, k.LocalPort = flow.ProtoICMPv6, flow.ICMPNeighbour
	case "mld":
		k.Proto, k.LocalPort = flow.ProtoICMPv6, flow.ICMPListener
	default:
		n, err := strconv.ParseUint(proto, 10, 8)
		if err != nil {
			return k, false
		}
		k.Proto = uint8(n)
	}
	return k, true
}

func parseEnd(s string) (netip.Addr, uint16, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), ap.Port(), true
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap().WithZone(""), 0, err == nil
}
