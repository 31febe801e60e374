package incident

import (
	"slices"
	"strings"
)

// learnPath notes the vifs that a VM's echo passed: they stand beside NICs, which
// keep their names.
func (m *masker) learnPath(in *Incident) {
	vif := func(s string) {
		nic := func(l LinkPart) bool { return l.Name == s || len(s) > len(l.Name) && s[:len(l.Name)+1] == l.Name+"/" }
		if in.Far != nil && in.Far.Host != "" { // "nc2:eth0" is a point of the far host
			if point, ok := strings.CutPrefix(s, in.Far.Host+":"); ok || s == in.Far.Host {
				if s = point; slices.ContainsFunc(in.Far.Links, nic) {
					return
				}
			}
		}
		if !slices.ContainsFunc(in.Links, nic) {
			m.name("vif", s)
		}
	}
	vif(in.Trigger.Point)
	for i := range in.Path.Legs {
		vif(in.Path.Legs[i].From)
		vif(in.Path.Legs[i].To)
	}
	for i := range in.Path.Echoes {
		for j := range in.Path.Echoes[i].Points {
			vif(in.Path.Echoes[i].Points[j].Name)
		}
	}
}
