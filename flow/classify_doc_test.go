package flow

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the built-in table into docs/CLASSES.md")

// builtinTable is the table of the built-in rules as docs/CLASSES.md shows it.
func builtinTable() string {
	var b strings.Builder
	b.WriteString("| class | system | processes | ports | counted | source of the ports |\n|---|---|---|---|---|---|\n")
	for i := range builtins {
		r := &builtins[i]
		class, counted, list := r.Class.String(), "", []string{}
		if r.Label != "" {
			class += ", label " + r.Label
		}
		for _, p := range r.Ports {
			list = append(list, p.String())
		}
		switch {
		case len(r.Ports) == 0:
			counted = "by process"
		case r.OnlyProcess && len(r.Processes) == 0:
			counted = "not by port"
		case r.OnlyProcess:
			counted = "by process only"
		case r.OnlyKernel:
			counted = "by port, sockets of the kernel only"
		case len(r.Processes) == 0:
			counted = "by port"
		default:
			counted = "by process or port"
		}
		ports := strings.TrimSpace(strings.Join(list, ", ") + " " + r.Proto)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", class, r.System, code(r.Processes), ports, counted, r.Source)
	}
	return b.String()
}

func code(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "`" + strings.Join(list, "` `") + "`"
}

func TestBuiltinTableOfDocument(t *testing.T) {
	const file, begin, end = "../docs/CLASSES.md", "<!-- built-in table -->\n", "<!-- end of the table -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(text, []byte(begin))
	table, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	if *update {
		out := string(head) + begin + builtinTable() + end + string(tail)
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(builtinTable(), string(table)); diff != "" {
		t.Errorf("%s: -code +document, mend with go test ./flow -run Document -update:\n%s", file, diff)
	}
}

// The table is sound: ports in order, verified ones with a source, process
// names that the kernel can show, no line that can decide nothing.
func TestBuiltinTableIsSound(t *testing.T) {
	for i := range builtins {
		r := &builtins[i]
		if r.Class != Storage && r.Label == "" || r.Class != Host && r.Label != "" {
			t.Errorf("%s: class %v with label %q", r.System, r.Class, r.Label)
		}
		for _, p := range r.Ports {
			if p.Lo == 0 || p.Hi < p.Lo {
				t.Errorf("%s: ports %v", r.System, p)
			}
			if !r.OnlyProcess && r.Source == "" {
				t.Errorf("%s: port %v counts and has no source", r.System, p)
			}
			if e := findPort(ProtoTCP, p.Lo, true); !r.OnlyProcess && strings.Contains(r.Proto, "tcp") && (e == nil || e.rule != r) {
				t.Errorf("%s: port %v belongs to another line", r.System, p)
			}
		}
		for _, p := range r.Processes {
			if err := CheckProcess(p); err != nil {
				t.Errorf("%s: %s: %v", r.System, p, err)
			}
			comm := strings.TrimSuffix(p, "*")
			if got := builtinProcess(comm[:min(len(comm), commLen)]); got == nil || got.Class != r.Class || got.Label != r.Label {
				t.Errorf("%s: process %s belongs to another line", r.System, p)
			}
		}
		if len(r.Ports) > 0 && r.Proto == "" {
			t.Errorf("%s: ports of which protocol?", r.System)
		}
	}
	// Ports that every host uses for other things, or gives out, decide nothing.
	for _, p := range []uint16{22, 80, 443, 2379, 8006, 8008, 8080, 8443, 8500, 9000, 9500, 15000, 32768, 49152, 60999} {
		if e := findPort(ProtoTCP, p, false); e != nil {
			t.Errorf("port %d is taken for %s", p, e.rule.System)
		}
	}
}
