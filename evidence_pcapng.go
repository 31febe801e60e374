package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"spiketop/capture/decode"
	"spiketop/capture/pcapfile"
	"spiketop/capture/recorder"
	"spiketop/flow"
	"spiketop/incident"
)

// packetFile is what becomes an incident's packets.pcapng.
type packetFile struct {
	in    *incident.Incident
	world *flow.World
	held  *heldFrames
	snap  int
	links []flow.LinkID // in pane order
	vifs  []packetVIF   // behind the links, as far as they have frames
	none  []string      // what of vifs is missing as a whole
}

// newPacketFile returns nil where there was no recorder.
func (w *watch) newPacketFile(in *incident.Incident) *packetFile {
	h := w.evidence.take(in, w.world.Offset, w.watermarks())
	if h == nil {
		return nil
	}
	p := &packetFile{in: in, world: w.world, held: h, snap: w.s.o.snaplen}
	for i := range w.world.Links {
		if id := w.world.Links[i].ID; h.links[id] != nil {
			p.links = append(p.links, id)
		}
	}
	p.findVIFs()
	return p
}

// part says in the incident what the file holds.
func (p *packetFile) part() *incident.PacketsPart {
	out := &incident.PacketsPart{Snaplen: p.snap}
	for _, id := range p.links {
		l := p.held.links[id]
		out.Frames += len(l.frames)
		out.Missing = append(out.Missing, p.missing(p.world.Link(id).Name, l)...)
	}
	for i := range p.vifs {
		out.Frames += len(p.vifs[i].frames)
	}
	if l := p.held.vifs.heldLink; l != nil {
		out.Missing = append(out.Missing, p.missing("vifs", l)...)
		out.Missing = append(out.Missing, p.missingVIFs()...)
	}
	return out
}

// missing says what of the window the recorder did not hold any more.
func (p *packetFile) missing(name string, l *heldLink) (out []string) {
	if from := time.Unix(0, l.from); from.After(p.in.Window.From) {
		out = append(out, fmt.Sprintf("%s: frames before %s had been overwritten", name, p.clock(l.from)))
	}
	if l.beyond {
		out = append(out, fmt.Sprintf("%s: not all frames were kept: there was room for %s", name, incident.Bytes(uint64(p.held.most))))
	}
	return out
}

// clock is a stamp as the incident writes times.
func (p *packetFile) clock(stamp int64) string {
	return time.Unix(0, stamp).In(p.in.Window.From.Location()).Format("15:04:05.000000")
}

// write writes the file: an interface for each NIC, then one for each vif, the
// frames of all in the order of time. May be called on any goroutine, more than once.
func (p *packetFile) write(w io.Writer) error {
	comment := "spiketop incident " + p.in.ID + ": " + p.in.Verdict.Sentence
	if m := p.part().Missing; len(m) > 0 {
		comment += "\nnot complete: " + strings.Join(m, "; ")
	}
	out := pcapfile.NewWriter(w, pcapfile.Section{Application: "spiketop " + p.in.Version, Comment: incident.CleanMax(comment, 2000)})
	var notes []*frameNotes // by interface
	guilty := &guiltyEcho{trigger: &p.in.Trigger}
	for _, id := range p.links {
		l := p.world.Link(id)
		if _, err := out.AddInterface(pcapfile.Interface{Name: l.Name, Description: aboutLink(l, p.in.Host), Link: pcapfile.EN10, SnapLen: recorder.WireSnaplen(p.snap), Speed: l.SpeedBps}); err != nil {
			return err
		}
		notes = append(notes, newFrameNotes(guilty, p.world, l))
	}
	for i := range p.vifs {
		v := &p.vifs[i]
		if _, err := out.AddInterface(v.describe(p)); err != nil {
			return err
		}
		notes = append(notes, newVIFNotes(guilty, p.world, v))
	}
	if err := out.WriteNames(p.names()); err != nil {
		return err
	}
	var buf []byte
	for _, at := range p.order() {
		f := p.frame(at)
		packet := pcapfile.Packet{At: f.Stamp, Interface: at.link, Dir: pcapfile.DirIn, SegSize: f.GSOSize, Drops: at.drops + uint64(f.Drops), Comments: notes[at.link].of(f)}
		if f.Outgoing {
			packet.Dir = pcapfile.DirOut
		}
		packet.Data, packet.Len = f.Wire(buf[:0])
		buf = packet.Data
		if err := out.WritePacket(&packet); err != nil {
			return err
		}
	}
	for i, id := range p.links {
		if err := p.stats(out, i, id); err != nil {
			return err
		}
	}
	return out.Flush()
}

// stats writes what the interface carried and lost in the window.
func (p *packetFile) stats(out *pcapfile.Writer, i int, id flow.LinkID) error {
	name := p.world.Link(id).Name
	for k := range p.in.Links {
		if l := &p.in.Links[k]; l.Name == name {
			return out.WriteStats(i, p.in.Window.From.UnixNano(), p.in.Window.To.UnixNano(), uint64(len(p.held.links[id].frames)), l.CaptureDrops)
		}
	}
	return nil
}

// place is a frame of an interface: a link's, behind them a vif's.
type place struct {
	at          int64
	link, frame int
	drops       uint64 // that are missing before it
}

func (p *packetFile) frame(at place) *recorder.Frame {
	if at.link < len(p.links) {
		return &p.held.links[p.links[at.link]].frames[at.frame]
	}
	return &p.held.vifs.frames[at.frame]
}

// order merges the frames of all interfaces by time.
func (p *packetFile) order() []place {
	var all []place
	for i, id := range p.links {
		for k := range p.held.links[id].frames {
			all = append(all, place{at: p.held.links[id].frames[k].Stamp, link: i, frame: k})
		}
	}
	for i := range p.vifs {
		all = append(all, p.vifs[i].places(len(p.links)+i, p)...)
	}
	slices.SortStableFunc(all, func(a, b place) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return all
}

// names are the guests' addresses, as far as the top flows show them.
func (p *packetFile) names() map[netip.Addr][]string {
	out := map[netip.Addr][]string{}
	for _, rows := range [][]incident.FlowRow{p.in.Flows.Rx, p.in.Flows.Tx} {
		for i := range rows {
			if a, err := netip.ParseAddrPort(rows[i].Local); err == nil && rows[i].VM != "" && len(out[a.Addr()]) == 0 {
				out[a.Addr()] = []string{incident.Clean(rows[i].VM)}
			}
		}
	}
	return out
}

// frameNotes says in comments whose a flow is, at its first frame, and which
// frames are the guilty echo's.
type frameNotes struct {
	guilty   *guiltyEcho
	link     string
	vif      *packetVIF // nil = a link
	world    *flow.World
	classify flow.ClassifyFunc
	dec      *decode.Decoder
	said     map[flow.Key]bool
}

func newFrameNotes(g *guiltyEcho, w *flow.World, l *flow.Link) *frameNotes {
	return &frameNotes{guilty: g, link: l.Name, world: w, classify: w.ClassifyOn(l.ID), dec: decode.New(decode.Config{Fragments: 64}), said: map[flow.Key]bool{}}
}

// mostNoted bounds the flows with a comment.
const mostNoted = 4096

func (n *frameNotes) of(f *recorder.Frame) (comments []string) {
	var rec flow.Record
	var echo flow.Echo
	m := decode.Meta{Len: f.Len, Dir: flow.Rx, HasVLAN: f.HasVLAN, VLAN: f.VLANTCI}
	if f.Outgoing != (n.vif != nil) { // what the host hands to a guest is received there
		m.Dir = flow.Tx
	}
	if n.dec.Decode(f.Data, &m, &rec, &echo) && n.guilty.is(&echo, n.link, n.vif != nil) {
		comments = append(comments, fmt.Sprintf("the guilty echo: %d to %s", echo.Seq, incident.Clean(n.guilty.trigger.Target)))
	}
	if n.said[rec.Key] || len(n.said) >= mostNoted {
		return comments
	}
	n.said[rec.Key] = true
	return append(comments, n.whose(&rec))
}

// whose is the comment of a flow.
func (n *frameNotes) whose(rec *flow.Record) string {
	class, why := n.classify(&rec.Key, rec.MAC, rec.Inner)
	s := "class " + class.String()
	if why != "" {
		s += " (" + why + ")"
	}
	switch g := n.world.GuestOf(rec.MAC, rec.Inner); {
	case n.vif != nil:
		s += n.vif.whose()
	case g != nil:
		s += (&packetVIF{name: g.Name, guest: g.Guest}).whose()
	}
	return incident.CleanMax(s, 500)
}

// guiltyEcho knows the incident's own echo among others. Several pings of one
// target may have the same number: its id is that of the request which left by
// the trigger's member.
type guiltyEcho struct {
	trigger *incident.Trigger
	id      uint16
	known   bool
}

// is reports whether e, seen on a link or a vif, is the echo. On vifs this host's
// own one is known by what a NIC has shown, a VM's by its id.
func (g *guiltyEcho) is(e *flow.Echo, link string, vif bool) bool {
	t := g.trigger
	if t.Kind == incident.KindManual || e.Seq != t.Seq || !g.target(e) {
		return false
	}
	if t.EchoID != nil {
		return e.ID == *t.EchoID
	}
	if !g.known && !e.Reply && !vif && (t.Member == "" || t.Member == link) {
		g.id, g.known = e.ID, true
	}
	return g.known && e.ID == g.id
}

// target reports whether e goes to the target or comes from there. A target known
// by its name alone is not compared.
func (g *guiltyEcho) target(e *flow.Echo) bool {
	far := e.Dst
	if e.Reply {
		far = e.Src
	}
	a, err := netip.ParseAddr(g.trigger.Target)
	return err != nil || a.As16() == far
}
