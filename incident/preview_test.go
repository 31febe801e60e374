package incident

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"spiketop/flow"
)

// TestPreviewFollows: the spike is noticed before the burst's slots have come;
// the frozen picture shows its flow no later than 300 ms after the first of them,
// and its figures grow with every 200 ms, while the answer is still out.
func TestPreviewFollows(t *testing.T) {
	s := newSim(Config{}, flow.Link{ID: 1, Name: "eth0", SpeedBps: 40e6})
	l := s.link("eth0")
	s.addTarget("10.1.16.55", "eth0", false, 210*time.Microsecond)
	l.addFlow(s, flow.Rx, "10.1.16.72:51036", "10.1.16.165:9422", 3e6, 0.3, 0)
	s.run(31 * time.Second)
	s.target("10.1.16.55").once = []simWay{{rtt: 900 * time.Millisecond, member: 1, reply: 1}, {rtt: 800 * time.Millisecond, member: 1, reply: 1}}
	s.run(180 * time.Millisecond) // it fires at an age of over 120.21 ms
	f := s.m.Frame(s.now)
	if f.Frozen == nil || !f.Frozen.Open {
		t.Fatalf("frozen %+v, want an open incident", f.Frozen)
	}
	l.addFlow(s, flow.Rx, "10.1.16.71:40112", "10.1.16.165:9422", 36e6, 0, 600*time.Millisecond)
	// The flow begins at .180: in the slot that ends at .200 and comes at .220.
	s.run(340 * time.Millisecond)
	top := func() FlowRow { return s.m.Frame(s.now).Frozen.Flows.Rx[0] }
	first := top()
	if first.Remote != "10.1.16.71:40112" {
		t.Fatalf("first row %s, want the burst's", first.Remote)
	}
	s.run(220 * time.Millisecond)
	if next := top(); next.Bytes < first.Bytes+8*45_000 { // 36 Mbit/s bring 45 000 bytes in 10 ms
		t.Errorf("%d bytes, 220 ms later %d: the picture stands still", first.Bytes, next.Bytes)
	}
	in := s.m.Frame(s.now).Frozen
	if sum := s.m.lines[0].Summary; in.Verdict.Burst == nil || in.Verdict.Burst.Remote != "10.1.16.71:40112" || sum != summary(in) {
		t.Errorf("burst %+v, line %q", in.Verdict.Burst, sum)
	}
	s.run(10 * time.Second)
	if f := s.m.Frame(s.now); f.Frozen != s.sealed[0] {
		t.Error("the sealed incident is not the frozen one")
	}
}

// TestPreviewRate: pictures are made at most every 200 ms, and none when nothing
// has changed.
func TestPreviewRate(t *testing.T) {
	s := newSim(Config{}, flow.Link{ID: 1, Name: "eth0", SpeedBps: 40e6})
	s.addTarget("10.1.16.55", "eth0", false, 210*time.Microsecond)
	s.run(31 * time.Second)
	s.target("10.1.16.55").once = []simWay{{rtt: 90 * time.Millisecond, member: 1, reply: 1}}
	var at []flow.Time
	var last *Incident
	for range 300 {
		s.run(simTick)
		if f := s.m.frozen; f != last {
			last, at = f, append(at, s.now)
		}
	}
	for i := 1; i < len(at); i++ {
		if at[i].Sub(at[i-1]) < previewEvery {
			t.Errorf("pictures at %v and %v", at[i-1].Sub(simStart), at[i].Sub(simStart))
		}
	}
	// The trigger's, one with the answer's window, one with the whole baseline
	// (290 slots in steps of 20 last 300 ms); the seal.
	if len(at) < 3 || len(at) > 6 {
		t.Errorf("%d pictures", len(at))
	}
}

// TestGathered: sums made part by part are those of the whole.
func TestGathered(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		lb := flow.NewLookback(600, nil)
		at, id := simStart, flow.FlowID(0)
		slots := 20 + r.IntN(300)
		for range slots {
			s := &flow.Slot{From: at, To: at.Add(flow.SlotLen), Lost: r.Uint64N(2)}
			if r.IntN(40) == 0 {
				s.To = at.Add(flow.SlotLen / 2) // somebody set the clock
			}
			at = s.To
			for range r.IntN(5) {
				id++ // the same key under several numbers
				key := flow.Key{LocalPort: uint16(r.IntN(8)), Family: flow.FamilyIPv4, Proto: flow.ProtoTCP}
				n := 1 + r.Uint32N(1000)
				s.New = append(s.New, flow.FlowInfo{ID: id, Key: key})
				s.Rows[0] = append(s.Rows[0], flow.Row{Flow: id, Bytes: n, Packets: 1})
				s.Total[0].Add(flow.Counters{Bytes: uint64(n), Packets: 1})
			}
			if r.IntN(3) == 0 {
				c := flow.Counters{Bytes: r.Uint64N(500), Packets: 1}
				s.Other[1] = map[flow.Class]flow.Counters{flow.Storage: c}
				s.Total[1].Add(c)
			}
			lb.Add(s)
		}
		skip := []flow.Span{{From: simStart.Add(2 * time.Second), To: simStart.Add(3 * time.Second)}}
		whole := lb.Sum(simStart, at, skip)
		want := &gathered{}
		want.add(&whole, true)
		got := &baseLink{from: simStart, upTo: at}
		for steps := 0; got.from < got.upTo; steps++ {
			if got.more(lb, skip, 1+r.IntN(30)); steps > slots {
				t.Fatal("it does not come to an end")
			}
		}
		flows := cmpopts.SortSlices(func(a, b flow.FlowSum) bool { return a.Key.Compare(&b.Key) < 0 })
		if diff := cmp.Diff(want.sum, got.sum, flows, cmpopts.IgnoreFields(flow.FlowSum{}, "ID"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("round %d (-want +got):\n%s", round, diff)
		}
	}
}
