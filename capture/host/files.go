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
// fifo or follow a last symbolic link.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

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
