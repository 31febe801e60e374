package flow

import "math"

// batchLen is how many records are worked on together: enough for their cache
// misses to overlap (373 -> 130 ns a record with a million flows), few enough
// for all that is touched to stay in the first-level cache.
const batchLen = 64

// current is the slot being counted.
type current struct {
	begun    bool
	from     Time
	total    [2]Counters
	bins     [2][BinsPerSlot]uint64
	skbBytes [2]uint64
	other    [2][256]Counters // by class
	floor    uint64
	lost     uint64
	evicted  uint32
	late     uint32
}

// Add counts records in the current slot. A record of an earlier slot counts in
// this one's first bin and in Late, a record from beyond it in the last bin. It
// allocates only while the number of flows grows. The records may be reused as
// soon as it returns.
func (t *Table) Add(batch []Record) {
	for len(batch) > batchLen {
		t.addBatch(batch[:batchLen])
		batch = batch[batchLen:]
	}
	t.addBatch(batch)
}

func (t *Table) addBatch(batch []Record) {
	b := &t.batch
	for i := range batch {
		b.hash[i] = t.secret.hash(&batch[i].Key)
	}
	for i := range batch {
		b.word[i] = t.index.first(b.hash[i])
	}
	var sum uint32
	for i := range batch {
		if e := uint32(b.word[i] & entryMask); e != 0 {
			sum += t.entries.hot(e).last
		}
	}
	t.sink += uint64(sum)
	for i := range batch {
		t.add(&batch[i], b.hash[i])
	}
}

func (t *Table) add(r *Record, hash uint64) {
	d := r.Dir & 1
	t.slot.count(r, d)
	e := t.find(hash, &r.Key)
	if e == 0 {
		if e = t.admit(r, hash); e == 0 {
			t.refuse(r, d)
			return
		}
	}
	h := t.entries.hot(e)
	if h.last != t.seq {
		t.touch(h, e)
	}
	a := t.touched.at(h.acc)
	a.bytes[d] += r.Bytes
	a.packets[d] += uint64(r.Packets)
	if r.Inner != ([6]byte{}) {
		t.learnInner(e, a, r.Inner)
	}
}

// learnInner notes who is inside of a tunnel's flow that began with a frame which
// did not say: its first one was a later fragment, or went to a group.
func (t *Table) learnInner(e uint32, a *acc, inner [6]byte) {
	if c := t.entries.cold(e); c.inner == ([6]byte{}) {
		c.inner, c.classGen = inner, 0
		a.fresh = true // whoever knows the flow must hear it
	}
}

// count adds r to what is known of the link as a whole.
func (s *current) count(r *Record, d Direction) {
	if !s.begun {
		s.from, s.begun = r.At, true
	}
	bin := 0
	if r.At < s.from {
		s.late++
	} else {
		bin = int(min(uint64(r.At-s.from)/uint64(BinLen), uint64(BinsPerSlot-1)))
	}
	s.bins[d][bin] += r.Bytes
	s.total[d].Bytes += r.Bytes
	s.total[d].Packets += uint64(r.Packets)
	s.skbBytes[d] += uint64(r.SKBBytes)
}

// find returns the entry of k, or 0.
func (t *Table) find(hash uint64, k *Key) uint32 {
	words := t.index.dir[hash>>t.index.shift].word
	for p := hash >> entryBits & placeMask; words[p] != 0; p = (p + 1) & placeMask {
		if words[p]>>entryBits == hash>>entryBits {
			e := uint32(words[p] & entryMask)
			if equal(&t.entries.hot(e).key, k) {
				return e
			}
		}
	}
	return 0
}

// touch opens the account of entry e for the current slot.
func (t *Table) touch(h *hot, e uint32) {
	if age := t.seq - h.last; age < 32 {
		h.recent >>= age
	} else {
		h.recent = 0
	}
	h.last = t.seq
	h.acc = t.touched.add(e, !t.introduced(h))
}

// admit makes an entry for the flow of r. It returns 0 if the table is full of
// flows that are worth more.
func (t *Table) admit(r *Record, hash uint64) uint32 {
	e := t.entries.take(t.maxFlows)
	if e == 0 {
		if !t.displace(r.Bytes) {
			return 0
		}
		e = t.entries.take(t.maxFlows)
	}
	if !t.index.insert(hash, e) {
		t.entries.give(e)
		return 0
	}
	h := t.entries.hot(e)
	*h = hot{key: r.Key, mac: r.MAC, gen: h.gen, last: t.seq}
	*t.entries.cold(e) = cold{first: r.At, inner: r.Inner}
	h.acc = t.touched.add(e, true)
	return e
}

// refuse counts a record that got no entry.
func (t *Table) refuse(r *Record, d Direction) {
	s := &t.slot
	s.other[d][t.classOfKey(&r.Key, r.MAC, r.Inner)].Add(Counters{r.Bytes, uint64(r.Packets)})
	s.floor = max(s.floor, r.Bytes)
	s.evicted = addSat32(s.evicted, 1)
}

func addSat32(a uint32, b uint64) uint32 {
	return uint32(min(uint64(a)+min(b, math.MaxUint32), math.MaxUint32))
}
