package main

import (
	"fmt"
	"net/netip"

	"spiketop/capture/link"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/probe"
)

// targetBook numbers the ping targets and decides the default ones.
type targetBook struct {
	list    []probe.Target
	reasons map[probe.TargetID]string
	next    probe.TargetID
}

// add numbers a target; a target that is already there is not pinged twice.
func (b *targetBook) add(t probe.Target) (probe.Target, bool) {
	for i := range b.list {
		if b.list[i].Name == t.Name || t.Addr.IsValid() && b.list[i].Addr == t.Addr {
			return b.list[i], false
		}
	}
	t.ID = b.number()
	if b.reasons == nil {
		b.reasons = map[probe.TargetID]string{}
	}
	b.reasons[t.ID] = t.Reason
	b.list = append(b.list, t)
	return t, true
}

// number gives the next target its number.
func (b *targetBook) number() probe.TargetID {
	b.next++
	return b.next
}

// given adds the targets of --ping.
func (b *targetBook) given(hosts []string) {
	for _, h := range hosts {
		t := probe.Target{Name: h, Reason: "--ping", Captured: true} // until the route says otherwise
		if a, err := netip.ParseAddr(h); err == nil {
			t.Addr = a
		}
		b.add(t)
	}
}

// gateways adds, for each bond or NIC, the gateway reached through it.
func (b *targetBook) gateways(state *link.State, captured []flow.Link) {
	for _, g := range link.DefaultGateways(state, captured) {
		b.add(probe.Target{Name: g.Addr.String(), Addr: g.Addr, Reason: g.Reason, Gateway: true, Captured: true})
	}
}

// busiestPeer is, of the flows of one bond or NIC, the on-link TCP peer with
// most bytes so far; ok is false when there is none.
func busiestPeer(f *incident.Frame, through string, onLink func(netip.Addr) bool) (peer netip.Addr, ok bool) {
	sum := map[netip.Addr]uint64{}
	for i := range f.Links {
		l := &f.Links[i]
		if bondOrName(&l.Link) != through {
			continue
		}
		for j := range l.Rows {
			r := &l.Rows[j]
			if r.Key.Proto == flow.ProtoTCP && r.Key.HasPorts() {
				sum[r.Key.RemoteAddr()] += r.Cum[flow.Rx] + r.Cum[flow.Tx]
			}
		}
	}
	for len(sum) > 0 { // the busiest may be behind a router: the next one then
		var best netip.Addr
		for a, n := range sum {
			if !best.IsValid() || n > sum[best] || n == sum[best] && a.Less(best) {
				best = a
			}
		}
		if onLink(best) {
			return best, true
		}
		delete(sum, best)
	}
	return netip.Addr{}, false
}

// groups lists the bonds, and the NICs without one, in pane order.
func groups(links []flow.Link) (names []string) {
	seen := map[string]bool{}
	for i := range links {
		if n := bondOrName(&links[i]); !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	return names
}

func bondOrName(l *flow.Link) string {
	if l.Bond != "" {
		return l.Bond
	}
	return l.Name
}

func peerReason(group string) string {
	return fmt.Sprintf("busiest on-link TCP peer through %s", group)
}
