package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// demoPicture is what the demo's incident looks like; the documents show it.
const demoPicture = "docs/demo"

// TestDemo: the demo is the seed's incident: a late echo by eth0, while storage
// traffic toward one port filled it. SPIKETOP_UPDATE writes its pictures anew.
func TestDemo(t *testing.T) {
	if len(demoCapture) > 2<<20 {
		t.Errorf("the demo has %d bytes", len(demoCapture))
	}
	dir := t.TempDir()
	t.Setenv("HOME", "/nonexistent")
	var out, errs bytes.Buffer
	if status := run([]string{"demo", "--headless", "--incidents", dir}, &out, &errs); status != 0 || errs.Len() > 0 {
		t.Fatalf("status %d, said %q", status, errs.String())
	}
	in := theIncident(t, dir)
	tr, top := in.Trigger, in.Flows.Rx[0]
	if tr.Target != "10.1.16.55" || tr.Member != "eth0" || tr.Seq != 301 || in.Verdict.Cause != "storage" || in.Verdict.Link != "eth0" || in.Verdict.Confidence != "high" {
		t.Errorf("trigger %+v, verdict %+v", tr, in.Verdict)
	}
	// As the run of the lab that it is made of judged it, and as its sender
	// counted: 1 869 368 bytes of payload in 1302 frames or so, of which the
	// window has those that had passed the shaped link by its end.
	if top.Remote != "10.1.16.71:30024" || top.Local != "10.1.16.165:9422" || top.Bytes < 1_400_000 || top.Bytes > 2_000_000 {
		t.Errorf("culprit %+v", top)
	}
	samePicture(t, filepath.Join(dir, in.ID, "screen.txt"), demoPicture+".txt")
	samePicture(t, filepath.Join(dir, in.ID, "screen.svg"), demoPicture+".svg")
}

// samePicture compares a picture of the demo with the one in the documents.
func samePicture(t *testing.T, made, kept string) {
	t.Helper()
	got, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("SPIKETOP_UPDATE") != "" {
		if err := os.WriteFile(kept, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s: SPIKETOP_UPDATE=1 go test -run TestDemo . makes it anew (-want +got):\n%s", kept, diff)
	}
}
