package flow

// TableConfig says how large a Table may get.
type TableConfig struct {
	Link          LinkID
	MaxFlows      int                       // flows known at a time; 0 = 1 048 576, at most about 4 million
	SlotBudget    int                       // bytes that one slot may cost its look-back; 0 = 24 MiB / LookbackSlots
	LookbackSlots int                       // slots after which the look-back may have forgotten a flow; 0 = 600
	Classify      func(*Key, [6]byte) Class // class of a flow with the MAC of its local end; nil = Unknown
	Seed          uint64                    // secret of the hash: random in production, fixed in tests
}

// Table counts the records of one link by flow. It belongs to the goroutine
// that drains that link.
//
// Time goes forward slot by slot: Begin once, then Add and CloseSlot in turn.
// The caller closes a slot before it adds records stamped later than its end.
type Table struct {
}

// NewTable returns an empty table.
func NewTable(c TableConfig) *Table { return &Table{} }

// Begin says when the first slot starts, so that its 10 ms bins are right.
// Afterwards every CloseSlot(from, to) begins the next slot at to. Without
// Begin the first slot starts at its first record.
func (t *Table) Begin(from Time) {}

// Add counts records in the current slot. A record of an earlier slot counts in
// this one's first bin and in Late, a record from beyond it in the last bin. It
// allocates only while the number of flows grows. The records may be reused as
// soon as it returns.
func (t *Table) Add(batch []Record) {}

// SetClassify takes another classifier, because the World has changed. What
// already lies in Other keeps the class it had.
func (t *Table) SetClassify(f func(*Key, [6]byte) Class) {}

// SetEpoch sets the epoch of the slots closed from now on.
func (t *Table) SetEpoch(e uint32) {}

// Lose counts n frames that the ring dropped, in the current slot.
func (t *Table) Lose(n uint64) {}

// CloseSlot ends the current slot, which covered [from, to), and begins the
// next one at to. It costs O(flows touched in the slot). The Slot is the
// caller's and immutable from here on.
func (t *Table) CloseSlot(from, to Time) *Slot { return &Slot{From: from, To: to} }

// Forget introduces every flow again: call it when a closed slot was not
// delivered, for its New has been lost with it.
func (t *Table) Forget() {}

// Len returns how many flows are known.
func (t *Table) Len() int { return 0 }
