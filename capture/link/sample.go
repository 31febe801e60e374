package link

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// Sampler reads the counters of captured links. It belongs to one goroutine.
//
// A read costs one netlink exchange for the counters, one list of all devices'
// qdiscs, one list of neighbours for each link and device above it, and one file.
// Counters restart when a device or a qdisc is replaced: one that has become
// smaller is a new baseline. RxNoBuffer has no standard counter and stays zero; drivers that count it
// do so under names of their own: capture/nic reads those.
type Sampler struct {
	roots   Roots
	netlink *Netlink
	links   []sampled
	hops    []netip.Addr // next hops that NeighbourPending is about; none: all
}

// sampled is a link with the requests that ask for its counters.
type sampled struct {
	id        flow.LinkID
	ifindex   int
	link      []byte // RTM_GETLINK
	neighbour []int  // the devices on which its neighbours are kept: itself and those above
}

// NewSampler opens its netlink socket in the calling thread's network namespace.
func NewSampler(roots Roots) (*Sampler, error) {
	n, err := Open()
	if err != nil {
		return nil, err
	}
	return &Sampler{roots: roots, netlink: n}, nil
}

// Close closes the socket.
func (s *Sampler) Close() error { return s.netlink.Close() }

// SetLinks says which links are read from now on; those without device (LinkGone)
// are passed over. state tells which devices lie above them, where their
// neighbours are kept. Call it with every Update's Links and State.
func (s *Sampler) SetLinks(links []flow.Link, state *State) {
	s.links = s.links[:0]
	for _, l := range links {
		if l.State == flow.LinkGone {
			continue
		}
		x := sampled{id: l.ID, ifindex: l.Ifindex, link: linkRequest(l.Ifindex)}
		x.neighbour = append(x.neighbour, l.Ifindex)
		for _, d := range state.above(l.Ifindex) {
			x.neighbour = append(x.neighbour, d.Ifindex)
		}
		s.links = append(s.links, x)
	}
}

// SetNextHops limits NeighbourPending to these addresses: the next hops toward
// the ping targets. None: any neighbour of the link counts, and a host that
// always asks for some address that is not there is always pending.
func (s *Sampler) SetNextHops(addrs []netip.Addr) {
	s.hops = nil
	for _, a := range addrs {
		s.hops = append(s.hops, a.WithZone("").Unmap())
	}
}

// Read reads all counters now; At of each is now. A link that has vanished is
// left out. The slice is the caller's. What could not be read stays zero, and
// the error says which: counters that were read are returned beside it.
func (s *Sampler) Read(now flow.Time) ([]flow.LinkCounters, error) {
	out := make([]flow.LinkCounters, len(s.links))
	found := make([]bool, len(s.links))
	for i, l := range s.links {
		out[i].At, out[i].Link = now, l.id
	}
	err := errors.Join(s.readLinks(out, found), s.readQdiscs(out), s.readNeighbours(out), s.readSoftnet(out))
	kept := out[:0]
	for i := range out {
		if found[i] {
			kept = append(kept, out[i])
		}
	}
	return kept, err
}

func linkRequest(ifindex int) []byte {
	fixed := make([]byte, unix.SizeofIfInfomsg)
	native.PutUint32(fixed[4:], uint32(ifindex))
	return newRequest(unix.RTM_GETLINK, unix.NLM_F_ACK, fixed)
}

func (s *Sampler) readLinks(out []flow.LinkCounters, found []bool) error {
	reqs := make([][]byte, len(s.links))
	for i := range s.links {
		reqs[i] = s.links[i].link
	}
	err := s.netlink.ask(reqs,
		func(i int, b []byte) { found[i] = parseCounters(b, &out[i]) },
		func(int, error) {}) // ENODEV: it has vanished
	if err != nil {
		return fmt.Errorf("read link counters: %w", err)
	}
	return nil
}

// parseCounters reads the counters of an RTM_NEWLINK message.
func parseCounters(b []byte, c *flow.LinkCounters) bool {
	if len(b) < unix.SizeofIfInfomsg {
		return false
	}
	ok := false
	for typ, v := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch typ {
		case unix.IFLA_STATS64:
			st := parseStats(v)
			c.RxBytes, c.TxBytes, c.RxPackets, c.TxPackets = st.RxBytes, st.TxBytes, st.RxPackets, st.TxPackets
			c.RxDropped, c.TxDropped, c.RxMissed, c.RxFifo = st.RxDropped, st.TxDropped, st.RxMissed, st.RxFifo
			ok = true
		case unix.IFLA_CARRIER_CHANGES:
			c.CarrierChanges = uint64(u32(v))
		}
	}
	return ok
}

func (s *Sampler) readSoftnet(out []flow.LinkCounters) error {
	path := filepath.Join(s.roots.Procfs, "net/softnet_stat")
	dropped, squeezed, err := readSoftnet(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for i := range out {
		out[i].SoftnetDropped, out[i].SoftnetSqueezed, out[i].HasSoftnet = dropped, squeezed, true
	}
	return nil
}

// readNeighbours asks once for each device on which some link's neighbours are
// kept.
func (s *Sampler) readNeighbours(out []flow.LinkCounters) error {
	pending := map[int]bool{}
	for i, l := range s.links {
		for _, dev := range l.neighbour {
			p, asked := pending[dev]
			if !asked {
				var err error
				if p, err = s.netlink.neighbourPending(dev, s.hops); err != nil {
					return fmt.Errorf("read neighbours: %w", err)
				}
				pending[dev] = p
			}
			out[i].NeighbourPending = out[i].NeighbourPending || p
		}
	}
	return nil
}

// matches reports whether a neighbour is one that we ask about.
func matches(hops []netip.Addr, a netip.Addr) bool {
	return len(hops) == 0 || slices.Contains(hops, a)
}
