package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	mostFiles   = 4096
	statusLimit = 1 << 20 // bytes; a guest of forty disks has 120 KiB
)

// statusDirs are below /run/libvirt; the split daemons use the same.
var statusDirs = []string{"qemu", "lxc", "ch", "libxl"}

// statusFile is a status file that was read: it is parsed again when it changes.
type statusFile struct {
	modified time.Time
	size     int64
	domain   domain
	ok       bool
}

// readStatusFiles reads libvirt's notes on its running guests, which appear and
// vanish with them.
func (f *Finder) readStatusFiles() (list []domain, r SourceReport) {
	r = SourceReport{Source: fromFiles.String()}
	seen := map[string]statusFile{}
	var failure error
	there := false
	for _, driver := range statusDirs {
		dir := filepath.Join(f.opt.Run, "libvirt", driver)
		names, err := entries(dir, mostFiles)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				failure = err
			}
			continue
		}
		there = true
		for _, name := range names {
			if !strings.HasSuffix(name, ".xml") {
				continue
			}
			s, err := f.readStatusFile(filepath.Join(dir, name), seen)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				failure = err
			}
			if s.ok {
				list = append(list, s.domain)
			}
		}
	}
	f.files = seen
	switch {
	case failure != nil:
		return list, failed(fromFiles, failure, "run as root, or give it cap_dac_read_search")
	case there:
		return list, found(fromFiles, "guests", len(list))
	}
	return list, r
}

func (f *Finder) readStatusFile(path string, seen map[string]statusFile) (statusFile, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return statusFile{}, err
	}
	if old, ok := f.files[path]; ok && old.modified.Equal(st.ModTime()) && old.size == st.Size() {
		seen[path] = old
		return old, nil
	}
	text, err := readFile(path, statusLimit)
	if err != nil {
		return statusFile{}, err
	}
	s := statusFile{modified: st.ModTime(), size: st.Size()}
	s.domain, err = parseStatus(text)
	s.ok = err == nil
	if s.ok { // one that is just being written is read again
		seen[path] = s
	}
	return s, err
}
