package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/probe/hops"
)

var updatePath = flag.Bool("update-path", false, "write the golden files of path")

// pathJSON is path --json as a reader sees it.
type pathJSON struct {
	Schema string
	Echoes []hops.EchoReport
	pathRest
}

// runPathJSON runs "spiketop path --json args".
func runPathJSON(t testing.TB, args ...string) (p pathJSON, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(append([]string{"path", "--json"}, args...), &out, &errs); status != exitDone {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if p.Schema != pathSchema {
		t.Errorf("schema %q", p.Schema)
	}
	return p, errs.String()
}

// captures returns a folder of captures made elsewhere, skipping without it.
func captures(t *testing.T, folder string) string {
	t.Helper()
	dir := filepath.Join("..", "shared", "pcaps", folder)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no captures in " + dir)
	}
	return dir
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// TestPathIncident: the six captures of the incident give the numbers that were
// worked out by hand then, 120.365 ms between the two NICs.
func TestPathIncident(t *testing.T) {
	dir := captures(t, "incident-seq110")
	var want struct {
		Points []string
		Echoes []struct {
			Seq    uint16
			Points []struct {
				RTT float64 `json:"rtt_us"`
			}
			Segments []struct{ Us float64 } `json:"segments_us"`
		}
	}
	readJSON(t, filepath.Join(dir, "expected.json"), &want)
	var args []string
	for _, p := range want.Points {
		args = append(args, p+"="+filepath.Join(dir, p+".pcap"))
	}
	got, _ := runPathJSON(t, args...)
	bySeq := map[uint16]hops.EchoReport{}
	for _, e := range got.Echoes {
		bySeq[e.Seq] = e
	}
	if len(bySeq) != len(want.Echoes) || len(got.Echoes) != len(want.Echoes) {
		t.Fatalf("%d echoes, want %d", len(got.Echoes), len(want.Echoes))
	}
	for _, w := range want.Echoes {
		e := bySeq[w.Seq]
		var rtts, segments, wantRTTs, wantSegments []string
		for i := range w.Points {
			wantRTTs = append(wantRTTs, fmt.Sprintf("%.3f", w.Points[i].RTT/1000))
			rtts = append(rtts, fmt.Sprintf("%.3f", *e.Points[i].RTT))
			wantSegments = append(wantSegments, fmt.Sprintf("%.3f", w.Segments[i].Us/1000))
			segments = append(segments, fmt.Sprintf("%.3f", e.Segments[i].RTT))
		}
		if diff := cmp.Diff(append(wantRTTs, wantSegments...), append(rtts, segments...)); diff != "" {
			t.Errorf("seq %d (-want +got):\n%s", w.Seq, diff)
		}
	}
	w := got.Echoes[0]
	if w.Seq != 110 || w.Worst == nil || w.Worst.From != "3_src_host_nic" || *w.Worst.To != "4_dst_host_nic" || w.Worst.RTT != 120.365 || w.Worst.Share != 0.998 {
		t.Errorf("the worst echo is seq %d, %+v", w.Seq, w.Worst)
	}
	// On one host requests took 16 us from vif to NIC, and replies 18 us back.
	if s := w.Segments[1]; s.RequestMs == nil || *s.RequestMs != 0.016 || *s.ReplyMs != 0.018 {
		t.Errorf("vif to NIC: %+v", s)
	}
	if s := w.Segments[2]; s.ReplyMs == nil || *s.ReplyMs < 120.2 || *s.UncertaintyMs > 0.1 {
		t.Errorf("the delay was on the way back: %+v", s)
	}
	var out, errs bytes.Buffer
	if status := run(append([]string{"path"}, args...), &out, &errs); status != 0 || !strings.Contains(out.String(), "120.365  99.8% <") || errs.Len() > 0 {
		t.Errorf("status %d, text\n%s%s", status, out.String(), errs.String())
	}
}

// TestPathMultipoint: 580 echoes with losses, duplicates and numbers used again,
// as an independent program worked them out.
func TestPathMultipoint(t *testing.T) {
	dir := captures(t, "multipoint-ping4")
	var want struct {
		Points             []string
		Echoes, Unanswered int
		Per                []struct {
			ID, Seq    uint16
			Occurrence int
			RTT        []*string
			Segments   []*string `json:"segment_rtt_difference"`
			Dup        []int     `json:"dup_replies"`
		} `json:"per_echo"`
	}
	readJSON(t, filepath.Join(dir, "expected.json"), &want)
	var args []string
	for _, p := range want.Points {
		args = append(args, p+"="+filepath.Join(dir, p+".pcap"))
	}
	got, _ := runPathJSON(t, args...)
	if len(got.Echoes) != want.Echoes || got.Lost != want.Unanswered || got.Open != 0 {
		t.Errorf("%d echoes, %d lost, %d open; want %d, %d, 0", len(got.Echoes), got.Lost, got.Open, want.Echoes, want.Unanswered)
	}
	type id struct {
		id, seq uint16
		n       int
	}
	byID := map[id]hops.EchoReport{}
	for _, e := range got.Echoes {
		byID[id{e.ID, e.Seq, e.Occurrence}] = e
	}
	seconds := func(ms float64) string { return strconv.FormatFloat(ms/1000, 'f', 9, 64) }
	for _, w := range want.Per {
		e, ok := byID[id{w.ID, w.Seq, w.Occurrence}]
		if !ok {
			t.Errorf("id %d seq %d occurrence %d is missing", w.ID, w.Seq, w.Occurrence)
			continue
		}
		for i := range w.RTT {
			if p := e.Points[i]; (p.RTT == nil) != (w.RTT[i] == nil) || p.RTT != nil && seconds(*p.RTT) != *w.RTT[i] || p.Duplicates != w.Dup[i] {
				t.Errorf("id %d seq %d point %d: %+v; want %+v", w.ID, w.Seq, i, p, w)
			}
		}
		for i, s := range w.Segments {
			if s == nil {
				continue
			}
			if d, err := strconv.ParseFloat(*s, 64); err != nil || seconds(e.Segments[i].RTT) != seconds(d*1000) {
				t.Errorf("id %d seq %d segment %d: %v; want %s", w.ID, w.Seq, i, e.Segments[i].RTT, *s)
			}
		}
		if l := e.LostAfter; (l != nil) != (w.RTT[0] == nil) || l != nil && (l.Point != want.Points[3] || l.Leg != nil) {
			t.Errorf("id %d seq %d: lost after %+v", w.ID, w.Seq, l)
		}
	}
	for _, c := range got.Clocks {
		if !c.One {
			t.Errorf("one kernel, but %+v", c)
		}
	}
}

// fivePoints are invented captures of 12 echoes from vm_a to vm_b: seq 5 waits
// 87 ms behind nic_a on its way back, seq 7 is lost between the NICs, seq 8 on
// its way back, seq 9 beyond vm_b, seq 10 is answered twice and missed by vif_b;
// nic_b's host is an hour ahead, and both NICs see VXLAN.
func fivePoints() [5]*wroteFile {
	var c [5]*wroteFile
	for i := range c {
		c[i] = &wroteFile{link: 1}
	}
	const src, dst = "192.0.2.11", "192.0.2.27"
	hour := int64(3600 * 1e6)
	skew := [5]int64{-530, 0, 0, hour, hour}
	forth := [5]int64{0, 21, 37, 139, 163} // microseconds after sending
	for seq := int64(1); seq <= 12; seq++ {
		sent := seq * 1_000_000
		see := func(p int, after int64, reply bool) {
			f := ethernet(echoPacket(src, dst, reply, 4711, uint16(seq)), 0)
			if p == 2 || p == 3 {
				f = vxlan(f)
			}
			c[p].at(us(sent+after+skew[p]), f)
		}
		last := 4
		if seq == 7 {
			last = 2
		}
		for p := 0; p <= last; p++ {
			if seq != 10 || p != 3 {
				see(p, forth[p]+seq%3, false)
			}
		}
		if seq == 7 || seq == 9 {
			continue
		}
		back := [5]int64{385, 362, 344, 230, 203}
		for p := 4; p >= 0; p-- {
			if seq == 8 && p == 2 {
				break
			}
			after := back[p]
			if seq == 5 && p <= 2 {
				after += 87_000
			}
			if seq != 10 || p != 3 {
				see(p, after, true)
			}
		}
		if seq == 10 {
			for p := 4; p >= 0; p-- {
				if p != 3 {
					see(p, back[p]+400, true)
				}
			}
		}
	}
	return c
}

var fiveNames = [5]string{"vm_a", "023471", "nic_a", "nic_b", "vm_b"}

func fiveArgs(t testing.TB) (args []string) {
	for i, c := range fivePoints() {
		args = append(args, fiveNames[i]+"="+c.write(t, "x.pcap"))
	}
	return args
}

// TestPathText holds the text form against a golden file.
func TestPathText(t *testing.T) {
	for name, flags := range map[string][]string{"five": {"--top", "2"}, "lost": {"--seq", "7"}, "missed": {"--seq", "10", "--host", "192.0.2.27"}} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if status := run(append(append([]string{"path"}, flags...), fiveArgs(t)...), &out, &errs); status != exitDone || errs.Len() > 0 {
				t.Fatalf("status %d: %s", status, errs.String())
			}
			golden(t, filepath.Join("testdata", "path", name+".txt"), out.Bytes())
			for _, line := range strings.Split(out.String(), "\n") {
				if n := len([]rune(line)); n > pathWidth {
					t.Errorf("%d columns: %s", n, line)
				}
			}
		})
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *updatePath {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestPathLosses: where echoes were lost, by point and leg.
func TestPathLosses(t *testing.T) {
	p, _ := runPathJSON(t, fiveArgs(t)...)
	got := map[uint16]string{}
	for _, e := range p.Echoes {
		if l := e.LostAfter; l != nil {
			leg := "null"
			if l.Leg != nil {
				leg = *l.Leg
			}
			got[e.Seq] = l.Point + " " + leg
		}
	}
	want := map[uint16]string{7: "nic_a request", 8: "nic_b reply", 9: "vm_b null"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	if p.Answered != 9 || p.Lost != 3 || p.Open != 0 || p.Truncated {
		t.Errorf("answered %d, lost %d, open %d, truncated %v; want 9, 3, 0, false", p.Answered, p.Lost, p.Open, p.Truncated)
	}
	// Of seq 5, (385 - 0 - 2) + 87000 us at vm_a, 87102 - 102 us + what is usual
	// lie between the NICs: (344 + 87000 - 39) - (230 - 141) = 87216.
	w := p.Echoes[0]
	if w.Seq != 5 || w.Worst.From != "nic_a" || *w.Worst.To != "nic_b" || w.Worst.RTT != 87.216 {
		t.Errorf("worst: seq %d, %+v", w.Seq, w.Worst)
	}
	if !w.Points[2].Tunnel || w.Points[1].Tunnel {
		t.Errorf("tunnels: %+v", w.Points)
	}
	s := w.Segments[2]
	if s.ReplyMs == nil || *s.ReplyMs-*s.UncertaintyMs > 87.114 || *s.ReplyMs+*s.UncertaintyMs < 87.114 {
		t.Errorf("the reply took 344 + 87000 - 230 = 87114 us from nic_b to nic_a; got %+v", s)
	}
}

// TestPathOtherFrames: VLAN, cooked, IPv6 and the first fragment of a large
// echo are echoes too; a point may see them in another form.
func TestPathOtherFrames(t *testing.T) {
	a, b := &wroteFile{link: 1}, &wroteFile{link: 113}
	both := func(n int64, packet func(reply bool) []byte, vlan uint16) {
		a.at(us(n), ethernet(packet(false), vlan))
		a.at(us(n+900), ethernet(packet(true), vlan))
		b.at(us(n+100), cookedAny(packet(false)))
		b.at(us(n+700), cookedAny(packet(true)))
	}
	both(0, func(r bool) []byte { return echoPacket("192.0.2.11", "192.0.2.27", r, 1, 1) }, 301)
	both(5000, func(r bool) []byte { return echoPacket("2001:db8::11", "2001:db8::27", r, 1, 2) }, 0)
	both(10000, func(r bool) []byte {
		p := echoPacket("192.0.2.11", "192.0.2.27", r, 1, 3)
		p[6] = 0x20 // more fragments
		return p
	}, 0)
	p, _ := runPathJSON(t, "a="+a.write(t, "a"), "b="+b.write(t, "b"))
	var got []string
	for _, e := range p.Echoes {
		got = append(got, fmt.Sprint(e.Src, " ", e.Dst, " ", e.Seq, " ", e.Points[0].VLAN, " ", e.Segments[0].RTT, " ", e.Segments[1].RTT))
	}
	want := []string{"192.0.2.11 192.0.2.27 1 301 0.3 0.6", "2001:db8::11 2001:db8::27 2 0 0.3 0.6", "192.0.2.11 192.0.2.27 3 0 0.3 0.6"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("echoes (-want +got):\n%s", diff)
	}
}

// TestPathAny: captures on "any" hold each packet once per interface, at every
// point; each echo is still one, and the notes say so.
func TestPathAny(t *testing.T) {
	a, b := &wroteFile{link: 113}, &wroteFile{link: 113}
	for n := range int64(20) {
		at, request, reply := n*500_000, echoPacket("192.0.2.11", "192.0.2.27", false, 1, uint16(n)), echoPacket("192.0.2.11", "192.0.2.27", true, 1, uint16(n))
		for c := range int64(3) { // vif, bridge, NIC
			a.at(us(at+10*c), cookedAny(request))
			b.at(us(at+300+10*c), cookedAny(request))
		}
		for c := range int64(3) {
			b.at(us(at+60_300+10*c), cookedAny(reply))
			a.at(us(at+60_900+10*c), cookedAny(reply))
		}
	}
	p, out := runPathJSON(t, "a="+a.write(t, "a"), "b="+b.write(t, "b"))
	if len(p.Echoes) != 20 || !strings.Contains(strings.Join(p.Notes, "\n"), "captured on \"any\"") {
		t.Fatalf("%d echoes of 20, notes %q\n%s", len(p.Echoes), p.Notes, out)
	}
	for _, e := range p.Echoes {
		if e.Segments[0].RTT != 0.9 || e.Segments[1].RTT != 60 || e.LostAfter != nil {
			t.Fatalf("%+v", e.Segments)
		}
	}
}

// cookedAny is cooked with the packet's own ethertype.
func cookedAny(packet []byte) []byte {
	f := cooked(packet)
	if packet[0]>>4 == 6 {
		f[14], f[15] = 0x86, 0xdd
	}
	return f
}

// TestPathUsage: what is wrong is said in one line, with the right exit status.
func TestPathUsage(t *testing.T) {
	good := fivePoints()[0].write(t, "good.pcap")
	bad := filepath.Join(t.TempDir(), "bad.pcap")
	if err := os.WriteFile(bad, []byte("these are no packets at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"nothing", nil, exitUsage, "no NAME=FILE"},
		{"no name", []string{good}, exitUsage, "want NAME=FILE"},
		{"empty name", []string{"=" + good}, exitUsage, "want NAME=FILE"},
		{"no file", []string{"a="}, exitUsage, "want NAME=FILE"},
		{"name twice", []string{"a=" + good, "a=" + bad}, exitUsage, `"a" is the name of`},
		{"file twice", []string{"a=" + good, "b=" + good}, exitUsage, `the file is that of "a" already`},
		{"standard input twice", []string{"a=-", "b=-"}, exitUsage, `the file is that of "a" already`},
		{"bad top", []string{"--top", "-1", "a=" + good}, exitUsage, "read --top -1"},
		{"bad seq", []string{"--seq", "65536", "a=" + good}, exitUsage, "read --seq 65536"},
		{"bad id", []string{"--id", "-2", "a=" + good}, exitUsage, "read --id -2"},
		{"bad host", []string{"--host", "vm_a", "a=" + good}, exitUsage, `read --host "vm_a"`},
		{"unknown flag", []string{"--colour", "a=" + good}, exitUsage, "unknown flag"},
		{"no such file", []string{"a=" + good, "b=" + bad + "x"}, exitFailed, "read b: open capture"},
		{"not a capture", []string{"a=" + good, "b=" + bad}, exitFailed, "not a capture file"},
		{"escapes", []string{"\x1b[31m=" + bad}, exitFailed, "read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if status := run(append([]string{"path"}, tt.args...), &out, &errs); status != tt.status || !strings.Contains(errs.String(), tt.want) {
				t.Errorf("status %d, standard error %q; want %d and %q", status, errs.String(), tt.status, tt.want)
			}
			checkErrorForm(t, errs.String())
			if out.Len() > 0 {
				t.Errorf("standard output %q", out.String())
			}
		})
	}
}

// TestPathDamaged: what lies before the damage is used, and the damage is said.
func TestPathDamaged(t *testing.T) {
	args := fiveArgs(t)
	_, file, _ := strings.Cut(args[3], "=")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b[:len(b)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	p, stderr := runPathJSON(t, args...)
	if !p.Truncated || !p.Points[3].Truncated || p.Points[2].Truncated || !strings.HasPrefix(stderr, "spiketop: warning: read nic_b: ") {
		t.Errorf("truncated %v, points %+v, standard error %q", p.Truncated, p.Points, stderr)
	}
	if len(p.Echoes) != 12 || p.Answered != 9 {
		t.Errorf("%d echoes, %d answered; want 12 and 9", len(p.Echoes), p.Answered)
	}
	for _, e := range p.Echoes {
		if e.Seq == 9 && (!e.Points[3].Blind || e.LostAfter == nil || e.LostAfter.Point != "vm_b") {
			t.Errorf("nic_b's file ends before seq 9: it is no witness; got %+v, lost after %+v", e.Points[3], e.LostAfter)
		}
	}
}

// TestPathForeignNames: names and files reach no terminal as they are.
func TestPathForeignNames(t *testing.T) {
	dir := t.TempDir()
	name := "\x1b[31mred\u202e\nnext"
	file := filepath.Join(dir, "cap\x1b]0;x\a.pcap")
	if err := os.WriteFile(file, fivePoints()[0].bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"path"}, {"path", "--json"}} {
		var out, errs bytes.Buffer
		if status := run(append(flags, name+"="+file), &out, &errs); status != exitDone {
			t.Fatalf("status %d: %s", status, errs.String())
		}
		if strings.ContainsAny(out.String()+errs.String(), "\x1b\a\u202e") {
			t.Errorf("%q", out.String())
		}
	}
}

// TestPathStandardInput reads "-".
func TestPathStandardInput(t *testing.T) {
	in, err := os.Open(fivePoints()[0].write(t, "in.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	stdin := os.Stdin
	os.Stdin = in
	defer func() { os.Stdin = stdin }()
	p, _ := runPathJSON(t, "vm_a=-")
	if len(p.Echoes) != 12 || len(p.Notes) == 0 || !strings.Contains(strings.Join(p.Notes, "\n"), "one point tells the RTT there") {
		t.Errorf("%d echoes, notes %q", len(p.Echoes), p.Notes)
	}
}

// FuzzPath: two hostile files end in an error or a whole answer, soon.
func FuzzPath(f *testing.F) {
	c := fivePoints()
	f.Add(c[0].bytes(), c[1].bytes())
	f.Add(c[2].bytes(), c[3].bytes()[:200])
	f.Add([]byte{}, []byte("\x0a\x0d\x0d\x0a"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		dir := t.TempDir()
		x, y := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		if os.WriteFile(x, a, 0o600) != nil || os.WriteFile(y, b, 0o600) != nil {
			t.Skip("no room")
		}
		begin := time.Now()
		for _, flags := range [][]string{{"path"}, {"path", "--json"}} {
			var out, errs bytes.Buffer
			status := run(append(flags, "a="+x, "b="+y), &out, &errs)
			if status != exitDone && status != exitFailed {
				t.Errorf("status %d: %s", status, errs.String())
			}
			if status == exitDone && len(flags) == 2 && !json.Valid(out.Bytes()) {
				t.Errorf("no JSON: %s", out.String())
			}
			if bytes.ContainsRune(out.Bytes(), '\x1b') || bytes.ContainsRune(errs.Bytes(), '\x1b') {
				t.Errorf("%q %q", out.String(), errs.String())
			}
		}
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%d and %d bytes took %v", len(a), len(b), d)
		}
	})
}
