package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"spiketop/capture/dissect"
	"spiketop/capture/pcapfile"
	"spiketop/flow/stats"
)

// statsBatch is how many packets go from the reading goroutine to the counting
// one at a time: some tens of kilobytes, which stay in a cache.
const statsBatch = 256

// captured is what a file has given.
type captured struct {
	name       string
	report     *stats.Report
	interfaces []pcapfile.Interface
	opaque     []opaqueInterface
	damage     error // where reading ended before the end of the file
	inner      bool
}

// opaqueInterface is one whose link type is not read.
type opaqueInterface struct {
	Interface int    `json:"interface"`
	LinkType  string `json:"link_type"`
	Packets   uint64 `json:"packets"`
}

// packetBatch is some packets on their way, and from the reader's side the end.
type packetBatch struct {
	n       int
	packets [statsBatch]stats.Packet
	opaque  [statsBatch]bool
}

// readCapture reads to the end of the file, or to where it is damaged. One
// goroutine reads and dissects, this one counts.
func readCapture(ctx context.Context, r *pcapfile.Reader, o *statsOptions) (*captured, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c := &captured{inner: o.inner}
	col := stats.New(stats.Options{MaxFlows: o.maxFlows, Seed: rand.Uint64()})
	full, empty := make(chan *packetBatch, 4), make(chan *packetBatch, 6)
	for range cap(empty) {
		empty <- &packetBatch{}
	}
	var damage error
	go func() {
		defer close(full)
		damage = dissectAll(ctx, r, o.inner, full, empty)
	}()
	of := map[int32]uint64{}
	for {
		select {
		case <-ctx.Done(): // a pipe that stalls does not hold this up
			return nil, fmt.Errorf("read capture: interrupted: %w", ctx.Err())
		case b, more := <-full:
			if more {
				countBatch(col, b, of)
				empty <- b
				continue
			}
		}
		break
	}
	c.interfaces = slices.Clone(r.Interfaces())
	if damage != io.EOF {
		c.damage = damage
	}
	c.report = col.Report()
	for n, packets := range of {
		c.opaque = append(c.opaque, opaqueInterface{int(n), c.interfaces[n].Link.String(), packets})
	}
	slices.SortFunc(c.opaque, func(a, b opaqueInterface) int { return a.Interface - b.Interface })
	return c, nil
}

func countBatch(col *stats.Collector, b *packetBatch, of map[int32]uint64) {
	for i := range b.n {
		p := &b.packets[i]
		if b.opaque[i] {
			of[p.Interface]++
			col.AddOpaque(p)
			continue
		}
		col.Add(p)
	}
}

// dissectAll reads all packets; it returns what the reader has ended with.
func dissectAll(ctx context.Context, r *pcapfile.Reader, inner bool, full chan<- *packetBatch, empty <-chan *packetBatch) error {
	var p pcapfile.Packet
	for {
		var b *packetBatch
		select {
		case b = <-empty:
		case <-ctx.Done():
			return ctx.Err()
		}
		b.n = 0
		var err error
		for b.n < statsBatch {
			if err = r.Next(&p); err != nil {
				break
			}
			q := &b.packets[b.n]
			q.At, q.Interface = p.At, int32(p.Interface)
			b.opaque[b.n] = !p.Link.Supported()
			dissect.Read(&dissect.Frame{Link: uint16(p.Link), Data: p.Data, Len: p.Len, SegSize: p.SegSize, Inner: inner}, q)
			b.n++
		}
		select {
		case full <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

func joined(list []string) string { return strings.Join(list, ", ") }

// linkTypes are those of the file's interfaces, each once.
func (c *captured) linkTypes() []string {
	out, seen := []string{}, map[string]bool{}
	for _, i := range c.interfaces {
		if n := i.Link.String(); !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
