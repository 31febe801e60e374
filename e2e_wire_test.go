package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"spiketop/capture"
	"spiketop/flow"
	"spiketop/probe"
	"spiketop/testdata/netlab"
)

// childEnv makes this test binary, run inside a namespace, measure instead of test.
const childEnv = "SPIKETOP_TEST_MEASURE"

// measured is an answered echo as the program measures it.
type measured struct {
	Seq                          uint16
	ID                           uint16
	QueueMs, WireMs, RTTMs, Wake float64
	Source                       probe.Source
}

// TestWireEqualsWitness: for every echo the time on the wire is tcpdump's stamp
// difference within 0.05 ms, with two busy loops running.
func TestWireEqualsWitness(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		measureEchoes(t)
		return
	}
	l := netlab.NewTwoNICs(t, netlab.Options{})
	witness := netlab.StartTcpdump(t, l.NC1, "eth0", "icmp")
	stop := busyLoops(2)
	defer stop()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := l.NC1.Command(self, "-test.run=^TestWireEqualsWitness$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("measure: %v\n%s", err, out)
	}
	stop()
	truth := map[string]time.Duration{}
	for _, p := range witness.Stop() {
		key := fmt.Sprint(p.ID, "/", p.Seq)
		if p.Type == 8 {
			truth[key] = -time.Duration(p.At.UnixNano())
		} else if p.Type == 0 && truth[key] < 0 {
			truth[key] += time.Duration(p.At.UnixNano())
		}
	}
	n := 0
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		var m measured
		if json.Unmarshal(sc.Bytes(), &m) != nil {
			continue // go test's own lines
		}
		want, seen := truth[fmt.Sprint(m.ID, "/", m.Seq)]
		diff := m.WireMs - float64(want)/1e6
		if !seen || want < 0 || m.Source != probe.ByKernel || diff > 0.05 || diff < -0.05 {
			t.Errorf("echo %d: wire %.4f ms (source %d), tcpdump says %.4f", m.Seq, m.WireMs, m.Source, float64(want)/1e6)
		}
		if sum := m.QueueMs + m.WireMs; sum-m.RTTMs > 0.001 || m.RTTMs-sum > 0.001 {
			t.Errorf("echo %d: queue %.4f + wire %.4f is not RTT %.4f", m.Seq, m.QueueMs, m.WireMs, m.RTTMs)
		}
		n++
	}
	if n < 50 {
		t.Errorf("only %d echoes measured", n)
	}
}

// busyLoops keeps n processors busy until stopped.
func busyLoops(n int) (stop func()) {
	var ended atomic.Bool
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for i := 0; !ended.Load(); i++ {
				if i%1e6 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	return func() { ended.Store(true); wg.Wait() }
}

// measureEchoes is the program's measuring chain alone: ring, pinger, Set.
func measureEchoes(t *testing.T) {
	nic, err := net.InterfaceByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	clock, err := capture.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	batches, events := make(chan *flow.Batch, 64), make(chan probe.Event, 1024)
	r, err := capture.OpenReader(capture.ReaderConfig{Link: 1, Name: nic.Name, Ifindex: nic.Index, Clock: clock, Out: batches})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	target := probe.Target{ID: 1, Name: farHost, Addr: netip.MustParseAddr(farHost), Captured: true}
	set := probe.NewSet(probe.SetConfig{})
	set.SetTargets([]probe.Target{target})
	set.SetLinks([]flow.LinkID{1})
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.Run(ctx) })
	wg.Go(func() {
		_ = probe.NewPinger(probe.PingerConfig{Target: target, Events: events, Now: capture.Now}).Run(ctx)
	})
	beat := time.NewTicker(loopBeat)
	defer beat.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case b := <-batches:
			for _, e := range b.Echoes {
				set.Echo(e)
			}
			set.Drained(b.Link, b.Drained)
		case e := <-events:
			set.Event(e)
		case <-beat.C:
			for _, s := range set.Tick(capture.Now()) {
				if s.State == probe.Answered {
					b, _ := json.Marshal(measured{s.Seq, s.ID, float64(s.Queue) / 1e6, float64(s.Wire) / 1e6, float64(s.RTT) / 1e6, float64(s.Wakeup) / 1e6, s.Source})
					fmt.Println(string(b))
				}
			}
		}
	}
	wg.Wait()
}
