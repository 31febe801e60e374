package incident

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"spiketop/flow"
)

// Bounds of what is remembered of guests.
const (
	maxGuestSeries    = 4096 // vifs, and as many VMs' disks; who comes later is not remembered
	readingsPerSecond = 4    // so many readings are kept at most, one is usual
	maxGuests         = 50   // vifs, and VMs, that an incident lists
)

// guestMemory is the recent past of the counters of vifs and of VMs' disks.
type guestMemory struct {
	vifs  map[int]*vifTally // by ifindex
	gone  []*vifTally       // whose ifindex now belongs to another name
	disks map[string]*tally // by VM
	names map[int]*flow.GuestNIC
	full  bool
}

// vifTally is one vif; name and vm are what the World said last.
type vifTally struct {
	tally
	name, vm string
}

// GuestNICs takes a reading of the vifs' counters, cumulative since each vif was
// made; one a second is enough, 4 a second are kept. Vifs are named by
// World.Guests, by ifindex; one that no World has named is left out of what is
// shown. A counter that falls has begun anew: what it counted meanwhile is not
// known, and is not guessed. Call it as [Monitor.Counters].
func (m *Monitor) GuestNICs(c []flow.GuestNICCounters) {
	keep, most := m.guestBounds()
	for i := range c {
		t := m.guests.vif(c[i].Ifindex)
		if t == nil {
			m.guestsFull(c[i].At)
			continue
		}
		t.add(reading{c[i].At, [3]uint64{rxBytes: c[i].RxBytes, txBytes: c[i].TxBytes, rxDropped: c[i].RxDropped}}, keep, most)
	}
	m.guests.forget(m.now.Add(-keep))
}

// Disks takes a reading of what the VMs have read from and written to their
// disks, cumulative; one a second is enough, 4 a second are kept. A VM that
// restarts begins at zero. Call it as [Monitor.Counters].
func (m *Monitor) Disks(c []flow.DiskCounters) {
	keep, most := m.guestBounds()
	g := &m.guests
	for i := range c {
		t := g.disks[c[i].Guest]
		if t == nil {
			if len(g.disks) == maxGuestSeries {
				m.guestsFull(c[i].At)
				continue
			}
			if g.disks == nil {
				g.disks = make(map[string]*tally)
			}
			t = &tally{}
			g.disks[c[i].Guest] = t
		}
		t.add(reading{c[i].At, [3]uint64{readBytes: c[i].ReadBytes, writeBytes: c[i].WriteBytes}}, keep, most)
	}
	g.forget(m.now.Add(-keep))
}

// guestBounds is how much of each counter's past is kept: as long as the
// look-back, and a few seconds for the pair around its begin.
func (m *Monitor) guestBounds() (keep time.Duration, most int) {
	keep = max(time.Duration(m.cfg.LookbackSlots)*flow.SlotLen, counterMemory) + readingGap
	return keep, int(keep/time.Second) * readingsPerSecond * 4 / 3
}

func (m *Monitor) guestsFull(at flow.Time) {
	if !m.guests.full {
		m.guests.full = true
		m.note(at, "more vifs or VMs than are remembered: the counters of some are left out")
	}
}

// vif returns the tally of ifindex; nil if there is no room for another.
func (g *guestMemory) vif(ifindex int) *vifTally {
	if t := g.vifs[ifindex]; t != nil {
		return t
	}
	if len(g.vifs)+len(g.gone) >= maxGuestSeries {
		return nil
	}
	if g.vifs == nil {
		g.vifs = make(map[int]*vifTally)
	}
	t := &vifTally{}
	if n := g.names[ifindex]; n != nil {
		t.name, t.vm = n.Name, n.Guest
	}
	g.vifs[ifindex] = t
	return t
}

// name takes who is who. An ifindex that has another name than before is another
// vif; a vif that has gone keeps its name as long as it is remembered.
func (g *guestMemory) name(list []flow.GuestNIC) {
	g.names = make(map[int]*flow.GuestNIC, len(list))
	for i := range list {
		n := &list[i]
		g.names[n.Ifindex] = n
		t := g.vifs[n.Ifindex]
		if t == nil {
			continue
		}
		if t.name != "" && t.name != n.Name {
			g.gone = append(g.gone, t)
			delete(g.vifs, n.Ifindex)
			continue
		}
		t.name, t.vm = n.Name, n.Guest
	}
}

// forget drops what has not been read since before.
func (g *guestMemory) forget(before flow.Time) {
	old := func(t *tally) bool { return t.newest() < before }
	maps.DeleteFunc(g.vifs, func(_ int, t *vifTally) bool { return old(&t.tally) })
	g.gone = slices.DeleteFunc(g.gone, func(t *vifTally) bool { return old(&t.tally) })
	maps.DeleteFunc(g.disks, func(_ string, t *tally) bool { return old(t) })
}

// namedVIF is one vif by its name, with every ifindex it had.
type namedVIF struct {
	name, vm string
	parts    []*tally
}

// named returns the vifs that have a name, by name.
func (g *guestMemory) named() []namedVIF {
	byName := make(map[string]*namedVIF, len(g.vifs))
	add := func(t *vifTally) {
		if t.name == "" {
			return
		}
		v := byName[t.name]
		if v == nil {
			v = &namedVIF{name: t.name}
			byName[t.name] = v
		}
		v.parts = append(v.parts, &t.tally)
		if v.vm == "" {
			v.vm = t.vm
		}
	}
	for _, i := range slices.Sorted(maps.Keys(g.vifs)) {
		add(g.vifs[i])
	}
	for _, t := range g.gone {
		add(t)
	}
	list := make([]namedVIF, 0, len(byName))
	for _, v := range byName {
		list = append(list, *v)
	}
	slices.SortFunc(list, func(a, b namedVIF) int { return cmp.Compare(a.name, b.name) })
	return list
}

// sum adds up what is known of a vif over all its devices, one after another.
func (v *namedVIF) sum(f func(*tally) growth) (g growth) {
	for _, t := range v.parts {
		part := f(t)
		g.add(&part)
	}
	return g
}

// reach is how far the newest readings of vifs and disks lie into the time
// before to: while it changes, a picture of that time gets better.
func (g *guestMemory) reach(to flow.Time) (r [2]flow.Time) {
	for _, t := range g.vifs {
		r[0] = max(r[0], min(t.newest(), to))
	}
	for _, t := range g.disks {
		r[1] = max(r[1], min(t.newest(), to))
	}
	return r
}
