package incident

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "rewrite the golden files; then read the diff")

type exporter struct {
	ext   string
	write func(io.Writer, *Incident) error
}

var exporters = []exporter{{"json", WriteJSON}, {"md", WriteMarkdown}, {"csv", WriteCSV}}

func export(t *testing.T, e exporter, in *Incident) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.write(&b, in); err != nil {
		t.Fatalf("write %s: %v", e.ext, err)
	}
	return b.Bytes()
}

func TestExportGolden(t *testing.T) {
	for name, in := range map[string]*Incident{"rich": richIncident(), "minimal": minimalIncident(), "storage": storageIncident()} {
		for _, e := range exporters {
			t.Run(name+"."+e.ext, func(t *testing.T) {
				got := export(t, e, in)
				path := filepath.Join("testdata", "export", name+"."+e.ext)
				if *update {
					if err := os.WriteFile(path, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			})
		}
	}
}

func TestExportIsRepeatable(t *testing.T) {
	in := richIncident()
	for _, e := range exporters {
		if a, b := export(t, e, in), export(t, e, in); !bytes.Equal(a, b) {
			t.Errorf("%s: two exports of one incident differ", e.ext)
		}
	}
	if diff := cmp.Diff(richIncident(), in, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("an exporter changed the incident (-want +got):\n%s", diff)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	for name, in := range map[string]*Incident{"rich": richIncident(), "minimal": minimalIncident(), "storage": storageIncident(), "zero": {Schema: Schema}} {
		t.Run(name, func(t *testing.T) {
			first := export(t, exporters[0], in)
			got, err := ReadJSON(bytes.NewReader(first))
			if err != nil {
				t.Fatal(err)
			}
			sameTime := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
			notWritten := cmpopts.IgnoreFields(Incident{}, "Number", "Open")
			if diff := cmp.Diff(in, got, sameTime, notWritten, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("what was read differs from what was written (-want +got):\n%s", diff)
			}
			if again := export(t, exporters[0], got); !bytes.Equal(first, again) {
				t.Errorf("written again (-first +again):\n%s", cmp.Diff(string(first), string(again)))
			}
		})
	}
}

// Lists are [] and unknown values null, so that a reader in any language can
// iterate without asking.
func TestJSONEmptyAndUnknown(t *testing.T) {
	got := export(t, exporters[0], &Incident{Links: []LinkPart{{Name: "eth0"}}})
	var m map[string]any
	if err := json.Unmarshal(got, &m); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"classes", "pings"} {
		if l, ok := m[k].([]any); !ok || len(l) != 0 {
			t.Errorf("%s = %v, want []", k, m[k])
		}
	}
	flows := m["flows"].(map[string]any)
	for _, k := range []string{"rx", "tx"} {
		if l, ok := flows[k].([]any); !ok || len(l) != 0 {
			t.Errorf("flows.%s = %v, want []", k, flows[k])
		}
	}
	link := m["links"].([]any)[0].(map[string]any)
	for _, k := range []string{"speed_bps", "coverage"} {
		if v, ok := link[k]; !ok || v != nil {
			t.Errorf("links[0].%s = %v (present: %v), want null", k, v, ok)
		}
	}
	base := m["baseline_window"].(map[string]any)
	if v, ok := base["from"]; !ok || v != nil {
		t.Errorf("baseline_window.from = %v (present: %v), want null", v, ok)
	}
	if m["schema"] != Schema {
		t.Errorf("schema = %v, want %s", m["schema"], Schema)
	}
}

func TestJSONNotFinite(t *testing.T) {
	nan, inf := math.NaN(), Millis(math.Inf(1))
	in := &Incident{Links: []LinkPart{{Coverage: &nan, Rx: LinkDir{Bps: math.Inf(1), Utilisation: &nan}}},
		Pings: []PingPart{{RTTMax: &inf, RTT: [][2]*Millis{{MillisOf(0), &inf}}}}}
	got, err := ReadJSON(bytes.NewReader(export(t, exporters[0], in)))
	if err != nil {
		t.Fatal(err)
	}
	if l := got.Links[0]; l.Coverage != nil || l.Rx.Utilisation != nil || l.Rx.Bps != 0 {
		t.Errorf("not finite: coverage %v, utilisation %v, bps %v, want nil, nil, 0", l.Coverage, l.Rx.Utilisation, l.Rx.Bps)
	}
	if p := got.Pings[0]; p.RTTMax != nil || p.RTT[0][0] == nil || p.RTT[0][1] != nil {
		t.Errorf("not finite in a ping: %v %v, want nil and [0 nil]", p.RTTMax, p.RTT)
	}
}

func TestReadJSON(t *testing.T) {
	tests := []struct{ name, in, wantErr string }{
		{"this version", `{"schema":"spiketop.incident/1"}`, ""},
		{"a minor version and unknown fields", `{"schema":"spiketop.incident/1.7","new":{"a":[1]},"links":[{"name":"eth0","colour":3}]}`, ""},
		{"another major", `{"schema":"spiketop.incident/2"}`,
			`read incident: not an incident this version can read: it is "spiketop.incident/2", this version reads "spiketop.incident/1"`},
		{"a major that begins like ours", `{"schema":"spiketop.incident/10"}`,
			`read incident: not an incident this version can read: it is "spiketop.incident/10", this version reads "spiketop.incident/1"`},
		{"another major with another shape", `{"schema":"spiketop.incident/2","links":7}`,
			`read incident: not an incident this version can read: it is "spiketop.incident/2", this version reads "spiketop.incident/1"`},
		{"another program's file", `{"schema":"cast/2"}`, `read incident: not an incident this version can read: its schema is "cast/2"`},
		{"no schema", `{}`, "read incident: not an incident this version can read: it has no schema"},
		{"not JSON", `hello`, "read incident: invalid character 'h' looking for beginning of value"},
		{"empty", ``, "read incident: unexpected end of JSON input"},
		{"something behind it", `{"schema":"spiketop.incident/1"} x`, "read incident: invalid character 'x' after top-level value"},
		{"too large", strings.Repeat(" ", MaxJSON+1), "read incident: larger than 8.39MB"},
		{"bomb of objects", `{"schema":"spiketop.incident/1","links":[` + strings.Repeat("{},", maxJSONObjects) + `{}]}`,
			"read incident: more than 20000 objects"},
		{"deep", `{"schema":"spiketop.incident/1","x":` + strings.Repeat("[", 100_000), "read incident: invalid character '[' exceeded max depth"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, err := ReadJSON(strings.NewReader(tt.in))
			switch {
			case tt.wantErr == "" && err != nil:
				t.Errorf("ReadJSON: %v", err)
			case tt.wantErr == "" && in == nil:
				t.Error("ReadJSON gave neither incident nor error")
			case tt.wantErr != "" && (err == nil || err.Error() != tt.wantErr):
				t.Errorf("ReadJSON: %v\nwant %s", err, tt.wantErr)
			}
			if refused := strings.Contains(tt.wantErr, "this version can read"); refused != errors.Is(err, ErrSchema) {
				t.Errorf("errors.Is(%v, ErrSchema) = %v", err, !refused)
			}
		})
	}
	boom := errors.New("boom")
	if _, err := ReadJSON(io.MultiReader(strings.NewReader("{"), failingReader{boom})); !errors.Is(err, boom) {
		t.Errorf("ReadJSON of a failing reader: %v", err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func FuzzReadJSON(f *testing.F) {
	for _, in := range []*Incident{richIncident(), minimalIncident(), hostileIncident(), storageIncident()} {
		var b bytes.Buffer
		if err := WriteJSON(&b, in); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"schema":"spiketop.incident/1","trigger":{"rtt_ms":1e400}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := ReadJSON(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, e := range exporters {
			var out bytes.Buffer
			if err := e.write(&out, in); err != nil {
				t.Fatalf("%s of a read incident: %v", e.ext, err)
			}
			checkTerminalSafe(t, e.ext, out.Bytes())
			if n := bytes.Count(out.Bytes(), []byte("\n")); e.ext == "md" && n > mdMaxLines {
				t.Errorf("incident.md has %d lines", n)
			}
		}
	})
}

// checkTerminalSafe fails if a file holds anything that a terminal would act on.
func checkTerminalSafe(t *testing.T, name string, b []byte) {
	t.Helper()
	if !utf8.Valid(b) {
		t.Errorf("%s is not UTF-8", name)
	}
	for _, r := range string(b) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%s holds %U", name, r)
			return
		}
	}
}

func TestHostileNames(t *testing.T) {
	in := hostileIncident()
	hostileStorage(in)
	for _, e := range exporters {
		checkTerminalSafe(t, e.ext, export(t, e, in))
	}
	md := string(export(t, exporters[1], in))
	lines := strings.Split(strings.TrimSuffix(md, "\n"), "\n")
	if len(lines) > mdMaxLines {
		t.Errorf("incident.md has %d lines:\n%s", len(lines), md)
	}
	fences := 0
	for i, l := range lines {
		switch {
		case l == "```text" || l == "```":
			fences++
			if (fences%2 == 1) != (l == "```text") {
				t.Errorf("line %d opens or closes a fence out of turn:\n%s", i+1, md)
			}
		case strings.Contains(l, "```") || strings.HasPrefix(strings.TrimSpace(l), "~~~"):
			t.Errorf("line %d holds a fence: %q", i+1, l)
		case fences%2 == 0 && (strings.Contains(l, "](") || strings.Contains(l, "<script") || strings.Contains(l, "<http")):
			t.Errorf("line %d holds active Markdown: %q", i+1, l)
		}
	}
	if fences%2 != 0 {
		t.Errorf("a fence stays open:\n%s", md)
	}
	if strings.Contains(md, "--ping") {
		t.Errorf("a hostile target became part of a command line:\n%s", md)
	}
}

func TestMarkdownIsShortAndSaysWhat(t *testing.T) {
	in := storageIncident()
	crowd(in)
	md := string(export(t, exporters[1], in))
	lines := strings.Split(strings.TrimSuffix(md, "\n"), "\n")
	if len(lines) > mdMaxLines {
		t.Errorf("a crowded incident has %d lines, at most %d allowed", len(lines), mdMaxLines)
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > 1300 {
			t.Errorf("a line has %d characters: %.80s...", n, l)
		}
	}
	if !strings.Contains(md, "\neth9 ") {
		t.Errorf("the verdict's link is not shown:\n%s", md)
	}
	terse := richIncident()
	terse.Verdict.Sentence = "eth0 was full." // what the sentence leaves out is added
	first := export(t, exporters[1], terse)
	first = first[:bytes.IndexByte(first, '\n')]
	for _, want := range []string{"10.1.16.71:40112", "10.1.16.165:9422", "tcp", "nc1", "+08:00", "2026-11-22 01:47:20.962"} {
		if !bytes.Contains(first, []byte(want)) {
			t.Errorf("first line lacks %s: %s", want, first)
		}
	}
}

// Every incident that the monitor makes in the timelines can be written, read
// and pasted.
func TestExportTimelines(t *testing.T) {
	files, err := filepath.Glob("testdata/timeline/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no timelines: %v", err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := &player{t: t}
		for _, line := range strings.Split(string(text), "\n") {
			if line != "" && line[0] != '#' && line[0] != ' ' {
				p.play(strings.Fields(line))
			}
		}
		for _, in := range p.s.sealed {
			n++
			checkSealed(t, filepath.Base(file), in)
		}
	}
	if n < 10 {
		t.Errorf("only %d incidents in the timelines", n)
	}
}

func checkSealed(t *testing.T, name string, in *Incident) {
	t.Helper()
	js := export(t, exporters[0], in)
	got, err := ReadJSON(bytes.NewReader(js))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, e := range exporters {
		a, b := export(t, e, in), export(t, e, got)
		if !bytes.Equal(a, b) { // every export can be made from the directory alone
			t.Errorf("%s: %s of what was read differs (-live +read):\n%s", name, e.ext, cmp.Diff(string(a), string(b)))
		}
		checkTerminalSafe(t, name+" "+e.ext, a)
	}
	md := export(t, exporters[1], in)
	if n := bytes.Count(md, []byte("\n")); n > mdMaxLines {
		t.Errorf("%s: incident.md has %d lines", name, n)
	}
	first := string(md[:bytes.IndexByte(md, '\n')])
	want := []string{"nc1", "+08:00"}
	if b := in.Verdict.Burst; b != nil {
		want = append(want, b.Proto, b.Local, b.Remote)
	}
	for _, w := range want {
		if !strings.Contains(first, w) {
			t.Errorf("%s: first line lacks %s: %s", name, w, first)
		}
	}
}

// crowd fills every list far beyond what one page can show.
func crowd(in *Incident) {
	for i := range 40 {
		in.Bond = append(in.Bond, in.Bond[0])
		in.Bond[0].Members = append(in.Bond[0].Members, in.Bond[0].Members[0])
		in.Hidden = append(in.Hidden, "also "+in.Hidden[0])
		l := in.Links[0]
		l.Name = fmt.Sprintf("eth%d", i+2)
		l.NIC = &NICPart{RxMissed: speed(1), QdiscDrops: speed(2)}
		in.Links = append(in.Links, l)
		in.Classes = append(in.Classes, ClassPart{Name: fmt.Sprintf("user%d", i)})
		in.Pings = append(in.Pings, in.Pings[0])
		f := in.Flows.Rx[0]
		f.Class = fmt.Sprintf("user%d", i)
		in.Flows.Rx, in.Flows.Tx = append(in.Flows.Rx, f), append(in.Flows.Tx, f)
		in.Verdict.Evidence = append(in.Verdict.Evidence, strings.Repeat("word ", 500))
	}
	in.Verdict.Link, in.Truncated, in.Self.LateTicks = "eth9", true, 3
	in.Verdict.Sentence = strings.Repeat("long ", 1000)
}

func TestCSVCells(t *testing.T) {
	in := &Incident{ID: "=1+1", Host: "@SUM(A1)", Flows: FlowPart{Rx: []FlowRow{
		{Link: "+eth0", Class: "-vif", Why: "  =cmd|' /C calc'!A0", Local: "a\r\n=b", Remote: "＝x", Proto: "\t=x", Bps: 1e15, Share: math.NaN(),
			VM: "=vm_a", VIF: "-1", Process: "@sum[1]", TCP: &TCPPart{RTT: millis(95.00049), Retransmissions: 45, BetweenMs: millis(1280)}},
		{Link: "eth0", Local: "[fd00::1]:9422", Remote: `quote" comma,`, DeltaBps: number(-1.5e9)},
	}}}
	rows, err := csv.NewReader(bytes.NewReader(export(t, exporters[2], in))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{csvHeader,
		{"'=1+1", "'@SUM(A1)", "", "", "rx", "0", "'+eth0", "'-vif", "'  =cmd|' /C calc'!A0", "'\uFFFD=x", "0",
			"a\uFFFD\uFFFD=b", "'＝x", "0", "0", "1000000000000000", "", "", "", "", "'=vm_a", "'-1", "'@sum[1]", "95", "", "45", "1280", ""},
		{"'=1+1", "'@SUM(A1)", "", "", "rx", "0", "eth0", "", "", "", "0",
			"[fd00::1]:9422", `quote" comma,`, "0", "0", "0", "", "-1500000000", "0", "", "", "", "", "", "", "", "", ""}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("flows.csv (-want +got):\n%s", diff)
	}
}

func TestExportersReportAFullDisk(t *testing.T) {
	for _, e := range exporters {
		if err := e.write(failingWriter{}, richIncident()); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: error %v, want %v", e.ext, err, io.ErrShortWrite)
		}
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
