package lab

import "net/netip"

// Members of every bond of the lab, in order of enslaving.
var Members = []string{"eth0", "eth1"}

// MemberIndex is the member of a two-port bond with layer3+4 for a flow between
// two IPv4 ends: the xor of all its bytes, without the lowest bit
// (bond_xmit_hash, drivers/net/bonding/bond_main.c). Both directions of a flow,
// and an echo and its reply, have the same.
func MemberIndex(src, dst netip.AddrPort) int {
	return index(src.Addr(), dst.Addr(), byte(src.Port()>>8), byte(src.Port()), byte(dst.Port()>>8), byte(dst.Port()))
}

// EchoIndex is MemberIndex of an echo request with an id.
func EchoIndex(src, dst netip.Addr, id uint16) int {
	return index(src, dst, 8, 0, byte(id>>8), byte(id))
}

func index(src, dst netip.Addr, l4 ...byte) int {
	var x byte
	for _, a := range [2][4]byte{src.As4(), dst.As4()} {
		for _, b := range a {
			x ^= b
		}
	}
	for _, b := range l4 {
		x ^= b
	}
	return int(x>>1) & 1
}
