package pcapfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func save(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.pcap")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenFile(t *testing.T) {
	for _, file := range [][]byte{ngFile(le), zipped(t, ngFile(le))} {
		r, err := Open(save(t, file), Options{})
		if err != nil {
			t.Fatal(err)
		}
		packets, err := drain(r)
		if err != nil || len(packets) != 4 {
			t.Errorf("%d packets and %v", len(packets), err)
		}
		if r.Size() != int64(len(file)) || r.Consumed() != int64(len(file)) || r.Compressed() != (file[0] == 0x1f) {
			t.Errorf("size %d, consumed %d, compressed %v; it has %d bytes", r.Size(), r.Consumed(), r.Compressed(), len(file))
		}
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name, path string
		class      error
		say        string
	}{
		{"directory", dir, ErrKind, "open capture: " + dir + ": is a directory"},
		{"nothing", filepath.Join(dir, "no.pcap"), fs.ErrNotExist, "no.pcap: no such file"},
		{"text", save(t, []byte("some text")), ErrFormat, `begins with "some"`},
		{"a device without end", "/dev/zero", ErrFormat, "not a capture file"},
		{"an empty device", "/dev/null", ErrTruncated, "it is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Open(tt.path, Options{})
			var fe *FileError
			if r != nil || !errors.As(err, &fe) || !errors.Is(err, tt.class) || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("%v, want %q of class %v", err, tt.say, tt.class)
			}
		})
	}
}

// fifo makes a named pipe.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	return path
}

// A pipe to which nobody writes does not hang.
func TestOpenStalledPipe(t *testing.T) {
	_, err := Open(fifo(t), Options{Stall: 20 * time.Millisecond})
	if !errors.Is(err, ErrStalled) || !strings.Contains(err.Error(), "nothing came for 20ms") {
		t.Errorf("%v", err)
	}
}

// A pipe whose writer stalls gives what it had, then the error; a writer that
// goes away is the end.
func TestPipeWriter(t *testing.T) {
	for _, stalls := range []bool{true, false} {
		path := fifo(t)
		w, err := os.OpenFile(path, os.O_RDWR, 0) // so that it does not wait for the reader
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, err := w.Write(ngFile(le)); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, Options{Stall: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if !stalls {
			w.Close()
		}
		packets, err := drain(r)
		if len(packets) != 4 || stalls != errors.Is(err, ErrStalled) || !stalls && err != nil {
			t.Errorf("stalls %v: %d packets and %v", stalls, len(packets), err)
		}
		if r.Size() != -1 {
			t.Errorf("a pipe of size %d", r.Size())
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Stop ends the wait.
func TestOpenStopped(t *testing.T) {
	stop := make(chan struct{})
	close(stop)
	if _, err := Open(fifo(t), Options{Stall: -1, Stop: stop}); !errors.Is(err, ErrStopped) {
		t.Errorf("%v", err)
	}
}

// Standard input is read through its own name.
func TestOpenStandardInput(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = in
	defer func() { os.Stdin = old; in.Close() }()
	if _, err := io.Copy(out, bytes.NewReader(ngFile(le)[:200])); err != nil {
		t.Fatal(err)
	}
	out.Close()
	r, err := Open("-", Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = drain(r)
	if !errors.Is(err, ErrTruncated) || !strings.HasPrefix(err.Error(), "standard input: ") {
		t.Errorf("%v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := in.Stat(); err != nil {
		t.Errorf("standard input was closed: %v", err)
	}
}
