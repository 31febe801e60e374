package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/google/go-cmp/cmp"

	"spiketop/incident"
	"spiketop/ui/render"
)

// state is what a model shows, in words.
func state(m *model) string {
	s := [...]string{"live", "incident", "help"}[m.v.Page]
	if m.v.Frozen != nil {
		s += " frozen" + string(rune('0'+m.v.Frozen.Number))
	}
	if m.v.Paused {
		s += " paused"
	}
	if m.v.Prompt != nil {
		s += " typing"
	}
	if m.v.News > 0 {
		s += " news" + string(rune('0'+m.v.News))
	}
	return s
}

// steps: a number is a frame with that incident (0 = none), a duration is time
// that passes, runes and keys are pressed, a string is expected.
func TestFreezeBehaviour(t *testing.T) {
	for _, tt := range []struct {
		name  string
		hold  time.Duration
		steps []any
	}{
		{"a spike switches the panes", 30 * time.Second, []any{0, "live", 1, "live frozen1"}},
		{"untouched it returns after the hold", 30 * time.Second, []any{0, 1, 29900 * time.Millisecond, 1, "live frozen1", 100 * time.Millisecond, "live", 1, "live"}},
		{"hold 0 stays", 0, []any{0, 1, time.Hour, "live frozen1"}},
		{"Space returns", 30 * time.Second, []any{0, 1, ' ', "live"}},
		{"Esc returns", 30 * time.Second, []any{0, 1, tcell.KeyEscape, "live"}},
		{"a newer spike replaces it", 30 * time.Second, []any{0, 1, 20 * time.Second, 2, "live frozen2", 29 * time.Second, "live frozen2", time.Second, "live"}},
		{"after any key it stays", 30 * time.Second, []any{0, 1, 'j', time.Hour, "live frozen1"}},
		{"after any key a newer one is announced only", 30 * time.Second, []any{0, 1, 'j', 2, "live frozen1 news2", tcell.KeyEscape, "live"}},
		{"an unknown key is a key too", 30 * time.Second, []any{0, 1, 'z', time.Hour, "live frozen1"}},
		{"not torn away while a filter is typed", 30 * time.Second, []any{0, '/', 1, "live typing news1", tcell.KeyEscape, "live news1", tcell.KeyEscape, "live"}},
		{"not torn away while paused", 30 * time.Second, []any{0, ' ', 1, "live paused news1", ' ', "live"}},
		{"not torn away while an incident is read", 30 * time.Second, []any{0, 1, tcell.KeyEnter, 2, "incident frozen1 news2", time.Hour, "incident frozen1 news2", tcell.KeyRight, "incident frozen1", tcell.KeyEscape, "live"}},
		{"the help stays, the panes under it change", 30 * time.Second, []any{0, '?', 1, "help frozen1", 30 * time.Second, "help", '?', "live"}},
		{"an old incident at the start does not freeze", 30 * time.Second, []any{1, "live", 2, "live frozen2"}},
		{"the same incident freezes once", 30 * time.Second, []any{0, 1, ' ', 1, 1, "live"}},
		{"P pauses in live only", 30 * time.Second, []any{0, 'P', "live paused", 'P', "live", 1, 'P', "live frozen1"}},
		{"Enter without an incident stays", 30 * time.Second, []any{0, tcell.KeyEnter, "live"}},
		{"Enter opens the frozen one, not the news", 30 * time.Second, []any{0, 1, 'j', 2, tcell.KeyEnter, "incident frozen1 news2", tcell.KeyRight, "incident frozen1"}},
		{"help over an incident and back", 30 * time.Second, []any{0, 1, tcell.KeyEnter, '?', "help frozen1", 2, "help frozen1 news2", tcell.KeyEscape, "incident frozen1 news2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(tt.hold, nothing())
			now := testWall
			var trace []any
			for _, s := range tt.steps {
				trace = append(trace, s)
				switch s := s.(type) {
				case int:
					k := fake{links: 2, rows: 3, targets: 1, number: s, older: max(s-1, 0)}
					m.frame(k.frame(len(trace)), now)
				case time.Duration:
					now = now.Add(s)
					m.tick(now)
				case string:
					if got := state(m); got != s {
						t.Fatalf("after %v: %q, want %q", trace, got, s)
					}
				default:
					press(m, s, now)
				}
			}
		})
	}
}

// An open incident is published as successive copies: the panes follow them.
func TestFrozenPanesFollowTheOpenIncident(t *testing.T) {
	m := newModel(0, nothing())
	k := fake{links: 2, rows: 3}
	m.frame(k.frame(0), testWall)
	k.number, k.open = 1, true
	m.frame(k.frame(1), testWall)
	if !m.v.Frozen.Open {
		t.Fatal("the frozen incident is not open")
	}
	k.open = false
	m.frame(k.frame(2), testWall)
	if m.v.Frozen.Open {
		t.Error("the panes still show the open incident")
	}
}

func TestPauseStopsPanesNotStrip(t *testing.T) {
	m := newModel(0, nothing())
	k := fake{links: 2, rows: 3, targets: 1}
	first, second := k.frame(0), k.frame(10)
	m.frame(first, testWall)
	press(m, ' ', testWall)
	m.frame(second, testWall)
	if m.v.Panes != first || m.v.Frame != second {
		t.Errorf("paused: panes of the first frame %v, strip of the second %v", m.v.Panes == first, m.v.Frame == second)
	}
	press(m, ' ', testWall)
	if m.v.Panes != second {
		t.Error("going on does not jump to now")
	}
}

func TestIncidentList(t *testing.T) {
	m := newModel(0, nothing())
	m.frame(fake{links: 1}.frame(0), testWall)
	k := fake{links: 1, rows: 2, number: 5, older: 3, open: true}
	m.frame(k.frame(1), testWall)
	press(m, tcell.KeyEnter, testWall)
	var got []int
	for range 5 {
		got = append(got, m.number)
		press(m, tcell.KeyLeft, testWall)
	}
	if d := cmp.Diff([]int{5, 4, 3, 2, 2}, got); d != "" {
		t.Errorf("going back (-want +got):\n%s", d)
	}
	if m.v.Incident == nil || m.v.Incident.Number != 2 || !strings.HasPrefix(m.v.SavedIn, "/") {
		t.Errorf("shown: %+v saved in %q", m.v.Incident, m.v.SavedIn)
	}
	if !strings.Contains(m.v.Message, "oldest") {
		t.Errorf("message %q", m.v.Message)
	}
	// The list forgets the incident that is being read; the screen does not.
	k.older, k.number = 1, 9
	m.frame(k.frame(2), testWall)
	if m.v.Incident == nil || m.v.Incident.Number != 2 {
		t.Errorf("the incident that is being read is gone: %+v", m.v.Incident)
	}
	if len(m.known) > 4 {
		t.Errorf("%d incidents kept, of which 2 are listed, 1 read, 1 frozen", len(m.known))
	}
}

func TestCopy(t *testing.T) {
	var copied []string
	do := nothing()
	do.copy = func(s string) { copied = append(copied, s) }
	m := newModel(0, do)
	m.frame(fake{links: 1}.frame(0), testWall)
	press(m, 'y', testWall)
	if m.v.Message != "no incident so far" {
		t.Errorf("message %q", m.v.Message)
	}
	k := fake{links: 1, number: 1, open: true}
	m.frame(k.frame(1), testWall)
	press(m, 'y', testWall)
	if !strings.Contains(m.v.Message, "still being collected") {
		t.Errorf("message %q", m.v.Message)
	}
	k.open = false
	m.frame(k.frame(2), testWall)
	press(m, 'y', testWall)
	id := m.v.Frozen.ID
	if d := cmp.Diff([]string{"# " + id + "\n"}, copied); d != "" {
		t.Errorf("copied (-want +got):\n%s", d)
	}
	if !strings.Contains(m.v.Message, "/var/lib/spiketop/incidents/"+id+"/incident.md") {
		t.Errorf("the answer %q does not name the file", m.v.Message)
	}
	m.do.text = func(*incident.Incident) string { return strings.Repeat("x", maxCopy+1) }
	press(m, 'y', testWall)
	if len(copied) != 1 || !strings.Contains(m.v.Message, "too long") {
		t.Errorf("%d copies, message %q", len(copied), m.v.Message)
	}
}

func TestMessageGoesAway(t *testing.T) {
	m := newModel(0, nothing())
	m.frame(fake{links: 1}.frame(0), testWall)
	press(m, 'z', testWall)
	if m.v.Message != "press ? for help" {
		t.Errorf("message %q", m.v.Message)
	}
	m.tick(testWall.Add(messageTime - 1))
	if m.v.Message == "" {
		t.Error("the message went too early")
	}
	m.tick(testWall.Add(messageTime))
	if m.v.Message != "" {
		t.Error("the message stayed")
	}
}

func TestFilterIsRefusedWithItsColumn(t *testing.T) {
	m, text := drive([]*incident.Frame{fake{links: 1, rows: 4}.frame(0)}, 80, 24, '/', "host 10.1.16.71 and prot 80", tcell.KeyEnter)
	if m.v.Prompt == nil || m.v.Prompt.Text != "host 10.1.16.71 and prot 80" || m.v.Prompt.Error == "" {
		t.Fatalf("prompt %+v", m.v.Prompt)
	}
	if want := len("host 10.1.16.71 and "); m.v.Prompt.Col != want {
		t.Errorf("column %d, want %d", m.v.Prompt.Col, want)
	}
	if m.v.Match != nil || !strings.Contains(text, m.v.Prompt.Text) {
		t.Errorf("filter set %v, screen\n%s", m.v.Match, text)
	}
	press(m, "host 10.1.16.71", testWall)
	if m.v.Prompt.Error != "" {
		t.Error("the error stays after typing")
	}
	press(m, tcell.KeyEnter, testWall)
	if m.v.Prompt != nil || m.v.Match == nil || m.v.Filter != "host 10.1.16.71" {
		t.Errorf("prompt %v filter %q", m.v.Prompt, m.v.Filter)
	}
	press(m, '/', testWall)
	if m.v.Prompt.Text != "host 10.1.16.71" {
		t.Errorf("the editor is not prefilled: %q", m.v.Prompt.Text)
	}
	press(m, "", testWall)
	press(m, tcell.KeyEnter, testWall)
	if m.v.Match != nil || m.v.Filter != "" {
		t.Error("an empty filter does not clear")
	}
}

func TestRegexIsPosixAndAnyCase(t *testing.T) {
	m := newModel(0, nothing())
	if err := m.setRegex("DB8.*:(443|80)$"); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"[2001:db8::1]:443": true, "[2001:DB8::1]:80": true, "10.0.0.1:443": false} {
		if m.v.MatchText(text) != want {
			t.Errorf("%q matches: %v", text, !want)
		}
	}
	if err := m.setRegex("(a"); err == nil || m.v.Regex == "(a" {
		t.Errorf("error %v, regex %q", err, m.v.Regex)
	}
}

func TestDirectionCycle(t *testing.T) {
	m := newModel(0, nothing())
	m.frame(fake{links: 1, rows: 2}.frame(0), testWall)
	var wide, narrow []render.Show
	for range 3 {
		press(m, 't', testWall)
		wide = append(wide, m.v.Show)
	}
	m.layout.Narrow = true
	for range 3 {
		press(m, 't', testWall)
		narrow = append(narrow, m.v.Show)
	}
	if d := cmp.Diff([]render.Show{render.RxOnly, render.TxOnly, render.Both}, wide); d != "" {
		t.Errorf("wide (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]render.Show{render.TxOnly, render.RxOnly, render.TxOnly}, narrow); d != "" {
		t.Errorf("narrow: both looks like ▼ (-want +got):\n%s", d)
	}
}

func TestPortsAsInIftop(t *testing.T) {
	m := newModel(0, nothing())
	m.frame(fake{links: 1, rows: 2}.frame(0), testWall)
	for _, tt := range []struct {
		key           rune
		local, remote bool
	}{{'p', false, false}, {'S', true, false}, {'p', true, true}, {'D', true, false}, {'S', false, false}, {'p', true, true}} {
		press(m, tt.key, testWall)
		if m.v.LocalPorts != tt.local || m.v.RemotePorts != tt.remote {
			t.Errorf("%q: local %v remote %v, want %v %v", tt.key, m.v.LocalPorts, m.v.RemotePorts, tt.local, tt.remote)
		}
	}
}

// A spike of a target that the strip does not show brings that target up.
func TestSpikeSelectsItsTarget(t *testing.T) {
	m := newModel(0, nothing())
	k := fake{links: 1, targets: 2}
	m.frame(k.frame(0), testWall)
	press(m, 'v', testWall)
	if m.v.Target != 1 {
		t.Fatalf("target %d", m.v.Target)
	}
	if want := m.v.Frame.Pings[1].Target; want.Reason == "" || !strings.Contains(m.v.Message, want.Name) || !strings.Contains(m.v.Message, want.Reason) {
		t.Errorf("message %q, want the target %s and its reason %q", m.v.Message, want.Name, want.Reason)
	}
	m.frame(fake{links: 1, targets: 2, number: 1}.frame(1), testWall)
	if m.v.Target != 0 {
		t.Errorf("the strip shows target %d, the spike was on 0", m.v.Target)
	}
}
