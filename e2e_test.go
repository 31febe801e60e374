package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"spiketop/incident"
	"spiketop/testdata/netlab"
)

// program builds spiketop once and returns its path.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "spiketop-test-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "spiketop")
	cmd := exec.Command("go", "build", "-o", file, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

func binary(t testing.TB) string {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// line is any event of headless, as far as the tests look at it.
type line struct {
	Event       string
	At          time.Time
	Schema      string
	Target      string
	Member      string
	Kind        string
	Seq         uint16
	RTT         *float64 `json:"rtt_ms"`
	Outstanding *float64 `json:"outstanding_ms"`
	Threshold   *float64 `json:"threshold_ms"`
	ID, Dir     string
	Verdict     incident.Verdict
	Name        string
	Change      string
	What        string
	Count       uint64
	Text        string
	Incidents   int
	Suppressed  int
	NICs        []struct{ Name, Bond string }
	Targets     []struct{ Target, Reason string }
	Links       []struct {
		Name     string
		State    string
		RxBps    float64 `json:"rx_bps"`
		TxBps    float64 `json:"tx_bps"`
		Coverage *float64
		Drops    uint64
		Check    *incident.NICCheck `json:"nic_check"`
	}
	Pings []struct {
		Target, Member string
		P50            *float64 `json:"p50_ms"`
		Loss           float64
	}
}

// headlessRun is a running "spiketop headless".
type headlessRun struct {
	t      testing.TB
	cmd    *exec.Cmd
	dir    string // of incidents
	stderr bytes.Buffer
	mu     sync.Mutex
	lines  []line
	bad    []string
	out    io.Closer
	read   sync.WaitGroup
	ended  chan struct{}
	status int
	stop   sync.Once
}

// startHeadless starts it in ns and returns after its start event.
func startHeadless(t testing.TB, ns *netlab.NS, args ...string) *headlessRun {
	t.Helper()
	h := &headlessRun{t: t, dir: filepath.Join(t.TempDir(), "incidents"), ended: make(chan struct{})}
	h.cmd = ns.Command(binary(t), append([]string{"headless", "--incidents", h.dir}, args...)...)
	h.cmd.Stderr = &h.stderr
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.out = out
	h.read.Go(func() { h.collect(out) })
	t.Cleanup(func() { h.end() })
	h.wait("start", 1, 20*time.Second)
	return h
}

func (h *headlessRun) collect(out io.Reader) {
	sc := bufio.NewScanner(out)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var l line
		err := json.Unmarshal(sc.Bytes(), &l)
		h.mu.Lock()
		if err != nil {
			h.bad = append(h.bad, sc.Text())
		}
		h.lines = append(h.lines, l)
		h.mu.Unlock()
	}
}

// events returns the events of a kind so far.
func (h *headlessRun) events(kind string) (out []line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lines {
		if l.Event == kind {
			out = append(out, l)
		}
	}
	return out
}

// wait waits until there are n events of a kind.
func (h *headlessRun) wait(kind string, n int, patience time.Duration) []line {
	h.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got := h.events(kind); len(got) >= n {
			return got
		}
	}
	h.t.Fatalf("no %d events %q in %v; standard error:\n%s\nlines: %+v", n, kind, patience, h.stderr.String(), h.lines)
	return nil
}

// awaitEnd waits until it has ended by itself.
func (h *headlessRun) awaitEnd() {
	h.stop.Do(func() {
		h.read.Wait()
		_ = h.cmd.Wait()
		h.status = h.cmd.ProcessState.ExitCode()
	})
}

// end stops it as a person would (SIGTERM) and returns the exit status.
func (h *headlessRun) end() int {
	h.stop.Do(func() {
		_ = h.cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { _ = h.cmd.Process.Kill() })
		h.read.Wait()
		_ = h.cmd.Wait()
		kill.Stop()
		h.status = h.cmd.ProcessState.ExitCode()
		if len(h.bad) > 0 {
			h.t.Errorf("headless printed what is no JSON: %q", h.bad)
		}
	})
	return h.status
}

// signal sends a signal to spiketop itself ("ip netns exec" execs, so it is the child).
func (h *headlessRun) signal(s syscall.Signal) {
	if err := h.cmd.Process.Signal(s); err != nil {
		h.t.Fatalf("signal %v: %v", s, err)
	}
}

// readIncident reads incident.json of an event.
func readIncident(t testing.TB, l line) *incident.Incident {
	t.Helper()
	f, err := os.Open(filepath.Join(l.Dir, "incident.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := incident.ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// wholeDirectory checks that the files of an incident are there and private.
func wholeDirectory(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 || info.Size() == 0 {
			t.Errorf("%s/%s: mode %v, %d bytes; want 0600 and not empty", dir, e.Name(), info.Mode(), info.Size())
		}
		names = append(names, e.Name())
	}
	if want := []string{"flows.csv", "incident.json", "incident.md", "packets.pcapng", "screen.svg", "screen.txt"}; !slices.Equal(names, want) {
		t.Errorf("incident directory holds %v, want %v", names, want)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("incident directory: mode %v, %v; want 0700", info.Mode(), err)
	}
}

// readText reads a file of an incident.
func readText(t testing.TB, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// near reports whether a is within share of b.
func near(a, b, share float64) bool { return a >= b*(1-share) && a <= b*(1+share) }
