package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// readFile reads at most limit bytes of a regular file. It does not wait on a
// fifo or follow a last symbolic link. Thousands of small files are read in a
// look, so it goes round os.File, which would try each at the poller first.
func readFile(path string, limit int) ([]byte, error) {
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NOCTTY
	fd, err := unix.Open(path, flags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	var text []byte
	var chunk [4096]byte
	for len(text) < limit {
		n, err := unix.Read(fd, chunk[:min(len(chunk), limit-len(text))])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			break
		}
		text = append(text, chunk[:n]...)
	}
	return text, nil
}

var errNotRegular = errors.New("not a regular file")

// entries lists at most limit names of a directory, in no order.
func entries(dir string, limit int) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(limit)
	if err == io.EOF {
		err = nil
	}
	return names, err
}

// numbers lists the numeric names of a directory in ascending order.
func numbers(dir string, limit int) ([]int, error) {
	names, err := entries(dir, limit)
	if err != nil {
		return nil, err
	}
	list := make([]int, 0, len(names))
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil && n >= 0 && name[0] != '+' {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list, nil
}

// denied reports whether an error says that rights are missing.
func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission)
}

// netnsOf returns the text of a process's network namespace link ("net:[4026531840]").
func netnsOf(proc string, pid int) (string, error) {
	return os.Readlink(filepath.Join(proc, strconv.Itoa(pid), "ns/net"))
}
