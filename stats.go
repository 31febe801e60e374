package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"spiketop/capture/pcapfile"
)

// statsOptions are what the stats command was asked.
type statsOptions struct {
	json     bool
	inner    bool
	csv      string
	top      int
	maxFlows int
}

// csvTables are what --csv can print.
var csvTables = []string{"flows", "addresses", "services", "tcp", "echoes", "peaks", "bursts"}

const statsHelp = `Statistics of a capture file: flows, addresses and services as Wireshark counts
them, TCP conversations with their troubles, echoes with RTT and losses, peaks
and bursts. Reads pcap and pcapng, also gzipped; FILE - is standard input.`

func statsCommand(ctx context.Context, stdout, stderr io.Writer) *cobra.Command {
	o := &statsOptions{}
	cmd := &cobra.Command{Use: "stats FILE", Short: "Statistics of a capture file (text, --json, --csv)", Long: statsHelp, Args: oneCapture, RunE: func(_ *cobra.Command, args []string) error {
		return runStats(ctx, o, args[0], stdout, stderr)
	}}
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "one JSON object with everything")
	f.BoolVar(&o.inner, "inner", false, "count by the innermost IP header of tunnels, not the outermost")
	f.StringVar(&o.csv, "csv", "", "one `TABLE` as CSV: flows (the default), addresses, services, tcp, echoes, peaks, bursts")
	f.Lookup("csv").NoOptDefVal = "flows"
	f.IntVar(&o.top, "top", 15, "lines of each table of the text")
	f.IntVar(&o.maxFlows, "max-flows", 1<<18, "how many flows are told apart; further ones are counted together")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage("spiketop stats --help lists the flags", "read flags: %w", err)
	})
	return cmd
}

func oneCapture(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("spiketop stats FILE; - is standard input", "read arguments: give one capture file, not %d", len(args))
	}
	return nil
}

func (o *statsOptions) check() error {
	if o.csv != "" && !contains(csvTables, o.csv) {
		return usage("choose one of "+joined(csvTables), "read --csv %q: there is no such table", o.csv)
	}
	if o.csv != "" && o.json {
		return usage("give one of them", "read flags: --json and --csv exclude each other")
	}
	if o.top < 1 || o.maxFlows < 1 || o.maxFlows > 1<<26 {
		return usage("--top 15 --max-flows 262144 are the defaults", "read flags: --top must be at least 1, --max-flows 1 to %d", 1<<26)
	}
	return nil
}

// runStats reads a file and prints what is in it. What is readable is used, and
// what is not is said on standard error.
func runStats(ctx context.Context, o *statsOptions, path string, stdout, stderr io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	r, err := pcapfile.Open(path, pcapfile.Options{})
	if err != nil {
		return unreadable(err)
	}
	defer r.Close()
	done := showProgress(stderr, path, r.Consumed)
	c, err := readCapture(ctx, r, o)
	done()
	if err != nil {
		return err
	}
	c.name = path
	if c.damage != nil && c.report.Frames == 0 {
		return unreadable(c.damage)
	}
	if err := c.nothingDecoded(); err != nil {
		return err
	}
	c.warn(stderr)
	out := bufio.NewWriterSize(stdout, 1<<16)
	switch {
	case o.json:
		err = c.writeJSON(out)
	case o.csv != "":
		err = c.writeCSV(out, o.csv)
	default:
		err = c.writeText(out, o.top)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("write statistics: %w", err)
	}
	return nil
}

// unreadable is the error of a file that gives nothing.
func unreadable(err error) error {
	hint := ""
	var at *pcapfile.FileError
	switch {
	case errors.As(err, &at):
		hint = "pcap and pcapng are read, also gzipped"
		err = fmt.Errorf("read capture: %w", err)
	case errors.Is(err, os.ErrPermission):
		return &failure{err, "sudo, or ask its owner", exitFailed}
	}
	return &failure{err, hint, exitFailed}
}

// nothingDecoded refuses a file all of whose packets have a link type that is
// not read.
func (c *captured) nothingDecoded() error {
	if len(c.opaque) == 0 || c.report.Opaque < c.report.Packets {
		return nil
	}
	o := c.opaque[0]
	return &failure{fmt.Errorf("read capture %s: interface %d: link type %s is not read", c.name, o.Interface, o.LinkType),
		"EN10MB, RAW, IPV4, IPV6, NULL, LOOP, LINUX_SLL and LINUX_SLL2 are", exitFailed}
}

// warn says on standard error what the figures lack.
func (c *captured) warn(stderr io.Writer) {
	say := func(format string, args ...any) {
		fmt.Fprintf(stderr, "spiketop: %s\n", oneLine(fmt.Sprintf(format, args...)))
	}
	if c.damage != nil {
		say("read capture: %v: the %d packets before are used", c.damage, c.report.Frames)
	}
	for i, o := range c.opaque {
		if i == 8 {
			say("read capture %s: %d more interfaces like it", c.name, len(c.opaque)-i)
			break
		}
		say("read capture %s: interface %d: link type %s is not read: its %d packets are in the totals only", c.name, o.Interface, o.LinkType, o.Packets)
	}
	if n := c.report.Other.Packets; n > 0 {
		say("read capture %s: over %d flows: %d packets of further ones are counted together; --max-flows raises that", c.name, len(c.report.Flows), n)
	}
	if n := c.report.OtherEchoes; n > 0 {
		say("read capture %s: over %d echo requests: %d further ones are not matched", c.name, len(c.report.Echoes), n)
	}
}
