package render

import (
	"fmt"
	"math"
	"time"

	"spiketop/flow"
	"spiketop/incident"
)

// loadLinks picks the links whose load is drawn: all that fit, from the first of
// the page that holds the selected one.
func (v *View) loadLinks(n int) []int {
	all := len(v.Frame.Links)
	if all == 0 || n == 0 {
		return nil
	}
	selected := ((v.Pane % all) + all) % all
	first := min(selected/n*n, all-n)
	links := make([]int, 0, n)
	for i := first; i < first+n; i++ {
		links = append(links, i)
	}
	return links
}

// drawLoad draws one link's load from its highest 10 ms bins.
func drawLoad(c *Canvas, x, y, link int, s *strip, v *View) {
	l := &v.Frame.Links[link]
	d := flow.Rx
	if v.Show == TxOnly {
		d = flow.Tx
	}
	c.Put(x+1, y, tail(incident.Clean(l.Link.Name), s.margin-4), Style{})
	c.Put(x+s.margin-2, y, arrows[d], Style{Fg: Faint})
	c.Rune(x+s.margin-1, y, '│', Style{Fg: Faint})
	top := float64(l.Link.SpeedBps)
	known := top > 0
	at := func(i int) float64 {
		if link >= len(s.cells[i].Links) {
			return -1
		}
		if d == flow.Tx {
			return s.cells[i].Links[link].Tx
		}
		return s.cells[i].Links[link].Rx
	}
	if !known { // scaled to the highest bin in sight
		for i := range s.cells {
			top = max(top, at(i))
		}
	}
	for i := range s.cells {
		load := at(i)
		if load < 0 || math.IsNaN(load) {
			continue
		}
		n := 1
		if top > 0 {
			n = min(max(int(math.Round(load/top*8)), 1), 8)
		}
		st := Style{Fg: Load}
		if known && load >= full*top {
			st = Style{Fg: Alarm, Bold: true}
		}
		c.Rune(s.x+i, y, blocks[n], st)
	}
}

var labelSteps = [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second,
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}

// drawTimes writes wall times under the axis, and the number of each incident
// under the column in which its echo was sent.
func drawTimes(c *Canvas, x, y, w int, s *strip, v *View) {
	right := x + w
	taken := make([]bool, c.W)
	for i := len(s.cells) - 1; i >= 0; i-- { // where two collide, the newer stays
		for _, n := range s.cells[i].Spikes {
			mark(c, taken, s.x+i, y, right, n)
		}
	}
	every := labelSteps[len(labelSteps)-1]
	for _, d := range labelSteps {
		if d >= 10*s.step {
			every = d
			break
		}
	}
	for i := range s.cells {
		t := v.wall(s.from.Add(time.Duration(i) * s.step)).Round(s.step)
		if t.UnixNano()%int64(every) != 0 {
			continue
		}
		label := t.Format("15:04:05")
		if free(taken, s.x+i, s.x+i+len(label)+1, right) {
			c.Put(s.x+i, y, label, Style{Fg: Faint})
		}
	}
}

// mark writes "▲#3" with the arrow in column x, or "#3▲" where the number would
// not fit to the right of it.
func mark(c *Canvas, taken []bool, x, y, right, n int) {
	text := fmt.Sprintf("▲#%d", n)
	w := textWidth(text)
	from := x
	if x+w > right {
		text, from = fmt.Sprintf("#%d▲", n), x-w+1
	}
	if !free(taken, from, from+w, right) {
		return
	}
	c.Put(from, y, text, Style{Fg: Alarm, Bold: true})
	for i := max(from-1, 0); i < min(from+w+1, len(taken)); i++ {
		taken[i] = true
	}
}

func free(taken []bool, from, to, right int) bool {
	if from < 0 || to > right+1 {
		return false
	}
	for i := max(from, 0); i < min(to, len(taken)); i++ {
		if taken[i] {
			return false
		}
	}
	return true
}
