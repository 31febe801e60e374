package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spiketop/incident"
	"spiketop/incident/store"
)

// savedIncidents is a directory with two good incidents and what a hand left there.
func savedIncidents(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	sent := time.Date(2026, 11, 21, 17, 47, 20, 962e6, time.UTC)
	rtt := incident.Millis(120.4)
	for i, target := range []string{"10.1.16.55", "10.1.16.1"} {
		at := sent.Add(time.Duration(i) * time.Hour)
		in := &incident.Incident{Schema: incident.Schema, ID: incident.NewID(at, target), Host: "nc1"}
		in.Trigger = incident.Trigger{Kind: incident.KindRTT, Target: target, Member: "eth0", Sent: at, RTT: &rtt}
		in.Window = incident.Window{From: at, To: at.Add(time.Second)}
		in.Verdict = incident.Verdict{Cause: "storage", Link: "eth0", Direction: "rx", Confidence: "high", Sentence: "Echo 110 to " + target + " took 120.4 ms\x1b[31m."}
		if _, err := st.Write(in, nil); err != nil {
			t.Fatal(err)
		}
	}
	broken := func(id, text string) {
		d := filepath.Join(dir, id)
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if text != "" {
			if err := os.WriteFile(filepath.Join(d, "incident.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	broken("20261120T000000.000Z-empty", "")
	broken("20261120T000001.000Z-cut", `{"schema":"spiketop.incident/1","id":`)
	broken("20261120T000002.000Z-future", `{"schema":"spiketop.incident/2"}`)
	broken("holiday pictures", "{}")
	broken("20261120T000003.000Z-fifo", "")
	if err := syscall.Mkfifo(filepath.Join(dir, "20261120T000003.000Z-fifo", "incident.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func spiketop(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestIncidentsList(t *testing.T) {
	dir := savedIncidents(t)
	status, out, errs := spiketop("incidents", "list", "--incidents", dir)
	if status != 0 || strings.Count(out, "\n") != 2 || strings.ContainsRune(out, '\x1b') || !strings.HasPrefix(out, "20261121T174720.962Z-10.1.16.55 ") || !strings.Contains(out, "120.4 ms  rtt          storage   eth0 rx    Echo 110") {
		t.Errorf("status %d\n%s", status, out)
	}
	for _, id := range []string{"-empty", "-cut", "-future", "-fifo"} {
		if !strings.Contains(errs, id+": incident.json: ") {
			t.Errorf("nothing is said of %s:\n%s", id, errs)
		}
	}
	if strings.Contains(errs, "holiday") {
		t.Error("what is none of ours was looked at")
	}
	_, out, _ = spiketop("incidents", "--json", "--incidents", dir)
	var line incidentLine
	if err := json.Unmarshal([]byte(strings.SplitN(out, "\n", 2)[0]), &line); err != nil || line.Verdict.Cause != "storage" || *line.RTT != 120.4 {
		t.Errorf("%v %+v", err, line)
	}
	status, out, _ = spiketop("incidents", "--incidents", t.TempDir())
	if status != 0 || !strings.Contains(out, "no incidents in") {
		t.Errorf("an empty directory: status %d: %s", status, out)
	}
}

func TestIncidentsExport(t *testing.T) {
	dir := savedIncidents(t)
	for _, asked := range []string{"20261121T174720.962Z-10.1.16.55", "10.1.16.55"} {
		status, out, errs := spiketop("incidents", "show", asked, "--incidents", dir)
		if status != 0 || !strings.HasPrefix(out, "Echo 110 to 10.1.16.55 took 120.4 ms") || errs != "" {
			t.Errorf("show %s: status %d\n%s%s", asked, status, out, errs)
		}
	}
	for form, want := range map[string]string{"md": "# ", "json": `"id": "20261121T184720.962Z-10.1.16.1"`, "csv": "incident,host,from", "txt": "INCIDENT", "svg": "<svg "} {
		for _, mask := range []bool{false, true} {
			args := []string{"incidents", "export", "last", "--format", form, "--incidents", dir}
			if mask {
				args = append(args, "--mask")
				want = strings.Replace(want, "10.1.16.1", "198.18.0.1", 1)
			}
			status, out, errs := spiketop(args...)
			if status != 0 || !strings.Contains(out, want) || errs != "" || mask && strings.Contains(out, "10.1.16.1") {
				t.Errorf("%v: status %d\n%s%s", args, status, out, errs)
			}
			if form == "svg" {
				checkXML(t, out)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "out.md")
	if status, _, errs := spiketop("incidents", "export", "last", "-o", file, "--incidents", dir); status != 0 {
		t.Error(errs)
	}
	if status, _, errs := spiketop("incidents", "export", "last", "-o", file, "--incidents", dir); status != 1 || !strings.Contains(errs, "exists") {
		t.Errorf("an existing file: status %d: %s", status, errs)
	}
	for _, bad := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"show", "10.1.16"}, 1, "2 have that in their name"},
		{[]string{"show", "../../etc"}, 1, "no such incident"},
		{[]string{"show", "-cut"}, 2, "hint"},
		{[]string{"show", "20261120T000001.000Z-cut"}, 1, "unexpected end of JSON input"},
		{[]string{"show"}, 2, "hint"},
		{[]string{"export", "last", "--format", "pdf"}, 2, "csv, json, md, svg, txt"},
		{[]string{"lists"}, 2, "not understood"},
		{[]string{"list", "--incidents", filepath.Join(dir, "nothing")}, 1, "no such file"},
	} {
		args := append([]string{"incidents", "--incidents", dir}, bad.args...)
		if status, out, errs := spiketop(args...); status != bad.status || !strings.Contains(errs, bad.want) || out != "" {
			t.Errorf("%v: status %d, want %d\n%s%s", args, status, bad.status, out, errs)
		}
	}
}

func checkXML(t *testing.T, s string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, s)
		}
	}
}
