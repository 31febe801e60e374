package capture

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"spiketop/flow"
	"spiketop/testdata/netlab"
)

// pair is two namespaces joined by a veth; the NIC "nic" in near is captured.
type pair struct {
	near, far *netlab.NS
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{near: netlab.NewNS(t, "near"), far: netlab.NewNS(t, "far")}
	for _, ns := range []*netlab.NS{p.near, p.far} { // no router solicitations, no duplicate address detection
		ns.Sysctl("net.ipv6.conf.all.disable_ipv6=1")
		ns.Sysctl("net.ipv6.conf.default.disable_ipv6=1")
	}
	p.join(t)
	return p
}

// join makes the NIC (again).
func (p *pair) join(t *testing.T) {
	t.Helper()
	netlab.Veth(t, p.near, "nic", p.far, "peer")
	p.near.IP("addr add 10.9.0.1/24 dev nic")
	p.far.IP("addr add 10.9.0.2/24 dev peer")
}

// ifindex of a device in a namespace.
func ifindex(t *testing.T, ns *netlab.NS, name string) int {
	t.Helper()
	var i *net.Interface
	if err := ns.Do(func() (err error) { i, err = net.InterfaceByName(name); return err }); err != nil {
		t.Fatal(err)
	}
	return i.Index
}

// running is a Reader under test with what it has handed on.
type running struct {
	*Reader
	t     *testing.T
	ns    *netlab.NS
	out   chan *flow.Batch
	stop  context.CancelFunc
	done  chan error
	got   []*flow.Batch
	ended bool
}

// open opens a Reader on nic; run starts its drain.
func open(t *testing.T, ns *netlab.NS, cfg ReaderConfig) *running {
	t.Helper()
	clock, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, ns: ns, out: make(chan *flow.Batch, 1<<16), done: make(chan error, 1)}
	cfg.Link, cfg.Name, cfg.Clock, cfg.Out = 1, "nic", clock, r.out
	if cfg.Ifindex == 0 {
		cfg.Ifindex = ifindex(t, ns, "nic")
	}
	if err := ns.Do(func() (err error) { r.Reader, err = OpenReader(cfg); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.stop == nil {
			r.Close()
			return
		}
		r.end()
	})
	return r
}

func (r *running) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- r.ns.Do(func() error { return r.Run(ctx) }) }() // inside, so that it can open the ring again
}

// until waits until the watermark has passed at.
func (r *running) until(at flow.Time) {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case b := <-r.out:
			r.got = append(r.got, b)
			if b.Drained >= at {
				return
			}
		case <-deadline:
			r.t.Fatalf("watermark did not reach %d: %+v", at, r.Stats())
		}
	}
}

// settle waits until everything sent so far has been handed on in closed slots.
func (r *running) settle() { r.t.Helper(); r.until(Now().Add(3 * flow.SlotLen)) }

func (r *running) end() {
	r.t.Helper()
	if r.ended {
		return
	}
	r.ended = true
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("Run: %v", err)
	}
	for len(r.out) > 0 {
		r.got = append(r.got, <-r.out)
	}
}

// sums is all that was handed on, added up.
type sums struct {
	total  [2]flow.Counters
	flows  map[flow.Key][2]flow.Counters
	lost   uint64 // by batches
	sloss  uint64 // by slots
	late   uint32
	slots  []*flow.Slot
	echoes []flow.Echo
}

func (r *running) sums() sums {
	r.t.Helper()
	s := sums{flows: map[flow.Key][2]flow.Counters{}}
	names := map[flow.FlowID]flow.Key{}
	var drained flow.Time
	for _, b := range r.got {
		if b.Drained < drained {
			r.t.Errorf("watermark went back by %v", drained.Sub(b.Drained))
		}
		drained = b.Drained
		s.lost += b.Lost
		s.echoes = append(s.echoes, b.Echoes...)
		for _, sl := range b.Slots {
			s.slots = append(s.slots, sl)
			s.sloss += sl.Lost
			s.late += sl.Late
			for _, n := range sl.New {
				names[n.ID] = n.Key
			}
			for _, d := range flow.Directions {
				s.total[d].Add(sl.Total[d])
				for _, row := range sl.Rows[d] {
					k := names[row.Flow]
					c := s.flows[k]
					c[d].Add(flow.Counters{Bytes: uint64(row.Bytes), Packets: uint64(row.Packets)})
					s.flows[k] = c
				}
			}
		}
	}
	return s
}

// udp is a UDP socket in ns, connected to a port of the other end on which
// somebody listens and never reads, so that nothing comes back.
func (p *pair) udp(t *testing.T, fromNear bool, port int) net.Conn {
	t.Helper()
	src, dst, to := p.near, p.far, "10.9.0.2"
	if !fromNear {
		src, dst, to = p.far, p.near, "10.9.0.1"
	}
	addr := net.JoinHostPort(to, strconv.Itoa(port))
	var l net.PacketConn
	if err := dst.Do(func() (err error) { l, err = net.ListenPacket("udp4", addr); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var c net.Conn
	if err := src.Do(func() (err error) { c, err = net.Dial("udp4", addr); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// send writes n datagrams of size bytes, one each interval.
func send(t *testing.T, c net.Conn, n, size int, interval time.Duration) {
	t.Helper()
	b := make([]byte, size)
	next := time.Now()
	for range n {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		next = next.Add(interval)
		time.Sleep(time.Until(next))
	}
}

// port sums the flows whose local or remote port it is.
func (s *sums) port(port uint16) (c [2]flow.Counters) {
	for k, f := range s.flows {
		if k.LocalPort == port || k.RemotePort == port {
			for _, d := range flow.Directions {
				c[d].Add(f[d])
			}
		}
	}
	return c
}
