package flow

import "math/bits"

// TableClassify gives a flow its class by its key and the MAC of its local end,
// outside and inside of a tunnel, as in Record.
type TableClassify func(k *Key, mac, inner [6]byte) Class

// TableConfig says how large a Table may get.
type TableConfig struct {
	Link          LinkID
	MaxFlows      int           // flows known at a time; 0 = 1 048 576, at most 4 194 303 with the default look-back
	SlotBudget    int           // bytes that one slot may cost its look-back; 0 = 24 MiB / LookbackSlots
	LookbackSlots int           // slots after which the look-back may have forgotten a flow: at most what NewLookback keeps; 0 = 600
	Classify      TableClassify // class of a flow; nil = Unknown
	Seed          uint64        // secret of the hash: random in production, fixed in tests
}

const (
	defaultMaxFlows = 1 << 20
	defaultSlots    = 600
	defaultBudget   = 24 << 20 // a whole look-back
)

// Table counts the records of one link by flow. It belongs to the goroutine
// that drains that link.
//
// Time goes forward slot by slot: Begin once, then Add and CloseSlot in turn.
// The caller closes a slot before it adds records stamped later than its end.
//
// Memory is bounded by MaxFlows: about 140 bytes a flow, taken in small steps
// as flows appear and kept for the next ones. A flow that was idle for longer
// than the look-back leaves; when the table is full a newcomer takes the place
// of an idle or small flow, see displace.
type Table struct {
	link     LinkID
	epoch    uint32
	classify TableClassify
	classGen uint32 // grows with every SetClassify

	secret  hashSecret
	index   index
	entries entries
	random  uint64

	maxFlows int
	slots    uint32 // LookbackSlots
	budget   uint64
	idMask   uint32 // of the generation part of a FlowID, before shifting
	idBits   uint8  // of the entry part

	seq    uint32 // number of the current slot, from 1
	forgot uint32 // rows of slots up to this number do not count as introduced
	hand   uint32 // of the clock that looks for a victim
	sweep  uint32 // of the sweep that drops idle flows

	slot    current
	touched touched
	pick    picker

	batch struct { // scratch of Add
		hash [batchLen]uint64
		word [batchLen]uint64
	}
	sink uint64 // keeps the compiler from removing the passes that only touch
}

// NewTable returns an empty table.
func NewTable(c TableConfig) *Table {
	if c.LookbackSlots <= 0 {
		c.LookbackSlots = defaultSlots
	}
	c.LookbackSlots = min(c.LookbackSlots, 1<<14)
	if c.MaxFlows <= 0 {
		c.MaxFlows = defaultMaxFlows
	}
	if c.SlotBudget <= 0 {
		c.SlotBudget = defaultBudget / c.LookbackSlots
	}
	// A FlowID is the entry's number with the entry's generation above it. An
	// incarnation only uses up a generation when it had a row, and an entry has
	// at most one such incarnation in a slot: with more generations than slots
	// in the look-back, no number occurs twice in a look-back.
	idBits := min(32-bits.Len(uint(c.LookbackSlots+1)), entryBits)
	t := &Table{
		link:     c.Link,
		classify: c.Classify,
		classGen: 1,
		secret:   newHashSecret(c.Seed),
		random:   c.Seed | 1,
		maxFlows: min(c.MaxFlows, 1<<idBits-1),
		slots:    uint32(c.LookbackSlots),
		budget:   uint64(min(c.SlotBudget, 1<<30)),
		idBits:   uint8(idBits),
		idMask:   1<<(32-idBits) - 1,
		seq:      1,
	}
	t.index.init()
	return t
}

// Begin says when the first slot starts, so that its 10 ms bins are right.
// Afterwards every CloseSlot(from, to) begins the next slot at to. Without
// Begin the first slot starts at its first record.
func (t *Table) Begin(from Time) {
	t.slot.from = from
	t.slot.begun = true
}

// SetClassify takes another classifier, because the World has changed. What
// already lies in Other keeps the class it had.
func (t *Table) SetClassify(f TableClassify) {
	t.classify = f
	t.classGen++
}

// SetEpoch sets the epoch of the slots closed from now on.
func (t *Table) SetEpoch(e uint32) { t.epoch = e }

// Lose counts n frames that the ring dropped, in the current slot.
func (t *Table) Lose(n uint64) { t.slot.lost += n }

// Forget introduces every flow again: call it when a closed slot was not
// delivered, for its New has been lost with it.
func (t *Table) Forget() {
	t.forgot = t.seq - 1
	for i := range t.touched.n {
		t.touched.at(i).fresh = true
	}
}

// Len returns how many flows are known.
func (t *Table) Len() int { return t.entries.live }

// id returns the number of the flow in entry e.
func (t *Table) id(e uint32, h *hot) FlowID {
	return FlowID((uint32(h.gen)&t.idMask)<<t.idBits | e)
}

// introduced reports whether the look-back still knows the flow of h.
func (t *Table) introduced(h *hot) bool {
	age := t.seq - h.row
	return h.row != 0 && age < t.slots && age < t.seq-t.forgot
}

// classOf returns the class of entry e, asking the classifier once in a
// generation.
func (t *Table) classOf(e uint32) Class {
	c := t.entries.cold(e)
	if c.classGen != t.classGen {
		h := t.entries.hot(e)
		c.class, c.classGen = t.classOfKey(&h.key, h.mac, c.inner), t.classGen
	}
	return c.class
}

func (t *Table) classOfKey(k *Key, mac, inner [6]byte) Class {
	if t.classify == nil {
		return Unknown
	}
	return t.classify(k, mac, inner)
}

// rand is xorshift64: victims and pivots must not be predictable from outside,
// nothing more.
func (t *Table) rand() uint64 {
	t.random ^= t.random << 13
	t.random ^= t.random >> 7
	t.random ^= t.random << 17
	return t.random
}
