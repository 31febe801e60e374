package pcapfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
)

// Section describes who wrote a file.
type Section struct {
	Hardware, OS, Application, Comment string
}

// Writer writes one section of pcapng, little endian, times in nanoseconds. It
// belongs to one goroutine. The first error of the destination is returned by
// every further call.
type Writer struct {
	w          *bufio.Writer
	b          []byte // the block at hand
	interfaces int
	err        error
}

// NewWriter begins a file.
func NewWriter(w io.Writer, s Section) *Writer {
	o := &Writer{w: bufio.NewWriterSize(w, 64<<10)}
	o.begin(blockSection)
	o.u32(byteOrderMagic)
	o.u16(1)
	o.u16(0)
	o.u64(1<<64 - 1) // the section's length is not known
	o.text(2, s.Hardware)
	o.text(3, s.OS)
	o.text(4, s.Application)
	o.text(optComment, s.Comment)
	o.end()
	return o
}

// AddInterface declares an interface and returns its number, from 0.
func (o *Writer) AddInterface(i Interface) (int, error) {
	o.begin(blockInterface)
	o.u16(uint16(i.Link))
	o.u16(0)
	o.u32(i.SnapLen)
	o.text(2, i.Name)
	o.text(3, i.Description)
	if i.Speed > 0 {
		o.option(8, binary.LittleEndian.AppendUint64(nil, i.Speed))
	}
	o.option(9, []byte{9})
	o.end()
	o.interfaces++
	return o.interfaces - 1, o.err
}

// WritePacket writes a packet of a declared interface. Offset and Link are not
// written; Data is not kept.
func (o *Writer) WritePacket(p *Packet) error {
	if p.Interface < 0 || p.Interface >= o.interfaces {
		return fmt.Errorf("write packet: interface %d of %d", p.Interface, o.interfaces)
	}
	o.begin(blockPacket)
	at := uint64(max(p.At, 0))
	for _, v := range []uint32{uint32(p.Interface), uint32(at >> 32), uint32(at), uint32(len(p.Data)), uint32(max(p.Len, len(p.Data)))} {
		o.u32(v)
	}
	o.b = append(o.b, p.Data...)
	o.pad()
	for _, c := range p.Comments {
		o.text(optComment, c)
	}
	if p.Dir != DirUnknown {
		o.option(epbFlags, []byte{byte(p.Dir), 0, 0, 0})
	}
	if p.Drops > 0 {
		o.option(epbDropCount, binary.LittleEndian.AppendUint64(nil, p.Drops))
	}
	if p.SegSize > 0 {
		o.option(optCustom, binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, privateEnterprise), uint32(p.SegSize)))
	}
	o.end()
	return o.err
}

// WriteNames writes what addresses are called.
func (o *Writer) WriteNames(names map[netip.Addr][]string) error {
	if len(names) == 0 {
		return o.err
	}
	addrs := make([]netip.Addr, 0, len(names))
	for a := range names {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	o.begin(blockNames)
	for _, a := range addrs {
		typ, called := uint16(2), names[a]
		if a.Unmap().Is4() {
			typ, a = 1, a.Unmap()
		}
		v := a.AsSlice()
		for _, n := range called {
			v = append(append(v, bytes.ReplaceAll([]byte(n), []byte{0}, nil)...), 0)
		}
		if len(o.b)+len(v) > maxBlock-64 {
			break
		}
		o.u16(typ)
		o.u16(uint16(len(v)))
		o.b = append(o.b, v...)
		o.pad()
	}
	o.u32(0)
	o.end()
	return o.err
}

// WriteStats writes what an interface has received and dropped between two
// times; it comes last.
func (o *Writer) WriteStats(iface int, from, to int64, received, dropped uint64) error {
	o.begin(blockStats)
	o.u32(uint32(iface))
	o.u32(uint32(uint64(to) >> 32))
	o.u32(uint32(to))
	for i, at := range [2]int64{from, to} {
		o.option(uint16(2+i), binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(uint64(at)>>32)), uint32(at)))
	}
	o.option(4, binary.LittleEndian.AppendUint64(nil, received))
	o.option(5, binary.LittleEndian.AppendUint64(nil, dropped))
	o.end()
	return o.err
}

// Flush writes what is buffered.
func (o *Writer) Flush() error {
	if o.err == nil {
		o.err = o.w.Flush()
	}
	return o.err
}

func (o *Writer) begin(typ uint32) {
	o.b = o.b[:0]
	o.u32(typ)
	o.u32(0)
}

// end writes the block with both lengths. An end of options may be left out.
func (o *Writer) end() {
	o.u32(uint32(len(o.b) + 4))
	binary.LittleEndian.PutUint32(o.b[4:], uint32(len(o.b)))
	if o.err == nil {
		_, o.err = o.w.Write(o.b)
	}
}

func (o *Writer) u16(v uint16) { o.b = binary.LittleEndian.AppendUint16(o.b, v) }
func (o *Writer) u32(v uint32) { o.b = binary.LittleEndian.AppendUint32(o.b, v) }
func (o *Writer) u64(v uint64) { o.b = binary.LittleEndian.AppendUint64(o.b, v) }

func (o *Writer) pad() {
	for len(o.b)%4 != 0 {
		o.b = append(o.b, 0)
	}
}

func (o *Writer) option(code uint16, v []byte) {
	o.u16(code)
	o.u16(uint16(len(v)))
	o.b = append(o.b, v...)
	o.pad()
}

func (o *Writer) text(code uint16, s string) {
	if s != "" {
		o.option(code, []byte(s[:min(len(s), maxText)]))
	}
}
