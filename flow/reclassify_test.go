package flow

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// anyWorld is a World with random rules, guests, addresses and sockets over the
// few hosts of anyRecord.
func anyWorld(t *testing.T, rnd *rand.Rand, generation uint64) *World {
	w := &World{Generation: generation, Links: []Link{{ID: 1, Name: "eth0"}}}
	for range rnd.IntN(4) {
		s := pick(rnd, []string{"9422", "6800-7568", "10.0.0.2", "10.0.0.0/30", "fd00::/16", "ceph-osd"})
		w.Rules = append(w.Rules, rule(t, Class(rnd.IntN(int(FirstUserClass))), s))
	}
	if rnd.IntN(3) == 0 {
		w.Rules = append(w.Rules, Rule{Class: Control, Why: "on eth0", NICs: []string{"eth0"}, VLANs: []uint16{7}})
	}
	for i := range rnd.IntN(4) {
		w.Guests = append(w.Guests, GuestNIC{Name: "vnet" + string(rune('0'+i)), MACs: [][6]byte{{0x52, 0x54, 0, 0, 0, byte(rnd.IntN(4))}}})
	}
	for i := range byte(rnd.IntN(4)) {
		w.Own = append(w.Own, netip.AddrFrom4([4]byte{10, 0, 0, i}))
	}
	if rnd.IntN(2) == 0 {
		w.Owners, w.Listeners = map[Socket]Owner{}, map[Socket]Owner{}
		for range 20 {
			r := anyRecord(rnd, 0)
			w.Owners[SocketOf(&r.Key)] = Owner{PID: rnd.IntN(9), Name: pick(rnd, []string{"ceph-osd", "sshd", "prometheus"}), Kernel: rnd.IntN(5) == 0}
		}
		w.Listeners[Socket{LocalPort: 9422, Proto: ProtoTCP}] = Owner{PID: 1, Name: "x"}
	}
	return w.Index()
}

func anyRecord(rnd *rand.Rand, at Time) Record {
	k := Key{Family: FamilyIPv4, Proto: pick(rnd, []uint8{ProtoTCP, ProtoTCP, ProtoUDP, 47}), VLAN: pick(rnd, []uint16{0, 0, 7})}
	SetIPv4(&k.Local, []byte{10, 0, 0, byte(rnd.IntN(6))})
	SetIPv4(&k.Remote, []byte{10, 0, 0, byte(rnd.IntN(6))})
	if k.HasPorts() {
		k.LocalPort, k.RemotePort = pick(rnd, testPorts), pick(rnd, testPorts)
	}
	// A flow that was driven out and comes back is the same guest's.
	r := Record{At: at, Key: k, Bytes: uint64(rnd.IntN(9000)), Packets: 1, Dir: Direction(rnd.IntN(2)), MAC: [6]byte{0x52, 0x54, 0, 0, 0, k.Local[15]}}
	if k.Proto != ProtoTCP {
		r.Inner = [6]byte{0x52, 0x54, 0, 0, 0, k.Remote[15]}
	}
	return r
}

// Whatever becomes known of the host while slots are counted, no byte is lost or
// counted twice: rows and Other make the total, every flow has the class that
// the newest World gives it, and the classes' sums are those of the flows and of
// what lies in Other.
func TestReclassifyLosesNothing(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		w := anyWorld(t, rnd, 1)
		table := func(w *World) TableClassify {
			f := w.ClassifyOn(1)
			return func(k *Key, mac, inner [6]byte) Class { c, _ := f(k, mac, inner); return c }
		}
		tb := NewTable(TableConfig{MaxFlows: 1 + rnd.IntN(200), SlotBudget: 1 + rnd.IntN(40_000), Classify: table(w), Seed: seed})
		l := NewLookback(20, w.ClassifyOn(1))
		tb.Begin(0)
		added := [2]Counters{}
		for n := range 20 { // as many as the shortest window holds
			for range 3 {
				batch := make([]Record, 1+rnd.IntN(150))
				for i := range batch {
					batch[i] = anyRecord(rnd, Time(n)*100*ms)
					added[batch[i].Dir].Add(Counters{batch[i].Bytes, 1})
				}
				tb.Add(batch)
				if rnd.IntN(4) == 0 {
					w = anyWorld(t, rnd, uint64(2+n))
					tb.SetClassify(table(w))
					l.Reclassify(w.ClassifyOn(1))
				}
			}
			s := tb.CloseSlot(slotAt(n))
			checkSums(t, s)
			l.Add(s)
			checkClasses(t, l, w, added)
			if t.Failed() {
				t.Fatalf("seed %d, slot %d", seed, n)
			}
		}
	}
}

// checkClasses holds the sums by class against the flows, for a look-back whose
// slots all lie in its shortest window.
func checkClasses(t *testing.T, l *Lookback, w *World, added [2]Counters) {
	sum := l.Sum(l.Oldest(), l.Newest(), nil)
	want := map[Class][2]uint64{}
	put := func(c Class, d Direction, n uint64) {
		if n > 0 {
			b := want[c]
			b[d] += n
			want[c] = b
		}
	}
	var total [2]Counters
	for i := range sum.Flows {
		f := &sum.Flows[i]
		c, why := w.ClassifyOn(1)(&f.Key, f.MAC, f.Inner)
		if f.Class != c || f.Why != why {
			t.Errorf("flow %s > %s is %v %q, the World says %v %q", f.Key.LocalEnd(), f.Key.RemoteEnd(), f.Class, f.Why, c, why)
		}
		for _, d := range Directions {
			put(c, d, f.Sum[d].Bytes)
			total[d].Add(f.Sum[d])
		}
	}
	for _, d := range Directions {
		for c, n := range sum.Other[d] {
			put(c, d, n.Bytes)
			total[d].Add(n)
		}
	}
	if total != sum.Total || total != added {
		t.Errorf("rows and Other are %v, Total is %v, added were %v", total, sum.Total, added)
	}
	rates := l.Rates()
	seconds := rates.Observed[0].Seconds()
	for _, c := range rates.Classes {
		for _, d := range Directions {
			if got := c.Rate[d] * seconds / 8; got < float64(want[c.Class][d])-0.5 || got > float64(want[c.Class][d])+0.5 {
				t.Errorf("class %v %v: %f bytes, want %d", c.Class, d, got, want[c.Class][d])
			}
		}
		delete(want, c.Class)
	}
	if len(want) > 0 {
		t.Errorf("classes without a rate: %v", want)
	}
}

// Who is inside of a tunnel may be seen later than the tunnel.
func TestInnerIsLearned(t *testing.T) {
	w := (&World{Guests: []GuestNIC{{Name: "vnet0", MACs: [][6]byte{guestMAC}}}}).Index()
	tb := NewTable(TableConfig{})
	l := NewLookback(10, w.ClassifyOn(1))
	tb.Begin(0)
	gre := Record{Key: ipKey(47, us4+":0", peer4+":0"), Bytes: 100, Packets: 1, MAC: nicMAC}
	for n, inner := range [][6]byte{{}, guestMAC, otherMAC, {}} {
		gre.At, gre.Inner = Time(n)*100*ms, inner
		tb.Add([]Record{gre})
		l.Add(tb.CloseSlot(slotAt(n)))
		rows, _ := l.Flows(9)
		want, cum := VIF, uint64(100*(n+1))
		if n == 0 {
			want = Unknown
		}
		if len(rows) != 1 || rows[0].Class != want || rows[0].Cum[0].Bytes != cum {
			t.Fatalf("slot %d: %+v, want one row of class %v with %d bytes", n, rows, want, cum)
		}
		if n > 0 && (rows[0].Inner != guestMAC || rows[0].MAC != nicMAC) {
			t.Errorf("slot %d: MAC %x, inside %x", n, rows[0].MAC, rows[0].Inner)
		}
	}
}
