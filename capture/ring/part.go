package ring

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"spiketop/capture/pcapfile"
	"spiketop/capture/recorder"
)

// part is the file that is being written.
type part struct {
	file   *os.File
	name   string
	began  time.Time
	w      *pcapfile.Writer
	size   int64 // bytes that the kernel has taken
	whole  int64 // of them, up to the end of a block
	ifs    map[device]*written
	order  []device
	frames uint64
	buf    []byte
}

// written is what a file holds of one device.
type written struct {
	number   int
	from, to int64 // stamps, 0 = no frame
	frames   uint64
	drops    uint64
	source   Source
}

// Write counts what the kernel takes, for the pcapfile.Writer.
func (p *part) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.size += int64(n)
	return n, err
}

func newPart(f *os.File, cfg *Config, at time.Time) *part {
	p := &part{file: f, name: f.Name(), began: at, ifs: map[device]*written{}}
	p.w = pcapfile.NewWriter(p, pcapfile.Section{Application: cfg.Application, Comment: cfg.Comment})
	return p
}

// add gives a source its place in the file.
func (p *part) add(s *Source, snaplen int) (*written, error) {
	n, err := p.w.AddInterface(s.describe(snaplen))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	wr := &written{number: n, source: *s}
	p.ifs[s.device()] = wr
	p.order = append(p.order, s.device())
	return wr, nil
}

// frame writes a frame, before which drops others were lost on its device.
func (p *part) frame(wr *written, f *recorder.Frame, drops uint64) error {
	pk := pcapfile.Packet{At: f.Stamp, Interface: wr.number, Dir: pcapfile.DirIn, SegSize: f.GSOSize, Drops: drops}
	if f.Outgoing {
		pk.Dir = pcapfile.DirOut
	}
	pk.Data, pk.Len = f.Wire(p.buf[:0])
	p.buf = pk.Data
	if err := p.w.WritePacket(&pk); err != nil {
		return err
	}
	if wr.frames == 0 {
		wr.from = f.Stamp
	}
	wr.to = f.Stamp
	wr.frames++
	p.frames++
	wr.drops += drops
	return nil
}

// flush hands everything to the kernel.
func (p *part) flush() error {
	if err := p.w.Flush(); err != nil {
		return err
	}
	p.whole = p.size
	return nil
}

// end closes the file behind what each device has carried. What a failed write
// left of a block is cut off.
func (p *part) end() error {
	var err error
	for _, d := range p.order {
		if wr := p.ifs[d]; wr.frames > 0 && err == nil {
			err = p.w.WriteStats(wr.number, wr.from, wr.to, wr.frames, wr.drops)
		}
	}
	if err == nil {
		err = p.flush()
	}
	if p.size > p.whole && p.file.Truncate(p.whole) == nil {
		p.size = p.whole
	}
	if cerr := p.file.Close(); err == nil {
		err = cerr
	}
	return err
}

// gone reports whether somebody has deleted the file: what is written into it is
// lost.
func (p *part) gone() bool {
	st, err := p.file.Stat()
	if err != nil {
		return false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && sys.Nlink == 0
}

// abandon closes the file after a failed write: what is left of a block is cut off.
func (p *part) abandon() {
	if p.size > p.whole && p.file.Truncate(p.whole) == nil {
		p.size = p.whole
	}
	_ = p.file.Close()
}
