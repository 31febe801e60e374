package main

import (
	"time"

	"spiketop/capture/recorder"
	"spiketop/flow"
	"spiketop/incident"
)

const (
	// evidenceEvery is how often frames of an open window are cut out of the
	// recorders: those of a busy link hold only a second or two.
	evidenceEvery = 300 * time.Millisecond
	// evidenceMost bounds what one incident may hold in memory, in bytes.
	evidenceMost = 64 << 20
	// evidenceAll bounds what all of them hold, those that wait for the disk too.
	evidenceAll = 160 << 20
)

// evidence cuts the frames of open incidents out of the flight recorders before
// they are overwritten. It belongs to the watch.
type evidence struct {
	recorders map[flow.LinkID]*recorder.Memory
	vifs      *vifEvidence        // nil = no recorder of vifs
	held      map[int]*heldFrames // by number of the incident
	waiting   map[string]int      // bytes of incidents that the disk has not taken yet, by ID
	next      flow.Time
}

// heldFrames are the frames of one incident so far.
type heldFrames struct {
	window flow.Span
	links  map[flow.LinkID]*heldLink
	vifs   heldVIFs
	most   int // bytes that it may hold
	room   int // of them left
}

// heldLink is one recorder's part. Stamps are of CLOCK_REALTIME.
type heldLink struct {
	frames []recorder.Frame
	begin  int64 // asked for from here on
	from   int64 // nothing is missing from here on
	upTo   int64 // cut so far
	beyond bool  // the room was used up
}

// watermarks say until when everything has been read.
type watermarks struct {
	links map[flow.LinkID]flow.Time
	vifs  flow.Time
}

func newEvidence(r map[flow.LinkID]*recorder.Memory, vifs *recorder.Memory) *evidence {
	return &evidence{recorders: r, vifs: newVIFEvidence(vifs), held: map[int]*heldFrames{}, waiting: map[string]int{}}
}

// keep cuts what the open windows have come to. drained says how far each link
// has been read.
func (e *evidence) keep(now flow.Time, open []incident.OpenWindow, off flow.WallOffset, drained watermarks) {
	if len(e.recorders) == 0 || len(open) == 0 && len(e.held) == 0 || now < e.next {
		return
	}
	e.next = now.Add(evidenceEvery)
	for _, o := range open {
		e.cut(o, off, drained)
	}
}

func (e *evidence) cut(o incident.OpenWindow, off flow.WallOffset, drained watermarks) {
	h := e.held[o.Number]
	if h == nil {
		most := min(evidenceMost, e.free())
		h = &heldFrames{links: map[flow.LinkID]*heldLink{}, most: most, room: most}
		e.held[o.Number] = h
	}
	h.window = o.Window
	from := off.Wall(o.Window.From).UnixNano()
	if e.vifs != nil { // first: it is the least
		e.vifs.cut(h, from, off.Wall(min(o.Window.To, drained.vifs)).UnixNano())
	}
	for id, m := range e.recorders {
		to := o.Window.To
		if d, ok := drained.links[id]; ok {
			to = min(to, d)
		}
		l := h.links[id]
		if l == nil {
			l = newHeldLink(from)
			h.links[id] = l
		}
		h.cut(l, m, from, off.Wall(to).UnixNano())
	}
}

func newHeldLink(from int64) *heldLink { return &heldLink{begin: from, from: from, upTo: from} }

// free is how much of evidenceAll nobody holds or may come to hold.
func (e *evidence) free() int {
	free := evidenceAll
	for _, n := range e.waiting {
		free -= n
	}
	for _, h := range e.held {
		free -= h.most
	}
	return max(free, 0)
}

// cut takes what is new of one link.
func (h *heldFrames) cut(l *heldLink, m *recorder.Memory, from, to int64) {
	if from < l.begin && !l.beyond { // an earlier echo has become the guilty one
		h.prepend(l, m.Cut(from, l.begin, h.room), from)
	}
	if to <= l.upTo || l.beyond {
		return
	}
	c := m.Cut(l.upTo, to, h.room)
	if !c.Complete {
		l.from = max(l.from, c.From)
	}
	l.frames = append(l.frames, c.Frames...)
	for i := range c.Frames {
		h.room -= len(c.Frames[i].Data) + 64
	}
	l.upTo, l.beyond = to, c.Beyond
}

// prepend puts what came before in front.
func (h *heldFrames) prepend(l *heldLink, c recorder.Cut, from int64) {
	if l.from == l.begin { // no hole between
		l.from = from
		if !c.Complete {
			l.from = c.From
		}
	}
	l.begin, l.beyond = from, c.Beyond
	l.frames = append(c.Frames, l.frames...)
	for i := range c.Frames {
		h.room -= len(c.Frames[i].Data) + 64
	}
}

// take returns the frames of a sealed incident and forgets them; nil if there is
// no recorder.
func (e *evidence) take(in *incident.Incident, off flow.WallOffset, drained watermarks) *heldFrames {
	if len(e.recorders) == 0 {
		return nil
	}
	window := flow.Span{From: off.Mono(in.Window.From.UnixNano()), To: off.Mono(in.Window.To.UnixNano())}
	if h := e.held[in.Number]; h != nil { // else the program ends just after the trigger
		window = h.window
	}
	drained.vifs = window.To // what is there: taps tell their watermark late while nobody pings
	e.cut(incident.OpenWindow{Number: in.Number, Window: window}, off, drained)
	h := e.held[in.Number]
	delete(e.held, in.Number)
	return h
}
