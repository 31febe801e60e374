package hops

import (
	"math"

	"spiketop/flow"
)

// slots of a pending echo: request and reply at each place.
const sightSlots = 2 * int(Places)

// pending is an echo that is not over.
type pending struct {
	key        Key
	gen        uint32
	seriesGen  uint32
	series     int32 // none where there was no room
	older      int32 // an earlier echo of the same Key that is not over
	occurrence int32
	bucket     uint8
	seen       uint8 // bit mask of the slots
	tunnel     uint8 // of the places
	kept       bool  // in Live.kept, else in Live.fair
	queued     bool  // in Live.ready
	stepped    bool  // somebody set the clock meanwhile
	copies     [Places]uint8
	vlan       [Places]uint16
	where      [sightSlots]int32 // ifindex of the vif, or LinkID
	at         [sightSlots]flow.Time
	n          int64
	offset     flow.WallOffset
}

// liveSight is one echo as a source delivered it.
type liveSight struct {
	place  Place
	reply  bool
	where  int32
	at     flow.Time
	vlan   uint16
	tunnel bool
	offset flow.WallOffset
}

// sightOf finds the place of an echo; false for one that was seen nowhere.
func sightOf(e *flow.Echo) (s liveSight, ok bool) {
	s = liveSight{reply: e.Reply, at: e.At, vlan: e.VLAN, tunnel: e.Tunnel, offset: e.Offset}
	away := (e.Dir == flow.Tx) != e.Reply // the request's direction is Tx: away from whoever asks
	switch {
	case e.VIF != 0 && e.Link == 0:
		s.where = int32(e.VIF)
		if s.place = ToGuest; away {
			s.place = FromGuest
		}
	case e.Link != 0 && e.VIF == 0:
		s.where = int32(e.Link)
		if s.place = Incoming; away {
			s.place = Outgoing
		}
	default:
		return s, false
	}
	return s, true
}

func (s *liveSight) slot() int {
	if s.reply {
		return 2*int(s.place) + 1
	}
	return 2 * int(s.place)
}

func (s *liveSight) atNIC() bool { return s.place == Outgoing || s.place == Incoming }

func (p *pending) has(slot int) bool { return p.seen&(1<<slot) != 0 }

const (
	requestSlots = 0b01010101
	replySlots   = 0b10101010
)

func (p *pending) hasRequest() bool { return p.seen&requestSlots != 0 }

// entry is where the request was seen first.
func (p *pending) entry() (place Place, ok bool) {
	first := flow.Time(math.MaxInt64)
	for i := 0; i < sightSlots; i += 2 {
		if p.has(i) && p.at[i] < first {
			first, place, ok = p.at[i], Place(i/2), true
		}
	}
	return place, ok
}

// bounds are the first and the last of the sights in mask; false without any.
func (p *pending) bounds(mask uint8) (first, last flow.Time, ok bool) {
	for i := range sightSlots {
		if p.seen&mask&(1<<i) == 0 {
			continue
		}
		if !ok {
			first, last, ok = p.at[i], p.at[i], true
		}
		first, last = min(first, p.at[i]), max(last, p.at[i])
	}
	return first, last, ok
}

// begin is the first sight: of the request, where it was seen.
func (p *pending) begin() flow.Time {
	if first, _, ok := p.bounds(requestSlots); ok {
		return first
	}
	first, _, _ := p.bounds(replySlots)
	return first
}

// match is what a sight is to a pending echo.
type match uint8

const (
	foreign match = iota // it belongs to another echo
	fresh                // it was missing so far
	again                // seen there already
)

// matches says what s is to p.
func (l *Live) matches(p *pending, s *liveSight) match {
	first, last, asked := p.bounds(requestSlots)
	replied, _, back := p.bounds(replySlots)
	switch slot := s.slot(); {
	case s.atNIC() && p.seen&(0b11<<(2*s.place)) != 0 && (p.vlan[s.place] != s.vlan || p.tunnel&(1<<s.place) != 0 != s.tunnel):
		return foreign // addresses that are used twice
	case !s.reply && back && (s.at > replied.Add(liveTolerance) || replied.Sub(s.at) > l.cfg.LossAfter):
		return foreign // the reply is older, or too young
	case !s.reply && asked && (s.at.Sub(first) > l.cfg.LossAfter || last.Sub(s.at) > l.cfg.LossAfter):
		return foreign
	case s.reply && asked && (s.at < last.Add(-liveTolerance) || s.at.Sub(first) > l.cfg.LossAfter+liveTolerance):
		return foreign
	case s.reply && !asked && (s.at.Sub(replied) > l.cfg.LossAfter || replied.Sub(s.at) > l.cfg.LossAfter):
		return foreign
	case !p.has(slot):
		if s.reply && s.place == FromGuest && p.has(slot-1) && p.where[slot-1] != s.where {
			return again // flooded to a vif that did not ask
		}
		return fresh
	case !s.reply && max(s.at.Sub(p.at[slot]), p.at[slot].Sub(s.at)) > liveRepeat:
		return foreign // sent again with the same numbers
	}
	return again
}

// take puts a sight into its slot.
func (p *pending) take(s *liveSight) {
	slot := s.slot()
	p.seen |= 1 << slot
	p.at[slot], p.where[slot], p.vlan[s.place] = s.at, s.where, s.vlan
	if s.tunnel {
		p.tunnel |= 1 << s.place
	}
	if s.reply && s.place == ToGuest && p.has(slot-1) {
		p.where[slot-1] = s.where // the request was flooded to several vifs: this is the one that answers
	}
	if d := p.offset - s.offset; d > flow.WallOffset(liveTolerance) || d < -flow.WallOffset(liveTolerance) {
		p.stepped = true
	}
}

// passage is p as it is reported.
func (p *pending) passage(s *series, entry Place, state PassageState) Passage {
	out := Passage{Key: p.key, N: p.n, Occurrence: int(p.occurrence), State: state, Entry: entry, Usual: s.usual}
	for i := range out.Spots {
		spot, q, r := &out.Spots[i], 2*i, 2*i+1
		spot.HasRequest, spot.HasReply = p.has(q), p.has(r)
		if !spot.Seen() {
			continue
		}
		spot.Request, spot.Reply, spot.Duplicates = p.at[q], p.at[r], int(p.copies[i])
		spot.VLAN, spot.Tunnel = p.vlan[i], p.tunnel&(1<<i) != 0
		if at := Place(i); at == Outgoing || at == Incoming {
			spot.RequestLink, spot.ReplyLink = flow.LinkID(p.where[q]), flow.LinkID(p.where[r])
		} else {
			spot.VIF = int(p.where[q])
			if !spot.HasRequest {
				spot.VIF = int(p.where[r])
			}
		}
	}
	return out
}
