package flow

// flowEntry is what the look-back knows about one incarnation of a flow.
type flowEntry struct {
	info     FlowInfo     // Cum runs on with every row
	why      string       // with class
	win      [3][2]uint64 // bytes in each window, by direction
	last     uint64       // number of the slot with its last row, 0 = none; next free entry if free
	rows     uint32       // in the longest window
	active   uint32       // place in Lookback.active if rows > 0
	mark     uint32       // scratch of Sum
	classGen uint32       // Lookback.classGen of class
	class    Class
}

// dict finds flows by number. Entries are numbered from 1 and lie in chunks
// that do not move.
type dict struct {
	index  []uint64 // FlowID<<32 | entry, 0 = empty; linear probing, at most half full
	shift  uint8    // 64 - log2(len(index))
	chunks []*[dictChunk]flowEntry
	high   uint32
	free   uint32
	n      int
}

const dictChunk = 256

func (x *dict) init() {
	x.index = make([]uint64, 1<<8)
	x.shift = 64 - 8
}

func (x *dict) at(e uint32) *flowEntry { return &x.chunks[e/dictChunk][e%dictChunk] }

// home is where the search for id begins (multiplicative hashing: the table
// gives the numbers, nobody outside chooses them).
func (x *dict) home(id FlowID) uint64 { return uint64(id) * 0x9e3779b97f4a7c15 >> x.shift }

// find returns the entry of id, or 0.
func (x *dict) find(id FlowID) uint32 {
	mask := uint64(len(x.index) - 1)
	for p := x.home(id); ; p = (p + 1) & mask {
		w := x.index[p&mask]
		if FlowID(w>>32) == id || w == 0 {
			return uint32(w) // an empty word is entry 0
		}
	}
}

// introduce makes or renews the entry of a flow.
func (x *dict) introduce(info *FlowInfo) {
	e := x.find(info.ID)
	if e == 0 {
		e = x.take()
		*x.at(e) = flowEntry{}
		if x.n++; 2*x.n > len(x.index) {
			x.grow()
		}
		x.put(uint64(info.ID)<<32 | uint64(e))
	}
	f := x.at(e)
	f.info = *info
	f.classGen = 0
}

func (x *dict) take() uint32 {
	if e := x.free; e != 0 {
		x.free = uint32(x.at(e).last)
		return e
	}
	x.high++
	if int(x.high/dictChunk) == len(x.chunks) {
		x.chunks = append(x.chunks, new([dictChunk]flowEntry))
	}
	return x.high
}

func (x *dict) put(w uint64) {
	mask := uint64(len(x.index) - 1)
	p := x.home(FlowID(w >> 32))
	for x.index[p] != 0 {
		p = (p + 1) & mask
	}
	x.index[p] = w
}

func (x *dict) grow() {
	old := x.index
	x.index = make([]uint64, 2*len(old))
	x.shift--
	for _, w := range old {
		if w != 0 {
			x.put(w)
		}
	}
}

// drop forgets entry e.
func (x *dict) drop(e uint32) {
	mask := uint64(len(x.index) - 1)
	hole := x.home(x.at(e).info.ID)
	for uint32(x.index[hole]) != e {
		hole = (hole + 1) & mask
	}
	for p := (hole + 1) & mask; x.index[p] != 0; p = (p + 1) & mask {
		if home := x.home(FlowID(x.index[p] >> 32)); (p-home)&mask >= (p-hole)&mask {
			x.index[hole] = x.index[p]
			hole = p
		}
	}
	x.index[hole] = 0
	*x.at(e) = flowEntry{last: uint64(x.free)}
	x.free = e
	x.n--
}

// dropUnused forgets a flow that was introduced without a row: nothing would
// ever make it leave.
func (x *dict) dropUnused(id FlowID) {
	if e := x.find(id); e != 0 && x.at(e).last == 0 {
		x.drop(e)
	}
}
