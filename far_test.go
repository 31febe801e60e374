package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/flow"
	"spiketop/incident"
	"spiketop/incident/far"
)

// fakeFar is the environment variable by which this test binary plays a far side.
const fakeFar = "SPIKETOP_TEST_FAR"

const (
	goodHello = `{"hello":{"schema":"spiketop.tap/1","version":"0.1.0","host":"nc2","nics":["eth0"]}}` + "\n"
	goodBeat  = `{"beat":{"at":1795262400000000000,"up_to":1795262400000000000}}` + "\n"
)

// init plays the far side that was asked for, and never returns then.
func init() {
	how := os.Getenv(fakeFar)
	if how == "" {
		return
	}
	out := os.Stdout
	forever := func(text string) {
		for {
			if _, err := io.WriteString(out, text); err != nil {
				os.Exit(0)
			}
		}
	}
	switch how {
	case "silent":
	case "hello":
		_, _ = io.WriteString(out, goodHello+goodBeat)
	case "dies":
		_, _ = io.WriteString(out, goodHello+goodBeat)
		os.Exit(3)
	case "greets":
		_, _ = io.WriteString(out, "Last login: today\n\n\x1b[31mWelcome\n"+goodHello+goodBeat)
	case "endless line":
		_, _ = io.WriteString(out, goodHello)
		forever("aaaaaaaaaaaaaaaa")
	case "garbage":
		_, _ = io.WriteString(out, goodHello)
		forever("\x1b]0;own\x07 {\"echo\":{\"seq\":1e999}}\n")
	case "stray lines":
		_, _ = io.WriteString(out, goodHello)
		forever("{\"echo\":{}}\n" + goodBeat + goodBeat)
	case "no hello":
		forever("spam\n")
	case "flood":
		_, _ = io.WriteString(out, goodHello)
		forever(strings.Repeat(goodBeat, 100))
	case "other version":
		_, _ = io.WriteString(out, `{"hello":{"schema":"spiketop.tap/2"}}`+"\n")
	case "complains":
		for i := range 1000 {
			fmt.Fprintf(os.Stderr, "Permission denied \x1b[2J %d %s\n", i, strings.Repeat("x", i*10))
		}
		os.Exit(255)
	case "stubborn": // and its child too
		signal.Ignore(syscall.SIGTERM)
		child := exec.Command("sleep", "60")
		if err := child.Start(); err == nil {
			fmt.Fprintf(os.Stderr, "child %d\n", child.Process.Pid)
		}
		_, _ = io.WriteString(out, goodHello)
	case "asked": // says back what it was asked
		_, _ = io.WriteString(out, goodHello)
		b := make([]byte, far.MaxLine)
		n, _ := os.Stdin.Read(b)
		fmt.Fprintf(os.Stderr, "asked %s", b[:n])
	}
	select {
	case <-time.After(time.Minute):
	case <-make(chan int):
	}
	os.Exit(0)
}

// farRun runs a farSide with a fake far process.
type farRun struct {
	*farSide
	mu    sync.Mutex
	said  []string
	lines []farEvent
	over  int
	stop  context.CancelFunc
	done  chan struct{}
}

func startFarRun(t *testing.T, how string) *farRun {
	t.Helper()
	r := &farRun{done: make(chan struct{})}
	o := farOptions{name: "nc2", argv: []string{"env", fakeFar + "=" + how, os.Args[0]}}
	r.farSide = newFarSide(o, func(s string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.said = append(r.said, s)
	})
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() {
		defer close(r.done)
		r.run(ctx)
	}()
	go func() {
		for {
			select {
			case e := <-r.events:
				r.mu.Lock()
				if e.over {
					r.over++
				} else if len(r.lines) < 10_000 {
					r.lines = append(r.lines, e)
				}
				r.mu.Unlock()
			case <-r.done:
				return
			}
		}
	}()
	t.Cleanup(func() { r.end(t) })
	return r
}

// end ends it and checks that it does not take long.
func (r *farRun) end(t *testing.T) {
	t.Helper()
	r.stop()
	select {
	case <-r.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the supervisor does not end")
	}
}

// until waits for what cond says of what was said and heard.
func (r *farRun) until(t *testing.T, what string, cond func(said string, lines, over int) bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		r.mu.Lock()
		said, lines, over := strings.Join(r.said, "\n"), len(r.lines), r.over
		r.mu.Unlock()
		if cond(said, lines, over) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain; %d lines, %d ends, said:\n%s", what, lines, over, said)
		}
	}
}

// TestFarProcesses: whatever the far side does, what is said is short and clean,
// and it is started anew.
func TestFarProcesses(t *testing.T) {
	tests := []struct {
		how   string
		says  string // "" = nothing is said
		lines int    // at least
		again bool   // it is started anew
	}{
		{"hello", "", 2, false},
		{"greets", "", 2, false},
		{"dies", "it has ended (exit status 3)", 2, true},
		{"endless line", errFarLong.Error(), 1, true},
		{"garbage", errFarGarbage.Error(), 1, true},
		{"no hello", errFarNoHello.Error(), 0, true},
		{"other version", "another version of spiketop tap", 0, false},
		{"complains", "Permission denied", 0, true},
		{"flood", "", 5000, false},
		{"stray lines", "", 100, false},
	}
	for _, tc := range tests {
		t.Run(tc.how, func(t *testing.T) {
			t.Parallel()
			r := startFarRun(t, tc.how)
			r.until(t, "its word", func(said string, lines, over int) bool {
				return strings.Contains(said, tc.says) && lines >= tc.lines && (!tc.again || over >= 2)
			})
			r.end(t)
			r.mu.Lock()
			defer r.mu.Unlock()
			said := strings.Join(r.said, "\n")
			if incident.Clean(strings.ReplaceAll(said, "\n", " ")) != strings.ReplaceAll(said, "\n", " ") && len(said) < incident.MaxClean {
				t.Errorf("not clean: %q", said)
			}
			if strings.ContainsRune(said, '\x1b') || len(said) > 3*farComplaints*(farComplaint+50) {
				t.Errorf("too much or not clean: %d bytes: %q", len(said), said)
			}
			if tc.says == "" && said != "" {
				t.Errorf("said %q", said)
			}
			if tc.how == "endless line" && strings.Count(said, tc.says) > r.over {
				t.Errorf("%d ends, said:\n%s", r.over, said)
			}
		})
	}
}

// TestFarSaidOnce: a far side that never says hello is complained about once.
func TestFarSaidOnce(t *testing.T) {
	t.Parallel()
	r := startFarRun(t, "other version")
	r.until(t, "a complaint", func(said string, _, over int) bool { return said != "" && over > 0 })
	none := startFarRun(t, "no hello")
	none.until(t, "three starts", func(_ string, _, over int) bool { return over >= 3 })
	none.end(t)
	none.mu.Lock()
	defer none.mu.Unlock()
	if len(none.said) != 1 {
		t.Errorf("said %q", none.said)
	}
}

// TestFarMissing: a program that is not there is no crash.
func TestFarMissing(t *testing.T) {
	f := newFarSide(farOptions{name: "nc2", argv: []string{filepath.Join(t.TempDir(), "nothing")}}, func(string) {})
	if _, err := f.once(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestFarLeavesNobody: the whole group ends with the supervisor, also what
// ignores SIGTERM and closed pipes, and what that has started.
func TestFarLeavesNobody(t *testing.T) {
	t.Parallel()
	r := startFarRun(t, "stubborn")
	child := 0
	r.until(t, "its child", func(said string, lines, _ int) bool {
		_, text, found := strings.Cut(said, "child ")
		child, _ = strconv.Atoi(text)
		return found && lines > 0
	})
	r.end(t)
	for deadline := time.Now().Add(10 * time.Second); unix.Kill(child, 0) == nil && !zombie(child); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", child)
		}
	}
}

// zombie reports whether a process has ended and was not reaped yet, which in a
// container may last.
func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := bytes.Cut(b, []byte(") "))
	return err != nil || bytes.HasPrefix(rest, []byte("Z"))
}

// TestFarAsked: a question reaches the far side as one line.
func TestFarAsked(t *testing.T) {
	t.Parallel()
	r := startFarRun(t, "asked")
	r.until(t, "hello", func(_ string, lines, _ int) bool { return lines > 0 })
	r.asks <- far.Question{Ask: far.AskWindow, ID: "3.1", From: 1, To: 2}
	r.until(t, "the question", func(said string, _, _ int) bool {
		return strings.Contains(said, `asked {"ask":"window","id":"3.1","from":1,"to":2}`)
	})
}

func TestPace(t *testing.T) {
	p := newPace()
	wait := time.Duration(0)
	for range farLines + 600 { // a tenth of a second too many
		wait = p.take(10)
	}
	if wait <= 0 || wait > 150*time.Millisecond {
		t.Errorf("waits %v after too many lines", wait)
	}
	if wait = newPace().take(2 << 20); wait < 900*time.Millisecond || wait > 1100*time.Millisecond {
		t.Errorf("waits %v after twice the bytes of a second", wait)
	}
}

// TestFarMemory: an endless line costs no memory.
func TestFarMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := readFar(t.Context(), io.LimitReader(repeat('a'), 1<<30), func(far.Line) {})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, errFarLong) || after.TotalAlloc-before.TotalAlloc > 1<<20 {
		t.Errorf("error %v, %d bytes allocated", err, after.TotalAlloc-before.TotalAlloc)
	}
}

type repeat byte

func (r repeat) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r)
	}
	return len(b), nil
}

// TestTapListens: only questions come through, and the end is seen.
func TestTapListens(t *testing.T) {
	tp := newTap()
	good := `{"ask":"window","id":"1","from":1795262400000000000,"to":1795262401000000000}` + "\n"
	tp.listen(strings.NewReader("quit\n" + strings.Repeat("x", 100_000) + "\n" + good + strings.Repeat(good, 100)))
	if len(tp.questions) != tapQuestions || tp.bad.Load() != 2 {
		t.Errorf("%d questions, %d bad lines", len(tp.questions), tp.bad.Load())
	}
}

// TestEchoBudget: a flood of new pings leaves the old ones their place.
func TestEchoBudget(t *testing.T) {
	var b echoBudget
	tp := newTap()
	old := flow.Echo{At: flow.Time(10 * time.Second), Family: flow.FamilyIPv4, ID: 1}
	if !b.allow(keyOf(&old), old.At) {
		t.Fatal("the first one is not told")
	}
	at := flow.Time(11 * time.Second)
	told := 0
	for i := range 100_000 {
		e := flow.Echo{Family: flow.FamilyIPv4, ID: uint16(i), Src: [16]byte{byte(i >> 16), 1}}
		if b.allow(keyOf(&e), at) {
			told++
		}
	}
	if told != echoesFresh {
		t.Errorf("%d of the flood were told", told)
	}
	told = 0
	for range 1000 {
		if b.allow(keyOf(&old), at) {
			told++
		}
	}
	if told != echoesOfSeries {
		t.Errorf("%d of the old ping were told, want %d", told, echoesOfSeries)
	}
	if len(b.now) > seriesKept {
		t.Errorf("%d series are kept", len(b.now))
	}
	for i := range tapQueue + 10 { // nobody reads
		tp.echo(&flow.Echo{At: at, Offset: flow.WallOffset(1_795_262_400_000_000_000), Family: flow.FamilyIPv4, Seq: uint16(i)}, "eth0")
		tp.flush()
	}
	if tp.drops != 10 {
		t.Errorf("%d drops are counted, want 10", tp.drops)
	}
}
