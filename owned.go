package main

import (
	"maps"
	"time"

	"spiketop/flow"
)

// Bounds of what is remembered of owners that nobody asks for any more.
const (
	ownedFor  = 2 * time.Minute // a port may belong to somebody else by then
	mostOwned = 4096
)

// owned remembers whose sockets were, beyond the answer that said so: only what
// is on top is asked for, and a flow that others overtake does not change hands.
type owned struct {
	seen map[flow.Socket]ownedSocket
}

type ownedSocket struct {
	owner flow.Owner
	at    time.Time
}

// add takes an answer and returns all that is remembered at its time, the
// newest if it is too much. The map is the caller's.
func (o *owned) add(at time.Time, owners map[flow.Socket]flow.Owner) map[flow.Socket]flow.Owner {
	if o.seen == nil {
		o.seen = make(map[flow.Socket]ownedSocket, len(owners))
	}
	for s, owner := range owners {
		o.seen[s] = ownedSocket{owner, at}
	}
	maps.DeleteFunc(o.seen, func(_ flow.Socket, s ownedSocket) bool { return at.Sub(s.at) > ownedFor })
	if len(o.seen) > mostOwned { // what this answer has stays
		maps.DeleteFunc(o.seen, func(_ flow.Socket, s ownedSocket) bool { return s.at != at })
	}
	all := make(map[flow.Socket]flow.Owner, len(o.seen))
	for s := range o.seen {
		all[s] = o.seen[s].owner
	}
	return all
}
