package ring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrBusy says that another process writes its ring into the directory.
var ErrBusy = errors.New("another spiketop writes its ring there")

// ownName is the form of the files that may be deleted; nothing else is touched.
// The number goes on from run to run and orders them, whatever the clock did.
var ownName = regexp.MustCompile(`^spiketop-ring-(\d{8})-\d{8}T\d{6}Z\.pcapng$`)

func fileName(number int, at time.Time) string {
	return fmt.Sprintf("spiketop-ring-%08d-%s.pcapng", number, at.UTC().Format("20060102T150405Z"))
}

// mostNumber is the last number that a name has room for.
const mostNumber = 99_999_999

// closed is a file of the ring that is not written to any more.
type closed struct {
	name string
	size int64
	last time.Time // of its last frame, about
}

// folder is the directory of the ring. It belongs to the Ring.
type folder struct {
	path  string
	root  *os.Root
	lock  *os.File // flock on the directory
	files []closed // oldest first
	stuck []closed // cannot be deleted
	bytes int64    // of them all
	next  int      // number of the next file
}

// openFolder makes the directory if need be, takes its lock and counts what
// earlier runs have left in it.
func openFolder(path string) (_ *folder, err error) {
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o755 // the user behind sudo must get through to his own files
	}
	if err := os.MkdirAll(path, mode); err != nil {
		return nil, err
	}
	d := &folder{path: path}
	if d.root, err = os.OpenRoot(path); err != nil {
		return nil, err
	}
	if d.lock, err = d.root.Open("."); err != nil {
		d.close()
		return nil, err
	}
	if err := syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		d.close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := d.list(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *folder) close() {
	if d.lock != nil {
		_ = d.lock.Close()
	}
	_ = d.root.Close()
}

// list finds the files of earlier runs.
func (d *folder) list() error {
	entries, err := d.lock.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		m := ownName.FindStringSubmatch(e.Name())
		if m == nil || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // gone meanwhile
		}
		n, _ := strconv.Atoi(m[1])
		d.next = max(d.next, n+1)
		d.files = append(d.files, closed{e.Name(), info.Size(), info.ModTime()})
		d.bytes += info.Size()
	}
	slices.SortFunc(d.files, func(a, b closed) int { return strings.Compare(a.name, b.name) })
	return nil
}

// create begins the next file.
func (d *folder) create(at time.Time) (*os.File, error) {
	for {
		if d.next > mostNumber {
			return nil, fmt.Errorf("%s: the numbers are used up: move its files away", d.path)
		}
		f, err := d.root.OpenFile(fileName(d.next, at), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) { // somebody has put it there
			d.next++
			continue
		}
		if err == nil {
			d.next++
		}
		return f, err
	}
}

// moved reports whether the directory has been removed or replaced: what is
// written into a removed one is gone.
func (d *folder) moved() bool {
	now, err := os.Stat(d.path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	was, err := d.root.Stat(".")
	return err == nil && !os.SameFile(now, was)
}

// add counts a file that has been closed, unless somebody has removed it.
func (d *folder) add(name string, size int64, last time.Time) {
	if _, err := d.root.Lstat(name); err == nil {
		d.files = append(d.files, closed{name, size, last})
		d.bytes += size
	}
}

// removeOldest deletes the oldest file. One that is gone already is fine; one that
// cannot be deleted goes to stuck and takes its room still.
func (d *folder) removeOldest() error {
	f := d.files[0]
	d.files = d.files[1:]
	if err := d.root.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.stuck = append(d.stuck, f)
		return err
	}
	d.bytes -= f.size
	return nil
}
