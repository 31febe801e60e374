package main

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/testdata/lab"
)

// step sets the real-time clock, and notes by how much it went against the
// monotonic one:
//
//	step DURATION
//
// All in one go: between two processes of a script half a second may pass.
func (n *network) step(r request) (lab.Burst, error) {
	if len(r.Args) != 1 {
		return lab.Burst{}, errors.New("want DURATION")
	}
	d, err := time.ParseDuration(r.Args[0])
	if err != nil {
		return lab.Burst{}, err
	}
	before, err := apart()
	if err != nil {
		return lab.Burst{}, err
	}
	ts := unix.NsecToTimespec(time.Now().Add(d).UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return lab.Burst{}, err
	}
	after, err := apart()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.steps = append(n.steps, lab.Step{At: time.Now(), By: after - before})
	return lab.Burst{}, err
}

// apart is how far the real-time clock is ahead of the monotonic one.
func apart() (time.Duration, error) {
	var real, mono unix.Timespec
	if err := errors.Join(unix.ClockGettime(unix.CLOCK_REALTIME, &real), unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono)); err != nil {
		return 0, err
	}
	return time.Duration(real.Nano() - mono.Nano()), nil
}
