package offline

import (
	"net/netip"
	"slices"

	"spiketop/capture/decode"
	"spiketop/capture/pcapfile"
	"spiketop/flow"
)

// side is what is known of the local side of a link.
type side struct {
	prefixes []netip.Prefix
	macs     map[[6]byte]bool
	addr     [16]byte
	hasAddr  bool
}

// ends are the two ends of a packet.
type ends struct {
	srcMAC, dstMAC [6]byte
	ether          bool
	src, dst       [16]byte
	ip             bool
}

// endsOf reads who sent a packet to whom. rec is scratch.
func endsOf(dec *decode.Decoder, p *pcapfile.Packet, rec *flow.Record) (e ends) {
	if p.Link == pcapfile.EN10 && len(p.Data) >= 12 {
		e.ether = true
		copy(e.dstMAC[:], p.Data)
		copy(e.srcMAC[:], p.Data[6:])
	}
	m := decode.Meta{Dir: flow.Tx, Len: wireLen(p)}
	var echo flow.Echo
	dec.DecodeLink(uint16(p.Link), p.Data, &m, rec, &echo)
	if rec.Key.Family != flow.FamilyMAC {
		e.ip, e.src, e.dst = true, rec.Key.Local, rec.Key.Remote
	}
	return e
}

func wireLen(p *pcapfile.Packet) uint32 {
	return uint32(min(max(p.Len, len(p.Data)), 1<<30))
}

// told is the direction that the capture itself tells.
func told(p *pcapfile.Packet) (flow.Direction, bool) {
	switch p.Dir {
	case pcapfile.DirIn:
		return flow.Rx, true
	case pcapfile.DirOut:
		return flow.Tx, true
	}
	return decode.CookedDir(uint16(p.Link), p.Data)
}

// of returns the direction of a packet that does not tell it.
func (s *side) of(e *ends) flow.Direction {
	if len(s.prefixes) > 0 && e.ip {
		switch src, dst := s.local(e.src), s.local(e.dst); {
		case src && !dst:
			return flow.Tx
		case dst && !src:
			return flow.Rx
		}
	}
	if e.ether {
		switch {
		case s.macs[e.srcMAC]:
			return flow.Tx
		case s.macs[e.dstMAC]:
			return flow.Rx
		}
	}
	if s.hasAddr && e.ip && e.src == s.addr {
		return flow.Tx
	}
	return flow.Rx
}

func (s *side) local(a [16]byte) bool {
	addr := netip.AddrFrom16(a).Unmap()
	return slices.ContainsFunc(s.prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}
