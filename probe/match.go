package probe

import (
	"encoding/binary"

	"spiketop/flow"
)

// mostHeld bounds the echoes that wait for their event.
const mostHeld = 1024

// Echo takes an echo from a ring, of a link that SetLinks names or not. What
// belongs to no pinger of ours is ignored, quickly: most echoes are VMs'.
func (s *Set) Echo(e flow.Echo) {
	if e.Reply != (e.Dir == flow.Rx) || e.Tunnel || e.VIF != 0 { // a pinger of ours sends to the network, and in no tunnel
		return
	}
	far := &e.Dst
	if e.Reply {
		far = &e.Src
	}
	if r := s.runs[e.ID]; r != nil && r.addr == *far {
		s.match(r, &e)
	} else if s.addrs[*far] {
		s.hold(&e) // of a run whose first event is still in the channel?
	}
}

// match gives an echo to its flight, or keeps it until there is one.
func (s *Set) match(r *identity, e *flow.Echo) {
	for i := len(r.target.flights) - 1; i >= 0; i-- {
		if f := &r.target.flights[i]; f.run == r && f.seq == e.Seq {
			if f.see(e) {
				s.measure(r.target, f)
			}
			return
		}
	}
	if !r.started || int16(e.Seq-r.seq) > 0 {
		s.hold(e)
	}
}

// hold keeps an echo that looks like pro-bing's for a short while.
func (s *Set) hold(e *flow.Echo) {
	if e.PayloadN < 24 || stamp(e).Sub(e.At).Abs() > s.cfg.LossAfter+patience {
		return
	}
	if len(s.held) >= mostHeld {
		s.held = append(s.held[:0], s.held[mostHeld/4:]...)
	}
	s.held = append(s.held, *e)
}

// claim gives a new flight the echoes that came before its event.
func (s *Set) claim(t *target, f *flight) {
	kept, seen := s.held[:0], false
	for i := range s.held {
		e := &s.held[i]
		far := &e.Dst
		if e.Reply {
			far = &e.Src
		}
		if e.ID == f.id && e.Seq == f.seq && *far == f.run.addr {
			seen = f.see(e) || seen
		} else {
			kept = append(kept, *e)
		}
	}
	s.held = kept
	if seen {
		s.measure(t, f)
	}
}

// expireHeld forgets what nobody claimed.
func (s *Set) expireHeld() {
	kept := s.held[:0]
	for i := range s.held {
		if s.now.Sub(s.held[i].At) <= s.cfg.LossAfter+patience {
			kept = append(kept, s.held[i])
		}
	}
	s.held = kept
}

// stamp is the time pro-bing wrote into the payload: eight bytes, big endian,
// nanoseconds of CLOCK_REALTIME since the epoch (pro-bing, timeToBytes).
func stamp(e *flow.Echo) flow.Time {
	return e.Offset.Mono(int64(binary.BigEndian.Uint64(e.Payload[:8])))
}

// see notes e if it is this flight's: its UUID is the run's, or, while that is
// not known, its stamp lies between the sender's last sign of life and the
// return from the write. A second sight of the same is ignored.
func (f *flight) see(e *flow.Echo) bool {
	if e.PayloadN < 24 {
		return false
	}
	at := stamp(e)
	uuid := [16]byte(e.Payload[8:24])
	if f.tracker.known && uuid != f.tracker.uuid {
		return false
	}
	if !f.tracker.known {
		if !f.plausible(at) {
			return false
		}
		f.tracker.uuid, f.tracker.known = uuid, true
	}
	to := &f.request
	if e.Reply {
		to = &f.reply
	}
	if to.ok {
		return false
	}
	*to = sight{ok: true, at: e.At, stamp: at, link: e.Link, offset: e.Offset}
	r := f.run
	if r.offsetOK && stepped(r.offset, e.Offset) {
		f.stepped = true
	}
	r.offset, r.offsetOK = e.Offset, true
	return true
}

// plausible reports whether a payload's stamp can be this flight's.
func (f *flight) plausible(at flow.Time) bool {
	return at >= f.earliest.Add(-tolerance) && at <= f.sent.Add(tolerance)
}

// stepped reports whether somebody set the clock between two offsets.
func stepped(a, b flow.WallOffset) bool {
	d := a - b
	return d > flow.WallOffset(tolerance) || -d > flow.WallOffset(tolerance)
}
