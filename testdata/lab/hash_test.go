package lab

import (
	"net/netip"
	"testing"
)

func TestMemberIndex(t *testing.T) {
	a := netip.MustParseAddrPort
	for _, tc := range []struct {
		src, dst string
		want     int
	}{
		// 10^1^16^71 ^ 10^1^16^165 = 71^165 = 0xe2; 40112 = 0x9cb0, 9422 = 0x24ce:
		// 9c^b0 = 2c, 24^ce = ea, 2c^ea = c6; e2^c6 = 0x24, >>1 = 0x12, &1 = 0.
		{"10.1.16.71:40112", "10.1.16.165:9422", 0},
		{"10.1.16.71:40114", "10.1.16.165:9422", 1}, // b2 for b0: 0x26>>1 = 0x13
		{"10.1.16.165:9422", "10.1.16.71:40114", 1}, // the way back
	} {
		if got := MemberIndex(a(tc.src), a(tc.dst)); got != tc.want {
			t.Errorf("MemberIndex(%s, %s) = %d, want %d", tc.src, tc.dst, got, tc.want)
		}
	}
	// 8^0 ^ 0x12^0x34 = 0x2e; 165^55 = 0xa5^0x37 = 0x92; 0xbc>>1 = 0x5e, &1 = 0.
	if got := EchoIndex(netip.MustParseAddr("10.1.16.165"), netip.MustParseAddr("10.1.16.55"), 0x1234); got != 0 {
		t.Errorf("EchoIndex = %d, want 0", got)
	}
}
