package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"spiketop/incident"
)

// Exit statuses that scripts rely on.
const (
	exitDone       = 0
	exitFailed     = 1 // failed while running
	exitUsage      = 2
	exitPermission = 3
)

// failure is an error with what the person can do about it and the exit status.
type failure struct {
	err    error
	hint   string
	status int
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage is a failure of the command line.
func usage(hint, format string, args ...any) error {
	return &failure{fmt.Errorf(format, args...), hint, exitUsage}
}

// report prints err as one line, with a hint line where there is one, and
// returns the exit status.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{err, "", exitFailed}
	}
	fmt.Fprintf(stderr, "spiketop: %s\n", oneLine(err.Error()))
	if f.hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", oneLine(f.hint))
	}
	return f.status
}

// oneLine makes foreign text fit one line of a terminal; lines, as those of
// joined errors, are parted by "; ".
func oneLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	return incident.Clean(strings.Join(lines, "; "))
}
