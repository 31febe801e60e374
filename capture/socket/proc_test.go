package socket

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spiketop/flow"
)

// tree is a made-up proc file system.
type tree struct {
	t    testing.TB
	root string
}

// newTree makes one with kthreadd in it, as the whole host's has.
func newTree(t testing.TB) *tree {
	tr := &tree{t, t.TempDir()}
	tr.process(1, "systemd", 10)
	tr.process(2, "kthreadd", 10)
	return tr
}

func (tr *tree) write(pid int, file, text string) {
	tr.t.Helper()
	if err := os.WriteFile(filepath.Join(tr.root, strconv.Itoa(pid), file), []byte(text), 0o600); err != nil {
		tr.t.Fatal(err)
	}
}

func statLine(pid int, comm string, state byte, start uint64) string {
	// pid (comm) state ppid ... with 18 fields between state and starttime.
	return fmt.Sprintf("%d (%s) %c %s%d 0 0\n", pid, comm, state, strings.Repeat("0 ", 18), start)
}

func (tr *tree) process(pid int, comm string, start uint64, inodes ...uint32) {
	tr.t.Helper()
	if err := os.MkdirAll(filepath.Join(tr.root, strconv.Itoa(pid), "fd"), 0o700); err != nil {
		tr.t.Fatal(err)
	}
	tr.write(pid, "stat", statLine(pid, comm, 'S', start))
	tr.write(pid, "comm", comm+"\n")
	for i, inode := range inodes {
		tr.fd(filepath.Join(strconv.Itoa(pid), "fd"), i+3, fmt.Sprintf("socket:[%d]", inode))
	}
}

func (tr *tree) fd(dir string, fd int, target string) {
	tr.t.Helper()
	if err := os.Symlink(target, filepath.Join(tr.root, dir, strconv.Itoa(fd))); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) exit(pid int) {
	tr.t.Helper()
	if err := os.RemoveAll(filepath.Join(tr.root, strconv.Itoa(pid))); err != nil {
		tr.t.Fatal(err)
	}
}

// fakeKernel has the connections that the test gives it.
type fakeKernel struct {
	inodes map[flow.Socket]uint32
	finds  int
	lists  int
}

func (k *fakeKernel) close() error { return nil }

func (k *fakeKernel) list(_ context.Context, _ uint8, _ uint32, _ func(*entry) bool) ([]entry, error) {
	k.lists++
	return nil, nil
}

func (k *fakeKernel) find(_ context.Context, reqs []request, found func(int, *entry, []byte)) error {
	k.finds++
	for i, r := range reqs {
		if inode, ok := k.inodes[r.socket]; ok {
			found(i, &entry{socket: r.socket, state: 1, inode: inode}, nil)
		}
	}
	return nil
}

// conn returns a made-up connection.
func conn(i int) flow.Socket {
	s := flow.Socket{Proto: flow.ProtoTCP, LocalPort: 9422, RemotePort: uint16(i)}
	flow.SetIPv4(&s.Local, []byte{10, 1, 16, 165})
	flow.SetIPv4(&s.Remote, []byte{10, 1, 16, 9})
	return s
}

// made is an Owners over a made-up host where connection i has inode 100+i.
func made(tr *tree, opt Options, conns int) (*Owners, *fakeKernel, []flow.Socket) {
	k := &fakeKernel{inodes: map[flow.Socket]uint32{}}
	var all []flow.Socket
	for i := range conns {
		k.inodes[conn(i)] = uint32(100 + i)
		all = append(all, conn(i))
	}
	opt.Proc = tr.root
	return newOwners(opt, k), k, all
}

func TestOwnersOfMadeUpHost(t *testing.T) {
	tr := newTree(t)
	tr.process(70, "ceph-osd", 500, 100, 101)
	tr.process(71, "ceph-osd", 501, 101)                   // shares 101 with 70
	tr.fd("1/fd", 3, "socket:[102]")                       // systemd keeps a service's socket
	tr.process(80, "chunkserver", 600, 102)                // and the service has it
	tr.process(90, "", 700)                                // its first thread has ended
	tr.write(90, "stat", statLine(90, "x) y (", 'Z', 700)) // with an odd name
	tr.write(90, "comm", "x) y (\n")
	if err := os.MkdirAll(filepath.Join(tr.root, "90/task/91/fd"), 0o700); err != nil {
		t.Fatal(err)
	}
	tr.fd("90/task/91/fd", 3, "socket:[103]")
	tr.fd("80/fd", 9, "pipe:[104]") // no socket
	o, _, all := made(tr, Options{}, 5)
	equal(t, ask(t, o, all...), map[flow.Socket]flow.Owner{
		all[0]: {PID: 70, Name: "ceph-osd"},
		all[1]: {PID: 70, Name: "ceph-osd"},
		all[2]: {PID: 80, Name: "chunkserver"},
		all[3]: {PID: 90, Name: "x) y ("},
		all[4]: {Kernel: true},
	})
}

func TestPIDUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		tr.process(70, "old", 500, 100)
		o, k, all := made(tr, Options{}, 1)
		equal(t, ask(t, o, all...), map[flow.Socket]flow.Owner{all[0]: {PID: 70, Name: "old"}})
		// Another process gets the number, another socket, the old connection is in TIME_WAIT.
		tr.exit(70)
		tr.process(70, "new", 900, 555)
		k.inodes[conn(0)] = 0
		k.inodes[conn(7)] = 555
		equal(t, ask(t, o, all[0], conn(7)), map[flow.Socket]flow.Owner{
			all[0]:  {PID: 70, Name: "old"}, // had it
			conn(7): {PID: 70, Name: "new"},
		})
		// The same 5-tuple once more, by nobody we can find: no memory of the old one.
		k.inodes[conn(0)] = 777
		tr.exit(2) // and nobody can be proved
		equal(t, ask(t, o, all[0]), map[flow.Socket]flow.Owner{})
		// The memory ends.
		k.inodes[conn(7)] = 0
		time.Sleep(memory - time.Second)
		equal(t, ask(t, o, conn(7)), map[flow.Socket]flow.Owner{conn(7): {PID: 70, Name: "new"}})
		time.Sleep(2 * time.Second)
		equal(t, ask(t, o, conn(7)), map[flow.Socket]flow.Owner{})
	})
}

func TestExecChangesName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		tr.process(70, "sh", 500, 100)
		o, _, all := made(tr, Options{}, 1)
		ask(t, o, all...)
		tr.process(70, "chunkserver", 500)
		time.Sleep(nameAge)
		equal(t, ask(t, o, all...), map[flow.Socket]flow.Owner{all[0]: {PID: 70, Name: "chunkserver"}})
	})
}

// TestPortions: a process with more descriptors than one question may look at
// is looked through over several.
func TestPortions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		var inodes []uint32
		for i := range 1000 {
			inodes = append(inodes, uint32(5000+i))
		}
		tr.process(60, "big", 400, inodes...)
		tr.process(70, "small", 500, 100)
		o, _, all := made(tr, Options{Look: 300}, 2) // 100 is small's, 101 nobody's
		var got []int
		for range 5 {
			owners, pending, err := o.Of(context.Background(), all, false)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, 10*len(owners)+pending)
			if pending == 0 {
				equal(t, owners, map[flow.Socket]flow.Owner{all[0]: {PID: 70, Name: "small"}, all[1]: {Kernel: true}})
			}
		}
		// 1001 descriptors in portions of 300: 300, 600, 900, then both answers, and no more.
		equal(t, got, []int{2, 2, 2, 20, 20})
	})
}

// TestScanGap: questions that find nothing do not look everywhere each time.
func TestScanGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		tr.process(70, "one", 500, 100)
		o, _, all := made(tr, Options{}, 3)
		o.Of(context.Background(), all[:1], false)
		tr.process(71, "two", 900, 101)
		asked := func() int {
			owners, _, err := o.Of(context.Background(), all[:2], false)
			if err != nil {
				t.Fatal(err)
			}
			return len(owners)
		}
		got := []int{asked()}
		time.Sleep(scanGap - time.Millisecond)
		got = append(got, asked())
		time.Sleep(time.Millisecond)
		got = append(got, asked())
		equal(t, got, []int{1, 1, 2})
		// A new socket of a process that owns an asked one is found at once.
		tr.fd("71/fd", 9, "socket:[102]")
		equal(t, ask(t, o, all...)[all[2]], flow.Owner{PID: 71, Name: "two"})
	})
}

// TestKernelVerdict: it needs every process of the host, and is looked at again.
func TestKernelVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		tr.exit(2)
		o, _, all := made(tr, Options{}, 1)
		a := o.Answer(context.Background(), Request{ID: 1, Sockets: all, Thorough: true})
		if len(a.Owners) != 0 || a.Pending != 0 || len(a.Missing) != 1 || a.Missing[0].What != AboutOthers {
			t.Fatalf("with not every process in sight: %+v", a)
		}
		if a = o.Answer(context.Background(), Request{ID: 2, Sockets: all, Thorough: true}); len(a.Missing) != 0 {
			t.Fatalf("said again: %+v", a.Missing)
		}
		tr.process(2, "kthreadd", 10)
		time.Sleep(firstLook)
		equal(t, ask(t, o, all...), map[flow.Socket]flow.Owner{all[0]: {Kernel: true}})
		tr.process(70, "late", 500, 100) // it was on its way from one process to another
		equal(t, ask(t, o, all...), map[flow.Socket]flow.Owner{all[0]: {Kernel: true}})
		time.Sleep(2 * firstLook)
		equal(t, ask(t, o, all...), map[flow.Socket]flow.Owner{all[0]: {PID: 70, Name: "late"}})
	})
}

func TestNoProc(t *testing.T) {
	tr := &tree{t, t.TempDir()}
	if err := os.Remove(tr.root); err != nil {
		t.Fatal(err)
	}
	o, _, all := made(tr, Options{}, 1)
	a := o.Answer(context.Background(), Request{Sockets: all})
	if len(a.Missing) != 1 || a.Missing[0].What != AboutOthers || a.Missing[0].Remedy == "" || len(a.Owners) != 0 {
		t.Errorf("without /proc: %+v", a)
	}
}

func TestCancelled(t *testing.T) {
	tr := newTree(t)
	tr.process(70, "one", 500, 100)
	o, _, all := made(tr, Options{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if owners, pending, _ := o.Of(ctx, all, true); len(owners) != 0 || pending != 1 {
		t.Errorf("cancelled: %v, %d pending, want none, 1", owners, pending)
	}
	equal(t, ask(t, o, all...), map[flow.Socket]flow.Owner{all[0]: {PID: 70, Name: "one"}})
}

func TestTooMany(t *testing.T) {
	tr := newTree(t)
	o, k, all := made(tr, Options{}, MaxAsked+5)
	for s := range k.inodes {
		k.inodes[s] = 0
	}
	o.Of(context.Background(), all, false)
	for _, s := range all {
		o.past[s] = past{flow.Owner{PID: 1}, time.Now()}
	}
	if owners, _, _ := o.Of(context.Background(), all, false); len(owners) != MaxAsked {
		t.Errorf("%d answers to %d questions, want %d", len(owners), len(all), MaxAsked)
	}
}

func TestParseStat(t *testing.T) {
	for _, c := range []struct {
		name, text string
		state      byte
		start      uint64
		ok         bool
	}{
		{"plain", statLine(7, "bash", 'S', 12345), 'S', 12345, true},
		{"parentheses and blanks in the name", statLine(7, ") Z 1 (", 'R', 9), 'R', 9, true},
		{"too short", "7 (bash) S 1 2 3", 0, 0, false},
		{"no name", "7 bash S", 0, 0, false},
		{"empty", "", 0, 0, false},
		{"no number", strings.Replace(statLine(7, "x", 'S', 77), "77", "-1", 1), 'S', 0, false},
	} {
		state, start, ok := parseStat([]byte(c.text))
		if ok != c.ok || ok && (state != c.state || start != c.start) {
			t.Errorf("%s: %c %d %v, want %c %d %v", c.name, state, start, ok, c.state, c.start, c.ok)
		}
	}
}

func FuzzProc(f *testing.F) {
	f.Add("socket:[4294967295]")
	f.Add(statLine(7, ") Z 1 (", 'R', 9))
	f.Fuzz(func(t *testing.T, text string) {
		if inode, ok := socketInode([]byte(text)); ok && text != fmt.Sprintf("socket:[%d]", inode) && !strings.HasPrefix(text, "socket:[0") {
			t.Fatalf("%q is inode %d", text, inode)
		}
		if n := parseComm([]byte(text)); len(n) > maxComm || !strings.HasPrefix(text, n) {
			t.Fatalf("%q is the name %q", text, n)
		}
		parseStat([]byte(text))
		if n, ok := number(text, 1<<31-1); ok {
			if m, err := strconv.ParseUint(text, 10, 31); err != nil || m != n {
				t.Fatalf("%q is %d", text, n)
			}
		}
	})
}
