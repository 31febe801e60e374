package flow

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// testFrame is a packet as it lies on the wire, without its VLAN tag and with
// it, and the row that it belongs to, as sent by the local end.
type testFrame struct {
	name   string
	plain  []byte
	tagged []byte // nil if Key.VLAN is 0
	key    Key
}

var (
	testAddrs4 = []string{"10.1.16.55", "10.1.16.71", "10.1.17.1", "10.2.0.1", "192.168.40.18"}
	testAddrs6 = []string{"fd00::1", "fd00:10::2", "2001:db8::1", "::ffff:10.1.16.55"}
	testPorts  = []uint16{22, 53, 80, 443, 6799, 6800, 7000, 7300, 7301, 9422}
)

// testFrames makes n frames of every kind, the same for the same n.
func testFrames(n int) []testFrame {
	rnd := rand.New(rand.NewPCG(7, 9422))
	out := make([]testFrame, 0, n)
	for i := range n {
		vlan := uint16(0)
		if i%3 == 2 {
			vlan = []uint16{5, 7, 4095}[rnd.IntN(3)]
		}
		switch {
		case i%8 == 7:
			out = append(out, arpFrame(vlan, pick(rnd, testAddrs4), pick(rnd, testAddrs4)))
		case i%2 == 0:
			proto := []uint8{ProtoTCP, ProtoUDP, ProtoTCP, ProtoICMP, ProtoSCTP, 47}[rnd.IntN(6)]
			out = append(out, ipFrame(vlan, proto, pick(rnd, testAddrs4), pick(rnd, testAddrs4), pick(rnd, testPorts), pick(rnd, testPorts)))
		default:
			proto := []uint8{ProtoTCP, ProtoUDP, ProtoUDP, ProtoICMPv6, ProtoSCTP}[rnd.IntN(5)]
			out = append(out, ipFrame(vlan, proto, pick(rnd, testAddrs6), pick(rnd, testAddrs6), pick(rnd, testPorts), pick(rnd, testPorts)))
		}
	}
	return out
}

func pick[T any](rnd *rand.Rand, from []T) T { return from[rnd.IntN(len(from))] }

// ipFrame builds a TCP, UDP, SCTP or other packet; the ports are ignored where
// the protocol has none. Only the fields that a filter reads are filled.
func ipFrame(vlan uint16, proto uint8, src, dst string, sport, dport uint16) testFrame {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	k := Key{Local: s.As16(), Remote: d.As16(), Proto: proto, VLAN: vlan, Family: FamilyIPv6}
	payload := make([]byte, 20)
	var ip []byte
	ethertype := uint16(0x86dd)
	if s.Is4() {
		k.Family, ethertype = FamilyIPv4, 0x0800
		ip = make([]byte, 20)
		ip[0], ip[8], ip[9] = 0x45, 64, proto // version and length, TTL
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(payload)))
		copy(ip[12:], s.AsSlice())
		copy(ip[16:], d.AsSlice())
	} else {
		ip = make([]byte, 40)
		ip[0], ip[6], ip[7] = 0x60, proto, 64
		binary.BigEndian.PutUint16(ip[4:], uint16(len(payload)))
		copy(ip[8:], s.AsSlice())
		copy(ip[24:], d.AsSlice())
	}
	if k.HasPorts() {
		k.LocalPort, k.RemotePort = sport, dport
		binary.BigEndian.PutUint16(payload, sport)
		binary.BigEndian.PutUint16(payload[2:], dport)
	}
	name := fmt.Sprintf("%s %s > %s vlan %d", k.ProtoName(), k.LocalEnd(), k.RemoteEnd(), vlan)
	return ethernet(name, ethertype, append(ip, payload...), k)
}

// arpFrame builds an ARP request of IPv4 over Ethernet (RFC 826).
func arpFrame(vlan uint16, sender, target string) testFrame {
	b := make([]byte, 46)
	copy(b, []byte{0, 1, 8, 0, 6, 4, 0, 1})
	copy(b[14:], netip.MustParseAddr(sender).AsSlice())
	copy(b[24:], netip.MustParseAddr(target).AsSlice())
	k := macKey(0x0806, [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{2, 0, 0, 0, 0, 2})
	k.VLAN = vlan
	return ethernet(fmt.Sprintf("arp %s > %s vlan %d", sender, target, vlan), 0x0806, b, k)
}

func ethernet(name string, ethertype uint16, payload []byte, k Key) testFrame {
	macs := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1} // destination, source
	f := testFrame{name: name, key: k}
	f.plain = append(binary.BigEndian.AppendUint16(append([]byte{}, macs...), ethertype), payload...)
	if k.VLAN != 0 {
		f.tagged = append(binary.BigEndian.AppendUint16(append(append([]byte{}, macs...), 0x81, 0), k.VLAN), f.plain[12:]...)
	}
	return f
}

// reversed is the same row seen from the other host: what was sent is received.
func (f *testFrame) reversed() Key {
	k := f.key
	k.Local, k.Remote = k.Remote, k.Local
	if k.Family != FamilyMAC { // of a MAC pair, LocalPort is the ethertype
		k.LocalPort, k.RemotePort = k.RemotePort, k.LocalPort
	}
	return k
}
