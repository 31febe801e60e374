package hops

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"spiketop/flow"
)

// TestOfflineLateAndEarly: a capture that began late or ended early is no
// witness of losses, one that shows nothing more because nothing came is.
func TestOfflineLateAndEarly(t *testing.T) {
	second := func(n int) flow.Time { return begins.Add(time.Duration(n) * time.Second) }
	// Echoes 0..59, one a second; all between 50 and 59 are lost behind point 1,
	// and those of 20 and 25 behind point 2, the last.
	w := newWay(9, 3)
	for i := range 60 {
		x := trip{at: second(i), id: 1, seq: uint16(i), out: w.usual(), back: w.usual()}
		switch {
		case i >= 50:
			x.lostOut = 2
		case i == 5 || i == 20 || i == 25:
			x.lostOut = 3
		}
		w.send(x)
	}
	after := func(m *Matched, i int) (int, Way) {
		a, way, lost := m.Echoes[i].Loss()
		if !lost {
			a = -1
		}
		return a, way
	}
	t.Run("all the time", func(t *testing.T) {
		m := w.matched(nil)
		if a, way := after(m, 55); a != 1 || way != WayOut {
			t.Errorf("lost after %d, %d; want 1, out: point 2 shows nothing after 49, but nothing came", a, way)
		}
		if a, way := after(m, 20); a != 2 || way != WayUnknown {
			t.Errorf("lost after %d, %d; want 2", a, way)
		}
		if !m.Echoes[59].Open || m.Echoes[58].Open {
			t.Error("only the last echo was not watched for long enough")
		}
	})
	t.Run("late", func(t *testing.T) {
		m := w.matched(func(s *Sight) bool { return s.Point < 2 || s.At > second(10) })
		if a, way := after(m, 5); a != 1 || way != WayUnknown || !m.Echoes[5].Hops[2].Blind {
			t.Errorf("lost after %d, %d, %+v; want 1, unknown: point 2 did not capture yet", a, way, m.Echoes[5].Hops[2])
		}
	})
	t.Run("early", func(t *testing.T) {
		m := w.matched(func(s *Sight) bool { return s.Point < 2 || s.At < second(15) })
		if a, way := after(m, 25); a != 1 || way != WayUnknown || !m.Echoes[25].Hops[2].Blind {
			t.Errorf("lost after %d, %d, %+v; want 1, unknown: answered echoes passed point 2 unseen", a, way, m.Echoes[25].Hops[2])
		}
	})
	t.Run("never there", func(t *testing.T) {
		m := w.matched(func(s *Sight) bool { return s.Point < 2 })
		if a, way := after(m, 55); a != 1 || way != WayUnknown || m.Points[2].Linked {
			t.Errorf("lost after %d, %d; want 1, unknown", a, way)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		o := NewOffline(3)
		for p := range w.seen {
			for i := range w.seen[p] {
				if p < 2 || w.seen[p][i].At < second(52) {
					o.Add(&w.seen[p][i])
				}
			}
		}
		o.Cut(2)
		m := o.Match()
		if a, way := after(m, 55); a != 1 || way != WayUnknown {
			t.Errorf("lost after %d, %d; want 1, unknown: the file of point 2 is damaged there", a, way)
		}
	})
}

// TestOfflineLimit: what is beyond the limit is refused and counted, and its
// point is no witness from there on.
func TestOfflineLimit(t *testing.T) {
	w := newWay(2, 2)
	w.steadyTrips(50)
	o := NewOffline(2)
	o.limit = 40
	taken := 0
	for _, s := range slices.Concat(w.seen[0], w.seen[1]) {
		if o.Add(&s) {
			taken++
		}
	}
	m := o.Match()
	if taken != 80 || o.Refused(0) != 60 || m.Points[1].Refused != 60 || len(m.Echoes) != 20 {
		t.Errorf("%d taken, %d refused, %d echoes", taken, o.Refused(0), len(m.Echoes))
	}
}

// TestOfflineSlightDisorder: packets of several CPUs stand in the wrong order.
func TestOfflineSlightDisorder(t *testing.T) {
	w := newWay(2, 2)
	w.steadyTrips(50)
	for p := range w.seen {
		for i := 0; i+1 < len(w.seen[p]); i += 2 { // the reply stands before its request
			w.seen[p][i], w.seen[p][i+1] = w.seen[p][i+1], w.seen[p][i]
		}
	}
	if m := w.matched(nil); !equal(w.truth, m.Echoes) {
		t.Errorf("%d echoes, want %d as they were sent", len(m.Echoes), len(w.truth))
	}
}

// TestOfflineAny: a point that captures each packet on three interfaces shows
// one echo.
func TestOfflineAny(t *testing.T) {
	for _, points := range [][]int{{0}, {1}, {0, 1}} {
		w := newWay(4, 2)
		w.steadyTrips(20)
		for _, p := range points {
			for i, s := range slices.Clone(w.seen[p]) {
				for n := range 2 {
					c := s
					c.At = c.At.Add(time.Duration(n+1) * 4 * time.Microsecond)
					w.seen[p] = slices.Insert(w.seen[p], 3*i+1+n, c)
				}
			}
			for i := range w.truth {
				w.truth[i].Hops[p].Duplicates = 2
			}
		}
		m := w.matched(nil)
		if !equal(w.truth, m.Echoes) || m.Points[points[0]].Doubled != 40 {
			t.Errorf("doubled at %v: %d echoes, %d doubled; want 20 and 40: %+v", points, len(m.Echoes), m.Points[points[0]].Doubled, m.Echoes[0])
		}
	}
}

// TestOfflineOnAStick: a router sees each echo come in one VLAN and leave in
// another, after a queue of its own, and the replies the other way round.
func TestOfflineOnAStick(t *testing.T) {
	const ms = time.Millisecond
	type seen struct {
		at    time.Duration
		reply bool
		vlan  uint16
	}
	all := []seen{{0, false, 10}, {50 * ms, false, 20}, {51 * ms, true, 20}, {71 * ms, true, 10}}
	tests := []struct {
		name   string
		router []seen
		want   Hop // at the router, times from the first request
	}{
		{"both ways", all, Hop{Request: 0, Reply: flow.Time(71 * ms), Duplicates: 1, VLAN: 10}},
		{"one reply: it answers the inner request", all[:3], Hop{Request: flow.Time(50 * ms), Reply: flow.Time(51 * ms), VLAN: 20}},
		{"no reply", all[:2], Hop{Request: 0, VLAN: 10}},
		{"a copy of each", []seen{all[0], {3000, false, 10}, all[1], {50*ms + 3000, false, 20}, all[2], {51*ms + 3000, true, 20}, all[3], {71*ms + 3000, true, 10}},
			Hop{Request: 0, Reply: flow.Time(71 * ms), Duplicates: 3, VLAN: 10}},
		{"another duplicate", append(slices.Clone(all), seen{90 * ms, true, 30}), Hop{Request: 0, Reply: flow.Time(71 * ms), Duplicates: 2, VLAN: 10}},
	}
	for _, tc := range tests {
		for _, first := range []int{0, 1} { // the router is the first point, or behind another
			t.Run(fmt.Sprint(tc.name, first), func(t *testing.T) {
				o := NewOffline(2)
				for n := range 20 {
					k, at := keyFor(7, uint16(n)), begins.Add(time.Duration(n)*500*ms)
					for _, s := range tc.router {
						o.Add(&Sight{Key: k, Point: first, At: at.Add(s.at), Reply: s.reply, VLAN: s.vlan})
					}
					before, answered := time.Duration(100-200*first)*time.Microsecond, 71*ms
					if first == 0 { // the other point is behind it
						before, answered = 50*ms+100*time.Microsecond, 51*ms-100*time.Microsecond
					}
					o.Add(&Sight{Key: k, Point: 1 - first, At: at.Add(before)})
					o.Add(&Sight{Key: k, Point: 1 - first, At: at.Add(answered), Reply: true})
				}
				m := o.Match()
				if len(m.Echoes) != 20 {
					t.Fatalf("%d echoes of 20: %+v", len(m.Echoes), m.Echoes[:2])
				}
				for n := range m.Echoes {
					got, at := m.Echoes[n].Hops[first], begins.Add(time.Duration(n)*500*ms)
					want := tc.want
					want.HasRequest, want.Request = true, at.Add(time.Duration(want.Request))
					if want.HasReply = want.Reply != 0; want.HasReply {
						want.Reply = at.Add(time.Duration(want.Reply))
					}
					if got != want {
						t.Fatalf("echo %d: %+v, want %+v", n, got, want)
					}
				}
			})
		}
	}
}

// FuzzOffline: whatever is seen, in whatever order, every request and reply is
// told once, and the report can be written.
func FuzzOffline(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 1, 2, 0, 1, 9})
	f.Add([]byte{3, 0, 0, 200, 3, 1, 1, 0, 3, 2, 2, 0, 3, 3, 255, 255, 0, 1, 2, 3, 4, 5, 6, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		const points = 3
		o := NewOffline(points)
		var at [points]flow.Time
		for p := range at {
			at[p] = begins
		}
		sights := 0
		for ; len(b) >= 4; b = b[4:] {
			p := int(b[0]) % points
			step := flow.Time(int8(b[2])) * flow.Time(b[3]) * flow.Time(b[3]) * 1_000_000
			if b[0] > 250 {
				step <<= 20 // a clock gone mad
			}
			at[p] += step
			s := Sight{Key: keyFor(0, uint16(b[1]%4)), Point: p, At: at[p], Reply: b[1]&64 != 0, VLAN: uint16(b[1] >> 4 & 3)}
			o.Add(&s)
			sights++
		}
		m := o.Match()
		told, doubled := 0, 0
		for i := range m.Points {
			doubled += m.Points[i].Doubled
		}
		for i := range m.Echoes {
			e := &m.Echoes[i]
			if e.Order != i || len(e.Hops) != points {
				t.Fatalf("echo %d: %+v", i, e)
			}
			for j := range e.Hops {
				h := &e.Hops[j]
				told += h.Duplicates
				if h.HasRequest {
					told++
				}
				if h.HasReply {
					told++
				}
			}
		}
		if told+doubled != sights {
			t.Errorf("%d sights, %d told and %d doubled", sights, told, doubled)
		}
		r := Reporter{Points: []string{"a", "b", "c"}, Split: m.Split}
		list := slices.Clone(m.Echoes)
		WorstFirst(list)
		if rep := r.NewReport(list); len(rep.Echoes) != len(m.Echoes) {
			t.Errorf("%d echoes of %d", len(rep.Echoes), len(m.Echoes))
		}
	})
}
