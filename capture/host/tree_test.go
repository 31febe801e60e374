package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// tree is a made-up /proc and /run.
type tree struct {
	t    testing.TB
	root string
}

const ownNetns = "net:[4026531840]"

func newTree(t testing.TB) *tree {
	tr := &tree{t: t, root: t.TempDir()}
	tr.link("proc/thread-self/ns/net", ownNetns)
	return tr
}

func (tr *tree) options() Options {
	return Options{Proc: filepath.Join(tr.root, "proc"), Run: filepath.Join(tr.root, "run")}
}

func (tr *tree) path(name string) string {
	p := filepath.Join(tr.root, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	return p
}

func (tr *tree) file(name, text string) {
	if err := os.WriteFile(tr.path(name), []byte(text), 0o644); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) link(name, target string) {
	if err := os.Symlink(target, tr.path(name)); err != nil {
		tr.t.Fatal(err)
	}
}

// process makes a process that began pid ticks after the boot.
func (tr *tree) process(pid int, netns, line string) {
	dir := "proc/" + strconv.Itoa(pid)
	tr.file(dir+"/cmdline", string(cmdline(line)))
	tr.file(dir+"/stat", fmt.Sprintf("%d (x) S %s%d", pid, strings.Repeat("0 ", 18), pid))
	tr.link(dir+"/ns/net", netns)
	tr.link(dir+"/fd/0", "/dev/null")
}

func (tr *tree) tun(pid, fd int, vif string) {
	dir := "proc/" + strconv.Itoa(pid)
	tr.link(fmt.Sprintf("%s/fd/%d", dir, fd), "/dev/net/tun")
	tr.file(fmt.Sprintf("%s/fdinfo/%d", dir, fd), "pos:\t0\nflags:\t0104002\niff:\t"+vif+"\n")
}

// fakeKernel answers like rtnetlink.
type fakeKernel struct {
	list   []device
	heard  []learned
	spaces map[int]int // our id of a namespace, by pid
	peers  map[int][6]byte
	failed error
}

func (k *fakeKernel) devices() ([]device, error)        { return k.list, k.failed }
func (k *fakeKernel) learned() ([]learned, error)       { return k.heard, nil }
func (k *fakeKernel) namespaceIDOf(fd int) (int, error) { return -1, unix.EINVAL }
func (k *fakeKernel) Close() error                      { return nil }

func (k *fakeKernel) namespaceID(pid int) (int, error) {
	if id, ok := k.spaces[pid]; ok {
		return id, nil
	}
	return -1, nil
}

func (k *fakeKernel) peerMAC(nsid, ifindex int) ([6]byte, error) {
	if m, ok := k.peers[ifindex]; ok {
		return m, nil
	}
	return [6]byte{}, unix.EPERM
}

func tap(ifindex int, name string, master int, mac string) device {
	return device{ifindex: ifindex, name: name, kind: "tun", ether: true, master: master, nsid: -1, mac: parseMAC(mac)}
}

func bridge(ifindex int, name string) device {
	return device{ifindex: ifindex, name: name, kind: "bridge", ether: true, nsid: -1, mac: parseMAC("0e:00:00:00:00:01")}
}

func look(t testing.TB, opt Options, k *fakeKernel, change ...func(*Finder)) Look {
	t.Helper()
	f := newFinder(opt, k)
	f.lookPath = func(string) (string, error) { return "", errors.New("none here") }
	for _, c := range change {
		c(f)
	}
	l, err := f.Find(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func nic(name, kind, guest, source string, pid int, bridge string, macs ...string) flow.GuestNIC {
	n := flow.GuestNIC{Name: name, Kind: kind, Guest: guest, Source: source, PID: pid, Bridge: bridge}
	for _, m := range macs {
		n.MACs = append(n.MACs, parseMAC(m))
	}
	return n
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}
