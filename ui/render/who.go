package render

import (
	"strconv"
	"strings"

	"spiketop/flow"
	"spiketop/incident"
)

// who is what is known of the local end of a row besides its address.
type who struct {
	guest, vif string // the VM or container whose flow it is, and its interface
	process    string // of this host, "kernel" for a socket of its own
	why        string // of the class
}

// name is what stands in place of the local address: the guest's name, its vif's
// where it has none, or the process; "" if nobody knows.
func (w *who) name() string {
	switch {
	case w.guest != "":
		return w.guest
	case w.vif != "":
		return w.vif
	}
	return w.process
}

func liveWho(f *incident.FlowView) who {
	return who{clean(f.Guest), clean(f.VIF), clean(f.Process), clean(f.Why)}
}

// frozenWho takes the number off a process: in a row its name tells more.
func frozenWho(f *incident.FlowRow) who {
	process := f.Process
	if i := strings.LastIndexByte(process, '['); i > 0 {
		process = process[:i]
	}
	return who{clean(f.VM), clean(f.VIF), clean(process), clean(f.Why)}
}

// snapshotLocal is the local end of a flow in the snapshot: its name and port
// where there is a name; the address stands in incident.md and the files.
func snapshotLocal(f *incident.FlowRow) string {
	w := frozenWho(f)
	name := w.name()
	if name == "" {
		return incident.Clean(f.Local)
	}
	if k, ok := keyOf(f.Proto, f.Local, f.Remote, f.VLAN); ok && k.HasPorts() {
		name += ":" + strconv.Itoa(int(k.LocalPort))
	}
	return name
}

// clean makes foreign text one line of bounded length, and keeps "" as it is.
func clean(s string) string {
	if s == "" {
		return ""
	}
	return incident.Clean(s)
}

// reason says why a row has its class.
func (r *row) reason() string {
	switch {
	case r.mixed:
		return "flows of several classes"
	case r.who.why == "":
		return "no rule, guest, process or port says"
	}
	return r.who.why
}

// named is the local end of a row with a name for its address, or "" if there is
// none or the host is hidden.
func (v *View) named(k *flow.Key, w *who) string {
	name := w.name()
	if name == "" || v.HideLocal || k.Family == flow.FamilyMAC {
		return ""
	}
	if v.LocalPorts && k.HasPorts() {
		name += ":" + strconv.Itoa(int(k.LocalPort))
	}
	return name
}
