package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spiketop/capture/pcapfile"
)

// sliceOptions are what slice was asked.
type sliceOptions struct {
	from, to, around, out string
	before, after         string
	files                 []string
}

// sliceCommand cuts capture files by time.
func sliceCommand(ctx context.Context, stdout, stderr io.Writer) *cobra.Command {
	o := &sliceOptions{}
	cmd := &cobra.Command{Use: "slice FILE ... -o OUT", Short: "Cut captures by time, several files into one", Args: cobra.ArbitraryArgs, RunE: func(_ *cobra.Command, args []string) error {
		o.files = args
		return runSlice(ctx, o, stdout, stderr)
	}}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.from, "from", "", "first `TIME`, inclusive: RFC 3339, or seconds since 1970")
	f.StringVar(&o.to, "to", "", "last `TIME`, exclusive")
	f.StringVar(&o.around, "around", "", "a `TIME` in the middle, with --before and --after")
	f.StringVar(&o.before, "before", "1s", "`DURATION` before --around")
	f.StringVar(&o.after, "after", "1s", "`DURATION` after it")
	f.StringVarP(&o.out, "output", "o", "", "write pcapng to `FILE`, which must not exist; - is standard output")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage("spiketop slice --help lists the flags", "read flags: %w", err)
	})
	return cmd
}

// span is [from, to) in nanoseconds since 1970.
type span struct{ from, to int64 }

// span reads the times.
func (o *sliceOptions) span() (s span, err error) {
	s = span{math.MinInt64, math.MaxInt64}
	if o.around != "" {
		if o.from != "" || o.to != "" {
			return s, usage("", "read --around: it goes with --before and --after, not with --from and --to")
		}
		return o.aroundSpan()
	}
	if o.from != "" {
		if s.from, err = parseInstant("from", o.from); err != nil {
			return s, err
		}
	}
	if o.to != "" {
		if s.to, err = parseInstant("to", o.to); err != nil {
			return s, err
		}
	}
	if s.from >= s.to {
		return s, usage("", "read --to %s: not after --from %s", o.to, o.from)
	}
	return s, nil
}

func (o *sliceOptions) aroundSpan() (s span, err error) {
	at, err := parseInstant("around", o.around)
	if err != nil {
		return s, err
	}
	for _, d := range []struct {
		name, text string
		to         *int64
		sign       int64
	}{{"before", o.before, &s.from, -1}, {"after", o.after, &s.to, 1}} {
		v, err := time.ParseDuration(d.text)
		if err != nil || v < 0 || v > 365*24*time.Hour {
			return s, usage("", "read --%s %q: want a duration such as 500ms or 2s", d.name, d.text)
		}
		*d.to = later(at, d.sign*int64(v))
	}
	if s.from == s.to {
		return s, usage("", "read --before and --after: nothing is between them")
	}
	return s, nil
}

// later is at + d, or the end of what can be counted.
func later(at, d int64) int64 {
	switch {
	case d > 0 && at > math.MaxInt64-d:
		return math.MaxInt64
	case d < 0 && at < math.MinInt64-d:
		return math.MinInt64
	}
	return at + d
}

// parseInstant reads RFC 3339 or seconds since 1970 with up to nine decimals. What
// lies beyond the years that nanoseconds reach is their end.
func parseInstant(flag, text string) (int64, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		switch s := t.Unix(); {
		case s >= mostSeconds:
			return math.MaxInt64, nil
		case s <= -mostSeconds:
			return math.MinInt64, nil
		}
		return t.UnixNano(), nil
	}
	whole, frac, _ := strings.Cut(text, ".")
	sec, err := strconv.ParseUint(whole, 10, 63)
	ns, fracErr := strconv.ParseUint((frac + "000000000")[:9], 10, 63)
	if err != nil || fracErr != nil || len(frac) > 9 || sec >= mostSeconds {
		return 0, usage("as 2026-11-21T17:47:20.962Z or 1795413319.851781", "read --%s %q: not a time", flag, text)
	}
	return int64(sec*1_000_000_000 + ns), nil
}

// mostSeconds is what an int64 of nanoseconds holds.
const mostSeconds = math.MaxInt64 / 1_000_000_000

func runSlice(ctx context.Context, o *sliceOptions, stdout, stderr io.Writer) (err error) {
	s, err := o.span()
	switch {
	case err != nil:
		return err
	case len(o.files) == 0 || o.out == "":
		return usage("spiketop slice --from TIME --to TIME FILE ... -o OUT", "read arguments: give the files and -o OUT")
	}
	c := &cutter{span: s, merger: pcapfile.NewMerger(o.files, pcapfile.Options{Comments: true, Stop: ctx.Done()}), names: o.files, stderr: stderr}
	defer c.merger.Close()
	if c.merger.Opened() == 0 { // of several, the first one's reason stands for all
		_, err := c.merger.Err(0)
		return unreadable(err)
	}
	if o.out == "-" {
		return c.write(ctx, stdout)
	}
	f, err := os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write slice: %w", err)
	}
	if err := errors.Join(c.write(ctx, f), f.Close()); err != nil {
		_ = os.Remove(o.out)
		return err
	}
	return nil
}
