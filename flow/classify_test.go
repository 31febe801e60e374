package flow

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ipKey is a key with the given ends: "10.0.0.1:80" or "[fd00::1]:80".
func ipKey(proto uint8, local, remote string) Key {
	l, r := netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
	k := Key{Local: l.Addr().As16(), Remote: r.Addr().As16(), Proto: proto, Family: FamilyIPv6}
	if l.Addr().Is4() {
		k.Family = FamilyIPv4
	}
	if k.HasPorts() {
		k.LocalPort, k.RemotePort = l.Port(), r.Port()
	}
	return k
}

func macKey(ethertype uint16, local, remote [6]byte) Key {
	k := Key{LocalPort: ethertype}
	SetMAC(&k.Local, local[:])
	SetMAC(&k.Remote, remote[:])
	return k
}

// none6 is no MAC.
var none6 [6]byte

func TestParseRule(t *testing.T) {
	prefix := netip.MustParsePrefix
	tests := []struct {
		in   string
		want Rule
	}{
		{"9422", Rule{Ports: []PortRange{{9422, 9422}}, Why: "port 9422 (--storage 9422)"}},
		{"1", Rule{Ports: []PortRange{{1, 1}}, Why: "port 1 (--storage 1)"}},
		{"65535", Rule{Ports: []PortRange{{65535, 65535}}, Why: "port 65535 (--storage 65535)"}},
		{"6800-7568", Rule{Ports: []PortRange{{6800, 7568}}, Why: "port 6800-7568 (--storage 6800-7568)"}},
		{"10.1.16.0/24", Rule{Prefixes: []netip.Prefix{prefix("10.1.16.0/24")}, Why: "in 10.1.16.0/24 (--storage 10.1.16.0/24)"}},
		{"10.1.16.5/24", Rule{Prefixes: []netip.Prefix{prefix("10.1.16.0/24")}, Why: "in 10.1.16.0/24 (--storage 10.1.16.5/24)"}},
		{"fd00::/8", Rule{Prefixes: []netip.Prefix{prefix("fd00::/8")}, Why: "in fd00::/8 (--storage fd00::/8)"}},
		{"::ffff:10.0.0.0/104", Rule{Prefixes: []netip.Prefix{prefix("10.0.0.0/8")}, Why: "in 10.0.0.0/8 (--storage ::ffff:10.0.0.0/104)"}},
		{"10.1.16.71", Rule{Prefixes: []netip.Prefix{prefix("10.1.16.71/32")}, Why: "address 10.1.16.71 (--storage 10.1.16.71)"}},
		{"::ffff:10.1.16.71", Rule{Prefixes: []netip.Prefix{prefix("10.1.16.71/32")}, Why: "address 10.1.16.71 (--storage ::ffff:10.1.16.71)"}},
		{"chunkserver", Rule{Processes: []string{"chunkserver"}, Why: "process chunkserver (--storage chunkserver)"}},
		{"ceph-osd", Rule{Processes: []string{"ceph-osd"}, Why: "process ceph-osd (--storage ceph-osd)"}},
		{"rpc.mountd_2", Rule{Processes: []string{"rpc.mountd_2"}, Why: "process rpc.mountd_2 (--storage rpc.mountd_2)"}},
		{"3fs", Rule{Processes: []string{"3fs"}, Why: "process 3fs (--storage 3fs)"}},
		{"fd00::1", Rule{Prefixes: []netip.Prefix{prefix("fd00::1/128")}, Why: "address fd00::1 (--storage fd00::1)"}},
	}
	samePrefix := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			tt.want.Class, tt.want.Text = Storage, tt.in
			got, err := ParseRule(Storage, tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, samePrefix); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRuleRefuses(t *testing.T) {
	const forms = "want a port (9422), a range of ports (6800-7568), a network (10.1.16.0/24, fd00::/8), an address " +
		"or the name of a process (chunkserver)"
	tests := []struct{ name, in, want string }{
		{"empty", "", `storage rule "": ` + forms},
		{"port zero", "0", `storage rule "0": want a port of 1-65535, or a range of them as 6800-7568`},
		{"port too high", "65536", `storage rule "65536": want a port of 1-65535, or a range of them as 6800-7568`},
		{"endless port", strings.Repeat("9", 1000), `storage rule "` + strings.Repeat("9", 48) + `"...: want a port of 1-65535, or a range of them as 6800-7568`},
		{"range backwards", "7568-6800", `storage rule "7568-6800": the range ends before it begins`},
		{"range from zero", "0-80", `storage rule "0-80": want a port of 1-65535, or a range of them as 6800-7568`},
		{"half a range", "6800-", `storage rule "6800-": ` + forms},
		{"negative", "-9422", `storage rule "-9422": ` + forms},
		{"long prefix", "10.1.16.0/33", `storage rule "10.1.16.0/33": not a network: want a form like 10.1.16.0/24 or fd00::/8`},
		{"zone", "fe80::1%eth0", `storage rule "fe80::1%eth0": ` + forms},
		{"address with a slip", "10.1.16.300", `storage rule "10.1.16.300": ` + forms},
		{"a flag", "-x", `storage rule "-x": ` + forms},
		{"pattern", "curve*", `storage rule "curve*": ` + forms},
		{"long name", strings.Repeat("a", 65), `storage rule "` + strings.Repeat("a", 48) + `"...: ` + forms},
		{"blank", " 9422", `storage rule " 9422": ` + forms},
		{"escape", "\x1b[2J", `storage rule "\x1b[2J": ` + forms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := ParseRule(Storage, tt.in)
			if err == nil || err.Error() != tt.want {
				t.Errorf("ParseRule = %+v, %v\nwant %s", r, err, tt.want)
			}
		})
	}
}

func TestClassify(t *testing.T) {
	w := &World{}
	for _, r := range []struct {
		class Class
		rule  string
	}{{Storage, "9422"}, {VIF, "10.9.0.0/16"}, {Storage, "6800-7568"}, {Host, "fd00:10::/32"}, {Control, "10.1.16.7"}} {
		rule, err := ParseRule(r.class, r.rule)
		if err != nil {
			t.Fatal(err)
		}
		w.Rules = append(w.Rules, rule)
	}
	w.Index()
	us := [6]byte{2, 0, 0, 0, 0, 1}
	tests := []struct {
		name  string
		key   Key
		class Class
		why   string
	}{
		{"local port", ipKey(ProtoTCP, "10.1.16.165:9422", "10.1.16.71:40112"), Storage, "port 9422 (--storage 9422)"},
		{"remote port", ipKey(ProtoTCP, "10.1.16.165:41822", "10.1.16.73:9422"), Storage, "port 9422 (--storage 9422)"},
		{"remote port, IPv6, UDP", ipKey(ProtoUDP, "[fd00:11::1]:5000", "[fd00:11::2]:9422"), Storage, "port 9422 (--storage 9422)"},
		{"SCTP has ports too", ipKey(ProtoSCTP, "10.1.16.1:1", "10.1.16.2:9422"), Storage, "port 9422 (--storage 9422)"},
		{"first end of a range", ipKey(ProtoTCP, "10.1.16.1:6800", "10.1.16.2:1"), Storage, "port 6800-7568 (--storage 6800-7568)"},
		{"last end of a range", ipKey(ProtoTCP, "10.1.16.1:1", "10.1.16.2:7568"), Storage, "port 6800-7568 (--storage 6800-7568)"},
		{"below a range", ipKey(ProtoTCP, "10.1.16.1:6799", "10.1.16.2:7569"), Unknown, ""},
		{"the first rule wins", ipKey(ProtoTCP, "10.9.0.1:9422", "10.9.0.2:6800"), Storage, "port 9422 (--storage 9422)"},
		{"a network before a range", ipKey(ProtoTCP, "10.1.16.1:6800", "10.9.0.2:1"), VIF, "in 10.9.0.0/16 (--vif 10.9.0.0/16)"},
		{"network, local end", ipKey(ProtoICMP, "10.9.255.255:0", "10.1.16.2:0"), VIF, "in 10.9.0.0/16 (--vif 10.9.0.0/16)"},
		{"beside the network", ipKey(ProtoICMP, "10.10.0.0:0", "10.1.16.2:0"), Unknown, ""},
		{"network, IPv6", ipKey(ProtoICMPv6, "[fd00:10:ffff::1]:0", "[2001:db8::1]:0"), Host, "in fd00:10::/32 (--host fd00:10::/32)"},
		{"beside the network, IPv6", ipKey(ProtoTCP, "[fd00:11::1]:80", "[2001:db8::1]:81"), Unknown, ""},
		{"address", ipKey(ProtoTCP, "10.1.16.1:80", "10.1.16.7:81"), Control, "address 10.1.16.7 (--control 10.1.16.7)"},
		{"no ports in ICMP, whatever the key holds", Key{Family: FamilyIPv4, Proto: ProtoICMP, LocalPort: 9422}, Unknown, ""},
		{"the IPv6 bytes of an IPv4 network are another network", Key{Family: FamilyIPv6, Local: [16]byte{10, 9}, Proto: ProtoTCP}, Unknown, ""},
		{"arp", macKey(0x0806, us, [6]byte{2, 0, 0, 0, 0, 2}), Control, "arp"},
		{"lacp", macKey(0x8809, us, [6]byte{1, 0x80, 0xc2, 0, 0, 2}), Control, "lacp"},
		{"lldp", macKey(0x88cc, us, [6]byte{1, 0x80, 0xc2, 0, 0, 0xe}), Control, "lldp"},
		{"eapol", macKey(0x888e, us, [6]byte{1, 0x80, 0xc2, 0, 0, 3}), Control, "eapol"},
		{"spanning tree, as it leaves", macKey(0x26, us, [6]byte{1, 0x80, 0xc2, 0, 0, 0}), Control, "spanning tree"},
		{"spanning tree, as it arrives", macKey(0x26, [6]byte{1, 0x80, 0xc2, 0, 0, 0}, us), Control, "spanning tree"},
		{"PVST+", macKey(0x32, [6]byte{1, 0, 0xc, 0xcc, 0xcc, 0xcd}, us), Control, "spanning tree"},
		{"other LLC", macKey(0x26, us, [6]byte{2, 0, 0, 0, 0, 2}), Unknown, ""},
		{"ATA over Ethernet", macKey(0x88a2, us, [6]byte{2, 0, 0, 0, 0, 2}), Unknown, ""},
		{"an ethertype is no port", macKey(9422, us, [6]byte{2, 0, 0, 0, 0, 2}), Unknown, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			class, why := w.Classify(&tt.key, us, none6)
			if class != tt.class || why != tt.why {
				t.Errorf("Classify = %v %q, want %v %q", class, why, tt.class, tt.why)
			}
			if n := testing.AllocsPerRun(100, func() { w.Classify(&tt.key, us, none6) }); n != 0 {
				t.Errorf("Classify allocates %v times", n)
			}
		})
	}
	var none *World
	k := ipKey(ProtoTCP, "10.1.16.165:9422", "10.1.16.71:40112")
	if class, why := none.Classify(&k, us, none6); class != Unknown || why != "" {
		t.Errorf("Classify without a World = %v %q, want unknown", class, why)
	}
}
