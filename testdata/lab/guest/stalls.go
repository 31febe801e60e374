package main

import (
	"encoding/json"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/testdata/lab"
)

// watchStalls wants to run every 20 ms before everybody else and writes a line
// whenever it was kept from it for over 20 ms: then the whole guest stood still.
func watchStalls() error {
	const step = 20 * time.Millisecond
	runtime.LockOSThread()
	if err := realtime(0, 50); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	ts := unix.NsecToTimespec(int64(step))
	for last := time.Now(); ; {
		// Not time.Sleep: a thread of the runtime would wake this one, and has no priority.
		if err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil); err != nil && err != unix.EINTR {
			return err
		}
		now := time.Now()
		if late := now.Sub(last) - step; late > 20*time.Millisecond {
			if err := out.Encode(lab.Stall{From: last.Round(0), Late: late}); err != nil {
				return err
			}
		}
		last = now
	}
}
