package incident

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"spiketop/flow"
)

// whoCommand are the commands for who is who:
//
//	own ADDR ...                              this host's addresses
//	owner LOCAL REMOTE NAME[PID]|kernel       a connection's owner; "-" instead of REMOTE: of who listens there
//	disown LOCAL REMOTE                       it has closed
//	class NAME LETTER RULE                    a class of the user
//	tcp LOCAL REMOTE rtt D min D sent-again N delivers RATE   what the kernel says of it, when asked
//	wanted                                    the sockets whose owners are wanted
//	names                                     who is who on the live rows
//
// A flow's "guest VIF" gives it the MAC of the guest behind that vif, see vif.
func (p *player) whoCommand(name string) (run func([]string), ok bool) {
	run, ok = map[string]func([]string){"own": p.own, "owner": p.owner, "disown": p.disown, "class": p.class, "tcp": p.tcp,
		"wanted": p.wanted, "names": p.names}[name]
	return run, ok
}

func (p *player) own(f []string) {
	p.s.newWorld(func(w *flow.World) {
		w.Own = nil
		for _, a := range f {
			w.Own = append(w.Own, netip.MustParseAddr(a))
		}
	})
}

func simSocket(local, remote string) flow.Socket {
	if remote == "-" {
		remote = "0.0.0.0:0"
	}
	k := simKey(local, remote, flow.ProtoTCP)
	s := flow.SocketOf(&k)
	if s.RemotePort == 0 {
		s.Remote = [16]byte{}
	}
	return s
}

func (p *player) owner(f []string) {
	o := flow.Owner{Kernel: true}
	if f[2] != "kernel" {
		name, pid, _ := strings.Cut(strings.TrimSuffix(f[2], "]"), "[")
		n, err := strconv.Atoi(pid)
		if err != nil {
			p.t.Fatal(err)
		}
		o = flow.Owner{Name: name, PID: n}
	}
	p.s.newWorld(func(w *flow.World) {
		list := &w.Owners
		if f[1] == "-" {
			list = &w.Listeners
		}
		if *list = maps.Clone(*list); *list == nil {
			*list = map[flow.Socket]flow.Owner{}
		}
		(*list)[simSocket(f[0], f[1])] = o
	})
}

func (p *player) disown(f []string) {
	p.s.newWorld(func(w *flow.World) {
		w.Owners = maps.Clone(w.Owners)
		delete(w.Owners, simSocket(f[0], f[1]))
	})
}

func (p *player) class(f []string) {
	c, err := flow.DefineClass(f[0], rune(f[1][0]))
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := flow.ParseRule(c, strings.Join(f[2:], " "))
	if err != nil {
		p.t.Fatal(err)
	}
	p.s.newWorld(func(w *flow.World) { w.Rules = append(slices.Clone(w.Rules), r) })
}

func (p *player) tcp(f []string) {
	if p.s.tcp == nil {
		p.s.tcp = map[flow.Socket]flow.TCPInfo{}
	}
	p.s.tcp[simSocket(f[0], f[1])] = flow.TCPInfo{RTT: p.duration(f[3]), MinRTT: p.duration(f[5]), Retransmits: uint32(p.number(f[7])), DeliveryBps: uint64(p.number(f[9]))}
}

// guestFlow gives the newest flow of l the MAC of a guest.
func (p *player) guestFlow(l *simLink, vif string) {
	i := slices.IndexFunc(p.s.guests.vifs, func(v *simVIF) bool { return v.name == vif })
	if i < 0 {
		p.t.Fatalf("no vif %s", vif)
	}
	l.flows[len(l.flows)-1].mac = p.s.guests.vifs[i].mac()
}

// answer is the kernel, asked for TCP_INFO; one that is asked for a connection
// answers it 10 ms later.
func (s *sim) answer(a Ask) {
	info := map[flow.Socket]flow.TCPInfo{}
	var names []string
	for _, k := range a.Sockets {
		if t, ok := s.tcp[k]; ok {
			info[k] = t
		}
		names = append(names, socketText(k))
	}
	s.seen = append(s.seen, fmt.Sprintf("%s asks %s", s.clock(), strings.Join(names, ", ")))
	s.m.TCPInfo(a.ID, s.now.Add(10*time.Millisecond), info)
}

func socketText(k flow.Socket) string {
	end := func(a [16]byte, port uint16) string {
		return netip.AddrPortFrom(netip.AddrFrom16(a).Unmap(), port).String()
	}
	return end(k.Local, k.LocalPort) + "<>" + end(k.Remote, k.RemotePort)
}

func (p *player) wanted([]string) {
	for _, k := range p.s.m.Wanted() {
		p.say("%s", socketText(k))
	}
}

func (p *player) names([]string) {
	f := p.s.m.Frame(p.s.now)
	for i := range f.Links {
		for j := range f.Links[i].Rows {
			r := &f.Links[i].Rows[j]
			p.say("%s %c %s %s %s | %s", f.Links[i].Link.Name, r.Class.Letter(), orNothing(cmp.Or(r.Guest, r.Process)), r.Key.LocalEnd(), r.Key.RemoteEnd(), orNothing(r.Why))
		}
	}
}

// whoText is what a row says of its local end, "" if it says nothing.
func whoText(r *FlowRow) string {
	s := ""
	for _, w := range []struct{ name, value string }{{"vm", r.VM}, {"vif", r.VIF}, {"process", r.Process}} {
		if w.value != "" {
			s += ", " + w.name + " " + w.value
		}
	}
	if r.TCP != nil {
		s += ", tcp " + r.TCP.text()
	}
	if s != "" && r.Why != "" {
		s += " | " + r.Why
	}
	return s
}
