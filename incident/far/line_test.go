package far

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
	"spiketop/incident"
)

const noon = int64(1_795_262_400_000_000_000) // 2026-11-21 12:00:00 UTC

func TestParseLine(t *testing.T) {
	echo := func(change string) string {
		fields := map[string]string{"point": `"eth0"`, "dir": `"rx"`, "src": `"10.1.16.165"`, "dst": `"10.1.16.55"`, "id": "1", "seq": "110", "at": "1795262400000000000"}
		if name, value, ok := strings.Cut(change, "="); ok {
			fields[name] = value
		}
		var list []string
		for _, name := range []string{"point", "dir", "src", "dst", "id", "seq", "at", "vlan"} {
			if fields[name] != "" {
				list = append(list, `"`+name+`":`+fields[name])
			}
		}
		return `{"echo":{` + strings.Join(list, ",") + `}}`
	}
	tests := []struct {
		name, text string
		want       error
	}{
		{"hello", `{"hello":{"schema":"spiketop.tap/1","version":"0.1.0","host":"nc2","nics":["eth0"],"vifs":3}}`, nil},
		{"a minor version more", `{"hello":{"schema":"spiketop.tap/1.4","host":"nc2","new":[{}]}}`, nil},
		{"another major version", `{"hello":{"schema":"spiketop.tap/2"}}`, ErrSchema},
		{"tens", `{"hello":{"schema":"spiketop.tap/10"}}`, ErrSchema},
		{"no schema", `{"hello":{}}`, ErrSchema},
		{"too many NICs", `{"hello":{"schema":"spiketop.tap/1","nics":[` + strings.Repeat(`"e",`, MaxNICs) + `"e"]}}`, ErrLine},
		{"echo", echo(""), nil},
		{"IPv6", `{"echo":{"point":"eth0","dir":"tx","src":"2001:db8::1","dst":"2001:db8::2","at":1795262400000000000}}`, nil},
		{"echo of nowhere", echo(`point=""`), ErrLine},
		{"odd direction", echo(`dir="up"`), ErrLine},
		{"name for an address", echo(`src="nc1"`), ErrLine},
		{"two families", echo(`src="::1"`), ErrLine},
		{"mapped", `{"echo":{"point":"a","dir":"rx","src":"::ffff:1.2.3.4","dst":"::ffff:1.2.3.5","at":1795262400000000000}}`, ErrLine},
		{"zone", `{"echo":{"point":"a","dir":"rx","src":"fe80::1%a","dst":"fe80::2","at":1795262400000000000}}`, ErrLine},
		{"huge id", echo(`id=65536`), ErrLine},
		{"negative seq", echo(`seq=-1`), ErrLine},
		{"string for a number", echo(`seq="1"`), ErrLine},
		{"time 0", echo(`at=0`), ErrLine},
		{"time beyond int64", echo(`at=9223372036854775808`), ErrLine},
		{"year 2300", echo(`at=10413792000000000000`), ErrLine},
		{"VLAN 4096", echo(`vlan=4096`), ErrLine},
		{"beat", `{"beat":{"at":1795262400000000000,"up_to":1795262400000000000,"drops":18446744073709551615}}`, nil},
		{"beat of no time", `{"beat":{}}`, ErrLine},
		{"two things", `{"beat":{"at":1795262400000000000,"up_to":1795262400000000000},"hello":{"schema":"spiketop.tap/1"}}`, ErrLine},
		{"a kind that is not known", `{"news":{"a":1}}`, nil},
		{"window line", `{"window":{"id":"3.1","end":{}}}`, nil},
		{"window of nobody", `{"window":{"end":{}}}`, ErrLine},
		{"flow in no direction", `{"window":{"id":"1","flow":{}}}`, ErrLine},
		{"several parts", `{"window":{"id":"1","end":{},"link":{}}}`, ErrLine},
		{"window that ends before", `{"window":{"id":"1","begin":{"from":1795262400000000001,"to":1795262400000000000}}}`, ErrLine},
		{"no JSON", "Last login: Sat Nov 21", ErrLine},
		{"array", "[]", ErrLine},
		{"deep", strings.Repeat("[", 4000), ErrLine},
		{"empty", "", ErrLine},
		{"too long", `{"news":"` + strings.Repeat("a", MaxLine) + `"}`, ErrLine},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := ParseLine([]byte(tc.text)); !errors.Is(err, tc.want) || err == nil && tc.want != nil {
				t.Errorf("%s: error %v, want %v", tc.text, err, tc.want)
			}
		})
	}
}

// TestHostileText: nothing that a terminal or a reader could take for more than
// a name comes through, and no figure that cannot be.
func TestHostileText(t *testing.T) {
	l, err := ParseLine([]byte(`{"window":{"id":"1","dir":"rx","flow":{"local":"\u001b]0;own\u0007","vm":"` + strings.Repeat("x", 2000) +
		`","process":"a\nb","why":"\u202e","bytes":18446744073709551615,"bps":1e308,"share":7,"delta_bps":5,"tcp":{"rtt_ms":1},"baseline_bps":-1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := *l.Window.Flow
	want := incident.FlowRow{Local: "\uFFFD]0;own\uFFFD", VM: strings.Repeat("x", maxName-1) + "…", Process: "a\uFFFDb", Why: "\uFFFD", Bytes: maxBytes, Share: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flow (-want +got):\n%s", diff)
	}
	l, err = ParseLine([]byte(`{"window":{"id":"1","link":{"name":"eth0","speed_bps":18446744073709551615,"coverage":1.5,"rx":{"bps":-5,"peak_at":"9999-01-01T00:00:00Z","utilisation":-1},"nic_check":{"seconds":1e300}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(incident.LinkPart{Name: "eth0"}, *l.Window.Link); diff != "" {
		t.Errorf("link (-want +got):\n%s", diff)
	}
}

func TestParseQuestion(t *testing.T) {
	tests := []struct {
		name, text string
		good       bool
	}{
		{"window", `{"ask":"window","id":"3.1","from":1795262400000000000,"to":1795262401000000000}`, true},
		{"another question", `{"ask":"secrets","id":"1","from":1795262400000000000,"to":1795262401000000000}`, false},
		{"no id", `{"ask":"window","from":1795262400000000000,"to":1795262401000000000}`, false},
		{"dirty id", `{"ask":"window","id":"\u001b","from":1795262400000000000,"to":1795262401000000000}`, false},
		{"backwards", `{"ask":"window","id":"1","from":1795262401000000000,"to":1795262400000000000}`, false},
		{"too long a window", `{"ask":"window","id":"1","from":1795262400000000000,"to":1795262431000000000}`, false},
		{"at no time", `{"ask":"window","id":"1","from":1,"to":2}`, false},
		{"overflow", `{"ask":"window","id":"1","from":-9223372036854775808,"to":9223372036854775807}`, false},
		{"no JSON", "quit", false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			q, err := ParseQuestion([]byte(tc.text))
			if (err == nil) != tc.good {
				t.Fatalf("error %v", err)
			}
			if !tc.good {
				return
			}
			again, err := ParseQuestion(bytes.TrimSuffix(q.Append(nil), []byte("\n")))
			if diff := cmp.Diff(q, again); err != nil || diff != "" {
				t.Errorf("written and read again: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestEchoOf(t *testing.T) {
	// 10 s after a start at noon.
	e := flow.Echo{At: flow.Time(10 * time.Second), Offset: flow.WallOffset(noon), Link: 1, Dir: flow.Tx, Reply: true, Family: flow.FamilyIPv4, ID: 7, Seq: 110, VLAN: 5}
	flow.SetIPv4(&e.Src, []byte{10, 1, 16, 55})
	flow.SetIPv4(&e.Dst, []byte{10, 1, 16, 165})
	l, ok := EchoOf(&e, "eth0")
	if !ok {
		t.Fatal("refused")
	}
	got, err := ParseLine(bytes.TrimSuffix(l.Append(nil), []byte("\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := Echo{Point: "eth0", Dir: "tx", Reply: true, Src: netip.MustParseAddr("10.1.16.55"), Dst: netip.MustParseAddr("10.1.16.165"),
		ID: 7, Seq: 110, At: noon + 10e9, VLAN: 5}
	if diff := cmp.Diff(&want, got.Echo, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("echo (-want +got):\n%s", diff)
	}
}

// TestEchoOfAnything: each line that is made of a packet passes the other side's
// check, whatever a guest wrote into it; what would not is no line.
func TestEchoOfAnything(t *testing.T) {
	mapped := [16]byte{10: 0xff, 11: 0xff, 12: 10, 15: 1}
	addrs := [][16]byte{{}, mapped, {0: 0xfe, 1: 0x80, 15: 1}, {0: 0xff, 1: 2, 15: 1}, {12: 1, 15: 1}, {0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 15: 1}}
	made := 0
	for _, family := range []flow.Family{flow.FamilyIPv4, flow.FamilyIPv6} {
		for _, src := range addrs {
			for _, dst := range addrs {
				for _, offset := range []flow.WallOffset{0, flow.WallOffset(noon)} {
					e := flow.Echo{At: 1, Offset: offset, Family: family, Src: src, Dst: dst, VLAN: 4095}
					l, ok := EchoOf(&e, "\x1b[2J")
					if !ok {
						continue
					}
					made++
					if _, err := ParseLine(bytes.TrimSuffix(l.Append(nil), []byte("\n"))); err != nil {
						t.Errorf("%v -> %v: %v", src, dst, err)
					}
				}
			}
		}
	}
	if made < 36+25 { // all of IPv4, all of IPv6 but the mapped ones
		t.Errorf("only %d lines were made", made)
	}
	e := flow.Echo{Offset: flow.WallOffset(noon), Family: flow.FamilyIPv6, Src: mapped, Dst: mapped}
	if _, ok := EchoOf(&e, "vif_b"); ok {
		t.Error("an IPv4 address in an IPv6 header is told")
	}
}

// answered is what a host knows of a window.
func answered(name string) *incident.FarPart {
	share, base := 0.5, 1e6
	p := &incident.FarPart{Host: "nc2", Window: &incident.Window{From: time.Unix(0, noon).UTC(), To: time.Unix(0, noon+1e9).UTC()}}
	for range 3 {
		p.Links = append(p.Links, incident.LinkPart{Name: name, Bond: name, State: "up", Rx: incident.LinkDir{Bytes: 1000, Bps: 8000, BaselineBps: &base}})
	}
	p.Classes = []incident.ClassPart{{Name: name, Rx: incident.ClassDir{Bytes: 1, Share: &share}}}
	for i := range maxRows {
		p.Flows.Rx = append(p.Flows.Rx, incident.FlowRow{Rank: i + 1, Link: name, Class: name, Why: name, Proto: "tcp", Local: name, Remote: name, VM: name, VIF: name, Process: name, Bytes: uint64(i)})
	}
	p.Flows.Tx = p.Flows.Rx[:1]
	p.Flows.Other.Rx.Bytes, p.Trouble = 77, name
	return p
}

// TestAnswer: an answer in lines is the same answer, and no line is too long,
// whatever the names are.
func TestAnswer(t *testing.T) {
	names := map[string]string{"plain": "vm_a", "long": strings.Repeat("x", 5000), "escaped": strings.Repeat("\u202e\\\"\x00", 500), "rare": strings.Repeat("\U000E0100", 500), "none": ""}
	for what, name := range names {
		t.Run(what, func(t *testing.T) {
			a := Answer{ID: "3.1"}
			lines := AnswerOf(&Question{ID: "3.1", From: noon, To: noon + 1e9}, answered(name))
			whole := false
			for i := range lines {
				b := lines[i].Append(nil)
				if len(b) == 0 || len(b) > MaxLine || bytes.Count(b, []byte("\n")) != 1 {
					t.Fatalf("line %d has %d bytes", i, len(b))
				}
				l, err := ParseLine(bytes.TrimSuffix(b, []byte("\n")))
				if err != nil {
					t.Fatalf("line %d: %v: %s", i, err, b)
				}
				if whole {
					t.Fatal("whole before the end")
				}
				whole = a.Add(l.Window)
			}
			p := a.Part()
			if !whole || len(p.Links) != 3 || len(p.Classes) != 1 || len(p.Flows.Rx) != maxRows || len(p.Flows.Tx) != 1 || p.Flows.Other.Rx.Bytes != 77 || p.Flows.Rx[49].Rank != 50 {
				t.Errorf("whole %v: %+v", whole, p)
			}
			if what == "plain" && (p.Flows.Rx[3].VM != "vm_a" || *p.Links[0].Rx.BaselineBps != 1e6 || *p.Classes[0].Rx.Share != 0.5 || p.Trouble != "vm_a") {
				t.Errorf("something is missing: %+v", p)
			}
		})
	}
}

// TestAnswerBounds: an answer that never ends stays small, and one of another
// question is not taken.
func TestAnswerBounds(t *testing.T) {
	a := Answer{ID: "1"}
	a.Add(&WindowLine{ID: "1", Link: &incident.LinkPart{Name: "before the begin"}})
	a.Add(&WindowLine{ID: "2", Begin: &Begin{noon, noon}})
	if p := a.Part(); p.Window != nil || len(p.Links) != 0 {
		t.Fatalf("took what is not its own: %+v", p)
	}
	a.Add(&WindowLine{ID: "1", Begin: &Begin{noon, noon + 1}})
	for range 1000 {
		a.Add(&WindowLine{ID: "1", Link: &incident.LinkPart{}})
		a.Add(&WindowLine{ID: "1", Class: &incident.ClassPart{}})
		a.Add(&WindowLine{ID: "1", Dir: "tx", Flow: &incident.FlowRow{}})
	}
	p := a.Part()
	if len(p.Links) != maxLinks || len(p.Classes) != maxClasses || len(p.Flows.Tx) != maxRows {
		t.Errorf("%d links, %d classes, %d rows", len(p.Links), len(p.Classes), len(p.Flows.Tx))
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"hello":{"schema":"spiketop.tap/1","host":"nc2"}}`))
	f.Add([]byte(`{"echo":{"point":"eth0","dir":"rx","src":"10.1.16.165","dst":"10.1.16.55","id":1,"seq":110,"at":1795262400000000000}}`))
	f.Add([]byte(`{"window":{"id":"1","dir":"rx","flow":{"local":"\u001b"}}}`))
	f.Add([]byte(`{"window":{"id":"1","link":{"name":"eth0","rx":{"peak_at":"2026-11-21T12:00:00Z"}}}}`))
	q := Question{ID: "1", From: noon, To: noon + 1e9}
	for _, l := range AnswerOf(&q, answered("vm_a"))[:8] {
		f.Add(l.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseLine(b)
		if err != nil {
			return
		}
		out := l.Append(nil)
		if len(out) == 0 || len(out) > MaxLine {
			t.Fatalf("written again it has %d bytes: %s", len(out), b)
		}
		again, err := ParseLine(bytes.TrimSuffix(out, []byte("\n")))
		if err != nil {
			t.Fatalf("%s\nwritten again: %s\n%v", b, out, err)
		}
		if second := again.Append(nil); !bytes.Equal(out, second) {
			t.Fatalf("%s\n%s", out, second)
		}
		for _, r := range string(out[:len(out)-1]) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q in %s", r, out)
			}
		}
	})
}

func FuzzParseQuestion(f *testing.F) {
	f.Add([]byte(`{"ask":"window","id":"3.1","from":1795262400000000000,"to":1795262401000000000}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseQuestion(b)
		if err != nil {
			return
		}
		if q.To <= q.From || q.To-q.From > longest || q.ID == "" {
			t.Fatalf("%+v", q)
		}
		if again, err := ParseQuestion(bytes.TrimSuffix(q.Append(nil), []byte("\n"))); err != nil || again != q {
			t.Fatalf("%+v, again %+v: %v", q, again, err)
		}
	})
}
