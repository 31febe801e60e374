package flow

import "time"

// window sums up the newest slots of one epoch. Its length is one of
// RateWindows: it holds the slots that lie wholly in it.
type window struct {
	tail     uint64 // number of the oldest slot in it
	bytes    [2]uint64
	other    [2]uint64
	packets  uint64
	lost     uint64
	observed time.Duration
}

func (w *window) add(h *held) {
	for _, d := range Directions {
		w.bytes[d] += h.Total[d].Bytes
		w.other[d] += h.other[d]
		w.packets += h.Total[d].Packets
	}
	w.lost += h.Lost
	w.observed += h.observed
}

// sub takes h, the oldest slot, out.
func (w *window) sub(h *held) {
	for _, d := range Directions {
		w.bytes[d] -= h.Total[d].Bytes
		w.other[d] -= h.other[d]
		w.packets -= h.Total[d].Packets
	}
	w.lost -= h.Lost
	w.observed -= h.observed
	w.tail++
}

// rate returns bit/s.
func (w *window) rate(bytes uint64) float64 {
	if w.observed <= 0 {
		return 0
	}
	return float64(bytes) * 8 / w.observed.Seconds()
}

// silence is how long no slot may come before Pass believes that none will: a
// slow reader hands its slots on within that time or drops them.
const silence = 2 * time.Second

// Pass says that it is now. Of a link whose slots have stopped, because its
// device is gone or its ring does not open, the windows lose what is older than
// they are long: the figures of Rates and Flows go, as those of a quiet link do,
// instead of standing for ever. While slots come it does nothing; what is kept
// for Sum and Bins stays.
func (l *Lookback) Pass(now Time) {
	if l.len() > 0 && now.Sub(l.Newest()) > silence {
		l.shrinkWindows(now)
	}
}

// shrinkWindows takes out the slots that begin too early.
func (l *Lookback) shrinkWindows(now Time) {
	for w := range l.win {
		for l.win[w].tail < l.next && now.Sub(l.at(l.win[w].tail).From) > RateWindows[w] {
			l.leave(w)
		}
	}
}

// leave takes the oldest slot out of window w.
func (l *Lookback) leave(w int) {
	h := l.at(l.win[w].tail)
	for _, d := range Directions {
		for _, r := range h.Rows[d] {
			e := l.flows.find(r.Flow)
			f := l.flows.at(e)
			if w == 0 {
				l.class[l.classOf(f)][d] -= uint64(r.Bytes)
			}
			f.win[w][d] -= uint64(r.Bytes)
			if w == len(l.win)-1 {
				if f.rows--; f.rows == 0 {
					l.deactivate(f)
				}
			}
		}
		if w == 0 {
			for class, c := range h.Other[d] {
				l.class[class][d] -= c.Bytes
			}
		}
	}
	l.win[w].sub(h)
}

func (l *Lookback) deactivate(f *flowEntry) {
	last := len(l.active) - 1
	l.active[f.active] = l.active[last]
	l.flows.at(l.active[last]).active = f.active
	l.active = l.active[:last]
}

// clearWindows begins anew with the next slot.
func (l *Lookback) clearWindows() {
	for _, e := range l.active {
		f := l.flows.at(e)
		f.win = [3][2]uint64{}
		f.rows = 0
	}
	l.active = l.active[:0]
	l.class = [256][2]uint64{}
	for w := range l.win {
		l.win[w] = window{tail: l.next}
	}
}
