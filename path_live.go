package main

import (
	"context"
	"io"
	"slices"

	"github.com/spf13/cobra"
)

// liveFlags are those of path --live besides the monitor's.
type liveFlags struct {
	url, via, binary string
	nics             []string
	json             bool
}

// bind declares them.
func (l *liveFlags) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.url, "live", "", "the second host, through your own ssh: `ssh://[USER@]HOST[:PORT]`")
	f.StringVar(&l.via, "via", "", "instead of ssh: `COMMAND` that starts what follows it where the second host is, as 'ip netns exec nc2'")
	f.StringVar(&l.binary, "far-binary", "spiketop", "spiketop on the second host: `PATH`")
	f.StringArrayVar(&l.nics, "far-nic", nil, "`NIC` of the second host to watch (repeatable); default: as there")
	f.BoolVar(&l.json, "json", false, "each echo as a JSON line")
}

// check makes the command that starts the far side.
func (l *liveFlags) check() (o farOptions, err error) {
	if l.url != "" && l.via != "" {
		return o, usage("leave out one of them", "read flags: --live and --via each name a second host")
	}
	for _, w := range append(slices.Clone(l.nics), l.binary) {
		if w == "" || w[0] == '-' || !printable(w) {
			return o, usage("", "read flags: %q is no name of a far binary or NIC", w)
		}
	}
	words := append([]string{l.binary, "tap"}, l.nics...)
	o.json = l.json
	if l.via != "" {
		via, err := splitWords(l.via)
		if err != nil {
			return o, usage("as --via 'ip netns exec nc2'", "read --via %q: %w", l.via, err)
		}
		o.name, o.argv = "far host", append(via, words...)
		return o, nil
	}
	if o.argv, o.name, err = sshCommand(l.url, words); err != nil {
		return o, usage("as --live ssh://root@nc2", "read --live %q: %w", l.url, err)
	}
	return o, nil
}

func printable(s string) bool {
	return len(s) <= 4096 && oneLine(s) == s
}

// livePathCommand is "path --live": offline is what path does with files.
func livePathCommand(ctx context.Context, stdout, stderr io.Writer) *cobra.Command {
	raw, live := &rawFlags{}, &liveFlags{}
	cmd := &cobra.Command{Use: "path --live ssh://HOST [flags] [NIC ...]", Short: "Hop table of the pings between this host and a second one", Args: cobra.ArbitraryArgs,
		Long: `path --live shows, once a second, where the time of the pings between this host
and a second one goes: in this host, between the NICs of both, in the other host.
The second host runs "spiketop tap", started through your own ssh; nothing listens
anywhere. Incidents are written as headless does, with that host's word.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if live.url == "" && live.via == "" {
				return usage("as spiketop path --live ssh://root@nc2", "read flags: no second host was named")
			}
			return runPathLive(ctx, raw, live, args, stdout, stderr)
		}}
	live.bind(cmd)
	bindFlags(cmd, raw)
	for _, name := range []string{"hold", "filter", "theme", "filter-code", "net-filter", "max-bandwidth", "text"} {
		_ = cmd.Flags().MarkHidden(name)
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage("spiketop path --help lists the flags", "read flags: %w", err)
	})
	return cmd
}

// runPathLive watches as headless does, with a far side, and prints the hop
// table instead of events.
func runPathLive(ctx context.Context, raw *rawFlags, live *liveFlags, args []string, stdout, stderr io.Writer) error {
	peer, err := live.check()
	if err != nil {
		return err
	}
	o, err := raw.check(args)
	if err != nil {
		return err
	}
	// A command of the person's may need every right that this process has (ip
	// netns exec does); ssh needs none.
	o.keepRights = live.via != ""
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := openSession(o, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	s.diagnostics = stderr
	s.giveUp = cancel
	peer.near = s.host
	s.far = newFarSide(peer, s.say)
	s.far.print = newHopPrinter(stdout, peer.json, s.fatal)
	defer s.far.print.end()
	err = s.run(ctx)
	s.repanic()
	return err
}
