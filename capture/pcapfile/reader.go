package pcapfile

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync/atomic"
)

const (
	bufferSize    = 1 << 20 // a block must fit, see maxBlock
	maxBlock      = bufferSize
	defaultPacket = 256 << 10
	maxInterfaces = 1 << 16
	maxNames      = 1 << 16 // addresses of all name resolution blocks
)

// Reader reads the packets of one file in their order. It belongs to one
// goroutine, except Consumed.
type Reader struct {
	name string
	opt  Options
	file io.Closer
	raw  *counter
	br   *bufio.Reader
	next func(*Packet) error
	err  error // what Next has ended with

	offset     int64 // of br's next byte in the uncompressed file
	used       int   // of the last packet, still in br: discarded by the next call
	order      binary.ByteOrder
	interfaces []Interface
	names      map[netip.Addr][]string

	pcap pcapState
	ng   ngState
}

// counter counts what has been read of the file itself.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// Open opens a file; "-" is standard input. The caller closes the Reader.
func Open(path string, o Options) (*Reader, error) {
	if path == "-" {
		return NewReader(os.Stdin, "standard input", o)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open capture: %w", err)
	}
	if fi, err := f.Stat(); err == nil && fi.IsDir() {
		f.Close()
		return nil, fmt.Errorf("open capture: %s is a directory", path)
	}
	r, err := NewReader(f, path, o)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.file = f
	return r, nil
}

// NewReader reads the beginning of a capture: gzip, pcap and pcapng are told by
// their first bytes. Errors are of type [*FileError].
func NewReader(in io.Reader, name string, o Options) (*Reader, error) {
	if o.MaxPacket <= 0 {
		o.MaxPacket = defaultPacket
	}
	o.MaxPacket = min(o.MaxPacket, maxBlock-4096)
	r := &Reader{name: name, opt: o, raw: &counter{r: in}}
	r.br = bufio.NewReaderSize(r.raw, bufferSize)
	if err := r.unzip(); err != nil {
		return nil, r.fail(err)
	}
	magic, err := r.br.Peek(4)
	switch {
	case len(magic) == 0 && err == io.EOF:
		return nil, r.fail(errors.New("the file is empty"))
	case err == io.EOF:
		return nil, r.fail(fmt.Errorf("%w in its header", ErrTruncated))
	case err != nil:
		return nil, r.fail(err)
	}
	if binary.BigEndian.Uint32(magic) == blockSection {
		err = r.startNG()
	} else {
		err = r.startPcap(magic)
	}
	if err != nil {
		return nil, r.fail(err)
	}
	return r, nil
}

func (r *Reader) unzip() error {
	magic, err := r.br.Peek(2)
	if err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return nil // too short files are judged later
	}
	z, err := gzip.NewReader(r.br)
	if err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	r.br = bufio.NewReaderSize(z, bufferSize)
	return nil
}

// Next reads the next packet into p, whose slices are reused. The end of the file
// is io.EOF; everything else is a [*FileError], and the same one for every
// further call.
func (r *Reader) Next(p *Packet) error {
	if r.err != nil {
		return r.err
	}
	r.skip(r.used)
	r.used = 0
	if err := r.next(p); err != nil {
		if err != io.EOF {
			err = r.fail(err)
		}
		r.err = err
	}
	return r.err
}

// Interfaces returns those known so far. The slice must not be changed.
func (r *Reader) Interfaces() []Interface { return r.interfaces }

// Names returns the names of addresses that the file has brought so far; foreign
// text. The map must not be changed.
func (r *Reader) Names() map[netip.Addr][]string { return r.names }

// Consumed returns how many bytes of the file have been read. Any goroutine.
func (r *Reader) Consumed() int64 { return r.raw.n.Load() }

// Close closes the file that Open has opened.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

func (r *Reader) fail(err error) error {
	return &FileError{Name: r.name, Offset: r.offset, Err: err}
}

// peek returns the next n bytes without taking them. At the end of the file it
// returns io.EOF if there is nothing at all, else ErrTruncated.
func (r *Reader) peek(n int) ([]byte, error) {
	b, err := r.br.Peek(n)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, io.ErrUnexpectedEOF): // gzip
		return b, fmt.Errorf("%w: the gzip stream ends early", ErrTruncated)
	case err == io.EOF && len(b) == 0:
		return nil, io.EOF
	case err == io.EOF:
		return b, ErrTruncated
	}
	return b, err
}

// skip takes n bytes that were peeked at.
func (r *Reader) skip(n int) {
	_, _ = r.br.Discard(n)
	r.offset += int64(n)
}

// pass takes n bytes that were not.
func (r *Reader) pass(n int64) error {
	for n > 0 {
		k, err := r.br.Discard(int(min(n, 1<<30)))
		r.offset += int64(k)
		n -= int64(k)
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return ErrTruncated
		}
		if err != nil {
			return err
		}
	}
	return nil
}
