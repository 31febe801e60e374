package ui

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
	"spiketop/incident"
	"spiketop/ui/render"
)

var update = flag.Bool("update", false, "write the golden files and docs/KEYS.md")

// golden compares text with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

// nothing does nothing, for models without a terminal.
func nothing() effects {
	return effects{quit: func() {}, freeze: func() {}, copy: func(string) {}, mouse: func(bool) {}, sync: func() {},
		text: func(in *incident.Incident) string { return "# " + in.ID + "\n" }}
}

// drive shows frames to a new model, presses keys and draws.
func drive(frames []*incident.Frame, w, h int, keys ...any) (*model, string) {
	m := newModel(30*time.Second, nothing())
	m.width = w
	c := render.NewCanvas(w, h)
	now := testWall
	for _, f := range frames {
		m.frame(f, now)
		now = now.Add(100 * time.Millisecond)
	}
	m.layout = render.Draw(c, &m.v)
	for _, k := range keys {
		press(m, k, now)
		m.layout = render.Draw(c, &m.v)
	}
	return m, c.String()
}

// press gives the model a rune, a key, or a text for the prompt.
func press(m *model, k any, now time.Time) {
	switch k := k.(type) {
	case rune:
		m.key(tcell.KeyRune, k, now)
	case string:
		m.typed(k)
	case tcell.Key:
		if m.v.Prompt != nil {
			m.answered(k, now)
			return
		}
		m.key(k, 0, now)
	}
}

func TestScreens(t *testing.T) {
	two := fake{links: 2, rows: 24, targets: 2}
	hit := two
	hit.burst, hit.number = 9, 3
	four := fake{links: 4, rows: 9, targets: 1}
	for _, tt := range []struct {
		name   string
		frames []*incident.Frame
		keys   []any
	}{
		{"live", []*incident.Frame{two.frame(0)}, nil},
		{"frozen", []*incident.Frame{two.frame(0), hit.frame(1)}, nil},
		{"snapshot", []*incident.Frame{two.frame(0), hit.frame(1)}, []any{tcell.KeyEnter}},
		{"help", []*incident.Frame{two.frame(0)}, []any{'?'}},
		{"filter-error", []*incident.Frame{two.frame(0)}, []any{'/', "host 10.1.16.71 and prot 80", tcell.KeyEnter}},
		{"filter", []*incident.Frame{two.frame(0)}, []any{'/', "net 192.168.0.0/16 and tcp", tcell.KeyEnter}},
		{"regex", []*incident.Frame{two.frame(0)}, []any{'l', ":(443|9100)$", tcell.KeyEnter}},
		{"paused", []*incident.Frame{two.frame(0), two.frame(30)}, []any{' '}},
		{"no-ports", []*incident.Frame{two.frame(0)}, []any{'p'}},
		{"totals-tx", []*incident.Frame{two.frame(0)}, []any{'T', 't', 't'}},
		{"one-nic", []*incident.Frame{fake{links: 1, rows: 5, targets: 1}.frame(0)}, nil},
		{"four-nics", []*incident.Frame{four.frame(0)}, nil},
		{"link-down", []*incident.Frame{linkDown(two).frame(0)}, nil},
		{"no-targets", []*incident.Frame{fake{links: 2, rows: 3}.frame(0)}, nil},
		{"trouble", []*incident.Frame{trouble(two).frame(0)}, nil},
		{"members", []*incident.Frame{steered(hit).frame(1)}, nil},
		{"members-one-out", []*incident.Frame{memberOut(steered(hit)).frame(1)}, nil},
		{"members-snapshot", []*incident.Frame{two.frame(0), steered(hit).frame(1)}, []any{tcell.KeyEnter}},
		{"one-ping", []*incident.Frame{unsteered(two).frame(0)}, []any{'v'}},
		{"bond", []*incident.Frame{bonded(two, 3).frame(0)}, nil},
		{"bond-note", []*incident.Frame{bonded(noted(two), 9).frame(0)}, nil},
		{"bond-snapshot", []*incident.Frame{two.frame(0), bonded(hit, 3).frame(1)}, []any{tcell.KeyEnter}},
		{"named", []*incident.Frame{named(two).frame(0)}, nil},
		{"named-why", []*incident.Frame{named(two).frame(0)}, []any{'c'}},
		{"named-filter", []*incident.Frame{named(two).frame(0)}, []any{'/', "vm:vm_b or process:chunkserver", tcell.KeyEnter}},
		{"named-snapshot", []*incident.Frame{two.frame(0), named(hit).frame(1)}, []any{tcell.KeyEnter}},
		{"huge", []*incident.Frame{huge(two).frame(0)}, nil},
		{"unknown", []*incident.Frame{unknown(two).frame(0)}, nil},
		{"hostile", []*incident.Frame{hostile(hit).frame(0)}, nil},
	} {
		for _, size := range []struct {
			name string
			w, h int
		}{{"80x24", 80, 24}, {"120x40", 120, 40}, {"160x48", 160, 48}} {
			t.Run(tt.name+"/"+size.name, func(t *testing.T) {
				_, got := drive(tt.frames, size.w, size.h, tt.keys...)
				golden(t, tt.name+"-"+size.name+".screen", got)
			})
		}
	}
}

func linkDown(k fake) fake {
	k.change = func(f *incident.Frame) {
		l := &f.Links[1]
		l.Link.State, l.Link.Note, l.Link.SpeedBps = flow.LinkDown, "left bond0", 0
		l.Rows, l.Classes, l.Other, l.More = nil, nil, [2][3]float64{}, 0
		l.Rate, l.Coverage = [2][3]float64{}, math.NaN()
		f.Links[0].Drops, f.Links[0].Coverage, f.Links[0].Evicted = 12_345, 0.871, 17
	}
	k.notes = []string{"the disk is full", "2 incidents suppressed (at most 6 a minute)"}
	return k
}

func noted(k fake) fake {
	k.notes = []string{"somebody set the clock by +0.250 s; what is measured does not depend on it"}
	return k
}

// named: guests and processes are known.
func named(k fake) fake {
	k.change = func(f *incident.Frame) {
		for i := range f.Links {
			for j := range f.Links[i].Rows {
				r := &f.Links[i].Rows[j]
				switch r.Class {
				case flow.Storage:
					r.Process, r.Why = "chunkserver", "process chunkserver[812]"
				case flow.VIF:
					r.Guest, r.VIF, r.Why = "vm_b", "061606", "MAC 52:54:00:00:00:0b of vm_b on 061606"
					if j%2 == 1 {
						r.Guest = "db-01.prod"
					}
				case flow.Host:
					r.Process, r.Why = "kernel", "address of this host"
				}
			}
		}
		if f.Frozen == nil {
			return
		}
		in := *f.Frozen
		in.Flows.Rx, in.Flows.Tx = slices.Clone(in.Flows.Rx), slices.Clone(in.Flows.Tx)
		for _, rows := range [2][]incident.FlowRow{in.Flows.Rx, in.Flows.Tx} {
			for i := range rows {
				switch rows[i].Class {
				case "storage":
					rows[i].Process, rows[i].Why = "chunkserver[812]", "process chunkserver[812]"
				case "vif":
					rows[i].VM, rows[i].VIF = "vm_b", "061606"
				}
			}
		}
		f.Frozen = &in
		f.Incidents[len(f.Incidents)-1].Sealed = &in
	}
	return k
}

// bonded: the bond is out of balance in several ways, and RDMA is there.
func bonded(k fake, warnings int) fake {
	all := []string{
		"eth2 of bond0 carries no data: in aggregator 2, bond0 uses 1: wired to another switch or port group",
		"bond0 ▲: eth0 carries nearly all of 40 or more flows, for policy layer2 sends all that goes to one next hop the same way: layer3+4 would spread it",
		"storage may be invisible: RDMA (mlx5_0 on eth0): storage over RoCE, iWARP or InfiniBand is not seen"}
	member := func(name string, rx, tx float64) incident.MemberPart {
		return incident.MemberPart{Name: name, State: "active", MII: "up", Aggregator: 1, PartnerState: p(63), SpeedBps: p(uint64(10e9)), Usable: true, RxShare: p(rx), TxShare: p(tx)}
	}
	out := member("eth2", 0, 0)
	out.State, out.Usable, out.Aggregator, out.Trouble = "backup", false, 2, "in aggregator 2, bond0 uses 1: wired to another switch or port group"
	k.change = func(f *incident.Frame) {
		for i := range warnings {
			f.Warnings = append(f.Warnings, all[i%len(all)])
		}
		f.Bonds = []incident.BondView{{Bond: f.World.Bonds[0], Imbalance: [2][2]*float64{{p(0.8), p(0.63)}, {nil, p(0.04)}}}}
		if f.Frozen == nil {
			return
		}
		in := *f.Frozen
		in.Bond = []incident.BondPart{{Name: "bond0", Mode: "802.3ad", Policy: "layer3+4", Members: []incident.MemberPart{member("eth0", 0.815, 0.52), member("eth1", 0.185, 0.48), out},
			Rx: incident.BondDir{Bytes: 1_274_000_000, Imbalance: p(0.63), BaselineImbalance: p(0.11)}, Tx: incident.BondDir{Bytes: 250_000_000, Imbalance: p(0.04)}}}
		in.Hidden = []string{"RDMA (mlx5_0 on eth0): storage over RoCE, iWARP or InfiniBand is not seen"}
		f.Frozen = &in
		f.Incidents[len(f.Incidents)-1].Sealed = &in
	}
	return k
}

func trouble(k fake) fake {
	k.change = func(f *incident.Frame) {
		f.Pings[0].Target.Trouble = "network is unreachable"
		f.Pings[0].Stats.Last = -1
		f.Pings[1].Target.Captured = false
		f.Pings[1].Stats.Loss = 0.031
	}
	return k
}

func huge(k fake) fake {
	k.change = func(f *incident.Frame) {
		for i := range f.Links {
			l := &f.Links[i]
			l.Link.SpeedBps = 800e9
			l.More, l.Drops, l.Evicted = math.MaxInt, math.MaxUint64, math.MaxUint64
			for d := range 2 {
				for w := range 3 {
					l.Rate[d][w] = math.MaxFloat64
					l.Rows[0].Rate[d][w] = math.Inf(1)
					l.Rows[1].Rate[d][w] = math.NaN()
					l.Rows[2].Rate[d][w] = 1e30
				}
				l.Rows[0].Cum[d] = math.MaxUint64
				l.Peak[d] = math.Inf(1)
			}
		}
		f.Pings[0].Stats.Last = time.Duration(math.MaxInt64)
		f.Pings[0].Stats.P99 = time.Duration(math.MaxInt64)
		for i := range f.Strips {
			for j := range f.Strips[i].Cells {
				f.Strips[i].Cells[j].Pings[0].Worst = time.Duration(math.MaxInt64 / (j + 1))
				f.Strips[i].Cells[j].Links[0].Rx = math.Inf(1)
			}
		}
	}
	return k
}

func unknown(k fake) fake {
	k.change = func(f *incident.Frame) {
		for i := range f.Links {
			f.Links[i].Link.SpeedBps, f.Links[i].Coverage = 0, math.NaN()
		}
		f.Pings[0].Baseline, f.Pings[0].Freeze = -1, 0
		f.Pings[0].Stats.Last, f.Pings[0].Stats.P99 = -1, -1
	}
	return k
}

// hostile: every string that comes from outside tries to do harm.
func hostile(k fake) fake {
	const evil = "\x1b]0;owned\a\x1b[2J[red]日本\u202eabc\ne\u0301\u0301[:::http://evil/]x"
	k.change = func(f *incident.Frame) {
		f.World.Host = evil
		f.World.Bonds[0].Name, f.World.Bonds[0].Mode = evil, evil
		for i := range f.Links {
			f.Links[i].Link.Name, f.Links[i].Link.Note = evil+string(rune('0'+i)), evil
		}
		f.Pings[0].Target.Name, f.Pings[1].Target.Trouble, f.Pings[0].Member = evil, evil, evil
		f.Pings[0].Target.Reason = strings.Repeat(evil, 1000)
		f.Notes = []string{strings.Repeat("\u0301", 5000) + evil}
		f.Warnings = []string{evil, strings.Repeat(evil, 100)}
		f.Bonds = []incident.BondView{{Bond: flow.Bond{Name: evil}, Imbalance: [2][2]*float64{{nil, p(1.0)}, {nil, p(math.NaN())}}}}
		f.Incidents[0].Summary, f.Incidents[0].Target = evil, evil
	}
	return k
}

// No screen of any size shows an unprintable rune or is wider than asked.
func TestScreensStayClean(t *testing.T) {
	k := hostile(fake{links: 2, rows: 24, targets: 2, burst: 9, number: 3})
	k.change = func(inner func(*incident.Frame)) func(*incident.Frame) {
		return func(f *incident.Frame) {
			inner(f)
			evil := f.World.Host
			in := *f.Frozen
			in.Verdict.Sentence, in.Verdict.Evidence, in.Host = strings.Repeat(evil, 40), []string{evil, evil}, evil
			in.Links = append([]incident.LinkPart(nil), in.Links...)
			in.Bond = []incident.BondPart{{Name: evil, Mode: evil, Policy: evil, Rx: incident.BondDir{Bytes: 1, Imbalance: p(math.Inf(1))},
				Members: []incident.MemberPart{{Name: evil, Trouble: evil, Usable: true, RxShare: p(math.NaN())}, {Name: evil, Trouble: evil}}}}
			in.Hidden = []string{evil, strings.Repeat(evil, 100)}
			in.Links[0].Name, in.Links[0].State, in.Trigger.Target, in.Path.VerdictSegment = evil, evil, evil, evil
			in.Flows.Rx = append([]incident.FlowRow(nil), in.Flows.Rx...)
			in.Flows.Rx[0].Local, in.Flows.Rx[0].Class, in.Flows.Rx[1].Link, in.Flows.Rx[2].Proto = evil, evil, evil, evil
			f.Frozen = &in
		}
	}(k.change)
	for _, keys := range [][]any{nil, {tcell.KeyEnter}, {'?'}, {tcell.KeyEscape}, {'/', "x\x1b[2J"}} {
		for _, size := range [][2]int{{0, 0}, {1, 1}, {0, 9}, {9, 0}, {59, 15}, {60, 14}, {60, 15}, {80, 24}, {100, 30}, {119, 17}, {120, 40}, {140, 30}, {160, 48}, {200, 60}, {400, 120}} {
			_, text := drive([]*incident.Frame{fake{links: 2}.frame(0), k.frame(1)}, size[0], size[1], keys...)
			for y, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
				for _, r := range l {
					if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' {
						t.Fatalf("%v keys %v line %d holds %q: %q", size, keys, y, r, l)
					}
				}
			}
		}
	}
}

// The screen.txt of an incident, as package main writes it.
func TestSnapshotText(t *testing.T) {
	k := fake{links: 2, rows: 24, targets: 2, burst: 9, number: 3}
	f := k.frame(0)
	for _, width := range []int{100, 140} {
		var b strings.Builder
		if err := render.SnapshotText(&b, f, f.Frozen, width); err != nil {
			t.Fatal(err)
		}
		golden(t, fmt.Sprintf("screen-%d.txt", width), b.String())
		b.Reset()
		f := bonded(k, 3).frame(0)
		if err := render.SnapshotText(&b, f, f.Frozen, width); err != nil {
			t.Fatal(err)
		}
		golden(t, fmt.Sprintf("screen-bond-%d.txt", width), b.String())
	}
}
