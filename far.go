package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"spiketop/capture"
	"spiketop/flow"
	"spiketop/incident/far"
)

// farSide keeps a "spiketop tap" running on another host, or wherever its command
// leads, and hands on what it says. run belongs to one goroutine; the part below
// belongs to the watch.
type farSide struct {
	options farOptions
	say     func(string)
	events  chan farEvent
	asks    chan far.Question // newest questions; one that nobody takes is dropped
	runs    uint64

	complaints map[string]bool        // said since the last hello; of the reader of its standard error, of which there is one at a time
	trouble    atomic.Pointer[string] // why it does not run now, nil = it does

	farWatch
}

// farEvent is something that happened in a run of the far side.
type farEvent struct {
	run  uint64
	at   flow.Time // when it was read
	line far.Line
	over bool // the run has ended
}

func newFarSide(o farOptions, say func(string)) *farSide {
	f := &farSide{options: o, say: say, events: make(chan farEvent, 1024), asks: make(chan far.Question, 16), complaints: map[string]bool{}}
	f.farWatch.init()
	starting := "it has not answered yet"
	f.trouble.Store(&starting)
	return f
}

// run keeps the far side running until ctx ends. It returns after its process
// group has ended. A trouble that goes on is said once.
func (f *farSide) run(ctx context.Context) {
	said := ""
	wait := farRetryFirst
	for ctx.Err() == nil {
		begun := time.Now()
		hello, err := f.once(ctx)
		if ctx.Err() != nil {
			return
		}
		why := oneLine(err.Error())
		f.trouble.Store(&why)
		if hello {
			said = ""
			clear(f.complaints)
		}
		if why != said {
			said = why
			f.say(fmt.Sprintf("%s: %s: trying again", f.options.name, why))
		}
		if time.Since(begun) > farWell {
			wait = farRetryFirst
		}
		if errors.Is(err, far.ErrSchema) {
			wait = farRetryMost
		}
		sleep(ctx, wait)
		wait = min(2*wait, farRetryMost)
	}
}

// once runs the far side until it ends or has to be ended; hello says that it
// spoke.
func (f *farSide) once(parent context.Context) (hello bool, err error) {
	p, err := startFar(f.options.argv)
	if err != nil {
		return false, fmt.Errorf("start it: %w", err)
	}
	f.runs++
	run := f.runs
	ctx, stop := context.WithCancelCause(parent)
	defer stop(nil)
	silent := time.AfterFunc(farHelloAfter, func() { stop(errFarSilent) })
	defer silent.Stop()

	ended := make(chan error, 1)
	var spoke atomic.Bool
	go func() {
		ended <- readFar(ctx, p.stdout, func(l far.Line) {
			spoke.Store(true)
			silent.Reset(farSilence)
			select {
			case f.events <- farEvent{run: run, at: capture.Now(), line: l}:
			case <-ctx.Done():
			}
		})
	}()
	complained := make(chan struct{})
	go func() {
		defer close(complained)
		complain(ctx, p.stderr, f.complaint)
	}()
	go f.ask(ctx, p.stdin)

	select {
	case err = <-ended:
		// What it complained about comes before what we say about it.
		if errors.Is(err, io.EOF) || errors.Is(err, errFarMute) {
			sleepUntil(ctx, complained, 200*time.Millisecond)
		}
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	stop(err)
	p.end()
	<-complained
	switch {
	case err == errFarMute:
		err = fmt.Errorf("%w (%s)", err, p.cmd.ProcessState)
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("it has ended (%s)", p.cmd.ProcessState)
	}
	select {
	case f.events <- farEvent{run: run, at: capture.Now(), over: true}:
	case <-parent.Done():
	}
	return spoke.Load(), err
}

// complaint says a line of its standard error, the same one once until it has
// said hello again.
func (f *farSide) complaint(line string) {
	if f.complaints[line] {
		return
	}
	if len(f.complaints) >= 8*farComplaints {
		clear(f.complaints)
	}
	f.complaints[line] = true
	f.say(f.options.name + ": " + line)
}

// sleepUntil waits for done, d, or ctx.
func sleepUntil(ctx context.Context, done <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-done:
	}
}

// ask writes questions until ctx ends or nobody reads them.
func (f *farSide) ask(ctx context.Context, to *os.File) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-f.asks:
			_ = to.SetWriteDeadline(time.Now().Add(farSilence))
			if _, err := to.Write(q.Append(nil)); err != nil {
				return
			}
		}
	}
}
