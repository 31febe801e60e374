package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"spiketop/incident"
)

// ErrNotFound says that no incident has the ID that was asked for.
var ErrNotFound = errors.New("no such incident")

// Found is one directory with the name of an incident. Err says why it cannot be
// used; then In is nil.
type Found struct {
	ID  string
	Dir string
	In  *incident.Incident
	Err error
}

// Reader reads a directory of incidents that somebody else may be writing to or
// clearing at the same time. It changes nothing and needs no right to.
type Reader struct {
	dir  string
	root *os.Root
}

// OpenReader opens a directory for reading. The caller closes the Reader.
func OpenReader(dir string) (*Reader, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open incidents %s: %w", dir, err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("open incidents %s: %w", abs, cause(err))
	}
	return &Reader{dir: abs, root: root}, nil
}

// Close gives the directory back.
func (r *Reader) Close() error { return r.root.Close() }

// Dir returns the absolute path of the directory.
func (r *Reader) Dir() string { return r.dir }

// IDs returns the names of all incidents, oldest first. What has another name, a
// symbolic link too, is none of ours.
func (r *Reader) IDs() ([]string, error) {
	entries, err := fs.ReadDir(r.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("read incidents %s: %w", r.dir, cause(err))
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && incident.ValidID(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// Read reads one incident. A damaged one has Err.
func (r *Reader) Read(id string) Found {
	f := Found{ID: id, Dir: filepath.Join(r.dir, id)}
	f.In, f.Err = r.read(id)
	return f
}

func (r *Reader) read(id string) (*incident.Incident, error) {
	if !incident.ValidID(id) {
		return nil, ErrNotFound
	}
	name := filepath.Join(id, "incident.json")
	fi, err := r.root.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("incident.json: %w", cause(err))
	}
	if !fi.Mode().IsRegular() { // a FIFO would be waited for
		return nil, errors.New("incident.json: not a regular file")
	}
	file, err := r.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("incident.json: %w", cause(err))
	}
	defer file.Close()
	in, err := incident.ReadJSON(file)
	if err != nil {
		return nil, fmt.Errorf("incident.json: %w", err)
	}
	if in.ID != id {
		in.ID = id // renamed by hand: the name is what a person asks for
	}
	return in, nil
}

// Find returns the ID that a person means: whole, "last", or any part of it that
// only one incident has. With none, or with several, the error says so.
func (r *Reader) Find(asked string) (string, error) {
	ids, err := r.IDs()
	if err != nil {
		return "", err
	}
	if asked == "last" && len(ids) > 0 {
		return ids[len(ids)-1], nil
	}
	var found []string
	for _, id := range ids {
		if id == asked {
			return id, nil
		}
		if asked != "" && strings.Contains(id, asked) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("find incident %s in %s: %w", incident.CleanMax(asked, 80), r.dir, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("find incident %s in %s: %d have that in their name, the first is %s", incident.CleanMax(asked, 80), r.dir, len(found), found[0])
}

// cause takes the path off an error: the caller names it.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
