package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"spiketop/testdata/netlab"
)

// TestClockStep steps the clock of a small user-mode-linux guest under a running
// spiketop (never this machine's): no spike, no incident.
func TestClockStep(t *testing.T) {
	out := netlab.Boot(t, netlab.Guest{Script: "testdata/uml/clockstep.sh", Modules: "veth", Limit: 2 * time.Minute,
		Env: []string{"SPIKETOP_PROGRAM=" + binary(t)}})
	lines := guestEvents(t, out)
	count := map[string]int{}
	var last line
	for _, l := range lines {
		count[l.Event]++
		if l.Event == "spike" || l.Event == "incident" {
			t.Errorf("a stepped clock made a %s: %+v", l.Event, l)
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

// guestEvents reads what headless printed in a guest.
func guestEvents(t *testing.T, out string) (lines []line) {
	t.Helper()
	f, err := os.Open(filepath.Join(out, "events"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var l line
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatalf("headless printed what is no JSON: %q", sc.Text())
		}
		lines = append(lines, l)
	}
	return lines
}

// TestBond runs on the real bonding driver in a user-mode-linux guest: the
// members are what is captured, the gateway is found through bridge and bond, a
// member that goes down and comes back is followed, LACP included, and the ping
// of each member is there: while one is down, the other's goes on.
func TestBond(t *testing.T) {
	out := netlab.Boot(t, netlab.Guest{Script: "testdata/uml/bond.sh", Modules: "bonding veth bridge", Limit: 2 * time.Minute,
		Env: []string{"SPIKETOP_PROGRAM=" + binary(t)}})
	lines := guestEvents(t, out)
	start := lines[0]
	if start.Event != "start" || len(start.NICs) != 2 || start.NICs[0].Name != "eth0" || start.NICs[0].Bond != "bond0" || start.NICs[1].Name != "eth1" {
		t.Errorf("start: %+v, want the members eth0 and eth1 of bond0", start)
	}
	if len(start.Targets) != 1 || start.Targets[0].Target != "10.1.16.1" || start.Targets[0].Reason != "gateway through bond0" {
		t.Errorf("targets: %+v, want the gateway through bond0", start.Targets)
	}
	var changes, members []string
	pinged := false
	summaries := ""
	for _, l := range lines {
		switch l.Event {
		case "link":
			changes = append(changes, l.Name+" "+l.Change)
		case "summary":
			members = members[:0]
			summaries += fmt.Sprintf("after %v: %+v %+v\n", changes, l.Links, l.Pings)
			for _, p := range l.Pings {
				members = append(members, p.Target+" via "+p.Member)
				pinged = pinged || len(changes) > 0 && p.Member == "eth1" && p.P50 != nil && l.Links[0].State == "down"
			}
		}
	}
	if len(changes) < 3 || changes[0] != "eth0 down" || !slices.Contains(changes, "eth0 up") || !slices.Contains(changes, "eth0 lacp") {
		t.Errorf("changes: %v, want eth0 down, up and lacp", changes)
	}
	if want := []string{"10.1.16.1 via eth0", "10.1.16.1 via eth1"}; !slices.Equal(members, want) {
		t.Errorf("pings of the last summary: %v, want %v", members, want)
	}
	if !pinged {
		t.Errorf("no summary says that the ping went by eth1 while eth0 was down:\n%s", summaries)
	}
}
