package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"spiketop/flow"
)

// How often the files are read. /proc/stat holds a number for each interrupt: on
// a host with thousands of them one reading takes milliseconds of the kernel.
const (
	every     = time.Second
	slow      = 5 * time.Millisecond // a reading that took longer is made
	everySlow = 5 * time.Second      // as seldom as this
	maxFile   = 1 << 20
	maxCPUs   = 8192                  // NR_CPUS of every distribution
	tick      = 10 * time.Millisecond // USER_HZ is 100 on every architecture that Go runs on
)

// ErrNoCPU says that a file had no line of the CPUs.
var ErrNoCPU = errors.New("no cpu line")

// Run reads until ctx ends. Readings go to out; one that nobody takes is dropped,
// for the counters are cumulative. now is the clock of flow.Time.
func Run(ctx context.Context, procfs string, now func() flow.Time, out chan<- flow.HostLoad) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		next := every
		begin := time.Now()
		l, err := Read(procfs)
		l.At = now()
		if err == nil {
			select {
			case out <- l:
			default:
			}
		}
		if time.Since(begin) > slow {
			next = everySlow
		}
		wait.Reset(next)
	}
}

// Read reads the files once; At stays zero. A kernel without PSI is no error.
func Read(procfs string) (l flow.HostLoad, err error) {
	b, err := readFile(filepath.Join(procfs, "stat"))
	if err != nil {
		return l, err
	}
	if err := parseStat(b, &l); err != nil {
		return l, fmt.Errorf("read %s: %w", filepath.Join(procfs, "stat"), err)
	}
	if b, err := readFile(filepath.Join(procfs, "pressure/cpu")); err == nil { // ENOTSUP: built in, but off (psi=0)
		l.Stalled, l.HasPSI = parsePressure(b)
	}
	return l, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// parseStat reads /proc/stat: "cpu user nice system idle iowait irq softirq steal
// guest guest_nice" in ticks, a line for each CPU, "procs_running N"
// (show_stat in fs/proc/stat.c). Kernels before 2.6.11 have no steal.
func parseStat(b []byte, l *flow.HostLoad) error {
	found := false
	for line := range bytes.Lines(b) {
		cols := bytes.Fields(line)
		switch {
		case len(cols) < 2:
		case string(cols[0]) == "cpu":
			found = true
			if len(cols) < 9 {
				continue
			}
			d, err := parseTicks(cols[8])
			if err != nil {
				return err
			}
			l.Steal, l.HasSteal = d, true
		case bytes.HasPrefix(cols[0], []byte("cpu")):
			l.CPUs++
			n, err := strconv.Atoi(string(cols[0][len("cpu"):])) // some may be offline
			if err != nil || n < 0 || n >= maxCPUs || !l.HasSteal || len(cols) < 9 {
				continue
			}
			d, err := parseTicks(cols[8])
			if err != nil {
				return err
			}
			for len(l.StealBy) <= n {
				l.StealBy = append(l.StealBy, 0)
			}
			l.StealBy[n] = d
		case string(cols[0]) == "procs_running":
			n, err := strconv.ParseUint(string(cols[1]), 10, 31)
			if err != nil {
				return err
			}
			l.Running = int(n)
		}
	}
	if !found {
		return ErrNoCPU
	}
	return nil
}

func parseTicks(b []byte) (time.Duration, error) {
	n, err := strconv.ParseUint(string(b), 10, 64)
	return time.Duration(min(n, 1<<39)) * tick, err
}

// parsePressure reads the line "some avg10=0.00 avg60=0.00 avg300=0.00
// total=123456" of /proc/pressure/cpu, microseconds
// (Documentation/accounting/psi.rst).
func parsePressure(b []byte) (stalled time.Duration, ok bool) {
	for line := range bytes.Lines(b) {
		cols := bytes.Fields(line)
		if len(cols) < 2 || string(cols[0]) != "some" {
			continue
		}
		for _, c := range cols[1:] {
			if v, is := bytes.CutPrefix(c, []byte("total=")); is {
				n, err := strconv.ParseUint(string(v), 10, 64)
				if err != nil || n > 1<<52 {
					return 0, false
				}
				return time.Duration(n) * time.Microsecond, true
			}
		}
	}
	return 0, false
}
