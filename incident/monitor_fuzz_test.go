package incident

import (
	"bytes"
	"net/netip"
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
	f.Add(bytes.Repeat([]byte{12, 7, 13, 9, 200, 100, 13, 8, 90, 40, 5, 1, 3, 60, 12, 3, 0, 2, 1, 3, 200, 10}, 30))
	f.Add([]byte{14, 0, 90, 47, 14, 8, 90, 47, 0, 3, 0, 9, 200, 14, 0x31, 200, 40, 3, 100})
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
	opened map[int]bool // had a window in OpenWindows: what is held for it must be given back
}

func newFuzzRun(t *testing.T) *fuzzRun {
	r := &fuzzRun{t: t, now: simStart, slot: simStart, n: 1, sealed: map[int]bool{}, opened: map[int]bool{}}
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
	for n := range r.opened {
		if !r.sealed[n] {
			r.t.Errorf("the window of incident %d was open, and it was never sealed", n)
		}
	}
	if len(r.sealed) != r.begun {
		r.t.Errorf("%d incidents began, %d were sealed", r.begun, len(r.sealed))
	}
}

func (r *fuzzRun) op(b byte, next func() byte) {
	ms := func() time.Duration { return time.Duration(next()) * 3 * time.Millisecond }
	switch b % 15 {
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
	case 12:
		r.who(next)
	case 13:
		r.flows(next)
	case 14:
		r.echoes(next)
	case 10:
		if f := r.m.Frame(r.now); len(f.Strips) != len(Zooms) || len(f.Pings) != 3 {
			r.t.Errorf("frame with %d strips, %d pings", len(f.Strips), len(f.Pings))
		}
	}
}

// echoes are a VM's ping seen on vifs and NICs, whole or in part, for some seconds.
func (r *fuzzRun) echoes(next func() byte) {
	kind, late := next(), time.Duration(next())*2*time.Millisecond
	for n := range next() % 48 {
		at := r.now
		for i := range byte(4) {
			e := flow.Echo{At: at, Dir: flow.Direction(i / 2 & 1), Reply: i > 1, Family: flow.FamilyIPv4, ID: uint16(kind & 3), Seq: uint16(n), Offset: r.w.Offset}
			e.Src[15], e.Dst[15] = 1, kind&7
			if e.Reply {
				e.Src, e.Dst = e.Dst, e.Src
			}
			if (i == 0 || i == 3) == (kind&8 != 0) {
				e.VIF = 31 + int(kind>>4&1)
			} else {
				e.Link = flow.LinkID(i&1 + 1)
			}
			at = at.Add(time.Millisecond)
			if n > 30 && i == kind>>5&3 {
				at = at.Add(late)
			}
			switch {
			case n > 40 && i >= kind>>5&3:
			case e.Link != 0:
				r.m.Batch(&flow.Batch{Link: e.Link, Echoes: []flow.Echo{e}, Drained: r.now, Offset: r.w.Offset})
			default:
				r.m.VIFEchoes([]flow.Echo{e})
			}
		}
		r.now = r.now.Add(100 * time.Millisecond)
		r.m.VIFDrained(r.now)
		for id := range flow.LinkID(2) {
			r.m.Batch(&flow.Batch{Link: id + 1, Drained: r.now, Offset: r.w.Offset})
		}
		r.output(r.m.Tick(r.now))
	}
}

// who changes who is who; what is asked for is among what there is, each once.
func (r *fuzzRun) who(next func() byte) {
	w := *r.w
	w.Generation++
	b := next()
	w.Own, w.Owners, w.Listeners, w.Guests = nil, map[flow.Socket]flow.Owner{}, nil, nil
	if b&1 != 0 {
		w.Own = []netip.Addr{netip.MustParseAddr("10.1.16.165")}
	}
	for n := range b >> 4 {
		k := fuzzKey(n)
		w.Owners[flow.SocketOf(&k)] = flow.Owner{Name: "\x1b" + string(rune('a'+n)), PID: int(n), Kernel: n%4 == 3}
	}
	if b&2 != 0 {
		w.Guests = []flow.GuestNIC{{Name: "tap\n1", Guest: "vm\x00", Ifindex: 31, MACs: [][6]byte{{2, 1}}}, {Name: "tap2", Ifindex: 32, MACs: [][6]byte{{2, 2}}}}
	}
	r.w = w.Index()
	r.m.SetWorld(r.now, r.w)
	seen := map[flow.Socket]bool{}
	for _, s := range r.m.Wanted() {
		if seen[s] {
			r.t.Errorf("%v is wanted twice", s)
		}
		seen[s] = true
	}
}

func fuzzKey(n byte) flow.Key {
	return simKey("10.1.16.165:9422", netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 16, n}), uint16(n)).String(), []uint8{flow.ProtoTCP, flow.ProtoUDP, flow.ProtoICMP}[n/8%3])
}

// flows is a slot with rows, some of them of guests.
func (r *fuzzRun) flows(next func() byte) {
	s := &flow.Slot{Link: 1, From: r.slot, To: r.slot.Add(flow.SlotLen)}
	d := flow.Directions[next()%2]
	for n := range next() % 16 {
		c := flow.Counters{Bytes: uint64(next()) * 5000, Packets: 3}
		s.New = append(s.New, flow.FlowInfo{ID: flow.FlowID(n) + 1, Key: fuzzKey(n), MAC: [6]byte{2, n % 5}, First: s.From})
		s.Rows[d] = append(s.Rows[d], flow.Row{Flow: flow.FlowID(n) + 1, Bytes: uint32(c.Bytes), Packets: 3})
		s.Total[d].Add(c)
		s.Bins[d][n%10] += c.Bytes
	}
	r.slot = s.To
	r.m.Batch(&flow.Batch{Link: 1, Slots: []*flow.Slot{s}, Drained: s.To})
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
	for i, a := range o.Asks {
		if len(a.Sockets) == 0 || len(a.Sockets) > maxAsked {
			r.t.Errorf("asks for %d sockets", len(a.Sockets))
		}
		info := map[flow.Socket]flow.TCPInfo{{}: {}}
		for j, s := range a.Sockets {
			info[s] = flow.TCPInfo{RTT: time.Duration(j-1) * time.Millisecond, Retransmits: uint32(r.n), DeliveryBps: uint64(j) << 60}
		}
		r.m.TCPInfo(a.ID, r.now.Add(-time.Duration(i)*time.Second), info)
		r.m.TCPInfo("?", r.now, info)
	}
	for _, w := range r.m.OpenWindows() {
		r.opened[w.Number] = true
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
