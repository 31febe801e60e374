package main

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/capture/offline"
	"spiketop/capture/pcapfile"
	"spiketop/incident"
	"spiketop/testdata/netlab"
)

// TestPacketsOfGuest: a container pings through this host and loses answers. The
// incident's packets show its pings on its vif as tcpdump sees them there, beside
// the NIC's, and every reader of the file copes with that.
func TestPacketsOfGuest(t *testing.T) {
	netlab.NeedTool(t, "netns", "ping")
	host, far, guest := netlab.NewNS(t, "vh"), netlab.NewNS(t, "vf"), netlab.NewNS(t, "vg")
	netlab.Veth(t, host, "eth0", far, "eth0")
	netlab.Veth(t, host, "vif_g", guest, "eth0")
	host.IP("addr add 10.1.16.165/24 dev eth0")
	host.IP("addr add 10.1.30.1/24 dev vif_g")
	far.IP("addr add 10.1.16.55/24 dev eth0")
	far.IP("route add default via 10.1.16.165")
	guest.IP("addr add 10.1.30.7/24 dev eth0")
	guest.IP("route add default via 10.1.30.1")
	host.Sysctl("net.ipv4.ip_forward=1")
	pinger := guest.Command("ping", "-n", "-q", "-i", "0.1", "10.1.16.55") // a container has a process
	if err := pinger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pinger.Process.Kill(); _ = pinger.Wait() })

	witness := netlab.StartTcpdump(t, host, "vif_g", "icmp")
	ring := filepath.Join(t.TempDir(), "ring")
	h := startHeadless(t, host, "--no-ping", "--ring", ring, "eth0")
	time.Sleep(8 * time.Second) // a VM's ping has a warm-up, too
	far.Sysctl("net.ipv4.icmp_echo_ignore_all=1")
	time.Sleep(500 * time.Millisecond)
	far.Sysctl("net.ipv4.icmp_echo_ignore_all=0")
	e := h.wait("incident", 1, 30*time.Second)[0]
	h.end()
	witness.Stop()

	in := readIncident(t, e)
	file := filepath.Join(e.Dir, "packets.pcapng")
	if in.Trigger.Src != "10.1.30.7" || in.Packets == nil || len(in.Packets.Missing) != 0 {
		t.Fatalf("trigger %+v, packets %+v", in.Trigger, in.Packets)
	}
	const edge = time.Millisecond // the two sockets stamp for themselves
	ours, comments := frames(t, file, "vif_g", time.Time{}, time.Time{})
	must, _ := frames(t, witness.File, "", in.Window.From.Add(edge), in.Window.To.Add(-edge))
	may, _ := frames(t, witness.File, "", in.Window.From.Add(-edge), in.Window.To.Add(edge))
	for f := range must {
		if ours[f] != must[f] {
			t.Errorf("tcpdump saw this frame %d times, packets.pcapng has it %d times: %x", must[f], ours[f], f)
		}
	}
	for f, n := range ours {
		if may[f] != n {
			t.Errorf("packets.pcapng has this frame %d times, tcpdump saw it %d times: %x", n, may[f], f)
		}
	}
	nic, _ := frames(t, file, "eth0", time.Time{}, time.Time{})
	total := 0
	for _, n := range slices.Concat(slices.Collect(maps.Values(ours)), slices.Collect(maps.Values(nic))) {
		total += n
	}
	if len(ours) < 10 || len(nic) < 10 || in.Packets.Frames != total {
		t.Errorf("%d frames of the vif, %d of the NIC, the incident says %d", len(ours), len(nic), in.Packets.Frames)
	}
	guilty := fmt.Sprintf("the guilty echo: %d to 10.1.16.55", in.Trigger.Seq)
	flow := slices.ContainsFunc(comments, func(c string) bool { return strings.Contains(c, ", vif vif_g") })
	if !slices.Contains(comments, guilty) || !flow {
		t.Errorf("comments %q", comments)
	}
	readVIFFile(t, file, in)
	if diff := cmp.Diff(comparable(in), comparable(replayedRing(t, ring))); diff != "" {
		t.Errorf("(-live +replay of its ring):\n%s", diff)
	}
}

// readVIFFile hands the file to everybody who may read it.
func readVIFFile(t *testing.T, file string, in *incident.Incident) {
	t.Helper()
	r, err := pcapfile.Open(file, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p pcapfile.Packet
	for r.Next(&p) == nil {
	}
	i := r.Interfaces()
	if len(i) != 2 || i[0].Name != "eth0" || i[1].Name != "vif_g" || !strings.HasPrefix(i[1].Description, "vif") || !strings.HasSuffix(i[1].Description, ", captured by spiketop on "+in.Host) {
		t.Errorf("interfaces %+v", i)
	}
	events, stderr, status := replayed(t, file)
	if nics, _ := events["start"][0]["nics"].([]any); status != 0 || stderr != "" || len(nics) != 1 {
		t.Errorf("replay: status %d, %q, %v", status, stderr, events["start"])
	}
	cut := filepath.Join(t.TempDir(), "cut.pcapng")
	for _, args := range [][]string{{"stats", file}, {"slice", "-o", cut, file}, {"stats", cut}} {
		var out, errs bytes.Buffer
		if status := run(args, &out, &errs); status != 0 {
			t.Errorf("%v: status %d: %s", args, status, errs.String())
		}
	}
	if a, b := packetsOf(t, file), packetsOf(t, cut); !slices.Equal(a, b) {
		t.Errorf("slice: %d packets became %d, or other ones", len(a), len(b))
	}
	if c, err := offline.Open(t.Context(), offline.Config{Paths: []string{cut}}); err != nil || len(c.Links) != 2 || slices.ContainsFunc(c.Links, func(l offline.Link) bool { return l.VIF != (l.Name == "vif_g") }) {
		t.Errorf("slice: what is a vif is lost: %+v, %v", c, err)
	}
	tshark := netlab.Run(t, "tshark", "-n", "-r", file, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.packet_flags_direction", "-e", "icmp.type")
	// The guest's requests come in by its vif, answers go out there.
	if strings.Contains(tshark, "vif_g\t0x00000002\t8") || strings.Contains(tshark, "vif_g\t0x00000001\t0") ||
		strings.Count(tshark, "vif_g\t0x00000001\t8") < 5 || strings.Count(tshark, "vif_g\t0x00000002\t0") < 5 {
		t.Errorf("tshark sees\n%s", tshark)
	}
	if said := netlab.Run(t, "capinfos", file); strings.Contains(said, "arning") || !strings.Contains(said, "Name = vif_g") {
		t.Errorf("capinfos says\n%s", said)
	}
}
