package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spiketop/probe/hops"
)

// pathOptions are what "spiketop path" was asked.
type pathOptions struct {
	json bool
	top  int // echoes shown, 0 = all; unset = 10 in text, all in JSON
	id   int // -1 = any
	seq  int
	host netip.Addr
}

// pathFile is one point and its capture.
type pathFile struct{ name, file string }

const defaultTop = 10

const pathHelp = `Captures of the same echoes at several points on their way (a guest, its vif, the
NICs of both hosts, ...) tell where the time went: an echo's time at a point is what
lies beyond it, and the difference between two points is what lies between them.
The clocks of the points need not agree.

NAME=FILE: a point and its pcap or pcapng, gzip too, in the order of the request's
way; FILE "-" is standard input. Only ICMP and ICMPv6 echoes are read, also inside
of VXLAN, Geneve and GRE.

    spiketop path vm_a=1.pcap vif_a=2.pcap nic_a=3.pcap nic_b=4.pcap vm_b=5.pcap`

// pathCommand is "spiketop path NAME=FILE ...".
func pathCommand(ctx context.Context, stdout, stderr io.Writer) *cobra.Command {
	var o pathOptions
	var host string
	cmd := &cobra.Command{Use: "path [flags] NAME=FILE ...", Short: "Where the time of echoes went, from captures of several points", Long: pathHelp,
		Args: cobra.ArbitraryArgs, RunE: func(cmd *cobra.Command, args []string) error {
			files, err := pathFiles(args)
			if err != nil {
				return err
			}
			if err := o.check(host); err != nil {
				return err
			}
			if o.json && !cmd.Flags().Changed("top") {
				o.top = 0
			}
			return runPath(ctx, &o, files, stdout, stderr)
		}}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&o.json, "json", false, "one JSON object (docs/INCIDENT.md) instead of text")
	f.IntVar(&o.top, "top", defaultTop, "show the `N` worst echoes; 0 = all, as --json does by itself")
	f.IntVar(&o.seq, "seq", -1, "only echoes with the sequence number `N`")
	f.IntVar(&o.id, "id", -1, "only echoes with the identifier `N`")
	f.StringVar(&host, "host", "", "only echoes from or to `ADDRESS`")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage("spiketop path --help lists the flags", "read flags: %w", err)
	})
	return cmd
}

func (o *pathOptions) check(host string) (err error) {
	switch {
	case o.top < 0:
		return usage("", "read --top %d: want a number of echoes, or 0 for all", o.top)
	case o.seq < -1 || o.seq > 0xffff:
		return usage("", "read --seq %d: not between 0 and 65535", o.seq)
	case o.id < -1 || o.id > 0xffff:
		return usage("", "read --id %d: not between 0 and 65535", o.id)
	}
	if host == "" {
		return nil
	}
	if o.host, err = netip.ParseAddr(host); err != nil || o.host.Zone() != "" {
		return usage("as --host 10.1.16.55", "read --host %q: not an address", host)
	}
	o.host = o.host.Unmap()
	return nil
}

// pathFiles reads the arguments NAME=FILE.
func pathFiles(args []string) (list []pathFile, err error) {
	const hint = "spiketop path vm_a=1.pcap nic_a=2.pcap nic_b=3.pcap, in the order of the request's way"
	if len(args) == 0 {
		return nil, usage(hint, "read arguments: no NAME=FILE")
	}
	if len(args) > hops.MaxPoints {
		return nil, usage("", "read arguments: %d points: at most %d", len(args), hops.MaxPoints)
	}
	seen := map[string]string{}
	for _, a := range args {
		name, file, ok := strings.Cut(a, "=")
		if !ok || name == "" || file == "" {
			return nil, usage(hint, "read argument %q: want NAME=FILE", a)
		}
		if seen["name "+name] != "" {
			return nil, usage("each point needs a name of its own", "read argument %q: %q is the name of %q already", a, name, seen["name "+name])
		}
		if other := seen["file "+file]; other != "" {
			return nil, usage("each point needs a file of its own", "read argument %q: the file is that of %q already", a, other)
		}
		seen["name "+name], seen["file "+file] = file, name
		list = append(list, pathFile{name, file})
	}
	return list, nil
}

// runPath does the work beside the one who waits for a signal: a read of
// standard input can take as long as it likes.
func runPath(ctx context.Context, o *pathOptions, files []pathFile, stdout, stderr io.Writer) error {
	done := make(chan error, 1)
	go func() { done <- path(ctx, o, files, stdout, stderr) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.New("path: interrupted")
	}
}

func path(ctx context.Context, o *pathOptions, files []pathFile, stdout, stderr io.Writer) error {
	in := newPathInput(files)
	if err := in.read(ctx, stderr); err != nil {
		return err
	}
	r := newPathResult(o, in)
	if o.json {
		return r.writeJSON(stdout)
	}
	return r.writeText(stdout)
}

// wanted reports whether an echo is one of those asked for.
func (o *pathOptions) wanted(e *hops.Echo) bool {
	if o.id >= 0 && int(e.ID) != o.id || o.seq >= 0 && int(e.Seq) != o.seq {
		return false
	}
	if !o.host.IsValid() {
		return true
	}
	h := o.host.String()
	return hops.Addr(e.Family, e.Src) == h || hops.Addr(e.Family, e.Dst) == h
}

// pathResult is what is written.
type pathResult struct {
	*pathInput
	matched  *hops.Matched
	echoes   []hops.Echo // those asked for, in order of time
	worst    []hops.Echo // the same, worst first
	shown    int         // of worst
	reporter hops.Reporter
	notes    []string
}

func newPathResult(o *pathOptions, in *pathInput) *pathResult {
	r := &pathResult{pathInput: in, matched: in.sights.Match()}
	r.reporter = hops.Reporter{Points: in.names(), Split: r.matched.Split}
	r.echoes = r.matched.Echoes
	if o.id >= 0 || o.seq >= 0 || o.host.IsValid() {
		r.echoes = slices.DeleteFunc(slices.Clone(r.echoes), func(e hops.Echo) bool { return !o.wanted(&e) })
	}
	r.worst = slices.Clone(r.echoes)
	hops.WorstFirst(r.worst)
	r.shown = len(r.worst)
	if o.top > 0 {
		r.shown = min(o.top, r.shown)
	}
	r.notes = r.findNotes()
	return r
}

// count returns how many echoes were answered, lost, and neither.
func (r *pathResult) count() (answered, lost, open int) {
	for i := range r.echoes {
		if _, ok := r.echoes[i].RTT(); ok && r.echoes[i].Complete() {
			answered++
		} else if _, _, gone := r.echoes[i].Loss(); gone {
			lost++
		} else {
			open++
		}
	}
	return answered, lost, open
}

// losses counts the lost echoes by where, in the order of the way.
func (r *pathResult) losses() (list []lossPlace) {
	at := map[[2]int]int{}
	for i := range r.echoes {
		after, way, lost := r.echoes[i].Loss()
		if !lost {
			continue
		}
		k := [2]int{after, int(way)}
		n, ok := at[k]
		if !ok {
			n = len(list)
			at[k] = n
			list = append(list, lossPlace{after: after, way: way})
		}
		list[n].echoes = append(list[n].echoes, &r.echoes[i])
	}
	slices.SortFunc(list, func(a, b lossPlace) int {
		return cmp.Or(cmp.Compare(a.order(len(r.files)), b.order(len(r.files))))
	})
	return list
}

// lossPlace is where echoes were lost.
type lossPlace struct {
	after  int
	way    hops.Way
	echoes []*hops.Echo
}

// order is where on the way out and back the place is.
func (l *lossPlace) order(points int) int {
	if l.way == hops.WayBack {
		return 3*points - l.after
	}
	return l.after
}
