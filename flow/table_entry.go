package flow

// hot is the part of an entry that every record needs: one cache line.
type hot struct {
	key    Key
	mac    [6]byte
	gen    uint16 // incarnation, see Table.id
	last   uint32 // number of the slot that touched it last, 0 = the entry is free
	acc    uint32 // its place in touched if last is the current slot; next free entry if free
	row    uint32 // number of the last slot in which it had a row, 0 = none
	recent uint32 // bytes until the last slot, halved with every slot, see Table.score
}

// cold is the rest, needed when a flow comes, goes or is written to a slot.
type cold struct {
	first    Time
	cum      [2]Counters // until the last closed slot
	classGen uint32      // Table.classGen in which class was asked for
	class    Class
	inner    [6]byte // Record.Inner
}

const (
	chunkBits = 10
	chunkLen  = 1 << chunkBits
	chunkMask = chunkLen - 1
)

// entries holds flows by number, from 1. Chunks have no pointers inside (the
// garbage collector does not look into them) and are never moved or copied.
type entries struct {
	hots  []*[chunkLen]hot
	colds []*[chunkLen]cold
	high  uint32 // highest number given so far
	free  uint32 // first of the chain of free entries, 0 = none
	live  int
}

func (s *entries) hot(e uint32) *hot   { return &s.hots[e>>chunkBits][e&chunkMask] }
func (s *entries) cold(e uint32) *cold { return &s.colds[e>>chunkBits][e&chunkMask] }

// take returns a free entry, or 0 if there would be more than limit flows.
func (s *entries) take(limit int) uint32 {
	if s.live >= limit {
		return 0
	}
	s.live++
	if e := s.free; e != 0 {
		s.free = s.hot(e).acc
		return e
	}
	s.high++
	if int(s.high>>chunkBits) == len(s.hots) {
		s.hots = append(s.hots, new([chunkLen]hot))
		s.colds = append(s.colds, new([chunkLen]cold))
	}
	return s.high
}

// give frees entry e.
func (s *entries) give(e uint32) {
	h := s.hot(e)
	gen := h.gen
	if h.row != 0 {
		gen++ // its number stands in slots
	}
	*h = hot{gen: gen, acc: s.free}
	s.free = e
	s.live--
}

// acc is what a flow carried in the current slot.
type acc struct {
	bytes   [2]uint64
	packets [2]uint64
	entry   uint32 // 0 = the flow has left the table
	fresh   bool   // a row of it needs an introduction
	keep    bool   // set by CloseSlot: it gets its row
}

// size is the measure by which flows keep their rows.
func (a *acc) size() uint64 { return a.bytes[Rx] + a.bytes[Tx] }

// touched lists the flows of the current slot, in chunks that are used again.
type touched struct {
	chunks []*[chunkLen]acc
	n      uint32
	spare  uint32 // place of a flow that left, plus 1; 0 = none
}

func (l *touched) at(i uint32) *acc { return &l.chunks[i>>chunkBits][i&chunkMask] }

// add returns the place of a new element.
func (l *touched) add(e uint32, fresh bool) uint32 {
	i := l.n
	if l.spare != 0 {
		i, l.spare = l.spare-1, 0
	} else {
		if int(i>>chunkBits) == len(l.chunks) {
			l.chunks = append(l.chunks, new([chunkLen]acc))
		}
		l.n++
	}
	*l.at(i) = acc{entry: e, fresh: fresh}
	return i
}

// reset empties the list and gives one chunk back while far more are held than
// this slot needed.
func (l *touched) reset() {
	if used := int(l.n>>chunkBits) + 1; len(l.chunks) > 4*used+4 {
		last := len(l.chunks) - 1
		l.chunks[last] = nil
		l.chunks = l.chunks[:last]
	}
	l.n, l.spare = 0, 0
}
