package offline

import (
	"fmt"
	"io"
	"slices"

	"spiketop/capture/decode"
	"spiketop/capture/pcapfile"
	"spiketop/flow"
)

// Packet is a packet with its place.
type Packet struct {
	At       int64 // ns since the epoch, as the Player counts: see Player
	Link     int   // index in Capture.Links
	LinkType uint16
	Dir      flow.Direction // of a link: see flow.Direction; of a VIF: Rx is toward the guest
	Len      uint32
	Data     []byte // valid until the next call of Next
	Drops    uint64 // lost on this link before it
	SegSize  uint16
}

// Player hands out the packets of all files in the order of time.
//
// Time goes on: where a file's clock was set back, its packets go on from where
// they were; a packet whose time makes no sense among its neighbours has theirs.
// Both are said in the Notes of the Capture.
type Player struct {
	c       *Capture
	dec     *decode.Decoder
	rec     flow.Record
	waiting []*file  // not opened yet, by their first packet
	open    []*input // with a packet each
	last    *input   // whose packet was handed out
	ahead   bool     // streams only so far as they are kept
	trouble []error
}

// input is a file that is being read.
type input struct {
	f       *file
	r       *pcapfile.Reader
	names   linkNames
	cur     pcapfile.Packet
	at      int64
	clock   clock
	odd     bool             // a time that makes no sense has been said
	held    *pcapfile.Packet // read ahead of its turn, a copy
	heldErr error
}

// Play starts from the beginning. Streams can be played once. The caller closes
// the Player.
func (c *Capture) Play() *Player { return c.play(false) }

func (c *Capture) play(ahead bool) *Player {
	return &Player{c: c, dec: decode.New(decode.Config{}), waiting: slices.Clone(c.files), ahead: ahead}
}

// Close closes the files that are open.
func (p *Player) Close() {
	for _, in := range p.open {
		_ = in.r.Close()
	}
	p.open = nil
}

// Troubles are the errors of files so far: what came before them was played.
func (p *Player) Troubles() []error { return p.trouble }

// Next returns the next packet, or io.EOF when all files are at their end or at
// the place where they are damaged.
func (p *Player) Next(out *Packet) error {
	for {
		if in := p.last; in != nil {
			p.last = nil
			if !in.advance(p) {
				p.drop(in)
			}
		}
		in := p.earliest()
		if in == nil {
			return io.EOF
		}
		p.last = in
		if link := p.c.link(&in.names, in.r, in.cur.Interface); link >= 0 {
			p.fill(out, in, link)
			return nil
		}
	}
}

// earliest opens what is due and returns the input whose packet is next.
func (p *Player) earliest() *input {
	for {
		var best *input
		for _, in := range p.open {
			if best == nil || in.at < best.at {
				best = in
			}
		}
		if len(p.waiting) == 0 || best != nil && best.at < p.waiting[0].first {
			return best
		}
		f := p.waiting[0]
		p.waiting = p.waiting[1:]
		r, err := f.open(p.ahead)
		if err != nil {
			p.trouble = append(p.trouble, err)
			continue
		}
		in := &input{f: f, r: r, names: linkNames{path: f.path}}
		in.clock = clock{last: f.first}
		if in.advance(p) {
			p.open = append(p.open, in)
		} else {
			_ = r.Close()
		}
	}
}

func (p *Player) drop(in *input) {
	_ = in.r.Close()
	p.open = slices.DeleteFunc(p.open, func(o *input) bool { return o == in })
}

// advance reads the next packet; false at the end.
func (in *input) advance(p *Player) bool {
	if err := in.read(); err != nil {
		if err != io.EOF {
			p.trouble = append(p.trouble, err)
		}
		return false
	}
	at := in.cur.At
	if !in.clock.fits(at) {
		next, ok := in.peek()
		note := in.clock.judge(at, next, ok)
		if note != "" && !(in.clock.odd && in.odd) {
			p.c.note(fmt.Sprintf("%s at byte %d: %s", in.f.path, in.cur.Offset, note))
		}
		in.odd = in.odd || in.clock.odd
	}
	in.at = in.clock.take(at)
	return true
}

// read makes the next packet the current one.
func (in *input) read() error {
	if h := in.held; h != nil {
		in.cur, in.held = *h, nil
		return nil
	}
	if in.heldErr != nil {
		return in.heldErr
	}
	return in.r.Next(&in.cur)
}

// peek returns the time of the packet after the current one, which it copies.
func (in *input) peek() (int64, bool) {
	if in.held == nil && in.heldErr == nil {
		in.cur.Data, in.cur.Comments = slices.Clone(in.cur.Data), nil
		var next pcapfile.Packet
		if in.heldErr = in.r.Next(&next); in.heldErr == nil {
			next.Data, next.Comments = slices.Clone(next.Data), nil
			in.held = &next
		}
	}
	if in.held == nil {
		return 0, false
	}
	return in.held.At, true
}

// maxNotes bounds what is said about files.
const maxNotes = 64

func (c *Capture) note(s string) {
	if len(c.Notes) < maxNotes && !slices.Contains(c.Notes, s) { // a file may be played again
		c.Notes = append(c.Notes, s)
	}
}

func (p *Player) fill(out *Packet, in *input, link int) {
	l := &p.c.Links[link]
	cur := &in.cur
	dir, ok := told(cur)
	if ok && l.VIF { // outgoing there is what the host hands to the guest
		dir = flow.Rx + flow.Tx - dir
	}
	if !ok {
		e := endsOf(p.dec, cur, &p.rec)
		dir = l.side.of(&e)
	}
	*out = Packet{At: in.at, Link: link, LinkType: uint16(cur.Link), Dir: dir, Len: wireLen(cur), Data: cur.Data, Drops: cur.Drops, SegSize: cur.SegSize}
}
