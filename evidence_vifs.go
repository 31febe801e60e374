package main

import (
	"spiketop/capture/icmptap"
	"spiketop/capture/recorder"
	"spiketop/flow"
)

const (
	// vifsMemory is how long the name of a vif that is gone is remembered: longer
	// than the longest window.
	vifsMemory = 60e9
	maxGone    = 4096 // names of vifs that are gone
	maxVIFGaps = 1024 // that are remembered
)

// vifEvidence is the flight recorder of the vifs' pings, with what the frames do
// not say: whose vif it was, and what is missing.
type vifEvidence struct {
	memory *recorder.Memory
	names  map[uint32]*vifName // by ifindex
	gaps   []icmptap.Gap       // the newest, in the order in which they were told
}

// vifName is what is known of a vif.
type vifName struct {
	name, guest string
	gone        flow.Time // since when it is, 0 = it is there
}

// heldVIFs are the frames of vifs of one incident, with the names of that time.
type heldVIFs struct {
	*heldLink // nil = there is no recorder
	names     map[uint32]vifName
	gaps      []icmptap.Gap // that reach into the window
}

func newVIFEvidence(m *recorder.Memory) *vifEvidence {
	if m == nil {
		return nil
	}
	return &vifEvidence{memory: m, names: map[uint32]*vifName{}}
}

// vifNames takes the vifs that there are now. Those that are gone are remembered
// for as long as their frames may be asked for.
func (e *evidence) vifNames(now flow.Time, nics []flow.GuestNIC) {
	if e == nil || e.vifs == nil {
		return
	}
	v := e.vifs
	there := make(map[uint32]bool, len(nics))
	for i := range nics {
		g := &nics[i]
		there[uint32(g.Ifindex)] = true
		v.names[uint32(g.Ifindex)] = &vifName{name: g.Name, guest: g.Guest}
	}
	gone := 0
	for i, n := range v.names {
		switch {
		case there[i]:
			continue
		case n.gone == 0:
			n.gone = now
		}
		if gone++; now.Sub(n.gone) > vifsMemory || gone > maxGone {
			delete(v.names, i)
			gone--
		}
	}
}

// vifGaps takes what the taps could not read. Gaps of no vif are echoes that the
// watch did not take in time: the recorder has them.
func (e *evidence) vifGaps(gaps []icmptap.Gap) {
	if e.vifs == nil {
		return
	}
	v := e.vifs
	for _, g := range gaps {
		if g.VIF == 0 {
			continue
		}
		if len(v.gaps) == maxVIFGaps {
			v.gaps = append(v.gaps[:0], v.gaps[maxVIFGaps/4:]...)
		}
		v.gaps = append(v.gaps, g)
	}
}

// cut takes what is new between from and to, in nanoseconds of CLOCK_REALTIME.
func (v *vifEvidence) cut(h *heldFrames, from, to int64) {
	l := &h.vifs
	if l.heldLink == nil {
		l.heldLink, l.names = newHeldLink(from), map[uint32]vifName{}
	}
	h.cut(l.heldLink, v.memory, from, to)
	for i := range l.frames {
		l.learn(v, l.frames[i].Ifindex)
	}
	l.gaps = l.gaps[:0]
	for _, g := range v.gaps {
		if g.From < h.window.To && g.Until > h.window.From {
			l.gaps = append(l.gaps, g)
			l.learn(v, uint32(g.VIF))
		}
	}
}

// learn keeps the name of a vif as it is now: another one may get its number.
func (l *heldVIFs) learn(v *vifEvidence, ifindex uint32) {
	if _, ok := l.names[ifindex]; ok {
		return
	}
	if n := v.names[ifindex]; n != nil {
		l.names[ifindex] = *n
	}
}
