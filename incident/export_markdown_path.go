package incident

import (
	"fmt"
	"slices"
)

const mdMaxLegs = 8

// mdLegs is the way of a VM's echo through this host.
func mdLegs(p *PathPart, segment string) []string {
	t := textTable{align: "lllrr"}
	t.add("from", "to", "between", "ms", "usual ms")
	for i := range p.Legs[:min(mdMaxLegs, len(p.Legs))] {
		l := &p.Legs[i]
		t.add(l.From, l.To, l.What, ms(&l.Took), ms(l.Usual))
	}
	more := ""
	if n := len(p.Echoes) - 1; n > 0 {
		more = fmt.Sprintf(" %d more late echoes of VMs in incident.json.", n)
	}
	return slices.Concat(fence("Way of the VM's echo through this host", t.lines())[:len(t.lines())+3],
		[]string{"Path: the delay lies in: " + segment + "." + more, ""})
}

// pingName is whom a ping goes to, and whose it is if it is a VM's.
func pingName(p *PingPart) string {
	if p.Src == "" {
		return p.Target
	}
	return p.Src + " > " + p.Target
}
