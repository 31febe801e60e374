package stats

import "math/bits"

// key is a flow without direction: the lower end first.
type key struct {
	low, high         Addr
	lowPort, highPort uint16
	proto             uint8
	v4                bool
}

// entry is a flow.
type entry struct {
	key
	fromHigh bool      // the first packet came from the higher end
	n        [2]Counts // by the end that sent: lower, higher
	gen      uint32    // of the bin that slot counts in, see series
	slot     uint32
	tcp      uint32 // number of the TCP conversation + 1, 0 = none
}

const (
	chunkBits = 10 // entries come in chunks, so that growing moves none
	chunkLen  = 1 << chunkBits
)

// table is an open-addressing hash table of flows. The index holds the upper half
// of a hash beside the number of the flow + 1: other flows are told apart without
// touching them.
type table struct {
	index  []uint64
	chunks [][]entry
	n      int
	max    int
	seed   uint64
}

func newTable(most int, seed uint64) *table {
	return &table{index: make([]uint64, 1<<12), max: most, seed: seed | 1}
}

func (t *table) at(i uint32) *entry { return &t.chunks[i>>chunkBits][i&(chunkLen-1)] }

// find returns the number of the flow k, adding it if it is new and there is
// room.
func (t *table) find(k *key, fromHigh bool) (i uint32, ok bool) {
	h := k.hash(t.seed)
	mask := uint64(len(t.index) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		x := t.index[at]
		if x == 0 {
			break
		}
		if uint32(x>>32) == uint32(h>>32) {
			if i = uint32(x) - 1; t.at(i).key == *k {
				return i, true
			}
		}
	}
	if t.n >= t.max {
		return 0, false
	}
	return t.add(k, h, fromHigh), true
}

func (t *table) add(k *key, h uint64, fromHigh bool) uint32 {
	if t.n*2 >= len(t.index) {
		t.grow()
	}
	i := uint32(t.n)
	if t.n>>chunkBits == len(t.chunks) {
		t.chunks = append(t.chunks, make([]entry, chunkLen))
	}
	t.n++
	e := t.at(i)
	e.key, e.fromHigh = *k, fromHigh
	t.put(h, i)
	return i
}

func (t *table) put(h uint64, i uint32) {
	mask := uint64(len(t.index) - 1)
	at := h & mask
	for t.index[at] != 0 {
		at = (at + 1) & mask
	}
	t.index[at] = h>>32<<32 | uint64(i+1)
}

func (t *table) grow() {
	t.index = make([]uint64, len(t.index)*2)
	for i := range uint32(t.n) {
		t.put(t.at(i).hash(t.seed), i)
	}
}

// hash mixes the key with the seed, which whoever makes a file does not know: both
// factors of each product hold it, so that no address makes one of them 0.
func (k *key) hash(seed uint64) uint64 {
	ports := uint64(k.lowPort)<<32 | uint64(k.highPort)<<16 | uint64(k.proto)
	h := mix(k.low.Lo^seed, k.high.Lo^bits.RotateLeft64(seed, 32)^0x9e3779b97f4a7c15)
	h = mix(h^ports, seed^0xd6e8feb86659fd93)
	if k.low.Hi|k.high.Hi != 0 {
		h = mix(h^k.low.Hi, seed^k.high.Hi^0xa0761d6478bd642f)
	}
	return h
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// flowOf returns the key of p with the ports and protocol given, and whether p
// comes from the higher end. A packet from an end to itself comes from the lower.
func flowOf(p *Packet) (k key, fromHigh bool) {
	c := p.Src.compare(p.Dst)
	if c < 0 || c == 0 && p.SrcPort <= p.DstPort {
		return key{p.Src, p.Dst, p.SrcPort, p.DstPort, p.Proto, p.V4}, false
	}
	return key{p.Dst, p.Src, p.DstPort, p.SrcPort, p.Proto, p.V4}, true
}
