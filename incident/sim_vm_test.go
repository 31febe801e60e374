package incident

import (
	"net/netip"
	"strings"
	"time"

	"spiketop/flow"
)

// simVM is a ping that a VM sends or gets, as the rings of vifs and NICs see it.
type simVM struct {
	name, shape  string // out, in, local, host
	src, dst     string
	vif, vif2    int
	nic, back    flow.LinkID
	id, seq      uint16
	every, phase time.Duration
	legs         [3]time.Duration
	once         []simVMWay
	stopped      bool
	dead         bool
}

// simVMWay is what happens to one echo: its legs, and after which of them (0..3)
// nobody sees it any more.
type simVMWay struct {
	legs [3]time.Duration
	last int
}

func (s *sim) sendVM() {
	for _, v := range s.vms {
		if v.stopped || (s.now.Sub(simStart)-v.phase)%v.every != 0 {
			continue
		}
		way := simVMWay{v.legs, 3}
		if v.dead {
			way.last = 1
		}
		if len(v.once) > 0 {
			way, v.once = v.once[0], v.once[1:]
		}
		v.seq++
		v.pass(s, way)
	}
}

// pass makes the sights of one echo.
func (v *simVM) pass(s *sim, w simVMWay) {
	at := s.now
	see := func(n int, vif int, link flow.LinkID, d flow.Direction, reply bool) {
		if n > 0 {
			at = at.Add(w.legs[n-1])
		}
		if n > w.last {
			return
		}
		e := flow.Echo{At: at, VIF: vif, Link: link, Dir: d, Reply: reply, Family: flow.FamilyIPv4, ID: v.id, Seq: v.seq, Offset: s.world.Offset}
		a, b := netip.MustParseAddr(v.src).As4(), netip.MustParseAddr(v.dst).As4()
		if reply {
			a, b = b, a
		}
		flow.SetIPv4(&e.Src, a[:])
		flow.SetIPv4(&e.Dst, b[:])
		s.sights = append(s.sights, e)
	}
	switch v.shape {
	case "out":
		see(0, v.vif, 0, flow.Tx, false)
		see(1, 0, v.nic, flow.Tx, false)
		see(2, 0, v.back, flow.Rx, true)
		see(3, v.vif, 0, flow.Rx, true)
	case "in":
		see(0, 0, v.nic, flow.Rx, false)
		see(1, v.vif, 0, flow.Rx, false)
		see(2, v.vif, 0, flow.Tx, true)
		see(3, 0, v.back, flow.Tx, true)
	case "host": // this host answers
		see(0, v.vif, 0, flow.Tx, false)
		see(1, v.vif, 0, flow.Rx, true)
	case "local":
		see(0, v.vif, 0, flow.Tx, false)
		see(1, v.vif2, 0, flow.Rx, false)
		see(2, v.vif2, 0, flow.Tx, true)
		see(3, v.vif, 0, flow.Rx, true)
	}
}

// sightsOf takes what a link (0: the vifs) saw before mark.
func (s *sim) sightsOf(id flow.LinkID, mark flow.Time) (list []flow.Echo) {
	kept := s.sights[:0]
	for _, e := range s.sights {
		if e.Link == id && e.At < mark {
			list = append(list, e)
		} else {
			kept = append(kept, e)
		}
	}
	s.sights = kept
	return list
}

// vmping NAME out|in|local|host SRC DST vif VIF[,VIF] nic NIC back NIC every D legs D D D
func (p *player) vmping(f []string) {
	v := &simVM{name: f[0], shape: f[1], src: f[2], dst: f[3], id: uint16(100 + len(p.s.vms)), every: p.duration(f[11])}
	v.phase = time.Duration(len(p.s.vms)*10+5) / 5 * 10 * time.Millisecond
	names := strings.Split(f[5], ",")
	index := func(name string) int {
		for _, g := range p.s.guests.vifs {
			if g.name == name {
				return g.ifindex
			}
		}
		p.t.Fatalf("no vif %s", name)
		return 0
	}
	v.vif = index(names[0])
	if len(names) > 1 {
		v.vif2 = index(names[1])
	}
	if v.shape == "out" || v.shape == "in" {
		v.nic, v.back = p.link(f[7]).ID, p.link(f[9]).ID
	}
	for i := range v.legs {
		v.legs[i] = p.duration(f[13+i])
	}
	p.s.vms = append(p.s.vms, v)
}

// vmecho NAME D D D [seen N] [xN]|stop|dead|go   the next N echoes; "seen 2": nobody sees it after the second leg
func (p *player) vmecho(f []string) {
	var v *simVM
	for _, o := range p.s.vms {
		if o.name == f[0] {
			v = o
		}
	}
	switch f[1] {
	case "stop":
		v.stopped = true
		return
	case "dead", "go":
		v.stopped, v.dead = false, f[1] == "dead"
		return
	}
	way, times := simVMWay{last: 3}, 1
	for i := range way.legs {
		way.legs[i] = p.duration(f[1+i])
	}
	for i := 4; i < len(f); i++ {
		switch {
		case f[i] == "seen":
			i++
			way.last = int(p.number(f[i]))
		case f[i][0] == 'x':
			times = int(p.number(f[i][1:]))
		}
	}
	for range times {
		v.once = append(v.once, way)
	}
}

// path shows where the echoes of VMs went.
func (p *player) path([]string) {
	in := p.last()
	if t := &in.Trigger; t.Src != "" {
		p.say("src %s id %d at %s via %s back via %s", t.Src, *t.EchoID, t.Point, orNothing(t.Member), orNothing(t.ReplyMember))
	}
	for _, l := range in.Path.Legs {
		p.say("leg %s -> %s %s, usual %s: %s", l.From, l.To, ms(&l.Took), ms(l.Usual), l.What)
	}
	for i := range in.Path.Echoes {
		e := &in.Path.Echoes[i]
		var b strings.Builder
		for _, s := range e.Points {
			b.WriteString(" " + s.Name)
			if s.RTT != nil {
				b.WriteString("=" + Ms(time.Duration(*s.RTT*1e6)))
			}
		}
		if w := e.Worst; w != nil {
			b.WriteString(", worst after " + w.From + " " + Percent(w.Share))
		}
		if l := e.LostAfter; l != nil {
			b.WriteString(", lost after " + l.Point)
			if l.Leg != nil {
				b.WriteString(" " + *l.Leg)
			}
		}
		p.say("echo %s > %s id %d seq %d:%s", e.Src, e.Dst, e.ID, e.Seq, b.String())
	}
}
