package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"spiketop/flow"
	"spiketop/incident/far"
	"spiketop/probe/hops"
)

// Times and bounds of "spiketop tap".
const (
	tapBeat      = time.Second
	tapQueue     = 64                      // beats of the watch that wait for a slow reader
	tapLast      = time.Second             // for which the end waits for the last lines to go out
	tapQuestions = 8                       // that wait
	tapPatience  = 1500 * time.Millisecond // with rings that have not been read past a window's end
	tapBetween   = 200 * time.Millisecond  // two answers
)

// tapUnused are flags of the monitor that mean nothing to a tap.
var tapUnused = []string{"ping", "no-ping", "ping-interval", "spike", "snaplen", "ring", "ring-size", "ring-time", "incidents", "keep", "hold", "filter", "theme", "filter-code", "net-filter", "max-bandwidth", "text"}

func tapCommand(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	raw := &rawFlags{}
	cmd := &cobra.Command{Use: "tap [flags] [NIC ...]", Short: "Echoes and look-back of this host, for a far path --live", Args: cobra.ArbitraryArgs,
		Long: `tap writes what passes this host of pings as JSON lines to standard output, and
answers questions about the last minute that come on standard input. It pings
nobody, writes nothing to disk, and ends when its standard input or output
closes. "spiketop path --live ssh://THIS_HOST" starts it by itself.`,
		RunE: func(_ *cobra.Command, args []string) error {
			raw.noPing, raw.snaplen, raw.ring.dir = true, 0, ""
			o, err := raw.check(args)
			if err != nil {
				return err
			}
			o.tap = true
			return runTap(ctx, o, stdin, stdout, stderr)
		}}
	bindFlags(cmd, raw)
	for _, name := range tapUnused {
		_ = cmd.Flags().MarkHidden(name)
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage("spiketop tap --help lists the flags", "read flags: %w", err)
	})
	return cmd
}

// runTap watches without pings, screen and incidents. The goroutines that read
// standard input and write standard output are not joined: whoever holds the
// other ends decides when they end.
func runTap(ctx context.Context, o *options, stdin io.Reader, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := openSession(o, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	s.diagnostics = stderr
	s.giveUp = cancel
	s.tap = newTap()
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.tap.write(stdout)
		cancel()
	}()
	go func() {
		s.tap.listen(stdin)
		cancel()
	}()
	err = s.run(ctx)
	s.repanic()
	close(s.tap.lines)
	select {
	case <-written:
	case <-time.After(tapLast):
	}
	return err
}

// tap is the near end of a "spiketop tap": what the watch has to say goes into
// lines, what is asked comes from questions. All else belongs to the watch.
type tap struct {
	lines     chan []byte // whole lines, several at a time
	questions chan far.Question
	bad       atomic.Uint64 // lines of the near side that were none

	buf      []byte
	inBuf    uint64 // echoes
	drops    uint64 // echoes that were not told
	budget   echoBudget
	next     flow.Time // beat
	pending  []far.Question
	answered flow.Time
}

func newTap() *tap {
	return &tap{lines: make(chan []byte, tapQueue), questions: make(chan far.Question, tapQuestions)}
}

// write ends when lines is closed, or nobody reads any more.
func (t *tap) write(w io.Writer) {
	for b := range t.lines {
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

// listen reads questions until r ends. What is no question is left out.
func (t *tap) listen(r io.Reader) {
	in := bufio.NewReaderSize(r, far.MaxLine)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			t.bad.Add(1)
		case err == nil:
			q, wrong := far.ParseQuestion(line[:len(line)-1])
			if wrong != nil {
				t.bad.Add(1)
				break
			}
			select {
			case t.questions <- q:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// say queues a line until the end of this beat.
func (t *tap) say(l far.Line) { t.buf = l.Append(t.buf) }

// flush hands over what was said in this beat. A reader that does not keep up
// loses echoes, which is counted, and other lines.
func (t *tap) flush() {
	if len(t.buf) == 0 {
		return
	}
	select {
	case t.lines <- t.buf:
	default:
		t.drops += t.inBuf
	}
	t.buf, t.inBuf = nil, 0
}

// echo tells an echo, as far as the budget goes.
func (t *tap) echo(e *flow.Echo, point string) {
	l, ok := far.EchoOf(e, point)
	if !ok {
		return // and no drop: a guest's nonsense must not cast doubt on what is told of the others
	}
	if !t.budget.allow(keyOf(e), e.At) {
		t.drops++
		return
	}
	t.say(l)
	t.inBuf++
}

// keyOf names the ping to which an echo belongs.
func keyOf(e *flow.Echo) hops.SeriesKey {
	k := hops.KeyOf(e)
	return k.Series()
}

// Bounds of what is told in a second: a flood must not take the place of pings
// that have been there before.
const (
	echoesOfSeries = 400
	echoesSteady   = 3000 // of pings that were there in the second before
	echoesFresh    = 1000 // of others
	seriesKept     = 4096
)

// echoBudget counts what was told in this second.
type echoBudget struct {
	second        int64
	now, before   map[hops.SeriesKey]int
	steady, fresh int
}

func (b *echoBudget) allow(k hops.SeriesKey, at flow.Time) bool {
	if second := int64(at) / int64(time.Second); second > b.second || b.now == nil {
		b.before = b.now
		if second > b.second+1 {
			b.before = nil
		}
		b.second, b.now, b.steady, b.fresh = second, make(map[hops.SeriesKey]int, len(b.before)), 0, 0
	}
	n, counted := b.now[k]
	if n >= echoesOfSeries || !counted && len(b.now) >= seriesKept {
		return false
	}
	if _, steady := b.before[k]; steady {
		if b.steady++; b.steady > echoesSteady {
			return false
		}
	} else if b.fresh++; b.fresh > echoesFresh {
		return false
	}
	b.now[k] = n + 1
	return true
}

// tapHello is the first line.
func (w *watch) tapHello() {
	h := far.Hello{Schema: far.Schema, Version: version(), Host: w.world.Host, VIFs: len(w.world.Guests)}
	for i := range w.world.Links[:min(len(w.world.Links), far.MaxNICs)] {
		h.NICs = append(h.NICs, w.world.Links[i].Name)
	}
	w.s.tap.say(far.Line{Hello: &h})
	w.s.tap.flush()
}

// tapTurn says what is due: the beat, answers, and what this beat has seen.
func (w *watch) tapTurn(now flow.Time) {
	t := w.s.tap
	take(t.questions, func(q far.Question) {
		t.pending = append(t.pending, q)
		t.pending = t.pending[max(0, len(t.pending)-tapQuestions):]
	})
	if now >= t.next {
		t.next = now.Add(tapBeat)
		t.say(far.Line{Beat: &far.Beat{At: w.wallNs(now), UpTo: w.wallNs(w.toldUpTo(now)), Drops: t.drops}})
	}
	if len(t.pending) > 0 && now.Sub(t.answered) >= tapBetween {
		i := slices.IndexFunc(t.pending, func(q far.Question) bool {
			to := w.world.Offset.Mono(q.To)
			return w.readUpTo(now) >= to.Add(flow.SlotLen) && now >= to.Add(2*flow.SlotLen) || now >= to.Add(tapPatience)
		})
		if i >= 0 {
			q := t.pending[i]
			t.pending = slices.Delete(t.pending, i, i+1)
			t.answered = now
			w.answer(&q)
		}
	}
	t.flush()
}

// answer says what this host carried in the window that was asked about.
func (w *watch) answer(q *far.Question) {
	part := w.mon.Around(w.world.Offset.Mono(q.From), w.world.Offset.Mono(q.To))
	for _, l := range far.AnswerOf(q, part) {
		w.s.tap.say(l)
	}
}

// readUpTo is until when all rings have been read.
func (w *watch) readUpTo(now flow.Time) flow.Time {
	upTo := now
	for i := range w.world.Links {
		if l := &w.world.Links[i]; l.State == flow.LinkUp {
			upTo = min(upTo, w.drained[l.ID])
		}
	}
	return max(upTo, w.start)
}

// toldUpTo is until when all rings and taps have been read.
func (w *watch) toldUpTo(now flow.Time) flow.Time {
	upTo := w.readUpTo(now)
	if w.vifs.upTo != 0 {
		upTo = min(upTo, w.vifs.upTo)
	}
	return upTo
}

func (w *watch) wallNs(t flow.Time) int64 { return w.world.Offset.Wall(t).UnixNano() }

// tapLost counts frames that a ring has lost: echoes may have been among them.
func (w *watch) tapLost(n uint64) {
	if w.s.tap != nil {
		w.s.tap.drops += n
	}
}

// seen hands echoes that a ring or a tap has seen to whom they concern besides
// the cores.
func (w *watch) seen(echoes []flow.Echo) {
	if w.s.tap == nil && w.s.far == nil {
		return
	}
	for i := range echoes {
		e := &echoes[i]
		point := w.pointOf(e)
		if w.s.tap != nil {
			w.s.tap.echo(e, point)
		}
		if w.s.far != nil {
			w.s.far.join.Near(e, point)
		}
	}
}

// pointOf names the NIC or vif that an echo passed.
func (w *watch) pointOf(e *flow.Echo) string {
	if e.VIF != 0 {
		for i := range w.world.Guests {
			if g := &w.world.Guests[i]; g.Ifindex == e.VIF {
				return g.Name
			}
		}
		return "vif"
	}
	if l := w.world.Link(e.Link); l != nil {
		return l.Name
	}
	return "NIC"
}
