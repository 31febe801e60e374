package flow

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

var (
	nicMAC   = [6]byte{0x02, 0, 0, 0, 0, 0x65}
	guestMAC = [6]byte{0x52, 0x54, 0, 0xaa, 0xbb, 0x01}
	otherMAC = [6]byte{0x52, 0x54, 0, 0xaa, 0xbb, 0x02}
	anyMAC   = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

const (
	us4, peer4 = "10.1.16.165", "10.1.16.71"
	us6, peer6 = "fd00:11::165", "fd00:11::71"
)

// sock is the socket of ipKey(ProtoTCP, local, remote); remote "" = it waits.
func sock(proto uint8, local, remote string) Socket {
	l := netip.MustParseAddrPort(local)
	s := Socket{Local: l.Addr().As16(), LocalPort: l.Port(), Proto: proto}
	if l.Addr().IsUnspecified() {
		s.Local = [16]byte{}
	}
	if remote != "" {
		r := netip.MustParseAddrPort(remote)
		s.Remote, s.RemotePort = r.Addr().As16(), r.Port()
	}
	return s
}

// hostWorld is a host with two guests and some sockets.
func hostWorld(t testing.TB, rules ...Rule) *World {
	t.Helper()
	return (&World{
		Generation: 3, Host: "nc1", Rules: rules,
		Links:  []Link{{ID: 1, Name: "eth0", MAC: nicMAC, Bond: "bond0"}, {ID: 2, Name: "eth1", MAC: nicMAC, Bond: "bond0"}, {ID: 3, Name: "eth2", MAC: [6]byte{2, 0, 0, 0, 0, 3}}},
		Guests: []GuestNIC{{Name: "023471", Guest: "vm_a", MACs: [][6]byte{guestMAC}}, {Name: "vnet7", MACs: [][6]byte{{}, nicMAC, anyMAC, otherMAC}}},
		Own:    []netip.Addr{netip.MustParseAddr(us4), netip.MustParseAddr(us6)},
		Owners: map[Socket]Owner{
			sock(ProtoTCP, us4+":41000", peer4+":5001"):        {PID: 812, Name: "ceph-osd"},
			sock(ProtoTCP, us4+":41001", peer4+":10050"):       {PID: 7, Name: "nginx"},
			sock(ProtoTCP, us4+":41002", peer4+":9000"):        {PID: 813, Name: "minio"},
			sock(ProtoTCP, us4+":41003", peer4+":9283"):        {PID: 99, Name: "prometheus"},
			sock(ProtoTCP, us4+":41004", peer4+":6800"):        {PID: 98, Name: "prometheus"},
			sock(ProtoTCP, us4+":49000", peer4+":8009"):        {Kernel: true},
			sock(ProtoTCP, us4+":7788", peer4+":40000"):        {Kernel: true},
			sock(ProtoTCP, us4+":2049", peer4+":700"):          {Kernel: true, Name: "nfsd"},
			sock(ProtoTCP, us4+":41005", peer4+":700"):         {PID: 5, Name: "mfschunkserver\x1b"},
			sock(ProtoTCP, us4+":41006", peer4+":8200"):        {PID: 6, Name: "curvebs-chunkse"},
			sock(ProtoTCP, "10.9.9.9:41007", peer4+":443"):     {PID: 4, Name: "curl"},
			sock(ProtoTCP, "172.17.0.2:8080", peer4+":33333"):  {PID: 3, Name: "weed"},
			sock(ProtoUDP, us4+":50000", peer4+":514"):         {Kernel: true},
			sock(ProtoTCP, us4+":41008", peer4+":9422"):        {PID: 2, Name: "qemu-system-x86"},
			sock(ProtoTCP, "["+us6+"]:41009", "["+peer6+"]:1"): {PID: 1, Name: "glusterfsd"},
		},
		Listeners: map[Socket]Owner{
			sock(ProtoTCP, "0.0.0.0:9422", ""):  {PID: 20, Name: "python3"},
			sock(ProtoTCP, us4+":443", ""):      {PID: 21, Name: "nginx"},
			sock(ProtoTCP, "[::]:22", ""):       {PID: 22, Name: "sshd"},
			sock(ProtoUDP, us4+":161", ""):      {PID: 23, Name: "mysnmp"},
			sock(ProtoUDP, "0.0.0.0:40514", ""): {PID: 24, Name: "sendlog"},
			sock(ProtoTCP, "0.0.0.0:8080", ""):  {PID: 25, Name: "java"},
			sock(ProtoTCP, "0.0.0.0:24224", ""): {PID: 26, Name: "fluent-bit"},
			sock(ProtoTCP, us4+":6900", ""):     {PID: 27, Name: "ceph-osd"},
		},
	}).Index()
}

func rule(t testing.TB, c Class, s string) Rule {
	t.Helper()
	r, err := ParseRule(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Each step of the order, and that it beats the later ones.
func TestClassifyOrder(t *testing.T) {
	const vmA, vnet7 = "MAC 52:54:00:aa:bb:01 of vm_a on 023471", "MAC 52:54:00:aa:bb:02 of vif vnet7"
	nd := ipKey(ProtoICMPv6, "["+us6+"]:0", "["+peer6+"]:0")
	nd.LocalPort = ICMPNeighbour
	mld := ipKey(ProtoICMPv6, "["+us6+"]:0", "[ff02::16]:0")
	mld.LocalPort = ICMPListener
	tagged := ipKey(ProtoTCP, "10.7.0.5:50000", "10.7.0.9:443")
	tagged.VLAN = 7
	user := []Rule{rule(t, Storage, "10.8.0.0/16"), rule(t, Storage, "7000-7010"), rule(t, VIF, "172.16.0.9"), rule(t, Control, "prometheus")}
	tcp := func(local, remote string) Key { return ipKey(ProtoTCP, local, remote) }
	udp := func(local, remote string) Key { return ipKey(ProtoUDP, local, remote) }
	tests := []struct {
		name       string
		key        Key
		mac, inner [6]byte
		class      Class
		why        string
	}{
		// 0 beats 1, 2, 3.
		{"user's network beats the guest's MAC", tcp("10.8.0.1:1", peer4+":2"), guestMAC, none6, Storage, "in 10.8.0.0/16 (--storage 10.8.0.0/16)"},
		{"user's port beats the host", tcp(us4+":7005", peer4+":40000"), nicMAC, none6, Storage, "port 7000-7010 (--storage 7000-7010)"},
		{"user's address beats transit", tcp("172.16.0.9:1", peer4+":2"), nicMAC, none6, VIF, "address 172.16.0.9 (--vif 172.16.0.9)"},
		{"user's process beats the built-in label", tcp(us4+":41003", peer4+":9283"), nicMAC, none6, Control, "process prometheus (--control prometheus)"},
		{"a port alone does not beat a guest's MAC", tcp("10.7.0.5:7005", peer4+":40000"), guestMAC, none6, VIF, vmA},

		// 1 beats 2, 3.
		{"guest", tcp("10.7.0.5:50000", "10.7.0.9:443"), guestMAC, none6, VIF, vmA},
		{"guest without a name", tcp("10.7.0.5:50000", "10.7.0.9:443"), otherMAC, none6, VIF, vnet7},
		{"a guest that serves on a storage port", tcp("10.7.0.5:9422", peer4+":40000"), guestMAC, none6, VIF, vmA},
		{"a guest that uses storage", tcp("10.7.0.5:40000", peer4+":6800"), guestMAC, none6, VIF, vmA},
		{"a guest with the host's address", tcp(us4+":2049", peer4+":700"), guestMAC, none6, VIF, vmA},
		{"a guest with the tuple of the host's process", tcp(us4+":41000", peer4+":5001"), guestMAC, none6, VIF, vmA},
		{"a guest in a VLAN", tagged, guestMAC, none6, VIF, vmA},
		{"a guest's ARP", macKey(0x0806, guestMAC, anyMAC), guestMAC, none6, VIF, vmA},
		{"a guest's neighbour discovery", nd, guestMAC, none6, VIF, vmA},
		{"inside a tunnel of the host", udp(us4+":50000", peer4+":4789"), nicMAC, guestMAC, VIF, vmA + ", inside a tunnel"},
		{"a guest's own tunnel is the guest's", udp("10.7.0.5:50000", "10.7.0.9:4789"), guestMAC, otherMAC, VIF, vmA},
		{"a stranger inside a tunnel", udp(us4+":50000", peer4+":4789"), nicMAC, [6]byte{0x52, 9}, Host, "address of this host"},
		{"a NIC's address is nobody's", tcp("10.7.0.5:50000", "10.7.0.9:443"), nicMAC, none6, Unknown, ""},
		{"nor is everybody's", tcp("10.7.0.5:50000", "10.7.0.9:443"), anyMAC, none6, Unknown, ""},
		{"nor is none", tcp("10.7.0.5:50000", "10.7.0.9:443"), none6, none6, Unknown, ""},

		// 2a beats 2b, 2c.
		{"storage process on any port", tcp(us4+":41000", peer4+":5001"), nicMAC, none6, Storage, "process ceph-osd[812]"},
		{"storage process on IPv6", tcp("["+us6+"]:41009", "["+peer6+"]:1"), nicMAC, none6, Storage, "process glusterfsd[1]"},
		{"storage process on a common port", tcp(us4+":41002", peer4+":9000"), nicMAC, none6, Storage, "process minio[813]"},
		{"the kernel keeps 15 bytes of a name", tcp(us4+":41006", peer4+":8200"), nicMAC, none6, Storage, "process curvebs-chunkse[6]"},
		{"the process that waits", tcp(us4+":6900", peer4+":33333"), nicMAC, none6, Storage, "process ceph-osd[27]"},
		{"a process's socket makes the address ours", tcp("172.17.0.2:8080", peer4+":33333"), nicMAC, none6, Storage, "process weed[3]"},
		{"the process beats the port", tcp(us4+":24224", peer4+":6800"), nicMAC, none6, Host, "process fluent-bit[26] (logs)"},
		{"a name with other bytes is another name", tcp(us4+":41005", peer4+":700"), nicMAC, none6, Host, "process mfschunkserver?[5] on a host address"},
		{"the kernel's by its name", tcp(us4+":2049", peer4+":700"), nicMAC, none6, Storage, "socket of the kernel (nfsd)"},

		// 2b beats 2c.
		{"a port that is served here", tcp(us4+":9422", peer4+":40000"), nicMAC, none6, Storage, "port 9422 (MooseFS chunkserver) on a host address"},
		{"a port that is served there", tcp(us4+":50000", peer4+":9422"), nicMAC, none6, Storage, "port 9422 (MooseFS chunkserver) on a host address"},
		{"whoever asks for it", tcp(us4+":41008", peer4+":9422"), nicMAC, none6, Storage, "port 9422 (MooseFS chunkserver) on a host address"},
		{"a range", tcp(us4+":50000", peer4+":7568"), nicMAC, none6, Storage, "port 6800-7568 (Ceph OSD, MDS, manager) on a host address"},
		{"behind the range", tcp(us4+":50000", peer4+":7569"), nicMAC, none6, Host, "address of this host"},
		{"a port that nobody serves here is one given out", tcp(us4+":6801", peer4+":40000"), nicMAC, none6, Host, "address of this host"},
		{"toward what is served here, the other port is one given out", tcp(us4+":443", peer4+":6800"), nicMAC, none6, Host, "process nginx[21] on a host address"},
		{"the kernel's socket by its local port", tcp(us4+":7788", peer4+":40000"), nicMAC, none6, Storage, "port 7788 (DRBD) on a host address"},
		{"a port that counts for the kernel alone", tcp(us4+":49000", peer4+":8009"), nicMAC, none6, Storage, "port 8009 (NVMe over TCP, discovery) on a host address"},
		{"the same port of a process", tcp(us4+":49001", peer4+":8009"), nicMAC, none6, Host, "address of this host"},
		{"a common port decides nothing", tcp(us4+":8080", peer4+":33333"), nicMAC, none6, Host, "process java[25] on a host address"},
		{"nor at the other end", tcp(us4+":50000", peer4+":9000"), nicMAC, none6, Host, "address of this host"},
		{"UDP has other ports than TCP", udp(us4+":50001", peer4+":9422"), nicMAC, none6, Host, "address of this host"},
		{"a label by its port", tcp(us4+":41001", peer4+":10050"), nicMAC, none6, Host, "port 10050-10051 (Zabbix, monitoring) on a host address"},
		{"a UDP socket that waits may be one that asks", udp(us4+":40514", peer4+":514"), nicMAC, none6, Host, "port 514 (syslog, logs) on a host address"},
		{"a label by a port that is served", udp(us4+":161", peer4+":50000"), nicMAC, none6, Host, "port 161-162 (SNMP, monitoring) on a host address"},
		{"not by a port of somebody else's address", tcp("10.7.0.5:9422", "10.7.0.9:9422"), nicMAC, none6, Unknown, ""},

		// 2c and 3.
		{"host", tcp(us4+":50000", peer4+":443"), nicMAC, none6, Host, "address of this host"},
		{"host, IPv6, a socket for every address", tcp("["+us6+"]:22", "["+peer6+"]:50000"), nicMAC, none6, Host, "process sshd[22] on a host address"},
		{"host by its socket", tcp("10.9.9.9:41007", peer4+":443"), nicMAC, none6, Host, "process curl[4] on a host address"},
		{"host's ping", ipKey(ProtoICMP, us4+":0", peer4+":0"), nicMAC, none6, Host, "address of this host"},
		{"host's multicast", udp(us4+":5405", "239.1.1.1:5405"), nicMAC, none6, Host, "address of this host"},
		{"the host's neighbour discovery is control", nd, nicMAC, none6, Control, "neighbour discovery"},
		{"multicast listener", mld, nicMAC, none6, Control, "multicast listener discovery"},
		{"a ping between the same two is the host's", ipKey(ProtoICMPv6, "["+us6+"]:0", "["+peer6+"]:0"), nicMAC, none6, Host, "address of this host"},
		{"ARP", macKey(0x0806, nicMAC, anyMAC), nicMAC, none6, Control, "arp"},
		{"pause frames", macKey(0x8808, nicMAC, [6]byte{1, 0x80, 0xc2, 0, 0, 1}), nicMAC, none6, Control, "pause frames"},
		{"IGMP", ipKey(2, us4+":0", "224.0.0.22:0"), nicMAC, none6, Control, "igmp"},
		{"VRRP from elsewhere", ipKey(112, "224.0.0.18:0", "10.1.16.2:0"), nicMAC, none6, Control, "vrrp"},
		{"multicast from elsewhere", udp("224.0.0.251:5353", peer4+":5353"), none6, none6, Control, "multicast or broadcast"},
		{"multicast from elsewhere, IPv6", udp("[ff02::fb]:5353", "["+peer6+"]:5353"), none6, none6, Control, "multicast or broadcast"},
		{"broadcast from elsewhere", udp("255.255.255.255:67", "0.0.0.0:68"), none6, none6, Control, "multicast or broadcast"},

		// 4.
		{"transit", tcp("10.7.0.5:50000", "10.7.0.9:443"), [6]byte{0x52, 9}, none6, Unknown, ""},
		{"storage that passes by", tcp("10.7.0.5:50000", "10.7.0.9:9422"), [6]byte{0x52, 9}, none6, Unknown, ""},
	}
	w := hostWorld(t, user...)
	bare := *w
	bare.index = nil
	stale := *w
	stale.Generation++
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, w := range map[string]*World{"": w, "without an index: ": &bare, "with an old index: ": &stale} {
				if c, why := w.Classify(&tt.key, tt.mac, tt.inner); c != tt.class || why != tt.why {
					t.Errorf("%s%v %q, want %v %q", name, c, why, tt.class, tt.why)
				}
			}
			if n := testing.AllocsPerRun(20, func() { w.Classify(&tt.key, tt.mac, tt.inner) }); n != 0 {
				t.Errorf("allocates %v times", n)
			}
		})
	}
}

// Where nobody has looked at sockets, the ports of the table count at both ends.
func TestClassifyWithoutSockets(t *testing.T) {
	w := (&World{Own: []netip.Addr{netip.MustParseAddr(us4)}}).Index()
	for _, tt := range []struct {
		key Key
		c   Class
	}{
		{ipKey(ProtoTCP, us4+":6801", peer4+":40000"), Storage},
		{ipKey(ProtoTCP, us4+":40000", peer4+":2049"), Storage},
		{ipKey(ProtoTCP, us4+":40000", peer4+":8009"), Host},
		{ipKey(ProtoTCP, us4+":40000", peer4+":8080"), Host},
		{ipKey(ProtoTCP, peer4+":40000", us4+":2049"), Unknown},
	} {
		if c, why := w.Classify(&tt.key, nicMAC, none6); c != tt.c {
			t.Errorf("%s > %s: %v %q, want %v", tt.key.LocalEnd(), tt.key.RemoteEnd(), c, why, tt.c)
		}
	}
}

// Every condition of a rule must hold, and holds if one of its values does.
func TestRuleConditions(t *testing.T) {
	tagged := ipKey(ProtoTCP, us4+":50000", peer4+":873")
	tagged.VLAN = 16
	vm := ipKey(ProtoTCP, "10.7.0.5:873", peer4+":50000")
	rsync := ipKey(ProtoTCP, us4+":41000", peer4+":5001") // of ceph-osd[812]
	watched := ipKey(ProtoTCP, us4+":41003", peer4+":9283")
	network := netip.MustParsePrefix
	tests := []struct {
		name string
		rule Rule
		key  Key
		mac  [6]byte
		link LinkID
		want bool
	}{
		{"nothing asked, nothing matched", Rule{}, tagged, nicMAC, 1, false},
		{"port and network", Rule{Ports: []PortRange{{1, 2}, {873, 873}}, Prefixes: []netip.Prefix{network("10.1.16.0/24")}}, tagged, nicMAC, 1, true},
		{"port, another network", Rule{Ports: []PortRange{{873, 873}}, Prefixes: []netip.Prefix{network("10.2.0.0/16")}}, tagged, nicMAC, 1, false},
		{"network, another port", Rule{Ports: []PortRange{{874, 874}}, Prefixes: []netip.Prefix{network("10.1.16.0/24")}}, tagged, nicMAC, 1, false},
		{"every IPv4", Rule{Prefixes: []netip.Prefix{network("0.0.0.0/0")}}, tagged, nicMAC, 1, true},
		{"every IPv6 is no IPv4", Rule{Prefixes: []netip.Prefix{network("::/0")}}, tagged, nicMAC, 1, false},
		{"no address, no network", Rule{Prefixes: []netip.Prefix{network("::/0"), network("0.0.0.0/0")}}, macKey(0x0806, nicMAC, anyMAC), nicMAC, 1, false},
		{"VLAN", Rule{VLANs: []uint16{5, 16}}, tagged, nicMAC, 1, true},
		{"another VLAN", Rule{VLANs: []uint16{5}}, tagged, nicMAC, 1, false},
		{"untagged", Rule{VLANs: []uint16{0}}, vm, nicMAC, 1, true},
		{"NIC", Rule{NICs: []string{"eth2"}}, tagged, nicMAC, 3, true},
		{"another NIC", Rule{NICs: []string{"eth2"}}, tagged, nicMAC, 1, false},
		{"a bond's members", Rule{NICs: []string{"bond0"}}, tagged, nicMAC, 2, true},
		{"no member", Rule{NICs: []string{"bond0"}}, tagged, nicMAC, 3, false},
		{"no link known", Rule{NICs: []string{"bond0"}}, tagged, nicMAC, 0, false},
		{"a NIC that is not there", Rule{NICs: []string{"eth9"}}, tagged, nicMAC, 0, false},
		{"protocol", Rule{Protos: []uint8{17, 6}}, tagged, nicMAC, 1, true},
		{"another protocol", Rule{Protos: []uint8{17}}, tagged, nicMAC, 1, false},
		{"protocol 0 is no MAC pair", Rule{Protos: []uint8{0}}, macKey(0x0806, nicMAC, anyMAC), nicMAC, 1, false},
		{"MAC", Rule{MACs: [][6]byte{guestMAC}}, vm, guestMAC, 1, true},
		{"the other end of a MAC pair", Rule{MACs: [][6]byte{otherMAC}}, macKey(0x88a2, nicMAC, otherMAC), nicMAC, 1, true},
		{"another MAC", Rule{MACs: [][6]byte{otherMAC}}, vm, guestMAC, 1, false},
		{"guest by name, and port", Rule{Guests: []string{"vm_a"}, Ports: []PortRange{{873, 873}}}, vm, guestMAC, 1, true},
		{"guest by vif", Rule{VIFs: []string{"vnet7"}}, vm, otherMAC, 1, true},
		{"another guest", Rule{Guests: []string{"vm_a"}}, vm, otherMAC, 1, false},
		{"no guest", Rule{Guests: []string{""}}, vm, nicMAC, 1, false},
		{"port of a guest", Rule{Ports: []PortRange{{873, 873}}}, vm, guestMAC, 1, false},
		{"port and protocol of a guest", Rule{Ports: []PortRange{{873, 873}}, Protos: []uint8{6}}, vm, guestMAC, 1, false},
		{"port of no guest", Rule{Ports: []PortRange{{873, 873}}}, vm, nicMAC, 1, true},
		{"process", Rule{Processes: []string{"x", "ceph-osd"}}, rsync, nicMAC, 1, true},
		{"process, by its beginning", Rule{Processes: []string{"ceph-*"}}, rsync, nicMAC, 1, true},
		{"another process", Rule{Processes: []string{"ceph", "ceph-osd-x", "eph*"}}, rsync, nicMAC, 1, false},
		{"a guest has no process here", Rule{Processes: []string{"ceph-osd"}}, rsync, guestMAC, 1, false},
		{"label", Rule{Labels: []string{"monitoring"}}, watched, nicMAC, 1, true},
		{"another label", Rule{Labels: []string{"logs"}}, watched, nicMAC, 1, false},
		{"a guest has no label", Rule{Labels: []string{"monitoring"}}, watched, guestMAC, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rule.Class, tt.rule.Why = Control, "the rule"
			_, why := hostWorld(t, tt.rule).ClassifyOn(tt.link)(&tt.key, tt.mac, none6)
			if got := why == "the rule"; got != tt.want {
				t.Errorf("matches: %v (%q), want %v", got, why, tt.want)
			}
		})
	}
}

func TestGuestAndOwner(t *testing.T) {
	w := hostWorld(t)
	if g := w.Guest(guestMAC); g == nil || g.Guest != "vm_a" || g.Name != "023471" {
		t.Errorf("Guest = %+v", g)
	}
	for _, mac := range [][6]byte{{}, nicMAC, anyMAC, {2, 9}} {
		if g := w.Guest(mac); g != nil {
			t.Errorf("Guest(%x) = %+v, want none", mac, g)
		}
	}
	if g := w.GuestOf(nicMAC, otherMAC); g == nil || g.Name != "vnet7" {
		t.Errorf("GuestOf inside = %+v", g)
	}
	if g := w.GuestOf(guestMAC, otherMAC); g == nil || g.Name != "023471" {
		t.Errorf("GuestOf outside = %+v", g)
	}
	var none *World
	k := ipKey(ProtoTCP, us4+":22", peer4+":1")
	if _, ok := none.OwnerOf(&k); ok || none.Guest(guestMAC) != nil {
		t.Error("a nil World knows somebody")
	}
	if o, ok := w.OwnerOf(&k); !ok || o.Name != "sshd" {
		t.Errorf("OwnerOf = %+v, %v", o, ok)
	}
	k = ipKey(ProtoTCP, "10.7.0.5:22", peer4+":1")
	if o, ok := w.OwnerOf(&k); ok {
		t.Errorf("OwnerOf of somebody else's address = %+v", o)
	}
}

// What is said of foreign names is one printable line of bounded length.
func TestWhyIsPlain(t *testing.T) {
	long := strings.Repeat("é", 1000)
	w := (&World{Guests: []GuestNIC{{Name: "v\x1b[2J", Guest: "a\nb" + long, MACs: [][6]byte{guestMAC}}}}).Index()
	k := macKey(0x0800, guestMAC, nicMAC)
	_, why := w.Classify(&k, guestMAC, none6)
	want := "MAC 52:54:00:aa:bb:01 of a?b" + strings.Repeat("é", 61) + "… on v?[2J"
	if why != want {
		t.Errorf("why %q, want %q", why, want)
	}
}

func TestDefineClass(t *testing.T) {
	c, err := DefineClass("t-define", 'Q')
	if err != nil || c < FirstUserClass || c.String() != "t-define" || c.Letter() != 'Q' {
		t.Fatalf("DefineClass = %v %c, %v", c, c.Letter(), err)
	}
	again, err := DefineClass("t-define", 'Z')
	if err != nil || again != c || c.Letter() != 'Z' {
		t.Errorf("again = %v %c, %v, want the same number and Z", again, again.Letter(), err)
	}
	if got, ok := ClassNamed("t-define"); !ok || got != c {
		t.Errorf("ClassNamed = %v, %v", got, ok)
	}
	if h, err := DefineClass("host", 0); err != nil || h != Host {
		t.Errorf("host = %v, %v", h, err)
	}
	if s, l := Class(200).String(), Class(200).Letter(); s != "class200" || l != 'U' {
		t.Errorf("no class: %s %c", s, l)
	}
	for _, bad := range []struct {
		name   string
		letter rune
	}{{"", 'A'}, {"Backup", 'A'}, {"1a", 'A'}, {"a b", 'A'}, {strings.Repeat("a", 17), 'A'}, {"new", 'a'}, {"new", 0}, {"new", 'S'}, {"new", 'é'}, {"vif", 'X'}} {
		if c, err := DefineClass(bad.name, bad.letter); err == nil {
			t.Errorf("DefineClass(%q, %q) = %v, want an error", bad.name, bad.letter, c)
		}
	}
}

// BenchmarkClassify: 200 guests, 50 rules that do not match, 2000 sockets.
func BenchmarkClassify(b *testing.B) {
	w := hostWorld(b)
	w.Generation++
	for i := range 50 {
		s := fmt.Sprintf("%d", 100+i)
		if i%2 == 1 {
			s = fmt.Sprintf("10.200.%d.0/24", i)
		}
		w.Rules = append(w.Rules, rule(b, Storage, s))
	}
	for i := range 200 {
		w.Guests = append(w.Guests, GuestNIC{Name: fmt.Sprint("vnet", 100+i), MACs: [][6]byte{{0x52, 0x54, 1, 0, 0, byte(i)}}})
	}
	for i := range 2000 {
		w.Owners[sock(ProtoTCP, fmt.Sprintf("%s:%d", us4, 10000+i), peer4+":5000")] = Owner{PID: i % 50, Name: "app"}
	}
	w.Index()
	storage, host := ipKey(ProtoTCP, us4+":41008", peer4+":9422"), ipKey(ProtoTCP, us4+":10500", peer4+":5000")
	transit := ipKey(ProtoTCP, "10.7.0.5:50000", "10.7.0.9:443")
	for _, bb := range []struct {
		name string
		key  *Key
		mac  [6]byte
	}{{"guest", &transit, [6]byte{0x52, 0x54, 1, 0, 0, 77}}, {"storage port", &storage, nicMAC}, {"host", &host, nicMAC}, {"transit", &transit, nicMAC}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.Classify(bb.key, bb.mac, none6)
			}
		})
	}
	b.Run("Index", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w.Index()
		}
	})
	b.Run("without Index", func(b *testing.B) {
		plain := *w
		plain.Generation++ // makes the index another World's
		for b.Loop() {
			plain.Classify(&storage, nicMAC, none6)
		}
	})
}
