package pcapfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// defaultStall is how long a pipe may give nothing.
const defaultStall = 30 * time.Second

// stopEvery is how soon a closed Options.Stop is noticed.
const stopEvery = 200 * time.Millisecond

// Open opens a capture by its path; "-" is standard input. Pipes may be read:
// one to which nobody writes ends with ErrStalled, see Options.Stall. A directory
// and standard input that is a terminal are ErrKind. All errors are, or wrap, a
// *FileError.
func Open(path string, o Options) (*Reader, error) {
	name, f := path, os.Stdin
	if path == "-" {
		name = "standard input"
	} else {
		var err error
		if f, err = openFile(path); err != nil {
			return nil, notOpened(name, err)
		}
	}
	r, err := openReader(f, name, o)
	if err != nil && path != "-" {
		f.Close()
	}
	if err == nil && path != "-" {
		r.closer = f
	}
	return r, err
}

// notOpened says why there is nothing to read from.
func notOpened(name string, err error) error {
	return fmt.Errorf("open capture: %w", &FileError{Name: name, Err: err})
}

// openFile opens path without waiting for a pipe's writer.
func openFile(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	// What has to be waited for is waited for with poll, see waiter.
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func openReader(f *os.File, name string, o Options) (*Reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, notOpened(name, errors.Unwrap(err))
	}
	mode := info.Mode()
	if mode.IsDir() {
		return nil, notOpened(name, kindError("is a directory, not a capture file"))
	}
	if mode.IsRegular() {
		r, err := NewReader(plain{f}, name, o)
		if err == nil {
			r.size = info.Size()
		}
		return r, err
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
		return nil, notOpened(name, kindError("is a terminal: a capture comes from a pipe or a file"))
	}
	return NewReader(newWaiter(f, o), name, o)
}

// kindError is a sentence of its own that is of class ErrKind.
type kindError string

func (e kindError) Error() string        { return string(e) }
func (e kindError) Is(target error) bool { return target == ErrKind }

// plain is a file whose errors do not repeat its name.
type plain struct{ f *os.File }

func (p plain) Read(b []byte) (int, error) {
	n, err := p.f.Read(b)
	return n, withoutPath(err)
}

func withoutPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("cannot be read: %w", pe.Err)
	}
	return err
}

// waiter reads what may have nothing to read for a while.
type waiter struct {
	f     *os.File
	stall time.Duration // below 0: for ever
	stop  <-chan struct{}
}

func newWaiter(f *os.File, o Options) *waiter {
	w := &waiter{f: f, stall: o.Stall, stop: o.Stop}
	if w.stall == 0 {
		w.stall = defaultStall
	}
	return w
}

func (w *waiter) Read(b []byte) (int, error) {
	if err := w.wait(); err != nil {
		return 0, err
	}
	n, err := w.f.Read(b)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, withoutPath(err)
}

// wait returns when there is something to read, the writer is gone, or the
// patience is over.
func (w *waiter) wait() error {
	fds := []unix.PollFd{{Fd: int32(w.f.Fd()), Events: unix.POLLIN}}
	start := time.Now()
	for {
		turn := stopEvery
		if w.stall >= 0 {
			turn = max(0, min(turn, w.stall-time.Since(start)))
		}
		n, err := unix.Poll(fds, int(turn.Milliseconds()))
		switch {
		case err != nil && err != unix.EINTR:
			return fmt.Errorf("cannot be waited for: %w", err)
		case n > 0:
			return nil
		case w.stall >= 0 && time.Since(start) >= w.stall:
			return fmt.Errorf("%w for %v", ErrStalled, w.stall)
		}
		select {
		case <-w.stop:
			return ErrStopped
		default:
		}
	}
}
