package incident

import (
	"cmp"
	"fmt"
	"strings"

	"spiketop/flow"
)

// whose says who has the local end of a flow: a guest with its vif, or a process
// of this host. Names are foreign text, as they came.
type whose struct {
	vm, vif string
	owner   flow.Owner
	owned   bool // owner is known
}

func (w *whose) known() bool { return w.vif != "" || w.owned }

// whoseIs asks w. A guest's flow has no socket here, whatever its addresses are.
func whoseIs(w *flow.World, k *flow.Key, mac, inner [6]byte) (who whose) {
	if g := w.GuestOf(mac, inner); g != nil {
		return whose{vm: g.Guest, vif: g.Name}
	}
	who.owner, who.owned = w.OwnerOf(k)
	return who
}

// process is the owner as it is written: "chunkserver[812]", or "kernel" for a
// socket that has an owner inside the kernel.
func (w *whose) process() string {
	switch {
	case !w.owned:
		return ""
	case w.owner.Kernel:
		return kernelOwner
	}
	return fmt.Sprintf("%s[%d]", w.owner.Name, w.owner.PID)
}

const kernelOwner = "kernel"

// maxShownName bounds a name that stands in place of an address.
const maxShownName = 40

// shownName makes a name fit to stand where an address does: "" if there is none.
// A colon would be taken for the begin of a port.
func shownName(name string) string {
	return strings.ReplaceAll(CleanMax(name, maxShownName), ":", "_")
}

// processName is the name of "chunkserver[812]".
func processName(process string) string {
	if i := strings.LastIndexByte(process, '['); i > 0 && strings.HasSuffix(process, "]") {
		return process[:i]
	}
	return process
}

// named puts the name of the local end behind its address:
// "10.1.16.165:9422 (chunkserver)", "192.168.47.111:443 (vm_a, 023471)".
func named(local, vm, vif, process string) string {
	var names []string
	for _, s := range []string{vm, vif, processName(process)} {
		if s != "" {
			names = append(names, CleanMax(s, maxShownName))
		}
	}
	if len(names) == 0 {
		return local
	}
	return local + " (" + strings.Join(names, ", ") + ")"
}

func (f *FlowRow) namedLocal() string   { return named(f.Local, f.VM, f.VIF, f.Process) }
func (p *BurstPart) namedLocal() string { return named(p.Local, p.VM, p.VIF, p.Process) }

// shortLocal is the local end as screens show it: the name in place of the
// address where one is known.
func (p *BurstPart) shortLocal() string {
	name := shownName(cmp.Or(p.VM, processName(p.Process)))
	if name == "" {
		return p.Local
	}
	return name + portOf(p.Local)
}

// portOf is ":9422" of "10.1.16.165:9422", "" of an end without port.
func portOf(end string) string {
	i := strings.LastIndexByte(end, ':')
	if i > 0 && (end[i-1] == ']' || strings.IndexByte(end, ':') == i) {
		return end[i:]
	}
	return ""
}

// whoseFlow says who has the local end of a flow of c, by the newest World; what
// a former picture knew stays known, for connections close and VMs leave while
// the incident is open.
func (b *builder) whoseFlow(k *flow.Key, mac, inner [6]byte) whose {
	if who := whoseIs(b.m.world, k, mac, inner); who.known() {
		b.c.remember(k, who)
		return who
	}
	return b.c.whose[*k]
}

// maxWhose bounds what an open incident remembers of names: both directions' rows
// some times over.
const maxWhose = 1024

func (c *collecting) remember(k *flow.Key, who whose) {
	if c.whose == nil {
		c.whose = make(map[flow.Key]whose)
	}
	if _, ok := c.whose[*k]; ok || len(c.whose) < maxWhose {
		c.whose[*k] = who
	}
}

// reclassify gives every flow that c has summed up the class it has in the newest
// World: owners and guests become known a moment after the freeze, and window and
// baseline must be compared by the same classes.
func (m *Monitor) reclassify(c *collecting) {
	if c.classified == m.world.Generation {
		return
	}
	c.classified = m.world.Generation
	for _, l := range m.links {
		classify := m.world.ClassifyOn(l.ID)
		if g := c.win[l.ID]; g != nil {
			g.reclassify(classify)
		}
		if b := c.baseLinks[l.ID]; b != nil {
			b.reclassify(classify)
		}
	}
}

func (g *gathered) reclassify(classify flow.ClassifyFunc) {
	for i := range g.sum.Flows {
		f := &g.sum.Flows[i]
		f.Class, f.Why = classify(&f.Key, f.MAC, f.Inner)
	}
}
