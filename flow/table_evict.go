package flow

// candidates is how many entries a newcomer's search for a victim looks at.
const candidates = 8

// displace frees an entry of a full table for a newcomer whose first record has
// the given bytes: of the next few entries under the clock hand the one that
// carried least lately leaves. It returns false if the newcomer must not come
// in.
//
// It comes in with the chance bytes/(bytes + victim's recent bytes) (randomised
// admission: Ben Basat et al., INFOCOM 2017). An elephant is in after a few
// packets, while a flood of single packets rarely drives out a flow that is
// alive.
func (t *Table) displace(bytes uint64) bool {
	victim, least := uint32(0), uint64(0)
	for range candidates {
		if t.hand++; t.hand > t.entries.high {
			t.hand = 1
		}
		h := t.entries.hot(t.hand)
		if h.last == 0 {
			continue
		}
		if s := t.score(h); victim == 0 || s < least {
			victim, least = t.hand, s
		}
		if least == 0 {
			break
		}
	}
	if victim == 0 {
		return false
	}
	const limit = 1 << 62 // sums stay in range
	bytes, least = min(bytes, limit), min(least, limit)
	if least > 0 && t.rand()%(bytes+least) >= bytes {
		return false
	}
	if t.seq-t.entries.hot(victim).last <= t.slots {
		t.slot.evicted = addSat32(t.slot.evicted, 1)
	}
	t.drop(victim)
	return true
}

// score is what a flow carried lately: its bytes of the current slot, plus half
// of those of the slot before, a quarter of those of the one before that, ...
func (t *Table) score(h *hot) uint64 {
	if h.last == t.seq {
		return uint64(h.recent) + t.touched.at(h.acc).size()
	}
	if age := t.seq - h.last; age < 32 {
		return uint64(h.recent >> age)
	}
	return 0
}

// drop removes the flow of entry e. What it carried in the current slot goes to
// Other of its class.
func (t *Table) drop(e uint32) {
	h := t.entries.hot(e)
	if h.last == t.seq {
		a := t.touched.at(h.acc)
		t.slot.floor = max(t.slot.floor, a.size())
		t.toOther(a)
		a.entry = 0
		t.touched.spare = h.acc + 1
	}
	t.index.remove(t.secret.hash(&h.key), e)
	t.entries.give(e)
}

// toOther counts a flow that gets no row.
func (t *Table) toOther(a *acc) {
	class := t.classOf(a.entry)
	for _, d := range Directions {
		t.slot.other[d][class].Add(Counters{a.bytes[d], a.packets[d]})
	}
}

// sweepIdle drops flows that were idle for longer than the look-back. Each call
// looks at so many entries that the whole table is seen twice in a look-back.
func (t *Table) sweepIdle() {
	high := t.entries.high
	for range min(2*(high/t.slots+1), high) {
		if t.sweep++; t.sweep > high {
			t.sweep = 1
		}
		if h := t.entries.hot(t.sweep); h.last != 0 && t.seq-h.last > t.slots {
			t.drop(t.sweep)
		}
	}
}
