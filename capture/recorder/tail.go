package recorder

import "encoding/binary"

// Tail reads a Memory on and on, every frame once, while others are added. It
// belongs to one goroutine.
type Tail struct {
	m   *Memory
	off int    // where the entry number seq is, or will be
	seq uint64 // of the next frame
}

// Tail returns a reader that begins with the oldest frame that is kept.
func (m *Memory) Tail() *Tail {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &Tail{m: m}
	t.rewind()
	return t
}

func (t *Tail) rewind() {
	t.off, t.seq = t.m.tail, t.m.frames-uint64(t.m.count)
	if t.m.count == 0 {
		t.off = t.m.head
	}
}

// Block is what was read of a Memory. It belongs to one goroutine and is used
// again after Reset, which saves the garbage of a busy link.
type Block struct {
	Frames []Frame // their Data is valid until Reset
	arena  []byte
}

// Reset empties b.
func (b *Block) Reset() { b.Frames, b.arena = b.Frames[:0], b.arena[:0] }

// Next appends copies of the frames that were added since the last call to b, at
// least one if there is any, else at most room bytes of them, 64 counted for each
// beside its data. missed is how many had been overwritten before they were read;
// more says that others wait. The lock is held meanwhile, so that room bounds how
// long the drain of the link may have to wait.
func (t *Tail) Next(b *Block, room int) (missed uint64, more bool) {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mem == nil {
		return 0, false
	}
	if oldest := m.frames - uint64(m.count); t.seq <= oldest { // the next one may have moved
		missed = oldest - t.seq
		t.rewind()
	}
	for ; t.seq < m.frames && room > 0; t.seq++ {
		t.off = t.at(t.off)
		var f Frame
		f, b.arena = readEntry(m.mem[t.off:], b.arena)
		b.Frames = append(b.Frames, f)
		t.off += t.size(t.off)
		room -= len(f.Data) + 64
	}
	return missed, t.seq < m.frames
}

// at is where the entry lies that follows in off: at the start of the memory if
// it did not fit there. There is one.
func (t *Tail) at(off int) int {
	if off >= len(t.m.mem) || t.size(off) == 0 {
		return 0
	}
	return off
}

func (t *Tail) size(off int) int { return int(binary.NativeEndian.Uint32(t.m.mem[off:])) }
