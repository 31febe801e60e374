package incident

import (
	"time"

	"spiketop/flow"
)

// simDriver is what a NIC's driver counts.
type simDriver struct {
	stats flow.NICStats
	tells bool
	each  [flow.NICCounts]uint64 // for every second
}

// simLoad is what the kernel says about the CPUs.
type simLoad struct {
	flow.HostLoad
	tells    bool
	stealing []time.Duration // for every second
	stalling time.Duration
}

// deliverNear reads drivers and CPUs once a second, between the counters' times.
func (s *sim) deliverNear() {
	if s.now.Sub(simStart)%time.Second != 500*time.Millisecond {
		return
	}
	for _, l := range s.links {
		d := &l.driver
		if !d.tells {
			continue
		}
		for c, n := range d.each {
			d.stats.Count[c] += n
		}
		d.stats.At, d.stats.Link = s.now, l.ID
		s.m.NICStats(d.stats)
	}
	if l := &s.load; l.tells {
		l.StealBy = append([]time.Duration(nil), l.StealBy...)
		for cpu, d := range l.stealing {
			l.steal(cpu, d)
		}
		l.Stalled += l.stalling
		l.At = s.now
		s.m.HostLoad(l.HostLoad)
	}
}

func (l *simLoad) steal(cpu int, d time.Duration) {
	l.StealBy = append([]time.Duration(nil), l.StealBy...)
	l.StealBy[cpu] += d
	l.Steal += d
}

// nearCommand finds a command of these:
//
//	driver NIC COUNT ...      its driver tells these counts (rx_missed, pause_tx, ...), once a second
//	count NIC COUNT N         that one grows by N
//	each NIC COUNT N          and by N in every second from now on
//	softnet drops|squeezed N  of the whole host; "softnet read" without any
//	cpus N [psi]              the CPUs are read once a second
//	steal CPU D; stealing CPU D      the hypervisor takes D now, or in every second
//	stalled D; stalling D            tasks wait for a CPU
func (p *player) nearCommand(name string) (func([]string), bool) {
	run, ok := map[string]func([]string){"driver": p.driver, "count": p.count, "each": p.each, "softnet": p.softnet, "cpus": p.cpus,
		"steal": p.steal, "stealing": p.stealing, "stalled": p.stalled, "stalling": p.stalling}[name]
	return run, ok
}

func (p *player) nicCount(name string) flow.NICCount {
	for c := range flow.NICCounts {
		if c.String() == name {
			return c
		}
	}
	p.t.Fatalf("no count %q", name)
	return 0
}

func (p *player) driver(f []string) {
	d := &p.link(f[0]).driver
	d.tells = true
	for _, name := range f[1:] {
		d.stats.Known[p.nicCount(name)] = true
	}
}

func (p *player) count(f []string) {
	p.link(f[0]).driver.stats.Count[p.nicCount(f[1])] += uint64(p.number(f[2]))
}

func (p *player) each(f []string) {
	p.link(f[0]).driver.each[p.nicCount(f[1])] = uint64(p.number(f[2]))
}

func (p *player) softnet(f []string) {
	for _, l := range p.s.links {
		l.counter.HasSoftnet = true
		switch f[0] {
		case "drops":
			l.counter.SoftnetDropped += uint64(p.number(f[1]))
		case "squeezed":
			l.counter.SoftnetSqueezed += uint64(p.number(f[1]))
		}
	}
}

func (p *player) cpus(f []string) {
	n := int(p.number(f[0]))
	l := &p.s.load
	l.tells, l.CPUs, l.HasSteal, l.Running = true, n, true, 1
	l.HasPSI = len(f) > 1
	l.StealBy, l.stealing = make([]time.Duration, n), make([]time.Duration, n)
}

func (p *player) steal(f []string)    { p.s.load.steal(int(p.number(f[0])), p.duration(f[1])) }
func (p *player) stealing(f []string) { p.s.load.stealing[int(p.number(f[0]))] = p.duration(f[1]) }
func (p *player) stalled(f []string)  { p.s.load.Stalled += p.duration(f[0]) }
func (p *player) stalling(f []string) { p.s.load.stalling = p.duration(f[0]) }
