package render

import (
	"fmt"
	"math"

	"spiketop/flow"
	"spiketop/incident"
)

func nameSpans(name string, speedBps uint64, i, n int, paged bool) []span {
	s := incident.Clean(name)
	spans := []span{{cut(s, 20), Style{Fg: Strong, Bold: true}, 0}}
	if paged {
		spans = append(spans, span{fmt.Sprintf(" (%d/%d)", i+1, n), Style{}, 0})
	}
	if speedBps > 0 {
		spans = append(spans, span{" · " + speed(float64(speedBps)), Style{}, 3})
	}
	return spans
}

func stateWord(s flow.LinkState) string {
	return [...]string{"up", "DOWN", "GONE", "WAITING"}[s&3]
}

// full is the share of a link's speed from which its figures are marked.
const full = 0.9

func rateSpan(d flow.Direction, bps float64, speedBps uint64) span {
	text := arrows[d] + " " + pad(incident.Rate(bps), 5)
	if p := part(bps, speedBps); p != "" {
		text += " " + pad(p, 3)
	}
	st := Style{Fg: Strong}
	if speedBps > 0 && bps >= full*float64(speedBps) {
		st = Style{Fg: Alarm, Bold: true}
	}
	return span{text, st, 0}
}

// leastShare is the share from which a class is named: 0 % is no news.
const leastShare = 0.005

func coverage(share float64, drops uint64) []span {
	text, st := "coverage unknown", Style{Fg: Faint}
	if !math.IsNaN(share) {
		text = "coverage " + incident.Percent(share)
		if share < 0.99 {
			st = Style{Fg: Marked, Bold: true}
		}
	}
	if drops == 0 {
		return []span{{text + " · drops 0", st, 3}}
	}
	return []span{{text, st, 3}, {" · drops " + count(drops), Style{Fg: Marked, Bold: true}, 2}}
}

// ofNIC says what part of the bytes that the NIC itself counted was counted here.
func ofNIC(c *incident.NICCheck) []span {
	w := c.Worst()
	if w == nil {
		return nil
	}
	st, drop := Style{Fg: Faint}, 4
	if math.Abs(*w-1) > 0.1 {
		st, drop = Style{Fg: Marked, Bold: true}, 2
	}
	return []span{{" · NIC's own count " + incident.Percent(*w), st, drop}}
}
