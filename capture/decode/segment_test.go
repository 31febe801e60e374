package decode

import "testing"

// TestSegmentType: what is cut is read from the headers; a tunnel is cut inside.
func TestSegmentType(t *testing.T) {
	for _, tc := range []struct {
		name string
		link uint16
		data []byte
		want uint8
	}{
		{"TCP over IPv4", linkEthernet, eth(typeIPv4, ip4(6, tcp(40000, 9422, 0, nil))), gsoTCPv4},
		{"UDP over IPv4", linkEthernet, eth(typeIPv4, ip4(17, udp(40000, 443, nil))), gsoUDP},
		{"VXLAN", linkEthernet, eth(typeIPv4, ip4(17, udp(40000, 4789, zeros(8)))), gsoTCPv4},
		{"tagged", linkEthernet, eth(typeDot1Q, tag(5, typeIPv4), ip4(17, udp(40000, 443, nil))), gsoUDP},
		{"IPv6", linkRaw, append([]byte{0x60, 0, 0, 0, 0, 20, 6, 64}, zeros(52)...), gsoTCPv6},
		{"UDP over IPv6", linkIPv6, append([]byte{0x60, 0, 0, 0, 0, 20, 17, 64}, zeros(52)...), gsoUDP},
		{"raw IPv4", linkRaw, ip4(17, udp(40000, 443, nil)), gsoUDP},
		{"cut off", linkEthernet, eth(typeIPv4), gsoTCPv4},
		{"nothing", linkSLL2, nil, gsoTCPv4},
	} {
		if got := SegmentType(tc.link, tc.data); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}
