package stats

// The analysis follows Wireshark's (its tcp.analysis fields, version 4.0), so
// that every figure can be looked at there. Sequence numbers are compared modulo
// 2^32 (RFC 9293, 3.4).

// What was wrong with, or special about, a segment.
const (
	zeroWindowProbe = 1 << iota
	keepAlive
	keepAliveAck
	probeAck
)

// side is what one end of a conversation has sent so far.
type side struct {
	started      bool // nextSeq is known
	base         bool // baseSeq is known
	acked        bool // lastAck is known
	finned       bool
	finAcked     bool
	toAckKnown   bool
	last         uint8 // of its last segment: zeroWindowProbe, ...
	window       uint16
	windowKnown  bool
	baseSeq      uint32
	nextSeq      uint32 // after the highest byte sent
	toAck        uint32 // after the highest byte sent without a gap
	lastAck      uint32
	finSeq       uint32 // after its FIN
	duplicateAck uint32 // in a row
	nextSeqAt    int64
	lastAckAt    int64
}

// conversation is one TCP connection, or several of the same ends one after the
// other.
type conversation struct {
	side        [2]side
	synAt       int64 // of the last SYN, 0 = none
	syn         bool
	shook       bool // the handshake is complete
	data        bool // something but SYNs was seen
	reset       bool
	fragmented  bool  // parts of it came in IP fragments, which are not looked into
	client      uint8 // which side sent the SYN
	handshake   int64 // ns, -1 = not seen
	connections uint32

	retransmissions, fast, spurious, outOfOrder uint32
	duplicateAcks, zeroWindows, lost            uint32
}

func before(a, b uint32) bool { return int32(a-b) < 0 }

// add takes a segment that side from has sent.
func (c *conversation) add(p *Packet, from int) {
	fwd, rev := &c.side[from], &c.side[1-from]
	if !p.TCP {
		c.fragmented = true
		return
	}
	if p.TCPFlags&(SYN|ACK) == SYN && fwd.base && fwd.baseSeq != p.Seq {
		c.again()
	}
	c.begin(p, fwd, rev)
	c.handshaking(p, from)
	c.analyse(p, fwd, rev)
	c.ending(p, fwd, rev)
}

// again begins another connection between the same ends.
func (c *conversation) again() {
	c.side = [2]side{}
	c.synAt, c.syn, c.shook, c.data, c.reset = 0, false, false, false, false
	c.connections++
}

// begin notes the first sequence numbers of both directions.
func (c *conversation) begin(p *Packet, fwd, rev *side) {
	if !fwd.base {
		fwd.base, fwd.baseSeq = true, p.Seq-1
		if p.TCPFlags&SYN != 0 {
			fwd.baseSeq = p.Seq
		}
	}
	if !rev.base && p.TCPFlags&ACK != 0 && p.TCPFlags&RST == 0 {
		rev.base, rev.baseSeq = true, p.Ack-1
	}
}

// handshaking measures from the last SYN to the segment that completes the
// handshake, at whatever place the capture was made, also where it has one
// direction only.
func (c *conversation) handshaking(p *Packet, from int) {
	switch p.TCPFlags & (SYN | ACK | RST) {
	case SYN:
		c.syn, c.synAt, c.client = true, p.At, uint8(from)
	case ACK:
		if c.syn && !c.shook && uint8(from) == c.client {
			c.shook = true
			if c.handshake < 0 && c.synAt != 0 && p.At >= c.synAt {
				c.handshake = p.At - c.synAt
			}
		}
	}
	if p.TCPFlags&SYN == 0 {
		c.data = true
	}
}

// analyse is Wireshark's tcp_analyze_sequence_number.
func (c *conversation) analyse(p *Packet, fwd, rev *side) {
	sfr := p.TCPFlags & (SYN | FIN | RST)
	marks := c.marks(p, fwd, rev)
	if p.Window == 0 && sfr == 0 {
		c.zeroWindows++
	}
	if p.SegLen == 0 && p.Window != 0 && fwd.windowKnown && p.Window == fwd.window && fwd.started && p.Seq == fwd.nextSeq &&
		fwd.acked && p.Ack == fwd.lastAck && sfr == 0 && marks&keepAliveAck == 0 {
		c.duplicateAcks++
		fwd.duplicateAck++
	}
	if p.Ack != fwd.lastAck {
		fwd.duplicateAck = 0
	}
	if rev.toAckKnown && before(rev.toAck, p.Ack) && p.TCPFlags&ACK != 0 {
		if !c.fragmented {
			c.lost++
		}
		rev.toAck = rev.nextSeq
	}
	flagged := uint32(0)
	if p.TCPFlags&(SYN|FIN) != 0 {
		flagged = 1
	}
	if fwd.started && before(p.Seq, fwd.nextSeq) && p.SegLen+flagged > 0 && marks&keepAlive == 0 {
		c.repeated(p, fwd, rev, flagged)
	}
	next := p.Seq + p.SegLen + flagged
	if marks&zeroWindowProbe == 0 {
		if !fwd.started || before(fwd.nextSeq, next) {
			fwd.started, fwd.nextSeq, fwd.nextSeqAt = true, next, p.At
		}
		if !fwd.toAckKnown || p.Seq == fwd.toAck { // what fills a gap is taken to fill all of it
			fwd.toAckKnown, fwd.toAck = true, fwd.nextSeq
		}
	}
	fwd.window, fwd.windowKnown = p.Window, true
	fwd.lastAck, fwd.lastAckAt, fwd.acked = p.Ack, p.At, true
	fwd.last = marks
}

// marks tells probes and keep-alives, and what answers them.
func (c *conversation) marks(p *Packet, fwd, rev *side) (m uint8) {
	sfr := p.TCPFlags & (SYN | FIN | RST)
	if p.SegLen == 1 && fwd.started && p.Seq == fwd.nextSeq && rev.windowKnown && rev.window == 0 {
		m |= zeroWindowProbe
	}
	if p.SegLen <= 1 && fwd.started && p.Seq == fwd.nextSeq-1 && sfr == 0 {
		m |= keepAlive
	}
	same := p.SegLen == 0 && fwd.windowKnown && p.Window == fwd.window && fwd.started && p.Seq == fwd.nextSeq && fwd.acked && p.Ack == fwd.lastAck && sfr == 0
	if same && p.Window != 0 && rev.last&keepAlive != 0 {
		m |= keepAliveAck
	}
	if same && p.Window == 0 && rev.last&zeroWindowProbe != 0 {
		m |= probeAck
	}
	return m
}

// How close a segment must follow to be taken for a fast retransmission, or for
// one that was overtaken where the handshake was not seen.
const (
	fastWithin      = 20_000_000 // ns
	overtakenWithin = 3_000_000  // ns
)

// repeated judges a segment that does not advance its sequence number.
func (c *conversation) repeated(p *Packet, fwd, rev *side, flagged uint32) {
	if d := p.At - rev.lastAckAt; d >= 0 && d < fastWithin && rev.duplicateAck >= 2 && rev.lastAck == p.Seq {
		c.retransmissions++
		c.fast++
		return
	}
	within := int64(overtakenWithin)
	if c.handshake > 0 {
		within = c.handshake
	}
	if d := p.At - fwd.nextSeqAt; d >= 0 && d < within && fwd.nextSeq != p.Seq+p.SegLen+flagged {
		c.outOfOrder++
		return
	}
	if p.SegLen > 0 && rev.acked && rev.lastAck != 0 && !before(rev.lastAck, p.Seq+p.SegLen) {
		c.spurious++
	}
	c.retransmissions++
}

// ending notes FIN and RST.
func (c *conversation) ending(p *Packet, fwd, rev *side) {
	if p.TCPFlags&RST != 0 {
		c.reset = true
	}
	if p.TCPFlags&FIN != 0 {
		fwd.finned, fwd.finSeq = true, p.Seq+p.SegLen+1
	}
	if p.TCPFlags&ACK != 0 && rev.finned && !before(p.Ack, rev.finSeq) {
		rev.finAcked = true
	}
}

// state says how far the last connection has come.
func (c *conversation) state() string {
	a, b := &c.side[0], &c.side[1]
	switch {
	case c.reset:
		return StateReset
	case a.finned && b.finned && a.finAcked && b.finAcked:
		return StateClosed
	case a.finned || b.finned:
		return StateClosing
	case c.shook || c.data:
		return StateEstablished
	}
	return StateSyn
}

// States of a TCP conversation.
const (
	StateSyn         = "syn"         // SYNs only
	StateEstablished = "established" // the handshake is complete, or the capture begins after it
	StateClosing     = "closing"     // a FIN of one side, or not yet acknowledged
	StateClosed      = "closed"      // FINs of both sides, acknowledged
	StateReset       = "reset"       // an RST
)
