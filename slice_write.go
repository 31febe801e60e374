package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"

	"spiketop/capture/pcapfile"
)

// cutter writes the packets of a time from several files into one.
type cutter struct {
	span   span
	merger *pcapfile.Merger
	files  []*pcapfile.Reader
	names  []string
	stderr io.Writer

	out      *pcapfile.Writer
	ifaces   map[ifaceOf]int // numbers in out
	same     map[ifaceKey]int
	packets  int
	timeless int
}

// ifaceOf is an interface of an input.
type ifaceOf struct{ file, iface int }

// ifaceKey is what interfaces of several files have in common that are the same
// one: the files of a ring describe their NICs again and again.
type ifaceKey struct {
	name, description, filter string
	link                      pcapfile.LinkType
	snap                      uint32
	speed                     uint64
	mac                       [6]byte
}

// write reads everything and writes what is in time. A damaged input is used as
// far as it goes, and said.
func (c *cutter) write(ctx context.Context, w io.Writer) error {
	c.ifaces, c.same = map[ifaceOf]int{}, map[ifaceKey]int{}
	c.out = pcapfile.NewWriter(w, pcapfile.Section{Application: "spiketop " + version()})
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		p, file, err := c.merger.Next()
		if err == io.EOF {
			break
		}
		if p.NoTime {
			c.timeless++
			continue
		}
		if p.At < c.span.from || p.At >= c.span.to {
			continue
		}
		if err := c.put(p, file); err != nil {
			return fmt.Errorf("write slice: %w", err)
		}
	}
	names := map[netip.Addr][]string{}
	for _, r := range c.files {
		maps.Copy(names, r.Names())
	}
	if err := c.out.WriteNames(names); err != nil {
		return fmt.Errorf("write slice: %w", err)
	}
	if err := c.out.Flush(); err != nil {
		return fmt.Errorf("write slice: %w", err)
	}
	c.warn()
	return nil
}

// put writes one packet, and its interface when it is the first one there.
func (c *cutter) put(p *pcapfile.Packet, file int) error {
	at := ifaceOf{file, p.Interface}
	n, known := c.ifaces[at]
	if !known {
		i := c.files[file].Interfaces()[p.Interface]
		if i.Name == "" && len(c.names) > 1 {
			i.Description = describedBy(i.Description, c.names[file])
		}
		key := ifaceKey{i.Name, i.Description, i.Filter, i.Link, i.SnapLen, i.Speed, i.MAC}
		if n, known = c.same[key]; !known {
			var err error
			if n, err = c.out.AddInterface(i); err != nil {
				return err
			}
			c.same[key] = n
		}
		c.ifaces[at] = n
	}
	q := *p
	q.Interface = n
	c.packets++
	return c.out.WritePacket(&q)
}

func describedBy(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// warn says what was not read or not written.
func (c *cutter) warn() {
	for i, name := range c.names {
		if err := c.merger.Err(i); err != nil {
			fmt.Fprintf(c.stderr, "spiketop: warning: read %s: %s; what came before it is used\n", oneLine(name), oneLine(err.Error()))
		}
	}
	if c.timeless > 0 {
		fmt.Fprintf(c.stderr, "spiketop: warning: packets without a time are left out: %d\n", c.timeless)
	}
	if c.packets == 0 {
		fmt.Fprintln(c.stderr, "spiketop: warning: no packet lies in that time")
	}
}
