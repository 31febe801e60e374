package incident

import (
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// Frame is one picture of everything, made at most every 100 ms. It is
// immutable and shared: pause and freeze are "keep the pointer".
type Frame struct {
	At      flow.Time
	Wall    time.Time // in the zone of this process
	World   *flow.World
	Links   []LinkView // in pane order
	Pings   []PingView
	Carried Carried // storage and vifs, against all links
	Strips  []Strip // one for each zoom step, Strips[i].Step = Zooms[i]

	Bonds    []BondView // those that a captured link belongs to
	Warnings []string   // what stands, as long as it does: a bond out of balance, storage that may be invisible; foreign names in it

	Incidents []IncidentLine // newest last, at most 20
	Frozen    *Incident      // the newest incident's picture, open or sealed; nil if there was none
	Notes     []string       // what the person should know now: suppressed incidents, a full disk, a clock step; newest last

	Suppressed int // incidents not written because of the rate limit
	LateTicks  int
}

// Windows are the three averages of iftop.
var Windows = [3]time.Duration{2 * time.Second, 10 * time.Second, 40 * time.Second}

// LinkView is one pane.
type LinkView struct {
	Link flow.Link
	// Rate is bit/s over Windows, by direction. The divisor is the time that was
	// really observed: a link seen for 1 s shows its true 40 s figure too.
	Rate     [2][3]float64
	Peak     [2]float64       // highest 10 ms bin of the last 40 s, bit/s
	Cum      [2]flow.Counters // since start
	Classes  []ClassRate      // over 2 s, largest first
	Rows     []FlowView       // every flow of the last 40 s that has a row, at most MaxRows, largest 10 s rate first
	More     int              // flows beyond Rows
	Other    [2][3]float64    // bit/s that no row shows
	Coverage float64          // 0..1 over the last 10 s, NaN = unknown
	Check    *NICCheck        // against the NIC's own counters, nil = not known
	Drops    uint64           // frames lost in the ring since start
	Evicted  uint64
}

// MaxRows bounds LinkView.Rows.
const MaxRows = 4096

// ClassRate is a class's part of a link.
type ClassRate struct {
	Class flow.Class
	Share float64 // of the link's bytes, both directions
	Rate  [2]float64
}

// FlowView is a row of a pane.
type FlowView struct {
	ID    flow.FlowID
	Key   flow.Key
	Class flow.Class
	Why   string
	// Guest and VIF: the VM or container whose flow it is, and the interface behind
	// which it sits. Process: of this host that has the socket, "kernel" for the
	// kernel's own. "" = not known. Foreign text.
	Guest, VIF, Process string

	Rate [2][3]float64 // bit/s by direction over Windows
	Cum  [2]uint64     // bytes since the flow was first seen
}

// PingView is one target with its statistics and thresholds.
type PingView struct {
	Target   probe.Target
	Stats    probe.Stats
	Member   string        // NIC for which its echoes are meant, or by which they leave, "" = not seen
	Baseline time.Duration // median, None in warm-up
	Mark     time.Duration // above it the strip is coloured
	Freeze   time.Duration // above it an incident starts
}

// Zooms are the column widths of the strip.
var Zooms = [...]time.Duration{100 * time.Millisecond, 500 * time.Millisecond, time.Second,
	2 * time.Second, 5 * time.Second, 10 * time.Second}

// StripColumns is how many columns of each zoom step are kept.
const StripColumns = 240

// Strip is the recent past in columns of one width, oldest first. The last
// column holds Frame.At.
type Strip struct {
	Step  time.Duration
	From  flow.Time // start of Columns[0], a multiple of Step of wall time
	Cells []Column
}

// Column is one step of the strip.
type Column struct {
	Pings  []PingCell // by Frame.Pings
	Links  []LoadCell // by Frame.Links
	Spikes []int      // numbers of incidents whose guilty echo was sent in it
}

// PingCell is the worst of one target in a column.
type PingCell struct {
	Due     bool          // an echo was sent in this column; without one the column stays blank
	Worst   time.Duration // highest RTT, or age of an outstanding echo; None if none
	Lost    bool
	Unknown bool
	Mark    bool // an RTT above the mark threshold
	Freeze  bool // above the freeze threshold
	Self    bool // late because of this process or this host's CPUs
	Queue   bool // an RTT above the mark was spent in this host's own output queue, most of it
	Wake    bool // the answer was here in time, but this process got it much later: this host was slow
}

// LoadCell is the highest 10 ms bin of a link in a column, bit/s; -1 = no data.
type LoadCell struct{ Rx, Tx float64 }

// IncidentLine is one line about an incident.
type IncidentLine struct {
	Number  int
	ID      string
	At      time.Time     // guilty echo sent
	RTT     time.Duration // the worst of its late echoes; None if none of them has been answered
	Kind    string
	Target  string
	Member  string
	Summary string // the short sentence of the incident line
	Open    bool
	Dir     string    // where it was saved, "" = not yet
	Sealed  *Incident // nil while open
}
