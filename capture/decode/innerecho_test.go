package decode

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"spiketop/flow"
)

// The two guests of these tests ping each other through tunnels from a to b.
var (
	vm4a, vm4b = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	vm6a, vm6b = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
)

// frameOf is a guest's frame; the addresses of the IP packet in it become the
// guests'.
func frameOf(ethertype uint16, packet []byte) []byte {
	return join([]byte{0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1}, be16(ethertype), packet)
}

func guest4(packet []byte) []byte {
	copy(packet[12:], vm4a.AsSlice())
	copy(packet[16:], vm4b.AsSlice())
	return packet
}

func guest6(packet []byte) []byte {
	copy(packet[8:], vm6a.AsSlice())
	copy(packet[24:], vm6b.AsSlice())
	return packet
}

var (
	vxlanHeader = []byte{8, 0, 0, 0, 0, 0, 7, 0}
	ping4       = guest4(ip4(1, icmp(8, 0, 0x1234, 7, letters)))
	pong4       = guest4(ip4(1, icmp(0, 0, 0x1234, 7, letters)))
	ping6       = guest6(ip6(58, icmp(128, 0, 0x1234, 7, letters)))
	pong6       = guest6(ip6(58, icmp(129, 0, 0x1234, 7, letters)))
)

func inVXLAN(frame []byte) []byte {
	return eth(typeIPv4, ip4(17, udp(40000, 4789, join(vxlanHeader, frame))))
}

func geneve(ethertype uint16, options int, in []byte) []byte {
	return udp(40000, 6081, join([]byte{byte(options / 4), 0}, be16(ethertype), []byte{0, 0, 7, 0}, zeros(options), in))
}

// gre has a key, as NVGRE.
func gre(ethertype uint16, in []byte) []byte {
	return join([]byte{0x20, 0}, be16(ethertype), []byte{0, 0, 7, 0}, in)
}

func tunnelled(src, dst netip.Addr, reply bool, vlan uint16) *flow.Echo {
	e := echoOf(src, dst, reply, 0x1234, 7, "abcdefghijklmnopqrstuvwx")
	e.Tunnel, e.VLAN = true, vlan
	return e
}

var tunnelCases = []struct {
	name string
	data []byte
	want *flow.Echo // as Tx; nil = no echo
}{
	{"VXLAN", inVXLAN(frameOf(typeIPv4, ping4)), tunnelled(vm4a, vm4b, false, 0)},
	{"VXLAN, reply", inVXLAN(frameOf(typeIPv4, pong4)), tunnelled(vm4a, vm4b, true, 0)},
	{"VXLAN, ICMPv6", inVXLAN(frameOf(typeIPv6, ping6)), tunnelled(vm6a, vm6b, false, 0)},
	{"VXLAN on Linux's old port", eth(typeIPv4, ip4(17, udp(40000, 8472, join(vxlanHeader, frameOf(typeIPv6, pong6))))), tunnelled(vm6a, vm6b, true, 0)},
	{"VXLAN over IPv6", eth(typeIPv6, ip6(17, udp(40000, 4789, join(vxlanHeader, frameOf(typeIPv4, ping4))))), tunnelled(vm4a, vm4b, false, 0)},
	{"VXLAN over IPv6, ICMPv6", eth(typeIPv6, ip6(17, udp(40000, 4789, join(vxlanHeader, frameOf(typeIPv6, ping6))))), tunnelled(vm6a, vm6b, false, 0)},
	{"VXLAN, tag inside and outside", eth(typeDot1Q, tag(5, typeIPv4), ip4(17, udp(40000, 4789, join(vxlanHeader, frameOf(typeDot1Q, join(tag(0x6007, typeIPv4), ping4)))))),
		tunnelled(vm4a, vm4b, false, 7)},
	{"VXLAN, two tags inside", inVXLAN(frameOf(typeQinQ, join(tag(0, typeDot1Q), tag(8, typeIPv6), ping6))), tunnelled(vm6a, vm6b, false, 8)},
	{"VXLAN behind IPv4 options", eth(typeIPv4, ip4Options(8, 17, udp(40000, 4789, join(vxlanHeader, frameOf(typeIPv4, ping4))))), tunnelled(vm4a, vm4b, false, 0)},
	{"VXLAN, IPv4 options inside", inVXLAN(frameOf(typeIPv4, guest4(ip4Options(8, 1, icmp(8, 0, 0x1234, 7, letters))))), tunnelled(vm4a, vm4b, false, 0)},
	{"VXLAN, extension headers inside", inVXLAN(frameOf(typeIPv6, guest6(ip6(0, ext(60, 1, ext(58, 2, icmp(128, 0, 0x1234, 7, letters))))))), tunnelled(vm6a, vm6b, false, 0)},
	{"Geneve", eth(typeIPv4, ip4(17, geneve(0x6558, 0, frameOf(typeIPv4, ping4)))), tunnelled(vm4a, vm4b, false, 0)},
	{"Geneve with options over IPv6", eth(typeIPv6, ip6(17, geneve(0x6558, 12, frameOf(typeIPv6, pong6)))), tunnelled(vm6a, vm6b, true, 0)},
	{"Geneve, IP inside", eth(typeIPv4, ip4(17, geneve(typeIPv4, 4, ping4))), tunnelled(vm4a, vm4b, false, 0)},
	{"GRE, a frame inside", eth(typeIPv4, ip4(47, gre(0x6558, frameOf(typeIPv4, ping4)))), tunnelled(vm4a, vm4b, false, 0)},
	{"GRE, IPv4 inside", eth(typeIPv4, ip4(47, gre(typeIPv4, pong4))), tunnelled(vm4a, vm4b, true, 0)},
	{"GRE over IPv6, IPv6 inside", eth(typeIPv6, ip6(47, gre(typeIPv6, ping6))), tunnelled(vm6a, vm6b, false, 0)},
	{"GRE behind destination options", eth(typeIPv6, ip6(60, ext(47, 1, gre(typeIPv6, ping6)))), tunnelled(vm6a, vm6b, false, 0)},

	{"TCP inside", inVXLAN(frameOf(typeIPv4, guest4(ip4(6, tcp(1, 2, 0, zeros(20)))))), nil},
	{"an error inside that quotes an echo", inVXLAN(frameOf(typeIPv4, guest4(ip4(1, icmp(11, 0, 0, 0, ping4))))), nil},
	{"code 1 inside", inVXLAN(frameOf(typeIPv4, guest4(ip4(1, icmp(8, 1, 1, 2, letters))))), nil},
	{"ICMPv4 in IPv6", inVXLAN(frameOf(typeIPv6, guest6(ip6(1, icmp(8, 0, 1, 2, letters))))), nil},
	{"first fragment inside", inVXLAN(frameOf(typeIPv4, guest4(ip4(1, icmp(8, 0, 1, 2, letters), fragment4(1, 0, true))))), nil},
	{"first fragment 6 inside", inVXLAN(frameOf(typeIPv6, guest6(ip6(44, fragment6(58, 1, 0, true, icmp(128, 0, 1, 2, letters)))))), nil},
	{"first fragment outside", eth(typeIPv4, ip4(17, udp(40000, 4789, join(vxlanHeader, frameOf(typeIPv4, ping4))), fragment4(1, 0, true))), nil},
	{"from the port, not to it", eth(typeIPv4, ip4(17, udp(4789, 40000, join(vxlanHeader, frameOf(typeIPv4, ping4))))), nil},
	{"VXLAN without a network identifier", eth(typeIPv4, ip4(17, udp(40000, 4789, join(zeros(8), frameOf(typeIPv4, ping4))))), nil},
	{"a tunnel inside of the tunnel", inVXLAN(frameOf(typeIPv4, guest4(ip4(17, udp(40000, 4789, join(vxlanHeader, frameOf(typeIPv4, ping4))))))), nil},
	{"cut in the ICMP header", inVXLAN(frameOf(typeIPv4, ping4))[:14+20+16+14+20+7], nil},
	{"padding is no echo", join(eth(typeIPv4, ip4(17, udp(40000, 4789, vxlanHeader))), frameOf(typeIPv4, ping4)), nil},
	{"ends before its addresses", eth(typeIPv4, ip4(47, []byte{0x80, 0, 0x86, 0xdd, 0, 0, 0, 0, 0x60})), nil},
}

// Echoes inside of tunnels; the record is the tunnel's own either way.
func TestInnerEcho(t *testing.T) {
	for _, tt := range tunnelCases {
		t.Run(tt.name, func(t *testing.T) {
			for _, dir := range flow.Directions {
				m := txMeta(tt.data)
				m.Dir = dir
				dirt := flow.Echo{At: 9, Link: 9, VIF: 9, Offset: 9, ID: 9, Payload: [24]byte(letters), PayloadN: 9}
				rec, got, want := dirtyRecord(), dirt, &dirt
				if tt.want != nil {
					w := *tt.want
					w.Dir = dir
					want = &w
				}
				if ok := New(Config{}).Decode(tt.data, &m, &rec, &got); ok != (tt.want != nil) {
					t.Errorf("%v: echo seen: %v, want %v", dir, ok, tt.want != nil)
				}
				if diff := cmp.Diff(*want, got); diff != "" {
					t.Errorf("%v: echo (-want +got):\n%s", dir, diff)
				}
				outer := ends(a4, b4, rec.Key.Proto, 0, 0)
				if rec.Key.Family == flow.FamilyIPv6 {
					outer = ends(a6, b6, rec.Key.Proto, 0, 0)
				}
				if dir == flow.Rx {
					outer = swapped(outer)
				}
				if rec.Key.Local != outer.Local || rec.Key.Remote != outer.Remote {
					t.Errorf("%v: the record is of %v and %v, want the tunnel's ends", dir, rec.Key.LocalAddr(), rec.Key.RemoteAddr())
				}
			}
		})
	}
}

// A tunnelled echo of a snaplen of 192 bytes has its whole payload.
func TestInnerEchoCut(t *testing.T) {
	data := inVXLAN(frameOf(typeDot1Q, join(tag(7, typeIPv6), guest6(ip6(58, icmp(128, 0, 0x1234, 7, zeros(1400)))))))
	m, rec, e := txMeta(data), flow.Record{}, flow.Echo{}
	if !New(Config{}).Decode(data[:192], &m, &rec, &e) || e.PayloadN != 24 {
		t.Errorf("%d payload bytes, want 24", e.PayloadN)
	}
	if rec.Bytes != uint64(len(data)) {
		t.Errorf("%d bytes, want %d", rec.Bytes, len(data))
	}
}

// Every echo in a tunnel that gopacket finds is found, and no other.
func TestInnerEchoAgainstGopacket(t *testing.T) {
	g := &generator{t: t, rnd: rand.New(rand.NewPCG(5, 6))}
	ref := &reference{firsts: map[firstKey]flow.Key{}}
	d := New(Config{})
	seen := map[string]int{}
	for n := range 4000 {
		data, name := g.tunnelOf(g.guestPing())
		m := Meta{At: flow.Time(n), Dir: flow.Tx, Len: uint32(len(data))}
		want, got := ref.read(data, m.Dir), d.opinion(data, &m)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(opinion{})); diff != "" {
			t.Fatalf("frame %d, %s (-gopacket +decode):\n%s% x", n, name, diff, data)
		}
		if want.echo != nil {
			seen[name]++
		}
	}
	for _, name := range []string{"vxlan", "geneve", "gre"} {
		if seen[name] < 100 {
			t.Errorf("only %d echoes in %s", seen[name], name)
		}
	}
}

// guestPing is a guest's frame with a ping, an answer or something near it.
func (g *generator) guestPing() []byte {
	kinds := [2][]byte{{8, 0, 8, 0, 3}, {128, 129, 128, 129, 1}}
	i := g.rnd.IntN(2)
	typ, code := kinds[i][g.rnd.IntN(5)], byte(0)
	if g.chance(10) {
		code = 1
	}
	message := icmp(typ, code, g.port(), g.port(), letters[:g.rnd.IntN(len(letters))])
	packet, ethertype := guest4(ip4(1, message)), uint16(typeIPv4)
	if i == 1 {
		packet, ethertype = guest6(ip6(58, message)), typeIPv6
	}
	if g.chance(3) {
		packet, ethertype = join(tag(uint16(g.rnd.IntN(4096)), ethertype), packet), typeDot1Q
	}
	return frameOf(ethertype, packet)
}

// Real captures of tunnels: tshark finds the same echoes.
func TestInnerEchoAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	total := 0
	for _, pattern := range []string{"vxlan-*.pcap", "geneve-*.pcap", "gre-*.pcap"} {
		files, _ := filepath.Glob(filepath.Join(pcapsDir, pattern))
		for _, name := range files {
			want, got := tsharkEchoes(t, name), ownEchoes(t, name)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-tshark +decode):\n%s", filepath.Base(name), diff)
			}
			total += len(want)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(pcapsDir, "*.pcap")); len(files) == 0 {
		t.Skip("no captures beside the repository")
	}
	t.Logf("%d echoes in tunnels", total)
	if total == 0 {
		t.Error("tshark found no echo in any tunnel: the test looks in the wrong place")
	}
}

// tsharkEchoes lists the echoes inside of tunnels, innermost addresses.
func tsharkEchoes(t *testing.T, file string) (list []string) {
	t.Helper()
	out, err := exec.Command("tshark", "-n", "-Q", "-r", file, "-Y", "(vxlan or geneve or gre) and (icmp.type==8 or icmp.type==0)", "-T", "json",
		"-e", "frame.number", "-e", "ip.src", "-e", "ip.dst", "-e", "icmp.type", "-e", "icmp.ident", "-e", "icmp.seq", "-e", "frame.protocols").Output()
	if err != nil {
		t.Fatalf("tshark %s: %v", file, err)
	}
	var frames []struct {
		Source struct {
			Layers map[string][]string `json:"layers"`
		} `json:"_source"`
	}
	if err := json.Unmarshal(out, &frames); err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		l := f.Source.Layers
		n := len(l["ip.src"])
		if n < 2 || strings.Contains(l["frame.protocols"][0], "icmp:ip") {
			continue
		}
		list = append(list, fmt.Sprintf("%s %s %s reply=%v id=%s seq=%s", l["frame.number"][0], l["ip.src"][n-1], l["ip.dst"][n-1],
			l["icmp.type"][0] == "0", l["icmp.ident"][0], l["icmp.seq"][0]))
	}
	return list
}

func ownEchoes(t *testing.T, name string) (list []string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil || r.LinkType() != layers.LinkTypeEthernet {
		return nil
	}
	d := New(Config{})
	var rec flow.Record
	var e flow.Echo
	for n := 1; ; n++ {
		data, ci, err := r.ReadPacketData()
		if err != nil {
			return list
		}
		m := Meta{Dir: flow.Tx, Len: uint32(ci.Length)}
		if d.Decode(data, &m, &rec, &e) && e.Tunnel {
			src, dst := netip.AddrFrom16(e.Src).Unmap(), netip.AddrFrom16(e.Dst).Unmap()
			list = append(list, fmt.Sprintf("%d %v %v reply=%v id=%d seq=%d", n, src, dst, e.Reply, e.ID, e.Seq))
		}
	}
}
