package offline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

func newMemory(b []byte) io.Reader { return bytes.NewReader(b) }

// stream is a pipe, of which the beginning is kept until it has been looked at.
type stream struct {
	ctx  context.Context
	f    *os.File
	kept []byte
	end  error // of the pipe
	gone bool  // what was kept has been handed to the player
}

// pollEvery is how often a silent pipe is left to see whether ctx has ended;
// aheadFor how long the beginning of one is waited for, in such steps.
const (
	pollEvery = 100
	aheadFor  = 20
)

// openStream opens path if it is a pipe; nil if it is a file.
func openStream(ctx context.Context, path string) (*stream, error) {
	if path == "-" {
		return &stream{ctx: ctx, f: os.Stdin}, nil
	}
	fi, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case fi.IsDir():
		return nil, fmt.Errorf("%s is a directory", path)
	case fi.Mode().IsRegular():
		return nil, nil
	}
	// Without O_NONBLOCK a named pipe would wait here for somebody to write.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &stream{ctx: ctx, f: os.NewFile(uintptr(fd), path)}, nil
}

// errAhead ends the look at a beginning.
var errAhead = errors.New("not read further yet")

// read waits for bytes, at most for steps polls (0 = until ctx ends).
func (s *stream) read(p []byte, steps int) (int, error) {
	fds := []unix.PollFd{{Fd: int32(s.f.Fd()), Events: unix.POLLIN}}
	for i := 0; ; i++ {
		if err := s.ctx.Err(); err != nil {
			return 0, err
		}
		if steps > 0 && i >= steps && len(s.kept) > 0 {
			return 0, errAhead
		}
		if n, err := unix.Poll(fds, pollEvery); n <= 0 || err != nil {
			continue
		}
		n, err := unix.Read(int(s.f.Fd()), p)
		switch {
		case n > 0:
			return n, nil
		case err == unix.EAGAIN || err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		}
		return 0, io.EOF
	}
}

// reader reads the pipe from its beginning: with ahead only so far as it is kept.
func (s *stream) reader(ahead bool) io.Reader {
	if ahead {
		return &aheadReader{s: s}
	}
	kept := s.kept
	s.kept, s.gone = nil, true
	return io.MultiReader(bytes.NewReader(kept), &restReader{s})
}

// aheadReader keeps what it reads.
type aheadReader struct {
	s  *stream
	at int
}

func (a *aheadReader) Read(p []byte) (int, error) {
	s := a.s
	if s.gone {
		return 0, io.EOF
	}
	if a.at == len(s.kept) {
		if s.end != nil {
			return 0, s.end
		}
		if len(s.kept) >= streamAhead {
			return 0, errAhead
		}
		n, err := s.read(p, aheadFor)
		s.kept = append(s.kept, p[:n]...)
		a.at += n
		if err != nil && err != errAhead {
			s.end = err
		}
		return n, err
	}
	n := copy(p, s.kept[a.at:])
	a.at += n
	return n, nil
}

// restReader reads what was not kept.
type restReader struct{ s *stream }

func (r *restReader) Read(p []byte) (int, error) {
	if r.s.end != nil {
		return 0, r.s.end
	}
	return r.s.read(p, 0)
}
