package ui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"
	"github.com/google/go-cmp/cmp"

	"spiketop/incident"
)

var places = []struct {
	name string
	at   place
}{{"live", inLive}, {"frozen", inFrozen}, {"incident", inSnapshot}, {"help", inHelp}}

func TestBindingsAreWhole(t *testing.T) {
	for i, b := range allBindings {
		if b.name == "" || b.help == "" || b.group == "" || b.where == 0 || b.do == nil || b.runes == "" && b.keys == nil {
			t.Errorf("binding %d (%q) lacks something", i, b.name)
		}
		if b.shown != 0 && (b.footer == "" || b.shown&^b.where != 0) {
			t.Errorf("%q is shown in the footer without a name, or where it does not work", b.name)
		}
	}
	names := map[string]bool{}
	for _, b := range allBindings {
		names[b.name] = true
	}
	for n := range shortNames {
		if !names[n] {
			t.Errorf("short name for %q, which is no binding", n)
		}
	}
	total := 0
	for _, g := range helpGroups(allBindings) {
		total += len(g.Keys)
	}
	if total != len(allBindings) {
		t.Errorf("the help has %d keys, the list %d", total, len(allBindings))
	}
}

// Each key does one thing in each place.
func TestNoKeyDoesTwoThings(t *testing.T) {
	for _, p := range places {
		seen := map[string]string{}
		for _, b := range allBindings {
			if b.where&p.at == 0 {
				continue
			}
			var ids []string
			for _, r := range b.runes {
				ids = append(ids, "rune "+string(r))
			}
			for _, k := range b.keys {
				ids = append(ids, fmt.Sprint("key ", k))
			}
			for _, id := range ids {
				if other := seen[id]; other != "" {
					t.Errorf("%s: %s is both %q and %q", p.name, id, other, b.help)
				}
				seen[id] = b.help
			}
		}
	}
}

// iftop's keys, PEERS: h ? q P 1 2 3 < > t p s d S D b B T L l o j k f; what does
// not exist yet is not bound.
func TestIftopKeys(t *testing.T) {
	for _, r := range "h?qP123<>tpsdSDbBTLlojkf" {
		if bindingFor(tcell.KeyRune, r, inLive) == nil {
			t.Errorf("%q does nothing", r)
		}
	}
	for _, r := range "nNweR[]!" {
		if b := bindingFor(tcell.KeyRune, r, anywhere); b != nil {
			t.Errorf("%q is %q but does not exist yet", r, b.help)
		}
	}
}

// Every key can be pressed everywhere, before the first frame too.
func TestEveryKeyEverywhere(t *testing.T) {
	k := fake{links: 2, rows: 9, targets: 2, burst: 9, number: 3, older: 2}
	starts := map[string]struct {
		frames []*incident.Frame
		keys   []any
	}{
		"before the first frame": {},
		"empty frame":            {[]*incident.Frame{{}}, nil},
		"live":                   {[]*incident.Frame{fake{links: 2, rows: 9, targets: 2}.frame(0)}, nil},
		"frozen":                 {[]*incident.Frame{fake{}.frame(0), k.frame(1)}, nil},
		"incident":               {[]*incident.Frame{fake{}.frame(0), k.frame(1)}, []any{tcell.KeyEnter}},
		"help":                   {[]*incident.Frame{k.frame(0)}, []any{'?'}},
		"help over an incident":  {[]*incident.Frame{k.frame(0)}, []any{tcell.KeyEnter, '?'}},
		"paused":                 {[]*incident.Frame{k.frame(0)}, []any{' '}},
	}
	for name, s := range starts {
		for _, b := range bindings {
			keys := append([]any(nil), s.keys...)
			for _, r := range b.runes {
				keys = append(keys, r)
			}
			for _, x := range b.keys {
				keys = append(keys, x)
			}
			if _, text := drive(s.frames, 100, 30, append(keys, tcell.KeyF12, 'j', tcell.KeyEscape)...); text == "" {
				t.Errorf("%s, %s: nothing drawn", name, b.name)
			}
		}
	}
}

// docs/KEYS.md is made from the list: go test ./ui -run KeysDoc -update.
func TestKeysDoc(t *testing.T) {
	file := filepath.Join("..", "docs", "KEYS.md")
	if *update {
		if err := os.WriteFile(file, []byte(keysDoc()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(keysDoc(), "\n"), strings.Split(string(got), "\n")); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

func keysDoc() string {
	var b strings.Builder
	b.WriteString("# Keys\n\nMade from the lists in `ui/keys.go` and `ui/replay.go`, which are also the handler, the footer and the `?` help:\n`go test ./ui -run KeysDoc -update`.\n\n")
	b.WriteString("Keys that iftop has keep their iftop meaning. A local end is on this host's side of the NIC, a remote\nend on the other; ▼ comes in, ▲ goes out. While a filter is typed, keys are text: Enter takes it, Esc leaves it.\n")
	for _, g := range helpGroups(allBindings) {
		fmt.Fprintf(&b, "\n## %s\n\n| key | does | where |\n|---|---|---|\n", strings.ToUpper(g.Title[:1])+g.Title[1:])
		for _, k := range g.Keys {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.ReplaceAll(k.Key, " ", "` `"), strings.ReplaceAll(k.Name, "|", `\|`), placeNames(k.Key, g.Title))
		}
	}
	return b.String()
}

func placeNames(name, group string) string {
	for _, b := range allBindings {
		if b.name != name || b.group != group {
			continue
		}
		if b.where == anywhere {
			return "everywhere"
		}
		var s []string
		for _, p := range places {
			if b.where&p.at != 0 {
				s = append(s, p.name)
			}
		}
		return strings.Join(s, ", ")
	}
	return ""
}
