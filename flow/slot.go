package flow

// FlowID numbers one incarnation of a flow on one link. A flow that left the
// table and came back has another number, so a slot never names a reused entry.
// Numbers wrap after 4 294 967 295; they are unique within any look-back.
type FlowID uint32

// Row is what one flow carried in one direction during one slot. It is 12 bytes
// because a look-back holds millions of them. A flow of over 4 GiB in 100 ms
// (343 Gbit/s) has several rows.
type Row struct {
	Flow    FlowID
	Bytes   uint32
	Packets uint32
}

// FlowInfo introduces a flow: it stands in the first slot that has a row of it,
// and again if the look-back may have forgotten it.
type FlowInfo struct {
	ID    FlowID
	Key   Key
	MAC   [6]byte     // as in Record
	Inner [6]byte     // as in Record; the first one that was seen
	First Time        // first packet of this incarnation
	Cum   [2]Counters // before this slot, since First, by Direction
}

// Slot is what one link carried during [From, To), by flow. It is immutable
// once published. For each direction: sum of Rows + sum of Other = Total.
type Slot struct {
	Link     LinkID
	Epoch    uint32
	From, To Time
	Rows     [2][]Row              // by Direction, in no order
	New      []FlowInfo            // flows that Rows name and earlier slots did not introduce
	Other    [2]map[Class]Counters // what has no row, by the class it had when it was put there
	Total    [2]Counters
	Bins     [2][BinsPerSlot]uint64 // wire bytes in 10 ms bins
	SKBBytes [2]uint64              // see Record.SKBBytes
	Floor    uint64                 // bytes of the largest flow (or part of one, if Evicted > 0) that lost its row, 0 = none: the possible error of any figure
	Lost     uint64                 // frames the ring dropped, counted when the slot was closed
	Evicted  uint32                 // flows that lost their table entry to another during the slot, and records of newcomers that got none
	Late     uint32                 // records that came after their own slot was closed, counted in this one
}

// Batch is what the reader of one link hands on at a time. The receiver owns it.
type Batch struct {
	Link    LinkID
	Slots   []*Slot
	Echoes  []Echo
	Drained Time   // every frame stamped before this has been accounted or lost: the link's watermark
	Lost    uint64 // ring losses since the last batch
	LostAt  Time   // when the loss was noticed; the frames fell between the last Drained and this
	Steps   int    // clock steps noticed since the last batch
	Offset  WallOffset
}
