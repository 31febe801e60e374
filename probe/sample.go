package probe

import (
	"net/netip"
	"time"

	"spiketop/flow"
)

// TargetID numbers a target; it is never reused. Zero means none.
type TargetID uint16

// Target is a host that is pinged.
type Target struct {
	ID     TargetID
	Name   string     // as given or found; foreign text
	Addr   netip.Addr // invalid until resolved
	Reason string     // why it is pinged: "--ping", "gateway through bond0", "busiest on-link peer"
	// Gateway marks a router: it polices ICMP, so a spike of a gateway alone is
	// a mark and a note, not an incident.
	Gateway bool
	// Captured says that the route to it leaves by a captured NIC, so the rings
	// see its echoes. If not, RTT is monotonic user time, and that is said.
	Captured bool
	// Group is the ID of the first target of the same host where each member of a
	// bond has a ping of its own, else 0. Member is the NIC by which its echoes are
	// meant to leave, 0 = left to chance. CannotSteer says why a host behind a bond
	// has only one ping, "" where nothing was to be chosen.
	Group       TargetID
	Member      flow.LinkID
	CannotSteer string
	Trouble     string // why it is not being measured now ("no such host", "network is unreachable"), or ""
}

// SameHost reports whether t and o are pings of one host, by different members.
func (t *Target) SameHost(o *Target) bool {
	return t.ID == o.ID || t.Group != 0 && t.Group == o.Group
}

// State says what became of an echo.
type State uint8

const (
	Outstanding State = iota // sent, no answer yet
	Answered                 // RTT is known
	Lost                     // no answer 2 s after sending
	Uncertain                // "unknown" in the files: the answer may have fallen into a ring overflow
)

// Source says where an RTT was measured.
type Source uint8

const (
	ByKernel Source = iota // payload time to the reply's stamp on the NIC
	ByUser                 // this process's monotonic clock, at the socket
)

// None is the value of a duration that was not measured.
const None = time.Duration(-1)

// Sample is what is known of one echo. The Set reports it when it is sent,
// again while it is outstanding and late, and finally when it is answered, lost
// or uncertain; a kernel measurement may follow a user one. The pair (Target, N)
// identifies it: a later Sample replaces an earlier one.
type Sample struct {
	Target TargetID
	N      int64  // running number from 1
	ID     uint16 // of the ICMP header
	Seq    uint16 // of the ICMP header
	Sent   flow.Time
	State  State
	Source Source

	// Began is the stamp in the payload, from which the RTT runs; Sent is when the
	// write of it had returned, which a pause of this process makes later. It is
	// Sent where the stamp is not confirmed. Back is when the answer was there: the
	// NIC's stamp, else the socket's; 0 without one.
	Began, Back flow.Time

	// RTT = Queue + Wire when measured by the kernel. None while outstanding.
	RTT time.Duration
	// Queue runs from the send time in the payload to the NIC's stamp on the way
	// out, Wire from there to the reply's stamp, Wakeup from there to the socket.
	// Each is None when one of its ends was not seen, or was stamped by a clock
	// that somebody was setting. Queue may be known before there is an answer.
	Queue, Wire, Wakeup time.Duration
	// Own is the part of Queue that passed before this process had the write
	// behind it: a pause between stamp and write shows here, a full qdisc or a
	// neighbour being resolved does not. None where Queue is None.
	Own time.Duration

	// Age, while outstanding, is how long it surely has been without an answer:
	// every ring has been read up to Sent+Age.
	Age time.Duration
	// Cleared says that the answer arrived at the socket, so it is not late any
	// more, though the kernel's stamps are still to come.
	Cleared bool

	Member      flow.LinkID // NIC by which it left, 0 = not seen leaving
	ReplyMember flow.LinkID // NIC by which the answer came, 0 = not seen
}

// Stats describe a target's recent echoes (the last 60 s).
type Stats struct {
	Target   TargetID
	Sent     int64 // since start
	Lost     int64
	Unknown  int64         // Uncertain
	Late     int64         // answered after they were lost; they stay lost
	Twice    int64         // answers that came once more
	Window   int           // echoes in the window whose fate is known
	Last     time.Duration // RTT of the newest answered echo, None if none
	P50, P99 time.Duration // over the window, None without an answer
	Max      time.Duration
	Jitter   time.Duration // RFC 3550 6.4.1 on consecutive RTTs; 0 before the second answer
	Loss     float64       // 0..1: lost / (answered + lost) in the window
	Member   flow.LinkID   // by which the newest echo seen leaving left, 0 = none was
}
