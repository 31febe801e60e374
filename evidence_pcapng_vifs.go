package main

import (
	"cmp"
	"fmt"
	"slices"

	"spiketop/capture/decode"
	"spiketop/capture/icmptap"
	"spiketop/capture/pcapfile"
	"spiketop/capture/recorder"
	"spiketop/flow"
	"spiketop/incident"
)

const (
	mostPacketVIFs = icmptap.DefaultMaxVIFs // interfaces of vifs in a file
	mostMissing    = 16                     // vifs of which it is said what is missing
)

// packetVIF is a vif in packets.pcapng.
type packetVIF struct {
	ifindex     uint32
	name, guest string // guest: "" = not known
	frames      []int  // of the held ones, by their stamps
}

// findVIFs makes the interfaces of the vifs, where the trigger was seen first: a
// replay shows so many and no more. A vif that is captured as a NIC is there already.
func (p *packetFile) findVIFs() {
	l := &p.held.vifs
	if l.heldLink == nil {
		return
	}
	at := map[uint32]int{}
	for i := range l.frames {
		n := l.frames[i].Ifindex
		k, ok := at[n]
		if !ok {
			k = len(p.vifs)
			at[n] = k
			v := packetVIF{ifindex: n}
			v.name, v.guest = p.vifName(n)
			p.vifs = append(p.vifs, v)
		}
		p.vifs[k].frames = append(p.vifs[k].frames, i)
	}
	p.vifs = slices.DeleteFunc(p.vifs, func(v packetVIF) bool { return p.captured(&v) })
	first := func(v *packetVIF) int {
		if v.name == p.in.Trigger.Point {
			return 0
		}
		return 1
	}
	slices.SortFunc(p.vifs, func(a, b packetVIF) int {
		return cmp.Or(first(&a)-first(&b), cmp.Compare(a.ifindex, b.ifindex))
	})
	if more := len(p.vifs) - mostPacketVIFs; more > 0 {
		p.none = append(p.none, fmt.Sprintf("vifs: %d more had pings: there is room for %d vifs", more, mostPacketVIFs))
		p.vifs = p.vifs[:mostPacketVIFs]
	}
	for i := range p.vifs {
		slices.SortStableFunc(p.vifs[i].frames, func(a, b int) int { return cmp.Compare(l.frames[a].Stamp, l.frames[b].Stamp) })
	}
}

// vifName is what a vif was called when its frames were cut; if it is still there,
// its guest may be known by now.
func (p *packetFile) vifName(ifindex uint32) (name, guest string) {
	n := p.held.vifs.names[ifindex]
	for i := range p.world.Guests {
		if g := &p.world.Guests[i]; g.Ifindex == int(ifindex) && (n.name == "" || n.name == g.Name) {
			n.name, n.guest = g.Name, cmp.Or(g.Guest, n.guest)
		}
	}
	if n.name == "" {
		return fmt.Sprintf("ifindex %d", ifindex), ""
	}
	return incident.Clean(n.name), incident.Clean(n.guest)
}

// captured reports whether a NIC of the file is this vif: its frames are there.
func (p *packetFile) captured(v *packetVIF) bool {
	return slices.ContainsFunc(p.links, func(id flow.LinkID) bool {
		l := p.world.Link(id)
		return l.Name == v.name || l.Ifindex == int(v.ifindex)
	})
}

// describe is the interface of a vif.
func (v *packetVIF) describe(p *packetFile) pcapfile.Interface {
	return pcapfile.Interface{Name: v.name, Description: aboutVIF(v.guest, p.in.Host),
		Link: pcapfile.EN10, SnapLen: recorder.WireSnaplen(p.snap), Filter: icmptap.Filter}
}

// whose is the end of a flow's comment.
func (v *packetVIF) whose() string {
	s := ", vif " + v.name
	if v.guest != "" {
		s += ", VM " + v.guest
	}
	return s
}

// newVIFNotes is newFrameNotes of a vif.
func newVIFNotes(g *guiltyEcho, w *flow.World, v *packetVIF) *frameNotes {
	return &frameNotes{guilty: g, link: v.name, vif: v, world: w, classify: w.Classify,
		dec: decode.New(decode.Config{Fragments: 4}), said: map[flow.Key]bool{}}
}

// places are the frames in order of time; the first one behind a gap says how
// many are missing before it, so that a replay does not take them for lost.
func (v *packetVIF) places(iface int, p *packetFile) []place {
	out := make([]place, 0, len(v.frames))
	for _, i := range v.frames {
		out = append(out, place{at: p.held.vifs.frames[i].Stamp, link: iface, frame: i})
	}
	for _, g := range p.held.vifs.gaps {
		if uint32(g.VIF) != v.ifindex {
			continue
		}
		// What found no room came last before the end of the gap.
		until := p.world.Offset.Wall(g.Until).UnixNano()
		k, _ := slices.BinarySearchFunc(out, until, func(x place, t int64) int { return cmp.Compare(x.at, t) })
		if k < len(out) {
			out[k].drops += max(g.Frames, 1)
		}
	}
	return out
}

// missingVIFs says whose pings were not all read: by vif, over all its gaps.
func (p *packetFile) missingVIFs() []string {
	out := slices.Clone(p.none)
	var list []icmptap.Gap
	at := map[int]int{}
	for _, g := range p.held.vifs.gaps {
		k, ok := at[g.VIF]
		if !ok {
			at[g.VIF] = len(list)
			list = append(list, g)
			continue
		}
		s := &list[k]
		s.From, s.Until, s.Flood = min(s.From, g.From), max(s.Until, g.Until), s.Flood || g.Flood
		s.Frames += g.Frames
	}
	for i, g := range list {
		if i == mostMissing {
			return append(out, fmt.Sprintf("%d more vifs: not all pings were read", len(list)-i))
		}
		name, _ := p.vifName(uint32(g.VIF))
		why := "they were read too late"
		if g.Flood {
			why = "there were more than are read of one guest"
		}
		off := int64(p.world.Offset)
		out = append(out, fmt.Sprintf("%s: at least %d pings between %s and %s are not here: %s", name, max(g.Frames, 1), p.clock(int64(g.From)+off), p.clock(int64(g.Until)+off), why))
	}
	return out
}
