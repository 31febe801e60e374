package probe

import (
	"net/netip"

	"spiketop/flow"
)

// Kind says what an [Event] reports.
type Kind uint8

const (
	Sent      Kind = iota // an echo request left the socket: N, ID, Seq
	Received              // its answer was read from the socket: N, ID, Seq
	Duplicate             // an answer was read once more: ID, Seq
	Resolved              // the target's address is known, or is another one now: Addr
	Restarted             // a new ICMP identity is in use from now on: ID, Addr
	Trouble               // the target is not being measured, or echoes are not sent: Text
)

// String names the kind for logs and test failures.
func (k Kind) String() string {
	names := [...]string{"sent", "received", "duplicate", "resolved", "restarted", "trouble"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Event is what a [Pinger] reports. It is a value and is never changed after
// it has been sent.
type Event struct {
	Kind   Kind
	Target TargetID
	At     flow.Time // when it happened, by Now of the pinger's configuration

	N       int64 // running number of the echo from 1, over restarts and wraps of Seq
	ID, Seq uint16
	Addr    netip.Addr
	Text    string // cleaned, at most 80 characters

	// Dropped is how many events of this pinger, before this one, found the
	// channel full and are missing.
	Dropped uint64
}
