package flow

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
)

var newKernel = Kernel{6, 1, 176}

// xorBond is a bond of n usable members m0, m1, ...
func xorBond(policy string, n int) *Bond {
	b := &Bond{Name: "bond0", Mode: Mode8023AD, Policy: policy, Active: 1}
	for i := range n {
		b.Members = append(b.Members, Member{Name: "m" + string(rune('0'+i)), State: "active", MII: "up", Aggregator: 1, PartnerState: 63, ActorState: 63})
	}
	return b
}

// The addresses' words, as a little-endian CPU loads them: 10.0.0.1 is
// 0x0100000a, 10.0.0.2 is 0x0200000a, XOR 0x03000000. 2001:db8::1 against ::2
// differ in the last word only: 0x01000000 ^ 0x02000000 = 0x03000000 too.
func TestTxMemberByHand(t *testing.T) {
	v4 := func(proto uint8, ports ...uint16) TxFrame {
		f := TxFrame{Key: ipKey(proto, "10.0.0.1:0", "10.0.0.2:0"), Src: [6]byte{2, 0, 0, 0, 0, 1}, Dst: [6]byte{2, 0, 0, 0, 0, 2}}
		if len(ports) == 2 {
			f.Key.LocalPort, f.Key.RemotePort = ports[0], ports[1]
		}
		return f
	}
	v6 := func(lport, rport uint16) TxFrame {
		f := v4(ProtoTCP)
		f.Key = ipKey(ProtoTCP, "[2001:db8::1]:0", "[2001:db8::2]:0")
		f.Key.LocalPort, f.Key.RemotePort = lport, rport
		return f
	}
	echo := func(id uint16) TxFrame {
		f := v4(ProtoICMP)
		f.ICMP = &ICMPHead{Type: 8, ID: id}
		return f
	}
	fragment := v4(ProtoUDP, 1000, 80)
	fragment.Fragment = true
	tagged := v4(ProtoTCP, 1000, 80)
	tagged.Key.VLAN = 100
	arp := TxFrame{Key: macKey(0x0806, [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})}
	tests := []struct {
		name, policy string
		f            TxFrame
		want         [3]int // index for 2, 3, 4 members
	}{
		// Ports 1000 = 03e8 and 80 = 0050: the word is 0x5000e803. ^ 0x03000000 = 0x5300e803;
		// ^ >>16 = 0x5300bb03; ^ >>8 = 0x5353bbb8; >>1 = 0x29a9dddc: even; digits' sum 81 = 0 mod 3; c = 0 mod 4.
		{"tcp", PolicyLayer34, v4(ProtoTCP, 1000, 80), [3]int{0, 0, 0}},
		{"udp is as tcp", PolicyLayer34, v4(ProtoUDP, 1000, 80), [3]int{0, 0, 0}},
		{"sctp is as tcp", PolicyLayer34, v4(ProtoSCTP, 1000, 80), [3]int{0, 0, 0}},
		// 1002 = 03ea: 0x5300ea03; 0x5300b903; 0x5353b9ba; >>1 = 0x29a9dcdd: odd; 81 = 0 mod 3; d = 1 mod 4.
		{"tcp, other port", PolicyLayer34, v4(ProtoTCP, 1002, 80), [3]int{1, 0, 1}},
		// 1004 = 03ec: 0x5300ec03; 0x5300bf03; 0x5353bfbc; >>1 = 0x29a9dfde: even; 85 = 1 mod 3; e = 2 mod 4.
		{"tcp, third port", PolicyLayer34, v4(ProtoTCP, 1004, 80), [3]int{0, 1, 2}},
		{"IPv6", PolicyLayer34, v6(1004, 80), [3]int{0, 1, 2}},
		// No ports: 0x03000000; 0x03000300; 0x03030303; >>1 = 0x01818181: odd; 1+8+1+8+1+8+1 = 28 = 1 mod 3; 1 mod 4.
		{"a fragment has no ports", PolicyLayer34, fragment, [3]int{1, 1, 1}},
		{"GRE has no ports", PolicyLayer34, v4(47), [3]int{1, 1, 1}},
		// Type 8, id 7: 0x00070008 ^ 0x03000000 = 0x03070008; 0x0307030f; 0x0304040c; >>1 = 0x01820206: even; 19 = 1 mod 3; 2 mod 4.
		{"echo", PolicyLayer34, echo(7), [3]int{0, 1, 2}},
		// An id of 0 counts as 1: 0x00010008 ^ 0x03000000 = 0x03010008; 0x03010309; 0x0302020a; >>1 = 0x01810105: odd; 16 = 1 mod 3; 1 mod 4.
		{"echo, id 0", PolicyLayer34, echo(0), [3]int{1, 1, 1}},
		{"echo, id 1", PolicyLayer34, echo(1), [3]int{1, 1, 1}},
		// MACs end in 1 and 2: 1 ^ 2 ^ 0x0800 = 0x0803: odd; 11 = 2 mod 3; 3 mod 4.
		{"layer2", PolicyLayer2, v4(ProtoTCP, 1000, 80), [3]int{1, 2, 3}},
		{"layer2 knows no ports", PolicyLayer2, v4(ProtoTCP, 1002, 80), [3]int{1, 2, 3}},
		// IPv6: 1 ^ 2 ^ 0x86dd = 0x86de: even; 8+6+13+14 = 41 = 2 mod 3; e = 2 mod 4.
		{"layer2, IPv6", PolicyLayer2, v6(1000, 80), [3]int{0, 2, 2}},
		// ARP to all: 1 ^ 0xff ^ 0x0806 = 0x08f8: even; 8+15+8 = 31 = 1 mod 3; 0 mod 4.
		{"layer2, arp", PolicyLayer2, arp, [3]int{0, 1, 0}},
		{"layer3+4, arp: not IP, so as layer2", PolicyLayer34, arp, [3]int{0, 1, 0}},
		// 0x0803 ^ 0x03000000 = 0x03000803; 0x03000b03; 0x03030b08: even; 25 = 1 mod 3; 0 mod 4.
		{"layer2+3", PolicyLayer23, v4(ProtoTCP, 1000, 80), [3]int{0, 1, 0}},
		{"encap2+3 outside of tunnels", PolicyEncap23, v4(ProtoTCP, 1000, 80), [3]int{0, 1, 0}},
		// 02:00:00 ^ 00:00:01 = 0x020001: odd; 3 = 0 mod 3; 1 mod 4.
		{"vlan+srcmac", PolicyVLANSrcMAC, v4(ProtoTCP, 1000, 80), [3]int{1, 0, 1}},
		// ^ 100 = 0x64: 0x020065: odd; 13 = 1 mod 3; 1 mod 4.
		{"vlan+srcmac, VLAN 100", PolicyVLANSrcMAC, tagged, [3]int{1, 1, 1}},
		{"layer3+4 does not see the tag", PolicyLayer34, tagged, [3]int{0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, want := range tt.want {
				b := xorBond(tt.policy, i+2)
				if got, why := b.TxMember(&tt.f, newKernel); got != b.Members[want].Name {
					t.Errorf("%d members: %q (%s), want %s", i+2, got, why, b.Members[want].Name)
				}
			}
		})
	}
}

// With layer3+4 and a power of two of members, at most 128, the index is the XOR
// of all bytes of addresses and ports, shifted by one: whatever the byte order,
// and the same in both directions.
func TestShortcutOfPowersOfTwo(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 18))
	for range 20_000 {
		k := Key{Family: FamilyIPv4, Proto: ProtoTCP, LocalPort: uint16(r.Uint32()), RemotePort: uint16(r.Uint32())}
		a, b := binary.BigEndian.AppendUint32(nil, r.Uint32()), binary.BigEndian.AppendUint32(nil, r.Uint32())
		SetIPv4(&k.Local, a)
		SetIPv4(&k.Remote, b)
		x := byte(k.LocalPort>>8) ^ byte(k.LocalPort) ^ byte(k.RemotePort>>8) ^ byte(k.RemotePort)
		for i := range 4 {
			x ^= a[i] ^ b[i]
		}
		back := TxFrame{Key: Key{Family: k.Family, Proto: k.Proto, Local: k.Remote, Remote: k.Local, LocalPort: k.RemotePort, RemotePort: k.LocalPort}}
		h, why := txHash(PolicyLayer34, &TxFrame{Key: k}, newKernel)
		hback, _ := txHash(PolicyLayer34, &back, newKernel)
		for n := uint32(2); n <= 128; n *= 2 {
			if got, want := h%n, uint32(x>>1)&(n-1); got != want || why != "" || hback%n != want {
				t.Fatalf("%v n %d: %d (back %d) %s, want %d", k, n, got, hback%n, why, want)
			}
		}
	}
}

func TestNotPredictable(t *testing.T) {
	tcp := TxFrame{Key: ipKey(ProtoTCP, "10.0.0.1:1000", "10.0.0.2:80"), Src: [6]byte{2, 0, 0, 0, 0, 1}, Dst: [6]byte{2, 0, 0, 0, 0, 2}}
	with := func(change func(*TxFrame)) *TxFrame { f := tcp; change(&f); return &f }
	bond := func(change func(*Bond)) *Bond { b := xorBond(PolicyLayer34, 2); change(b); return b }
	l34 := xorBond(PolicyLayer34, 2)
	echo := with(func(f *TxFrame) { f.Key.Proto, f.ICMP = ProtoICMP, &ICMPHead{Type: 8, ID: 7} })
	tests := []struct {
		name string
		b    *Bond
		f    *TxFrame
		k    Kernel
		want string // part of the reason; "" = predictable
	}{
		{"new kernel", l34, &tcp, newKernel, ""},
		{"4.15, TCP", l34, &tcp, Kernel{4, 15, 0}, ""},
		{"before 4.15", l34, &tcp, Kernel{4, 14, 300}, "older than 4.15"},
		{"3.10", l34, &tcp, Kernel{3, 10, 0}, "older than 4.15"},
		{"unknown kernel", l34, &tcp, Kernel{}, "version is not known"},
		{"before 5.5, echo", l34, echo, Kernel{5, 4, 250}, "do not look at the id"},
		{"5.5, echo", l34, echo, Kernel{5, 5, 0}, ""},
		{"5.15.16", l34, &tcp, Kernel{5, 15, 16}, "wrong bytes"},
		{"5.15.17", l34, &tcp, Kernel{5, 15, 17}, ""},
		{"5.16.9", l34, &tcp, Kernel{5, 16, 9}, "wrong bytes"},
		{"layer2 before 5.18", xorBond(PolicyLayer2, 2), &tcp, Kernel{5, 17, 9}, "in several ways"},
		{"layer2 at 5.18", xorBond(PolicyLayer2, 2), &tcp, Kernel{5, 18, 0}, ""},
		{"layer2 without the next hop", xorBond(PolicyLayer2, 2), with(func(f *TxFrame) { f.Dst = [6]byte{} }), newKernel, "next hop's is not known"},
		{"layer2+3 without the sender's MAC", xorBond(PolicyLayer23, 2), with(func(f *TxFrame) { f.Src = [6]byte{} }), newKernel, "MACs of both ends"},
		{"vlan+srcmac without it", xorBond(PolicyVLANSrcMAC, 2), with(func(f *TxFrame) { f.Src = [6]byte{} }), newKernel, "sender's MAC"},
		{"encap3+4", xorBond(PolicyEncap34, 2), &tcp, newKernel, "random hash"},
		{"encap2+3, GRE", xorBond(PolicyEncap23, 2), with(func(f *TxFrame) { f.Key.Proto = 47 }), newKernel, "looks into the tunnel"},
		{"a policy of tomorrow", xorBond("6", 2), &tcp, newKernel, "policy 6 is not known"},
		{"round robin", bond(func(b *Bond) { b.Mode = ModeRoundRobin }), &tcp, newKernel, "mode balance-rr does not send by the hash"},
		{"team", bond(func(b *Bond) { b.Mode = "team" }), &tcp, newKernel, "mode team"},
		{"order unknown", bond(func(b *Bond) { b.OrderUnknown = true }), &tcp, newKernel, "order in which"},
		{"queue_id", bond(func(b *Bond) { b.Members[1].QueueID = 3 }), &tcp, newKernel, "m1 has queue_id 3"},
		{"nobody usable", bond(func(b *Bond) { b.Members = nil }), &tcp, newKernel, "no member of bond0 is usable"},
		{"lacp goes by each member", l34, &TxFrame{Key: macKey(0x8809, [6]byte{2}, [6]byte{1, 0x80, 0xc2, 0, 0, 2})}, newKernel, "lacp is sent on each member"},
		{"ESP", l34, with(func(f *TxFrame) { f.Key.Proto = 50 }), newKernel, "protocol 50"},
		{"ICMP of unknown type", l34, with(func(f *TxFrame) { f.Key.Proto = ProtoICMP }), newKernel, "type and id"},
		{"ICMP error", l34, with(func(f *TxFrame) { f.Key.Proto, f.ICMP = ProtoICMP, &ICMPHead{Type: 3, Code: 3} }), newKernel, "the flow that it is about"},
		{"router advertisement has no id", l34, with(func(f *TxFrame) { f.Key.Proto, f.ICMP = ProtoICMPv6, &ICMPHead{Type: 134} }), newKernel, ""},
		{"one usable member needs no hash", bond(func(b *Bond) { b.Members[0].Down, b.Policy = true, PolicyEncap34 }), &tcp, Kernel{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, why := tt.b.TxMember(tt.f, tt.k)
			if tt.want == "" && (got == "" || why != "") || tt.want != "" && (got != "" || !strings.Contains(why, tt.want)) {
				t.Errorf("TxMember = %q, %q; want %q", got, why, tt.want)
			}
		})
	}
}

func TestUsable(t *testing.T) {
	well := Member{State: "active", MII: "up", Aggregator: 1}
	change := func(f func(*Member)) Member { m := well; f(&m); return m }
	tests := []struct {
		name, mode string
		active     int
		m          Member
		want       bool
	}{
		{"well", Mode8023AD, 1, well, true},
		{"MII down", Mode8023AD, 1, change(func(m *Member) { m.MII = "down" }), false},
		{"MII going back", Mode8023AD, 1, change(func(m *Member) { m.MII = "going back" }), false},
		{"device down", Mode8023AD, 1, change(func(m *Member) { m.Down = true }), false},
		{"backup", Mode8023AD, 1, change(func(m *Member) { m.State = "backup" }), false},
		{"another aggregator", Mode8023AD, 1, change(func(m *Member) { m.Aggregator = 2 }), false},
		{"the active aggregator is unknown", Mode8023AD, 0, change(func(m *Member) { m.Aggregator = 2 }), true},
		{"no aggregators in balance-xor", ModeXOR, 0, change(func(m *Member) { m.Aggregator = 0 }), true},
		{"standby", ModeActiveBackup, 0, change(func(m *Member) { m.State = "backup" }), false},
		{"team port", "team", 0, Member{MII: "up"}, true},
	}
	for _, tt := range tests {
		b := Bond{Mode: tt.mode, Active: tt.active, Members: []Member{tt.m}}
		if got := len(b.Usable()) == 1; got != tt.want {
			t.Errorf("%s: usable %v, want %v", tt.name, got, tt.want)
		}
	}
	// The array is compacted: the third member takes the place of the second.
	b := xorBond(PolicyLayer34, 3)
	b.Members[1].MII = "down"
	f := TxFrame{Key: ipKey(ProtoTCP, "10.0.0.1:1002", "10.0.0.2:80")} // index 1 of 2, see above
	if got, _ := b.TxMember(&f, newKernel); got != "m2" {
		t.Errorf("with m1 down: %q, want m2", got)
	}
}

func TestImbalance(t *testing.T) {
	for _, tt := range []struct {
		load []float64
		want float64
		ok   bool
	}{
		{[]float64{5, 5}, 0, true},
		{[]float64{10, 0}, 1, true},
		{[]float64{93, 7}, 0.86, true},     // 2 x 93 / 100 - 1
		{[]float64{60, 20, 20}, 0.4, true}, // (3 x 60 / 100 - 1) / 2
		{[]float64{0, 0, 0, 8}, 1, true},
		{[]float64{0, 0}, 0, false},
		{[]float64{7}, 0, false},
		{nil, 0, false},
	} {
		if got, ok := Imbalance(tt.load); ok != tt.ok || got < tt.want-1e-9 || got > tt.want+1e-9 {
			t.Errorf("Imbalance(%v) = %v, %v; want %v, %v", tt.load, got, ok, tt.want, tt.ok)
		}
	}
}

func TestEchoID(t *testing.T) {
	f := TxFrame{Key: ipKey(ProtoTCP, "10.0.0.1:1", "10.0.0.2:2"), Src: [6]byte{2, 0, 0, 0, 0, 1}, Dst: [6]byte{2, 0, 0, 0, 0, 2}}
	for _, family := range []Family{FamilyIPv4, FamilyIPv6} {
		if family == FamilyIPv6 {
			f.Key = ipKey(ProtoUDP, "[fd00::1]:1", "[fd00::2]:2")
		}
		for n := 2; n <= 7; n++ {
			b := xorBond(PolicyLayer34, n)
			for i, m := range b.Members {
				for _, start := range []uint16{0, 1, 40000, 65530} {
					id, why := b.EchoID(&f, m.Name, start, newKernel)
					if id == 0 || id-start > 1024 {
						t.Fatalf("n %d member %d from %d: id %d %s", n, i, start, id, why)
					}
					echo := f
					echo.Key.Proto, echo.ICMP = ProtoICMP, &ICMPHead{Type: 8, ID: id}
					if family == FamilyIPv6 {
						echo.Key.Proto, echo.ICMP.Type = ProtoICMPv6, 128
					}
					if got, _ := b.TxMember(&echo, newKernel); got != m.Name {
						t.Fatalf("id %d leaves by %s, want %s", id, got, m.Name)
					}
				}
			}
		}
	}
	// Ids 4, 6, 8, 10 visit all of four members.
	b, seen := xorBond(PolicyLayer34, 4), map[string]bool{}
	for id := uint16(4); id <= 10; id += 2 {
		echo := TxFrame{Key: ipKey(ProtoICMP, "10.0.0.1:0", "10.0.0.2:0"), ICMP: &ICMPHead{Type: 8, ID: id}}
		m, _ := b.TxMember(&echo, newKernel)
		seen[m] = true
	}
	if len(seen) != 4 {
		t.Errorf("ids 4 to 10 visit %v, want all four", seen)
	}
	for _, tt := range []struct {
		name   string
		b      *Bond
		member string
		k      Kernel
		want   string
	}{
		{"no such member", xorBond(PolicyLayer34, 2), "m7", newKernel, "m7 is not usable"},
		{"before 5.5", xorBond(PolicyLayer34, 2), "m1", Kernel{5, 4, 0}, "do not look at the id"},
		// fd00::1 to fd00::2: 0x86de ^ 0x03000000, folded: 0x030085de, 0x0303 85 5b: odd, so m1.
		{"layer2+3 knows no id", xorBond(PolicyLayer23, 2), "m0", newKernel, "sends every echo to it by m1"},
	} {
		if id, why := tt.b.EchoID(&f, tt.member, 1, tt.k); id != 0 || !strings.Contains(why, tt.want) {
			t.Errorf("%s: %d, %q; want %q", tt.name, id, why, tt.want)
		}
	}
	one := xorBond(PolicyLayer2, 1)
	if id, why := one.EchoID(&f, "m0", 9, newKernel); id != 9 {
		t.Errorf("one member: %d %s, want 9", id, why)
	}
}

func TestParseKernel(t *testing.T) {
	for in, want := range map[string]Kernel{
		"6.1.0-41-amd64": {6, 1, 0}, "5.14.0-570.el9.x86_64": {5, 14, 0}, "6.18.44-x-v5": {6, 18, 44}, "4.19": {4, 19, 0},
		"5.15.17+": {5, 15, 17}, "6.1-rc3": {6, 1, 0}, "": {}, "6": {}, "six.one": {}, "99999.1.1": {}, "..": {}, "3.10.0-1160.el7": {3, 10, 0}, "4.4.302.1-x": {4, 4, 302},
	} {
		got, ok := ParseKernel(in)
		if ok != want.Known() || ok && got != want {
			t.Errorf("ParseKernel(%q) = %v, %v; want %v", in, got, ok, want)
		}
	}
	if !(Kernel{5, 4, 9}).Before(5, 5, 0) || (Kernel{5, 5, 0}).Before(5, 5, 0) || (Kernel{6, 0, 0}).Before(5, 18, 0) {
		t.Error("Before is wrong")
	}
}

func BenchmarkTxMember(b *testing.B) {
	bond := xorBond(PolicyLayer34, 2)
	f := TxFrame{Key: ipKey(ProtoTCP, "10.0.0.1:1000", "10.0.0.2:80")}
	for b.Loop() {
		bond.TxMember(&f, newKernel)
	}
}
