package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"

	"spiketop/flow"
)

// Options say where to look.
type Options struct {
	Proc, Run string            // mount points; "" = /proc and /run
	UserMap   map[string]string // name of a vif -> name of its guest, from the user's configuration; not changed afterwards
	All       bool              // ask libvirt even if every vif is known without it
}

// Finder finds out who is behind the vifs. Find and Run belong to one goroutine
// at a time; SetCaptured may be called from any.
type Finder struct {
	opt       Options
	kernel    kernel
	self      int
	netns     string // of the thread that called New, "" = not readable
	endpoints []endpoint
	command   func(ctx context.Context, name string, args ...string) ([]byte, error)
	lookPath  func(name string) (string, error)

	files map[string]statusFile
	idle  map[int]uint64  // programs that held no vif, by pid: their start time
	taps  map[string]bool // the taps without known holder of which idle tells

	mu       sync.Mutex // protects captured
	captured map[int]bool
}

// kernel is what is asked over rtnetlink.
type kernel interface {
	devices() ([]device, error)
	learned() ([]learned, error)
	namespaceID(pid int) (int, error)
	namespaceIDOf(fd int) (int, error)
	peerMAC(nsid, ifindex int) ([6]byte, error)
	Close() error
}

// New opens the netlink socket in the calling thread's network namespace.
func New(opt Options) (*Finder, error) {
	n, err := openNetlink()
	if err != nil {
		return nil, err
	}
	return newFinder(opt, n), nil
}

func newFinder(opt Options, k kernel) *Finder {
	if opt.Proc == "" {
		opt.Proc = "/proc"
	}
	if opt.Run == "" {
		opt.Run = "/run"
	}
	f := &Finder{opt: opt, kernel: k, self: os.Getpid(), endpoints: endpoints, command: command, lookPath: exec.LookPath}
	f.netns, _ = os.Readlink(opt.Proc + "/thread-self/ns/net")
	return f
}

// Close closes the netlink socket.
func (f *Finder) Close() error { return f.kernel.Close() }

// SetCaptured says which devices are captured as NICs: those are no vifs, even if
// they look like one (a veth inside a container).
func (f *Finder) SetCaptured(links []flow.Link) {
	captured := map[int]bool{}
	for _, l := range links {
		if l.State != flow.LinkGone {
			captured[l.Ifindex] = true
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.captured = captured
}

func (f *Finder) isCaptured(ifindex int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.captured[ifindex]
}

// Look is what was found. Nothing in it is changed after it was returned.
type Look struct {
	NICs    []flow.GuestNIC // by ifindex; names of guests are one line of printable text, names of vifs as the kernel has them
	Sources []SourceReport  // how each source fared, in the order of belief
	Notes   []string        // sources that contradict each other, and addresses that are not what they should be
}

// Missing returns the reports of the sources that could tell more: each has a
// remedy or an error.
func (l *Look) Missing() (list []SourceReport) {
	for _, r := range l.Sources {
		if r.Status == NotPermitted || r.Status == Failed {
			list = append(list, r)
		}
	}
	return list
}

// News returns, one line each, what is missing and noted now and was not in an
// earlier look (nil: all of it), for a log in which everything is said once. The
// lines hold no control bytes.
func (l *Look) News(old *Look) (lines []string) {
	said := map[string]bool{}
	if old != nil {
		for _, line := range old.News(nil) {
			said[line] = true
		}
	}
	for _, r := range l.Missing() {
		lines = append(lines, r.String())
	}
	lines = append(lines, l.Notes...)
	return slices.DeleteFunc(lines, func(line string) bool { return said[line] })
}

// Find asks every source. It is an error only if the devices cannot be listed, or
// if ctx ended, which makes the look incomplete. It takes some ten milliseconds
// with two thousand processes, and at most some seconds where a daemon hangs.
func (f *Finder) Find(ctx context.Context) (Look, error) {
	devices, err := f.kernel.devices()
	if err != nil {
		return Look{}, fmt.Errorf("find vifs: %w", err)
	}
	l := f.begin(devices)
	if len(l.kinds) > 0 || f.opt.All {
		if l.learned, err = f.kernel.learned(); err != nil {
			l.reports = append(l.reports, failed(fromFDB, err, adminRemedy))
		} else {
			l.reports = append(l.reports, found(fromFDB, "addresses", len(l.learned)))
		}
	}
	f.findVMMs(ctx, l)
	f.findDomains(ctx, l)
	f.findContainers(ctx, l)
	f.findOVS(ctx, l)
	f.findUserMap(l)
	l.joinLoose()
	l.addAddresses()
	look := Look{NICs: l.merge(), Sources: l.ordered(), Notes: l.notes}
	return look, ctx.Err()
}

func (f *Finder) begin(devices []device) *looking {
	l := &looking{devices: devices, kinds: map[int]string{}, byName: map[string]*device{}, byIndex: map[int]*device{}, hosts: map[string]bool{}}
	for i := range devices {
		d := &devices[i]
		l.byName[d.name], l.byIndex[d.ifindex] = d, d
		if kind := d.candidate(); kind != "" && !f.isCaptured(d.ifindex) {
			l.kinds[d.ifindex] = kind
		}
	}
	return l
}

// promote makes a device a vif because a source says that a guest is behind it.
func (f *Finder) promote(l *looking, vif, kind string) bool {
	d := l.byName[vif]
	if d == nil || f.isCaptured(d.ifindex) {
		return false
	}
	if l.kinds[d.ifindex] == "" {
		if d.kind != "" {
			kind = d.kind
		}
		if d.kind == "openvswitch" {
			kind = "ovs"
		}
		l.kinds[d.ifindex] = kind
	}
	return true
}

// ordered returns one report for each source, in the order of belief. A source
// that is not asked by itself is found if it helped.
func (l *looking) ordered() (list []SourceReport) {
	vifs := [sources]map[string]bool{}
	for _, c := range l.claims {
		if vifs[c.from] == nil {
			vifs[c.from] = map[string]bool{}
		}
		vifs[c.from][c.vif] = true
	}
	for s := range sources {
		one := SourceReport{Source: s.String()}
		if n := len(vifs[s]); n > 0 {
			one = found(s, "vifs", n)
		}
		for _, r := range l.reports {
			if r.Source == one.Source && r.Status != Absent {
				one = r
			}
		}
		list = append(list, one)
	}
	return list
}
