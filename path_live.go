package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// liveFlags are those of path --live besides the monitor's.
type liveFlags struct {
	url, via, binary string
	nics             []string
	json             bool
}

// liveFlag are their names.
var liveFlag = map[string]bool{"live": true, "via": true, "far-binary": true, "far-nic": true}

// bind declares them; --json is that of path.
func (l *liveFlags) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.url, "live", "", "the second host, through your own ssh: `ssh://[USER@]HOST[:PORT]`")
	f.StringVar(&l.via, "via", "", "instead of ssh: `COMMAND` that starts what follows it where the second host is, as 'ip netns exec nc2'")
	f.StringVar(&l.binary, "far-binary", "spiketop", "spiketop on the second host: `PATH`")
	f.StringArrayVar(&l.nics, "far-nic", nil, "`NIC` of the second host to watch (repeatable); default: as there")
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

// liveNeeds are the monitor's flags that path --live shows; the others mean the
// same there, but would drown those of path.
var liveNeeds = []string{"ping", "no-ping", "ping-interval", "spike", "incidents", "for", "json-log"}

// addLive makes "path --live" of the command that reads captures.
func addLive(ctx context.Context, path *cobra.Command, stdout, stderr io.Writer) {
	raw, live := &rawFlags{}, &liveFlags{}
	mine := map[string]bool{}
	path.Flags().VisitAll(func(f *pflag.Flag) { mine[f.Name] = true })
	live.bind(path)
	bindFlags(path, raw)
	path.Flags().VisitAll(func(f *pflag.Flag) {
		if !mine[f.Name] && !liveFlag[f.Name] && !slices.Contains(liveNeeds, f.Name) {
			f.Hidden = true
		}
	})
	path.Use += "\n  spiketop path --live ssh://HOST [flags] [NIC ...]"
	path.Long += `

With --live it watches this host and a second one instead, and shows once a second
where the time of the pings between them goes: in this host, between the NICs of
both, in the other host. There "spiketop tap" is started through your own ssh;
nothing listens anywhere. Incidents are written as headless does, with that host's
word; headless's flags and NICs are understood.

    sudo spiketop path --live ssh://root@nc2 --ping nc2`
	files := path.RunE
	path.RunE = func(cmd *cobra.Command, args []string) error {
		isLive := live.url != "" || live.via != ""
		var wrong string
		cmd.Flags().Visit(func(f *pflag.Flag) {
			if shared := f.Name == "json"; !shared && mine[f.Name] == isLive {
				wrong = f.Name
			}
		})
		switch {
		case wrong != "" && isLive:
			return usage("", "read flags: --%s is for captures, not for --live", wrong)
		case wrong != "":
			return usage("as spiketop path --live ssh://root@nc2", "read flags: --%s means nothing without --live", wrong)
		case !isLive:
			return files(cmd, args)
		}
		live.json, _ = cmd.Flags().GetBool("json")
		return runPathLive(ctx, raw, live, args, stdout, stderr)
	}
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
	s.far.print.missed = func(n int) {
		s.say(fmt.Sprintf("%s not printed: more came than a second takes, or standard output is read too slowly", plural(n, "echo is", "echoes are")))
	}
	defer s.far.print.end()
	err = s.run(ctx)
	s.repanic()
	return err
}
