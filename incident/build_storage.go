package incident

import (
	"cmp"
	"math"
	"slices"
	"time"

	"spiketop/flow"
)

// Least bytes for a ratio: acknowledgements and heartbeats have ratios too, and
// they mean nothing.
const (
	// StorageLeastBytes must be in the denominator of any ratio of storage bytes.
	StorageLeastBytes = 1_000_000
	// storageLeastShare of all captured links' bytes must be storage.
	storageLeastShare = 0.01
)

// storage is what class storage did; nil where there was none and no disk either.
func (b *builder) storage() *StoragePart {
	p := &StoragePart{}
	var links, was [2]float64 // bytes of all links, of storage in the baseline
	seen, baseline := false, false
	for i, l := range b.m.links {
		sum, base := b.sums[i], &b.c.baseOf(l).sum
		n, usual := classBytes(sum, flow.Storage), classBytes(base, flow.Storage)
		p.InBytes += n[flow.Rx]
		p.OutBytes += n[flow.Tx]
		p.InBps += bitRate(n[flow.Rx], sum.Observed)
		p.OutBps += bitRate(n[flow.Tx], sum.Observed)
		seen = seen || n != [2]uint64{} || usual != [2]uint64{}
		if base.Observed > 0 {
			baseline = true
			for _, d := range flow.Directions {
				p.addUsual(d, bitRate(usual[d], base.Observed))
			}
		}
		for _, d := range flow.Directions {
			links[0] += float64(sum.Total[d].Bytes)
			links[1] += float64(base.Total[d].Bytes)
			was[d] += float64(usual[d])
		}
		b.waysOf(p, sum)
	}
	p.FedBy, p.FedByOther = b.fedBy()
	if !seen && p.FedBy == nil {
		return nil
	}
	in, out := float64(p.InBytes), float64(p.OutBytes)
	p.Undecided = StorageBytes{p.InBytes - p.Writes.InBytes - p.Reads.InBytes, p.OutBytes - p.Writes.OutBytes - p.Reads.OutBytes}
	p.Amplification = ratioOf(in, out, links[0])
	if baseline {
		p.BaselineAmplification = ratioOf(was[flow.Rx], was[flow.Tx], links[1])
	}
	for _, w := range []*StorageWay{&p.Writes, &p.Reads} {
		w.Amplification = ratioOf(float64(w.InBytes), float64(w.OutBytes), links[0])
	}
	p.Chains = b.chains(links[0])
	b.wire(p)
	return p
}

func (p *StoragePart) addUsual(d flow.Direction, bps float64) {
	at := &p.BaselineInBps
	if d == flow.Tx {
		at = &p.BaselineOutBps
	}
	if *at == nil {
		*at = new(float64)
	}
	**at += bps
}

// ratioOf is out / in, nil where in is under [StorageLeastBytes], or both
// together under [storageLeastShare] of the links' bytes.
func ratioOf(in, out, links float64) *float64 {
	if in < StorageLeastBytes || in+out < storageLeastShare*links {
		return nil
	}
	r := out / in
	return &r
}

// classBytes are the bytes of a class by direction, rows and Other.
func classBytes(sum *flow.WindowSum, class flow.Class) (n [2]uint64) {
	for i := range sum.Flows {
		if f := &sum.Flows[i]; f.Class == class {
			n[flow.Rx] += f.Sum[flow.Rx].Bytes
			n[flow.Tx] += f.Sum[flow.Tx].Bytes
		}
	}
	for _, d := range flow.Directions {
		n[d] += sum.Other[d][class].Bytes
	}
	return n
}

// waysOf adds a link's storage flows to writes and reads.
func (b *builder) waysOf(p *StoragePart, sum *flow.WindowSum) {
	for i := range sum.Flows {
		f := &sum.Flows[i]
		if f.Class != flow.Storage {
			continue
		}
		in, out := f.Sum[flow.Rx].Bytes, f.Sum[flow.Tx].Bytes
		switch serverSide(&f.Key, b.m.world.Rules) {
		case serverHere: // peers write to it, and read from it
			p.Writes.InBytes += in
			p.Reads.OutBytes += out
		case serverThere:
			p.Reads.InBytes += in
			p.Writes.OutBytes += out
		}
	}
}

// The end of a storage flow at which the server sits.
const (
	serverUnknown = iota
	serverHere
	serverThere
)

// firstEphemeral is the lowest port that Linux gives to clients by default
// (ip_local_port_range, net/ipv4/af_inet.c inet_init_net).
const firstEphemeral = 32768

// serverSide says at which end the server of a storage flow sits: where a port
// rule of class storage names the port, then where the built-in table does; else, if just one port lies in the range
// of clients, at the other one.
func serverSide(k *flow.Key, rules []flow.Rule) int {
	if !k.HasPorts() {
		return serverUnknown
	}
	local, remote := false, false
	for i := range rules {
		if rules[i].Class != flow.Storage {
			continue
		}
		for _, p := range rules[i].Ports {
			local = local || p.Lo <= k.LocalPort && k.LocalPort <= p.Hi
			remote = remote || p.Lo <= k.RemotePort && k.RemotePort <= p.Hi
		}
	}
	if local == remote {
		local, remote = flow.IsStoragePort(k.Proto, k.LocalPort), flow.IsStoragePort(k.Proto, k.RemotePort)
	}
	if local == remote {
		local, remote = k.LocalPort < firstEphemeral, k.RemotePort < firstEphemeral
	}
	switch {
	case local && !remote:
		return serverHere
	case remote && !local:
		return serverThere
	}
	return serverUnknown
}

// fedBy are the VMs by how much more than usual their disks carried.
func (b *builder) fedBy() (list []FedBy, other *FedByOther) {
	for vm, t := range b.m.guests.disks {
		now := t.between(b.c.from, b.to)
		if now.known <= 0 {
			continue
		}
		f := FedBy{VM: vm, WriteBps: now.rate(writeBytes), ReadBps: now.rate(readBytes)}
		if was := b.usual(t); was.known > 0 {
			w, r := f.WriteBps-was.rate(writeBytes), f.ReadBps-was.rate(readBytes)
			f.WriteDeltaBps, f.ReadDeltaBps = &w, &r
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(x, y FedBy) int {
		return cmp.Or(cmp.Compare(y.change(), x.change()), cmp.Compare(x.VM, y.VM))
	})
	if len(list) > maxGuests {
		other = &FedByOther{VMs: len(list) - maxGuests}
		for i := maxGuests; i < len(list); i++ {
			other.WriteBps += list[i].WriteBps
			other.ReadBps += list[i].ReadBps
		}
		list = list[:maxGuests:maxGuests]
	}
	return list, other
}

// change is the larger of both changes; without a baseline as if the VM had been
// silent.
func (f *FedBy) change() float64 {
	w, r := f.WriteBps, f.ReadBps
	if f.WriteDeltaBps != nil && f.ReadDeltaBps != nil {
		w, r = *f.WriteDeltaBps, *f.ReadDeltaBps
	}
	return max(w, r)
}

// wire compares what storage carried more than usual with what the VMs wrote
// more than usual, both over the time between the disks' readings around the
// window: a rate of 100 ms beside one of a second would be no ratio.
func (b *builder) wire(p *StoragePart) {
	disks := make([]*tally, 0, len(b.m.guests.disks))
	for _, t := range b.m.guests.disks {
		disks = append(disks, t)
	}
	span := spanAround(disks, b.c.from, b.to)
	if span.From > b.c.from || span.To < b.to || p.BaselineInBps == nil {
		return // not read on both sides of the window, or not yet
	}
	var written, read float64
	known := false
	for _, t := range disks {
		now, was := t.between(span.From, span.To), b.usual(t)
		if now.known <= 0 || was.known <= 0 {
			continue
		}
		known = true
		written += now.n[writeBytes] - was.n[writeBytes]*float64(now.known)/float64(was.known)
		read += now.n[readBytes] - was.n[readBytes]*float64(now.known)/float64(was.known)
	}
	bytes, over, links := b.storageIn(span)
	if !known || over < span.To.Sub(span.From)/2 {
		return
	}
	scale := float64(span.To.Sub(span.From)) / float64(over)
	in := bytes[flow.Rx]*scale - *p.BaselineInBps/8*span.To.Sub(span.From).Seconds()
	out := bytes[flow.Tx]*scale - *p.BaselineOutBps/8*span.To.Sub(span.From).Seconds()
	p.Wire = &WirePart{Seconds: span.To.Sub(span.From).Seconds(), InBytes: whole(in), OutBytes: whole(out), Written: whole(written), Read: whole(read)}
	wire := max(out, 0) + max(in-max(read, 0), 0) // what was read came in
	if written >= StorageLeastBytes && wire >= storageLeastShare*links*scale {
		r := wire / written
		p.WirePerWritten = &r
	}
}

// whole is a number of bytes, 0 where it is negative.
func whole(n float64) uint64 { return uint64(math.Round(max(n, 0))) }

// storageIn is what class storage carried in s, which holds the window, by
// direction; over is how much of that time is known of the link that is known
// least. What the window's sums
// already hold is not looked at again.
func (b *builder) storageIn(s flow.Span) (bytes [2]float64, over time.Duration, links float64) {
	for i, l := range b.m.links {
		parts := []*flow.WindowSum{}
		add := func(from, to flow.Time) {
			if from < to {
				sum := l.lookback.Sum(from, to, nil)
				parts = append(parts, &sum)
			}
		}
		add(s.From, b.c.from)
		parts = append(parts, b.sums[i])
		add(b.to, s.To)
		known := time.Duration(0)
		for _, sum := range parts {
			n := classBytes(sum, flow.Storage)
			for _, d := range flow.Directions {
				bytes[d] += float64(n[d])
				links += float64(sum.Total[d].Bytes)
			}
			known += sum.Observed
		}
		if i == 0 || known < over {
			over = known
		}
	}
	return bytes, over, links
}
