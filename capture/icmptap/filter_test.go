package icmptap

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"

	"spiketop/capture/decode"
	"spiketop/flow"
)

func be16(v ...uint16) (b []byte) {
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return b
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// eth is a frame's Ethernet header and what follows, tags included.
func eth(words ...uint16) []byte {
	return join([]byte{0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1}, be16(words...))
}

func ip4(proto byte, options int, fragment uint16, payload []byte) []byte {
	h := join([]byte{0x45 + byte(options/4), 0}, be16(uint16(20+options+len(payload)), 1, fragment), []byte{64, proto, 0, 0}, []byte{192, 0, 2, 1}, []byte{192, 0, 2, 2})
	return join(h, make([]byte, options), payload)
}

func ip6(next byte, payload []byte) []byte {
	a := make([]byte, 32)
	a[0], a[15], a[16], a[31] = 0xfd, 1, 0xfd, 2
	return join([]byte{0x60, 0, 0, 0}, be16(uint16(len(payload))), []byte{next, 64}, a, payload)
}

func icmp(typ byte) []byte {
	return join([]byte{typ, 0, 0, 0}, be16(7, 1), []byte("0123456789abcdefghijklmnopqrstuvwxyz"))
}

var filterCases = []struct {
	name string
	data []byte
	want bool
}{
	{"request", join(eth(0x800), ip4(1, 0, 0, icmp(8))), true},
	{"reply", join(eth(0x800), ip4(1, 0, 0, icmp(0))), true},
	{"request 6", join(eth(0x86dd), ip6(58, icmp(128))), true},
	{"reply 6", join(eth(0x86dd), ip6(58, icmp(129))), true},
	{"options", join(eth(0x800), ip4(1, 40, 0, icmp(8))), true},
	{"do not fragment", join(eth(0x800), ip4(1, 0, 0x4000, icmp(8))), true},
	{"tag", join(eth(0x8100, 5, 0x800), ip4(1, 0, 0, icmp(8))), true},
	{"tag, 6", join(eth(0x8100, 5, 0x86dd), ip6(58, icmp(128))), true},
	{"QinQ", join(eth(0x88a8, 5, 0x8100, 6, 0x800), ip4(1, 4, 0, icmp(0))), true},
	{"QinQ of old switches, 6", join(eth(0x9100, 5, 0x8100, 6, 0x86dd), ip6(58, icmp(129))), true},
	{"hop-by-hop", join(eth(0x86dd), ip6(0, join([]byte{58, 1}, make([]byte, 14), icmp(128)))), true},
	{"tag, hop-by-hop", join(eth(0x8100, 5, 0x86dd), ip6(0, join([]byte{58, 0}, make([]byte, 6), icmp(129)))), true},

	{"unreachable", join(eth(0x800), ip4(1, 0, 0, icmp(3))), false},
	{"a request's number in options", join(eth(0x800), ip4(1, 4, 0, icmp(3))), false},
	{"neighbour solicitation", join(eth(0x86dd), ip6(58, icmp(135))), false},
	{"type 8 in ICMPv6", join(eth(0x86dd), ip6(58, icmp(8))), false},
	{"type 128 in ICMP", join(eth(0x800), ip4(1, 0, 0, icmp(128))), false},
	{"ICMP in IPv6", join(eth(0x86dd), ip6(1, icmp(8))), false},
	{"TCP", join(eth(0x800), ip4(6, 0, 0, icmp(8))), false},
	{"UDP in a tag", join(eth(0x8100, 5, 0x800), ip4(17, 0, 0, icmp(8))), false},
	{"TCP 6", join(eth(0x86dd), ip6(6, icmp(128))), false},
	{"hop-by-hop before TCP", join(eth(0x86dd), ip6(0, join([]byte{6, 0}, make([]byte, 6), icmp(128)))), false},
	{"later fragment", join(eth(0x800), ip4(1, 0, 185, icmp(8))), false},
	{"fragment 6", join(eth(0x86dd), ip6(44, join([]byte{58, 0, 0, 1, 0, 0, 0, 1}, icmp(128)))), false},
	{"three tags", join(eth(0x88a8, 5, 0x8100, 6, 0x8100, 7, 0x800), ip4(1, 0, 0, icmp(8))), false},
	{"ARP", eth(0x806, 1, 0x800, 0x604, 1, 0, 0, 0, 0, 0), false},
	{"VXLAN", join(eth(0x800), ip4(17, 0, 0, join(be16(4000, 4789, 0, 0), []byte{8, 0, 0, 0, 0, 0, 7, 0}, eth(0x800), ip4(1, 0, 0, icmp(8))))), false},
	{"cut before the type", join(eth(0x800), ip4(1, 0, 0, nil)), false},
	{"cut in the tag", eth(0x8100, 5), false},
	{"cut in Ethernet", eth(), false},
	{"nothing", nil, false},
}

func filterVM(t *testing.T) *bpf.VM {
	t.Helper()
	ins, err := link(echoSteps)
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpf.NewVM(ins)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

func TestFilter(t *testing.T) {
	vm := filterVM(t)
	for _, tt := range filterCases {
		t.Run(tt.name, func(t *testing.T) {
			n, err := vm.Run(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			want := 0
			if tt.want {
				want = SnapLen
			}
			if n != want {
				t.Errorf("keeps %d bytes, want %d", n, want)
			}
		})
	}
}

// What is kept of a frame holds all that an Echo tells of it.
func TestSnapLen(t *testing.T) {
	for _, tt := range filterCases {
		if !tt.want {
			continue
		}
		var rec flow.Record
		var e flow.Echo
		m := decode.Meta{Len: uint32(len(tt.data))}
		d := decode.New(decode.Config{Fragments: 4})
		if !d.Decode(tt.data[:min(len(tt.data), SnapLen)], &m, &rec, &e) || e.PayloadN != 24 || e.ID != 7 || e.Seq != 1 {
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
}

// FuzzFilter: what the filter accepts is an echo to the decoder too, or is one
// that the decoder may refuse for what the filter does not look at.
func FuzzFilter(f *testing.F) {
	for _, tt := range filterCases {
		f.Add(tt.data)
	}
	ins, err := link(echoSteps)
	if err != nil {
		f.Fatal(err)
	}
	vm, err := bpf.NewVM(ins)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := vm.Run(data)
		if err != nil || n != 0 && n != SnapLen {
			t.Fatalf("%d, %v", n, err)
		}
		var rec flow.Record
		var e flow.Echo
		m := decode.Meta{Len: uint32(len(data))}
		decode.New(decode.Config{Fragments: 4}).Decode(data, &m, &rec, &e)
		if icmp := rec.Key.Proto == flow.ProtoICMP || rec.Key.Proto == flow.ProtoICMPv6; n != 0 && rec.Key.Family != flow.FamilyMAC && !icmp {
			t.Errorf("lets protocol %d through", rec.Key.Proto)
		}
	})
}
