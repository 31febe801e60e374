package incident

import (
	"fmt"

	"spiketop/flow"
)

// advice is one sentence on what to do about the growth r, by its cause and with
// the names that are known.
func advice(in *Incident, r *burst) string {
	v := &in.Verdict
	// The growth's name is that of its largest flow only if the flow is of the
	// class that is blamed.
	name := ""
	if v.Burst.Class == v.Cause && v.Burst.Proto != "" {
		name = culprit(v.Burst)
	}
	switch r.class {
	case flow.Storage:
		return storageAdvice(in, r, name)
	case flow.VIF:
		if name == "" {
			return fmt.Sprintf("Spread the VMs' traffic over the other links, or limit it below what %s carries.", Clean(r.w.l.Name))
		}
		return fmt.Sprintf("Limit %s below what %s carries, or spread it: another host, or more flows over the other links.", name, Clean(r.w.l.Name))
	case flow.Host:
		return hostAdvice(in, r, name)
	case flow.Unknown, flow.Control:
		return queueAdvice(in, r)
	}
	if name != "" {
		name = " (" + name + ")"
	}
	return fmt.Sprintf("Throttle class %s%s below what %s carries, or run it at another time.", CleanMax(v.Cause, maxGuestName), name, Clean(r.w.l.Name))
}

// culprit names whoever has the local end: "vm_a (vif 023471)", "rsync[812]".
func culprit(p *BurstPart) string {
	switch {
	case p.VM != "":
		return fmt.Sprintf("%s (vif %s)", CleanMax(p.VM, maxGuestName), CleanMax(p.VIF, maxGuestName))
	case p.VIF != "":
		return "vif " + CleanMax(p.VIF, maxGuestName)
	}
	return CleanMax(p.Process, maxGuestName)
}

func storageAdvice(in *Incident, r *burst, name string) string {
	s := "Throttle storage"
	if name != "" && name != kernelOwner {
		s += " (" + name + ")"
	}
	s += fmt.Sprintf(" below the driver, to less than %s carries, or spread it over the other links", Clean(r.w.l.Name))
	if in.Storage != nil {
		if f := in.Storage.Feeders(); len(f) > 0 {
			return s + "; " + CleanMax(f[0].VM, maxGuestName) + " fed it: limit its disk."
		}
	}
	return s + "."
}

func hostAdvice(in *Incident, r *burst, name string) string {
	switch name {
	case "":
		if v := in.Verdict.Burst; v.Proto != "" && v.FlowShare >= 0.5 {
			return fmt.Sprintf("Find the process of this host that has %s (ss -tunp), and limit it below what %s carries.", v.Local, Clean(r.w.l.Name))
		}
		return queueAdvice(in, r)
	case kernelOwner:
		return fmt.Sprintf("The kernel itself has %s (nfs, iSCSI, NVMe over TCP, a network block device): limit what uses it.", in.Verdict.Burst.Local)
	}
	return fmt.Sprintf("Limit process %s of this host below what %s carries, or run it at another time.", name, Clean(r.w.l.Name))
}

// queueAdvice is where to look when nobody is known who could be told.
func queueAdvice(in *Incident, r *burst) string {
	switch {
	case r.w.d == flow.Tx && in.Path.VerdictSegment == SegmentNIC:
		return fmt.Sprintf("The queue of %s was full of its own output: limit the sender, or look at the qdisc.", Clean(r.w.l.Name))
	case r.w.d == flow.Rx:
		return fmt.Sprintf("Look at the output queue of the switch port toward %s at that time.", Clean(r.w.l.Name))
	}
	return ""
}
