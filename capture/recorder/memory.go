package recorder

import (
	"encoding/binary"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Frame is what is kept of one frame.
type Frame struct {
	Stamp    int64  // CLOCK_REALTIME, ns since the epoch, as the kernel gave it
	Ifindex  uint32 // where one Memory serves several devices, else 0
	Outgoing bool
	Len      uint32 // as the kernel saw it, without a tag moved to VLANTCI
	GSOSize  uint16 // payload of each segment of a super-frame, 0 = none
	GSOType  uint8
	HasVLAN  bool // the kernel had moved a tag from the frame to here
	VLANTCI  uint16
	VLANTPID uint16 // 0 = not known
	Drops    uint16 // frames that the kernel lost since the one before, see Lose
	Data     []byte // from the MAC header, cut by the snaplen
}

// An entry is a header of 32 bytes and the data, in multiples of 8:
//
//	0 size of the entry, 0 = the next one is at the start of the memory
//	4 captured bytes, 6 Drops
//	8 Stamp
//	16 Len
//	20 GSOSize, 22 VLANTCI, 24 VLANTPID
//	26 GSOType, 27 flags
//	28 Ifindex
const (
	entryHeader = 32

	maxSnaplen = 1<<16 - 1

	flagOutgoing = 1
	flagVLAN     = 2
)

// Least is the smallest memory that is useful, in bytes.
const Least = 64 << 10

// Memory is the flight recorder of one link. Begin, Add and End belong to the
// goroutine that drains the link; everything else may be called from any.
type Memory struct {
	snap int

	mu         sync.Mutex
	mem        []byte
	head, tail int // where the next entry goes; the oldest entry
	count      int
	newest     int64
	cutOff     int64 // every frame up to this stamp may have been overwritten
	frames     uint64
	lost       uint64 // that no frame tells yet
}

// New sets bytes of memory aside, which the kernel provides as they are used. Of
// each frame the first snaplen bytes are kept. The memory is given back by Close.
func New(bytes, snaplen int) (*Memory, error) {
	if bytes < Least || snaplen < 1 || snaplen > min(bytes/16, maxSnaplen) {
		return nil, fmt.Errorf("flight recorder of %d bytes, %d a frame: out of range", bytes, snaplen)
	}
	mem, err := unix.Mmap(-1, 0, bytes&^7, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("flight recorder of %d bytes: %w", bytes, err)
	}
	return &Memory{snap: snaplen, mem: mem}, nil
}

// Close gives the memory back. Nothing may be added or cut afterwards.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.mem
	m.mem = nil
	if mem == nil {
		return nil
	}
	return unix.Munmap(mem)
}

// Begin must precede the Adds of one block of frames, End follow them: the lock
// is taken once for all of them.
func (m *Memory) Begin() { m.mu.Lock() }

// End ends what Begin began.
func (m *Memory) End() { m.mu.Unlock() }

// Add keeps a frame, whose Data is copied. It allocates nothing.
func (m *Memory) Add(f *Frame) {
	if m.mem == nil {
		return
	}
	data := f.Data[:min(len(f.Data), m.snap)]
	need := (entryHeader + len(data) + 7) &^ 7
	if m.head+need > len(m.mem) {
		m.free(m.head, len(m.mem))
		if m.head < len(m.mem) {
			binary.NativeEndian.PutUint32(m.mem[m.head:], 0)
		}
		m.head = 0
	}
	m.free(m.head, m.head+need)
	e := m.mem[m.head : m.head+need]
	binary.NativeEndian.PutUint32(e, uint32(need))
	binary.NativeEndian.PutUint16(e[4:], uint16(len(data)))
	binary.NativeEndian.PutUint16(e[6:], m.tell())
	binary.NativeEndian.PutUint64(e[8:], uint64(f.Stamp))
	binary.NativeEndian.PutUint32(e[16:], f.Len)
	binary.NativeEndian.PutUint16(e[20:], f.GSOSize)
	binary.NativeEndian.PutUint16(e[22:], f.VLANTCI)
	binary.NativeEndian.PutUint16(e[24:], f.VLANTPID)
	e[26], e[27] = f.GSOType, flags(f)
	binary.NativeEndian.PutUint32(e[28:], f.Ifindex)
	copy(e[entryHeader:], data)
	if m.count == 0 {
		m.tail = m.head
	}
	m.count++
	m.head += need
	m.frames++
	m.newest = max(m.newest, f.Stamp)
}

// Lose notes that the kernel lost n frames: the next one that is added tells it.
// It belongs to the goroutine of Add, outside Begin and End.
func (m *Memory) Lose(n uint64) {
	m.mu.Lock()
	m.lost += n
	m.mu.Unlock()
}

// tell takes of the losses what fits into an entry.
func (m *Memory) tell() uint16 {
	n := min(m.lost, 1<<16-1)
	m.lost -= n
	return uint16(n)
}

func flags(f *Frame) (b byte) {
	if f.Outgoing {
		b |= flagOutgoing
	}
	if f.HasVLAN {
		b |= flagVLAN
	}
	return b
}

// free forgets the oldest entries as long as they begin within [from, to).
func (m *Memory) free(from, to int) {
	for m.count > 0 && m.tail >= from && m.tail < to {
		e := m.mem[m.tail:]
		m.cutOff = max(m.cutOff, int64(binary.NativeEndian.Uint64(e[8:])))
		m.count--
		m.tail = m.after(m.tail)
	}
}

// after is where the entry behind the one at off begins.
func (m *Memory) after(off int) int {
	off += int(binary.NativeEndian.Uint32(m.mem[off:]))
	if off >= len(m.mem) || m.count > 0 && off != m.head && binary.NativeEndian.Uint32(m.mem[off:]) == 0 {
		return 0
	}
	return off
}

// Cut is what was kept of a time.
type Cut struct {
	Frames []Frame // in the order in which they were read; their Data belongs to the Cut
	// Complete says that nothing of [from, to) had been overwritten before. From
	// is the first stamp from which nothing is missing; it is the from that was
	// asked for if Complete.
	Complete bool
	From     int64
	// Beyond says that the room was used up: frames after the last one are missing.
	Beyond bool
}

// Cut copies the frames stamped within [from, to), at most room bytes of them,
// 64 bytes for each counted beside its data.
func (m *Memory) Cut(from, to int64, room int) Cut {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := Cut{Complete: m.cutOff < from, From: max(from, m.cutOff+1)}
	if m.cutOff == 0 {
		c.Complete, c.From = true, from
	}
	n, bytes := m.measure(from, to, room)
	arena := make([]byte, 0, bytes)
	c.Frames = make([]Frame, 0, n)
	off := m.tail
	for range m.count {
		e := m.mem[off:]
		stamp := int64(binary.NativeEndian.Uint64(e[8:]))
		if stamp >= from && stamp < to {
			if len(c.Frames) == n {
				c.Beyond = true
				break
			}
			var f Frame
			f, arena = readEntry(e, arena)
			c.Frames = append(c.Frames, f)
		}
		off = m.after(off)
	}
	return c
}

// measure counts what Cut will copy.
func (m *Memory) measure(from, to int64, room int) (n, bytes int) {
	off := m.tail
	for range m.count {
		e := m.mem[off:]
		if stamp := int64(binary.NativeEndian.Uint64(e[8:])); stamp >= from && stamp < to {
			size := int(binary.NativeEndian.Uint16(e[4:]))
			if room -= size + 64; room < 0 {
				break
			}
			n, bytes = n+1, bytes+size
		}
		off = m.after(off)
	}
	return n, bytes
}

func readEntry(e, arena []byte) (Frame, []byte) {
	n := int(binary.NativeEndian.Uint16(e[4:]))
	at := len(arena)
	arena = append(arena, e[entryHeader:entryHeader+n]...)
	return Frame{
		Stamp:    int64(binary.NativeEndian.Uint64(e[8:])),
		Len:      binary.NativeEndian.Uint32(e[16:]),
		GSOSize:  binary.NativeEndian.Uint16(e[20:]),
		VLANTCI:  binary.NativeEndian.Uint16(e[22:]),
		VLANTPID: binary.NativeEndian.Uint16(e[24:]),
		Drops:    binary.NativeEndian.Uint16(e[6:]),
		GSOType:  e[26],
		Ifindex:  binary.NativeEndian.Uint32(e[28:]),
		Outgoing: e[27]&flagOutgoing != 0,
		HasVLAN:  e[27]&flagVLAN != 0,
		Data:     arena[at:len(arena):len(arena)],
	}, arena
}

// Stats say how much is kept.
type Stats struct {
	Frames uint64 // added since New
	Kept   int    // in memory now
	Oldest int64  // stamp of the oldest kept, 0 = none
	Newest int64
	Bytes  int // of memory
}

// Stats returns the state of the recorder.
func (m *Memory) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Stats{Frames: m.frames, Kept: m.count, Newest: m.newest, Bytes: len(m.mem)}
	if m.count > 0 {
		s.Oldest = int64(binary.NativeEndian.Uint64(m.mem[m.tail+8:]))
	}
	return s
}
