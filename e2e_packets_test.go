package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spiketop/capture/pcapfile"
	"spiketop/incident"
	"spiketop/testdata/netlab"
)

// checkPackets holds packets.pcapng against what tcpdump has written on eth0:
// every frame of the window is there, byte for byte, and no other.
func checkPackets(t *testing.T, dir string, in *incident.Incident, witness string) {
	t.Helper()
	const edge = time.Millisecond // the two sockets stamp for themselves
	file := filepath.Join(dir, "packets.pcapng")
	ours, comments := frames(t, file, "eth0", time.Time{}, time.Time{})
	must, _ := frames(t, witness, "", in.Window.From.Add(edge), in.Window.To.Add(-edge))
	may, _ := frames(t, witness, "", in.Window.From.Add(-edge), in.Window.To.Add(edge))
	for f, n := range must {
		if ours[f] < n {
			t.Fatalf("tcpdump saw this frame %d times, packets.pcapng has it %d times: %x", n, ours[f], f)
		}
	}
	total := 0
	for f, n := range ours {
		if total += n; may[f] < n {
			t.Fatalf("packets.pcapng has this frame %d times, tcpdump saw it %d times: %x", n, may[f], f)
		}
	}
	if total < 100 || in.Packets == nil || in.Packets.Frames < total || len(in.Packets.Missing) != 0 {
		t.Errorf("%d frames of eth0, the incident says %+v", total, in.Packets)
	}
	for _, want := range []string{"the guilty echo: " + fmt.Sprint(in.Trigger.Seq), "class storage ("} {
		if !slices.ContainsFunc(comments, func(c string) bool { return strings.HasPrefix(c, want) }) {
			t.Errorf("no comment begins with %q: %q", want, comments)
		}
	}
	directions := netlab.Run(t, "tshark", "-n", "-Q", "-r", file, "-T", "fields", "-e", "frame.packet_flags_direction")
	if n := strings.Count(directions, "0x00000001") + strings.Count(directions, "0x00000002"); n != in.Packets.Frames {
		t.Errorf("tshark sees %d directions in %d frames", n, in.Packets.Frames)
	}
	netlab.Run(t, "capinfos", file)
}

// frames counts the frames of an interface within a time by length and bytes.
func frames(t *testing.T, file, iface string, from, to time.Time) (out map[string]int, comments []string) {
	t.Helper()
	r, err := pcapfile.Open(file, pcapfile.Options{Comments: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out = map[string]int{}
	var p pcapfile.Packet
	last := int64(0)
	for {
		if err := r.Next(&p); err == io.EOF {
			return out, comments
		} else if err != nil {
			t.Fatal(err)
		}
		if iface != "" && p.At < last {
			t.Fatalf("%s is not in order of time", file)
		}
		last = p.At
		if iface != "" && r.Interfaces()[p.Interface].Name != iface || !from.IsZero() && (p.At < from.UnixNano() || p.At >= to.UnixNano()) {
			continue
		}
		out[fmt.Sprintf("%d %s", p.Len, p.Data)]++
		comments = append(comments, p.Comments...)
	}
}
