package render

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"spiketop/incident"
)

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// The least that an incident may hold: nothing is invented for what is absent.
func TestSnapshotTextOfAnEmptyIncident(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 47, 20, 0, time.UTC)
	in := &incident.Incident{ID: "x-manual", Number: 1, Trigger: incident.Trigger{Kind: incident.KindManual, Sent: at},
		Window: incident.Window{From: at, To: at.Add(time.Second)}}
	var b bytes.Buffer
	if err := SnapshotText(&b, nil, in, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"INCIDENT #1", "Frozen by hand.", "no flow", "01:47:20.000 to 01:47:21.000"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "not saved") {
		t.Errorf("a file that is being saved says that it is not:\n%s", b.String())
	}
	if strings.Contains(b.String(), "queue") {
		t.Errorf("a path was invented:\n%s", b.String())
	}
	err := SnapshotText(brokenWriter{}, nil, in, 100)
	if err == nil || err.Error() != "write screen of incident x-manual: disk full" {
		t.Errorf("error %v", err)
	}
}

func TestTriggerSentence(t *testing.T) {
	ms := func(x float64) *incident.Millis { m := incident.Millis(x); return &m }
	for _, tt := range []struct {
		t    incident.Trigger
		want string
	}{
		{incident.Trigger{Kind: "rtt", Target: "10.1.16.55", Member: "eth0", Seq: 110, RTT: ms(120.4), Baseline: ms(0.21)}, "Echo 110 to 10.1.16.55 via eth0 took 120.4 ms (usual 0.21 ms)."},
		{incident.Trigger{Kind: "outstanding", Target: "10.1.16.55", Seq: 7, Outstanding: ms(121)}, "Echo 7 to 10.1.16.55 had no answer after 121.0 ms."},
		{incident.Trigger{Kind: "loss", Target: "h", Seq: 7, Outstanding: ms(2000), Baseline: ms(0.2)}, "Echo 7 to h and others before it were not answered (usual 0.20 ms)."},
		{incident.Trigger{Kind: "manual"}, "Frozen by hand."},
		{incident.Trigger{Kind: "shift", Target: "h"}, "Echo 0 to h: shift."},
	} {
		if got := triggerSentence(&incident.Incident{Trigger: tt.t}); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
