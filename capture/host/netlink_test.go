package host

import (
	"testing"

	"golang.org/x/sys/unix"
)

func attr(typ uint16, v ...byte) []byte {
	b := native.AppendUint16(nil, uint16(4+len(v)))
	b = append(native.AppendUint16(b, typ), v...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func neighbour(family byte, ifindex uint32, state uint16, flags byte, mac string) []byte {
	b := make([]byte, unix.SizeofNdMsg)
	b[0], b[10] = family, flags
	native.PutUint32(b[4:], ifindex)
	native.PutUint16(b[8:], state)
	m := parseMAC(mac)
	return append(b, attr(unix.NDA_LLADDR, m[:]...)...)
}

func TestParseLearned(t *testing.T) {
	const mac = "52:54:00:aa:bb:01"
	for _, tt := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"learned", neighbour(unix.AF_BRIDGE, 7, unix.NUD_REACHABLE, 0, mac), true},
		{"static, by hand", neighbour(unix.AF_BRIDGE, 7, unix.NUD_NOARP, 0, mac), false},
		{"the port's own", neighbour(unix.AF_BRIDGE, 7, unix.NUD_PERMANENT, 0, mac), false},
		{"the driver's filter", neighbour(unix.AF_BRIDGE, 7, unix.NUD_REACHABLE, unix.NTF_SELF, mac), false},
		{"multicast", neighbour(unix.AF_BRIDGE, 7, unix.NUD_REACHABLE, 0, "33:33:00:00:00:01"), false},
		{"an IPv4 neighbour", neighbour(unix.AF_INET, 7, unix.NUD_REACHABLE, 0, mac), false},
		{"short", neighbour(unix.AF_BRIDGE, 7, unix.NUD_REACHABLE, 0, mac)[:9], false},
	} {
		got, ok := parseLearned(tt.b)
		if ok != tt.want || ok && got != (learned{7, macA}) {
			t.Errorf("%s: got %+v, %v", tt.name, got, ok)
		}
	}
}

func TestCandidate(t *testing.T) {
	for _, tt := range []struct {
		d    device
		want string
	}{
		{device{kind: "tun", ether: true}, "tap"},
		{device{kind: "tun"}, ""}, // layer 3: a VPN
		{device{kind: "macvtap"}, "macvtap"},
		{device{kind: "veth", nsid: 0}, "veth"},
		{device{kind: "veth", nsid: -1}, ""}, // both ends here
		{device{kind: "veth", nsid: 0, portKind: "bond"}, ""},
		{device{name: "vif7.0", bus: "xen-backend"}, "xen"},
		{device{name: "vif7.0"}, ""},
		{device{kind: "bridge"}, ""},
	} {
		if got := tt.d.candidate(); got != tt.want {
			t.Errorf("%+v: want %q, got %q", tt.d, tt.want, got)
		}
	}
}

// TestMacvtapCounters: the device stands for the guest itself.
func TestMacvtapCounters(t *testing.T) {
	c := deviceCounters{rxBytes: 1, txBytes: 2, rxDropped: 3, txDropped: 4}
	if g := c.ofGuest("macvtap"); g.RxBytes != 1 || g.TxBytes != 2 || g.RxDropped != 3 || g.TxDropped != 4 {
		t.Errorf("macvtap: got %+v", g)
	}
	if g := c.ofGuest("tap"); g.RxBytes != 2 || g.TxBytes != 1 || g.RxDropped != 4 || g.TxDropped != 3 {
		t.Errorf("tap: got %+v", g)
	}
}
