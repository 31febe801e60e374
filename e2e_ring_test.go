package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spiketop/capture/pcapfile"
	"spiketop/incident"
	"spiketop/testdata/netlab"
)

// TestLiveAndRing: a live run, and the replay of the ring that it wrote, give the
// same incident: what does not need the live host (docs/REPLAY.md lists it), to the
// byte, super-frames included.
func TestLiveAndRing(t *testing.T) {
	for name, offloads := range map[string]bool{"packets": false, "super-frames": true} {
		t.Run(name, func(t *testing.T) { liveAndRing(t, offloads) })
	}
}

func liveAndRing(t *testing.T, offloads bool) {
	l := newBurstLab(t, netlab.Options{Offloads: offloads})
	dir := filepath.Join(t.TempDir(), "ring")
	h := startHeadless(t, l.NC1, append(labFlags, "--spike", "60ms", "--ring", dir, "--ring-size", "16M")...)
	time.Sleep(8 * time.Second) // warm-up is 2 s, a baseline wants more
	if _, _, _, err := l.burst.Burst(400 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	live := readIncident(t, h.wait("incident", 1, 20*time.Second)[0])
	if status := h.end(); status != 0 {
		t.Errorf("exit status %d; standard error:\n%s", status, h.stderr.String())
	}
	again := replayedRing(t, dir, append([]string{"--spike", "60ms"}, labFlags[2:]...)...)
	if diff := cmp.Diff(comparable(live), comparable(again)); diff != "" {
		t.Errorf("(-live +replay of its ring):\n%s", diff)
	}
	supers := 0
	ringPackets(t, dir, func(p *pcapfile.Packet) {
		if p.SegSize > 0 {
			supers++
		}
	})
	if offloads != (supers > 0) {
		t.Errorf("%d super-frames in the ring", supers)
	}
}

// ringFiles are the files of a ring in their order.
func ringFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.pcapng"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the ring %s has no files: %v", dir, err)
	}
	return files
}

// replayedRing is the only incident of a replay of the ring.
func replayedRing(t *testing.T, dir string, flags ...string) *incident.Incident {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	if _, stderr, status := replayed(t, slices.Concat([]string{"--incidents", out}, flags, ringFiles(t, dir))...); status != 0 {
		t.Fatalf("status %d, said %q", status, stderr)
	}
	return theIncident(t, out)
}

// seen is what a replay must find as the live run did.
type seen struct {
	Kind, Src, Target, Member, ReplyMember string
	Seq                                    uint16
	From, To                               time.Time
	Cause, Link, Direction                 string
	Culprit                                flowSeen
	Flows                                  map[string]flowSeen
	Bytes                                  map[string][2]uint64
}

type flowSeen struct {
	Link, Local, Remote, Class string
	Bytes                      uint64
}

func comparable(in *incident.Incident) seen {
	s := seen{Kind: in.Trigger.Kind, Src: in.Trigger.Src, Target: in.Trigger.Target, Member: in.Trigger.Member, ReplyMember: in.Trigger.ReplyMember, Seq: in.Trigger.Seq,
		From: in.Window.From.UTC(), To: in.Window.To.UTC(),
		Cause: in.Verdict.Cause, Link: in.Verdict.Link, Direction: in.Verdict.Direction, Flows: map[string]flowSeen{}, Bytes: map[string][2]uint64{}}
	for d, rows := range map[string][]incident.FlowRow{"rx": in.Flows.Rx, "tx": in.Flows.Tx} {
		for _, r := range rows {
			s.Flows[d+" "+r.Link+" "+r.Local+" "+r.Remote] = flowSeen{r.Link, r.Local, r.Remote, r.Class, r.Bytes}
		}
	}
	if len(in.Flows.Rx) > 0 {
		r := in.Flows.Rx[0]
		s.Culprit = flowSeen{r.Link, r.Local, r.Remote, r.Class, r.Bytes}
	}
	for _, l := range in.Links {
		s.Bytes[l.Name] = [2]uint64{l.Rx.Bytes, l.Tx.Bytes}
	}
	return s
}

// ringPackets calls f for each packet of the ring, and returns whether each of its
// files could be read to the end.
func ringPackets(t *testing.T, dir string, f func(*pcapfile.Packet)) {
	t.Helper()
	for _, file := range ringFiles(t, dir) {
		r, err := pcapfile.Open(file, pcapfile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var p pcapfile.Packet
		for {
			if err := r.Next(&p); err == io.EOF {
				break
			} else if err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
				break
			}
			f(&p)
		}
	}
}

// awaitFile waits until a ring has more than n files and the newest some 40 packets.
func awaitFile(t *testing.T, dir string, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		files, _ := filepath.Glob(filepath.Join(dir, "*.pcapng"))
		if len(files) > n {
			if st, err := os.Stat(files[len(files)-1]); err == nil && st.Size() > 4000 {
				return
			}
		}
	}
	t.Fatalf("no file with packets in %s beside %d others", dir, n)
}

// TestRingKilled: what a killed run has written can be read, to within the last
// second; the next run goes on beside it.
func TestRingKilled(t *testing.T) {
	l := netlab.NewTwoNICs(t, netlab.Options{})
	dir := filepath.Join(t.TempDir(), "ring")
	t.Setenv("SUDO_UID", "65534")
	t.Setenv("SUDO_GID", "65534")
	run := func(had int) *headlessRun {
		h := startHeadless(t, l.NC1, "--ping", farHost, "--ring", dir, "--ring-time", "1h")
		awaitFile(t, dir, had)
		return h
	}
	h := run(0)
	other := l.NC1.Command(binary(t), "headless", "--no-ping", "--incidents", t.TempDir(), "--ring", dir)
	if said, err := other.CombinedOutput(); err == nil || !strings.Contains(string(said), "another spiketop writes its ring there") {
		t.Errorf("a second one on the same ring: %v, said %q", err, said)
	}
	killed := time.Now()
	h.signal(syscall.SIGKILL)
	h.awaitEnd()
	var last int64
	packets := 0
	ringPackets(t, dir, func(p *pcapfile.Packet) { last, packets = max(last, p.At), packets+1 })
	if d := killed.Sub(time.Unix(0, last)); d > 3*time.Second || packets < 20 {
		t.Errorf("%d packets, the last %v before the kill", packets, d)
	}
	first := ringFiles(t, dir)
	if status := run(len(first)).end(); status != 0 {
		t.Errorf("status %d", status)
	}
	files := ringFiles(t, dir)
	if len(files) <= len(first) {
		t.Errorf("%d files, then %d", len(first), len(files))
	}
	netlab.NeedTool(t, "tshark", "tshark")
	for _, f := range files {
		var st unix.Stat_t
		if err := unix.Stat(f, &st); err != nil || st.Uid != 65534 || st.Mode&0o777 != 0o600 {
			t.Errorf("%s: %v, of user %d, mode %o", f, err, st.Uid, st.Mode)
		}
		netlab.Run(t, "capinfos", f)
		netlab.Run(t, "tshark", "-n", "-Q", "-r", f)
	}
}
