package capture

import (
	"spiketop/capture/decode"
	"spiketop/flow"
)

// FeederConfig describes the [Feeder] of one link.
type FeederConfig struct {
	Link     flow.LinkID
	Offset   flow.WallOffset // of the slots' grid
	Epoch    uint32
	MaxFlows int // 0 = as Table
	Classify flow.TableClassify

	Table flow.TableConfig // other limits; Link and Classify are filled in
}

// feederSeed is the secret of a Feeder's hash. It is no secret: two replays of a
// file must give the same, and a table's chains are bounded whatever they hold.
const feederSeed = 0x5eed_0f_f11e

// FilePacket is a packet of a capture file.
type FilePacket struct {
	At       flow.Time
	LinkType uint16 // LINKTYPE_ of tcpdump.org
	Dir      flow.Direction
	Len      uint32 // on the wire
	Data     []byte // captured bytes; not kept
	// SegSize is the payload of each segment of an offload super-frame, 0 = the
	// file does not say. A packet longer than the MTU is then one packet.
	SegSize uint16
}

// Feeder is a Reader without a ring: it counts the packets of a capture file on
// one link, by the same code, into the same slots and echoes. It reads no clock
// and starts no goroutine: the time is what Close is told.
type Feeder struct {
	link   flow.LinkID
	offset flow.WallOffset
	table  *flow.Table
	dec    *decode.Decoder
	tally  *tally
	next   *flow.Batch
	begun  bool

	meta decode.Meta
	echo flow.Echo
}

// NewFeeder returns a Feeder that has seen nothing.
func NewFeeder(cfg FeederConfig) *Feeder {
	tc := cfg.Table
	tc.Link, tc.Classify = cfg.Link, cfg.Classify
	if cfg.MaxFlows != 0 {
		tc.MaxFlows = cfg.MaxFlows
	}
	if tc.Seed == 0 {
		tc.Seed = feederSeed
	}
	f := &Feeder{link: cfg.Link, offset: cfg.Offset, table: flow.NewTable(tc), dec: decode.New(decode.Config{})}
	f.table.SetEpoch(cfg.Epoch)
	f.tally = newTally(f.table, cfg.Offset, func(s *flow.Slot) { b := f.batch(); b.Slots = append(b.Slots, s) }, func() {})
	return f
}

func (f *Feeder) batch() *flow.Batch {
	if f.next == nil {
		f.next = &flow.Batch{Link: f.link, Offset: f.offset}
	}
	return f.next
}

// Start opens the first slot at at: what comes before it is counted in it.
func (f *Feeder) Start(at flow.Time) {
	f.begun = true
	f.tally.start(at)
}

// Skip closes the slots up to from, and opens the next one at to: the file has
// nothing in between, and slots that say "nothing" for hours would be as many
// as the hours are long.
func (f *Feeder) Skip(from, to flow.Time) {
	f.tally.advance(f.offset.SlotStart(from).Add(flow.SlotLen))
	f.tally.start(to)
}

// Add counts a packet. Packets come nearly in the order of their stamps; one that
// is older than what was closed counts in the open slot, as Slot.Late.
func (f *Feeder) Add(p *FilePacket) {
	f.meta = decode.Meta{At: p.At, Dir: p.Dir, Len: p.Len}
	if p.SegSize > 0 {
		f.meta.HasVnet, f.meta.GSOSize = true, p.SegSize
		f.meta.GSOType = decode.SegmentType(p.LinkType, p.Data)
	}
	if f.dec.DecodeLink(p.LinkType, p.Data, &f.meta, f.tally.next(), &f.echo) {
		f.echo.Link, f.echo.Offset = f.link, f.offset
		b := f.batch()
		b.Echoes = append(b.Echoes, f.echo)
	}
	f.tally.commit()
}

// Lose counts packets that the file says were lost before at.
func (f *Feeder) Lose(n uint64, at flow.Time) {
	if n == 0 {
		return
	}
	f.tally.lose(n)
	b := f.batch()
	b.Lost += n
	b.LostAt = at
}

// SetClassify gives flows their class from now on by c.
func (f *Feeder) SetClassify(c flow.TableClassify) { f.table.SetClassify(c) }

// Close closes the slots that end at or before drained and hands on what came
// since the last call: everything stamped before drained has been added. The
// batch belongs to the caller.
func (f *Feeder) Close(drained flow.Time) *flow.Batch {
	if f.begun {
		f.tally.advance(drained)
		f.tally.caughtUp()
	}
	b := f.batch()
	b.Drained = drained
	f.next = nil
	return b
}

// Stats says what the decoder has seen.
func (f *Feeder) Stats() decode.Stats { return f.dec.Stats() }
