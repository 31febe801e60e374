package incident

import (
	"cmp"
	"slices"

	"spiketop/flow"
	"spiketop/probe"
)

// Around returns what this host's links carried from from to to, in whole slots,
// as far as the look-backs reach: links, classes and flows as in an Incident,
// against the 30 s before. It is the answer to another host's question; nothing
// is kept. Call it as Frame, and not oftener than a few times a second.
func (m *Monitor) Around(from, to flow.Time) *FarPart {
	c := &collecting{kind: KindManual, offset: m.offset, world: m.world, sent: from, from: m.offset.SlotStart(from), end: to,
		classified: m.world.Generation}
	to = slotFloor(m.offset, to.Add(flow.SlotLen-1))
	m.takeBaseline(c)
	m.sumBaseline(c, m.cfg.LookbackSlots)
	b := &builder{m: m, c: c, to: to, sums: m.gather(c, to)}
	m.reclassify(c)
	p := &FarPart{Host: c.world.Host, Version: m.cfg.Version, Window: &Window{c.wall(m, c.from), c.wall(m, to)}}
	p.Links, p.Classes, p.Flows = b.linkParts(), b.classes(), b.flows()
	observed := false
	for _, s := range b.sums {
		observed = observed || s.Slots > 0
	}
	if !observed {
		p.Trouble = "nothing is kept of that time"
	}
	return p
}

// FarQuestion is an incident about which another host on the echo's way may
// know something, too.
type FarQuestion struct {
	Number int       // of the incident in this process
	Window flow.Span // as far as it is known
	Over   bool      // the window does not grow any more, unless another spike comes
	Guilty GuiltyEcho
}

// GuiltyEcho names the echo by which an incident is judged.
type GuiltyEcho struct {
	Known bool // false: frozen by hand
	VM    bool // a VM's: Src is known too, else it is one of this host's addresses
	Src   [16]byte
	Dst   [16]byte
	Seq   uint16
	ID    uint16
	Sent  flow.Time
}

// FarQuestions are the incidents that still collect and will be written, oldest
// first. May be called after Tick.
func (m *Monitor) FarQuestions() []FarQuestion {
	var out []FarQuestion
	for _, c := range m.open {
		if c.suppressed {
			continue
		}
		to, capped := c.window(m.now)
		q := FarQuestion{Number: c.number, Window: flow.Span{From: c.from, To: to}, Over: m.now >= to && (capped || !c.waiting(m.now))}
		if c.t != nil {
			told := c.told(m.now)
			q.Guilty = c.t.guiltyEcho(&told)
		}
		out = append(out, q)
	}
	return out
}

// guiltyEcho names one of t's echoes as it stands in its packets.
func (t *target) guiltyEcho(told *probe.Sample) GuiltyEcho {
	g := GuiltyEcho{Seq: told.Seq, ID: told.ID, Sent: told.Sent}
	switch {
	case t.vm != nil:
		k := &t.vm.key
		g.Known, g.VM, g.Src, g.Dst, g.ID = true, true, k.Src, k.Dst, k.ID
	case t.Addr.IsValid():
		g.Known, g.Dst = true, t.Addr.Unmap().As16()
	}
	return g
}

// Far takes what another host says of the window of incident number; the newest
// word counts. It stands in the incident as that host's word and changes nothing
// of what is believed about this host. An incident that is sealed or unknown is
// ignored. p must not be changed afterwards.
func (m *Monitor) Far(number int, p *FarPart) {
	if c := m.collectingNumber(number); c != nil {
		c.far.part = p
	}
}

// FarEcho takes the echo by which incident number is judged as both hosts saw
// it; as [Monitor.Far].
func (m *Monitor) FarEcho(number int, e FarEcho) {
	if c := m.collectingNumber(number); c != nil {
		c.far.echo = &e
	}
}

func (m *Monitor) collectingNumber(number int) *collecting {
	if i := slices.IndexFunc(m.open, func(c *collecting) bool { return c.number == number && !c.suppressed }); i >= 0 {
		return m.open[i]
	}
	return nil
}

// orFar is a far host's name for a sentence.
func orFar(host string) string { return cmp.Or(Clean(host), "the far host") }
