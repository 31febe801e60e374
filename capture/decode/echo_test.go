package decode

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

var letters = []byte("abcdefghijklmnopqrstuvwxyz0123456789")

func echo4(reply bool, id, seq uint16, payload string) *flow.Echo {
	return echoOf(a4, b4, reply, id, seq, payload)
}

func echo6(reply bool, id, seq uint16, payload string) *flow.Echo {
	return echoOf(a6, b6, reply, id, seq, payload)
}

func echoOf(src, dst netip.Addr, reply bool, id, seq uint16, payload string) *flow.Echo {
	k := ends(src, dst, 0, 0, 0)
	e := &flow.Echo{At: 1e9, Dir: flow.Tx, Reply: reply, Family: k.Family, Src: k.Local, Dst: k.Remote, ID: id, Seq: seq}
	e.PayloadN = uint8(copy(e.Payload[:], payload))
	return e
}

var echoCases = []struct {
	name string
	data []byte
	edit func(m *Meta)
	want *flow.Echo // as Tx; nil = no echo
}{
	{name: "request", data: eth(typeIPv4, ip4(1, icmp(8, 0, 0x1234, 7, letters))), want: echo4(false, 0x1234, 7, "abcdefghijklmnopqrstuvwx")},
	{name: "reply", data: eth(typeIPv4, ip4(1, icmp(0, 0, 0x1234, 65535, letters))), want: echo4(true, 0x1234, 65535, "abcdefghijklmnopqrstuvwx")},
	{name: "request 6", data: eth(typeIPv6, ip6(58, icmp(128, 0, 1, 2, letters))), want: echo6(false, 1, 2, "abcdefghijklmnopqrstuvwx")},
	{name: "reply 6", data: eth(typeIPv6, ip6(58, icmp(129, 0, 1, 2, letters))), want: echo6(true, 1, 2, "abcdefghijklmnopqrstuvwx")},
	{name: "request 6 behind an extension header", data: eth(typeIPv6, ip6(60, ext(58, 1, icmp(128, 0, 1, 2, letters[:3])))), want: echo6(false, 1, 2, "abc")},
	{name: "request behind IP options", data: eth(typeIPv4, ip4Options(8, 1, icmp(8, 0, 1, 2, letters[:3]))), want: echo4(false, 1, 2, "abc")},
	{name: "no payload, padded", data: eth(typeIPv4, ip4(1, icmp(8, 0, 1, 2, nil)), letters[:18]), want: echo4(false, 1, 2, "")},
	{name: "short payload, padded", data: eth(typeIPv4, ip4(1, icmp(8, 0, 1, 2, letters[:5])), letters[:13]), want: echo4(false, 1, 2, "abcde")},
	{name: "payload cut by the snaplen", data: eth(typeIPv4, ip4(1, icmp(8, 0, 1, 2, letters))[:38]), edit: length(78), want: echo4(false, 1, 2, "abcdefghij")},
	{name: "on a stripped tag", data: eth(typeIPv4, ip4(1, icmp(8, 0, 1, 2, nil))), edit: stripped(0x6005),
		want: func() *flow.Echo { e := echo4(false, 1, 2, ""); e.VLAN = 5; return e }()},
	{name: "atomic fragment", data: eth(typeIPv6, ip6(44, fragment6(58, 1, 0, false, icmp(128, 0, 1, 2, nil)))), want: echo6(false, 1, 2, "")},

	{name: "code 1", data: eth(typeIPv4, ip4(1, icmp(8, 1, 1, 2, letters)))},
	{name: "type 3", data: eth(typeIPv4, ip4(1, icmp(3, 0, 1, 2, letters)))},
	{name: "type 128 in ip4", data: eth(typeIPv4, ip4(1, icmp(128, 0, 1, 2, letters)))},
	{name: "type 8 in ip6", data: eth(typeIPv6, ip6(58, icmp(8, 0, 1, 2, letters)))},
	{name: "icmp in ip6", data: eth(typeIPv6, ip6(1, icmp(8, 0, 1, 2, letters)))},
	{name: "header cut", data: eth(typeIPv4, ip4(1, icmp(8, 0, 1, 2, nil))[:27])},
	{name: "header cut, padded", data: eth(typeIPv4, ip4(1, icmp(8, 0, 1, 2, nil)[:7]), zeros(20))},
	{name: "first fragment", data: eth(typeIPv4, ip4(1, icmp(8, 0, 1, 2, letters), fragment4(1, 0, true)))},
	{name: "later fragment", data: eth(typeIPv4, ip4(1, icmp(8, 0, 1, 2, letters), fragment4(1, 1480, false)))},
	{name: "first fragment 6", data: eth(typeIPv6, ip6(44, fragment6(58, 1, 0, true, icmp(128, 0, 1, 2, letters))))},
	{name: "later fragment 6", data: eth(typeIPv6, ip6(44, fragment6(58, 1, 1448, false, icmp(128, 0, 1, 2, letters))))},
	// Regression: the copy of a request inside an error is no echo.
	{name: "quoted in an error", data: eth(typeIPv4, ip4(1, icmp(11, 0, 0, 0, ip4(1, icmp(8, 0, 1, 2, nil)))))},
}

func TestEcho(t *testing.T) {
	for _, tt := range echoCases {
		t.Run(tt.name, func(t *testing.T) {
			m := txMeta(tt.data)
			if tt.edit != nil {
				tt.edit(&m)
			}
			for _, dir := range flow.Directions {
				m.Dir = dir
				var rec flow.Record
				dirt := flow.Echo{At: 9, Link: 9, Offset: 9, ID: 9, Payload: [24]byte(letters), PayloadN: 9}
				got := dirt
				want := &dirt
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
			}
		})
	}
}
