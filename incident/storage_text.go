package incident

import (
	"fmt"
	"math"
	"strings"
)

// Sentences about storage and VMs, for evidence, Markdown and screens.

const maxGuestName = 64

// feedLeast is the part of storage's growth that a VM's disks must have grown by
// to be named as what fed it.
const feedLeast = 0.1

// growth is by how much the busier direction of storage was over its baseline;
// 0 without one.
func (p *StoragePart) growth() float64 {
	if p.BaselineInBps == nil || p.BaselineOutBps == nil {
		return 0
	}
	return max(p.InBps-*p.BaselineInBps, p.OutBps-*p.BaselineOutBps)
}

// Feeders are the VMs whose disks grew enough to have fed the storage traffic,
// the most first. They share FedBy's memory.
func (p *StoragePart) Feeders() []FedBy {
	g := p.growth()
	if g <= 0 {
		return nil
	}
	for i := range p.FedBy {
		if f := &p.FedBy[i]; f.WriteDeltaBps == nil || f.change() < feedLeast*g || f.change() < 1 {
			return p.FedBy[:i:i]
		}
	}
	return p.FedBy
}

// Text says what the VM's disks did more than usual: "vm_b: write +2.20G".
// What grew less than a tenth of the other is left out.
func (f *FedBy) Text() string { return f.text(Change) }

func (f *FedBy) text(format func(float64) string) string {
	w, r := f.WriteBps, f.ReadBps
	if f.WriteDeltaBps != nil && f.ReadDeltaBps != nil {
		w, r = *f.WriteDeltaBps, *f.ReadDeltaBps
	}
	var s []string
	if w >= r/10 {
		s = append(s, "write "+format(w))
	}
	if r > w/10 {
		s = append(s, "read "+format(r))
	}
	return CleanMax(f.VM, maxGuestName) + ": " + strings.Join(s, ", ")
}

// Shape says how many flows a chain has: "1 in -> 2 out: three replicas". What
// stores this host's copy is not seen, and with one flow out another host may
// send it on.
func (c *ChainPart) Shape() string { return c.shape("->") }

func (c *ChainPart) shape(arrow string) string {
	words := [...]string{2: "at least two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine"}
	n := fmt.Sprint(c.Replicas)
	if c.Replicas >= 2 && c.Replicas < len(words) {
		n = words[c.Replicas]
	}
	return fmt.Sprintf("1 in %s %d out: %s replicas", arrow, len(c.Out), n)
}

// text names the flows of a chain as well.
func (c *ChainPart) text() string {
	out := make([]string, len(c.Out))
	for i := range c.Out {
		f := &c.Out[i]
		out[i] = fmt.Sprintf("%s (%s, x %s)", flowEnds(f.Local, f.Remote, "tx"), Clean(f.Link), factor(f.Ratio))
	}
	return fmt.Sprintf("%s: %s (%s) with %s", c.Shape(), flowEnds(c.In.Local, c.In.Remote, "rx"), Clean(c.In.Link), strings.Join(out, ", "))
}

// factor writes a ratio that may be over 1: "2.0", "0.13".
func factor(r *float64) string {
	switch {
	case r == nil, math.IsNaN(*r), math.IsInf(*r, 0):
		return NoValue
	case *r <= 0:
		return "0"
	case *r < 0.005:
		return "<0.01"
	case *r < 0.995:
		return fmt.Sprintf("%.2f", *r)
	case *r < 99.95:
		return fmt.Sprintf("%.1f", *r)
	}
	return fmt.Sprintf("%.0f", *r)
}

// Factor writes a ratio of bytes: "2.0", "0.13", "?" if it is not known.
func Factor(r *float64) string { return factor(r) }

// text is storage in one line.
func (p *StoragePart) text() string {
	usual := func(bps *float64) string {
		if bps == nil {
			return "usual not known"
		}
		return "usual " + perSecond(*bps)
	}
	s := fmt.Sprintf("in %s (%s), out %s (%s)", perSecond(p.InBps), usual(p.BaselineInBps), perSecond(p.OutBps), usual(p.BaselineOutBps))
	if p.Amplification != nil {
		s += ", out/in " + factor(p.Amplification)
		if p.BaselineAmplification != nil {
			s += " (usual " + factor(p.BaselineAmplification) + ")"
		}
	}
	if w := p.Writes.Amplification; w != nil && 10*(p.Reads.InBytes+p.Reads.OutBytes) > p.InBytes+p.OutBytes {
		s += ", of writes alone " + factor(w)
	}
	return s
}

// text is the sum of the vifs in one line.
func (s *VIFSum) text() string {
	rx, tx := s.rates()
	t := fmt.Sprintf("%s over %.1f s: %s toward the VMs, %s from them", countVIFs(s.VIFs), s.Seconds, perSecond(rx), perSecond(tx))
	if s.Share == nil {
		return t
	}
	t += ", " + Percent(*s.Share) + " of what the NICs carried"
	if s.BaselineShare != nil {
		t += " (usual " + Percent(*s.BaselineShare) + ")"
	}
	if *s.Share > 1 {
		t += ": VMs of this host talk to one another"
	}
	return t
}

func countVIFs(n int) string {
	switch n {
	case 1:
		return "1 vif"
	case 2:
		return "both vifs together"
	}
	return fmt.Sprintf("all %d vifs together", n)
}

// rates are the sum's rates over its own time, bit/s.
func (s *VIFSum) rates() (rx, tx float64) {
	if s.Seconds <= 0 {
		return 0, 0
	}
	return float64(s.RxBytes) * 8 / s.Seconds, float64(s.TxBytes) * 8 / s.Seconds
}

// Rates are the vifs' sum over its own time in bit/s: toward the guests, and from
// them.
func (s *VIFSum) Rates() (rx, tx float64) { return s.rates() }

// guestEvidence is what storage, disks and vifs add to the evidence.
func guestEvidence(in *Incident) (list []string) {
	if p := in.Storage; p != nil {
		if p.InBytes+p.OutBytes > 0 {
			list = append(list, "storage: "+p.text())
		}
		for i := range p.Chains {
			if i < 2 {
				list = append(list, "storage chain, "+p.Chains[i].text())
			}
		}
		for i, f := range p.Feeders() {
			if i < 3 {
				list = append(list, "fed by "+f.text(signedRate))
			}
		}
		if w := p.WirePerWritten; w != nil {
			list = append(list, fmt.Sprintf("storage carried %s bytes more for each byte that the VMs wrote more", factor(w)))
		}
	}
	if s := in.VIFSum; s != nil {
		list = append(list, "VMs: "+s.text())
		for i := range in.VIFs {
			if v := &in.VIFs[i]; v.TxDropped > 0 && !in.Path.passes(v.VIF) {
				list = append(list, fmt.Sprintf("vif %s (%s): %d frames toward it were not read by the guest", CleanMax(v.VIF, maxGuestName), orNothing(CleanMax(v.VM, maxGuestName)), v.TxDropped))
				break
			}
		}
	}
	return list
}

// nameFeeder adds the VM that fed a storage burst to the sentence.
func nameFeeder(in *Incident) {
	if in.Verdict.Cause != "storage" || in.Storage == nil {
		return
	}
	if f := in.Storage.Feeders(); len(f) > 0 {
		in.Verdict.Sentence += " Fed by " + f[0].text(signedRate) + "."
	}
}
