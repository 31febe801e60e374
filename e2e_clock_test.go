package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"spiketop/testdata/netlab"
)

// TestClockStep steps the clock of a small user-mode-linux guest under a running
// spiketop (never this machine's): no spike, no incident.
func TestClockStep(t *testing.T) {
	out := netlab.Boot(t, netlab.Guest{Script: "testdata/uml/clockstep.sh", Modules: "veth", Limit: 2 * time.Minute,
		Env: []string{"SPIKETOP_PROGRAM=" + binary(t)}})
	f, err := os.Open(filepath.Join(out, "events"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	count := map[string]int{}
	var last line
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var l line
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatalf("headless printed what is no JSON: %q", sc.Text())
		}
		count[l.Event]++
		if l.Event == "spike" || l.Event == "incident" {
			t.Errorf("a stepped clock made a %s: %s", l.Event, sc.Text())
		}
		if l.Event == "summary" {
			last = l
		}
	}
	if count["start"] != 1 || count["stop"] != 1 || count["summary"] == 0 {
		t.Fatalf("events %v: want a start, summaries and a stop", count)
	}
	if len(last.Pings) != 1 || last.Pings[0].P50 == nil || *last.Pings[0].P50 > 50 || last.Pings[0].Loss > 0.1 {
		t.Errorf("last summary: %+v: the ping was not measured", last.Pings)
	}
}
