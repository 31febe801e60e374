package link

import (
	"errors"
	"net/netip"

	"spiketop/flow"
)

// Sampler reads the counters of captured links. It belongs to one goroutine.
type Sampler struct{}

// NewSampler opens its netlink socket in the calling thread's network namespace.
func NewSampler(roots Roots) (*Sampler, error) { return nil, errors.ErrUnsupported }

// SetLinks says which links are read from now on; those without device (LinkGone)
// are passed over. state tells which devices lie above them, where their
// neighbours are kept. Call it with every Update's links.
func (s *Sampler) SetLinks(links []flow.Link, state *State) {}

// SetNextHops limits NeighbourPending to these addresses: the next hops toward
// the ping targets. None: any neighbour counts.
func (s *Sampler) SetNextHops(addrs []netip.Addr) {}

// Read reads all counters now; At of each is now. A link that has vanished is
// left out. The slice is the caller's. What could not be read stays zero, and
// the error says which: counters that were read are returned beside it.
func (s *Sampler) Read(now flow.Time) ([]flow.LinkCounters, error) { return nil, errors.ErrUnsupported }

// Close closes the socket.
func (s *Sampler) Close() error { return nil }
