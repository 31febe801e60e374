package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// giveUp drops every capability of this process that is not in keep. It is what
// [main] hands to the commands that read foreign files; tests, which are one
// process for all of them, hand in nothing.
type giveUp func(keep uint64) error

// offline makes of cmd a command that needs no right to the network, to processes
// or to the kernel: it parses bytes from anywhere, and gives up all rights before.
// As root it may still read any file, for that is what it was started for; if it
// writes, also into the directory of the user behind sudo. The rights that setcap
// gave to the program are never for files.
func (drop giveUp) offline(cmd *cobra.Command, writes bool, stderr io.Writer) *cobra.Command {
	if drop == nil {
		return cmd
	}
	cmd.PreRun = func(cmd *cobra.Command, _ []string) {
		if live := cmd.Flags().Lookup("live"); live != nil && (live.Changed || cmd.Flags().Changed("via")) {
			return // path --live is the monitor
		}
		if err := drop(offlineRights(os.Geteuid(), writes)); err != nil {
			fmt.Fprintf(stderr, "spiketop: %s: going on with all rights\n", oneLine(err.Error()))
		}
	}
	return cmd
}

func offlineRights(euid int, writes bool) (keep uint64) {
	if euid != 0 {
		return 0
	}
	keep = 1 << unix.CAP_DAC_READ_SEARCH
	if writes {
		keep |= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_CHOWN
	}
	return keep
}

// dropOffline is giveUp of the running program. Who has no capability is left alone.
func dropOffline(keep uint64) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&head, &have[0]); err == nil && have[0].Permitted == 0 && have[1].Permitted == 0 {
		return nil
	}
	return dropRights(keep)
}
