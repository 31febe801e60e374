package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"spiketop/flow"
)

// simGuests are the vifs and the VMs' disks of the made-up host. Their counters
// are read at every full second of its clock.
type simGuests struct {
	vifs  []*simVIF
	disks []*simDisk
	mute  bool
}

// simFollow makes a flow carry what another one carried 10 ms before.
type simFollow struct {
	leader *simFlow
	queue  []uint64
	last   uint64 // what it carried itself in this step
}

type simVIF struct {
	name, vm string
	ifindex  int
	gone     bool
	rate     [2]float64
	burst    [2]float64
	left     int // steps of the burst
	n        [2]float64
	dropped  uint64
}

type simDisk struct {
	vm    string
	rate  [2]float64 // read, write
	burst [2]float64
	left  int
	n     [2]float64
}

// step is what the flow carries in 10 ms.
func (f *simFlow) step(s *sim) uint64 {
	if f.leader == nil {
		f.last = uint64(f.bps * (1 + f.wobble*s.chance()) * simStep.Seconds() / 8)
		return f.last
	}
	now := f.leader.last
	if f.leader.until != 0 && s.now >= f.leader.until {
		now = 0
	}
	f.queue = append(f.queue, now)
	if len(f.queue) < 2 {
		return 0
	}
	n := f.queue[0]
	f.queue = f.queue[1:]
	return uint64(float64(n) * f.bps)
}

// mac is the guest's own address.
func (v *simVIF) mac() [6]byte {
	return [6]byte{0x52, 0x54, 0, 0, byte(v.ifindex >> 8), byte(v.ifindex)}
}

func (g *simGuests) carry() {
	grow := func(n, rate, burst *[2]float64, left *int) {
		if *left > 0 {
			*left--
			rate = burst
		}
		for i := range n {
			n[i] += rate[i] * simStep.Seconds() / 8
		}
	}
	for _, v := range g.vifs {
		grow(&v.n, &v.rate, &v.burst, &v.left)
	}
	for _, d := range g.disks {
		grow(&d.n, &d.rate, &d.burst, &d.left)
	}
}

func (g *simGuests) deliver(s *sim) {
	if g.mute || s.now.Sub(simStart)%time.Second != 0 {
		return
	}
	var nics []flow.GuestNICCounters
	for _, v := range g.vifs {
		if !v.gone {
			nics = append(nics, flow.GuestNICCounters{At: s.now, Ifindex: v.ifindex, RxBytes: uint64(v.n[0]), TxBytes: uint64(v.n[1]), RxDropped: v.dropped})
		}
	}
	s.m.GuestNICs(nics)
	var disks []flow.DiskCounters
	for _, d := range g.disks {
		disks = append(disks, flow.DiskCounters{At: s.now, Guest: d.vm, ReadBytes: uint64(d.n[0]), WriteBytes: uint64(d.n[1])})
	}
	s.m.Disks(disks)
}

func (s *sim) guestWorld() {
	s.newWorld(func(w *flow.World) {
		w.Guests = nil
		for _, v := range s.guests.vifs {
			if !v.gone {
				w.Guests = append(w.Guests, flow.GuestNIC{Name: v.name, Ifindex: v.ifindex, Guest: v.vm, MACs: [][6]byte{v.mac()}, Source: "user map"})
			}
		}
	})
}

// guestCommand are the commands for guests:
//
//	vif NAME IFINDEX VM rx RATE tx RATE [for D]   a vif, or new rates of it; toward the VM is rx
//	vif NAME gone | index N | reset | drop N
//	disk VM read RATE write RATE [for D]; disk VM reset
//	readings off|on                               of vifs and disks
//	follow NIC rx|tx FROM TO of N xRATIO          a flow that carries 10 ms later what flow N (from 1) does
//	storage                                       what the incident says of all that
func (p *player) guestCommand(name string) (run func([]string), ok bool) {
	run, ok = map[string]func([]string){"vif": p.vif, "disk": p.disk, "readings": func(f []string) { p.s.guests.mute = f[0] == "off" },
		"follow": p.follow, "storage": p.storage, "carried": p.carried}[name]
	return run, ok
}

func (p *player) vif(f []string) {
	g := &p.s.guests
	i := slices.IndexFunc(g.vifs, func(v *simVIF) bool { return v.name == f[0] })
	switch f[1] {
	case "gone":
		g.vifs[i].gone = true
	case "index":
		g.vifs[i].ifindex, g.vifs[i].n, g.vifs[i].gone = int(p.number(f[2])), [2]float64{}, false
	case "reset":
		g.vifs[i].n = [2]float64{}
	case "drop":
		g.vifs[i].dropped += uint64(p.number(f[2]))
	default:
		if i < 0 {
			i = len(g.vifs)
			g.vifs = append(g.vifs, &simVIF{name: f[0], ifindex: int(p.number(f[1])), vm: strings.Trim(f[2], "-")})
		}
		rate := [2]float64{p.number(f[4]), p.number(f[6])}
		if len(f) > 7 {
			g.vifs[i].burst, g.vifs[i].left = rate, int(p.duration(f[8])/simStep)
		} else {
			g.vifs[i].rate = rate
		}
	}
	p.s.guestWorld()
}

func (p *player) disk(f []string) {
	g := &p.s.guests
	i := slices.IndexFunc(g.disks, func(d *simDisk) bool { return d.vm == f[0] })
	if f[1] == "reset" {
		g.disks[i].n = [2]float64{}
		return
	}
	if i < 0 {
		i = len(g.disks)
		g.disks = append(g.disks, &simDisk{vm: f[0]})
	}
	rate := [2]float64{p.number(f[2]), p.number(f[4])}
	if len(f) > 5 {
		g.disks[i].burst, g.disks[i].left = rate, int(p.duration(f[6])/simStep)
		return
	}
	g.disks[i].rate = rate
}

func (p *player) follow(f []string) {
	l := p.link(f[0])
	d := flow.Rx
	if f[1] == "tx" {
		d = flow.Tx
	}
	var all []*simFlow
	for _, link := range p.s.links {
		all = append(all, link.flows...)
	}
	leader := all[int(p.number(f[5]))-1]
	l.addFlow(p.s, d, f[2], f[3], p.number(strings.TrimPrefix(f[6], "x")), 0, 0)
	l.flows[len(l.flows)-1].leader = leader
}

func (p *player) storage([]string) {
	in := p.last()
	for i := range in.VIFs {
		v := &in.VIFs[i]
		p.say("vif %s %s rx %s (usual %s) tx %s (usual %s) not read %d", v.VIF, orNothing(v.VM), Rate(v.RxBps), rate(v.RxBaselineBps), Rate(v.TxBps), rate(v.TxBaselineBps), v.TxDropped)
	}
	if s := in.VIFSum; s != nil {
		p.say("sum %d vifs, %.1f s: rx %s tx %s, links %s, share %s (usual %s)", s.VIFs, s.Seconds, Bytes(s.RxBytes), Bytes(s.TxBytes), Bytes(s.LinkBytes), ratio(s.Share), ratio(s.BaselineShare))
	}
	s := in.Storage
	if s == nil {
		p.say("no storage")
		return
	}
	p.say("storage in %s out %s, usual %s %s, out/in %s (usual %s)", Bytes(s.InBytes), Bytes(s.OutBytes), rate(s.BaselineInBps), rate(s.BaselineOutBps), factor(s.Amplification), factor(s.BaselineAmplification))
	p.say("writes in %s out %s (%s), reads in %s out %s (%s), undecided in %s out %s", Bytes(s.Writes.InBytes), Bytes(s.Writes.OutBytes), factor(s.Writes.Amplification),
		Bytes(s.Reads.InBytes), Bytes(s.Reads.OutBytes), factor(s.Reads.Amplification), Bytes(s.Undecided.InBytes), Bytes(s.Undecided.OutBytes))
	for i := range s.Chains {
		c := &s.Chains[i]
		p.say("chain %s, %d slots", c.text(), c.Slots)
		for j := range c.Out {
			p.say("  correlation %.2f", *c.Out[j].Correlation)
		}
	}
	for i := range s.FedBy {
		f := &s.FedBy[i]
		p.say("disk %s write %s (%s) read %s (%s)", f.VM, Rate(f.WriteBps), change(f.WriteDeltaBps), Rate(f.ReadBps), change(f.ReadDeltaBps))
	}
	if w := s.Wire; w != nil {
		p.say("wire %s: %.1f s, in +%s out +%s, written +%s read +%s", factor(s.WirePerWritten), w.Seconds, Bytes(w.InBytes), Bytes(w.OutBytes), Bytes(w.Written), Bytes(w.Read))
	}
}

func (p *player) carried([]string) {
	c := p.s.m.Frame(p.s.now).Carried
	p.say("carried: storage %s %s, %d vifs %s %s, share %s", Rate(c.Storage[0]), Rate(c.Storage[1]), c.VIFs, Rate(c.VIF[0]), Rate(c.VIF[1]), fmt.Sprintf("%.3f", c.Share))
}
