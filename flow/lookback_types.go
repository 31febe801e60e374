package flow

import "time"

// RateWindows are the averages of FlowRate and LinkRates, iftop's three.
var RateWindows = [3]time.Duration{2 * time.Second, 10 * time.Second, 40 * time.Second}

// ClassifyFunc gives a flow its class and the reason in words, by its key and the
// MAC of its local end, outside and inside of a tunnel, as in Record.
type ClassifyFunc func(k *Key, mac, inner [6]byte) (Class, string)

// Span is a stretch of time, half open: [From, To).
type Span struct{ From, To Time }

// FlowRate is one flow on one link, for screens.
type FlowRate struct {
	ID    FlowID
	Key   Key
	Class Class
	Why   string
	MAC   [6]byte       // of the local end, as in Record: see World.GuestOf
	Inner [6]byte       // of the local end inside of a tunnel
	Rate  [2][3]float64 // bit/s by direction over RateWindows
	Cum   [2]Counters   // since the flow was first seen, by direction
}

// ClassRate is one class's part of a link over the shortest window.
type ClassRate struct {
	Class Class
	Rate  [2]float64 // bit/s by direction
	Share float64    // 0..1 of the link's bytes, both directions
}

// LinkRates are the figures of a whole link.
type LinkRates struct {
	Rate     [2][3]float64    // bit/s by direction over RateWindows
	Other    [2][3]float64    // the part of Rate that no flow's row shows
	Observed [3]time.Duration // what each window really saw: the divisor
	Peak     [2]float64       // highest 10 ms bin of the last 40 s, bit/s
	Cum      [2]Counters      // since start, over all epochs
	Classes  []ClassRate      // over 2 s, rows and Other, largest first, ties by class
	Coverage float64          // accounted / (accounted + lost) packets of the last 10 s, NaN = nothing to judge
	Lost     uint64           // frames lost in the ring since start
	Evicted  uint64           // Slot.Evicted since start
	Late     uint64           // Slot.Late since start
}

// FlowSum is what one flow carried in a window.
type FlowSum struct {
	ID    FlowID // its newest incarnation
	Key   Key
	Class Class
	Why   string
	MAC   [6]byte     // of the local end, as in Record: see World.GuestOf
	Inner [6]byte     // of the local end inside of a tunnel
	Sum   [2]Counters // by direction
}

// WindowSum is what a link carried in a window of whole slots. For each
// direction: sum of Flows + sum of Other = Total.
type WindowSum struct {
	From, To Time          // first begin and last end of the slots counted; 0, 0 when there is none
	Slots    int           // slots counted
	Observed time.Duration // their lengths together: the divisor for rates
	Flows    []FlowSum     // in no order, one for each key
	Other    [2]map[Class]Counters
	Total    [2]Counters
	SKBBytes [2]uint64
	Lost     uint64 // frames lost in the ring
	Floor    uint64 // sum of Slot.Floor: how many bytes any one flow may have carried beyond its figure
	Evicted  uint64
	Late     uint64
}

// BinSeries is a link's load in 10 ms bins.
type BinSeries struct {
	Start Time // of the first bin
	Bytes [2][]uint64
	Valid []bool // false: no slot covers this bin, its zero means "not known"
}
