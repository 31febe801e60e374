package pcapfile

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	nanoseconds = 9 // if_tsresol

	maxOption = 0xffff  // bytes of an option or of a name record
	maxBlock  = 1 << 20 // where a list of names is continued in the next block
)

// Writer writes pcapng: one section, little endian, times in nanoseconds. It
// belongs to one goroutine. It buffers: Flush ends it. The first error of the
// destination is what every later call returns; a call with a value that cannot
// be written returns an error of its own and writes nothing.
type Writer struct {
	w      *bufio.Writer
	b      []byte // the block at hand
	ifaces int
	err    error
}

// NewWriter begins a section on w. An error of w comes with a later call.
func NewWriter(w io.Writer, s Section) *Writer {
	o := &Writer{w: bufio.NewWriterSize(w, 64<<10)}
	o.begin(blockSection)
	o.u32(byteOrderMagic)
	o.u16(1)
	o.u16(0)
	o.u64(1<<64 - 1) // its length is not said: the file may go on
	n := len(o.b)
	o.text(shbHardware, s.Hardware)
	o.text(shbOS, s.OS)
	o.text(shbApp, s.Application)
	o.text(optComment, s.Comment)
	o.endOptions(n)
	o.end()
	return o
}

// AddInterface describes the next interface and returns its number, from 0, for
// Packet.Interface. Of i it writes the texts, Link, SnapLen, Speed and MAC; the
// clock is the Writer's own, Section and Stats are not written (see WriteStats).
func (o *Writer) AddInterface(i Interface) (int, error) {
	if i.Link > 0xffff {
		return 0, fmt.Errorf("add interface: link type %d has no place in pcapng", i.Link)
	}
	if o.ifaces == maxInterfaces {
		return 0, fmt.Errorf("add interface: there are %d already", o.ifaces)
	}
	o.begin(blockInterface)
	o.u16(uint16(i.Link))
	o.u16(0)
	o.u32(i.SnapLen)
	n := len(o.b)
	o.text(ifName, i.Name)
	o.text(ifDescription, i.Description)
	if i.MAC != [6]byte{} {
		o.option(ifMAC, i.MAC[:])
	}
	if i.Speed > 0 {
		o.option(ifSpeed, binary.LittleEndian.AppendUint64(nil, i.Speed))
	}
	o.option(ifTSResol, []byte{nanoseconds})
	if i.Filter != "" {
		o.text(ifFilter, "\x00"+i.Filter)
	}
	o.text(ifOS, i.OS)
	o.text(ifHardware, i.Hardware)
	for _, c := range i.Comments {
		o.text(optComment, c)
	}
	o.endOptions(n)
	o.end()
	o.ifaces++
	return o.ifaces - 1, o.err
}

// WritePacket writes a packet: its time, interface, lengths, bytes, and where
// there are any direction, drops, segment size and comments. A Len of less than
// the bytes is written as it is. Data is not kept. A packet without a time is
// written with 1970; times before that, which the format does not know, too.
func (o *Writer) WritePacket(p *Packet) error {
	if p.Interface < 0 || p.Interface >= o.ifaces {
		return fmt.Errorf("write packet: interface %d of %d", p.Interface, o.ifaces)
	}
	if len(p.Data) > maxMaxPacket || p.Len < 0 || int64(p.Len) > 1<<32-1 {
		return fmt.Errorf("write packet: %d bytes of %d", len(p.Data), p.Len)
	}
	o.begin(blockEnhanced)
	o.u32(uint32(p.Interface))
	o.stamp(p.At)
	o.u32(uint32(len(p.Data)))
	o.u32(uint32(p.Len))
	o.b = append(o.b, p.Data...)
	o.pad()
	n := len(o.b)
	for _, c := range p.Comments {
		o.text(optComment, c)
	}
	if p.Dir == DirIn || p.Dir == DirOut {
		o.head(epbFlags, 4)
		o.u32(uint32(p.Dir)) // the numbers are those of the format
	}
	if p.Drops > 0 {
		o.head(epbDrops, 8)
		o.u64(p.Drops)
	}
	if p.SegSize > 0 {
		o.head(optCustom, 8)
		o.u32(privateEnterprise)
		o.u16(p.SegSize)
		o.u16(0)
	}
	o.endOptions(n)
	o.end()
	return o.err
}

// WriteNames writes what addresses are called, in the order of the addresses. It
// may be called at any place, more than once.
func (o *Writer) WriteNames(names map[netip.Addr][]string) error {
	addrs := make([]netip.Addr, 0, len(names))
	for a := range names {
		if a.IsValid() {
			addrs = append(addrs, a)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	open := false
	for _, a := range addrs {
		record := nameRecord(a, names[a])
		if record == nil {
			continue
		}
		if open && len(o.b)+len(record) > maxBlock {
			o.endNames()
			open = false
		}
		if !open {
			o.begin(blockNames)
			open = true
		}
		o.b = append(o.b, record...)
	}
	if open {
		o.endNames()
	}
	return o.err
}

func (o *Writer) endNames() {
	o.u32(recordEnd)
	o.end()
}

// nameRecord returns an address and its names as one record. It is empty if none
// has a name that can be written; those that do not fit are left out.
func nameRecord(a netip.Addr, names []string) []byte {
	typ := uint16(recordIPv6)
	if a = a.Unmap(); a.Is4() {
		typ = recordIPv4
	}
	v := append(make([]byte, 4), a.AsSlice()...)
	n := len(v)
	for _, name := range names {
		name = strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", ""), "\uFFFD")
		if name != "" && len(v)-4+len(name)+1 <= maxOption {
			v = append(append(v, name...), 0)
		}
	}
	if len(v) == n {
		return nil
	}
	binary.LittleEndian.PutUint16(v, typ)
	binary.LittleEndian.PutUint16(v[2:], uint16(len(v)-4))
	return append(v, make([]byte, -len(v)&3)...)
}

// WriteStats writes what an interface received and what the capture lost between
// two times, nanoseconds since the epoch. It belongs behind the packets.
func (o *Writer) WriteStats(iface int, from, to int64, received, dropped uint64) error {
	if iface < 0 || iface >= o.ifaces {
		return fmt.Errorf("write statistics: interface %d of %d", iface, o.ifaces)
	}
	o.begin(blockStatistics)
	o.u32(uint32(iface))
	o.stamp(to)
	n := len(o.b)
	o.head(isbStart, 8)
	o.stamp(from)
	o.head(isbEnd, 8)
	o.stamp(to)
	o.head(isbReceived, 8)
	o.u64(received)
	o.head(isbDropped, 8)
	o.u64(dropped)
	o.endOptions(n)
	o.end()
	return o.err
}

// Flush writes what is buffered. What was written until then is a whole file.
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

// end writes the block at hand with its length at both ends. The destination gets
// whole blocks, so that a process that is killed leaves a whole file.
func (o *Writer) end() {
	o.u32(uint32(len(o.b) + 4))
	binary.LittleEndian.PutUint32(o.b[4:], uint32(len(o.b)))
	if o.err == nil && o.w.Available() < len(o.b) {
		o.err = o.w.Flush()
	}
	if o.err == nil {
		_, o.err = o.w.Write(o.b)
	}
}

// endOptions ends the options that began at n, if there are any.
func (o *Writer) endOptions(n int) {
	if len(o.b) > n {
		o.head(optEnd, 0)
	}
}

func (o *Writer) u16(v uint16) { o.b = binary.LittleEndian.AppendUint16(o.b, v) }
func (o *Writer) u32(v uint32) { o.b = binary.LittleEndian.AppendUint32(o.b, v) }
func (o *Writer) u64(v uint64) { o.b = binary.LittleEndian.AppendUint64(o.b, v) }

// stamp writes a time as the format has it: the upper word first.
func (o *Writer) stamp(at int64) {
	v := uint64(max(at, 0))
	o.u32(uint32(v >> 32))
	o.u32(uint32(v))
}

func (o *Writer) pad() {
	for len(o.b)&3 != 0 {
		o.b = append(o.b, 0)
	}
}

// head writes the code and length of an option whose value follows.
func (o *Writer) head(code uint16, n int) {
	o.u16(code)
	o.u16(uint16(n))
}

func (o *Writer) option(code uint16, v []byte) {
	o.head(code, len(v))
	o.b = append(o.b, v...)
	o.pad()
}

// text writes an option of text, which the format wants in UTF-8, unless it is
// empty. What exceeds an option is cut off at a character.
func (o *Writer) text(code uint16, s string) {
	if s == "" {
		return
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > maxOption {
		n := maxOption
		for !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	o.head(code, len(s))
	o.b = append(o.b, s...)
	o.pad()
}
