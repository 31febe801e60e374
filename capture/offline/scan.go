package offline

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"

	"spiketop/capture/decode"
	"spiketop/capture/pcapfile"
	"spiketop/flow"
)

// Bounds of a scan: what is on nearly all packets is there from the beginning.
const (
	maxEnds  = 4096
	maxPeers = 64
	nearly   = 0.9
)

// scan counts who is on the packets of each link.
type scan struct {
	dec   *decode.Decoder
	links []*linkScan
	c     *Capture
}

type linkScan struct {
	packets, told, ip, ether int
	macs                     map[[6]byte]*endCount
	pairs                    map[[2][6]byte]bool // who sent to whom, bounded as macs
	addrs                    map[[16]byte]*endCount
}

// endCount is what is known of an end: how many packets it is on, and the
// addresses behind a MAC.
type endCount struct {
	n     int
	sent  int
	addrs map[[16]byte]bool
}

func newScan(c *Capture) *scan { return &scan{dec: decode.New(decode.Config{}), c: c} }

func (s *scan) packet(link int, p *pcapfile.Packet) {
	for len(s.links) <= link {
		s.links = append(s.links, &linkScan{macs: map[[6]byte]*endCount{}, pairs: map[[2][6]byte]bool{}, addrs: map[[16]byte]*endCount{}})
	}
	l := s.links[link]
	l.packets++
	if _, ok := told(p); ok {
		l.told++
		return
	}
	var rec flow.Record
	e := endsOf(s.dec, p, &rec)
	if e.ip {
		l.ip++
		count(l.addrs, e.src, true)
		count(l.addrs, e.dst, false)
	}
	if e.ether && e.dstMAC[0]&1 == 0 { // group addresses are nobody's side
		l.ether++
		if len(l.pairs) < maxEnds {
			l.pairs[[2][6]byte{e.srcMAC, e.dstMAC}] = true
		}
		countMAC(l.macs, e.srcMAC, &e, e.src, true)
		countMAC(l.macs, e.dstMAC, &e, e.dst, false)
	}
}

func count[K comparable](m map[K]*endCount, k K, sent bool) *endCount {
	c := m[k]
	if c == nil {
		if len(m) >= maxEnds {
			return nil
		}
		c = &endCount{}
		m[k] = c
	}
	c.n++
	if sent {
		c.sent++
	}
	return c
}

func countMAC(m map[[6]byte]*endCount, mac [6]byte, e *ends, addr [16]byte, sent bool) {
	c := count(m, mac, sent)
	if c == nil || !e.ip {
		return
	}
	if c.addrs == nil {
		c.addrs = map[[16]byte]bool{}
	}
	if len(c.addrs) < maxPeers {
		c.addrs[addr] = true
	}
}

// decide chooses the local side of every link and says what it believes.
func (s *scan) decide(c *Capture) {
	for i := range c.Links {
		if i >= len(s.links) {
			break
		}
		l, k := s.links[i], &c.Links[i]
		if l.told == l.packets {
			continue
		}
		who, share := l.infer(&k.side)
		switch {
		case len(c.cfg.Local) > 0:
			// it decides only what --local leaves open
		case who == "":
			c.note(fmt.Sprintf("%s: which side is local cannot be told: everything counts as received; --local CIDR says it", k.Name))
		case share < nearly:
			c.note(fmt.Sprintf("%s: the direction of packets is guessed: local is %s, though it is on %.0f %% of them only; --local CIDR says it", k.Name, who, 100*share))
		default:
			c.note(fmt.Sprintf("%s: the direction of packets is inferred: local is %s, which is on %.0f %% of them; --local CIDR says it better", k.Name, who, 100*share))
		}
	}
}

// infer finds the end that is on nearly all packets. Where two are (this host and
// its router), it is the one with fewer addresses behind it. On a bridge's uplink
// whoever talks to the same others, and never to that end, is on its side too: a
// guest.
func (l *linkScan) infer(s *side) (who string, share float64) {
	mac, m := most(l.macs, l.ether, bytes6)
	addr, a := most(l.addrs, l.ip, bytes16)
	if m != nil && (a == nil || float64(m.n)/float64(l.ether) >= min(float64(a.n)/float64(l.ip), nearly)) {
		s.macs = l.besides(mac)
		who = fmt.Sprintf("MAC %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
		return who, float64(m.n) / float64(l.ether)
	}
	if a == nil {
		return "", 0
	}
	s.addr, s.hasAddr = addr, true
	return netip.AddrFrom16(addr).Unmap().String(), float64(a.n) / float64(l.ip)
}

// besides returns local and the MACs beside it.
func (l *linkScan) besides(local [6]byte) map[[6]byte]bool {
	far := map[[6]byte]bool{}
	for p := range l.pairs {
		switch local {
		case p[0]:
			far[p[1]] = true
		case p[1]:
			far[p[0]] = true
		}
	}
	side := map[[6]byte]bool{local: true}
	for mac := range l.macs {
		if !far[mac] && mac != local && l.talksOnlyTo(mac, far) {
			side[mac] = true
		}
	}
	return side
}

func (l *linkScan) talksOnlyTo(mac [6]byte, far map[[6]byte]bool) bool {
	for p := range l.pairs {
		if p[0] == mac && !far[p[1]] || p[1] == mac && !far[p[0]] {
			return false
		}
	}
	return true
}

func bytes6(a, b [6]byte) int   { return bytes.Compare(a[:], b[:]) }
func bytes16(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }

// most returns the end that is on the most packets; of those that are on nearly
// all, that with the fewest addresses, then the one that sends more.
func most[K comparable](m map[K]*endCount, n int, order func(a, b K) int) (best K, found *endCount) {
	better := func(k K, c *endCount) int {
		if found == nil {
			return -1
		}
		a, b := float64(c.n) >= nearly*float64(n), float64(found.n) >= nearly*float64(n)
		switch {
		case a && b:
			return cmp.Or(cmp.Compare(len(c.addrs), len(found.addrs)), -cmp.Compare(c.n, found.n), -cmp.Compare(c.sent, found.sent), order(k, best))
		case a != b:
			if a {
				return -1
			}
			return 1
		}
		return cmp.Or(-cmp.Compare(c.n, found.n), order(k, best))
	}
	for k, c := range m {
		if better(k, c) < 0 {
			best, found = k, c
		}
	}
	return best, found
}
