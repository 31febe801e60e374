package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spiketop/capture/offline"
	"spiketop/incident/store"
)

// replayOptions is the command line of replay, checked.
type replayOptions struct {
	*options
	paths    []string
	speed    float64 // times as fast as it was, 0 = as fast as it goes
	headless bool
	local    []netip.Prefix
	vifs     []string
	host     string // whose capture it is, "" = named after the first file
	memory   []byte // in place of the file
	zone     *time.Location
	begin    time.Duration // of the files' time that is played at once
}

// rawReplay is what cobra fills in.
type rawReplay struct {
	rawFlags
	speed, host string
	begin       string
	local, vifs []string
	headless    bool
}

const replayLong = `replay shows capture files as if they were live: the same panes, the strip (from
the echoes in the file), spikes, freezes and incidents, with the files' own clock.

FILE: pcap or pcapng, also gzipped; "-" is standard input. Several files are
merged by time. Each interface of a pcapng, else each file, is a NIC. Incidents
are written only with --incidents DIR. docs/REPLAY.md says what a file cannot tell.`

func replayCommand(ctx context.Context, stdout, stderr io.Writer) *cobra.Command {
	raw := &rawReplay{}
	cmd := &cobra.Command{Use: "replay [flags] FILE ...", Short: "The same screens over capture files, with the files' own clock", Long: replayLong, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			o, err := raw.check(args)
			if err != nil {
				return err
			}
			return runReplay(ctx, o, stdout, stderr)
		}}
	raw.bind(cmd)
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage("spiketop replay --help lists the flags", "read flags: %w", err)
	})
	return cmd
}

// defaults are those of flags that replay does not have.
func (r *rawReplay) defaults() {
	r.interval, r.maxFlows, r.keep, r.spike, r.hold, r.theme = "100ms", 1<<20, 200, spikeAuto, "30s", "dark"
}

func (r *rawReplay) bind(cmd *cobra.Command) {
	r.defaults()
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&r.speed, "speed", "", "`1|10|max`, or any number of times as fast as it was; default: 1 on a screen, else max")
	f.BoolVar(&r.headless, "headless", false, "no screen: one JSON object a line, as spiketop headless")
	f.StringArrayVar(&r.local, "local", nil, "addresses of `CIDR` are on this side (repeatable); default: what the file says, else inferred")
	f.StringArrayVar(&r.vifs, "vif", nil, "interface `NAME` of the file is a guest's vif, not a NIC (repeatable)")
	f.StringVar(&r.host, "host", "", "`NAME` of the host where it was captured; default: what the file says, else its name")
	f.StringVar(&r.incidents, "incidents", "", "write incidents to `DIR`")
	f.IntVar(&r.keep, "keep", r.keep, "incidents kept, oldest go first")
	f.StringVar(&r.spike, "spike", spikeAuto, "freeze above this RTT: `auto|DURATION`")
	f.StringArrayVar(&r.storage, "storage", nil, "what is storage traffic: `PORT|PORT-PORT|CIDR|PROCESS` (repeatable)")
	f.StringVar(&r.config, "config", "", "classes, names and speeds from `FILE` (docs/CLASSES.md)")
	f.StringArrayVar(&r.linkSpeed, "link-speed", nil, "real speed of a NIC: `NIC=RATE`, as eth0=40M (repeatable)")
	f.StringVar(&r.filter, "filter", "", "show only flows that match `EXPR` (docs/FILTER.md); evidence never depends on it")
	f.StringVar(&r.begin, "begin", "", "play the first `DURATION` at once")
	f.StringVar(&r.runFor, "for", "", "end after this `DURATION` of the files' time")
	f.IntVar(&r.maxFlows, "max-flows", r.maxFlows, "flows kept for each NIC")
	f.StringVar(&r.hold, "hold", r.hold, "`DURATION` that a frozen screen stays untouched; 0 = until a key")
	f.StringVar(&r.jsonLog, "json-log", "", "append headless's JSON lines to `FILE` too")
	f.StringVar(&r.theme, "theme", r.theme, "`dark|light` terminal")
	f.StringVarP(&r.scale, "max-bandwidth", "m", "", "as in iftop: `RATE` of a full bar")
}

func (r *rawReplay) check(args []string) (*replayOptions, error) {
	if len(args) == 0 {
		return nil, usage("spiketop replay eth0.pcap eth1.pcap; spiketop demo needs no file", "read arguments: which capture file?")
	}
	checked, err := r.rawFlags.check(nil)
	if err != nil {
		return nil, err
	}
	o := &replayOptions{options: checked, paths: args, headless: r.headless, vifs: r.vifs, host: oneLine(r.host), zone: time.Local}
	if o.speed, err = replaySpeed(r.speed, r.headless); err != nil {
		return nil, err
	}
	if r.begin != "" {
		if o.begin, err = duration("begin", r.begin, 0, 24*time.Hour); err != nil {
			return nil, err
		}
	}
	for _, s := range r.local {
		p, err := parseLocal(s)
		if err != nil {
			return nil, usage("as --local 10.1.16.0/24 or --local 10.1.16.165", "read --local %q: not a network", s)
		}
		o.local = append(o.local, p)
	}
	stdin := 0
	for _, a := range args {
		if a == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return nil, usage("", "read arguments: standard input can be read once")
	}
	return o, nil
}

func parseLocal(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap().WithZone(""), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// replaySpeed reads --speed; 0 is as fast as it goes.
func replaySpeed(s string, headless bool) (float64, error) {
	switch s {
	case "":
		if headless {
			return 0, nil
		}
		return 1, nil
	case "max":
		return 0, nil
	}
	var v float64
	if n, err := fmt.Sscanf(strings.TrimSuffix(s, "x"), "%g", &v); n != 1 || err != nil || !(v >= 0.01 && v <= 1e6) {
		return 0, usage("as --speed 1, --speed 10 or --speed max", "read --speed %q: not a speed", s)
	}
	return v, nil
}

// runReplay plays files, with or without a screen.
func runReplay(ctx context.Context, o *replayOptions, stdout, stderr io.Writer) error {
	if !o.headless {
		if err := checkTerminal(); err != nil {
			return &failure{err, "with --headless it needs none", exitFailed}
		}
	}
	tuneRuntime(memoryBudget)
	ctx, cancel := context.WithCancel(ctx) // a pipe that is silent is waited for until this ends
	defer cancel()
	c, err := offline.Open(ctx, offline.Config{Paths: o.paths, Local: o.local, VIFs: o.vifs, Memory: o.memory})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return &failure{err, "", exitFailed}
	}
	if o.host == "" {
		o.host = cmp.Or(oneLine(c.Host), hostOfFile(o.paths[0]))
	}
	out := &replayOut{ev: &events{}, dirs: map[string]string{}, failed: func(error) {}}
	if o.incidents != "" {
		uid, gid := sudoUser(os.Getenv, os.Geteuid())
		if out.store, err = store.Open(o.incidents, store.Options{UID: max(uid, 0), GID: max(gid, 0), Keep: o.keep}); err != nil {
			return &failure{err, "choose another directory with --incidents DIR", exitFailed}
		}
	}
	if err := out.openLog(o.jsonLog); err != nil {
		return err
	}
	if err := knownSpeeds(o, c); err != nil {
		return err
	}
	if o.headless {
		return replayHeadless(ctx, cancel, o, c, out, stdout, stderr)
	}
	return replayScreen(ctx, cancel, o, c, out, stderr)
}

// knownSpeeds refuses a --link-speed for a NIC that is not in the files.
func knownSpeeds(o *replayOptions, c *offline.Capture) error {
	for name := range o.linkSpeed {
		var have []string
		for i := range c.Links {
			have = append(have, oneLine(c.Links[i].Name))
		}
		if !c.Has(name) {
			return usage("in the files are "+strings.Join(have, ", "), "read --link-speed %s: no such NIC", name)
		}
	}
	return nil
}

// hostOfFile names the host of a capture that does not: two replays of a file
// agree.
func hostOfFile(path string) string { return oneLine(offline.Base(path)) }
