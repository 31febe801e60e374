package main

import (
	"encoding/json"
	"strings"
	"testing"

	"spiketop/incident"
	"spiketop/probe"
)

// TestSummaryUnknownIsNull: a target that has never answered, or to which nothing
// was sent yet, has no jitter and no loss; 0 would say that all is well.
func TestSummaryUnknownIsNull(t *testing.T) {
	p := incident.PingView{Stats: probe.Stats{P50: probe.None, P99: probe.None}}
	b, err := json.Marshal(pingSummary(&p))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"p50_ms":null`, `"jitter_ms":null`, `"loss":null`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s\nwant %s in it", b, want)
		}
	}
	p.Stats.P50, p.Stats.Window = 210_000, 10
	if b, _ = json.Marshal(pingSummary(&p)); !strings.Contains(string(b), `"jitter_ms":0,"loss":0`) {
		t.Errorf("%s\nwant jitter and loss 0 where echoes were answered", b)
	}
}

// TestSummaryOfMembers: a series names its member, and a host that cannot be
// steered says why.
func TestSummaryOfMembers(t *testing.T) {
	p := incident.PingView{Member: "eth1", Target: probe.Target{Name: "10.1.16.55", Group: 1, Member: 2}}
	b, err := json.Marshal(pingSummary(&p))
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); !strings.Contains(s, `"target":"10.1.16.55","member":"eth1"`) || strings.Contains(s, "cannot_steer") {
		t.Errorf("%s\nwant the member and no cannot_steer", b)
	}
	p.Target.CannotSteer = "only the active member sends"
	if b, _ = json.Marshal(pingSummary(&p)); !strings.Contains(string(b), `"cannot_steer":"only the active member sends"`) {
		t.Errorf("%s\nwant the reason", b)
	}
}

// TestPingsAreBounded: pings that would be a load of their own, and addresses of
// no host, are refused.
func TestPingsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name, interval string
		pings          []string
		ok             bool
	}{
		{"fifty every 10 ms", "10ms", hosts(50), true}, // 50 / 0.01 s = 5000 a second
		{"fifty-one every 10 ms", "10ms", hosts(51), false},
		{"any address", "100ms", []string{"0.0.0.0"}, false},
		{"multicast", "100ms", []string{"ff02::1"}, false},
		{"broadcast", "100ms", []string{"255.255.255.255"}, false},
		{"host", "100ms", []string{"10.1.16.55"}, true},
	} {
		r := &rawFlags{options: options{pings: c.pings, maxFlows: 1024, keep: 1, theme: "dark"}, spike: spikeAuto, interval: c.interval, hold: "0"}
		if _, err := r.check(nil); (err == nil) != c.ok {
			t.Errorf("%s: %v, want ok %v", c.name, err, c.ok)
		}
	}
}

func hosts(n int) (list []string) {
	for range n {
		list = append(list, "host")
	}
	return list
}
