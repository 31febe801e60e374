package main

import (
	"io"
	"path/filepath"
	"testing"
	"time"

	"spiketop/capture"
	"spiketop/capture/offline"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/testdata/netlab"
)

// TestLiveAndReplay: the same moment, watched live and replayed from what tcpdump
// wrote beside it, gives the same incident; and the packets that an incident keeps
// add up to its own figures, super-frames included.
func TestLiveAndReplay(t *testing.T) {
	for name, offloads := range map[string]bool{"packets": false, "super-frames": true} {
		t.Run(name, func(t *testing.T) { liveAndReplay(t, offloads) })
	}
}

func liveAndReplay(t *testing.T, offloads bool) {
	l := newBurstLab(t, netlab.Options{Offloads: offloads})
	eth0, eth1 := netlab.StartTcpdump(t, l.NC1, "eth0"), netlab.StartTcpdump(t, l.NC1, "eth1")
	h := startHeadless(t, l.NC1, append(labFlags, "--spike", "60ms")...)
	time.Sleep(8 * time.Second) // warm-up is 2 s, a baseline wants more
	if _, _, _, err := l.burst.Burst(400 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	e := h.wait("incident", 1, 20*time.Second)[0]
	live := readIncident(t, e)
	if status := h.end(); status != 0 {
		t.Errorf("exit status %d; standard error:\n%s", status, h.stderr.String())
	}
	eth0.Stop()
	eth1.Stop()
	dir := filepath.Join(t.TempDir(), "out")
	args := append([]string{"--spike", "60ms", "--incidents", dir, "--local", "10.1.16.165", "--local", "10.1.17.165"}, labFlags[2:]...)
	if _, stderr, status := replayed(t, append(args, eth0.File, eth1.File)...); status != 0 {
		t.Fatalf("status %d, said %q", status, stderr)
	}
	sameIncident(t, live, theIncident(t, dir))
	if supers := keptAddsUp(t, live, filepath.Join(e.Dir, "packets.pcapng")); offloads != (supers > 0) {
		t.Errorf("%d super-frames", supers)
	}
}

// sameIncident holds a replay against the live run. tcpdump does not write the
// segment size of super-frames, so that their headers count once: 66 of 1514 bytes.
func sameIncident(t *testing.T, live, again *incident.Incident) {
	t.Helper()
	a, b := &live.Trigger, &again.Trigger
	if a.Target != b.Target || a.Member != b.Member || a.Seq != b.Seq || a.Kind != b.Kind {
		t.Errorf("trigger live %+v, replay %+v", a, b)
	}
	for _, d := range []time.Duration{live.Window.From.Sub(again.Window.From), live.Window.To.Sub(again.Window.To)} {
		if d.Abs() > 200*time.Millisecond { // slots of what one of them calls late by itself
			t.Errorf("window live %v, replay %v", live.Window, again.Window)
		}
	}
	x, y := &live.Flows.Rx[0], &again.Flows.Rx[0]
	if x.Link != y.Link || x.Local != y.Local || x.Remote != y.Remote || x.Class != y.Class || !near(float64(y.Bytes), float64(x.Bytes), 0.05) {
		t.Errorf("culprit live %+v, replay %+v", x, y)
	}
	if live.Verdict.Cause != again.Verdict.Cause || live.Verdict.Link != again.Verdict.Link || live.Verdict.Direction != again.Verdict.Direction {
		t.Errorf("verdict live %+v, replay %+v", live.Verdict, again.Verdict)
	}
}

// keptAddsUp counts the packets that an incident kept as a replay does, and returns
// how many were super-frames.
func keptAddsUp(t *testing.T, in *incident.Incident, file string) (supers int) {
	t.Helper()
	c, err := offline.Open(t.Context(), offline.Config{Paths: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Notes) > 0 {
		t.Errorf("said of our own file: %q", c.Notes)
	}
	feeders := map[int]*capture.Feeder{}
	p := c.Play()
	defer p.Close()
	var pk offline.Packet
	begin := flow.Time(in.Window.From.UnixNano())
	for {
		if err := p.Next(&pk); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		f := feeders[pk.Link]
		if f == nil {
			f = capture.NewFeeder(capture.FeederConfig{Link: flow.LinkID(pk.Link + 1)})
			f.Start(begin)
			feeders[pk.Link] = f
		}
		if pk.SegSize > 0 {
			supers++
		}
		f.Add(&capture.FilePacket{At: flow.Time(pk.At), LinkType: pk.LinkType, Dir: pk.Dir, Len: pk.Len, Data: pk.Data, SegSize: pk.SegSize})
	}
	for i, f := range feeders {
		checkTotals(t, in, c.Links[i].Name, f.Close(flow.Time(in.Window.To.UnixNano())))
	}
	return supers
}

func checkTotals(t *testing.T, in *incident.Incident, name string, b *flow.Batch) {
	t.Helper()
	var sum [2]flow.Counters
	for _, s := range b.Slots {
		for _, d := range flow.Directions {
			sum[d].Add(s.Total[d])
		}
	}
	for i := range in.Links {
		if k := &in.Links[i]; k.Name == name && (k.Rx.Bytes != sum[flow.Rx].Bytes || k.Tx.Bytes != sum[flow.Tx].Bytes) {
			t.Errorf("%s: the incident has %d and %d bytes, its packets %d and %d", name, k.Rx.Bytes, k.Tx.Bytes, sum[flow.Rx].Bytes, sum[flow.Tx].Bytes)
		}
	}
}
