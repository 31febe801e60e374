package incident

import (
	"fmt"
	"strings"
)

// Bounds of the lines on storage and VMs.
const (
	mdChains    = 2
	mdFeeders   = 3
	mdVIFs      = 2
	mdLeastRows = 4 // flows that are shown before these lines get any room
)

// mdGuests are the lines on storage, on the VMs that fed it, and on the vifs, no
// more than most of them, what tells most first; none where nothing is known.
func mdGuests(in *Incident, most int) []string {
	var lines []string
	if p := in.Storage; p != nil {
		if p.InBytes+p.OutBytes > 0 {
			lines = append(lines, "storage: "+p.text())
		}
		if len(p.FedBy) > 0 {
			lines = append(lines, "disks: "+mdDisks(p))
		}
	}
	if s := in.VIFSum; s != nil {
		lines = append(lines, "vifs: "+s.text()+mdChanged(in))
	}
	if p := in.Storage; p != nil {
		for i := range p.Chains[:min(mdChains, len(p.Chains))] {
			lines = append(lines, "chain: "+fenced(p.Chains[i].text(), 4*maxCell))
		}
	}
	if most = max(most, 0); most < len(lines) {
		lines = lines[:most]
	}
	return lines
}

// mdDisks is what the VMs' disks did, and what came of it on the wire.
func mdDisks(p *StoragePart) string {
	var s []string
	for i := range p.FedBy[:min(mdFeeders, len(p.FedBy))] {
		f := &p.FedBy[i]
		s = append(s, fenced(f.VM, mdMaxName)+or(mdDisk(" write ", f.WriteBps, f.WriteDeltaBps)+mdDisk(" read ", f.ReadBps, f.ReadDeltaBps), " idle"))
	}
	if n := len(p.FedBy) - len(s); n > 0 {
		s = append(s, fmt.Sprintf("%d more in incident.json", n))
	}
	if p.WirePerWritten != nil {
		s = append(s, factor(p.WirePerWritten)+" bytes on the wire for each one written")
	}
	return strings.Join(s, "; ")
}

// mdDisk is one direction of a VM's disks, and what that is more than usual;
// nothing where it stands still and did before.
func mdDisk(word string, bps float64, delta *float64) string {
	switch {
	case Rate(bps) == "0" && (delta == nil || Rate(*delta) == "0"):
		return ""
	case delta == nil:
		return word + Rate(bps)
	}
	return word + Rate(bps) + " (" + Change(*delta) + ")"
}

// mdChanged names the vifs that changed most; rx is toward the VM.
func mdChanged(in *Incident) string {
	var s []string
	for i := range in.VIFs[:min(mdVIFs, len(in.VIFs))] {
		v := &in.VIFs[i]
		t := fenced(v.VIF, mdMaxName)
		if v.VM != "" {
			t += " (" + fenced(v.VM, mdMaxName) + ")"
		}
		t += " rx " + Rate(v.RxBps) + mdUsual(v.RxBaselineBps, Rate) + " tx " + Rate(v.TxBps) + mdUsual(v.TxBaselineBps, Rate)
		if v.TxDropped > 0 {
			t += fmt.Sprintf(", %d frames not read by the VM", v.TxDropped)
		}
		s = append(s, t)
	}
	if len(s) == 0 {
		return ""
	}
	return "; most changed: " + strings.Join(s, ", ")
}
