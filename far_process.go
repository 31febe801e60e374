package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/incident"
	"spiketop/incident/far"
)

// Patience with the far side, and what it may send.
const (
	farHelloAfter = 40 * time.Second // ssh may have to look up, connect and log in
	farSilence    = 10 * time.Second // it beats every second
	farRetryFirst = time.Second
	farRetryMost  = 30 * time.Second
	farWell       = 60 * time.Second // after which a failure is a new one
	farTerm       = 2 * time.Second  // from SIGTERM to SIGKILL
	farLines      = 6000             // a second, and as many at once
	farBytes      = 1 << 20          // a second, and as many at once
	farGarbage    = 16               // lines that are none, beyond as many good ones
	farGreeting   = 64               // lines before the hello: what a login prints
	farComplaints = 8                // lines of its standard error that are shown in one run
	farComplaint  = 200              // runes of each
)

// Why a run of the far side ended.
var (
	errFarSilent  = errors.New("it says nothing any more")
	errFarLong    = fmt.Errorf("it sent a line of more than %d bytes", far.MaxLine)
	errFarGarbage = errors.New("it sends what is no line of spiketop tap")
	errFarNoHello = errors.New("it did not say hello")
	errFarMute    = errors.New("it ended without saying hello")
)

// farProcess is one run of the far side.
type farProcess struct {
	cmd                   *exec.Cmd
	stdin, stdout, stderr *os.File // our ends
}

// startFar starts argv in a process group of its own.
func startFar(argv []string) (*farProcess, error) {
	p := &farProcess{cmd: exec.Command(argv[0], argv[1:]...)}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	pipe := func(in bool) (*os.File, *os.File, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, nil, err
		}
		if in {
			theirs = append(theirs, r)
			return w, r, nil
		}
		theirs = append(theirs, w)
		return r, w, nil
	}
	for _, c := range []struct {
		in   bool
		ours **os.File
		give func(*os.File)
	}{
		{true, &p.stdin, func(f *os.File) { p.cmd.Stdin = f }},
		{false, &p.stdout, func(f *os.File) { p.cmd.Stdout = f }},
		{false, &p.stderr, func(f *os.File) { p.cmd.Stderr = f }},
	} {
		ours, their, err := pipe(c.in)
		if err != nil {
			p.closePipes()
			return nil, err
		}
		*c.ours = ours
		c.give(their)
	}
	if err := p.cmd.Start(); err != nil {
		p.closePipes()
		return nil, err
	}
	return p, nil
}

func (p *farProcess) closePipes() {
	for _, f := range []*os.File{p.stdin, p.stdout, p.stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// end ends the whole process group: first its standard input closes and it gets
// SIGTERM, then SIGKILL. The leader is reaped last, so that the number of the
// group cannot be another one's before.
func (p *farProcess) end() {
	p.closePipes()
	pid := p.cmd.Process.Pid
	_ = unix.Kill(-pid, unix.SIGTERM)
	for deadline := time.Now().Add(farTerm); time.Now().Before(deadline) && groupRuns(pid); {
		time.Sleep(10 * time.Millisecond)
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
	_ = p.cmd.Wait()
}

// groupRuns reports whether the leader of a group, our child, has not ended.
func groupRuns(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo == 0
}

// pace makes whoever sends more than it may wait: the rest piles up on his side.
type pace struct {
	lines, bytes float64
	at           time.Time
}

func newPace() *pace { return &pace{lines: farLines, bytes: farBytes, at: time.Now()} }

// take returns how long to wait after a line of n bytes.
func (p *pace) take(n int) time.Duration {
	now := time.Now()
	passed := now.Sub(p.at).Seconds()
	p.at = now
	p.lines = min(p.lines+passed*farLines, farLines) - 1
	p.bytes = min(p.bytes+passed*farBytes, farBytes) - float64(n)
	short := max(-p.lines/farLines, -p.bytes/farBytes, 0)
	return time.Duration(short * float64(time.Second))
}

// readFar reads lines until r ends, ctx ends, or too many of them are none. The
// first that counts is the hello.
func readFar(ctx context.Context, r io.Reader, heard func(far.Line)) error {
	in := bufio.NewReaderSize(r, far.MaxLine)
	pace := newPace()
	hello, bad := false, 0
	for ctx.Err() == nil {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return errFarLong
		case errors.Is(err, io.EOF) && !hello:
			return errFarMute
		case err != nil:
			return err
		}
		if wait := pace.take(len(line)); wait > 0 {
			sleep(ctx, wait)
		}
		l, err := far.ParseLine(line[:len(line)-1])
		switch {
		case errors.Is(err, far.ErrSchema):
			return err
		case !hello && l.Hello == nil: // what a login prints
			if bad++; bad > farGreeting {
				return errFarNoHello
			}
		case err != nil || hello && l.Hello != nil:
			if bad++; bad > farGarbage {
				return errFarGarbage
			}
		default:
			if l.Hello != nil {
				hello, bad = true, 0
			}
			bad = max(bad-1, 0) // a stray line now and then is none that ends it
			heard(l)
		}
	}
	return ctx.Err()
}

// complain hands on what the far side, or ssh, writes to standard error: whole
// lines, cleaned, not many.
func complain(ctx context.Context, r io.Reader, say func(string)) {
	in := bufio.NewReaderSize(r, far.MaxLine)
	pace := newPace()
	shown, cut := 0, false
	for {
		line, err := in.ReadSlice('\n')
		if wait := pace.take(len(line)); wait > 0 {
			sleep(ctx, wait)
		}
		text := incident.CleanMax(oneLine(string(line)), farComplaint)
		if text != "" && !cut {
			if shown++; shown <= farComplaints {
				say(text)
			}
			if shown == farComplaints {
				say("(what else it writes to standard error is not shown)")
			}
		}
		cut = errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !cut {
			return
		}
	}
}

// sleep sleeps, less if ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
