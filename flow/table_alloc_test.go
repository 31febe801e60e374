package flow

import "testing"

// records returns n records of as many flows, spread so that neighbours in time
// are not neighbours in memory.
func records(n int) []Record {
	rs := make([]Record, n)
	for i := range rs {
		rs[i] = testRecord(0, i*7919%n, Direction(i&1), 1514, 1)
	}
	return rs
}

func TestTableAddDoesNotAllocate(t *testing.T) {
	for _, tt := range []struct {
		name            string
		flows, maxFlows int
	}{
		{"known flows", 10_000, 20_000},
		{"a full table and newcomers all the time", 10_000, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tb := NewTable(TableConfig{MaxFlows: tt.maxFlows, Classify: func(*Key, [6]byte, [6]byte) Class { return VIF }})
			tb.Begin(0)
			rs := records(tt.flows)
			tb.Add(rs)
			tb.CloseSlot(slotAt(0))
			tb.Add(rs)
			if n := testing.AllocsPerRun(20, func() { tb.Add(rs) }); n != 0 {
				t.Errorf("Add allocates %v times, want 0", n)
			}
		})
	}
}

// A hash that ignores a part of the key would make flows collide at will.
func TestHashUsesWholeKey(t *testing.T) {
	s, other := newHashSecret(1), newHashSecret(2)
	base := testKey(1)
	h := s.hash(&base)
	if h == other.hash(&base) {
		t.Error("another seed gives the same hash")
	}
	change := map[string]func(*Key){
		"LocalPort":  func(k *Key) { k.LocalPort ^= 1 },
		"RemotePort": func(k *Key) { k.RemotePort ^= 0x8000 },
		"VLAN":       func(k *Key) { k.VLAN ^= 1 },
		"Proto":      func(k *Key) { k.Proto ^= 0x80 },
		"Family":     func(k *Key) { k.Family ^= 0x80 },
		"swapped":    func(k *Key) { k.Local, k.Remote = k.Remote, k.Local },
	}
	for name, f := range change {
		k := base
		if f(&k); s.hash(&k) == h {
			t.Errorf("%s does not matter to the hash", name)
		}
	}
	for i := range 16 {
		l, r := base, base
		l.Local[i] ^= 1
		r.Remote[i] ^= 1
		if s.hash(&l) == h || s.hash(&r) == h {
			t.Errorf("address byte %d does not matter to the hash", i)
		}
	}
}

// The segments of the index stay evenly filled for keys that differ as little
// as keys in practice do, and every flow is found again after it has grown.
func TestIndexGrows(t *testing.T) {
	const flows = 200_000
	tb := NewTable(TableConfig{Seed: 5})
	tb.Begin(0)
	tb.Add(records(flows))
	if tb.Len() != flows {
		t.Fatalf("Len = %d, want %d", tb.Len(), flows)
	}
	tb.Add(records(flows))
	if tb.Len() != flows {
		t.Fatalf("Len = %d after the same flows again, want %d", tb.Len(), flows)
	}
	// 200 000 / 768 = 260 segments at least, so 9 bits; 12 would be most uneven.
	if d := tb.index.depth; d < 9 || d > 11 {
		t.Errorf("directory depth %d, want 9 to 11", d)
	}
	words := 0
	distinct := map[*segmentMeta]bool{}
	for _, s := range tb.index.dir {
		if !distinct[s.meta] {
			distinct[s.meta] = true
			words += int(s.meta.n)
		}
	}
	if words != flows {
		t.Errorf("%d words in the index, want %d", words, flows)
	}
}

// After a slot with very many flows the table gives the memory of their
// accounts back, a chunk a slot, and goes on counting right.
func TestTableGivesAccountsBack(t *testing.T) {
	tb := NewTable(TableConfig{MaxFlows: 50_000, Classify: func(*Key, [6]byte, [6]byte) Class { return VIF }})
	tb.Begin(0)
	tb.Add(records(20_000))
	checkSums(t, tb.CloseSlot(slotAt(0)))
	if n := len(tb.touched.chunks); n != 20 { // 20 000 / 1024
		t.Fatalf("%d chunks for 20 000 flows, want 20", n)
	}
	rs := records(100)
	for n := 1; n < 30; n++ {
		tb.Add(rs)
		s := tb.CloseSlot(slotAt(n))
		checkSums(t, s)
		if len(s.Rows[Rx])+len(s.Rows[Tx]) != 100 {
			t.Fatalf("slot %d has %d rows, want 100", n, len(s.Rows[Rx])+len(s.Rows[Tx]))
		}
	}
	if n := len(tb.touched.chunks); n != 8 { // 4 * 1 + 4
		t.Errorf("%d chunks after 29 small slots, want 8", n)
	}
}
