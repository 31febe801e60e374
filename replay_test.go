package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/incident"
)

func sortFrames(list []fixtureFrame) {
	slices.SortStableFunc(list, func(a, b fixtureFrame) int { return a.at.Compare(b.at) })
}

// replayed runs replay --headless and returns its events by kind.
func replayed(t *testing.T, args ...string) (events map[string][]map[string]any, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(append([]string{"replay", "--headless"}, args...), &out, &errs)
	events = map[string][]map[string]any{}
	for line := range strings.Lines(out.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		name, _ := e["event"].(string)
		events[name] = append(events[name], e)
	}
	return events, errs.String(), status
}

// theIncident reads the only incident of a directory.
func theIncident(t *testing.T, dir string) *incident.Incident {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "2*", "incident.json"))
	if err != nil || len(list) != 1 {
		t.Fatalf("incidents %v, %v", list, err)
	}
	b, err := os.ReadFile(list[0])
	if err != nil {
		t.Fatal(err)
	}
	in, err := incident.ReadJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// TestReplayBurst: a file with a burst and late echoes gives the incident that a
// live run would have given.
func TestReplayBurst(t *testing.T) {
	dir := t.TempDir()
	files := burst(t, dir)
	events, stderr, status := replayed(t, append([]string{"--incidents", filepath.Join(dir, "out"), "--local", "10.1.16.165", "--link-speed", "eth0=40M", "--storage", "9422", "--spike", "60ms"}, files...)...)
	if status != 0 || stderr != "" {
		t.Errorf("status %d, said %q", status, stderr)
	}
	if len(events["start"]) != 1 || len(events["spike"]) != 1 || len(events["incident"]) != 1 || len(events["stop"]) != 1 {
		t.Errorf("events %v", events)
	}
	in := theIncident(t, filepath.Join(dir, "out"))
	// The first late echo is the 351st (seq 351: sent at 35.15 s), 120 ms after its
	// stamp. Others are as late; the first one is the trigger.
	tr := in.Trigger
	if tr.Target != "10.1.16.55" || tr.Member != "eth0" || tr.Seq != 351 || tr.Kind != incident.KindRTT {
		t.Errorf("trigger %+v", tr)
	}
	if in.ID != "20261121T174735.150Z-10.1.16.55" {
		t.Errorf("id %s", in.ID)
	}
	if in.Window.From.After(fixtureStart.Add(35150*time.Millisecond)) || in.Window.To.Before(fixtureStart.Add(35600*time.Millisecond)) {
		t.Errorf("window %v", in.Window)
	}
	// 1250 frames of 1514 bytes.
	top := in.Flows.Rx[0]
	if top.Remote != "10.1.16.71:30024" || top.Local != "10.1.16.165:9422" || top.Link != "eth0" || top.Class != "storage" || top.Bytes != 1250*1514 {
		t.Errorf("culprit %+v", top)
	}
	if in.Verdict.Cause != "storage" || in.Verdict.Link != "eth0" {
		t.Errorf("verdict %+v", in.Verdict)
	}
}

// tree is everything below dir by name.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestReplayTwice: the same files give the same incidents to the byte, whatever
// the speed.
func TestReplayTwice(t *testing.T) {
	dir := t.TempDir()
	files := burst(t, dir)
	var got [2]map[string]string
	for i, speed := range []string{"max", "400"} {
		out := filepath.Join(dir, speed)
		if _, _, status := replayed(t, append([]string{"--speed", speed, "--incidents", out}, files...)...); status != 0 {
			t.Fatalf("status %d", status)
		}
		got[i] = tree(t, out)
	}
	if len(got[0]) < 5 {
		t.Errorf("only %d files", len(got[0]))
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}

// TestReplayInfersSide: without --local the end that is on all packets is ours,
// and that is said.
func TestReplayInfersSide(t *testing.T) {
	dir := t.TempDir()
	files := burst(t, dir)
	_, stderr, _ := replayed(t, append([]string{"--incidents", filepath.Join(dir, "out")}, files...)...)
	if !strings.Contains(stderr, "eth0: the direction of packets is inferred: local is MAC 02:00:00:00:00:01, which is on 100 % of them") {
		t.Errorf("said %q", stderr)
	}
	if in := theIncident(t, filepath.Join(dir, "out")); in.Flows.Rx[0].Bytes != 1250*1514 {
		t.Errorf("culprit %+v", in.Flows.Rx[0])
	}
}

// TestReplayDamaged: what is before a damage is played, and the damage is said
// with its place.
func TestReplayDamaged(t *testing.T) {
	dir := t.TempDir()
	files := burst(t, dir)
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		bytes  []byte
		status int
		says   string
	}{
		{"cut off", whole[:len(whole)-7], 0, "the file is cut off"},
		{"cut in its header", whole[:10], 1, "header"},
		{"empty", nil, 1, "it is empty"},
		{"no packets", whole[:24], 1, "has no packets"},
		{"no capture", []byte("this is a letter to you"), 1, ""},
		{"absurd length", append(slices.Clone(whole[:24]), bytes.Repeat([]byte{0xff}, 64)...), 1, ""},
		{"damaged in the middle", append(slices.Clone(whole), bytes.Repeat([]byte{0xff}, 64)...), 1, "what comes before was played"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bad.pcap")
			if err := os.WriteFile(file, tc.bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			_, stderr, status := replayed(t, file)
			if status != tc.status || !strings.Contains(stderr, tc.says) || !strings.Contains(stderr, "bad.pcap") {
				t.Errorf("status %d, said %q", status, stderr)
			}
			if _, stderr, _ := replayed(t, file, files[1]); !strings.Contains(stderr, "bad.pcap") && tc.name != "cut off" {
				t.Errorf("beside a good file said %q", stderr)
			}
		})
	}
	if _, stderr, status := replayed(t, dir); status != 1 || !strings.Contains(stderr, "is a directory") {
		t.Errorf("a directory: status %d, said %q", status, stderr)
	}
	if _, stderr, status := replayed(t, filepath.Join(dir, "none.pcap")); status != 1 || !strings.Contains(stderr, "none.pcap") {
		t.Errorf("a missing file: status %d, said %q", status, stderr)
	}
}

// TestReplayPause: hours without packets are skipped and said, and the clock of a
// file that is set back does not stop the time.
func TestReplayPause(t *testing.T) {
	dir := t.TempDir()
	p := newPcap()
	for _, at := range []time.Duration{0, time.Second, 5 * time.Hour, 5*time.Hour + time.Second, time.Hour, time.Hour + time.Second} {
		p.frame(fixtureStart.Add(at), tcp4(here, storage, 41000, 9422, 1000), 1000)
	}
	events, stderr, status := replayed(t, p.write(t, dir, "odd.pcap"))
	if status != 0 || !strings.Contains(stderr, "nothing in the files for 4h58m") || !strings.Contains(stderr, "the clock goes back by 4h0m1s") {
		t.Errorf("status %d, said %q", status, stderr)
	}
	// The last second is counted on from 5 h + 1 s.
	stop, _ := events["stop"][0]["seconds"].(float64)
	if want := (5*time.Hour + 2*time.Second).Seconds(); stop < want || stop > want+1 {
		t.Errorf("%v s, want %v", stop, want)
	}
}

func TestReplayUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"--speed", "fast", "x"}, {"--local", "nowhere", "x"}, {"-", "-"}, {"--spike", "no", "x"}} {
		if _, stderr, status := replayed(t, args...); status != exitUsage || !strings.Contains(stderr, "spiketop: read ") {
			t.Errorf("%v: status %d, said %q", args, status, stderr)
		}
	}
	dir := t.TempDir()
	if _, stderr, status := replayed(t, append([]string{"--link-speed", "eth7=1G"}, burst(t, dir)...)...); status != exitUsage || !strings.Contains(stderr, "in the files are eth0, eth1") {
		t.Errorf("status %d, said %q", status, stderr)
	}
}
