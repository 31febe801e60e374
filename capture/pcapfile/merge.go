package pcapfile

import "io"

// Merger reads several files as one, in the order of time as mergecap does: the
// next packet is the earliest of those that come next in each file, of the last
// file where two are equal. What is out of order within a file stays so. It
// belongs to one goroutine.
type Merger struct {
	files []*mergeFile
	last  *mergeFile // whose packet was handed out
}

// mergeFile is one file and its next packet.
type mergeFile struct {
	r      *Reader
	next   Packet
	loaded bool
	err    error // why there is no next one
}

// NewMerger reads from files that the caller has opened and closes.
func NewMerger(files []*Reader) *Merger {
	m := &Merger{}
	for _, r := range files {
		m.files = append(m.files, &mergeFile{r: r})
	}
	return m
}

// Next returns the next packet and the number of its file; both belong to the
// Merger until the next call. At the end of all files it returns io.EOF. A file
// that cannot be read any further ends there, see Err.
func (m *Merger) Next() (*Packet, int, error) {
	if m.last != nil {
		m.last.loaded, m.last = false, nil
	}
	best := -1
	for i, f := range m.files {
		if !f.load() {
			continue
		}
		if best < 0 || f.next.At <= m.files[best].next.At {
			best = i
		}
	}
	if best < 0 {
		return nil, 0, io.EOF
	}
	m.last = m.files[best]
	return &m.last.next, best, nil
}

// Err says why file i ended before its end, nil if it did not.
func (m *Merger) Err(i int) error {
	if err := m.files[i].err; err != io.EOF {
		return err
	}
	return nil
}

// load reads the next packet and reports whether there is one.
func (f *mergeFile) load() bool {
	if f.loaded || f.err != nil {
		return f.loaded
	}
	if f.err = f.r.Next(&f.next); f.err == nil {
		f.loaded = true
	}
	return f.loaded
}
