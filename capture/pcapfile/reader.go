package pcapfile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	defaultMaxPacket = 256 << 10 // what libpcap and Wireshark take
	maxMaxPacket     = 64 << 20

	// maxOptions bounds the options of a block that is read as a whole.
	maxOptions = 256 << 10
	// readAhead is the least that a refill asks for: large reads are what makes
	// large files fast.
	readAhead = 512 << 10

	maxInterfaces = 1 << 16
	maxSections   = 1 << 10 // of which the text is kept
	maxNames      = 1 << 16 // addresses
	maxNamesOf    = 8       // names of one address
	maxText       = 1 << 10 // bytes of one text that is kept
	maxTexts      = 8 << 20 // bytes of all texts that are kept
	textCost      = 32      // what a text costs besides its bytes
)

// Options choose what a Reader does. The zero value is good.
type Options struct {
	// Comments asks for the comments of packets, interfaces and sections. Those
	// of packets cost an allocation each.
	Comments bool
	// MaxPacket is the largest packet that is believed, in bytes captured. 0 means
	// 256 KiB, which Wireshark takes too; at most 64 MiB.
	MaxPacket int
	// Stall is how long Open's reader waits for a pipe or standard input that
	// gives nothing. 0 means 30 s, below 0 for ever.
	Stall time.Duration
	// Stop, when closed, ends such a wait with ErrStopped. It may be nil.
	Stop <-chan struct{}
}

// Reader reads one capture. It belongs to one goroutine, but for Consumed.
type Reader struct {
	name   string
	opt    Options
	in     *counter
	unzip  *gzip.Reader // nil if not compressed
	src    io.Reader    // in or unzip
	closer io.Closer
	size   int64

	buf      []byte // of which buf[pos:end] is read ahead
	pos, end int
	base     int64 // offset of buf[0] in the uncompressed file
	srcErr   error // what src ended with; all before it is still in buf
	err      error // what Next ended with

	next  func(*Packet) error
	order order

	pcap pcapFormat

	ifaces    []Interface
	section   int // running number of the section at hand, -1 before the first
	firstIf   int // index of its first interface
	sections  []Section
	names     map[netip.Addr][]string
	textsLeft int
}

// order is a byte order that the compiler can inline.
type order struct{ big bool }

func (o order) u16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if o.big {
		return v<<8 | v>>8
	}
	return v
}

func (o order) u32(b []byte) uint32 {
	if o.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (o order) u64(b []byte) uint64 {
	if o.big {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// counter counts what is read of the input.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// NewReader reads the beginning of a capture from r and recognises its format by
// it, gzip included. name stands in errors. All errors are *FileError; whose
// input ends before its header does is ErrTruncated, an empty one too, and other
// content is ErrFormat.
func NewReader(r io.Reader, name string, o Options) (*Reader, error) {
	if o.MaxPacket <= 0 {
		o.MaxPacket = defaultMaxPacket
	}
	o.MaxPacket = min(o.MaxPacket, maxMaxPacket)
	rd := &Reader{
		name: name, opt: o, in: &counter{r: r}, size: -1, section: -1, textsLeft: maxTexts,
		buf: make([]byte, o.MaxPacket+maxOptions+readAhead),
	}
	if err := rd.open(); err != nil {
		return nil, rd.fail(rd.offset(), err)
	}
	return rd, nil
}

// open finds out what the input is.
func (r *Reader) open() error {
	r.src = r.in
	if magic, err := r.peek(2, "its first bytes"); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if err := r.openGzip(); err != nil {
			return err
		}
	}
	head, err := r.peek(4, "its first bytes")
	if err != nil {
		if err == io.EOF {
			return errEmpty
		}
		return err
	}
	if binary.LittleEndian.Uint32(head) == blockSection {
		r.next = r.nextBlock
		return r.sectionHeader()
	}
	r.next = r.nextRecord
	return r.openPcap(head)
}

// openGzip puts a decompressor between the input and the buffer; what is read
// ahead goes through it.
func (r *Reader) openGzip() error {
	ahead := bytes.NewReader(bytes.Clone(r.buf[r.pos:r.end]))
	rest := io.Reader(r.in)
	if r.srcErr != nil {
		rest = failing{r.srcErr}
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(io.MultiReader(ahead, rest), 64<<10))
	if err != nil {
		return gzipError(err)
	}
	r.unzip, r.src = z, z
	r.pos, r.end, r.srcErr = 0, 0, nil
	return nil
}

// failing is a source that has ended.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// peek returns the next n bytes without taking them. They stay valid until the
// next peek of more. n is at most the size of the buffer. At the end of the input
// it returns io.EOF if there is nothing, else that the file is cut off in what.
func (r *Reader) peek(n int, what string) ([]byte, error) {
	if r.end-r.pos >= n {
		return r.buf[r.pos : r.pos+n], nil
	}
	return r.refill(n, what)
}

// refill is the part of peek that reads.
func (r *Reader) refill(n int, what string) ([]byte, error) {
	if r.srcErr == nil && len(r.buf)-r.pos < max(n, readAhead) {
		copy(r.buf, r.buf[r.pos:r.end])
		r.base += int64(r.pos)
		r.end -= r.pos
		r.pos = 0
	}
	for empty := 0; r.end-r.pos < n && r.srcErr == nil; {
		m, err := r.src.Read(r.buf[r.end:])
		r.end += m
		r.srcErr = err
		if m > 0 {
			empty = 0
		} else if empty++; empty >= 100 && err == nil {
			r.srcErr = io.ErrNoProgress
		}
	}
	if r.end-r.pos >= n {
		return r.buf[r.pos : r.pos+n], nil
	}
	return nil, r.ended(what)
}

// ended says why there is no more input.
func (r *Reader) ended(what string) error {
	switch {
	case r.srcErr == io.EOF && r.end == r.pos:
		return io.EOF
	case r.srcErr == io.EOF:
		return cutOff(what)
	case r.unzip != nil:
		return gzipError(r.srcErr)
	}
	return r.srcErr
}

// gzipError gives the decompressor's errors their class.
func gzipError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return cutOff("its gzip data")
	case errors.Is(err, ErrStalled), errors.Is(err, ErrStopped):
		return err
	}
	return badFormat("%v", err)
}

// take moves over n bytes that were peeked.
func (r *Reader) take(n int) { r.pos += n }

// skip moves over n bytes, however many, without keeping them.
func (r *Reader) skip(n int64, what string) error {
	for n > 0 {
		if r.end == r.pos {
			if _, err := r.peek(1, what); err == io.EOF {
				return cutOff(what)
			} else if err != nil {
				return err
			}
		}
		m := min(n, int64(r.end-r.pos))
		r.pos += int(m)
		n -= m
	}
	return nil
}

// whole is peek inside of something, where the end of the input is never clean.
func (r *Reader) whole(n int, what string) ([]byte, error) {
	b, err := r.peek(n, what)
	if err == io.EOF {
		err = cutOff(what)
	}
	return b, err
}

// offset is where the reader stands in the uncompressed file.
func (r *Reader) offset() int64 { return r.base + int64(r.pos) }

// fail makes err the error of the file.
func (r *Reader) fail(offset int64, err error) error {
	if err == io.EOF {
		return io.EOF
	}
	return &FileError{Name: r.name, Offset: offset, Err: err}
}

// Next fills in p with the next packet. It returns io.EOF at the end of a whole
// file, else a *FileError; then and ever after p is not to be used. Nothing is
// allocated but for comments.
func (r *Reader) Next(p *Packet) error {
	if r.err != nil {
		return r.err
	}
	at := r.offset()
	if err := r.next(p); err != nil {
		if o, ok := err.(*blockError); ok {
			at, err = o.offset, o.err
		}
		r.err = r.fail(at, err)
	}
	return r.err
}

// Interfaces returns the interfaces known so far, of all sections; those of
// packets already read are among them. A pcap file has one. The slice is the
// Reader's: valid until the next call of Next, not to be written to.
func (r *Reader) Interfaces() []Interface { return r.ifaces }

// Sections returns what the sections so far said about themselves, at most the
// first 1024, under the same rules as Interfaces. A pcap file has none.
func (r *Reader) Sections() []Section { return r.sections }

// Names returns the names of addresses known so far, from name resolution
// blocks: at most 65536 addresses with 8 names each, of any bytes, IPv4 ones as
// such. The map is the Reader's, under the same rules as Interfaces.
func (r *Reader) Names() map[netip.Addr][]string { return r.names }

// Consumed returns how many bytes of the input, compressed if it is, were read:
// what a progress bar holds against Size. It may be called from any goroutine.
func (r *Reader) Consumed() int64 { return r.in.n.Load() }

// Read is Consumed.
func (r *Reader) Read() (bytes int64) { return r.Consumed() }

// Size returns the length of the input in bytes, or -1 if it is no plain file.
func (r *Reader) Size() int64 { return r.size }

// Compressed reports whether the input is gzip.
func (r *Reader) Compressed() bool { return r.unzip != nil }

// Close closes what Open opened. After NewReader it does nothing.
func (r *Reader) Close() error {
	if r.closer == nil {
		return nil
	}
	c := r.closer
	r.closer = nil
	return c.Close()
}

// text keeps foreign text within the bounds.
func (r *Reader) text(b []byte) string {
	b = b[:min(len(b), maxText, r.textsLeft)]
	r.textsLeft = max(0, r.textsLeft-len(b)-textCost)
	return string(b)
}
