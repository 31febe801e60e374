package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"spiketop/testdata/netlab"
)

// TestPlainNetRaw: with cap_net_raw and nothing else, as nobody, flows and pings
// are measured; what cannot be known is said once, whatever comes and goes.
func TestPlainNetRaw(t *testing.T) {
	ns, peer := netlab.NewNS(t, "nobody"), netlab.NewNS(t, "nobodypeer")
	netlab.NeedTool(t, "netns", "setpriv")
	netlab.Veth(t, ns, "eth0", peer, "p0")
	ns.IP("addr add 10.1.16.165/24 dev eth0")
	peer.IP("addr add 10.1.16.55/24 dev p0")
	ns.IP("tuntap add 023471 mode tap") // a VM's, that nobody runs
	const nobody = 65534
	file, dir := publicCopy(t), t.TempDir()
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	cmd := ns.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw",
		file, "headless", "--ping", "10.1.16.55", "--incidents", filepath.Join(dir, "incidents"), "--json-log", log, "eth0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(90*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	awaitText(t, log, `"start"`)
	netlab.Sink(t, ns, "10.1.16.165:9422", 0)
	flow := netlab.Dial(t, peer, "10.1.16.55:40112", "10.1.16.165:9422")
	go flow.Trickle(t.Context(), 2e6)
	for i := range 4 { // each makes the vifs be looked at again
		ns.IP(fmt.Sprintf("link add spare%d type veth peer name other%d", i, i))
		time.Sleep(2500 * time.Millisecond)
	}
	awaitText(t, log, `"summary"`)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != exitDone {
		t.Errorf("status %d", status)
	}
	text, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(text), `"p50_ms":0.`) && !strings.Contains(string(text), `"p50_ms":1`) || !strings.Contains(string(text), `"stop"`) {
		t.Errorf("no ping was measured (%v):\n%s", err, text)
	}
	said := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	t.Logf("said:\n%s", stderr.String())
	for i, line := range said {
		if slices.Contains(said[:i], line) {
			t.Errorf("said twice: %s", line)
		}
	}
	for _, about := range []string{"processes of the whole host: ", "fdinfo: not permitted"} {
		if n := strings.Count(stderr.String(), "spiketop: "+about); n != 1 {
			t.Errorf("%q is said %d times, want once", about, n)
		}
	}
}
