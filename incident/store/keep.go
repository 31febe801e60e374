package store

import (
	"errors"
	"io/fs"
	"path"

	"spiketop/incident"
)

// kept is an incident on disk.
type kept struct {
	id    string
	bytes int64
}

// prune removes the oldest incidents, by name, until as many and as much are
// left as may be. The one just written stays, whatever it costs.
func (s *Store) prune(written string) error {
	all, err := s.list()
	if err != nil {
		return err
	}
	count, total := len(all), int64(0)
	for _, k := range all {
		total += k.bytes
	}
	var failed error
	for _, k := range all {
		if count <= s.opt.Keep && total <= s.opt.MaxBytes {
			break
		}
		if k.id == written {
			continue
		}
		if err := s.remove(k.id); err != nil {
			failed = err
			continue
		}
		count, total = count-1, total-k.bytes
	}
	return failed
}

// list returns the incidents in the directory, oldest first: directories with
// the name of an ID that hold an incident.json. Nothing else is ours.
func (s *Store) list() ([]kept, error) {
	entries, err := fs.ReadDir(s.root.FS(), ".") // sorted by name, which is by time
	if err != nil {
		return nil, err
	}
	var all []kept
	for _, e := range entries {
		if !e.IsDir() || !incident.ValidID(e.Name()) { // a symbolic link is no directory here
			continue
		}
		if fi, err := s.root.Lstat(path.Join(e.Name(), "incident.json")); err != nil || !fi.Mode().IsRegular() {
			continue
		}
		all = append(all, kept{e.Name(), s.size(e.Name())})
	}
	return all, nil
}

// size adds up the regular files below name. What vanishes meanwhile counts
// nothing.
func (s *Store) size(name string) int64 {
	total := int64(0)
	_ = fs.WalkDir(s.root.FS(), name, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil
		}
		if fi, err := e.Info(); err == nil {
			total += fi.Size()
		}
		return nil
	})
	return total
}

// remove takes an incident away whole: first its name, so that a process killed
// in between leaves a temporary directory and never half an incident.
func (s *Store) remove(id string) error {
	tmp := tmpPrefix + id
	err := s.root.Rename(id, tmp)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another process was faster
	}
	if err != nil {
		tmp = id
	}
	return s.root.RemoveAll(tmp)
}
