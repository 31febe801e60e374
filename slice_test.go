package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/capture/pcapfile"
)

// cutPacket is what a test compares of a packet.
type cutPacket struct {
	At       int64
	Len      int
	Data     string
	Name     string
	Dir      pcapfile.Dir
	Comments string
}

func packetsOf(t *testing.T, file string) (out []cutPacket) {
	t.Helper()
	r, err := pcapfile.Open(file, pcapfile.Options{Comments: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p pcapfile.Packet
	for {
		if err := r.Next(&p); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, cutPacket{p.At, p.Len, string(p.Data), r.Interfaces()[p.Interface].Name, p.Dir, strings.Join(p.Comments, "|")})
	}
}

// ringFile writes a capture of packets at some times (ns) on one NIC.
func ringFile(t *testing.T, nic string, at ...int64) string {
	t.Helper()
	var b bytes.Buffer
	w := pcapfile.NewWriter(&b, pcapfile.Section{})
	if _, err := w.AddInterface(pcapfile.Interface{Name: nic, Link: pcapfile.EN10, SnapLen: 128}); err != nil {
		t.Fatal(err)
	}
	for _, n := range at {
		p := pcapfile.Packet{At: n, Len: 1500, Data: fmt.Appendf(nil, "%s at %d, some bytes", nic, n), Dir: pcapfile.DirOut, Comments: []string{fmt.Sprint("said ", n)}}
		if err := w.WritePacket(&p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), nic+".pcapng")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSlice(t *testing.T) {
	a, b := ringFile(t, "eth0", 1e9, 2e9, 3e9+1, 4e9), ringFile(t, "eth1", 1e9, 2e9+5, 3e9, 5e9)
	for _, c := range []struct {
		name string
		args []string
		want []string // NIC and time
	}{
		{"everything", nil, []string{"eth1 1000000000", "eth0 1000000000", "eth0 2000000000", "eth1 2000000005", "eth1 3000000000", "eth0 3000000001", "eth0 4000000000", "eth1 5000000000"}},
		{"start inclusive, end exclusive", []string{"--from", "2", "--to", "3.000000001"}, []string{"eth0 2000000000", "eth1 2000000005", "eth1 3000000000"}},
		{"nanoseconds", []string{"--from", "1970-01-01T00:00:03.000000001Z", "--to", "4.5"}, []string{"eth0 3000000001", "eth0 4000000000"}},
		{"around", []string{"--around", "3", "--before", "1ns", "--after", "1500ms"}, []string{"eth1 3000000000", "eth0 3000000001", "eth0 4000000000"}},
		{"nothing", []string{"--from", "9"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.pcapng")
			status, said, errs := spiketop(append([]string{"slice", a, b, "-o", out}, c.args...)...)
			if status != 0 || said != "" || (errs != "") != (c.want == nil) {
				t.Fatalf("status %d\n%s%s", status, said, errs)
			}
			var got []string
			for _, p := range packetsOf(t, out) {
				got = append(got, fmt.Sprint(p.Name, " ", p.At))
				if p.Len != 1500 || p.Dir != pcapfile.DirOut || p.Comments != fmt.Sprint("said ", p.At) || p.Data != fmt.Sprintf("%s at %d, some bytes", p.Name, p.At) {
					t.Errorf("%+v", p)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSliceRefuses(t *testing.T) {
	a := ringFile(t, "eth0", 1e9)
	cut := filepath.Join(t.TempDir(), "cut.pcapng")
	whole, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, whole[:len(whole)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	dir, empty := t.TempDir(), filepath.Join(t.TempDir(), "empty.pcapng")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{a}, 2, "give the files and -o OUT"},
		{[]string{"-o", dir + "/x"}, 2, "give the files"},
		{[]string{a, "-o", a}, 1, "file exists"},
		{[]string{a, "-o", dir + "/1", "--from", "yesterday"}, 2, `read --from "yesterday": not a time`},
		{[]string{a, "-o", dir + "/2", "--from", "5", "--to", "5"}, 2, "not after"},
		{[]string{a, "-o", dir + "/3", "--from", "1.0000000001"}, 2, "not a time"},
		{[]string{a, "-o", dir + "/4", "--around", "1", "--from", "5"}, 2, "not with --from"},
		{[]string{a, "-o", dir + "/5", "--around", "1", "--before", "-1s"}, 2, "want a duration"},
		{[]string{dir, "-o", dir + "/6"}, 1, "directory"},
		{[]string{a, "-o", dir + "/7", "--from", "1.5e3"}, 2, "not a time"},
		{[]string{a, "-o", dir + "/8", "--from", "99999999999999"}, 2, "not a time"},
		{[]string{a, cut, "-o", dir + "/9"}, 0, "warning: read " + cut + ": at byte"},
		{[]string{dir + "/none", a, empty, "-o", dir + "/10"}, 0, "none: no such file or directory; it is left out"},
		{[]string{dir + "/none", a, empty, "-o", dir + "/11"}, 0, "the file is cut off: it is empty; it is left out"},
		{[]string{empty, dir + "/none", "-o", dir + "/12"}, 1, "it is empty"},
		{[]string{a, "-o", dir + "/13", "--from", "0001-01-01T00:00:00Z", "--to", "9999-12-31T23:59:59Z"}, 0, ""},
		{[]string{a, "-o", dir + "/14", "--around", "9999-12-31T23:59:59Z"}, 0, "no packet lies in that time"},
	} {
		status, _, errs := spiketop(append([]string{"slice"}, c.args...)...)
		if status != c.status || !strings.Contains(errs, c.want) || c.want == "" && errs != "" {
			t.Errorf("%v: status %d, want %d\n%s", c.args, status, c.status, errs)
		}
	}
	if got := packetsOf(t, dir+"/10"); len(got) != 1 {
		t.Errorf("beside unreadable files: %+v", got)
	}
}

// TestSliceOfARing: many files that follow each other, given in any order, with a
// few that overlap them all, are merged as few are.
func TestSliceOfARing(t *testing.T) {
	var files []string
	var want []int64
	for n := range int64(300) {
		at := 1e9 * (n + 1)
		files = append(files, ringFile(t, fmt.Sprintf("eth%d", n%3), at, at+5, at+1e9-1))
		want = append(want, at, at+5, at+1e9-1)
	}
	var all []int64
	for n := range int64(300) {
		all = append(all, 1e9*(n+1)+7)
	}
	files = append(files, ringFile(t, "other", all...))
	want = append(want, all...)
	slices.Sort(want)
	slices.Reverse(files[100:])
	out := filepath.Join(t.TempDir(), "out.pcapng")
	if status, _, errs := spiketop(append([]string{"slice", "-o", out}, files...)...); status != 0 || errs != "" {
		t.Fatalf("status %d: %s", status, errs)
	}
	var got []int64
	for _, p := range packetsOf(t, out) {
		got = append(got, p.At)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d packets, want %d, or in another order", len(got), len(want))
	}
	r, err := pcapfile.Open(out, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for p := (pcapfile.Packet{}); r.Next(&p) == nil; {
	}
	if n := len(r.Interfaces()); n != 4 {
		t.Errorf("%d interfaces, want 4", n)
	}
}

// TestSliceKeeps: what files say beside their packets, and interfaces of one file
// that look alike.
func TestSliceKeeps(t *testing.T) {
	address := netip.MustParseAddr("10.0.0.1")
	var files []string
	for _, name := range []string{"vm_a", "vm_b", "vm_a"} {
		var b bytes.Buffer
		w := pcapfile.NewWriter(&b, pcapfile.Section{Comment: "captured for " + name})
		for n := range 2 {
			if _, err := w.AddInterface(pcapfile.Interface{Name: "tap", Link: pcapfile.EN10, SnapLen: 128}); err != nil {
				t.Fatal(err)
			}
			if err := w.WritePacket(&pcapfile.Packet{At: int64(n + 1), Interface: n, Len: 60, Data: make([]byte, 60)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.WriteNames(map[netip.Addr][]string{address: {name}}), w.Flush()); err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.Join(t.TempDir(), "in.pcapng"))
		if err := os.WriteFile(files[len(files)-1], b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "out.pcapng")
	if status, _, errs := spiketop(append([]string{"slice", "-o", out}, files...)...); status != 0 || errs != "" {
		t.Fatalf("status %d: %s", status, errs)
	}
	r, err := pcapfile.Open(out, pcapfile.Options{Comments: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var ifaces []int
	for p := (pcapfile.Packet{}); r.Next(&p) == nil; {
		ifaces = append(ifaces, p.Interface)
	}
	if diff := cmp.Diff([]int{0, 0, 0, 1, 1, 1}, ifaces); diff != "" {
		t.Errorf("interfaces (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"vm_a", "vm_b"}, r.Names()[address]); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if got := r.Sections()[0].Comment; got != "captured for vm_a\ncaptured for vm_b" {
		t.Errorf("comment %q", got)
	}
}

// TestSliceOfRealCaptures: of every real capture the slice has the packets and
// bytes that editcap's has.
func TestSliceOfRealCaptures(t *testing.T) {
	oracles, _ := filepath.Glob("../shared/pcaps/oracles/*.json")
	if len(oracles) == 0 {
		t.Skip("no collection of captures beside the checkout")
	}
	checked := 0
	for _, oracle := range oracles {
		var o struct {
			File   string
			Slices []struct {
				Start, Stop string
				Frames      struct {
					Count int   `json:"count"`
					Bytes int64 `json:"wire_bytes"`
				} `json:"frames_start<=t<stop"`
			}
		}
		text, err := os.ReadFile(oracle)
		if err != nil || json.Unmarshal(text, &o) != nil {
			continue
		}
		file := filepath.Join("../shared/pcaps", o.File)
		if _, err := os.Stat(file); err != nil || strings.Contains(o.File, "timestamp_invalid") || strings.HasSuffix(o.File, ".snoop") {
			continue
		}
		for i, s := range o.Slices {
			out := filepath.Join(t.TempDir(), "out.pcapng")
			if status, _, errs := spiketop("slice", file, "--from", s.Start, "--to", s.Stop, "-o", out); status != 0 {
				if !strings.Contains(errs, "not a") { // two files whose times make no sense
					t.Errorf("%s: status %d: %s", o.File, status, errs)
				}
				continue
			}
			var bytes int64
			packets := packetsOf(t, out)
			for _, p := range packets {
				bytes += int64(p.Len)
			}
			if len(packets) != s.Frames.Count || bytes != s.Frames.Bytes {
				t.Errorf("%s, slice %d: %d packets of %d bytes, want %d of %d", o.File, i, len(packets), bytes, s.Frames.Count, s.Frames.Bytes)
			}
			checked++
		}
	}
	t.Logf("%d slices", checked)
	if checked < 50 {
		t.Errorf("only %d slices were checked", checked)
	}
}

// TestSliceAsWireshark: packet by packet what mergecap and editcap make of two
// files.
func TestSliceAsWireshark(t *testing.T) {
	for _, tool := range []string{"mergecap", "editcap"} {
		if _, err := exec.LookPath(tool); err != nil {
			if strings.Contains(os.Getenv("SPIKETOP_REQUIRE"), "tshark") {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	a, b := ringFile(t, "eth0", 1e9, 2e9, 3e9+1, 2e9+7, 4e9), ringFile(t, "eth1", 1e9, 2e9, 3e9, 5e9)
	dir := t.TempDir()
	merged, cut, ours := filepath.Join(dir, "merged"), filepath.Join(dir, "cut"), filepath.Join(dir, "ours")
	for _, args := range [][]string{{"mergecap", "-F", "pcapng", "-w", merged, a, b}, {"editcap", "-A", "1970-01-01T00:00:02.000000000Z", "-B", "1970-01-01T00:00:03.000000001Z", merged, cut}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	if status, _, errs := spiketop("slice", a, b, "--from", "2", "--to", "3.000000001", "-o", ours); status != 0 {
		t.Fatal(errs)
	}
	if diff := cmp.Diff(packetsOf(t, cut), packetsOf(t, ours)); diff != "" {
		t.Errorf("(-editcap +ours):\n%s", diff)
	}
}
