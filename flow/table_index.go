package flow

// index finds the entry of a hash: extendible hashing (Fagin et al., ACM TODS
// 1979) over small segments with linear probing. A segment that is three
// quarters full is split into two, which moves some 770 words, so no single
// insertion ever pays for a rehash of the whole table (20 ms at a million
// flows). Splitting reads only the words themselves.
//
// A word is the upper 40 bits of the hash and the number of the entry; 0 is an
// empty place. The topmost bits choose the segment, the lowest of the 40 the
// place in it.
type index struct {
	dir   []segment // 1<<depth of them; neighbours may be the same segment
	shift uint8     // 64 - depth
	depth uint8
}

type segment struct {
	word *[segmentLen]uint64
	meta *segmentMeta
}

type segmentMeta struct {
	n     uint16 // words in use
	depth uint8  // how many hash bits all its words share
}

const (
	entryBits  = 24
	entryMask  = 1<<entryBits - 1
	segmentLen = 1 << 10
	segmentMax = segmentLen * 3 / 4
	placeMask  = segmentLen - 1
	// With a secret hash a directory is never much longer than entries/400; the
	// limit only makes "never" certain.
	maxDepth = 20
)

func (x *index) init() {
	x.dir = []segment{newSegment(0)}
	x.shift, x.depth = 64, 0
}

func newSegment(depth uint8) segment {
	return segment{new([segmentLen]uint64), &segmentMeta{depth: depth}}
}

// first returns the word at which the search for h begins: what a batch touches
// ahead of its use.
func (x *index) first(h uint64) uint64 {
	return x.dir[h>>x.shift].word[h>>entryBits&placeMask]
}

// insert adds entry e. It returns false if there is no place, which takes
// hundreds of flows that agree in 20 bits of a secret hash.
func (x *index) insert(h uint64, e uint32) bool {
	for {
		m := x.dir[h>>x.shift].meta
		if m.n < segmentMax {
			break
		}
		if !x.split(h) {
			return false
		}
	}
	x.put(h&^entryMask | uint64(e))
	return true
}

func (x *index) put(w uint64) {
	s := x.dir[w>>x.shift]
	p := w >> entryBits & placeMask
	for s.word[p] != 0 {
		p = (p + 1) & placeMask
	}
	s.word[p] = w
	s.meta.n++
}

// split divides the segment of h by its next hash bit.
func (x *index) split(h uint64) bool {
	s := x.dir[h>>x.shift]
	if s.meta.depth == x.depth {
		if x.depth == maxDepth {
			return false
		}
		x.double()
	}
	upper := newSegment(s.meta.depth + 1)
	span := uint64(1) << (x.depth - s.meta.depth)
	begin := h >> x.shift &^ (span - 1)
	for i := begin + span/2; i < begin+span; i++ {
		x.dir[i] = upper
	}
	words := *s.word
	*s.word = [segmentLen]uint64{}
	*s.meta = segmentMeta{depth: s.meta.depth + 1}
	for _, w := range words {
		if w != 0 {
			x.put(w)
		}
	}
	return true
}

func (x *index) double() {
	dir := make([]segment, 2*len(x.dir))
	for i, s := range x.dir {
		dir[2*i], dir[2*i+1] = s, s
	}
	x.dir = dir
	x.depth++
	x.shift--
}

// remove takes entry e out and moves the words behind it up, so that searches
// need no tombstones.
func (x *index) remove(h uint64, e uint32) {
	s := x.dir[h>>x.shift]
	hole := h >> entryBits & placeMask
	for s.word[hole]&entryMask != uint64(e) {
		if s.word[hole] == 0 {
			return
		}
		hole = (hole + 1) & placeMask
	}
	for p := (hole + 1) & placeMask; s.word[p] != 0; p = (p + 1) & placeMask {
		home := s.word[p] >> entryBits
		if (p-home)&placeMask >= (p-hole)&placeMask {
			s.word[hole] = s.word[p]
			hole = p
		}
	}
	s.word[hole] = 0
	s.meta.n--
}
