package incident

import (
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// pingRing holds the last columns of a target for one zoom step. Column n lies
// in cell n % StripColumns.
type pingRing struct {
	num  [StripColumns]int64
	cell [StripColumns]PingCell
}

// loadRing is the same for a link.
type loadRing struct {
	num  [StripColumns]int64
	cell [StripColumns]LoadCell
}

func place(n int64) int { return int((n%StripColumns + StripColumns) % StripColumns) }

// column is the number of the column that holds t: columns begin at multiples of
// their step of wall time.
func column(o flow.WallOffset, step time.Duration, t flow.Time) int64 {
	w := int64(t) + int64(o)
	n := w / int64(step)
	if w%int64(step) < 0 {
		n--
	}
	return n
}

// blank is a column in which no echo was sent.
var blank = PingCell{Worst: probe.None}

// lateWake is from when on an answer that waits for this process is worth a mark:
// what makes an RTT late at the least.
const lateWake = 20 * time.Millisecond

// merge takes one more echo into a cell.
func (c *PingCell) merge(e *echo) {
	c.Due = true
	c.Mark = c.Mark || e.mark || e.over
	c.Freeze = c.Freeze || e.over
	c.Self = c.Self || e.self
	c.Queue = c.Queue || (e.mark || e.over) && !e.self && e.Queue > max(e.Wire, 0)
	c.Wake = c.Wake || e.State == probe.Answered && e.Wakeup > lateWake
	switch e.State {
	case probe.Outstanding:
		if e.Age > 0 && !e.Cleared {
			c.Worst = max(c.Worst, e.Age)
		}
	case probe.Answered:
		c.Worst = max(c.Worst, e.RTT)
	case probe.Lost:
		c.Lost = true
	case probe.Uncertain:
		c.Unknown = true
	}
}

// drawEcho puts what is known of an echo into its column of each zoom step. The
// column is made anew from all its echoes: what was late may turn out to have
// been this process's fault.
func (m *Monitor) drawEcho(t *target, e *echo) {
	if t.strips == nil {
		return
	}
	for z, step := range Zooms {
		n := column(m.offset, step, e.Sent)
		r, i := &t.strips[z], place(n)
		if r.num[i] > n {
			continue // too old
		}
		begin := flow.Time(n*int64(step) - int64(m.offset))
		cell := blank
		for _, o := range t.echoes.since(begin) {
			if o.Sent >= begin.Add(step) {
				break
			}
			cell.merge(&o)
		}
		r.num[i], r.cell[i] = n, cell
	}
}

// drawLoad puts a slot's fullest bins into its column of each zoom step.
func (m *Monitor) drawLoad(l *link, s *flow.Slot) {
	var peak [2]float64
	for _, d := range flow.Directions {
		for _, b := range s.Bins[d] {
			peak[d] = max(peak[d], bitRate(b, flow.BinLen))
		}
	}
	for z, step := range Zooms {
		n := column(m.offset, step, s.From)
		r, i := &l.strips[z], place(n)
		switch {
		case r.num[i] > n:
		case r.num[i] < n:
			r.num[i], r.cell[i] = n, LoadCell{peak[flow.Rx], peak[flow.Tx]}
		default:
			c := &r.cell[i]
			c.Rx, c.Tx = max(c.Rx, peak[flow.Rx]), max(c.Tx, peak[flow.Tx])
		}
	}
}

// stepStrips moves all columns when the wall clock is stepped, so that the past
// stays where it was on the axis, as nearly as whole columns allow.
func (m *Monitor) stepStrips(by time.Duration) {
	for z, step := range Zooms {
		shift := int64(by.Round(step) / step)
		if shift == 0 {
			continue
		}
		for _, t := range m.targets {
			old := t.strips[z]
			t.strips[z] = pingRing{}
			for i, n := range old.num {
				if n != 0 {
					t.strips[z].num[place(n+shift)], t.strips[z].cell[place(n+shift)] = n+shift, old.cell[i]
				}
			}
		}
		for _, l := range m.links {
			old := l.strips[z]
			l.strips[z] = loadRing{}
			for i, n := range old.num {
				if n != 0 {
					l.strips[z].num[place(n+shift)], l.strips[z].cell[place(n+shift)] = n+shift, old.cell[i]
				}
			}
		}
	}
}

// strip makes the picture of one zoom step; its last column holds now.
func (m *Monitor) strip(z int, now flow.Time) Strip {
	step := Zooms[z]
	last := column(m.offset, step, now)
	first := last - StripColumns + 1
	s := Strip{Step: step, From: flow.Time(first*int64(step) - int64(m.offset)), Cells: make([]Column, StripColumns)}
	pings := make([]PingCell, StripColumns*len(m.targets))
	loads := make([]LoadCell, StripColumns*len(m.links))
	for i := range s.Cells {
		n := first + int64(i)
		c := &s.Cells[i]
		c.Pings, pings = pings[:len(m.targets):len(m.targets)], pings[len(m.targets):]
		c.Links, loads = loads[:len(m.links):len(m.links)], loads[len(m.links):]
		for j, t := range m.targets {
			c.Pings[j] = blank
			if r := &t.strips[z]; r.num[place(n)] == n {
				c.Pings[j] = r.cell[place(n)]
			}
		}
		for j, l := range m.links {
			c.Links[j] = LoadCell{-1, -1}
			if r := &l.strips[z]; r.num[place(n)] == n {
				c.Links[j] = r.cell[place(n)]
			}
		}
	}
	for i := range m.lines {
		if n := column(m.offset, step, m.lines[i].sent) - first; n >= 0 && n < StripColumns {
			s.Cells[n].Spikes = append(s.Cells[n].Spikes, m.lines[i].Number)
		}
	}
	return s
}
