package pcapfile

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
)

const (
	// mergeKept is how many files a Merger keeps open whatever their times are.
	mergeKept = 64
	// mergeMost bounds the files that are read at once: each takes a megabyte.
	mergeMost = 256
)

// Merger reads several files as one, in the order of time as mergecap does: the
// next packet is the earliest of those that come next in each file, of the last
// file where two are equal. What is out of order within a file stays so. Of many
// files only those are open whose time it is: a ring on disk has thousands. It
// belongs to one goroutine.
type Merger struct {
	opt     Options
	files   []*mergeFile
	reading []int // files that are open
	waiting []int // files that are closed until the time of their first packet, in its order
	last    *mergeFile
}

// mergeFile is one file and its next packet.
type mergeFile struct {
	name   string
	r      *Reader // nil = not open
	next   Packet
	loaded bool
	first  int64 // stamp of the first packet, of a file that waits
	opened bool
	err    error // why there is no next one

	sections []Section
	names    map[netip.Addr][]string
}

// NewMerger opens the files and looks at the first packet of each, see Open for
// their names. One that cannot be read is left out: Err says why. Close must follow.
func NewMerger(names []string, o Options) *Merger {
	m := &Merger{opt: o}
	for i, name := range names {
		f := &mergeFile{name: name}
		m.files = append(m.files, f)
		if !f.open(o) {
			continue
		}
		if i >= mergeKept && f.r.Size() >= 0 { // else it is a pipe, which cannot be opened again
			f.first = f.next.At
			f.close()
			m.waiting = append(m.waiting, i)
			continue
		}
		m.reading = append(m.reading, i)
	}
	slices.SortFunc(m.waiting, func(a, b int) int {
		if m.earlier(a, b) {
			return -1
		}
		return 1
	})
	return m
}

// open opens the file and loads its first packet. It reports whether there is one.
func (f *mergeFile) open(o Options) bool {
	if f.r, f.err = Open(f.name, o); f.err != nil {
		f.r = nil
		return false
	}
	f.opened = true
	return f.load()
}

// load reads the next packet and reports whether there is one. A file that has
// none is closed.
func (f *mergeFile) load() bool {
	if f.loaded || f.r == nil {
		return f.loaded
	}
	if f.err = f.r.Next(&f.next); f.err == nil {
		f.loaded = true
		return true
	}
	f.close()
	return false
}

// close keeps what the file has said about itself.
func (f *mergeFile) close() {
	f.sections, f.names = slices.Clone(f.r.Sections()), f.r.Names()
	_ = f.r.Close()
	f.r, f.loaded = nil, false
}

// at is the stamp of the next packet.
func (f *mergeFile) at() int64 {
	if f.loaded {
		return f.next.At
	}
	return f.first
}

// earlier reports whether file a's next packet comes before file b's.
func (m *Merger) earlier(a, b int) bool {
	if x, y := m.files[a].at(), m.files[b].at(); x != y {
		return x < y
	}
	return a > b
}

// Next returns the next packet and the number of its file; both belong to the
// Merger until the next call. At the end of all files it returns io.EOF. A file
// that cannot be read any further ends there, see Err. Other errors mean that more
// files overlap in time than are read at once.
func (m *Merger) Next() (*Packet, int, error) {
	if m.last != nil {
		m.last.loaded, m.last = false, nil
	}
	best := m.earliest()
	for len(m.waiting) > 0 && (best < 0 || m.earlier(m.waiting[0], best)) {
		i := m.waiting[0]
		m.waiting = m.waiting[1:]
		if len(m.reading) == mergeMost {
			return nil, 0, fmt.Errorf("merge captures: more than %d of them are of one time", mergeMost)
		}
		if m.files[i].open(m.opt) {
			m.reading = append(m.reading, i)
		}
		best = m.earliest()
	}
	if best < 0 {
		return nil, 0, io.EOF
	}
	m.last = m.files[best]
	return &m.last.next, best, nil
}

// earliest is the file among the open ones whose next packet is the next of all,
// -1 if there is none. Those that have ended are dropped.
func (m *Merger) earliest() int {
	best, n := -1, 0
	for _, i := range m.reading {
		if !m.files[i].load() {
			continue
		}
		m.reading[n] = i
		n++
		if best < 0 || m.earlier(i, best) {
			best = i
		}
	}
	m.reading = m.reading[:n]
	return best
}

// Interfaces are those of the file of the packet that Next has returned last, see
// Reader.Interfaces. Packet.Interface counts in them.
func (m *Merger) Interfaces() []Interface { return m.last.r.Interfaces() }

// Sections are what the sections of file i have said about themselves so far.
func (m *Merger) Sections(i int) []Section {
	if f := m.files[i]; f.r != nil {
		return f.r.Sections()
	} else {
		return f.sections
	}
}

// Names are the names of addresses that the files have given so far, at most 8 of
// one address.
func (m *Merger) Names() map[netip.Addr][]string {
	out := map[netip.Addr][]string{}
	for _, f := range m.files {
		names := f.names
		if f.r != nil {
			names = f.r.Names()
		}
		for a, list := range names {
			for _, s := range list {
				if len(out[a]) < maxNamesOf && !slices.Contains(out[a], s) {
					out[a] = append(out[a], s)
				}
			}
		}
	}
	return out
}

// Opened is how many of the files could be read as captures.
func (m *Merger) Opened() (n int) {
	for _, f := range m.files {
		if f.opened {
			n++
		}
	}
	return n
}

// Err says why file i ended before its end, nil if it did not. With opened it had
// begun.
func (m *Merger) Err(i int) (opened bool, err error) {
	f := m.files[i]
	if f.err == io.EOF {
		return f.opened, nil
	}
	return f.opened, f.err
}

// Close closes what is still open.
func (m *Merger) Close() {
	for _, f := range m.files {
		if f.r != nil {
			f.close()
		}
	}
	m.reading, m.waiting, m.last = nil, nil, nil
}
