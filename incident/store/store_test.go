package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/incident"
)

// at is the incident of the n-th second.
func at(n int) *incident.Incident {
	sent := time.Date(2026, 11, 21, 17, 47, 20, 962e6, time.UTC).Add(time.Duration(n) * time.Second)
	return &incident.Incident{ID: incident.NewID(sent, "10.1.16.55"), Host: "nc1", Trigger: incident.Trigger{Sent: sent}}
}

func id(n int) string { return at(n).ID }

func text(name, content string) Attachment {
	return Attachment{name, func(w io.Writer) error { _, err := io.WriteString(w, content); return err }}
}

// roomy are options that do not depend on this machine's disk.
func roomy(o Options) Options {
	if o.Statfs == nil {
		o.Statfs = func(string) (uint64, uint64, error) { return 50, 100, nil }
	}
	return o
}

func open(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, roomy(o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// tree lists everything below dir with its mode.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	out := []string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		fi, err := e.Info()
		rel, _ := filepath.Rel(dir, p)
		out = append(out, fmt.Sprintf("%s %s", fi.Mode(), rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestWrite(t *testing.T) {
	base := filepath.Join(t.TempDir(), "state", "incidents")
	s := open(t, base, Options{})
	dir, err := s.Write(at(0), []Attachment{text("screen.txt", "the screen\n")})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(base, id(0)); dir != want {
		t.Errorf("Write = %q, want %q", dir, want)
	}
	want := []string{"drwx------ " + id(0), "-rw------- " + id(0) + "/flows.csv", "-rw------- " + id(0) + "/incident.json",
		"-rw------- " + id(0) + "/incident.md", "-rw------- " + id(0) + "/screen.txt"}
	if diff := cmp.Diff(want, tree(t, base)); diff != "" {
		t.Errorf("on disk (-want +got):\n%s", diff)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "screen.txt")); err != nil || string(b) != "the screen\n" {
		t.Errorf("screen.txt = %q, %v", b, err)
	}
	if got := readID(t, dir); got != id(0) {
		t.Errorf("incident.json has ID %q, want %q", got, id(0))
	}
}

func readID(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "incident.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := incident.ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	return in.ID
}

func TestClash(t *testing.T) {
	base := t.TempDir()
	s := open(t, base, Options{})
	if err := os.WriteFile(filepath.Join(base, id(0)+".3"), nil, 0o600); err != nil { // a name may be taken by a file too
		t.Fatal(err)
	}
	in := at(0)
	for _, want := range []string{id(0), id(0) + ".2", id(0) + ".4"} {
		dir, err := s.Write(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := filepath.Base(dir); got != want || readID(t, dir) != want {
			t.Errorf("directory %q, ID inside %q, want %q", got, readID(t, dir), want)
		}
		md, err := os.ReadFile(filepath.Join(dir, "incident.md"))
		if err != nil || !strings.Contains(string(md), "`"+want+"`") {
			t.Errorf("incident.md does not name %q (%v):\n%s", want, err, md)
		}
	}
	if in.ID != id(0) {
		t.Errorf("Write changed the incident's ID to %q", in.ID)
	}
}

// A writer that fails, or panics, half way leaves nothing; the same incident can
// be written afterwards under its own name.
func TestHalfWrittenLeavesNothing(t *testing.T) {
	boom := errors.New("boom")
	base := t.TempDir()
	s := open(t, base, Options{})
	half := Attachment{"screen.txt", func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 100_000)); err != nil {
			return err
		}
		if got := len(names(t, base)); got != 1 {
			t.Errorf("%d names while writing, want the temporary one", got)
		}
		return boom
	}}
	dir, err := s.Write(at(0), []Attachment{half})
	if want := "incidents " + base + ": write screen.txt: boom"; dir != "" || !errors.Is(err, boom) || err.Error() != want {
		t.Errorf("Write = %q, %v, want %s", dir, err, want)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic of an attachment was swallowed")
			}
		}()
		_, _ = s.Write(at(0), []Attachment{{"screen.txt", func(io.Writer) error { panic("boom") }}})
	}()
	if diff := cmp.Diff([]string{}, names(t, base)); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
	if dir, err := s.Write(at(0), nil); err != nil || filepath.Base(dir) != id(0) {
		t.Errorf("Write again = %q, %v", dir, err)
	}
}

func TestBadArguments(t *testing.T) {
	base := t.TempDir()
	s := open(t, base, Options{})
	for _, badID := range []string{"", "x", "../" + id(0), id(0) + "/x", ".tmp-" + id(0)} {
		if dir, err := s.Write(&incident.Incident{ID: badID}, nil); dir != "" || err == nil {
			t.Errorf("ID %q: Write = %q, %v, want an error", badID, dir, err)
		}
	}
	for _, bad := range []string{"", ".", "..", ".hidden", "a/b", "/a", "incident.json", "flows.csv"} {
		if dir, err := s.Write(at(0), []Attachment{text(bad, "")}); dir != "" || err == nil {
			t.Errorf("attachment %q: Write = %q, %v, want an error", bad, dir, err)
		}
	}
	if dir, err := s.Write(at(0), []Attachment{text("a", ""), text("a", "")}); dir != "" || err == nil {
		t.Errorf("twice the same attachment: Write = %q, %v, want an error", dir, err)
	}
	if got := names(t, base); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestKeep(t *testing.T) {
	base := t.TempDir()
	s := open(t, base, Options{Keep: 3})
	outside := filepath.Join(t.TempDir(), "precious")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(p string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, []byte("{}"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	// None of these is an incident of ours, though all are older or look alike.
	write(filepath.Join(base, "20200101T000000.000Z-file"))
	write(filepath.Join(base, "20200101T000000.000Z-other", "notes.txt"))
	write(filepath.Join(base, "2020-backup", "incident.json"))
	write(filepath.Join(outside, "incident.json"))
	if err := os.Symlink(outside, filepath.Join(base, "20200101T000000.000Z-link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(base, "20200101T000000.000Z-inner"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "incident.json"), filepath.Join(base, "20200101T000000.000Z-inner", "incident.json")); err != nil {
		t.Fatal(err)
	}
	foreign := names(t, base)
	for n := range 5 {
		if _, err := s.Write(at(n), nil); err != nil {
			t.Fatal(err)
		}
	}
	want := append(slices.Clone(foreign), id(2), id(3), id(4))
	slices.Sort(want)
	if diff := cmp.Diff(want, names(t, base)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if got := names(t, outside); len(got) != 1 {
		t.Errorf("a symbolic link was followed: %v", got)
	}
}

func TestMaxBytes(t *testing.T) {
	base := t.TempDir()
	big := text("packets.pcapng", strings.Repeat("x", 100_000))
	s := open(t, base, Options{MaxBytes: 250_000}) // two of 100 kB and some, not three
	for n := range 4 {
		if _, err := s.Write(at(n), []Attachment{big}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{id(2), id(3)}, names(t, base)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	// The clock went back: the new one is the oldest by name, and stays.
	if _, err := s.Write(at(-100), []Attachment{big}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{id(-100), id(3)}, names(t, base)); diff != "" {
		t.Errorf("kept after the clock went back (-want +got):\n%s", diff)
	}
	if dir, err := s.Write(at(9), []Attachment{text("a", strings.Repeat("x", 300_000))}); dir != "" || !errors.Is(err, errTooLarge) {
		t.Errorf("larger than everything may be: Write = %q, %v", dir, err)
	}
	if diff := cmp.Diff([]string{id(-100), id(3)}, names(t, base)); diff != "" {
		t.Errorf("kept after one too large (-want +got):\n%s", diff)
	}
}

func TestDiskFull(t *testing.T) {
	base := t.TempDir()
	free := uint64(49)
	asked := ""
	s := open(t, base, Options{Statfs: func(dir string) (uint64, uint64, error) { asked = dir; return free * 1e9, 1000 * 1e9, nil }})
	dir, err := s.Write(at(0), nil)
	want := "incidents " + base + ": disk full: 49.0GB (4.9%) free, nothing is written under 5.0%"
	if dir != "" || !errors.Is(err, ErrDiskFull) || err.Error() != want {
		t.Errorf("Write = %q, %v\nwant %s", dir, err, want)
	}
	if asked != base || len(names(t, base)) != 0 {
		t.Errorf("asked about %q, left %v", asked, names(t, base))
	}
	free = 50 // exactly 5 %
	if _, err := s.Write(at(0), nil); err != nil {
		t.Errorf("Write with 5 %% free: %v", err)
	}
	full := Attachment{"screen.txt", func(io.Writer) error {
		return &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}}
	dir, err = s.Write(at(1), []Attachment{full})
	want = "incidents " + base + ": disk full: write screen.txt: no space left on device"
	if dir != "" || !errors.Is(err, ErrDiskFull) || err.Error() != want {
		t.Errorf("Write = %q, %v\nwant %s", dir, err, want)
	}
	none := open(t, base, Options{MinFree: -1, Statfs: func(string) (uint64, uint64, error) { return 0, 100, nil }})
	if _, err := none.Write(at(2), nil); err != nil {
		t.Errorf("Write without a limit: %v", err)
	}
}

func TestKernelStatfs(t *testing.T) {
	available, total, err := statfs(t.TempDir())
	if err != nil || total == 0 || available > total {
		t.Errorf("statfs = %d of %d, %v", available, total, err)
	}
}

func TestLeftOvers(t *testing.T) {
	base := t.TempDir()
	first := open(t, base, Options{})
	killed := filepath.Join(base, tmpPrefix+id(7))
	if err := os.MkdirAll(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{tmpPrefix + "mine", ".other"} {
		if err := os.Mkdir(filepath.Join(base, foreign), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// A second run starts while the first is writing: it removes what the killed
	// one left, and leaves what a living one holds.
	inside := Attachment{"screen.txt", func(io.Writer) error {
		open(t, base, Options{})
		if diff := cmp.Diff([]string{".other", tmpPrefix + id(0), tmpPrefix + "mine"}, names(t, base)); diff != "" {
			t.Errorf("while writing (-want +got):\n%s", diff)
		}
		return nil
	}}
	if _, err := first.Write(at(0), []Attachment{inside}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{".other", tmpPrefix + "mine", id(0)}, names(t, base)); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
}

func TestOpenFails(t *testing.T) {
	tmp := t.TempDir()
	file := filepath.Join(tmp, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, dir, want string
		class           error
	}{
		{"no name", "", "incidents: no directory given, and no home directory to put one in", nil},
		{"a file in its place", file, "incidents " + file + ": not a directory", syscall.ENOTDIR},
		{"a file on the way", filepath.Join(file, "x"), "incidents " + filepath.Join(file, "x") + ": not a directory", syscall.ENOTDIR},
		{"a file system without files", "/proc/spiketop", "incidents /proc/spiketop: no such file or directory", fs.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(tt.dir, roomy(Options{}))
			if err == nil || err.Error() != tt.want {
				t.Fatalf("Open = %v, want %s", err, tt.want)
			}
			if tt.class != nil && !errors.Is(err, tt.class) {
				t.Errorf("%v is not %v", err, tt.class)
			}
		})
	}
}

// asNobody runs f without root's right to write everywhere: the kernel takes the
// file capabilities from a thread whose file system user is not root.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() == 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	f()
}

func TestUnwritable(t *testing.T) {
	tmp := t.TempDir()
	base := filepath.Join(tmp, "incidents")
	if err := errors.Join(os.Chmod(filepath.Dir(tmp), 0o755), os.Chmod(tmp, 0o755), os.Mkdir(base, 0o555)); err != nil {
		t.Fatal(err)
	}
	var openErr error
	asNobody(t, func() {
		var s *Store
		if s, openErr = Open(base, roomy(Options{})); s != nil {
			s.Close()
		}
	})
	if want := "incidents " + base + ": permission denied"; openErr == nil || openErr.Error() != want || !errors.Is(openErr, fs.ErrPermission) {
		t.Errorf("Open = %v, want %s", openErr, want)
	}
}

// A file takes the directory's place while the program runs; when it is gone,
// the next try succeeds.
func TestTroubleWhileRunning(t *testing.T) {
	base := filepath.Join(t.TempDir(), "incidents")
	s := open(t, base, Options{})
	if err := errors.Join(os.RemoveAll(base), os.WriteFile(base, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	dir, err := s.Write(at(0), nil)
	if want := "incidents " + base + ": not a directory"; dir != "" || err == nil || err.Error() != want {
		t.Errorf("Write = %q, %v, want %s", dir, err, want)
	}
	if err := os.Remove(base); err != nil {
		t.Fatal(err)
	}
	if dir, err := s.Write(at(0), nil); err != nil || dir != filepath.Join(base, id(0)) {
		t.Errorf("Write = %q, %v after the file was removed", dir, err)
	}
}

// TestDirectoryRemoved: somebody tidies up while the monitor runs. The next
// incident makes the directory anew, and one that was put in its place is used.
func TestDirectoryRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "incidents")
	s := open(t, dir, Options{})
	for n, tidy := range []func() error{
		func() error { return os.RemoveAll(filepath.Dir(dir)) },
		func() error { return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700)) },
	} {
		if err := tidy(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(at(n), nil); err != nil {
			t.Fatalf("write after it was removed: %v", err)
		}
		if diff := cmp.Diff([]string{id(n)}, names(t, dir)); diff != "" {
			t.Errorf("directory (-want +got)\n%s", diff)
		}
	}
}

func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	base := filepath.Join(t.TempDir(), "incidents")
	s := open(t, base, Options{UID: 12345, GID: 23456})
	dir, err := s.Write(at(0), []Attachment{text("screen.txt", "x")})
	if err != nil {
		t.Fatal(err)
	}
	owner := func(p string) [2]uint32 {
		fi, err := os.Lstat(p)
		if err != nil {
			t.Fatal(err)
		}
		st := fi.Sys().(*syscall.Stat_t)
		return [2]uint32{st.Uid, st.Gid}
	}
	for _, name := range append(names(t, dir), ".") {
		if got := owner(filepath.Join(dir, name)); got != [2]uint32{12345, 23456} {
			t.Errorf("%s belongs to %v, want 12345 23456", name, got)
		}
	}
	if got := owner(base); got != [2]uint32{0, 0} {
		t.Errorf("the directory of all incidents belongs to %v, want root", got)
	}
	if fi, err := os.Stat(base); err != nil || fi.Mode().Perm()&0o005 != 0o005 {
		t.Errorf("nobody but root gets through %s: %v %v", base, fi.Mode(), err)
	}
}

func TestDefaultDir(t *testing.T) {
	tests := []struct {
		name string
		euid int
		env  map[string]string
		want string
	}{
		{"root", 0, map[string]string{"HOME": "/root", "XDG_STATE_HOME": "/x"}, "/var/lib/spiketop/incidents"},
		{"state home", 1000, map[string]string{"HOME": "/home/a", "XDG_STATE_HOME": "/s"}, "/s/spiketop/incidents"},
		{"home", 1000, map[string]string{"HOME": "/home/a"}, "/home/a/.local/state/spiketop/incidents"},
		{"a relative state home is ignored", 1000, map[string]string{"HOME": "/home/a", "XDG_STATE_HOME": "s"}, "/home/a/.local/state/spiketop/incidents"},
		{"nothing", 1000, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := DefaultDir(tt.euid, func(k string) string { return tt.env[k] }); got != tt.want {
				t.Errorf("DefaultDir = %q, want %q", got, tt.want)
			}
		})
	}
}
