package pcapfile

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pcapsDir holds real captures where the project is developed; elsewhere the
// test is skipped.
const pcapsDir = "../../../shared/pcaps"

// frame is a packet as tshark sees it.
type frame struct {
	at          int64
	timed       bool
	n, caplen   int
	interfaceID int // -1 = the format has none
}

// oracleFrames reads what tshark 4.0 said about a capture (frame, time, length,
// captured length, interface, ...), blocks that are no packets left out.
func oracleFrames(t *testing.T, path string) []frame {
	t.Helper()
	rel, err := filepath.Rel(pcapsDir, path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(pcapsDir, "oracles", strings.ReplaceAll(rel, "/", "_")+".frames.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var all []frame
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, "\t")
		if len(f) < 5 || strings.HasPrefix(line, "#") {
			continue
		}
		all = append(all, frame{epoch(t, f[1]), f[1] != "0", number(t, f[2]), number(t, f[3]), iface(t, f[4])})
	}
	return all
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("tshark says %q: %v", s, err)
	}
	return n
}

func iface(t *testing.T, s string) int {
	if s == "" {
		return -1
	}
	return number(t, s)
}

// epoch reads seconds and nanoseconds, of which tshark shows as many as the file
// claims, saturated as Packet.At is.
func epoch(t *testing.T, s string) int64 {
	t.Helper()
	if s == "0" { // a simple packet has no time
		return 0
	}
	sec, frac, _ := strings.Cut(s, ".")
	n, ns := number(t, sec), number(t, frac)
	if n > (math.MaxInt64-ns)/nsPerSec {
		return math.MaxInt64
	}
	return int64(n)*nsPerSec + int64(ns)
}

// The reader sees in real captures what tshark sees.
func TestPcapsAgainstOracles(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(pcapsDir, "*.pcap*"))
	caps, _ := filepath.Glob(filepath.Join(pcapsDir, "*.cap"))
	sets, _ := filepath.Glob(filepath.Join(pcapsDir, "*", "*.pcap"))
	snoop, _ := filepath.Glob(filepath.Join(pcapsDir, "*.snoop"))
	files = slices.Concat(files, caps, sets, snoop)
	if len(files) == 0 {
		t.Skip("no captures beside the repository")
	}
	compared := 0
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) { compared += compareOracle(t, path) })
	}
	t.Logf("%d packets of %d files", compared, len(files))
	if compared == 0 {
		t.Error("there are captures, but no packet was compared")
	}
}

func compareOracle(t *testing.T, path string) int {
	var packets []Packet
	r, err := Open(path, Options{})
	if err == nil {
		defer r.Close()
		packets, err = drain(r)
	}
	base := filepath.Base(path)
	truncated := strings.HasPrefix(base, "truncfile-") && base != "truncfile-err-buffertoosmall.pcapng"
	refused := strings.HasPrefix(base, "badfile-") && !strings.Contains(base, "modified")
	switch {
	case refused || base == "empty-zero-bytes.pcap":
		var fe *FileError
		if !errors.As(err, &fe) || len(packets) != 0 {
			t.Errorf("%d packets and %v, want a refusal", len(packets), err)
		}
		t.Log(err)
		return 0
	case truncated && !errors.Is(err, ErrTruncated), !truncated && err != nil:
		t.Errorf("it ends with: %v", err)
	}
	want := oracleFrames(t, path)
	if len(want) != len(packets) {
		t.Errorf("%d packets, tshark sees %d", len(packets), len(want))
	}
	for i := range min(len(want), len(packets)) {
		p := packets[i]
		ifs := r.Interfaces() // tshark 4.0 numbers them anew in each section
		first := slices.IndexFunc(ifs, func(f Interface) bool { return f.Section == ifs[p.Interface].Section })
		got := frame{p.At, !p.NoTime, p.Len, len(p.Data), p.Interface - first}
		if want[i].interfaceID < 0 {
			got.interfaceID = -1
		}
		if strings.Contains(base, "timestamp_invalid") && i == 2 {
			continue // a fraction of 2^31 and more, with which tshark's sum overflows
		}
		if got != want[i] {
			t.Errorf("packet %d: %+v, tshark says %+v", i+1, got, want[i])
			break
		}
	}
	return len(packets)
}
