package flow

import "time"

// Counted is what a link carried in whole slots, without its flows.
type Counted struct {
	From, To Time          // first begin and last end of the slots; 0, 0 when there is none
	Observed time.Duration // their lengths together; To - From unless slots are missing between
	Total    [2]Counters   // by direction, on the wire
	SKBBytes [2]uint64     // see Record.SKBBytes
}

// Counted adds up the whole slots inside [from, to). It looks at no rows: cheap
// enough for every frame.
func (l *Lookback) Counted(from, to Time) (c Counted) {
	l.within(from, to, nil, func(h *held) {
		if c.Observed == 0 {
			c.From = h.From
		}
		c.To = h.To
		c.Observed += h.observed
		for _, d := range Directions {
			c.Total[d].Add(h.Total[d])
			c.SKBBytes[d] += h.SKBBytes[d]
		}
	})
	return c
}
