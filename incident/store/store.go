// Package store keeps incidents in a directory on disk.
//
// An incident is a directory of its own, named by its ID. It appears whole or
// not at all: everything is written to a temporary sibling, synced, and renamed.
// How many incidents and bytes are kept is bounded, the oldest go first, and
// nothing is written to a disk that is nearly full. A [Store] may be used from
// several goroutines; it starts none.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"spiketop/incident"
)

// ErrDiskFull says that there is not enough room now. The incident is worth
// keeping in memory and trying again.
var ErrDiskFull = errors.New("disk full")

// Options of a Store. The zero value gives the defaults.
type Options struct {
	Keep     int   // incidents to keep; zero means 200
	MaxBytes int64 // bytes of all incidents together; zero means 2 GiB

	// MinFree is the part of the file system (0..1) that must be free for anything
	// to be written. Zero means 0.05, a negative value no limit.
	MinFree float64

	// UID and GID own the incidents if this process is root: the user behind
	// sudo, who wants to copy his own evidence. Zero means root.
	UID, GID int

	// Statfs returns the bytes available and in total of dir's file system. Nil
	// asks the kernel.
	Statfs func(dir string) (available, total uint64, err error)
}

func (o Options) withDefaults() Options {
	if o.Keep <= 0 {
		o.Keep = 200
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 2 << 30
	}
	if o.MinFree == 0 {
		o.MinFree = 0.05
	}
	if o.Statfs == nil {
		o.Statfs = statfs
	}
	return o
}

// Store is an open directory of incidents.
type Store struct {
	dir  string
	opt  Options
	mu   sync.Mutex // one incident is written at a time
	root *os.Root   // nothing outside the directory is touched, whatever links lie in it
}

// tmpPrefix marks what is being written or removed. Such a directory is locked
// (flock) while its writer lives; one that is not is left over from a killed run.
const tmpPrefix = ".tmp-"

// DefaultDir is the directory of incidents for a user: /var/lib/spiketop/incidents
// for root, else spiketop/incidents under $XDG_STATE_HOME, or under
// $HOME/.local/state. It is "" where neither is an absolute path; the person has
// to name a directory then.
func DefaultDir(euid int, getenv func(string) string) string {
	if euid == 0 {
		return "/var/lib/spiketop/incidents"
	}
	// XDG Base Directory Specification: a relative path is to be ignored.
	if state := getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "spiketop", "incidents")
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "spiketop", "incidents")
	}
	return ""
}

// Open opens the directory of incidents, makes it if it does not exist, and
// removes what a killed run left half written. It fails if nothing could be
// written there (read-only, not permitted, a file in its place); a full disk is
// no reason to fail, for it may have room later.
//
// The caller closes the Store.
func Open(dir string, opt Options) (*Store, error) {
	if dir == "" {
		return nil, errors.New("incidents: no directory given, and no home directory to put one in")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("incidents %s: %w", dir, err)
	}
	s := &Store{dir: abs, opt: opt.withDefaults()}
	if err := s.open(); err != nil {
		return nil, s.errorf("", err)
	}
	return s, nil
}

func (s *Store) open() error {
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o755 // the user behind sudo must get through to his own incidents
	}
	if err := os.MkdirAll(s.dir, mode); err != nil {
		return err
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	s.root = root
	if err := s.tryWriting(); err != nil && !noSpace(err) {
		root.Close()
		return err
	}
	s.removeLeftOvers()
	return nil
}

// reopen makes the directory again where somebody has removed or replaced it
// since it was opened: what is written into a removed directory is gone.
func (s *Store) reopen() error {
	now, err := os.Stat(s.dir)
	if err == nil {
		if was, err := s.root.Stat("."); err == nil && os.SameFile(now, was) {
			return nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	old := s.root
	if err := s.open(); err != nil {
		s.root = old // still good for Close, and the next try comes here again
		return err
	}
	return old.Close()
}

// tryWriting makes and removes a directory: no look at permission bits knows of
// read-only mounts, quotas and security modules.
func (s *Store) tryWriting() error {
	name := fmt.Sprintf("%sprobe-%d", tmpPrefix, os.Getpid())
	if err := s.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.root.Remove(name)
}

// Dir returns the absolute path of the directory.
func (s *Store) Dir() string { return s.dir }

// Close gives the directory back. Nothing may be written afterwards.
func (s *Store) Close() error { return s.root.Close() }

// removeLeftOvers removes the temporary directories that no living process
// holds. What cannot be removed is left: it costs room, not correctness.
func (s *Store) removeLeftOvers() {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return
	}
	for _, e := range entries {
		id, ok := strings.CutPrefix(e.Name(), tmpPrefix)
		if !ok || !e.IsDir() || !incident.ValidID(id) {
			continue
		}
		f, err := s.root.Open(e.Name())
		if err != nil {
			continue
		}
		if lock(f) == nil {
			_ = s.root.RemoveAll(e.Name())
		}
		f.Close()
	}
}

// errorf makes the one line that the person sees: "incidents DIR: operation:
// cause", without the names that only this package knows.
func (s *Store) errorf(op string, err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		err = e.Err
	case *os.LinkError:
		err = e.Err
	}
	if op != "" {
		err = fmt.Errorf("%s: %w", op, err)
	}
	if noSpace(err) {
		err = fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return fmt.Errorf("incidents %s: %w", s.dir, err)
}

func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// lock takes the writer's lock of an open directory, or fails at once.
func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func statfs(dir string) (available, total uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("statfs: %w", err)
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), nil
}
