package ring

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/capture/pcapfile"
	"spiketop/capture/recorder"
)

// bench is a ring with two NICs, whose clock and disk the test moves.
type bench struct {
	*testing.T
	dir        string
	r          *Ring
	now        time.Time
	free       float64 // of the file system
	said       []string
	eth0, eth1 *recorder.Memory
	stamp      int64
	n          int // frames of rounds
}

func newBench(t *testing.T, change func(*Config)) *bench {
	b := &bench{T: t, dir: filepath.Join(t.TempDir(), "ring"), now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), free: 0.5}
	b.stamp = b.now.UnixNano()
	b.eth0, b.eth1 = memory(t), memory(t)
	b.open(change)
	return b
}

func memory(t *testing.T) *recorder.Memory {
	m, err := recorder.New(4<<20, 128)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func (b *bench) open(change func(*Config)) {
	b.Helper()
	cfg := Config{Dir: b.dir, Size: LeastSize, Snaplen: 128, Application: "spiketop test", Unnamed: "vif, captured by spiketop on nc1",
		Say: func(s string) { b.said = append(b.said, s) }, Now: func() time.Time { return b.now },
		Statfs: func(string) (uint64, uint64, error) { return uint64(b.free * 1e12), 1e12, nil }}
	if change != nil {
		change(&cfg)
	}
	r, err := Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.r = r
	b.name("eth0")
}

func (b *bench) name(first string) {
	b.r.SetSources([]Source{{Memory: b.eth0, Name: first, Description: "member of bond0, captured by spiketop on nc1", Speed: 25e9}, {Memory: b.eth1, Name: "eth1"}})
}

// frame adds a frame with its number as its bytes, a millisecond after the last.
func (b *bench) frame(m *recorder.Memory, n int, change func(*recorder.Frame)) {
	b.stamp += int64(time.Millisecond)
	f := recorder.Frame{Stamp: b.stamp, Len: 1514, Data: fmt.Appendf(nil, "%-100d", n)}
	if change != nil {
		change(&f)
	}
	m.Begin()
	m.Add(&f)
	m.End()
}

// round is what happens every 300 ms.
func (b *bench) round() {
	b.now = b.now.Add(roundEvery)
	for b.r.Round() {
	}
}

// rounds are k busy ones: 1000 frames each, numbered from 1.
func (b *bench) rounds(k int) {
	for range k {
		for range 1000 {
			b.n++
			b.frame(b.eth0, b.n, nil)
		}
		b.round()
	}
}

func (b *bench) files() []string {
	list, err := filepath.Glob(filepath.Join(b.dir, "spiketop-ring-*"))
	if err != nil {
		b.Fatal(err)
	}
	return list
}

func (b *bench) size() (n int64) {
	for _, f := range b.files() {
		st, err := os.Stat(f)
		if err != nil {
			b.Fatal(err)
		}
		n += st.Size()
	}
	return n
}

// packet is what a test looks at.
type packet struct {
	At    int64
	If    string
	Dir   pcapfile.Dir
	Len   int
	Text  string
	Drops uint64
	Seg   uint16
}

// read reads all files in the order of their names.
func (b *bench) read() (out []packet) {
	b.Helper()
	for _, f := range b.files() {
		out = append(out, b.readFile(f)...)
	}
	return out
}

func (b *bench) readFile(name string) (out []packet) {
	b.Helper()
	f, err := pcapfile.Open(name, pcapfile.Options{})
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	defer f.Close()
	var p pcapfile.Packet
	for {
		if err := f.Next(&p); err == io.EOF {
			return out
		} else if err != nil {
			b.Fatalf("%s: %v", name, err)
		}
		out = append(out, packet{p.At, f.Interfaces()[p.Interface].Name, p.Dir, p.Len, strings.TrimSpace(string(p.Data)), p.Drops, p.SegSize})
	}
}

func (b *bench) numbers() (out []string) {
	for _, p := range b.read() {
		out = append(out, p.Text)
	}
	return out
}

func TestRing(t *testing.T) {
	b := newBench(t, nil)
	b.frame(b.eth0, 1, nil)
	b.frame(b.eth1, 2, func(f *recorder.Frame) { f.Outgoing, f.GSOSize, f.Len = true, 1448, 29026 })
	b.round()
	b.eth0.Lose(7)
	b.frame(b.eth0, 3, func(f *recorder.Frame) { f.HasVLAN, f.VLANTCI = true, 100 })
	b.round()
	// eth1 was read late: its frame is older than what eth0 has delivered already.
	b.frame(b.eth1, 4, func(f *recorder.Frame) { f.Stamp -= int64(1500 * time.Microsecond) })
	b.frame(b.eth0, 5, nil)
	b.round()
	b.r.Close()
	at := func(ms float64) int64 { return b.stamp + int64((ms-5)*1e6) }
	want := []packet{
		{at(1), "eth0", pcapfile.DirIn, 1514, "1", 0, 0},
		{at(2), "eth1", pcapfile.DirOut, 29026, "2", 0, 1448},
		{at(2.5), "eth1", pcapfile.DirIn, 1514, "4", 0, 0},
		{at(3), "eth0", pcapfile.DirIn, 1518, "3", 7, 0},
		{at(5), "eth0", pcapfile.DirIn, 1514, "5", 0, 0},
	}
	got := b.read()
	for i := range got { // a tag stands between the addresses and the rest
		got[i].Text = strings.TrimSpace(strings.ReplaceAll(got[i].Text, "\x81\x00\x00\x64", ""))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(b.said) > 0 {
		t.Errorf("said %q", b.said)
	}
	if st, err := os.Stat(b.files()[0]); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}

// TestSize: the ring never exceeds its size, loses the oldest first and nothing in
// between, and touches no file but its own.
func TestSize(t *testing.T) {
	b := newBench(t, nil)
	foreign := []string{"a.pcapng", "spiketop-ring-1.pcapng", "spiketop-ring-00000000-20260701T120000Z.pcapng.bak"}
	for _, name := range foreign {
		if err := os.WriteFile(filepath.Join(b.dir, name), make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own := func() (n int64) { return b.size() - 2000 } // two of them match the test's own pattern
	n := 0
	for range 200 { // 200 times 1000 frames of some 150 bytes: 30 MB
		for range 1000 {
			n++
			b.frame(b.eth0, n, nil)
		}
		b.round()
		if s := own(); s > LeastSize {
			t.Fatalf("%d bytes of %d", s, LeastSize)
		}
	}
	b.r.Close()
	for _, name := range foreign {
		if err := os.Remove(filepath.Join(b.dir, name)); err != nil {
			t.Error(err)
		}
	}
	if s := b.size(); s < LeastSize*3/4 {
		t.Errorf("only %d bytes are kept", s)
	}
	got := b.numbers()
	for i, text := range got {
		if want := fmt.Sprint(n - len(got) + i + 1); text != want {
			t.Fatalf("frame %s where %s belongs", text, want)
		}
	}
	if len(b.said) > 0 {
		t.Errorf("said %q", b.said)
	}
}

func TestTime(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Keep = time.Minute })
	for n := range 600 { // 3 minutes
		b.frame(b.eth0, n, nil)
		b.round()
	}
	names := b.files()
	if len(names) < pieces || len(names) > pieces+3 {
		t.Errorf("%d files", len(names))
	}
	got := b.numbers()
	if first := got[0]; first < "380" || first > "420" || got[len(got)-1] != "598" { // one waits
		t.Errorf("frames %s to %s", first, got[len(got)-1])
	}
	for range 400 { // and then silence: what is old goes all the same
		b.round()
	}
	if names := b.files(); len(names) > 0 {
		t.Errorf("left %q", names)
	}
}

// TestNextRun: what an earlier run has left counts, and goes first.
func TestNextRun(t *testing.T) {
	b := newBench(t, nil)
	b.frame(b.eth0, 1, nil)
	if _, err := Open(Config{Dir: b.dir, Size: LeastSize}); err == nil || !strings.Contains(err.Error(), ErrBusy.Error()) {
		t.Errorf("a second ring in the same directory: %v", err)
	}
	b.r.Close()
	first := b.files()
	b.eth0 = memory(t)
	b.now = b.now.Add(-time.Hour) // the clock was set back meanwhile
	b.open(nil)
	b.frame(b.eth0, 2, nil)
	b.r.Close()
	if diff := cmp.Diff([]string{"1", "2"}, b.numbers()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	big := filepath.Join(b.dir, filepath.Base(first[0]))
	if err := os.Truncate(big, LeastSize-1000); err != nil {
		t.Fatal(err)
	}
	b.eth0 = memory(t)
	b.open(nil)
	for n := range 10 {
		b.frame(b.eth0, 3+n, nil)
	}
	b.r.Close()
	if slices.Contains(b.files(), big) {
		t.Error("the oldest is still there")
	}
	if got := b.numbers(); len(got) != 11 || got[0] != "2" {
		t.Errorf("kept %q", got)
	}
}

// TestNearlyFull: with under 5 % free the ring takes no more than it has, and is
// still up to date; where it has nothing it waits, and says so.
func TestNearlyFull(t *testing.T) {
	b := newBench(t, nil)
	b.free = 0.04
	b.rounds(3)
	if len(b.files()) > 0 || len(b.said) != 1 || !strings.Contains(b.said[0], "nearly full") {
		t.Errorf("wrote %q, said %q", b.files(), b.said)
	}
	b.free, b.now = 0.5, b.now.Add(time.Minute)
	b.rounds(30)
	if len(b.said) != 2 || !strings.Contains(b.said[1], "goes on; ") {
		t.Errorf("said %q", b.said)
	}
	if p := b.read()[0]; p.Drops == 0 || fmt.Sprint(p.Drops+1) != p.Text { // all before the first are told as lost
		t.Errorf("first is %+v", p)
	}
	b.free = 0.04
	before := b.size()
	b.rounds(60)
	if after := b.size(); after > before+1000 {
		t.Errorf("grew from %d to %d", before, after)
	}
	if got := b.numbers(); got[len(got)-1] < fmt.Sprint(b.n-1100) || len(b.said) != 2 {
		t.Errorf("up to %s of %d, said %q", got[len(got)-1], b.n, b.said)
	}
	b.r.Close()
}

// newBenchOn is a bench on a file system of a size, whose room statfs does not tell.
func newBenchOn(t *testing.T, size string) *bench {
	t.Helper()
	b := newBench(t, nil)
	b.r.Close()
	if err := syscall.Mount("tmpfs", b.dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mount tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(b.dir, 0); err != nil {
			t.Error(err)
		}
	})
	b.open(nil)
	return b
}

// TestQuota: where the kernel refuses more than some bytes, as with a quota, the
// ring lives within them: the oldest frames go, none is missing in between.
func TestQuota(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot mount a small file system")
	}
	b := newBenchOn(t, "4m")
	for range 4 { // the ring tries to grow again after a minute
		b.rounds(25)
		b.now = b.now.Add(holdFor)
	}
	b.r.Close()
	got := b.numbers()
	if len(got) < 5000 || got[len(got)-1] != fmt.Sprint(b.n) || len(b.said) > 0 {
		t.Fatalf("%d frames up to %s of %d, said %q", len(got), got[len(got)-1], b.n, b.said)
	}
	for i, text := range got {
		if want := fmt.Sprint(b.n - len(got) + 1 + i); text != want {
			t.Fatalf("frame %s, want %s", text, want)
		}
	}
}

// TestUndeletable: what cannot be deleted is said once, takes its room, and keeps
// nobody from writing.
func TestUndeletable(t *testing.T) {
	b := newBench(t, nil)
	b.rounds(30)
	old := b.files()[0]
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(old, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.rounds(200) // 34 MB into a ring of 16
	b.r.Close()
	if err := os.RemoveAll(old); err != nil {
		t.Fatal(err)
	}
	got := b.numbers()
	if got[len(got)-1] != fmt.Sprint(b.n) || got[0] == "1" || b.size() > LeastSize {
		t.Errorf("frames %s to %s of %d, %d bytes", got[0], got[len(got)-1], b.n, b.size())
	}
	if len(b.said) != 1 || !strings.Contains(b.said[0], "delete "+filepath.Base(old)) {
		t.Errorf("said %q", b.said)
	}
}

// TestBacklog: where much waits, of one NIC far more than of the other, the frames
// are in the order of time still.
func TestBacklog(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Size = 1 << 30 })
	busy, calm := hugeMemory(t), memory(t)
	b.r.SetSources([]Source{{Memory: busy, Name: "eth0"}, {Memory: calm, Name: "eth1"}})
	for n := range 300_000 {
		if n%20 == 0 {
			b.frame(calm, n, nil)
		} else {
			b.frame(busy, n, nil)
		}
	}
	for range 4 {
		b.round()
	}
	b.r.Close()
	got := b.read()
	for i := 1; i < len(got); i++ {
		if got[i].At < got[i-1].At {
			t.Fatalf("frame %d: %s behind %s", i, got[i].Text, got[i-1].Text)
		}
	}
	if len(got) != 300_000 || len(b.said) > 0 {
		t.Errorf("%d frames, said %q", len(got), b.said)
	}
}

func hugeMemory(t *testing.T) *recorder.Memory {
	m, err := recorder.New(64<<20, 128)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// TestFull: a file system that refuses to take more costs frames, which are
// counted, and nothing else.
func TestFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot mount a small file system")
	}
	b := newBenchOn(t, "1m")
	b.rounds(12)
	if len(b.said) != 1 || !strings.Contains(b.said[0], "no space left") {
		t.Fatalf("said %q", b.said)
	}
	wrote := len(b.numbers()) // every file reads to its end
	if wrote < 4000 || wrote >= b.n-2000 {
		t.Errorf("%d frames of %d were written", wrote, b.n)
	}
	removed := len(b.readFile(b.files()[0]))
	if err := os.Remove(b.files()[0]); err != nil { // somebody makes room
		t.Fatal(err)
	}
	b.now = b.now.Add(time.Minute)
	b.rounds(2)
	b.r.Close()
	got := b.read()
	var drops uint64
	for _, p := range got {
		drops += p.Drops
	}
	if int(drops)+len(got)+removed != b.n || drops == 0 {
		t.Errorf("%d frames, %d in the removed file, %d now, %d told as lost", b.n, removed, len(got), drops)
	}
	if len(b.said) != 2 {
		t.Errorf("said %q", b.said)
	}
}

// TestKilled: at any moment the files hold whole blocks only.
func TestKilled(t *testing.T) {
	b := newBench(t, nil)
	for n := range 3000 {
		b.frame(b.eth0, n, nil)
		if n%100 == 99 {
			b.round()
		}
	}
	if got := b.numbers(); len(got) != 2900 { // the last round waits for what may come from eth1
		t.Errorf("%d frames could be read", len(got))
	}
	b.r.Close()
}

func TestDirectoryGone(t *testing.T) {
	b := newBench(t, nil)
	b.frame(b.eth0, 1, nil)
	b.round()
	b.round()
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	b.name("eth0-renamed") // which begins a file
	b.frame(b.eth0, 2, nil)
	b.round()
	b.r.Close()
	got := b.read()
	if len(got) != 1 || got[0].If != "eth0-renamed" || len(b.said) > 0 {
		t.Errorf("%+v, said %q", got, b.said)
	}
}

// TestFileDeleted: what follows goes into the next file.
func TestFileDeleted(t *testing.T) {
	b := newBench(t, nil)
	b.frame(b.eth0, 1, nil)
	b.round()
	b.round()
	if err := os.Remove(b.files()[0]); err != nil {
		t.Fatal(err)
	}
	b.frame(b.eth0, 2, nil)
	b.round()
	b.r.Close()
	if got := b.numbers(); len(got) != 1 || got[0] != "2" || len(b.said) > 0 {
		t.Errorf("frames %q, said %q", got, b.said)
	}
}

// TestStays: a file that is too old and cannot be deleted is said, and no reason to
// write nothing.
func TestStays(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Keep = time.Minute })
	b.frame(b.eth0, 1, nil)
	b.r.Close()
	old := b.files()[0]
	b.open(func(c *Config) { c.Keep = time.Minute })
	if err := os.Remove(old); err != nil { // a directory with something in it cannot be unlinked
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(old, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(200 * 365 * 24 * time.Hour) // mtime is the kernel's
	b.round()
	b.round()
	b.frame(b.eth0, 2, nil)
	b.r.Close()
	if err := os.RemoveAll(old); err != nil {
		t.Fatal(err)
	}
	if len(b.said) != 1 || !strings.Contains(b.said[0], "delete spiketop-ring-") {
		t.Errorf("said %q", b.said)
	}
	if got := b.numbers(); !slices.Contains(got, "2") {
		t.Errorf("frames %q", got)
	}
}

// TestOverrun: frames that were overwritten before they could be read are told.
func TestOverrun(t *testing.T) {
	b := newBench(t, nil)
	b.frame(b.eth0, 0, nil)
	b.round()
	for n := range 50_000 { // 8 MB into a memory of 4
		b.frame(b.eth0, n+1, nil)
	}
	b.round()
	b.r.Close()
	got := b.read()
	var drops uint64
	for _, p := range got {
		drops += p.Drops
	}
	if drops == 0 || int(drops)+len(got) != 50_001 || len(b.said) != 1 || !strings.Contains(b.said[0], fmt.Sprintf("%d frames came faster", drops)) {
		t.Errorf("%d frames, %d told as lost, said %q", len(got), drops, b.said)
	}
}

// TestShared: devices that share a memory are told apart, and have their place only
// in files where they have a frame.
func TestShared(t *testing.T) {
	b := newBench(t, nil)
	vifs := memory(t)
	b.r.SetSources([]Source{{Memory: b.eth0, Name: "eth0"}, {Memory: vifs, Ifindex: 7, Name: "023471", Description: "vif of vm_a, captured by spiketop on nc1", OnDemand: true},
		{Memory: vifs, Ifindex: 8, Name: "silent", OnDemand: true}, {Memory: vifs, Ifindex: 10, Name: "eth0", Skip: true}})
	for n, ifindex := range []uint32{7, 9, 10, 7} {
		b.frame(vifs, n, func(f *recorder.Frame) { f.Ifindex = ifindex })
	}
	b.r.Close()
	var got []string
	for _, p := range b.read() {
		got = append(got, p.If)
	}
	if diff := cmp.Diff([]string{"023471", "ifindex 9", "023471"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f, err := pcapfile.Open(b.files()[0], pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var p pcapfile.Packet
	for f.Next(&p) == nil {
	}
	var names []string
	for _, i := range f.Interfaces() {
		names = append(names, i.Name)
	}
	if diff := cmp.Diff([]string{"eth0", "023471", "ifindex 9"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSnaplen: frames whose tag was put back are as long as their interface says, and
// all interfaces say the same, without which tcpdump reads no such file.
func TestSnaplen(t *testing.T) {
	b := newBench(t, nil)
	vifs := memory(t)
	b.r.SetSources([]Source{{Memory: b.eth0, Name: "eth0"}, {Memory: vifs, Ifindex: 7, Name: "023471", OnDemand: true}})
	tagged := func(f *recorder.Frame) { f.Data, f.HasVLAN, f.VLANTCI, f.Ifindex = make([]byte, 128), true, 10, 7 }
	b.frame(b.eth0, 1, tagged)
	b.frame(vifs, 2, tagged)
	b.r.Close()
	f, err := pcapfile.Open(b.files()[0], pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var p pcapfile.Packet
	for range 2 {
		if err := f.Next(&p); err != nil {
			t.Fatal(err)
		}
		if i := f.Interfaces()[p.Interface]; len(p.Data) != 132 || i.SnapLen != 132 {
			t.Errorf("%d bytes of %s, whose snaplen is %d", len(p.Data), i.Name, i.SnapLen)
		}
	}
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Log("not read with tcpdump:", err)
		return
	}
	if out, err := exec.Command("tcpdump", "-nqtr", b.files()[0]).Output(); err != nil || strings.Count(string(out), "\n") != 2 {
		t.Errorf("tcpdump: %v\n%s", err, out)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]Config{
		"too small": {Dir: t.TempDir(), Size: LeastSize - 1},
		"too short": {Dir: t.TempDir(), Size: LeastSize, Keep: time.Second},
		"a file":    {Dir: file, Size: LeastSize},
		"below one": {Dir: filepath.Join(file, "ring"), Size: LeastSize},
	} {
		if r, err := Open(cfg); err == nil {
			r.Close()
			t.Errorf("%s: opened", name)
		}
	}
}
