package main

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"spiketop/incident"
	"spiketop/testdata/netlab"
)

// burstLab is the lab with calm storage traffic in both directions on both NICs
// and one stream that will burst.
type burstLab struct {
	*netlab.TwoNICs
	burst *netlab.Stream
}

const farHost = "10.1.20.55"

func newBurstLab(t *testing.T, o netlab.Options) *burstLab {
	t.Helper()
	l := &burstLab{TwoNICs: netlab.NewTwoNICs(t, o)}
	netlab.Sink(t, l.NC1, "10.1.16.165:9422", 900<<10)
	netlab.Sink(t, l.NC1, "10.1.17.165:9422", 900<<10)
	netlab.Sink(t, l.NC1, "10.1.16.165:5201", 0)
	netlab.Sink(t, l.Storage, "10.1.18.71:9422", 0)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	calm := []struct {
		from, to string
		ns       *netlab.NS
		rate     float64
	}{
		{"10.1.19.72:40210", "10.1.16.165:9422", l.Storage2, 1.5e6},
		{"10.1.19.72:40211", "10.1.17.165:9422", l.Storage2, 1.5e6},
		{"10.1.16.165:41822", "10.1.18.71:9422", l.NC1, 1.5e6},
		{"10.1.20.55:33004", "10.1.16.165:5201", l.Far, 0.3e6},
	}
	for _, c := range calm {
		s := netlab.Dial(t, c.ns, c.from, c.to)
		go s.Trickle(ctx, c.rate)
	}
	l.burst = netlab.Dial(t, l.Storage, "10.1.18.71:40112", "10.1.16.165:9422")
	return l
}

// labFlags are what a person tells about this lab: what storage is, what is
// pinged, and that the ports are slower than they say.
var labFlags = []string{"--ping", farHost, "--storage", "9422", "--link-speed", "eth0=40M", "--link-speed", "eth1=40M"}

// TestBurst is the issue in one test: real TCP bursts into a deep queue, found
// by the automatic threshold, each reported once and in time, with the right
// flow first and the bytes of an independent tcpdump.
func TestBurst(t *testing.T) {
	l := newBurstLab(t, netlab.Options{})
	witness := netlab.StartTcpdump(t, l.NC1, "eth0")
	h := startHeadless(t, l.NC1, labFlags...)
	time.Sleep(8 * time.Second) // warm-up is 2 s, a baseline wants more

	const bursts = 2
	for i := range bursts {
		if _, _, _, err := l.burst.Burst(400 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		h.wait("incident", i+1, 20*time.Second)
		time.Sleep(2 * time.Second)
	}
	if status := h.end(); status != 0 {
		t.Errorf("exit status %d, want 0; standard error:\n%s", status, h.stderr.String())
	}
	packets := witness.Stop()
	echoes := witnessed(packets)
	if n := len(h.events("spike")); n != bursts {
		t.Errorf("%d spike events, want %d: %+v", n, bursts, h.events("spike"))
	}
	for i, e := range h.events("incident") {
		wholeDirectory(t, e.Dir)
		in := readIncident(t, e)
		t.Logf("incident %d: %s", i+1, in.Verdict.Sentence)
		checkBurst(t, l, in, packets)
		t.Run("tshark agrees", func(t *testing.T) {
			truth := netlab.TsharkBytes(t, witness.File, l.burst.Local, l.burst.Remote, in.Window.From, in.Window.To)
			if !near(float64(in.Flows.Rx[0].Bytes), float64(truth), 0.02) {
				t.Errorf("%d bytes of the burst in the window, tshark says %d", in.Flows.Rx[0].Bytes, truth)
			}
		})
		t.Run("the packets are the wire's", func(t *testing.T) { checkPackets(t, e.Dir, in, witness.File) })
		first, _, _ := strings.Cut(readText(t, e.Dir, "incident.md"), "\n")
		for _, want := range []string{l.burst.Local, l.burst.Remote, "eth0"} {
			if !strings.Contains(first, want) {
				t.Errorf("the first line of incident.md does not name %s: %s", want, first)
			}
		}
		if s := readText(t, e.Dir, "screen.txt"); !strings.Contains(s, l.burst.Local) || strings.ContainsRune(s, '\x1b') {
			t.Errorf("screen.txt does not show the flow as plain text:\n%s", s)
		}
		if s := readText(t, e.Dir, "flows.csv"); !strings.Contains(s, l.burst.Local) {
			t.Errorf("flows.csv does not hold the flow:\n%s", s)
		}
		checkSpikeTime(t, h.events("spike")[i], in, echoes)
	}
}

func checkBurst(t *testing.T, l *burstLab, in *incident.Incident, packets []netlab.Packet) {
	t.Helper()
	if in.Verdict.Cause != "storage" || in.Verdict.Link != "eth0" || in.Verdict.Direction != "rx" {
		t.Errorf("verdict %s on %s %s, want storage on eth0 rx: %v", in.Verdict.Cause, in.Verdict.Link, in.Verdict.Direction, in.Verdict.Evidence)
	}
	if in.Trigger.Kind != incident.KindRTT && in.Trigger.Kind != incident.KindOutstanding {
		t.Errorf("trigger %s, want rtt or outstanding", in.Trigger.Kind)
	}
	if in.Path.VerdictSegment != "physical network" {
		t.Errorf("segment %q, want physical network", in.Path.VerdictSegment)
	}
	if len(in.Flows.Rx) == 0 {
		t.Fatal("no rx flows")
	}
	top := in.Flows.Rx[0]
	if top.Local != l.burst.Remote || top.Remote != l.burst.Local || top.Link != "eth0" || top.Class != "storage" || top.Proto != "tcp" {
		t.Errorf("first rx flow is %s %s <- %s on %s (%s), want the burst's", top.Proto, top.Local, top.Remote, top.Link, top.Class)
	}
	truth := netlab.Bytes(packets, l.burst.Local, l.burst.Remote, in.Window.From, in.Window.To)
	if !near(float64(top.Bytes), float64(truth), 0.02) {
		t.Errorf("%d bytes of the burst in the window, tcpdump says %d", top.Bytes, truth)
	}
	for _, lk := range in.Links {
		if lk.Coverage == nil || *lk.Coverage < 0.99 {
			t.Errorf("coverage of %s is %v, want at least 0.99", lk.Name, lk.Coverage)
		}
	}
	checkSums(t, in)
}

// checkSums: rows + other = the links' bytes, in both directions.
func checkSums(t *testing.T, in *incident.Incident) {
	t.Helper()
	var rx, tx, linkRx, linkTx uint64
	for _, r := range in.Flows.Rx {
		rx += r.Bytes
	}
	for _, r := range in.Flows.Tx {
		tx += r.Bytes
	}
	for _, lk := range in.Links {
		linkRx += lk.Rx.Bytes
		linkTx += lk.Tx.Bytes
	}
	if rx+in.Flows.Other.Rx.Bytes != linkRx || tx+in.Flows.Other.Tx.Bytes != linkTx {
		t.Errorf("rows + other = %d, %d; links carried %d, %d", rx+in.Flows.Other.Rx.Bytes, tx+in.Flows.Other.Tx.Bytes, linkRx, linkTx)
	}
}

// echo is an own echo as tcpdump saw it.
type echo struct {
	seq      uint16
	out, in  time.Time
	answered bool
}

// witnessed pairs requests and replies of the far host.
func witnessed(packets []netlab.Packet) (out []echo) {
	type key struct{ id, seq uint16 }
	at := map[key]int{}
	for _, p := range packets {
		switch {
		case p.Proto != 1:
		case p.Type == 8 && p.Dst.Addr().String() == farHost:
			at[key{p.ID, p.Seq}] = len(out)
			out = append(out, echo{seq: p.Seq, out: p.At})
		case p.Type == 0 && p.Src.Addr().String() == farHost:
			if i, ok := at[key{p.ID, p.Seq}]; ok && !out[i].answered {
				out[i].in, out[i].answered = p.At, true
			}
		}
	}
	return out
}

func (e echo) wire() time.Duration {
	if !e.answered {
		return -1
	}
	return e.in.Sub(e.out)
}

// checkSpikeTime: the event came within a second of the threshold being passed,
// and the guilty echo's time on the wire is the witness's within 0.05 ms.
func checkSpikeTime(t *testing.T, spike line, in *incident.Incident, echoes []echo) {
	t.Helper()
	i := slices.IndexFunc(echoes, func(e echo) bool {
		return e.seq == in.Trigger.Seq && e.out.Sub(in.Trigger.Sent).Abs() < 5*time.Second
	})
	if i < 0 {
		t.Errorf("tcpdump saw no echo %d", in.Trigger.Seq)
		return
	}
	if wire := in.Path.Own.Wire; wire == nil {
		t.Errorf("echo %d: no wire_ms", in.Trigger.Seq)
	} else if truth := float64(echoes[i].wire()) / 1e6; float64(*wire)-truth > 0.05 || truth-float64(*wire) > 0.05 {
		t.Errorf("echo %d: wire_ms %.3f, tcpdump says %.3f", in.Trigger.Seq, float64(*wire), truth)
	}
	first := echoes[i].out
	for _, e := range echoes { // the earliest echo of the episode that passes the threshold
		if e.out.After(in.Window.From) && e.wire() > time.Duration(float64(*in.Trigger.Threshold)*1e6) && e.out.Before(first) {
			first = e.out
		}
	}
	passed := first.Add(time.Duration(float64(*in.Trigger.Threshold) * 1e6))
	if late := spike.At.Sub(passed); late > time.Second {
		t.Errorf("the spike event came %v after the threshold was passed", late)
	}
}

// TestQuiet: minutes of calm traffic without any incident, suspended now and
// then. A spike that tcpdump's own stamps confirm is this machine's, and allowed.
func TestQuiet(t *testing.T) {
	l := newBurstLab(t, netlab.Options{})
	witness := netlab.StartTcpdump(t, l.NC1, "eth0", "icmp")
	h := startHeadless(t, l.NC1, labFlags...)
	time.Sleep(6 * time.Second)
	for _, stop := range []time.Duration{50 * time.Millisecond, 150 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second} {
		h.signal(syscall.SIGSTOP)
		time.Sleep(stop)
		h.signal(syscall.SIGCONT)
		time.Sleep(3 * time.Second)
	}
	calm := 100 * time.Second
	if testing.Short() {
		calm = 10 * time.Second
	}
	time.Sleep(calm)
	h.end()
	echoes := witnessed(witness.Stop())
	for _, e := range h.events("incident") {
		in := readIncident(t, e)
		i := slices.IndexFunc(echoes, func(e echo) bool { return e.seq == in.Trigger.Seq && e.out.Sub(in.Trigger.Sent).Abs() < 5*time.Second })
		if i >= 0 && in.Trigger.Threshold != nil && (!echoes[i].answered || echoes[i].wire() > time.Duration(float64(*in.Trigger.Threshold)*1e6)) {
			t.Logf("the machine itself delayed echo %d by %v", in.Trigger.Seq, echoes[i].wire())
			continue
		}
		t.Errorf("an incident in a quiet network: %s %+v", e.ID, in.Trigger)
	}
	sum := h.events("summary")
	if len(sum) < 2 {
		t.Fatalf("%d summary events", len(sum))
	}
	last := sum[len(sum)-1]
	if len(last.Links) != 2 || last.Links[0].Check == nil || last.Links[0].Coverage == nil || *last.Links[0].Coverage < 0.999 || last.Links[0].Drops != 0 {
		t.Fatalf("last summary: %+v", last.Links)
	}
	// Of many intervals, not of one: a stalled machine sends less for a second.
	if rx := medianRx(sum, 0); rx < 1e6 {
		t.Errorf("eth0 rx: %.0f bit/s in the middle of %d summaries; the lab sends some 2 Mbit/s", rx, len(sum))
	}
	for _, d := range []struct {
		name  string
		share *float64
	}{{"rx", last.Links[0].Check.Rx}, {"tx", last.Links[0].Check.Tx}} {
		if d.share == nil || !near(*d.share, 1, 0.01) {
			t.Errorf("eth0 %s: counted / the NIC's own counter = %v, want 1 within 0.01", d.name, d.share)
		}
	}
	if len(last.Pings) != 1 || last.Pings[0].Member != "eth0" || last.Pings[0].P50 == nil || last.Pings[0].Loss > 0.01 {
		t.Errorf("last summary: %+v", last.Pings)
	}
}

// medianRx returns the middle of what link i received in each summary, in bit/s.
func medianRx(sum []line, i int) float64 {
	var rates []float64
	for _, l := range sum {
		if i < len(l.Links) {
			rates = append(rates, l.Links[i].RxBps)
		}
	}
	slices.Sort(rates)
	return rates[len(rates)/2]
}

// TestSuspendedInBurst: this process stops 150 ms into a real burst with an echo
// outstanding; when it runs again it finds the incident from the stamps. The queue
// has grown by then so that the newest echoes, sent every 20 ms, wait over 100 ms;
// none can have waited that long, and been judged, before the stop.
func TestSuspendedInBurst(t *testing.T) {
	l := newBurstLab(t, netlab.Options{})
	h := startHeadless(t, l.NC1, append([]string{"--spike", "100ms", "--ping-interval", "20ms"}, labFlags...)...)
	time.Sleep(6 * time.Second)
	const tries = 3 // on a stalled machine the stop may come too early or too late: void, again
	for range tries {
		again := suspendInBurst(t, l, h)
		time.Sleep(9 * time.Second)
		spikes, incidents := h.events("spike"), h.events("incident")
		if len(spikes) == 0 || spikes[len(spikes)-1].At.Before(again) || len(incidents) != len(spikes) {
			t.Logf("void: %d spikes, %d incidents", len(spikes), len(incidents))
			continue
		}
		in := readIncident(t, incidents[len(incidents)-1])
		t.Log(in.Verdict.Sentence)
		if !in.Trigger.Sent.Before(again) {
			t.Errorf("the guilty echo was sent at %v, after the stop", in.Trigger.Sent)
		}
		if top := in.Flows.Rx[0]; top.Remote != l.burst.Local || in.Verdict.Cause != "storage" {
			t.Errorf("first flow %s, cause %s; want the burst %s, storage", top.Remote, in.Verdict.Cause, l.burst.Local)
		}
		return
	}
	t.Fatalf("in %d bursts no incident was found after the process ran again", tries)
}

// suspendInBurst stops the program 150 ms into a burst for 1.5 s and returns when
// it runs again.
func suspendInBurst(t *testing.T, l *burstLab, h *headlessRun) (again time.Time) {
	t.Helper()
	ran := make(chan time.Time, 1)
	go func() {
		time.Sleep(150 * time.Millisecond)
		h.signal(syscall.SIGSTOP)
		time.Sleep(1500 * time.Millisecond)
		ran <- time.Now()
		h.signal(syscall.SIGCONT)
	}()
	if _, _, _, err := l.burst.Burst(400 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	return <-ran
}

// TestSuperFrames: with offloads on, the frames in the capture are super-frames;
// what is counted is what the wire would carry: TCP's payload and one header for
// each segment.
func TestSuperFrames(t *testing.T) {
	l := newBurstLab(t, netlab.Options{Offloads: true})
	witness := netlab.StartTcpdump(t, l.NC1, "eth0")
	h := startHeadless(t, l.NC1, labFlags...)
	time.Sleep(6 * time.Second)
	if _, _, _, err := l.burst.Burst(400 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	in := readIncident(t, h.wait("incident", 1, 20*time.Second)[0])
	h.end()
	var payload, frames int
	for _, p := range witness.Stop() {
		if p.Src.String() == l.burst.Local && p.Dst.String() == l.burst.Remote && !p.At.Before(in.Window.From) && p.At.Before(in.Window.To) && p.Payload > 0 {
			payload += p.Payload
			frames++
		}
	}
	const mss, headers = 1448, 14 + 20 + 32
	segments := (payload + mss - 1) / mss
	wire := payload + segments*headers
	top := in.Flows.Rx[0]
	t.Logf("%d frames in the capture for %d segments; wire %d bytes, counted %d bytes in %d frames", frames, segments, wire, top.Bytes, top.Frames)
	if frames*2 > segments {
		t.Errorf("%d frames for %d segments: no super-frames, so this proves nothing", frames, segments)
	}
	if top.Remote != l.burst.Local || !near(float64(top.Bytes), float64(wire), 0.01) || !near(float64(top.Frames), float64(segments), 0.02) {
		t.Errorf("counted %s %d bytes in %d frames, want %s %d in %d", top.Remote, top.Bytes, top.Frames, l.burst.Local, wire, segments)
	}
}
