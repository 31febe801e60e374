package incident

import (
	"fmt"
	"strings"
)

// Bounds of the section on storage and VMs.
const (
	mdChains  = 2
	mdFeeders = 3
	mdVIFs    = 3
)

// mdStorage is the section on storage, the VMs that fed it, and the vifs: at
// most 14 lines, none where nothing is known of them.
func mdStorage(in *Incident) []string {
	var lines []string
	if p := in.Storage; p != nil {
		lines = mdStorageLines(p)
	}
	if s := in.VIFSum; s != nil {
		lines = append(lines, "vifs     "+s.text())
		lines = append(lines, mdVIFTable(in)...)
	}
	if len(lines) == 0 {
		return nil
	}
	return fence("Storage and VMs (a vif's rx = toward the VM)", lines)
}

func mdStorageLines(p *StoragePart) []string {
	lines := []string{"storage  " + p.text()}
	for i := range p.Chains[:min(mdChains, len(p.Chains))] {
		lines = append(lines, "chain    "+fenced(p.Chains[i].text(), 4*maxCell))
	}
	if n := len(p.FedBy); n > 0 {
		var s []string
		for i := range p.FedBy[:min(mdFeeders, n)] {
			f := &p.FedBy[i]
			s = append(s, fmt.Sprintf("%s write %s (%s) read %s (%s)", fenced(f.VM, mdMaxName), Rate(f.WriteBps), change(f.WriteDeltaBps), Rate(f.ReadBps), change(f.ReadDeltaBps)))
		}
		if n > mdFeeders {
			s = append(s, fmt.Sprintf("%d more VMs in incident.json", n-mdFeeders))
		}
		lines = append(lines, "disks    "+strings.Join(s, "; "))
	}
	if w := p.Wire; w != nil && p.WirePerWritten != nil {
		lines = append(lines, fmt.Sprintf("wire     %s bytes of storage for each byte written (over %.1f s: in +%s, out +%s, written +%s)",
			factor(p.WirePerWritten), w.Seconds, Bytes(w.InBytes), Bytes(w.OutBytes), Bytes(w.Written)))
	}
	return lines
}

func mdVIFTable(in *Incident) []string {
	t := textTable{align: "lrrrrrl"}
	t.add("vif", "rx", "usual", "tx", "usual", "not read", "vm")
	for i := range in.VIFs[:min(mdVIFs, len(in.VIFs))] {
		v := &in.VIFs[i]
		t.add(v.VIF, Rate(v.RxBps), rate(v.RxBaselineBps), Rate(v.TxBps), rate(v.TxBaselineBps), fmt.Sprint(v.TxDropped), or(v.VM, NoValue))
	}
	return t.lines()
}
