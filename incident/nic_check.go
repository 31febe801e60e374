package incident

import (
	"math"
	"sort"
	"time"

	"spiketop/flow"
)

// The check of what was counted against the NIC's own counters. Drivers renew
// theirs once a second or so, hence not less than 10 s.
const (
	checkLeast = 10 * time.Second
	checkMost  = 30 * time.Second
	checkBytes = 20_000 // under so many bytes padding and timing are all there is
)

// NICCheck compares what was counted with the NIC's own counters over the same
// time: counted / theirs, by direction. Nil is not known (too little traffic).
// Of a physical NIC the bytes on the wire are compared, which may differ by what
// each driver counts (padding, the FCS); of a veth or tap those of the kernel's
// buffers.
type NICCheck struct {
	Seconds float64  `json:"seconds"`
	Rx      *float64 `json:"rx"`
	Tx      *float64 `json:"tx"`
}

// check looks at the time up to to; nil while fewer than 10 s can be compared.
func (l *link) check(to flow.Time) *NICCheck {
	r := l.readings(min(to, l.lookback.Newest()))
	if len(r) < 2 {
		return nil
	}
	c := l.lookback.Counted(r[0].At, r[len(r)-1].At)
	if c.Observed < checkLeast || c.To.Sub(c.From) != c.Observed {
		return nil
	}
	first, last := bytesAt(r, c.From), bytesAt(r, c.To)
	out := &NICCheck{Seconds: c.Observed.Seconds()}
	for d, share := range [2]**float64{&out.Rx, &out.Tx} {
		counted := c.SKBBytes[d]
		if l.Physical {
			counted = c.Total[d].Bytes
		}
		if theirs := last[d] - first[d]; theirs >= checkBytes {
			s := math.Round(float64(counted)/theirs*1e4) / 1e4
			*share = &s
		}
	}
	return out
}

// readings are those of this epoch in the 30 s up to to between which no counter
// has begun anew.
func (l *link) readings(to flow.Time) []flow.LinkCounters {
	end := sort.Search(len(l.counters), func(i int) bool { return l.counters[i].At > to })
	begin := end
	for begin > 0 {
		c := &l.counters[begin-1]
		if c.At < to.Add(-checkMost) || c.At < l.lookback.EpochStart() {
			break
		}
		if next := c; begin < end && (next.RxBytes > l.counters[begin].RxBytes || next.TxBytes > l.counters[begin].TxBytes) {
			break
		}
		begin--
	}
	return l.counters[begin:end]
}

// bytesAt are the counters at t, between two readings in proportion.
func bytesAt(r []flow.LinkCounters, t flow.Time) (n [2]float64) {
	i := sort.Search(len(r), func(i int) bool { return r[i].At >= t })
	b := &r[min(i, len(r)-1)]
	if a := &r[max(i-1, 0)]; b.At > a.At {
		part := float64(t-a.At) / float64(b.At-a.At)
		n[flow.Rx] = float64(a.RxBytes) + part*float64(b.RxBytes-a.RxBytes)
		n[flow.Tx] = float64(a.TxBytes) + part*float64(b.TxBytes-a.TxBytes)
		return n
	}
	return [2]float64{float64(b.RxBytes), float64(b.TxBytes)}
}

// checkOff is from which difference on counts and counters disagree: small
// frames are padded, and some drivers count the FCS.
const checkOff = 0.1

// off reports whether a direction disagrees.
func (c *NICCheck) off() bool {
	return c != nil && (far(c.Rx) || far(c.Tx))
}

func far(share *float64) bool { return share != nil && math.Abs(*share-1) > checkOff }

// Worst is the share that is farthest from 1, nil if none is known.
func (c *NICCheck) Worst() *float64 {
	switch {
	case c == nil:
		return nil
	case c.Rx == nil, c.Tx != nil && math.Abs(*c.Tx-1) > math.Abs(*c.Rx-1):
		return c.Tx
	}
	return c.Rx
}
