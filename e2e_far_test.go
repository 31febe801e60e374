package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"spiketop/incident"
	"spiketop/probe/hops"
	"spiketop/testdata/netlab"
)

// twoHosts are two hosts with one cable.
func twoHosts(t *testing.T) (near, far *netlab.NS) {
	t.Helper()
	near, far = netlab.NewNS(t, "fn1"), netlab.NewNS(t, "fn2")
	netlab.Veth(t, near, "eth0", far, "eth7")
	near.IP("addr add 10.1.16.165/24 dev eth0")
	far.IP("addr add 10.1.16.55/24 dev eth7")
	return near, far
}

// TestPathLive: two hosts, each in its namespace. The hop table has the NICs of
// both; pings that the far host's kernel ignores for a while are lost there, as
// its stamps say; the incident has its look-back; nobody is left behind.
func TestPathLive(t *testing.T) {
	near, far := twoHosts(t)
	dir := t.TempDir()
	incidents, log := filepath.Join(dir, "incidents"), filepath.Join(dir, "log")
	cmd := near.Command(binary(t), "path", "--via", "ip netns exec "+far.Name, "--far-binary", binary(t), "--json",
		"--ping", "10.1.16.55", "--incidents", incidents, "--json-log", log, "eth0")
	var stdout, stderr syncBuffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	waitFor(t, "60 echoes of both hosts", &stdout, &stderr, func() bool { return bothSaw(t, stdout.String()) >= 60 })

	far.Sysctl("net.ipv4.icmp_echo_ignore_all=1")
	time.Sleep(700 * time.Millisecond)
	far.Sysctl("net.ipv4.icmp_echo_ignore_all=0")
	waitFor(t, "an incident", &stdout, &stderr, func() bool { b, _ := os.ReadFile(log); return bytes.Contains(b, []byte(`"event":"incident"`)) })

	_ = cmd.Process.Signal(syscall.SIGINT)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ended with %v; standard error:\n%s", err, stderr.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	if pids := strings.TrimSpace(netlab.Run(t, "ip", "netns", "pids", far.Name)); pids != "" {
		t.Errorf("somebody is left on the far host: %s", pids)
	}
	checkHopTable(t, stdout.String())
	found, _ := filepath.Glob(filepath.Join(incidents, "*", "incident.json"))
	if len(found) == 0 {
		t.Fatal("no incident was written")
	}
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := incident.ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	checkFarIncident(t, in)
}

// bothSaw counts the answered echoes that both hosts saw twice.
func bothSaw(t *testing.T, out string) (n int) {
	t.Helper()
	for line := range strings.Lines(out) {
		var r hops.EchoReport
		if !strings.HasSuffix(line, "\n") {
			break
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if len(r.Points) == 2 && r.Points[0].RTT != nil && r.Points[1].RTT != nil {
			n++
		}
	}
	return n
}

func checkHopTable(t *testing.T, out string) {
	t.Helper()
	sane, lost := 0, 0
	for line := range strings.Lines(out) {
		var r hops.EchoReport
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if r.LostAfter != nil && strings.HasSuffix(r.LostAfter.Point, ":eth7") && r.LostAfter.Leg == nil {
			lost++
		}
		if len(r.Points) != 2 || len(r.Segments) != 2 {
			continue
		}
		if r.Points[0].Name != "eth0" || !strings.HasSuffix(r.Points[1].Name, ":eth7") || r.Src != "10.1.16.165" || r.Dst != "10.1.16.55" {
			t.Fatalf("points %+v", r)
		}
		whole := *r.Points[0].RTT
		if sum := r.Segments[0].RTT + r.Segments[1].RTT; sum < whole-1e-5 || sum > whole+1e-5 || r.Segments[0].RTT < 0 || r.Segments[1].RTT < 0 {
			t.Fatalf("segments %v of %v ms", r.Segments, whole)
		}
		sane++
	}
	if sane < 60 || lost < 3 {
		t.Errorf("%d echoes with both hosts, %d lost in the far one", sane, lost)
	}
}

func checkFarIncident(t *testing.T, in *incident.Incident) {
	t.Helper()
	t.Logf("%s\n%s", in.Verdict.Sentence, strings.Join(in.Verdict.Evidence, "\n"))
	if in.Path.VerdictSegment != incident.SegmentFar || in.Verdict.Cause == incident.CauseUnknown {
		t.Errorf("segment %q, cause %q", in.Path.VerdictSegment, in.Verdict.Cause)
	}
	if len(in.Path.Echoes) == 0 || len(in.Path.Echoes[0].Points) != 2 || in.Path.Echoes[0].Seq != in.Trigger.Seq {
		t.Errorf("path %+v", in.Path)
	}
	far := in.Far
	if far == nil || far.Trouble != "" || len(far.Links) != 1 || far.Links[0].Name != "eth7" || far.Window == nil || far.ClockOffset == nil {
		t.Fatalf("far %+v", far)
	}
	// One cable: what arrived there left here, but for the edges of the slots.
	here, there := in.Links[0].Tx.Bytes, far.Links[0].Rx.Bytes
	if there == 0 || there < here-here/3 || there > here+here/3 {
		t.Errorf("%d bytes left, %d arrived", here, there)
	}
	// Both namespaces have the same clock.
	if off := *far.ClockOffset; off > 1 || off < -1 {
		t.Errorf("the clocks are %v ms apart", off)
	}
	pings := func(f incident.FlowRow) bool { return f.Remote == "10.1.16.165" && f.Proto == "icmp" }
	if !slices.ContainsFunc(far.Flows.Rx, pings) || len(far.Says) == 0 { // beside neighbour discovery
		t.Errorf("flows %+v, says %v", far.Flows, far.Says)
	}
}

// syncBuffer is what a process has written so far.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// waitFor polls; the time is generous, for machines are slow.
func waitFor(t *testing.T, what string, stdout, stderr *syncBuffer, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !cond(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain; standard error:\n%s\nstandard output:\n%.2000s", what, stderr.String(), stdout.String())
		}
	}
}

// TestTapAlone: hello first, beats, and an end when standard input closes, or
// nobody reads any more.
func TestTapAlone(t *testing.T) {
	_, far := twoHosts(t)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for _, closed := range []string{"stdin", "stdout"} {
		t.Run(closed, func(t *testing.T) {
			cmd := exec.CommandContext(ctx, "ip", "netns", "exec", far.Name, binary(t), "tap")
			var stderr syncBuffer
			cmd.Stderr = &stderr
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var first []string
			dec := json.NewDecoder(out)
			for range 3 {
				var l map[string]json.RawMessage
				if err := dec.Decode(&l); err != nil {
					t.Fatalf("%v; standard error:\n%s", err, stderr.String())
				}
				for kind := range l {
					first = append(first, kind)
				}
			}
			if got := strings.Join(first, " "); !strings.HasPrefix(got, "hello ") || !strings.Contains(got, "beat") {
				t.Errorf("first came %s", got)
			}
			if closed == "stdin" {
				_ = in.Close()
			} else {
				_ = out.Close()
			}
			if err := cmd.Wait(); err != nil || ctx.Err() != nil {
				t.Errorf("ended with %v (%v); standard error:\n%s", err, ctx.Err(), stderr.String())
			}
			_ = in.Close()
		})
	}
}

// TestPathLiveGuest: the pinged one is a container of the far host, whose vif is
// tapped there: the way has three points.
func TestPathLiveGuest(t *testing.T) {
	near, far := twoHosts(t)
	guest := netlab.NewNS(t, "fg")
	netlab.Veth(t, far, "vif_g", guest, "eth0")
	far.IP("addr add 10.1.30.1/24 dev vif_g")
	guest.IP("addr add 10.1.30.7/24 dev eth0")
	guest.IP("route add default via 10.1.30.1")
	near.IP("route add 10.1.30.0/24 via 10.1.16.55")
	far.Sysctl("net.ipv4.ip_forward=1")
	hold := guest.Command("sleep", "120") // a container has a process
	if err := hold.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hold.Process.Kill(); _ = hold.Wait() })

	cmd := near.Command(binary(t), "path", "--via", "ip netns exec "+far.Name, "--far-binary", binary(t), "--far-nic", "eth7", "--json",
		"--ping", "10.1.30.7", "--incidents", filepath.Join(t.TempDir(), "incidents"), "eth0")
	var stdout, stderr syncBuffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGINT); _ = cmd.Wait() })
	waitFor(t, "20 echoes with three points", &stdout, &stderr, func() bool {
		n := 0
		for line := range strings.Lines(stdout.String()) {
			var r hops.EchoReport
			if !strings.HasSuffix(line, "\n") || json.Unmarshal([]byte(line), &r) != nil || len(r.Points) != 3 || len(r.Segments) != 3 {
				continue
			}
			if p := r.Points; p[0].Name != "eth0" || !strings.HasSuffix(p[1].Name, ":eth7") || !strings.HasSuffix(p[2].Name, ":vif_g") {
				t.Fatalf("points %s", line)
			}
			n++
		}
		return n >= 20
	})
}
