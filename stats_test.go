package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spiketop/capture/pcapfile"
	"spiketop/incident"
)

// madeCapture is a small pcapng: an interface that is read and one that is not.
func madeCapture(t *testing.T, links ...pcapfile.LinkType) string {
	t.Helper()
	var b bytes.Buffer
	w := pcapfile.NewWriter(&b, pcapfile.Section{})
	frame := make([]byte, 1514)
	for i, l := range links {
		if _, err := w.AddInterface(pcapfile.Interface{Name: "eth\x1b[31m" + string(rune('0'+i)), Link: l, SnapLen: 256}); err != nil {
			t.Fatal(err)
		}
	}
	next := make([]uint32, 4)
	at := time.Date(2026, 11, 21, 17, 47, 20, 962e6, time.UTC).UnixNano()
	for i := range 10 {
		n := madeFrame(frame, 0, i%2 == 1, 100*(1-i%2), next)
		if err := w.WritePacket(&pcapfile.Packet{At: at + int64(i)*1e6, Interface: i % len(links), Len: n, Data: frame[:n]}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "made.pcapng")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// command runs spiketop; what it prints must be safe for a terminal.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(args, &out, &errs)
	for line := range strings.Lines(out.String() + errs.String()) {
		if s := strings.TrimSuffix(line, "\n"); incident.CleanMax(s, 1<<20) != s {
			t.Errorf("not safe for a terminal: %q", s)
		}
	}
	return status, out.String(), errs.String()
}

func TestStatsJSON(t *testing.T) {
	path := madeCapture(t, pcapfile.EN10)
	status, out, errs := command(t, "stats", "--json", path)
	if status != exitDone || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	var got struct {
		File      string           `json:"file"`
		Packets   int              `json:"packets"`
		Bytes     int              `json:"bytes"`
		First     time.Time        `json:"first"`
		Last      time.Time        `json:"last"`
		LinkTypes []string         `json:"link_types"`
		Truncated *bool            `json:"truncated"`
		NotIP     *int             `json:"not_ip"`
		Malformed *int             `json:"malformed"`
		Flows     []map[string]any `json:"flows"`
		Echoes    []any            `json:"echoes"`
		Addresses []map[string]any `json:"addresses"`
		Services  []map[string]any `json:"services"`
		TCP       []map[string]any `json:"tcp"`
		Peaks     []map[string]any `json:"peaks"`
		Bursts    []any            `json:"bursts"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	// Ethernet 14, IPv4 20, TCP 32: 5 times 166 and 5 times 66 bytes.
	if got.Packets != 10 || got.Bytes != 5*166+5*66 || *got.Truncated || *got.NotIP != 0 || *got.Malformed != 0 || len(got.LinkTypes) != 1 || got.LinkTypes[0] != "EN10MB" {
		t.Errorf("%s", out)
	}
	if d := got.Last.Sub(got.First); d != 9*time.Millisecond {
		t.Errorf("first to last %s, want 9 ms", d)
	}
	f := got.Flows[0]
	if len(got.Flows) != 1 || f["proto"] != "tcp" || f["a"] != "10.1.16.0:20000" || f["b"] != "10.1.32.0:9422" || f["packets_ab"] != 5. || f["bytes_ab"] != 830. || f["packets_ba"] != 5. || f["bytes_ba"] != 330. {
		t.Errorf("flows %v", got.Flows)
	}
	if len(got.Addresses) != 4 || len(got.Services) != 2 || got.TCP[0]["state"] != "established" || got.TCP[0]["handshake_ms"] != nil || len(got.Peaks) != 3 {
		t.Errorf("%s", out)
	}
	if got.Echoes == nil || got.Bursts == nil {
		t.Error("empty lists are null")
	}
}

func TestStatsCSV(t *testing.T) {
	path := madeCapture(t, pcapfile.EN10)
	rows := map[string]int{"--csv": 1, "--csv=addresses": 4, "--csv=services": 2, "--csv=tcp": 1, "--csv=echoes": 0, "--csv=peaks": 3, "--csv=bursts": 0}
	for flag, want := range rows {
		status, out, errs := command(t, "stats", flag, path)
		all, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if status != exitDone || err != nil || len(all) != want+1 {
			t.Errorf("%s: status %d, %d rows, want %d and a header: %v %s", flag, status, len(all), want, err, errs)
		}
	}
}

func TestStatsText(t *testing.T) {
	status, out, errs := command(t, "stats", madeCapture(t, pcapfile.EN10, pcapfile.EN10))
	if status != exitDone || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	for _, want := range []string{"10 packets, 1 160 bytes on the wire, EN10MB", "10.1.16.0:20000", "Peaks", "Destinations and ports", "interface 1: eth"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// A file that is cut, at every byte: what is whole is used and the rest said, or
// nothing is readable and that is an error.
func TestStatsTruncated(t *testing.T) {
	whole, err := os.ReadFile(madeCapture(t, pcapfile.EN10))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.pcapng")
	for n := 0; n < len(whole); n += 7 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		status, out, errs := command(t, "stats", "--json", path)
		var got struct {
			Truncated bool
			Packets   int
		}
		switch {
		case status == exitFailed:
			if !strings.HasPrefix(errs, "spiketop: read capture: "+path+": ") || out != "" {
				t.Errorf("%d bytes: %q %q", n, errs, out)
			}
		case json.Unmarshal([]byte(out), &got) != nil || status != exitDone:
			t.Errorf("%d bytes: status %d, %s", n, status, out)
		case got.Truncated != strings.Contains(errs, " at byte ") || got.Truncated != (errs != ""):
			t.Errorf("%d bytes: truncated %v, standard error %q", n, got.Truncated, errs)
		}
	}
}

// Packets of a link type that is not read are in the totals only, and said; a
// file of nothing else is refused.
func TestStatsLinkTypes(t *testing.T) {
	status, out, errs := command(t, "stats", "--json", madeCapture(t, pcapfile.EN10, 195))
	if status != exitDone || !strings.Contains(errs, "interface 1: link type IEEE802_15_4_WITHFCS is not read: its 5 packets") {
		t.Errorf("status %d, %s", status, errs)
	}
	var got struct {
		Packets     int
		Unsupported []struct {
			Interface, Packets int
			LinkType           string `json:"link_type"`
		}
		Flows []struct {
			AB int `json:"packets_ab"`
			BA int `json:"packets_ba"`
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Packets != 10 || len(got.Unsupported) != 1 || got.Unsupported[0].Packets != 5 || got.Unsupported[0].LinkType != "IEEE802_15_4_WITHFCS" || got.Flows[0].AB+got.Flows[0].BA != 5 {
		t.Errorf("%+v", got)
	}
	status, _, errs = command(t, "stats", madeCapture(t, 105))
	if status != exitFailed || !strings.Contains(errs, "link type IEEE802_11 is not read\nhint: ") {
		t.Errorf("status %d, %s", status, errs)
	}
}

func TestStatsErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text\x1b[31m.pcap")
	if err := os.WriteFile(text, []byte("this is no capture"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"no file", []string{"stats"}, exitUsage, "give one capture file"},
		{"two files", []string{"stats", "a", "b"}, exitUsage, "give one capture file"},
		{"an unknown flag", []string{"stats", "--outer", "a"}, exitUsage, "unknown flag"},
		{"an unknown table", []string{"stats", "--csv=hosts", "a"}, exitUsage, `--csv "hosts": there is no such table`},
		{"two forms", []string{"stats", "--csv", "--json", "a"}, exitUsage, "exclude each other"},
		{"no flows", []string{"stats", "--max-flows", "0", "a"}, exitUsage, "--max-flows"},
		{"a missing file", []string{"stats", filepath.Join(dir, "none.pcap")}, exitFailed, "no such file"},
		{"a directory", []string{"stats", dir}, exitFailed, "is a directory"},
		{"text", []string{"stats", text}, exitFailed, "not a capture file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, out, errs := command(t, tt.args...)
			if status != tt.status || !strings.HasPrefix(errs, "spiketop: ") || !strings.Contains(errs, tt.want) || out != "" {
				t.Errorf("status %d, %q, want %d and %q", status, errs, tt.status, tt.want)
			}
		})
	}
}

// A closed standard output is an error, not a crash.
func TestStatsClosedOutput(t *testing.T) {
	path := madeCapture(t, pcapfile.EN10)
	for _, flag := range []string{"--json", "--csv", "--inner"} {
		if status := run([]string{"stats", flag, path}, failingWriter{}, io.Discard); status != exitFailed {
			t.Errorf("%s: status %d, want %d", flag, status, exitFailed)
		}
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Flows beyond the bound are counted together and said.
func TestStatsMaxFlows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "many.pcap")
	captureOf(t, path, 2000, 500)
	status, out, errs := command(t, "stats", "--json", "--max-flows", "10", path)
	var got struct {
		Packets int
		Flows   []struct {
			AB int `json:"packets_ab"`
			BA int `json:"packets_ba"`
		}
		Other struct{ Packets int }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != exitDone {
		t.Fatalf("status %d: %v", status, err)
	}
	sum := got.Other.Packets
	for _, f := range got.Flows {
		sum += f.AB + f.BA
	}
	if len(got.Flows) != 10 || got.Packets != 2000 || sum != 2000 || !strings.Contains(errs, "over 10 flows") {
		t.Errorf("%d flows, %d of %d packets, %q", len(got.Flows), sum, got.Packets, errs)
	}
}

func TestProgressBar(t *testing.T) {
	if got, want := progressBar(50<<20, 200<<20), "reading [#######.......................]  25 %  50 of 200 MB"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
