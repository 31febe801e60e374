package flow

// Lookback keeps the last slots of one link and answers who sent how much,
// when. It belongs to one goroutine, the watcher; what its methods return is a
// copy that the caller may keep and publish.
type Lookback struct {
}

// NewLookback keeps n slots (0 = 600). classify may be nil: every flow Unknown.
func NewLookback(n int, classify ClassifyFunc) *Lookback { return &Lookback{} }

// Add takes the next slot of the link.
func (l *Lookback) Add(s *Slot) {}

// Reclassify takes another classifier, because the World has changed.
func (l *Lookback) Reclassify(f ClassifyFunc) {}

// Flows returns the flows that had a row in the last 40 s, largest 10 s rate
// first, ties by key, at most max of them, and how many more there are.
func (l *Lookback) Flows(max int) (rows []FlowRate, more int) { return nil, 0 }

// Rates returns the figures of the whole link.
func (l *Lookback) Rates() LinkRates { return LinkRates{} }

// Sum adds up the whole slots inside [from, to) that do not overlap a span of
// skip.
func (l *Lookback) Sum(from, to Time, skip []Span) WindowSum { return WindowSum{} }

// Bins returns the load of [from, to) in bins of 10 ms that begin at from.
func (l *Lookback) Bins(from, to Time) BinSeries { return BinSeries{} }

// SlotRates returns the rate of each whole slot inside [from, to) that does not
// overlap a span of skip, in bit/s by direction, oldest first: the usual spread.
func (l *Lookback) SlotRates(from, to Time, skip []Span) [2][]float64 { return [2][]float64{} }

// Oldest returns the begin of the oldest slot, 0 if there is none.
func (l *Lookback) Oldest() Time { return 0 }

// Newest returns the end of the newest slot, 0 if there is none.
func (l *Lookback) Newest() Time { return 0 }

// EpochStart returns the begin of the oldest slot of the newest epoch: what
// lies before it is another baseline.
func (l *Lookback) EpochStart() Time { return 0 }

// Info returns what is known about a flow that has a row in the look-back, with
// Cum counted up to the newest slot; nil if there is none.
func (l *Lookback) Info(id FlowID) *FlowInfo { return nil }
