package decode

import (
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// step is one frame of a sequence and what becomes of it.
type step struct {
	data []byte
	at   time.Duration
	rx   bool
	vlan uint16 // stripped tag, 0 = none
	key  flow.Key
}

// part4 is a fragment of a packet from a to b.
func part4(proto uint8, id uint16, offset int, more bool, payload []byte) []byte {
	return eth(typeIPv4, ip4(proto, payload, fragment4(id, offset, more)))
}

func part6(next uint8, id uint32, offset int, more bool, payload []byte) []byte {
	return eth(typeIPv6, ip6(44, fragment6(next, id, offset, more, payload)))
}

func TestFragments(t *testing.T) {
	head, tail := udp(1000, 2000, zeros(1472)), zeros(500)
	for _, tt := range []struct {
		name  string
		steps []step
		stats Stats // Frames left out
	}{
		{
			name: "ip4 in order",
			steps: []step{
				{data: part4(17, 7, 0, true, head), key: key4(17, 1000, 2000)},
				{data: part4(17, 7, 1480, true, zeros(1480)), key: key4(17, 1000, 2000)},
				{data: part4(17, 7, 2960, false, tail), key: key4(17, 1000, 2000)},
			},
			stats: Stats{Fragments: 3},
		}, {
			name: "ip6 in order",
			steps: []step{
				{data: part6(17, 1<<20, 0, true, head), key: key6(17, 1000, 2000)},
				{data: part6(17, 1<<20, 1480, false, tail), key: key6(17, 1000, 2000)},
				{data: part6(17, 1<<21, 1480, false, tail), key: key6(17, 0, 0)},
			},
			stats: Stats{Fragments: 3, FragmentsUnknown: 1},
		}, {
			name: "ip6, protocol behind destination options",
			steps: []step{
				{data: part6(60, 5, 0, true, ext(6, 1, tcp(1, 2, syn, zeros(1000)))), key: key6(6, 1, 2)},
				{data: part6(60, 5, 1028, false, tail), key: key6(6, 1, 2)},
				// RFC 8200 4.5: only the first one's next header counts
				{data: part6(17, 5, 1028, false, tail), key: key6(6, 1, 2)},
			},
			stats: Stats{Fragments: 3},
		}, {
			name: "ip4, ports behind AH",
			steps: []step{
				{data: part4(51, 5, 0, true, ah(6, 6, tcp(1, 2, syn, zeros(996)))), key: key4(6, 1, 2)},
				{data: part4(51, 5, 1040, false, tail), key: key4(6, 1, 2)},
			},
			stats: Stats{Fragments: 2},
		}, {
			// the inner header's word says "not the first"; the outer one counts
			name:  "ip6, a fragment header inside a fragment",
			steps: []step{{data: part6(44, 5, 0, true, fragment6(17, 6, 1480, true, udp(1, 2, zeros(100)))), key: key6(17, 1, 2)}},
			stats: Stats{Fragments: 1},
		}, {
			name:  "later without a first",
			steps: []step{{data: part4(17, 7, 1480, false, tail), key: key4(17, 0, 0)}},
			stats: Stats{Fragments: 1, FragmentsUnknown: 1},
		}, {
			name: "a protocol without ports needs no first",
			steps: []step{
				{data: part4(1, 7, 1480, false, tail), key: key4(1, 0, 0)},
				{data: part6(58, 7, 1480, false, tail), key: key6(58, 0, 0)},
			},
			stats: Stats{Fragments: 2},
		}, {
			name: "id, protocol, vlan and direction tell packets apart",
			steps: []step{
				{data: part4(17, 7, 0, true, head), vlan: 5, key: onVLAN(5, key4(17, 1000, 2000))},
				{data: part4(17, 8, 1480, false, tail), vlan: 5, key: onVLAN(5, key4(17, 0, 0))},
				{data: part4(6, 7, 1480, false, tail), vlan: 5, key: onVLAN(5, key4(6, 0, 0))},
				{data: part4(17, 7, 1480, false, tail), vlan: 6, key: onVLAN(6, key4(17, 0, 0))},
				{data: part4(17, 7, 1480, false, tail), key: key4(17, 0, 0)},
				{data: part4(17, 7, 1480, false, tail), vlan: 5, rx: true, key: onVLAN(5, swapped(key4(17, 0, 0)))},
				{data: part4(17, 7, 1480, false, tail), vlan: 5, key: onVLAN(5, key4(17, 1000, 2000))},
			},
			stats: Stats{Fragments: 7, FragmentsUnknown: 5},
		}, {
			// Regression: a's packet 7 on Tx and b's answer 7 on Rx have the same
			// ends; the first of one is not the first of the other.
			name: "both ends use the same id",
			steps: []step{
				{data: part4(17, 7, 0, true, head), key: key4(17, 1000, 2000)},
				{data: answer(part4(17, 7, 1480, false, tail)), rx: true, key: key4(17, 0, 0)},
				{data: answer(part4(17, 7, 0, true, udp(2000, 1001, zeros(100)))), rx: true, key: key4(17, 1001, 2000)},
				{data: part4(17, 7, 1480, false, tail), key: key4(17, 1000, 2000)},
				{data: answer(part4(17, 7, 108, false, tail)), rx: true, key: key4(17, 1001, 2000)},
			},
			stats: Stats{Fragments: 5, FragmentsUnknown: 1},
		}, {
			name: "30 s",
			steps: []step{
				{data: part4(17, 7, 0, true, head), key: key4(17, 1000, 2000)},
				{data: part4(17, 7, 1480, false, tail), at: 30*time.Second - 1, key: key4(17, 1000, 2000)},
				{data: part4(17, 7, 1480, false, tail), at: 30 * time.Second, key: key4(17, 0, 0)},
				{data: part4(17, 7, 1480, false, tail), at: -time.Second, key: key4(17, 1000, 2000)},
				{data: part4(17, 7, 1480, false, tail), at: -30 * time.Second, key: key4(17, 0, 0)},
			},
			stats: Stats{Fragments: 5, FragmentsUnknown: 2},
		}, {
			name: "a new first replaces the old",
			steps: []step{
				{data: part4(17, 7, 0, true, head), key: key4(17, 1000, 2000)},
				{data: part4(17, 7, 0, true, udp(3, 4, zeros(100))), key: key4(17, 3, 4)},
				{data: part4(17, 7, 1480, false, tail), key: key4(17, 3, 4)},
			},
			stats: Stats{Fragments: 3},
		}, {
			name: "a first without its ports is no help",
			steps: []step{
				{data: part4(6, 7, 0, true, head)[:14+20+3], key: key4(6, 0, 0)},
				{data: part4(6, 7, 1480, false, tail), key: key4(6, 0, 0)},
			},
			stats: Stats{Fragments: 2, FragmentsUnknown: 1, Malformed: 1},
		}, {
			name: "later fragment of no byte",
			steps: []step{
				{data: part4(17, 7, 0, true, head), key: key4(17, 1000, 2000)},
				{data: part4(17, 7, 1480, false, nil), key: key4(17, 1000, 2000)},
			},
			stats: Stats{Fragments: 2},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := New(Config{})
			for i, s := range tt.steps {
				if got := d.run(s); got != s.key {
					t.Errorf("step %d (-want +got):\n%s", i, cmp.Diff(s.key, got))
				}
			}
			tt.stats.Frames = uint64(len(tt.steps))
			if diff := cmp.Diff(tt.stats, d.Stats()); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
		})
	}
}

func (d *Decoder) run(s step) flow.Key {
	m := Meta{At: flow.Time(time.Hour + s.at), Dir: flow.Tx, Len: uint32(len(s.data)), VLAN: s.vlan, HasVLAN: s.vlan != 0}
	if s.rx {
		m.Dir = flow.Rx
	}
	var rec flow.Record
	d.Decode(s.data, &m, &rec, new(flow.Echo))
	return rec.Key
}

// answer swaps the addresses of an IPv4 frame: from b to a.
func answer(data []byte) []byte {
	data = append([]byte(nil), data...)
	copy(data, join(macA, macB))
	copy(data[26:], join(b4.AsSlice(), a4.AsSlice()))
	return data
}

// A flood of first fragments costs the oldest ones their place and nothing else.
func TestFragmentFlood(t *testing.T) {
	const entries = 64
	d := New(Config{Fragments: entries})
	if got := len(d.frags.sets) * ways; got != entries {
		t.Fatalf("table has %d entries, want %d", got, entries)
	}
	for id := range 1000 {
		d.run(step{data: part4(17, uint16(id), 0, true, udp(uint16(id), 9, zeros(100))), at: time.Duration(id)})
	}
	kept := 0
	for id := range 1000 {
		got := d.run(step{data: part4(17, uint16(id), 1480, false, zeros(9)), at: 1000})
		switch got {
		case key4(17, uint16(id), 9):
			kept++
		case key4(17, 0, 0):
		default:
			t.Fatalf("packet %d has the flow of another: %+v", id, got)
		}
	}
	s := d.Stats()
	if kept != entries || s.FragmentsEvicted != 1000-entries || s.FragmentsUnknown != 1000-entries {
		t.Errorf("kept %d, evicted %d, unknown %d, want %d, %d, %d",
			kept, s.FragmentsEvicted, s.FragmentsUnknown, entries, 1000-entries, 1000-entries)
	}
	// The newest of each set of four has survived; the very newest one surely.
	if got := d.run(step{data: part4(17, 999, 1480, false, nil), at: 1000}); got != key4(17, 999, 9) {
		t.Errorf("the newest packet was forgotten: %+v", got)
	}
	// After the timeout a newcomer evicts nobody.
	d.run(step{data: part4(17, 5000, 0, true, udp(1, 2, zeros(100))), at: time.Minute})
	if got := d.Stats().FragmentsEvicted; got != s.FragmentsEvicted {
		t.Errorf("an expired entry counts as evicted: %d, want %d", got, s.FragmentsEvicted)
	}
}

// In a full set the oldest makes room, wherever it stands.
func TestFragmentOldest(t *testing.T) {
	first := func(id uint16, at time.Duration) step {
		return step{data: part4(17, id, 0, true, udp(id, 9, zeros(100))), at: at}
	}
	for oldest := range 4 {
		d := New(Config{Fragments: 4}) // one set
		for id := range 4 {
			at := time.Duration(10 + id)
			if id == oldest {
				at = 1
			}
			d.run(first(uint16(id), at))
		}
		d.run(first(4, 20))
		for id := range 5 {
			want := key4(17, uint16(id), 9)
			if id == oldest {
				want = key4(17, 0, 0)
			}
			if got := d.run(step{data: part4(17, uint16(id), 1480, false, nil), at: 21}); got != want {
				t.Errorf("oldest %d: packet %d has ports %d, %d", oldest, id, got.LocalPort, got.RemotePort)
			}
		}
	}
}

// Fragmented pings take no place in the table: IPv4 knows all of their key.
func TestFragmentPings(t *testing.T) {
	d := New(Config{Fragments: 4})
	d.run(step{data: part4(17, 1, 0, true, udp(5, 6, zeros(100)))})
	for id := range 10 {
		d.run(step{data: part4(1, uint16(id), 0, true, icmp(8, 0, 1, 1, zeros(100)))})
	}
	if got := d.run(step{data: part4(17, 1, 1480, false, nil)}); got != key4(17, 5, 6) {
		t.Errorf("pings displaced a datagram: %+v", got)
	}
}

// Ids are counters, addresses neighbours: they must spread over the sets.
func TestFragmentSpread(t *testing.T) {
	d := New(Config{})
	const n = 2048 // half of the table
	for id := range n {
		d.run(step{data: part4(17, uint16(id), 0, true, udp(1, 2, zeros(100)))})
	}
	// 2 in a set on average, Poisson: E[max(X-4, 0)] = 1 * 0.0361 + 2 * 0.0120 +
	// 3 * 0.0034 + 4 * 0.0009 + 5 * 0.0002 = 0.075 of 1024 sets: about 77.
	if got := d.Stats().FragmentsEvicted; got > 110 {
		t.Errorf("%d of %d packets in a half-filled table lost their place, want about 77", got, n)
	}
}

func TestConfig(t *testing.T) {
	if got := unsafe.Sizeof(firstFragment{}); got != 56 {
		t.Errorf("a remembered fragment takes %d bytes, Config says 56", got)
	}
	for _, tt := range []struct{ in, want int }{
		{0, 4096}, {-1, 4096}, {1, 4}, {4, 4}, {5, 8}, {4096, 4096}, {4097, 8192}, {1 << 30, 65536},
	} {
		if got := len(New(Config{Fragments: tt.in}).frags.sets) * ways; got != tt.want {
			t.Errorf("Fragments %d: table of %d, want %d", tt.in, got, tt.want)
		}
	}
}
