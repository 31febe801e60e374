package main

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"spiketop/capture"
	"spiketop/capture/offline"
	"spiketop/flow"
	"spiketop/probe"
)

// pings are the series that are followed from their first echo on. only: the
// files have no others.
func (r *replay) pings() (first []probe.SeriesKey, only bool) {
	for i := range r.c.Pings {
		p := &r.c.Pings[i]
		if !p.VIF && p.Requests > 2 && len(first) < replayPings {
			first = append(first, probe.SeriesKey{Family: p.Family, Src: p.Src, Dst: p.Dst, ID: p.ID})
		}
	}
	return first, r.c.AllPings
}

// replayInterval is the time between two echoes of the busiest ping.
func replayInterval(c *offline.Capture) time.Duration {
	for i := range c.Pings {
		if p := &c.Pings[i]; !p.VIF && p.Requests > 2 {
			d := time.Duration(p.Gap()).Round(10 * time.Millisecond)
			return min(max(d, 10*time.Millisecond), 10*time.Second)
		}
	}
	return 100 * time.Millisecond
}

// singles are the addresses that --local names one by one: this host's own.
func singles(local []netip.Prefix) (own []netip.Addr) {
	for _, p := range local {
		if p.IsSingleIP() {
			own = append(own, p.Addr())
		}
	}
	return own
}

func ownAddresses(series []probe.SeriesKey, more []netip.Addr) []netip.Addr {
	own := slices.Clone(more)
	for _, k := range series {
		if a := netip.AddrFrom16(k.Src).Unmap(); !slices.Contains(own, a) {
			own = append(own, a)
		}
	}
	return own
}

// addLinks gives every link of the files that has none its place, and reports
// whether there were any.
func (r *replay) addLinks() bool {
	old := len(r.feeders)
	for i := old; i < len(r.c.Links); i++ {
		l := &r.c.Links[i]
		r.newest = append(r.newest, r.now)
		if l.VIF {
			r.world.Guests = append(r.world.Guests, flow.GuestNIC{Name: oneLine(l.Name), Ifindex: i + 1, Guest: oneLine(l.Guest), MACs: l.MACs, Source: "the file"})
			r.feeders = append(r.feeders, nil)
			continue
		}
		link := flow.Link{ID: linkID(i), Name: oneLine(l.Name), Ifindex: i + 1, Bond: oneLine(l.Bond), State: flow.LinkUp, SpeedBps: l.Speed, Epoch: 1}
		if v := cmp.Or(r.o.linkSpeed[l.Name], r.o.conf.linkSpeed[l.Name]); v != 0 {
			link.SpeedBps = v
		}
		r.world.Links = append(r.world.Links, link)
		r.feeders = append(r.feeders, capture.NewFeeder(capture.FeederConfig{Link: link.ID, Offset: r.offset, Epoch: 1, MaxFlows: r.o.maxFlows}))
	}
	r.world.Guests = namedGuests(r.world.Guests, r.o.conf.vifs)
	return len(r.feeders) > old
}

func linkID(i int) flow.LinkID { return flow.LinkID(i + 1) }

func (r *replay) classify() {
	for i, f := range r.feeders {
		if f != nil {
			f.SetClassify(classOf(r.world, linkID(i)))
		}
	}
}

// setWorld publishes a changed World.
func (r *replay) setWorld(change func(*flow.World)) {
	next := *r.world
	next.Links, next.Guests = slices.Clone(next.Links), slices.Clone(next.Guests)
	r.world = &next
	change(&next)
	next.Generation++
	next.Index()
	r.classify()
	r.mon.SetWorld(r.now, &next)
}

// newLinks takes interfaces that appear in the middle of a file.
func (r *replay) newLinks() {
	if len(r.c.Links) == len(r.feeders) {
		return
	}
	old := len(r.feeders)
	r.setWorld(func(*flow.World) { r.addLinks() })
	for _, f := range r.feeders[old:] {
		if f != nil {
			f.Start(r.now)
		}
	}
}
