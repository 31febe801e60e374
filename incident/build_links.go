package incident

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"spiketop/flow"
)

// busyLevel is the part of its speed from which a link counts as busy.
const busyLevel = 0.9

// linkParts are the links' figures in the window.
func (b *builder) linkParts() []LinkPart {
	parts := make([]LinkPart, 0, len(b.m.links))
	for i, l := range b.m.links {
		sum := b.sums[i]
		p := LinkPart{Name: l.Name, Bond: l.Bond, State: l.State.String(), CaptureDrops: sum.Lost,
			Coverage: coverage(sum), NICCheck: l.check(b.to), NIC: b.nic(l)}
		if l.SpeedBps > 0 {
			speed := l.SpeedBps
			p.SpeedBps = &speed
		}
		bins := l.lookback.Bins(b.c.from, b.to)
		p.Rx, p.Tx = b.linkDir(l, sum, &bins, flow.Rx), b.linkDir(l, sum, &bins, flow.Tx)
		parts = append(parts, p)
	}
	return parts
}

func (b *builder) linkDir(l *link, sum *flow.WindowSum, bins *flow.BinSeries, d flow.Direction) LinkDir {
	p := LinkDir{Bytes: sum.Total[d].Bytes, Frames: sum.Total[d].Packets, Bps: bitRate(sum.Total[d].Bytes, sum.Observed)}
	if r, ok := b.c.baseOf(l).rate(d); ok {
		p.BaselineBps = &r
	}
	busy := 0.0
	for i, n := range bins.Bytes[d] {
		r := bitRate(n, flow.BinLen)
		if r > p.PeakBps {
			at := b.c.wall(b.m, bins.Start.Add(time.Duration(i)*flow.BinLen))
			p.PeakBps, p.PeakAt = r, &at
		}
		if r > busyLevel*float64(l.SpeedBps) {
			busy += float64(flow.BinLen.Milliseconds())
		}
	}
	if l.SpeedBps > 0 {
		use := p.Bps / float64(l.SpeedBps)
		p.Utilisation, p.BusyMs = &use, &busy
	}
	return p
}

// coverage is the part of a window's frames that was accounted; nil where there
// is nothing to judge.
func coverage(sum *flow.WindowSum) *float64 {
	seen := sum.Total[flow.Rx].Packets + sum.Total[flow.Tx].Packets
	if seen+sum.Lost == 0 {
		return nil
	}
	c := float64(seen) / float64(seen+sum.Lost)
	return &c
}

// grown is the difference of a counter that may have begun anew.
func grown(first, last uint64) uint64 {
	if last < first {
		return last
	}
	return last - first
}

// byClass adds up a window's bytes by class and direction, rows and Other.
func byClass(sum *flow.WindowSum, into map[flow.Class]*[2]uint64) {
	add := func(c flow.Class, d flow.Direction, n uint64) {
		p := into[c]
		if p == nil {
			p = &[2]uint64{}
			into[c] = p
		}
		p[d] += n
	}
	for i := range sum.Flows {
		f := &sum.Flows[i]
		for _, d := range flow.Directions {
			add(f.Class, d, f.Sum[d].Bytes)
		}
	}
	for _, d := range flow.Directions {
		for c, n := range sum.Other[d] {
			add(c, d, n.Bytes)
		}
	}
}

// classes are the shares of all captured links' bytes: those that occur in the
// window, and unknown in any case, largest first.
func (b *builder) classes() []ClassPart {
	now, base := map[flow.Class]*[2]uint64{flow.Unknown: {}}, map[flow.Class]*[2]uint64{}
	for i, l := range b.m.links {
		byClass(b.sums[i], now)
		byClass(&b.c.baseOf(l).sum, base)
	}
	total, baseTotal := totals(now), totals(base)
	list := slices.SortedFunc(maps.Keys(now), func(x, y flow.Class) int {
		return cmp.Or(cmp.Compare(now[y][0]+now[y][1], now[x][0]+now[x][1]), cmp.Compare(x, y))
	})
	parts := make([]ClassPart, 0, len(list))
	for _, c := range list {
		n := now[c]
		if n[0]+n[1] == 0 && c != flow.Unknown {
			continue
		}
		was := base[c]
		if was == nil {
			was = &[2]uint64{}
		}
		dir := func(d flow.Direction) ClassDir {
			return ClassDir{Bytes: n[d], Share: shareOf(n[d], total[d]), BaselineShare: shareOf(was[d], baseTotal[d])}
		}
		parts = append(parts, ClassPart{Name: c.String(), Rx: dir(flow.Rx), Tx: dir(flow.Tx)})
	}
	return parts
}

func totals(classes map[flow.Class]*[2]uint64) (t [2]uint64) {
	for _, n := range classes {
		t[flow.Rx] += n[flow.Rx]
		t[flow.Tx] += n[flow.Tx]
	}
	return t
}

// shareOf is nil for a part of nothing.
func shareOf(part, whole uint64) *float64 {
	if whole == 0 {
		return nil
	}
	r := float64(part) / float64(whole)
	return &r
}
