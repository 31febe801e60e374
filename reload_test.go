package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"spiketop/capture"
	"spiketop/capture/host"
	"spiketop/flow"
	"spiketop/incident"
)

// newIdleWatch is a watch with nothing to watch.
func newIdleWatch(s *session) *watch {
	if s.o == nil {
		s.o = &options{}
	}
	if s.ev == nil {
		s.ev = &events{}
	}
	w := &watch{s: s, world: (&flow.World{Generation: 1}).Index()}
	w.mon = incident.NewMonitor(incident.Config{Zone: time.UTC}, capture.Now(), w.world)
	return w
}

// TestRereadTold: what became of a configuration that was read again is one note
// event, and said on standard error, or with a screen among its notes.
func TestRereadTold(t *testing.T) {
	refused := reread{err: errors.New("spiketop.yaml:2:11: port \"94222\": no")}
	for _, tt := range []struct {
		name string
		c    reread
		want string
	}{
		{"refused", refused, `spiketop.yaml:2:11: port "94222": no: the rules stay as they were`},
		{"taken", reread{config: config{path: "spiketop.yaml", rules: make([]flow.Rule, 3)}}, "configuration read again from spiketop.yaml: rules: 3"},
	} {
		for _, screen := range []bool{false, true} {
			var log, stderr bytes.Buffer
			w := newIdleWatch(&session{})
			w.s.ev.add(&log, func(err error) { t.Error(err) })
			if !screen {
				w.s.diagnostics = &stderr
			}
			w.newConfig(tt.c)
			now := capture.Now()
			w.carryOut(w.mon.Tick(now), now)
			if got := log.String(); strings.Count(got, `"event":"note"`) != 1 || !strings.Contains(got, strings.ReplaceAll(tt.want, `"`, `\"`)) {
				t.Errorf("%s, screen %v: events %s", tt.name, screen, got)
			}
			shown := strings.Join(w.mon.Frame(now).Notes, "\n")
			if !screen {
				shown = strings.TrimPrefix(stderr.String(), "spiketop: ")
			}
			if strings.TrimSpace(shown) != tt.want {
				t.Errorf("%s, screen %v: said %q, want %q", tt.name, screen, shown, tt.want)
			}
		}
	}
}

// TestRereadNames: a name that the file no longer has is the finder's again, and
// a new one does not pile up on the old one's source.
func TestRereadNames(t *testing.T) {
	w := newIdleWatch(&session{guests: guests{known: make(chan []flow.GuestNIC, 1), running: make(chan bool, 1)}})
	found := []flow.GuestNIC{{Name: "023471", Ifindex: 7, Guest: "instance-1", Source: "libvirt"}}
	w.newGuests(host.Look{NICs: found})
	for _, step := range []struct {
		vifs          map[string]string
		guest, source string
	}{
		{map[string]string{"023471": "vm_a"}, "vm_a", "libvirt, configuration file"},
		{map[string]string{"023471": "vm_b"}, "vm_b", "libvirt, configuration file"},
		{nil, "instance-1", "libvirt"},
	} {
		w.newConfig(reread{config: config{vifs: step.vifs}})
		if g := w.world.Guests[0]; g.Guest != step.guest || g.Source != step.source {
			t.Errorf("named %v: %q by %q, want %q by %q", step.vifs, g.Guest, g.Source, step.guest, step.source)
		}
	}
	if found[0].Guest != "instance-1" {
		t.Errorf("the finder's list was written to: %+v", found[0])
	}
}
