package incident

import (
	"cmp"
	"math"
	"net/netip"
	"strings"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// sim is a made-up host: links with flows, targets with round trips, a pinger
// and rings that deliver as the real ones do, some ms later. All times are its
// own; it begins at 01:47:00 +08:00 of 2026-11-22, or 1000 s on its monotonic
// clock.
type sim struct {
	m       *Monitor
	world   *flow.World
	now     flow.Time
	links   []*simLink
	targets []*simTarget
	seen    []string // what the outputs said, for the timeline
	sealed  []*Incident
	spikes  []Spike
	stopped bool          // the process does not run
	lag     time.Duration // by which rings and slots lag behind, beside simDelay
	random  uint64
	guests  simGuests
	vms     []*simVM
	sights  []flow.Echo // not delivered yet
	load    simLoad
	tcp     map[flow.Socket]flow.TCPInfo // what the kernel would say
}

const simStart = flow.Time(1000 * time.Second)

// Periods of the sim, as the program has them.
const (
	simStep  = 10 * time.Millisecond
	simTick  = 20 * time.Millisecond
	simDelay = 20 * time.Millisecond // by which rings and slots lag behind
	simPing  = 100 * time.Millisecond
)

type simLink struct {
	flow.Link
	flows   []*simFlow
	slot    *flow.Slot
	bytes   map[flow.FlowID]*[2]uint64
	lose    uint64 // in the next slot
	late    []*flow.Slot
	counter flow.LinkCounters
	driver  simDriver
	silent  bool // delivers nothing
}

type simFlow struct {
	id     flow.FlowID
	key    flow.Key
	dir    flow.Direction
	bps    float64
	wobble float64   // 0..1
	until  flow.Time // 0 = for ever
	known  bool      // the look-back has been told
	mac    [6]byte   // of the local end
	simFollow
}

type simTarget struct {
	probe.Target
	key     string // as the timeline calls it
	way     simWay
	once    []simWay // of the next echoes
	n       int64
	flights []simFlight
	stopped bool
	loss    float64 // 0..1 of the echoes, at random
}

// simWay is what happens to an echo.
type simWay struct {
	rtt, queue, own, wake time.Duration
	lost, uncertain       bool
	user                  bool // no stamp of the kernel
	member, reply         flow.LinkID
}

type simFlight struct {
	probe.Sample
	way simWay
}

func newSim(cfg Config, links ...flow.Link) *sim {
	s := &sim{now: simStart, random: 1}
	wall := time.Date(2026, 11, 21, 17, 47, 0, 0, time.UTC)
	s.world = &flow.World{Generation: 1, Host: "nc1", Links: links, Offset: flow.WallOffset(wall.UnixNano() - int64(simStart))}
	s.world.Index()
	for i := range links {
		s.links = append(s.links, &simLink{Link: links[i], bytes: map[flow.FlowID]*[2]uint64{}, counter: flow.LinkCounters{Link: links[i].ID, HasQdisc: true}})
	}
	cfg.Version, cfg.Engine, cfg.Zone = "0.1.0", "tpacket", time.FixedZone("", 8*3600)
	s.m = NewMonitor(cfg, s.now, s.world)
	return s
}

func (s *sim) link(name string) *simLink {
	for _, l := range s.links {
		if l.Name == name {
			return l
		}
	}
	return nil
}

func (s *sim) target(name string) *simTarget {
	for _, t := range s.targets {
		if t.key == name {
			return t
		}
	}
	return nil
}

// addTarget begins to ping; via names the member, "" a target that is not
// captured. "10.1.16.55@eth0" is the ping of one member, see members_test.go.
func (s *sim) addTarget(key, via string, gateway bool, rtt time.Duration) *simTarget {
	name, member, _ := strings.Cut(key, "@")
	via = cmp.Or(via, member)
	t := &simTarget{key: key, Target: probe.Target{ID: probe.TargetID(len(s.targets) + 1), Name: name, Addr: netip.MustParseAddr(name), Gateway: gateway, Captured: via != ""}}
	t.way = simWay{rtt: rtt, queue: 20 * time.Microsecond}
	if l := s.link(via); l != nil {
		t.way.member, t.way.reply = l.ID, l.ID
	}
	s.targets = append(s.targets, t)
	s.group(t, member)
	var list []probe.Target
	for _, t := range s.targets {
		list = append(list, t.Target)
	}
	s.m.SetTargets(list)
	return t
}

func simKey(local, remote string, proto uint8) flow.Key {
	k := flow.Key{Proto: proto, Family: flow.FamilyIPv4}
	a, b := netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
	k.LocalPort, k.RemotePort = a.Port(), b.Port()
	x, y := a.Addr().As4(), b.Addr().As4()
	flow.SetIPv4(&k.Local, x[:])
	flow.SetIPv4(&k.Remote, y[:])
	return k
}

// addFlow lets a flow run. from and to are the ends in the direction in which it
// goes.
func (l *simLink) addFlow(s *sim, d flow.Direction, from, to string, bps, wobble float64, length time.Duration) {
	local, remote := to, from
	if d == flow.Tx {
		local, remote = from, to
	}
	f := &simFlow{id: flow.FlowID(len(l.flows) + 1), key: simKey(local, remote, flow.ProtoTCP), dir: d, bps: bps, wobble: wobble}
	if length > 0 {
		f.until = s.now.Add(length)
	}
	l.flows = append(l.flows, f)
}

// chance is a made-up random number in -1..1, always the same sequence.
func (s *sim) chance() float64 {
	s.random ^= s.random << 13
	s.random ^= s.random >> 7
	s.random ^= s.random << 17
	return float64(int64(s.random)) / math.MaxInt64
}

// run lets d pass.
func (s *sim) run(d time.Duration) {
	for end := s.now.Add(d); s.now < end; {
		s.carry()
		s.send()
		s.sendVM()
		s.now = s.now.Add(simStep)
		if s.now.Sub(simStart)%simTick == 0 && !s.stopped {
			s.round()
		}
	}
}

// stop stops the process for d, as SIGSTOP does: the kernel goes on.
func (s *sim) stop(d time.Duration) {
	from := s.now
	s.stopped = true
	s.run(d)
	s.stopped = false
	s.m.Late(from, s.now)
}

// carry lets the flows of 10 ms go by.
func (s *sim) carry() {
	s.guests.carry()
	for _, l := range s.links {
		if l.slot == nil {
			from := s.world.Offset.SlotStart(s.now)
			l.slot = &flow.Slot{Link: l.ID, Epoch: l.Epoch, From: from, To: from.Add(flow.SlotLen)}
		}
		for _, f := range l.flows {
			if f.until != 0 && s.now >= f.until {
				continue
			}
			n := f.step(s)
			b := l.bytes[f.id]
			if b == nil {
				b = &[2]uint64{}
				l.bytes[f.id] = b
			}
			b[f.dir] += n
			l.slot.Bins[f.dir][s.now.Sub(l.slot.From)/flow.BinLen] += n
		}
		if s.now.Add(simStep) >= l.slot.To {
			l.close()
		}
	}
}

// close finishes the slot; its packets have 1000 bytes.
func (l *simLink) close() {
	for _, f := range l.flows {
		b := l.bytes[f.id]
		if b == nil {
			continue
		}
		if !f.known {
			f.known = true
			l.slot.New = append(l.slot.New, flow.FlowInfo{ID: f.id, Key: f.key, MAC: f.mac, First: l.slot.From})
		}
		c := flow.Counters{Bytes: b[f.dir], Packets: (b[f.dir] + 999) / 1000}
		l.slot.Rows[f.dir] = append(l.slot.Rows[f.dir], flow.Row{Flow: f.id, Bytes: uint32(c.Bytes), Packets: uint32(c.Packets)})
		l.slot.Total[f.dir].Add(c)
	}
	l.slot.Lost, l.lose = l.lose, 0
	l.late = append(l.late, l.slot)
	l.slot, l.bytes = nil, map[flow.FlowID]*[2]uint64{}
}

// send sends the echoes that are due; a stopped process sends none.
func (s *sim) send() {
	for i, t := range s.targets {
		offset := time.Duration(i) * 30 * time.Millisecond
		if s.stopped || t.stopped || (s.now.Sub(simStart)-offset)%simPing != 0 {
			continue
		}
		way := t.way
		if len(t.once) > 0 {
			way, t.once = t.once[0], t.once[1:]
		}
		if t.loss > 0 && s.chance() < 2*t.loss-1 {
			way.lost = true
		}
		t.n++
		f := simFlight{way: way, Sample: probe.Sample{Target: t.ID, N: t.n, ID: 7, Seq: uint16(t.n), Sent: s.now,
			RTT: probe.None, Queue: probe.None, Wire: probe.None, Wakeup: probe.None, Own: probe.None}}
		t.flights = append(t.flights, f)
		s.m.Sample(f.Sample)
	}
}

// round delivers what the rings hold and ticks.
func (s *sim) round() {
	s.deliver()
	s.take(s.m.Tick(s.now))
}

func (s *sim) deliver() {
	mark := s.now.Add(-simDelay - s.lag)
	s.guests.deliver(s)
	if len(s.vms) > 0 {
		s.m.VIFEchoes(s.sightsOf(0, mark))
		s.m.VIFDrained(mark)
	}
	s.deliverNear()
	for _, l := range s.links {
		if l.silent {
			continue
		}
		b := &flow.Batch{Link: l.ID, Drained: mark, Offset: s.world.Offset}
		for len(l.late) > 0 && l.late[0].To <= mark {
			b.Slots = append(b.Slots, l.late[0])
			l.late = l.late[1:]
		}
		b.Echoes = s.sightsOf(l.ID, mark)
		s.m.Batch(b)
		if s.now.Sub(simStart)%(100*time.Millisecond) == 0 {
			l.counter.At = s.now
			s.m.Counters([]flow.LinkCounters{l.counter})
		}
	}
	for _, t := range s.targets {
		kept := t.flights[:0]
		for _, f := range t.flights {
			if !s.report(t, &f, mark) {
				kept = append(kept, f)
			}
		}
		t.flights = kept
	}
}

// report says what is known of an echo at mark; true when that is final.
func (s *sim) report(t *simTarget, f *simFlight, mark flow.Time) bool {
	w, q := &f.way, f.Sample
	known := w.lost || w.uncertain
	if !w.user && mark >= q.Sent.Add(w.queue) {
		q.Member, q.Queue, q.Own = w.member, w.queue, w.own
	}
	switch {
	case !known && mark >= q.Sent.Add(w.rtt):
		q.State, q.RTT, q.ReplyMember = probe.Answered, w.rtt, w.reply
		if q.Source = probe.ByKernel; w.user || !t.Captured {
			q.Source, q.Member, q.ReplyMember, q.Queue = probe.ByUser, 0, 0, probe.None
		} else {
			q.Wire, q.Wakeup = w.rtt-w.queue, 50*time.Microsecond+w.wake
		}
	case known && mark >= q.Sent.Add(givenUpAfter):
		q.State = probe.Lost
		if w.uncertain {
			q.State = probe.Uncertain
		}
	case !w.uncertain && mark.Sub(q.Sent) > simPing:
		q.Age = mark.Sub(q.Sent)
		s.m.Sample(q)
		return false
	default:
		return false
	}
	s.m.Sample(q)
	return true
}

// take notes what the monitor wants.
func (s *sim) take(o Output) {
	s.spikes = append(s.spikes, o.Spikes...)
	s.sealed = append(s.sealed, o.Sealed...)
	for i := range o.Spikes {
		s.seen = append(s.seen, s.clock()+" "+spikeText(&o.Spikes[i]))
	}
	for _, n := range o.Notes {
		s.seen = append(s.seen, s.clock()+" note "+n)
	}
	for _, a := range o.Asks {
		s.answer(a)
	}
	for _, in := range o.Sealed {
		s.seen = append(s.seen, s.clock()+" sealed "+sealedText(in))
	}
}

// clock is the time since the start in seconds.
func (s *sim) clock() string { return simSeconds(s.now.Sub(simStart)) }
