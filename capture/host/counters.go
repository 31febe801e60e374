package host

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// Sampler reads the counters of vifs. It belongs to one goroutine.
type Sampler struct {
	netlink *rtnl
	old     bool // a kernel before 4.7: no RTM_GETSTATS
}

// NewSampler opens its netlink socket in the calling thread's network namespace.
func NewSampler() (*Sampler, error) {
	n, err := openNetlink()
	if err != nil {
		return nil, err
	}
	return &Sampler{netlink: n}, nil
}

// Close closes the socket.
func (s *Sampler) Close() error { return s.netlink.Close() }

// Read reads the counters of all nics now, in one list of the kernel's; At of
// each is now. A vif that has vanished is left out. The slice is the caller's.
//
// The guest's side: what the kernel sends to a tap or veth, the guest receives.
// A macvtap is the other way round: its device stands for the guest, and what
// the kernel drops for it on the way in was not read by the guest.
func (s *Sampler) Read(now flow.Time, nics []flow.GuestNIC) ([]flow.GuestNICCounters, error) {
	if len(nics) == 0 {
		return nil, nil
	}
	at := make(map[int]int, len(nics))
	for i := range nics {
		at[nics[i].Ifindex] = i
	}
	out := make([]flow.GuestNICCounters, len(nics))
	found := make([]bool, len(nics))
	err := s.dump(func(ifindex int, c deviceCounters) {
		i, ok := at[ifindex]
		if !ok {
			return
		}
		found[i] = true
		out[i] = c.ofGuest(nics[i].Kind)
		out[i].At, out[i].Ifindex = now, ifindex
	})
	if err != nil {
		return nil, fmt.Errorf("read vif counters: %w", err)
	}
	kept := out[:0]
	for i := range out {
		if found[i] {
			kept = append(kept, out[i])
		}
	}
	return kept, nil
}

// deviceCounters are the kernel's, from its own side.
type deviceCounters struct {
	rxBytes, txBytes     uint64
	rxDropped, txDropped uint64
}

func (c deviceCounters) ofGuest(kind string) flow.GuestNICCounters {
	if kind == "macvtap" || kind == "ipvtap" {
		return flow.GuestNICCounters{RxBytes: c.rxBytes, TxBytes: c.txBytes, RxDropped: c.rxDropped, TxDropped: c.txDropped}
	}
	return flow.GuestNICCounters{RxBytes: c.txBytes, TxBytes: c.rxBytes, RxDropped: c.txDropped, TxDropped: c.rxDropped}
}

// dump lists the counters of all devices. RTM_GETSTATS carries nothing else: a
// fifth of the bytes of a list of links, and no driver is asked for its settings.
func (s *Sampler) dump(each func(ifindex int, c deviceCounters)) error {
	if !s.old {
		fixed := make([]byte, 12)         // struct if_stats_msg
		native.PutUint32(fixed[8:], 1<<0) // filter_mask: IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)
		req := request(unix.RTM_GETSTATS, unix.NLM_F_DUMP, fixed)
		err := s.netlink.dump(req, func() {}, func(b []byte) {
			if ifindex, c, ok := parseStatsMessage(b); ok {
				each(ifindex, c)
			}
		})
		if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EINVAL) {
			return err
		}
		s.old = true
	}
	req := request(unix.RTM_GETLINK, unix.NLM_F_DUMP, make([]byte, unix.SizeofIfInfomsg))
	return s.netlink.dump(req, func() {}, func(b []byte) {
		if ifindex, c, ok := parseLinkMessage(b); ok {
			each(ifindex, c)
		}
	})
}

// parseStatsMessage reads struct if_stats_msg and attributes (linux/if_link.h).
func parseStatsMessage(b []byte) (ifindex int, c deviceCounters, ok bool) {
	const size, link64 = 12, 1 // IFLA_STATS_LINK_64
	if len(b) < size {
		return 0, c, false
	}
	ok = c.read(b[size:], link64)
	return int(int32(native.Uint32(b[4:]))), c, ok
}

// parseLinkMessage reads the counters of an RTM_NEWLINK message.
func parseLinkMessage(b []byte) (ifindex int, c deviceCounters, ok bool) {
	if len(b) < unix.SizeofIfInfomsg {
		return 0, c, false
	}
	ok = c.read(b[unix.SizeofIfInfomsg:], unix.IFLA_STATS64)
	return int(int32(native.Uint32(b[4:]))), c, ok
}

// read takes the counters out of the attribute that holds struct
// rtnl_link_stats64: packets, bytes, errors, dropped, each rx then tx.
func (c *deviceCounters) read(attrs []byte, which uint16) (ok bool) {
	for typ, v := range attributes(attrs) {
		if typ != which || len(v) < 8*8 {
			continue
		}
		c.rxBytes, c.txBytes = native.Uint64(v[2*8:]), native.Uint64(v[3*8:])
		c.rxDropped, c.txDropped = native.Uint64(v[6*8:]), native.Uint64(v[7*8:])
		ok = true
	}
	return ok
}
