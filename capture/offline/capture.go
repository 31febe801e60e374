package offline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"spiketop/capture/pcapfile"
	"spiketop/flow"
)

// Bounds of what is looked at before playing begins, and of what is played.
const (
	MaxLinks      = 32
	sidePackets   = 20_000  // of each file, to tell the local side
	pingPackets   = 400_000 // of all files, to find the pings
	streamAhead   = 8 << 20 // bytes of a pipe that are read before playing begins
	streamPackets = 2_000
)

// Config says what to play.
type Config struct {
	Paths []string // "-" is standard input; a pipe is read once
	Local []netip.Prefix
	VIFs  []string // interfaces that lead to a guest, by name, besides those whose description says so
	// Memory plays bytes in place of the only file, which it names.
	Memory []byte
}

// Link is a source of packets: an interface of a pcapng, or a whole file.
// Interfaces of the same name in several files are one link: parts of a ring.
type Link struct {
	Name  string // foreign text
	VIF   bool   // its packets are seen from the host's side of a guest's interface
	Speed uint64 // bit/s, 0 = not known
	Bond  string // that it is a member of, "" = not known; foreign text
	// Of a VIF: the guest's name, "" = not known, and its addresses, as far as the
	// file tells directions.
	Guest string
	MACs  [][6]byte

	side side
}

// Ping is a series of echoes that leave.
type Ping struct {
	Family   flow.Family
	Src, Dst [16]byte
	ID       uint16
	Requests int
	VIF      bool // its requests were seen on a guest's interface

	first, last int64
}

// Gap is the mean time between two requests in nanoseconds, 0 = not known.
func (p *Ping) Gap() int64 {
	if p.Requests < 2 {
		return 0
	}
	return (p.last - p.first) / int64(p.Requests-1)
}

// Capture is a set of files that has been looked at.
type Capture struct {
	Links []Link // known so far: a Player may find further ones
	First int64  // ns since the epoch: the first packet
	// Pings are those found so far, those with the most requests first; AllPings
	// says that every packet was looked at.
	Pings    []Ping
	AllPings bool
	Host     string   // where it was captured, "" = the files do not say; foreign text
	Notes    []string // what was believed and what is missing, for the person

	cfg    Config
	files  []*file
	byName map[string]int
	more   bool // it has been said that there are too many interfaces
}

// file is one input.
type file struct {
	path   string
	memory []byte  // it is here
	stream *stream // it is a pipe
	first  int64   // time of its first packet
	empty  bool    // it has none, or its beginning cannot be read
}

// Open looks at the files: where packets went, when they begin, who pings. An
// error means that there is nothing to play, or that ctx ended while a pipe was
// waited for; files that cannot be read beside others that can are in Notes.
func Open(ctx context.Context, cfg Config) (*Capture, error) {
	c := &Capture{cfg: cfg, byName: map[string]int{}}
	failed := c.openFiles(ctx)
	scan := newScan(c)
	for _, f := range c.files {
		if err := c.lookAt(f, scan); err != nil {
			failed = append(failed, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.files = slices.DeleteFunc(c.files, func(f *file) bool { return f.empty })
	if len(c.files) == 0 {
		return nil, errors.Join(failed...)
	}
	for _, err := range failed {
		c.note(err.Error())
	}
	slices.SortStableFunc(c.files, func(a, b *file) int { return cmp.Compare(a.first, b.first) })
	c.First = c.files[0].first
	scan.decide(c)
	c.findPings()
	return c, nil
}

// openFiles finds out what the paths are; those that are nothing are left out.
func (c *Capture) openFiles(ctx context.Context) (failed []error) {
	if c.cfg.Memory != nil {
		c.files = []*file{{path: c.cfg.Paths[0], memory: c.cfg.Memory}}
		return nil
	}
	for _, path := range c.cfg.Paths {
		s, err := openStream(ctx, path)
		if err != nil {
			failed = append(failed, fmt.Errorf("open capture: %w", err))
			continue
		}
		c.files = append(c.files, &file{path: path, stream: s})
	}
	return failed
}

// open begins to read f; a stream only as far as it was kept when ahead is set.
func (f *file) open(ahead bool) (*pcapfile.Reader, error) {
	switch {
	case f.memory != nil:
		return pcapfile.NewReader(newMemory(f.memory), f.path, pcapfile.Options{})
	case f.stream != nil:
		name := f.path
		if name == "-" {
			name = "standard input"
		}
		return pcapfile.NewReader(f.stream.reader(ahead), name, pcapfile.Options{})
	}
	return pcapfile.Open(f.path, pcapfile.Options{})
}

// lookAt reads the beginning of a file.
func (c *Capture) lookAt(f *file, s *scan) error {
	f.empty = true
	r, err := f.open(true)
	if err != nil {
		return err
	}
	defer r.Close()
	most := sidePackets
	if f.stream != nil {
		most = streamPackets
	}
	var p pcapfile.Packet
	names := linkNames{path: f.path}
	for n := range most {
		if err := r.Next(&p); err != nil {
			if n == 0 && err == io.EOF {
				return fmt.Errorf("%s has no packets", f.path)
			}
			if n == 0 {
				return err
			}
			break
		}
		if n == 0 || !sane(f.first) {
			f.first = p.At
		}
		f.empty = false
		if i := c.link(&names, r, p.Interface); i >= 0 {
			s.packet(i, &p)
			if c.Links[i].VIF {
				c.Links[i].guestMAC(&p)
			}
		}
	}
	if !sane(f.first) {
		f.first = 0
	}
	return nil
}

// linkNames gives the interfaces of one file their links.
type linkNames struct {
	path  string
	links []int // by index of the interface; -1 = none
}

// link returns the index of the link of an interface, -1 if there are too many.
func (c *Capture) link(n *linkNames, r *pcapfile.Reader, iface int) int {
	all := r.Interfaces()
	for i := len(n.links); i <= iface && i < len(all); i++ {
		n.links = append(n.links, c.linkOf(n.path, &all[i], i, len(all)))
	}
	if iface >= len(n.links) {
		return -1
	}
	return n.links[iface]
}

func (c *Capture) linkOf(path string, in *pcapfile.Interface, i, n int) int {
	name := in.Name
	if name == "" {
		if name = Base(path); i > 0 {
			name = fmt.Sprintf("%s:%d", name, i)
		}
	}
	if at, ok := c.byName[name]; ok {
		return at
	}
	if len(c.Links) == MaxLinks {
		if !c.more {
			c.more = true
			c.note(fmt.Sprintf("%s has more than %d interfaces: packets of the others are left out", path, MaxLinks))
		}
		return -1
	}
	l := Link{Name: name, VIF: slices.Contains(c.cfg.VIFs, name), Speed: in.Speed, side: side{prefixes: c.cfg.Local}}
	c.Host = cmp.Or(c.Host, l.about(in.Description))
	c.Links = append(c.Links, l)
	c.byName[name] = len(c.Links) - 1
	return len(c.Links) - 1
}

// Base is a file's name without folder and endings.
func Base(path string) string {
	if path == "-" {
		return "stdin"
	}
	s := filepath.Base(path)
	for _, end := range []string{".gz", ".pcapng", ".pcap", ".cap", ".dmp"} {
		if t := strings.TrimSuffix(s, end); t != "" {
			s = t
		}
	}
	return s
}

// Streams reports whether one of the files is a pipe: it can be played once.
func (c *Capture) Streams() bool {
	return slices.ContainsFunc(c.files, func(f *file) bool { return f.stream != nil })
}

// Has reports whether a link of this name is known so far.
func (c *Capture) Has(name string) bool {
	_, ok := c.byName[name]
	return ok
}
