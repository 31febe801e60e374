package far

import (
	"encoding/json"

	"spiketop/flow"
	"spiketop/incident"
)

// Append appends l and a newline to b. What would be longer than [MaxLine] loses
// its less needed texts; nothing is appended where that does not help.
func (l *Line) Append(b []byte) []byte {
	return appendLine(b, l, l.shorten)
}

// Append appends q and a newline to b.
func (q *Question) Append(b []byte) []byte { return appendLine(b, q, func(int) bool { return false }) }

// appendLine marshals v; shorter makes it shorter, in steps, as long as it can.
func appendLine(b []byte, v any, shorter func(step int) bool) []byte {
	for step := 0; ; step++ {
		text, err := json.Marshal(v)
		if err == nil {
			if text = incident.EscapeJSON(text); len(text) < MaxLine {
				return append(append(b, text...), '\n')
			}
		}
		if err != nil || !shorter(step) { // err: a number that JSON does not have
			return b
		}
	}
}

// shorten leaves something out of a copy of what l points to.
func (l *Line) shorten(step int) bool {
	switch {
	case l.Window != nil && l.Window.Flow != nil:
		w, f := *l.Window, *l.Window.Flow
		f.Why = ""
		if step > 0 {
			f.VM, f.VIF, f.Process, f.Class, f.HashMember, f.Proto = "", "", "", "", "", ""
		}
		w.Flow = &f
		l.Window = &w
		return step < 2
	case l.Window != nil && l.Window.Link != nil && step == 0:
		w, p := *l.Window, *l.Window.Link
		p.NIC = nil
		w.Link = &p
		l.Window = &w
		return true
	case l.Hello != nil && step == 0:
		h := *l.Hello
		h.NICs = nil
		l.Hello = &h
		return true
	}
	return false
}

// EchoOf makes the line of an echo that this host saw. point names its NIC or vif.
// ok is false where the other side's check would refuse it: what a guest writes
// into its packets, an IPv4 address in an IPv6 header for one, must not make this
// host look like one that talks nonsense.
func EchoOf(e *flow.Echo, point string) (l Line, ok bool) {
	l = Line{Echo: &Echo{Point: point, VIF: e.VIF != 0, Dir: e.Dir.String(), Reply: e.Reply, Src: addrOf(e.Family, e.Src), Dst: addrOf(e.Family, e.Dst),
		ID: e.ID, Seq: e.Seq, At: wallNs(e.At, e.Offset), VLAN: e.VLAN, Tunnel: e.Tunnel}}
	return l, l.Echo.check() == nil
}

// wallNs is t in ns of wall time.
func wallNs(t flow.Time, o flow.WallOffset) int64 { return int64(t) + int64(o) }
