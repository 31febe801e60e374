package decode

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// sll builds a Linux cooked header of a packet from a.
func sll(kind, protocol uint16) []byte {
	return join(be16(kind, 1, 6), macA, []byte{0, 0}, be16(protocol))
}

// sll2 builds version 2 of it, captured on interface 7.
func sll2(kind uint8, protocol uint16) []byte {
	return join(be16(protocol, 0, 0, 7, 1), []byte{kind, 6}, macA, []byte{0, 0})
}

// linkCase is a link header that stands before what an Ethernet frame carries.
type linkCase struct {
	name   string
	link   uint16
	header func(ethertype uint16, dir flow.Direction) []byte
	only   uint16 // ethertype it can carry, 0 = any
	ip     bool   // can carry nothing but IP
	mac    bool   // has the sender's MAC
}

func cookedKind(dir flow.Direction) uint16 {
	if dir == flow.Tx {
		return packetOutgoing
	}
	return 3
}

func fixed(b ...byte) func(uint16, flow.Direction) []byte {
	return func(uint16, flow.Direction) []byte { return b }
}

var linkCases = []linkCase{
	{name: "raw", link: 101, header: fixed(), ip: true},
	{name: "raw 12", link: 12, header: fixed(), ip: true},
	{name: "raw 14", link: 14, header: fixed(), ip: true},
	{name: "ipv4", link: 228, header: fixed(), only: typeIPv4},
	{name: "ipv6", link: 229, header: fixed(), only: typeIPv6},
	{name: "null little", link: 0, header: fixed(2, 0, 0, 0), only: typeIPv4},
	{name: "null big", link: 0, header: fixed(0, 0, 0, 2), only: typeIPv4},
	{name: "loop", link: 108, header: fixed(0, 0, 0, 2), only: typeIPv4},
	{name: "null Linux", link: 0, header: fixed(10, 0, 0, 0), only: typeIPv6},
	{name: "loop OpenBSD", link: 108, header: fixed(0, 0, 0, 24), only: typeIPv6},
	{name: "null FreeBSD", link: 0, header: fixed(28, 0, 0, 0), only: typeIPv6},
	{name: "null macOS", link: 0, header: fixed(30, 0, 0, 0), only: typeIPv6},
	{name: "null macOS big", link: 0, header: fixed(0, 0, 0, 30), only: typeIPv6},
	{name: "sll", link: 113, mac: true, header: func(e uint16, dir flow.Direction) []byte { return sll(cookedKind(dir), e) }},
	{name: "sll2", link: 276, mac: true, header: func(e uint16, dir flow.Direction) []byte { return sll2(uint8(cookedKind(dir)), e) }},
}

// A packet means the same whatever link header it has.
func TestDecodeLinkAsEthernet(t *testing.T) {
	compared := 0
	for _, lc := range linkCases {
		t.Run(lc.name, func(t *testing.T) {
			for _, s := range seeds() {
				if len(s.data) < ethLen || s.m.HasVnet || s.m.Len > maxLen {
					continue
				}
				ethertype := binary.BigEndian.Uint16(s.data[12:])
				isIP := len(s.data) > ethLen && (ethertype == typeIPv4 && s.data[ethLen]>>4 == 4 || ethertype == typeIPv6 && s.data[ethLen]>>4 == 6)
				if ethertype < minEthertype || lc.only != 0 && ethertype != lc.only || lc.ip && !isIP {
					continue
				}
				for _, dir := range []flow.Direction{flow.Rx, flow.Tx} {
					s.m.Dir = dir
					compareLink(t, lc, s, ethertype)
					compared++
				}
			}
		})
	}
	if compared < 500 {
		t.Errorf("only %d frames were compared", compared)
	}
}

func compareLink(t *testing.T, lc linkCase, s seed, ethertype uint16) {
	t.Helper()
	var want, got flow.Record
	var wantEcho, gotEcho flow.Echo
	e, d := New(Config{}), New(Config{})
	wantHas := e.Decode(s.data, &s.m, &want, &wantEcho)

	header := lc.header(ethertype, s.m.Dir)
	m := s.m
	m.Len = max(m.Len, uint32(len(s.data))) - ethLen + uint32(len(header))
	if lc.mac {
		m.Dir = 1 - m.Dir // the header knows better
	}
	got = dirtyRecord()
	gotHas := d.DecodeLink(lc.link, join(header, s.data[ethLen:]), &m, &got, &gotEcho)

	want.Bytes += uint64(len(header)) - ethLen
	want.SKBBytes += uint32(len(header)) - ethLen
	want.MAC = [6]byte{}
	if lc.mac && s.m.Dir == flow.Tx {
		want.MAC = [6]byte(macA)
	}
	if want.Key.Family == flow.FamilyMAC {
		// Here the recipient is not known.
		remote, other := &want.Key.Local, &want.Key.Remote
		if s.m.Dir == flow.Tx {
			remote, other = other, remote
		}
		*remote = [16]byte{}
		if !lc.mac {
			*other = [16]byte{}
		} else {
			flow.SetMAC(other, macA)
		}
	}
	if d := cmp.Diff(want, got); d != "" || wantHas != gotHas || wantEcho != gotEcho {
		t.Errorf("%s, dir %v: echo %v, want %v (-Ethernet +%s):\n%s%s", s.name, s.m.Dir, gotHas, wantHas, lc.name, d, cmp.Diff(wantEcho, gotEcho))
	}
	if e.Stats() != d.Stats() {
		t.Errorf("%s: stats (-Ethernet +%s):\n%s", s.name, lc.name, cmp.Diff(e.Stats(), d.Stats()))
	}
}

// What only these headers have.
func TestDecodeLinkOdd(t *testing.T) {
	packet := ip4(17, udp(7, 9, zeros(20)))
	type row struct {
		ethertype uint16 // of a row that is no IP
		vlan      uint16
		remote    uint16 // port
		dir       flow.Direction
	}
	tests := []struct {
		name string
		link uint16
		data []byte
		want row
	}{
		{"sll2 with a tag", 276, join(sll2(4, typeDot1Q), tag(5, typeIPv4), packet), row{0, 5, 9, flow.Tx}},
		{"sll2 with two tags", 276, join(sll2(4, typeQinQ), tag(5, typeDot1Q), tag(6, typeIPv4), packet), row{0, 5, 9, flow.Tx}},
		{"sll with a tag", 113, join(sll(4, typeDot1Q), tag(5, typeIPv4), packet), row{0, 5, 9, flow.Tx}},
		{"sll with SNAP", 113, join(sll(4, 4), []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, packet), row{0, 0, 9, flow.Tx}},
		{"sll with LLC", 113, join(sll(4, 4), []byte{0x42, 0x42, 3}, zeros(40)), row{0, 0, 0, flow.Tx}},
		{"sll with 802.3", 113, join(sll(4, 1), zeros(40)), row{0, 0, 0, flow.Tx}},
		{"sll broadcast", 113, join(sll(1, typeIPv4), packet), row{0, 0, 7, flow.Rx}},
		{"sll without direction", 113, join(sll(6, typeIPv4), packet), row{0, 0, 9, flow.Tx}}, // Meta's
		{"sll ARP", 113, join(sll(0, 0x0806), zeros(28)), row{0x0806, 0, 0, flow.Rx}},
		{"sll cut", 113, sll(0, typeIPv4)[:15], row{0, 0, 0, flow.Tx}},
		{"sll2 cut", 276, sll2(0, typeIPv4)[:19], row{0, 0, 0, flow.Tx}},
		{"null cut", 0, []byte{2, 0, 0}, row{0, 0, 0, flow.Tx}},
		{"null of another family", 0, join([]byte{0, 0, 0, 7}, packet), row{0, 0, 0, flow.Tx}},
		{"raw of another version", 101, join([]byte{0x55}, packet[1:]), row{0, 0, 0, flow.Tx}},
		{"raw, nothing", 101, nil, row{0, 0, 0, flow.Tx}},
		{"ipv6 with an IPv4 packet", 229, packet, row{typeIPv6, 0, 0, flow.Tx}},
		{"unknown", 105, packet, row{0, 0, 0, flow.Tx}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := dirtyRecord()
			New(Config{}).DecodeLink(tt.link, tt.data, &Meta{Dir: flow.Tx, Len: uint32(len(tt.data))}, &rec, &flow.Echo{})
			got := row{vlan: rec.Key.VLAN, remote: rec.Key.RemotePort, dir: rec.Dir}
			if rec.Key.Family == flow.FamilyMAC {
				got.ethertype = rec.Key.LocalPort
			}
			if got != tt.want || rec.Bytes != uint64(len(tt.data)) || rec.Packets != 1 {
				t.Errorf("%+v, %d bytes; want %+v, %d bytes", got, rec.Bytes, tt.want, len(tt.data))
			}
		})
	}
}

func TestCookedInterface(t *testing.T) {
	if got := CookedInterface(276, sll2(0, typeIPv4)); got != 7 {
		t.Errorf("interface %d, want 7", got)
	}
	if got := CookedInterface(113, sll(0, typeIPv4)); got != 0 {
		t.Errorf("SLL has interface %d", got)
	}
	if got := CookedInterface(276, nil); got != 0 {
		t.Errorf("nothing has interface %d", got)
	}
}

// FuzzDecodeLink: any bytes are safe, and raw IP means what it means in Ethernet.
func FuzzDecodeLink(f *testing.F) {
	for _, lc := range linkCases {
		for _, s := range seeds() {
			if len(s.data) >= ethLen {
				f.Add(lc.link, join(lc.header(binary.BigEndian.Uint16(s.data[12:]), s.m.Dir), s.data[ethLen:]), s.m.Len, s.m.Dir == flow.Tx, s.m.HasVLAN)
			}
		}
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte, n uint32, tx, vlan bool) {
		m := Meta{At: 5e9, Dir: flow.Rx, Len: n, VLAN: 77, HasVLAN: vlan}
		if tx {
			m.Dir = flow.Tx
		}
		rec := dirtyRecord()
		var echo flow.Echo
		has := New(Config{Fragments: 4}).DecodeLink(link, data, &m, &rec, &echo)
		if rec.SKBBytes != max(n, uint32(len(data))) || rec.Packets != 1 {
			t.Errorf("%d skb bytes, %d packets", rec.SKBBytes, rec.Packets)
		}
		if link == linkIPv4 && n < maxLen {
			asEthernet(t, data, m, &rec, has, &echo)
		}
	})
}

// asEthernet compares the result of a raw IPv4 packet with that in Ethernet.
func asEthernet(t *testing.T, data []byte, m Meta, rec *flow.Record, has bool, echo *flow.Echo) {
	t.Helper()
	m.Len = max(m.Len, uint32(len(data))) + ethLen
	want := dirtyRecord()
	var wantEcho flow.Echo
	wantHas := New(Config{Fragments: 4}).Decode(join(zeros(12), be16(typeIPv4), data), &m, &want, &wantEcho)
	want.Bytes -= ethLen
	want.SKBBytes -= ethLen
	if want != *rec || has != wantHas || *echo != wantEcho {
		t.Errorf("(-Ethernet +raw):\n%s", cmp.Diff(want, *rec))
	}
}

// DecodeLink never allocates.
func TestDecodeLinkAllocs(t *testing.T) {
	d := New(Config{})
	var rec flow.Record
	var echo flow.Echo
	for _, lc := range linkCases {
		data := join(lc.header(typeIPv4, flow.Tx), ip4(6, tcp(1, 2, syn, nil)))
		m := Meta{Dir: flow.Rx, Len: uint32(len(data))} // the cooked headers turn it
		if n := testing.AllocsPerRun(100, func() { d.DecodeLink(lc.link, data, &m, &rec, &echo) }); n != 0 {
			t.Errorf("%s: %v allocations", lc.name, n)
		}
	}
}

func BenchmarkDecodeLink(b *testing.B) {
	packet := benchFrames[0].data[ethLen:]
	for _, lc := range linkCases {
		if lc.only == typeIPv6 {
			continue
		}
		data := join(lc.header(typeIPv4, flow.Tx), packet)
		b.Run(lc.name, func(b *testing.B) {
			d := New(Config{})
			m := Meta{Dir: flow.Tx, Len: 1500}
			var rec flow.Record
			var echo flow.Echo
			b.ReportAllocs()
			for b.Loop() {
				d.DecodeLink(lc.link, data, &m, &rec, &echo)
			}
		})
	}
}
