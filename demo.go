package main

import (
	"context"
	_ "embed" // the capture
	"io"
	"time"

	"github.com/spf13/cobra"
)

// demoCapture is a run of the lab: a burst of storage traffic on one member of a
// bond, with the pings beside it. testdata/demo says how it is made.
//
//go:embed testdata/demo/demo.pcapng.gz
var demoCapture []byte

// Of the demo: some seconds before the spike the look-back is full already, and
// what froze is the ping at over 60 ms, as in the lab.
const (
	demoBegin = 24 * time.Second
	demoSpike = "60ms"
	demoName  = "the demo"
)

const demoLong = `demo plays an incident that was recorded in spiketop's lab: a bond of two members,
storage traffic, a ping every 100 ms. After some seconds a burst fills one member,
the ping spikes, and the panes freeze on the flows of that moment. It needs no
root, no network and no files. Enter shows the incident, ? the keys.`

func demoCommand(ctx context.Context, stdout, stderr io.Writer) *cobra.Command {
	raw := &rawReplay{}
	raw.defaults()
	cmd := &cobra.Command{Use: "demo", Short: "A recorded incident, without root, network or files", Long: demoLong, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("spiketop replay FILE ... plays files", "read arguments: %q: the demo needs none", args[0])
			}
			o, err := raw.demo()
			if err != nil {
				return err
			}
			return runReplay(ctx, o, stdout, stderr)
		}}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&raw.speed, "speed", "", "`1|10|max`, or any number of times as fast as it was")
	f.BoolVar(&raw.headless, "headless", false, "no screen: one JSON object a line")
	f.StringVar(&raw.incidents, "incidents", "", "write the incident to `DIR`")
	f.StringVar(&raw.theme, "theme", raw.theme, "`dark|light` terminal")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage("spiketop demo --help lists the flags", "read flags: %w", err)
	})
	return cmd
}

// demo is a replay that no configuration of this host changes.
func (r *rawReplay) demo() (*replayOptions, error) {
	r.rawFlags.spike = demoSpike
	checked := r.options
	for _, part := range []func(*options) error{r.checkDurations, r.checkLimits} {
		if err := part(&checked); err != nil {
			return nil, err
		}
	}
	o := &replayOptions{options: &checked, paths: []string{demoName}, headless: r.headless, memory: demoCapture, zone: time.UTC}
	var err error
	if o.speed, err = replaySpeed(r.speed, r.headless); err != nil {
		return nil, err
	}
	if !o.headless {
		o.begin = demoBegin
	}
	return o, nil
}
