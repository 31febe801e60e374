package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"spiketop/capture/pcapfile"
)

// cutter writes the packets of a time from several files into one.
type cutter struct {
	span   span
	merger *pcapfile.Merger
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
	twin                      int // how many of its section are like it and before it
}

// write reads everything and writes what is in time. A damaged input is used as
// far as it goes, and said.
func (c *cutter) write(ctx context.Context, w io.Writer) error {
	c.ifaces, c.same = map[ifaceOf]int{}, map[ifaceKey]int{}
	c.out = pcapfile.NewWriter(w, pcapfile.Section{Application: "spiketop " + version(), Comment: c.comments()})
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		p, file, err := c.merger.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return &failure{err, "slice them in steps", exitFailed}
		}
		if p.NoTime {
			c.timeless++
			continue
		}
		if p.At < c.span.from || p.At >= c.span.to && c.span.to != math.MaxInt64 {
			continue
		}
		if err := c.put(p, file); err != nil {
			return fmt.Errorf("write slice: %w", err)
		}
	}
	if err := c.out.WriteNames(c.merger.Names()); err != nil {
		return fmt.Errorf("write slice: %w", err)
	}
	if err := c.out.Flush(); err != nil {
		return fmt.Errorf("write slice: %w", err)
	}
	c.warn()
	return nil
}

// comments are what the inputs say about themselves, each once.
func (c *cutter) comments() string {
	var list []string
	for i := range c.names {
		for _, s := range c.merger.Sections(i) {
			if s.Comment != "" && !slices.Contains(list, s.Comment) && len(list) < mostComments {
				list = append(list, s.Comment)
			}
		}
	}
	return strings.Join(list, "\n")
}

// mostComments bounds them: files of anybody may be given.
const mostComments = 64

// put writes one packet, and its interface when it is the first one there.
func (c *cutter) put(p *pcapfile.Packet, file int) error {
	at := ifaceOf{file, p.Interface}
	n, known := c.ifaces[at]
	if !known {
		var err error
		if n, err = c.iface(at); err != nil {
			return err
		}
		c.ifaces[at] = n
	}
	q := *p
	q.Interface = n
	c.packets++
	return c.out.WritePacket(&q)
}

// iface is the number in the output of an interface that has no packet there yet.
func (c *cutter) iface(at ifaceOf) (int, error) {
	all := c.merger.Interfaces()
	i := all[at.iface]
	key := ifaceKeyOf(&i)
	for k := range all[:at.iface] {
		if all[k].Section == i.Section && ifaceKeyOf(&all[k]) == key {
			key.twin++
		}
	}
	if i.Name == "" && len(c.names) > 1 {
		i.Description = describedBy(i.Description, c.names[at.file])
		key.description = i.Description
	}
	if n, known := c.same[key]; known {
		return n, nil
	}
	n, err := c.out.AddInterface(i)
	c.same[key] = n
	return n, err
}

func ifaceKeyOf(i *pcapfile.Interface) ifaceKey {
	return ifaceKey{i.Name, i.Description, i.Filter, i.Link, i.SnapLen, i.Speed, i.MAC, 0}
}

func describedBy(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// warn says what was not read or not written.
func (c *cutter) warn() {
	for i := range c.names {
		opened, err := c.merger.Err(i)
		switch {
		case err == nil:
		case opened:
			fmt.Fprintf(c.stderr, "spiketop: warning: read %s; what came before it is used\n", oneLine(err.Error()))
		default:
			fmt.Fprintf(c.stderr, "spiketop: warning: %s; it is left out\n", oneLine(err.Error()))
		}
	}
	if c.timeless > 0 {
		fmt.Fprintf(c.stderr, "spiketop: warning: packets without a time are left out: %d\n", c.timeless)
	}
	if c.packets == 0 {
		fmt.Fprintln(c.stderr, "spiketop: warning: no packet lies in that time")
	}
}
