package netlab

import (
	"fmt"
	"testing"
)

// TwoNICs is a monitored host nc1 with two NICs, eth0 and eth1, each behind a
// rate-limited port with a deep queue, and behind the switch a storage node st,
// a second one st2, and a calm host far that can be pinged.
//
//	nc1 eth0 10.1.16.165 ── p0 10.1.16.1 ┐    ┌ 10.1.18.71 st
//	                                       sw ─┼ 10.1.19.72 st2
//	nc1 eth1 10.1.17.165 ── p1 10.1.17.1 ┘    └ 10.1.16.0/24 ... 10.1.20.55 far
//
// The nodes are routed, not bridged: ip_rcv orphans a frame, so that TCP small
// queues do not hold a flow back before it fills the queue of p0 or p1.
type TwoNICs struct {
	NC1, Switch, Storage, Storage2, Far *NS
}

// Options of a TwoNICs lab.
type Options struct {
	RateMbit int  // of p0 and p1 toward nc1, 0 = 40
	QueueMs  int  // depth of their queue at that rate, 0 = 250
	Offloads bool // leave GSO/GRO/TSO on: frames are super-frames then
}

// NewTwoNICs builds the lab; it vanishes with the test.
func NewTwoNICs(t testing.TB, o Options) *TwoNICs {
	t.Helper()
	if o.RateMbit == 0 {
		o.RateMbit = 40
	}
	if o.QueueMs == 0 {
		o.QueueMs = 250
	}
	l := &TwoNICs{NC1: NewNS(t, "nc1"), Switch: NewNS(t, "sw"), Storage: NewNS(t, "st"), Storage2: NewNS(t, "st2"), Far: NewNS(t, "far")}
	Veth(t, l.NC1, "eth0", l.Switch, "p0")
	Veth(t, l.NC1, "eth1", l.Switch, "p1")
	Veth(t, l.Storage, "eth0", l.Switch, "s1")
	Veth(t, l.Storage2, "eth0", l.Switch, "s2")
	Veth(t, l.Far, "eth0", l.Switch, "f")
	l.Switch.Sysctl("net.ipv4.ip_forward=1")
	addrs := []struct {
		ns         *NS
		dev, local string
		port, gw   string
	}{
		{l.NC1, "eth0", "10.1.16.165/24", "p0", "10.1.16.1"},
		{l.NC1, "eth1", "10.1.17.165/24", "p1", "10.1.17.1"},
		{l.Storage, "eth0", "10.1.18.71/24", "s1", "10.1.18.1"},
		{l.Storage2, "eth0", "10.1.19.72/24", "s2", "10.1.19.1"},
		{l.Far, "eth0", "10.1.20.55/24", "f", "10.1.20.1"},
	}
	for i, a := range addrs {
		a.ns.IP("addr add " + a.local + " dev " + a.dev)
		l.Switch.IP("addr add " + a.gw + "/24 dev " + a.port)
		if i != 1 {
			a.ns.IP("route add default via " + a.gw)
		}
	}
	burst := 8000
	if o.Offloads {
		burst = 80000 // else tbf cuts every super-frame into its segments
	}
	for _, port := range []string{"p0", "p1"} {
		l.Switch.TC(fmt.Sprintf("qdisc add dev %s root tbf rate %dmbit burst %d limit %d", port, o.RateMbit, burst, o.RateMbit*1000/8*o.QueueMs))
	}
	if !o.Offloads {
		l.offloadsOff(t)
	}
	return l
}

// offloadsOff makes every frame on the wire one frame in the captures.
func (l *TwoNICs) offloadsOff(t testing.TB) {
	t.Helper()
	for _, n := range []struct {
		ns  *NS
		dev []string
	}{{l.NC1, []string{"eth0", "eth1"}}, {l.Switch, []string{"p0", "p1", "s1", "s2", "f"}},
		{l.Storage, []string{"eth0"}}, {l.Storage2, []string{"eth0"}}, {l.Far, []string{"eth0"}}} {
		for _, dev := range n.dev {
			if err := n.ns.Do(func() error { return offloadOff(dev) }); err != nil {
				t.Fatal(err)
			}
		}
	}
}
