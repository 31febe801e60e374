package flow

// LinkID is our own number of a captured link, given once and never reused
// while the program runs. Zero means "no link" or "not seen". A link keeps its
// number when it is renamed, goes down, leaves its bond or comes back.
type LinkID uint16

// Direction says which way a frame crossed a link, seen from this host.
type Direction uint8

const (
	Rx Direction = iota // toward this host or its VMs
	Tx                  // away from this host
)

// Directions lists both, for loops.
var Directions = [2]Direction{Rx, Tx}

// String returns "rx" or "tx", the words of the JSON files.
func (d Direction) String() string {
	if d == Tx {
		return "tx"
	}
	return "rx"
}

// LinkState says whether a link can carry traffic.
type LinkState uint8

const (
	LinkUp      LinkState = iota
	LinkDown              // exists, without carrier or administratively down
	LinkGone              // the device has vanished
	LinkWaiting           // exists, but its ring could not be opened (yet)
)

// String returns the word shown on screen and in events.
func (s LinkState) String() string {
	return [...]string{"up", "down", "gone", "waiting"}[s&3]
}

// Link describes a captured NIC at one moment. Name is an attribute, not the
// identity: see LinkID.
type Link struct {
	ID       LinkID
	Name     string
	Ifindex  int
	MAC      [6]byte
	Bond     string // name of the bond it is a member of, or ""
	State    LinkState
	SpeedBps uint64 // bit/s, 0 = unknown (virtio, down)
	Physical bool   // has a device behind it: its counters count wire packets
	Epoch    uint32 // grows when it comes back after it was gone or down: a new baseline
	Note     string // why it is not simply fine ("left bond0", "renamed from eth3"), or ""
}

// LinkCounters are cumulative kernel counters of one link, with the time they
// were read. A counter that this kernel or NIC does not have stays zero and its
// absence is said by the collector.
type LinkCounters struct {
	At                              Time
	Link                            LinkID
	RxBytes, TxBytes                uint64
	RxPackets, TxPackets            uint64
	RxDropped, TxDropped            uint64
	RxMissed, RxFifo, RxNoBuffer    uint64
	CarrierChanges                  uint64
	QdiscBacklogBytes, QdiscDrops   uint64 // backlog is a level, not a count
	HasQdisc                        bool   // the two above were read
	SoftnetDropped, SoftnetSqueezed uint64 // whole host
	HasSoftnet                      bool   // the two above were read
	NeighbourPending                bool   // a neighbour on this link is being resolved now
}
