package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"spiketop/incident"
)

// Attachment is a file that somebody else makes for an incident's directory:
// the screen, the packets.
type Attachment struct {
	Name  string                // a plain file name, not one of the store's own
	Write func(io.Writer) error // called once for each attempt, on the goroutine of Store.Write
}

// maxClash bounds the search for a free name. More than one incident in the same
// millisecond with the same target is already odd.
const maxClash = 9999

// errClash says that the name is taken.
var errClash = errors.New("exists already")

// Write writes in and its attachments to a directory of their own and returns
// its path. The last element of the path is the final ID: a name that is taken
// gets ".2", ".3", and the files inside say so too; in itself is not changed.
//
// If dir is "" nothing has been left on disk and the same incident may be tried
// again; with [ErrDiskFull] it is worth while to do that later. If dir is not ""
// the incident is safe on disk, even if err says that old ones could not be
// removed.
func (s *Store) Write(in *incident.Incident, attachments []Attachment) (dir string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !incident.ValidID(in.ID) {
		return "", s.errorf("", fmt.Errorf("incident has no valid ID: %q", incident.CleanMax(in.ID, 64)))
	}
	if err := checkNames(attachments); err != nil {
		return "", s.errorf("", err)
	}
	if err := s.reopen(); err != nil {
		return "", s.errorf("", err)
	}
	if err := s.checkFree(); err != nil {
		return "", s.errorf("", err)
	}
	final := *in
	for n := 2; ; n++ {
		err := s.writeAs(&final, attachments)
		if err == nil {
			break
		}
		if !errors.Is(err, errClash) || n > maxClash {
			return "", err
		}
		final.ID = fmt.Sprintf("%s.%d", in.ID, n)
	}
	dir = filepath.Join(s.dir, final.ID)
	if err := s.prune(final.ID); err != nil {
		return dir, s.errorf("remove old incidents", err)
	}
	return dir, nil
}

func (s *Store) checkFree() error {
	if s.opt.MinFree < 0 {
		return nil
	}
	available, total, err := s.opt.Statfs(s.dir)
	if err != nil {
		return err
	}
	if total > 0 && float64(available) < s.opt.MinFree*float64(total) {
		return fmt.Errorf("%w: %s (%s) free, nothing is written under %s", ErrDiskFull, incident.Bytes(available),
			incident.Percent(float64(available)/float64(total)), incident.Percent(s.opt.MinFree))
	}
	return nil
}

// checkNames refuses attachments that would not be plain files of their own.
func checkNames(attachments []Attachment) error {
	seen := map[string]bool{"incident.json": true, "incident.md": true, "flows.csv": true}
	for _, a := range attachments {
		if !fs.ValidPath(a.Name) || strings.ContainsRune(a.Name, '/') || strings.HasPrefix(a.Name, ".") || seen[a.Name] {
			return fmt.Errorf("attachment %q: not a usable name", incident.CleanMax(a.Name, 64))
		}
		seen[a.Name] = true
	}
	return nil
}

// writeAs writes the directory under in.ID, or nothing. It fails with errClash if
// that name is taken, before or meanwhile.
func (s *Store) writeAs(in *incident.Incident, attachments []Attachment) error {
	if _, err := s.root.Lstat(in.ID); err == nil {
		return errClash
	}
	tmp := tmpPrefix + in.ID
	switch err := s.root.Mkdir(tmp, 0o700); {
	case errors.Is(err, fs.ErrExist):
		return errClash // another process writes it, or left it
	case err != nil:
		return s.errorf("make a directory", err)
	}
	done := false
	defer func() { // also when an attachment panics
		if !done {
			_ = s.root.RemoveAll(tmp)
		}
	}()
	d, err := s.root.OpenRoot(tmp)
	if err != nil {
		return s.errorf("open its directory", err)
	}
	defer d.Close()
	self, err := d.Open(".")
	if err != nil {
		return s.errorf("open its directory", err)
	}
	defer self.Close() // the lock is held until the directory has its final name
	if err := lock(self); err != nil && !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, syscall.ENOLCK) {
		return s.errorf("lock its directory", err)
	}
	if err := s.fill(d, self, in, attachments); err != nil {
		return err
	}
	if err := s.publish(tmp, in.ID); err != nil {
		return err
	}
	done = true
	return nil
}

// publish renames the finished directory and makes the name durable.
func (s *Store) publish(tmp, id string) error {
	// rename(2) replaces an empty directory, and nothing else of ours is empty.
	err := s.root.Rename(tmp, id)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.ENOTDIR) {
		return errClash
	}
	if err != nil {
		return s.errorf("rename", err)
	}
	if err := s.syncParent(); err != nil {
		_ = s.root.RemoveAll(id) // whole or not at all: a retry must not find a twin
		return s.errorf("sync", err)
	}
	return nil
}

// fill writes all files into the temporary directory d, open as self too, and
// makes them durable.
func (s *Store) fill(d *os.Root, self *os.File, in *incident.Incident, attachments []Attachment) error {
	files := append([]Attachment{
		{"incident.json", func(w io.Writer) error { return incident.WriteJSON(w, in) }},
		{"incident.md", func(w io.Writer) error { return incident.WriteMarkdown(w, in) }},
		{"flows.csv", func(w io.Writer) error { return incident.WriteCSV(w, in) }},
	}, attachments...)
	room := s.opt.MaxBytes
	for _, f := range files {
		if err := s.writeFile(d, f, &room); err != nil {
			return s.errorf("write "+f.Name, err)
		}
	}
	if s.chowns() {
		if err := self.Chown(s.opt.UID, s.opt.GID); err != nil {
			return s.errorf("give it to its owner", err)
		}
	}
	if err := syncDir(self); err != nil {
		return s.errorf("sync", err)
	}
	return nil
}

// chowns reports whether files are given to the user behind sudo.
func (s *Store) chowns() bool { return os.Geteuid() == 0 && s.opt.UID > 0 }

// writeFile writes one file of at most *room bytes and takes them off *room.
func (s *Store) writeFile(d *os.Root, a Attachment, room *int64) (err error) {
	f, err := d.OpenFile(a.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriter(&boundedWriter{f, room})
	if err := a.Write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if s.chowns() {
		if err := f.Chown(s.opt.UID, s.opt.GID); err != nil {
			return err
		}
	}
	return f.Sync()
}

// boundedWriter keeps one incident from being larger than all may be together.
type boundedWriter struct {
	w    io.Writer
	room *int64
}

var errTooLarge = errors.New("the incident is larger than all incidents together may be")

func (b *boundedWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > *b.room {
		return 0, errTooLarge
	}
	n, err := b.w.Write(p)
	*b.room -= int64(n)
	return n, err
}

func (s *Store) syncParent() error {
	f, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return syncDir(f)
}

// syncDir makes the names in a directory durable, where the file system knows
// how to.
func syncDir(d *os.File) error {
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
