package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// metaBits packs what the fuzzer may choose of a Meta besides its numbers.
const (
	fuzzTx = 1 << iota
	fuzzVLAN
	fuzzVnet
)

// FuzzDecode decodes any bytes with any Meta, once as a whole and once after
// being cut, and checks what must hold for every frame.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		var bits uint8
		if s.m.Dir == flow.Tx {
			bits |= fuzzTx
		}
		if s.m.HasVLAN {
			bits |= fuzzVLAN
		}
		if s.m.HasVnet {
			bits |= fuzzVnet
		}
		f.Add(s.data, s.m.Len, s.m.VLAN, s.m.GSOType, s.m.GSOSize, bits)
	}
	f.Fuzz(func(t *testing.T, data []byte, n uint32, vlan uint16, gsoType uint8, gsoSize uint16, bits uint8) {
		m := Meta{At: 5e9, Dir: flow.Rx, Len: n, VLAN: vlan, HasVLAN: bits&fuzzVLAN != 0,
			GSOType: gsoType, GSOSize: gsoSize, HasVnet: bits&fuzzVnet != 0}
		if bits&fuzzTx != 0 {
			m.Dir = flow.Tx
		}
		decodeTwice(t, data, &m)
		decodeTwice(t, data[:len(data)/2], &m)
	})
}

// decodeTwice checks the invariants of Decode and that its result depends on
// nothing but the frame.
func decodeTwice(t *testing.T, data []byte, m *Meta) {
	rec, rec2 := dirtyRecord(), flow.Record{}
	var echo, echo2 flow.Echo
	d, d2 := New(Config{Fragments: 4}), New(Config{Fragments: 8})
	has, has2 := d.Decode(data, m, &rec, &echo), d2.Decode(data, m, &rec2, &echo2)
	if rec != rec2 || has != has2 || echo != echo2 || d.Stats() != d2.Stats() {
		t.Errorf("the same frame twice (-first +second):\n%s", cmp.Diff(rec, rec2))
	}
	general, echoed := dirtyRecord(), flow.Echo{}
	if h := New(Config{Fragments: 4}).general(data, m, &general, &echoed); rec != general || has != h || echo != echoed {
		t.Errorf("fast path and general path (-general +fast):\n%s", cmp.Diff(general, rec))
	}
	checkRecord(t, data, m, &rec)
	checkStats(t, d.Stats())
	if has {
		checkEcho(t, &rec, &echo)
	} else if echo != (flow.Echo{}) {
		t.Errorf("echo touched: %+v", echo)
	}
}

func checkRecord(t *testing.T, data []byte, m *Meta, rec *flow.Record) {
	if rec.At != m.At || rec.Dir != m.Dir {
		t.Errorf("At %v, Dir %v, want %v, %v", rec.At, rec.Dir, m.At, m.Dir)
	}
	if want := max(m.Len, uint32(len(data))); rec.SKBBytes != want {
		t.Errorf("%d skb bytes, want %d", rec.SKBBytes, want)
	}
	checkWire(t, m, rec)
	if rec.Inner[0]&1 != 0 || rec.Inner != ([6]byte{}) && rec.Key.Proto != flow.ProtoUDP && rec.Key.Proto != protoGRE {
		t.Errorf("inner MAC %x of protocol %d", rec.Inner, rec.Key.Proto)
	}
	k := &rec.Key
	switch k.Family {
	case flow.FamilyMAC:
		if k.Proto != 0 || k.RemotePort != 0 || rec.TCPFlags != 0 {
			t.Errorf("MAC row with proto %d, port %d, flags %#x", k.Proto, k.RemotePort, rec.TCPFlags)
		}
	case flow.FamilyIPv4, flow.FamilyIPv6:
		if n := k.Neighbourhood(); n != 0 && n != flow.ICMPNeighbour && n != flow.ICMPListener {
			t.Errorf("neighbourhood %d", n)
		} else if !k.HasPorts() && (k.LocalPort != n || k.RemotePort != 0) {
			t.Errorf("ports on protocol %d", k.Proto)
		}
		if rec.TCPFlags != 0 && k.Proto != flow.ProtoTCP {
			t.Errorf("TCP flags on protocol %d", k.Proto)
		}
		if v4 := k.LocalAddr().Unmap().Is4() && k.RemoteAddr().Unmap().Is4(); k.Family == flow.FamilyIPv4 && !v4 {
			t.Errorf("not IPv4 addresses: %v %v", k.Local, k.Remote)
		}
	default:
		t.Errorf("family %d", k.Family)
	}
	if k.VLAN > 4095 {
		t.Errorf("VLAN %d", k.VLAN)
	}
}

// checkWire: no frame has fewer bytes on the wire than the kernel saw, but for
// the kernel's own jumbo header in an IPv6 super-frame.
func checkWire(t *testing.T, m *Meta, rec *flow.Record) {
	least := uint64(rec.SKBBytes)
	if m.HasVLAN {
		least += 4
	}
	switch {
	case rec.Packets == 0:
		t.Error("no packet")
	case rec.Packets == 1 && rec.Bytes != least:
		t.Errorf("one packet of %d bytes, want %d", rec.Bytes, least)
	case rec.Packets > 1 && rec.Bytes < least:
		t.Errorf("%d packets of %d bytes together, want at least %d", rec.Packets, rec.Bytes, least)
	case rec.Packets > 1 && (!m.HasVnet || m.GSOSize == 0):
		t.Errorf("%d packets without a gso_size", rec.Packets)
	}
}

func checkStats(t *testing.T, s Stats) {
	if s.Frames != 1 || s.Malformed+s.Truncated > 1 || s.Fragments > 1 || s.FragmentsUnknown > s.Fragments {
		t.Errorf("stats of one frame: %+v", s)
	}
}

func checkEcho(t *testing.T, rec *flow.Record, e *flow.Echo) {
	checkPayload(t, e)
	if e.Tunnel {
		if p := rec.Key.Proto; p != flow.ProtoUDP && p != protoGRE || e.At != rec.At || e.Dir != rec.Dir || e.VLAN > 4095 {
			t.Errorf("echo %+v inside of record %+v", e, rec)
		}
		return
	}
	src, dst := rec.Key.Local, rec.Key.Remote
	if rec.Dir == flow.Rx {
		src, dst = dst, src
	}
	if e.Src != src || e.Dst != dst || e.VLAN != rec.Key.VLAN || e.Family != rec.Key.Family || e.At != rec.At || e.Dir != rec.Dir {
		t.Errorf("echo %+v does not belong to record %+v", e, rec)
	}
	if rec.Key.Proto != flow.ProtoICMP && rec.Key.Proto != flow.ProtoICMPv6 {
		t.Errorf("echo of protocol %d", rec.Key.Proto)
	}
}

func checkPayload(t *testing.T, e *flow.Echo) {
	if int(e.PayloadN) > len(e.Payload) {
		t.Fatalf("%d payload bytes", e.PayloadN)
	}
	for i, c := range e.Payload[e.PayloadN:] {
		if c != 0 {
			t.Errorf("payload byte %d is %#x, want 0", int(e.PayloadN)+i, c)
		}
	}
}
