// Command spiketop shows the flows of each bond member beside a running ping
// and keeps the evidence of the moment when the ping spikes.
//
// Package main is the map of the house: it reads flags (flags.go), opens what
// the host offers and gives up the rights it needs no longer (session.go,
// rights.go), owns every goroutine (session.go), feeds the watching core
// (watch.go) and shows what it says: on a screen (live.go) or as JSON lines
// (headless.go, events.go).
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// engine is how frames are captured; it stands in every file.
const engine = "tpacket"

// release is the version of this source; see CHANGELOG.md.
const release = "0.1.0"

func main() { os.Exit(runWith(dropOffline, os.Args[1:], os.Stdout, os.Stderr)) }

// run is the whole program, but that it keeps its rights; it returns the exit status.
func run(args []string, stdout, stderr io.Writer) int { return runWith(nil, args, stdout, stderr) }

func runWith(drop giveUp, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)   // a second one ends what the first could not: a write that nobody takes
	signal.Ignore(syscall.SIGPIPE) // a closed standard output is an error of the write: what is open is sealed first
	cmd := rootCommand(ctx, drop, stdout, stderr)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return report(stderr, cmd.Execute())
}

func rootCommand(ctx context.Context, drop giveUp, stdout, stderr io.Writer) *cobra.Command {
	live := monitorCommand("spiketop [flags] [NIC ...]", "Flows of each NIC beside a running ping; a spike freezes its moment", func(o *options) error {
		return runLive(ctx, o, stderr)
	}, func(o *options) error {
		return runHeadless(ctx, o, stdout, stderr)
	})
	live.Long = longHelp
	live.Version = version()
	live.SilenceErrors, live.SilenceUsage = true, true
	live.CompletionOptions.DisableDefaultCmd = true
	live.SetHelpCommand(&cobra.Command{Use: "help", Short: "This text", Hidden: true, RunE: func(*cobra.Command, []string) error { return live.Help() }})
	headless := func(o *options) error { return runHeadless(ctx, o, stdout, stderr) }
	live.AddCommand(monitorCommand("headless [flags] [NIC ...]", "The same without a screen: one JSON object a line", headless, headless))
	live.AddCommand(drop.offline(replayCommand(ctx, stdout, stderr), true, stderr))
	live.AddCommand(drop.offline(demoCommand(ctx, stdout, stderr), false, stderr))
	incidents := incidentsCommand(stdout, stderr)
	for _, cmd := range incidents.Commands() {
		drop.offline(cmd, true, stderr)
	}
	live.AddCommand(drop.offline(incidents, true, stderr))
	live.AddCommand(drop.offline(sliceCommand(ctx, stdout, stderr), true, stderr))
	live.AddCommand(tapCommand(ctx, os.Stdin, stdout, stderr))
	live.AddCommand(drop.offline(statsCommand(ctx, stdout, stderr), false, stderr))
	live.AddCommand(doctorCommand(stdout))
	path := pathCommand(ctx, stdout, stderr)
	addLive(ctx, path, stdout, stderr)
	live.AddCommand(drop.offline(path, false, stderr))
	return live
}

const longHelp = `spiketop shows two panes, one for each physical NIC of the bond, with the live
flows of each, beside a ping that never stops. When the ping spikes it freezes
the top flows of that moment, says what it believes and why, and writes a
directory with the evidence.

NIC: which NICs to capture (a bond means its members). Default: the members of
every bond; else what carries the default route; else every NIC that is up.`

// monitorCommand is the live monitor or headless; text is what -t asks for.
func monitorCommand(use, short string, run, text func(*options) error) *cobra.Command {
	raw := &rawFlags{}
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: func(_ *cobra.Command, args []string) error {
		o, err := raw.check(args)
		if err != nil {
			return err
		}
		if raw.text {
			return text(o)
		}
		return run(o)
	}}
	bindFlags(cmd, raw)
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage("spiketop --help lists the flags", "read flags: %w", err)
	})
	return cmd
}

// version is the release, with the commit where the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + "+" + s.Value[:12]
		}
	}
	return release
}

// hostName is this host's name without its domain.
func hostName() string {
	h, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	short, _, _ := strings.Cut(h, ".")
	return oneLine(short)
}

// quiet turns "the context ended" into success: that is how the program stops.
func quiet(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
