package incident

import (
	"bytes"
	"testing"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// FuzzMonitor reads operations from bytes: whatever the order and the times in
// which things are reported, nothing panics, numbers ascend, every incident that
// began ends once, and what ends can be written.
func FuzzMonitor(f *testing.F) {
	f.Add([]byte{1, 0, 1, 1, 4, 2, 9, 0, 5, 3, 200, 1, 8, 7, 30, 4, 4, 4, 6, 9, 0, 10, 3})
	f.Add(bytes.Repeat([]byte{1, 250, 3, 7, 40}, 80))
	f.Add(bytes.Repeat([]byte{0, 1, 200, 2, 90, 7, 2, 8, 4, 255, 3, 60, 5, 5}, 60))
	f.Add(bytes.Repeat([]byte{11, 3, 0, 9, 200, 11, 4, 1, 0, 30, 2, 0, 9, 1, 40, 3, 8, 5, 200, 3, 100}, 40))
	f.Fuzz(func(t *testing.T, in []byte) {
		newFuzzRun(t).run(in)
	})
}

type fuzzRun struct {
	t      *testing.T
	m      *Monitor
	w      *flow.World
	now    flow.Time
	n      int64
	slot   flow.Time
	begun  int
	sealed map[int]bool
}

func newFuzzRun(t *testing.T) *fuzzRun {
	r := &fuzzRun{t: t, now: simStart, slot: simStart, n: 1, sealed: map[int]bool{}}
	r.w = &flow.World{Generation: 1, Links: []flow.Link{{ID: 1, Name: "eth0", SpeedBps: 1e9}, {ID: 2, Name: "eth1", Bond: "b"}}}
	r.m = NewMonitor(Config{}, r.now, r.w)
	r.m.SetTargets([]probe.Target{{ID: 1, Name: "a", Captured: true}, {ID: 2, Name: "b", Gateway: true, Captured: true}, {ID: 3, Name: "c"}})
	return r
}

func (r *fuzzRun) run(in []byte) {
	next := func() byte {
		if len(in) == 0 {
			return 0
		}
		b := in[0]
		in = in[1:]
		return b
	}
	for steps := 0; len(in) > 0 && steps < 150; steps++ {
		r.op(next(), next)
	}
	r.output(r.m.Close(r.now))
	if len(r.sealed) != r.begun {
		r.t.Errorf("%d incidents began, %d were sealed", r.begun, len(r.sealed))
	}
}

func (r *fuzzRun) op(b byte, next func() byte) {
	ms := func() time.Duration { return time.Duration(next()) * 3 * time.Millisecond }
	switch b % 12 {
	case 0, 1:
		r.sample(next)
	case 2:
		d := flow.Directions[next()%2]
		for range next() % 32 {
			s := &flow.Slot{Link: flow.LinkID(next()%3 + 1), From: r.slot, To: r.slot.Add(flow.SlotLen), Lost: uint64(next() % 3)}
			s.Total[d] = flow.Counters{Bytes: uint64(next()) * 1000, Packets: 10}
			s.Other[d] = map[flow.Class]flow.Counters{flow.Class(next() % 5): s.Total[d]}
			s.Bins[d][next()%10] = s.Total[d].Bytes
			r.slot = s.To
			r.m.Batch(&flow.Batch{Link: s.Link, Slots: []*flow.Slot{s}, Drained: s.To})
		}
	case 3:
		r.now = r.now.Add(10 * ms())
		r.output(r.m.Tick(r.now))
	case 4:
		r.m.Late(r.now.Add(-ms()), r.now.Add(ms()))
	case 5:
		r.m.Freeze(r.now.Add(-ms()))
	case 6:
		r.m.Counters([]flow.LinkCounters{{Link: flow.LinkID(next() % 4), At: r.now.Add(-ms()), QdiscBacklogBytes: uint64(next()) * 1000, HasQdisc: true, NeighbourPending: next() > 200}})
	case 7:
		for range next() % 40 {
			r.sample(func() byte { return 0 })
			r.now = r.now.Add(100 * time.Millisecond)
			r.output(r.m.Tick(r.now))
		}
	case 8:
		r.m.LinkChange(r.now, "eth0", []string{"down", "up", "lacp", "speed"}[next()%4], "a", "b")
	case 9:
		w := *r.w
		w.Generation++
		w.Offset += flow.WallOffset(int64(next())-100) * 77e6
		w.Links = append([]flow.Link(nil), w.Links[:1+int(next())%2]...)
		w.Links[0].State = flow.LinkState(next() % 4)
		r.m.SetWorld(r.now, &w)
	case 11:
		r.guests(next)
	case 10:
		if f := r.m.Frame(r.now); len(f.Strips) != len(Zooms) || len(f.Pings) != 3 {
			r.t.Errorf("frame with %d strips, %d pings", len(f.Strips), len(f.Pings))
		}
	}
}

func (r *fuzzRun) sample(next func() byte) {
	d := func() time.Duration { return time.Duration(int(next())-1) * 2 * time.Millisecond }
	s := probe.Sample{Target: probe.TargetID(next()%4 + 1), N: r.n - int64(next()%8), State: probe.State(next() % 4), Source: probe.Source(next() % 2),
		RTT: probe.None, Queue: probe.None, Wire: probe.None, Wakeup: probe.None, Own: probe.None}
	s.Sent = simStart.Add(time.Duration(s.N) * 100 * time.Millisecond)
	r.n++
	if s.State == probe.Answered {
		s.RTT = max(d(), 0)
		if s.Source == probe.ByKernel {
			s.Queue = min(max(d(), 0), s.RTT)
			s.Wire, s.Own = s.RTT-s.Queue, 0
		}
	}
	if s.State == probe.Outstanding {
		s.Age, s.Cleared = max(d(), 0), next() > 200
	}
	s.Member, s.ReplyMember = flow.LinkID(next()%4), flow.LinkID(next()%4)
	r.m.Sample(s)
}

func (r *fuzzRun) output(o Output) {
	for _, s := range o.Spikes {
		if !s.Suppressed {
			r.begun++
		}
	}
	for _, in := range o.Sealed {
		if r.sealed[in.Number] || in.Number < 1 || in.Open {
			r.t.Errorf("incident %d sealed twice, or wrongly", in.Number)
		}
		r.sealed[in.Number] = true
		if !in.Window.From.Before(in.Window.To) || in.Window.To.Sub(in.Window.From) > windowMax || !ValidID(in.ID) || in.Verdict.Sentence == "" {
			r.t.Errorf("incident %+v", in)
		}
		checkGuests(r.t, in)
		if in.Number > 3 {
			continue
		}
		var out bytes.Buffer
		for _, write := range []func() error{func() error { return WriteJSON(&out, in) }, func() error { return WriteMarkdown(&out, in) }} {
			if err := write(); err != nil {
				r.t.Error(err)
			}
		}
	}
}
