package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// arrows says which of our rooms each room may import besides itself. An arrow
// that is not here does not exist; docs/ARCHITECTURE.md draws the same ones.
var arrows = map[string]struct{ may, why string }{
	".":        {"flow probe capture incident ui", "package main wires everything"},
	"flow":     {"", "what traffic is must not depend on where it comes from"},
	"probe":    {"flow", "a ping is measured by the stamps of flow.Echo"},
	"capture":  {"flow", "bytes in, records out; who judges them is not its business"},
	"incident": {"flow probe", "the core judges values; it neither captures nor draws"},
	"ui":       {"flow probe incident", "screens draw immutable values and reach no kernel"},
}

// homes says in which room alone a library may be imported, so that changing it
// stays a change of one room. Tests count for gopacket: its decoders meet
// hostile bytes only behind our own checks.
var homes = map[string]struct{ room, why string }{
	"github.com/rivo/tview":                    {"ui", "the terminal is drawn in one place"},
	"github.com/gdamore/tcell/v2":              {"ui", "the terminal is drawn in one place"},
	"github.com/prometheus-community/pro-bing": {"probe", "behind the wrapper that knows its traps"},
	"github.com/vishvananda/netlink":           {"capture", "kernel tables are read in one place"},
	"github.com/google/gopacket":               {"capture/decode", "changing to its maintained fork must stay one line"},
	"github.com/digitalocean/go-libvirt":       {"capture/host", "behind the guard that bounds what its reader believes"},
	"github.com/goccy/go-yaml":                 {".", "only package main reads the configuration file"},
	"github.com/spf13/cobra":                   {".", "flags belong to the program, not to its parts"},
}

// pure rooms take time as a parameter and start no goroutine.
var pure = []string{"flow", "incident", "incident/far", "capture/decode", "capture/dissect", "flow/stats", "probe/hops"}

// sources calls f for every Go file of the program, tests included.
func sources(t *testing.T, f func(path string, file *ast.File)) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		n++
		f(filepath.ToSlash(path), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 20 {
		t.Fatalf("only %d source files found: the test looks in the wrong place", n)
	}
}

func room(path string) string {
	dir, _, _ := strings.Cut(filepath.ToSlash(filepath.Dir(path)), "/")
	return dir
}

// TestImportArrows reads the files itself: the test cache then knows that it
// depends on them, which it would not if the test asked a child process.
func TestImportArrows(t *testing.T) {
	sources(t, func(path string, file *ast.File) {
		from := room(path)
		isTest := strings.HasSuffix(path, "_test.go") || from == "testdata"
		for _, spec := range file.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			if to, ok := strings.CutPrefix(imp, "spiketop/"); ok && !isTest {
				checkArrow(t, path, from, room(to+"/x"))
			}
			checkHome(t, path, imp)
		}
	})
}

func checkArrow(t *testing.T, path, from, to string) {
	a, known := arrows[from]
	if !known {
		t.Errorf("%s: room %q is not in the plan of the house", path, from)
		return
	}
	if to != from && !slices.Contains(strings.Fields(a.may), to) {
		t.Errorf("%s imports %s; %s may import only [%s]: %s", path, to, from, a.may, a.why)
	}
}

func checkHome(t *testing.T, path, imp string) {
	for lib, home := range homes {
		if imp != lib && !strings.HasPrefix(imp, lib+"/") {
			continue
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if dir != home.room && (home.room == "." || !strings.HasPrefix(dir, home.room+"/")) {
			t.Errorf("%s imports %s; only %s may: %s", path, lib, home.room, home.why)
		}
	}
}

// TestPureRooms forbids clocks and goroutines where time is a parameter.
func TestPureRooms(t *testing.T) {
	sources(t, func(path string, file *ast.File) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if !slices.Contains(pure, dir) || strings.HasSuffix(path, "_test.go") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine; %s is pure", path, dir)
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "Tick", "NewTimer", "NewTicker", "Sleep", "AfterFunc"}, n.Sel.Name) {
					t.Errorf("%s uses time.%s; in %s time is a parameter", path, n.Sel.Name, dir)
				}
			}
			return true
		})
	})
}

// TestLinksOfDocuments: what README and docs name in this repository exists.
func TestLinksOfDocuments(t *testing.T) {
	pages, _ := filepath.Glob("docs/*.md")
	target := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	n := 0
	for _, page := range append(pages, "README.md", "CHANGELOG.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range target.FindAllSubmatch(text, -1) {
			n++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), string(m[1]))); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if n == 0 {
		t.Error("no link found: the test looks for the wrong thing")
	}
}

// TestPackageComments: a package says in its comment what it is and who owns it.
func TestPackageComments(t *testing.T) {
	said := map[string]int{}
	sources(t, func(path string, file *ast.File) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		if _, seen := said[dir]; !seen {
			said[dir] = 0
		}
		if file.Doc != nil {
			said[dir]++
		}
	})
	for dir, n := range said {
		if n != 1 {
			t.Errorf("package %s has %d package comments, want one", dir, n)
		}
	}
}
