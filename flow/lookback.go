package flow

import "time"

// Lookback keeps the last slots of one link and answers who sent how much,
// when. It belongs to one goroutine, the watcher; what its methods return is a
// copy that the caller may keep and publish.
//
// Adding a slot costs O(its rows + the rows that leave the windows). Memory is
// bounded by what the table puts into its slots (TableConfig.SlotBudget): a
// flow is forgotten with its last row.
type Lookback struct {
	classify ClassifyFunc
	classGen uint32 // grows with every Reclassify
	stale    bool   // Reclassify was called since the last Rates

	ring  []held // slot number n lies in ring[n%len]
	first uint64 // number of the oldest slot kept
	next  uint64 // number of the next slot; the first has 1

	epoch      uint32
	epochStart Time

	flows  dict
	active []uint32 // entries with a row in the longest window, in no order
	win    [3]window
	class  [256][2]uint64 // bytes in the shortest window, rows and Other

	cum        [2]Counters
	lost       uint64
	evicted    uint64
	late       uint64
	disorder   uint64
	evictedNow uint64 // Evicted of the slots kept: one flow may have several numbers

	order ranking // scratch of Flows
}

// held is a slot that is kept: a copy without New. Its rows name flows that are
// in the dictionary, all others were moved to its Other.
type held struct {
	Slot
	observed time.Duration
	peak     [2]uint64 // fullest bin
	other    [2]uint64 // bytes in Other
}

// NewLookback keeps n slots (0 = 600). classify may be nil: every flow Unknown.
func NewLookback(n int, classify ClassifyFunc) *Lookback {
	if n <= 0 {
		n = defaultSlots
	}
	l := &Lookback{classify: classify, classGen: 1, ring: make([]held, n), first: 1, next: 1}
	l.flows.init()
	l.clearWindows()
	return l
}

// Add takes the next slot of the link. A slot that begins before the newest one
// ended, or ends before it begins, is left out and counted in Disorder. A row
// of a flow that nobody introduced counts as Other of class Unknown.
func (l *Lookback) Add(s *Slot) {
	if s.To < s.From || l.len() > 0 && s.From < l.Newest() {
		l.disorder++
		return
	}
	if l.len() == 0 {
		l.epoch, l.epochStart = s.Epoch, s.From
	} else if s.Epoch != l.epoch {
		l.epoch, l.epochStart = s.Epoch, s.From
		l.clearWindows()
	}
	if l.len() == len(l.ring) {
		l.dropOldest()
	}
	for i := range s.New {
		l.flows.introduce(&s.New[i])
	}
	h := l.at(l.next)
	*h = held{Slot: *s, observed: s.To.Sub(s.From)}
	h.New = nil
	for _, d := range Directions {
		l.addRows(h, d)
	}
	for i := range s.New {
		l.flows.dropUnused(s.New[i].ID)
	}
	l.addTotals(h)
	l.next++
	l.shrinkWindows(l.Newest())
}

// addRows counts the rows of one direction in all windows.
func (l *Lookback) addRows(h *held, d Direction) {
	rows := h.Rows[d]
	var clean []Row // rows without the unknown ones, if there are any
	var orphans Counters
	for i, r := range rows {
		e := l.flows.find(r.Flow)
		if e == 0 {
			if orphans == (Counters{}) && clean == nil {
				clean = append(make([]Row, 0, len(rows)), rows[:i]...)
			}
			orphans.Add(Counters{uint64(r.Bytes), uint64(r.Packets)})
			continue
		}
		if clean != nil {
			clean = append(clean, r)
		}
		l.addRow(e, d, r)
	}
	if clean != nil {
		h.Rows[d] = clean
		h.Other[d] = withOther(h.Other[d], orphans)
	}
}

func (l *Lookback) addRow(e uint32, d Direction, r Row) {
	f := l.flows.at(e)
	l.class[l.classOf(f)][d] += uint64(r.Bytes)
	for w := range f.win {
		f.win[w][d] += uint64(r.Bytes)
	}
	f.info.Cum[d].Add(Counters{uint64(r.Bytes), uint64(r.Packets)})
	f.last = l.next
	if f.rows++; f.rows == 1 {
		f.active = uint32(len(l.active))
		l.active = append(l.active, e)
	}
}

// withOther returns a copy of m (which is somebody else's, too) with c added to
// class Unknown.
func withOther(m map[Class]Counters, c Counters) map[Class]Counters {
	sum := make(map[Class]Counters, len(m)+1)
	for k, v := range m {
		sum[k] = v
	}
	c.Add(sum[Unknown])
	sum[Unknown] = c
	return sum
}

// addTotals counts what h says about the link as a whole.
func (l *Lookback) addTotals(h *held) {
	for _, d := range Directions {
		for class, c := range h.Other[d] {
			h.other[d] += c.Bytes
			l.class[class][d] += c.Bytes
		}
		for _, b := range h.Bins[d] {
			h.peak[d] = max(h.peak[d], b)
		}
		l.cum[d].Add(h.Total[d])
	}
	for w := range l.win {
		l.win[w].add(h)
	}
	l.lost += h.Lost
	l.evicted += uint64(h.Evicted)
	l.evictedNow += uint64(h.Evicted)
	l.late += uint64(h.Late)
}

// dropOldest forgets the oldest slot and the flows whose last row it holds.
func (l *Lookback) dropOldest() {
	for w := range l.win {
		if l.win[w].tail == l.first {
			l.leave(w)
		}
	}
	h := l.at(l.first)
	for _, d := range Directions {
		for _, r := range h.Rows[d] {
			if e := l.flows.find(r.Flow); e != 0 && l.flows.at(e).last == l.first {
				l.flows.drop(e)
			}
		}
	}
	l.evictedNow -= uint64(h.Evicted)
	*h = held{}
	l.first++
}

// Reclassify takes another classifier, because the World has changed. Every
// flow gets its new class before it is shown or summed up again; what lies in
// Other keeps the class it had.
func (l *Lookback) Reclassify(f ClassifyFunc) {
	l.classify = f
	l.classGen++
	l.stale = true
}

// classOf returns the class of f, asking once in a generation, and keeps the
// class sums right.
func (l *Lookback) classOf(f *flowEntry) Class {
	if f.classGen == l.classGen {
		return f.class
	}
	old := f.class
	f.class, f.why, f.classGen = Unknown, "", l.classGen
	if l.classify != nil {
		f.class, f.why = l.classify(&f.info.Key, f.info.MAC, f.info.Inner)
	}
	for _, d := range Directions {
		l.class[old][d] -= f.win[0][d]
		l.class[f.class][d] += f.win[0][d]
	}
	return f.class
}

func (l *Lookback) at(n uint64) *held { return &l.ring[n%uint64(len(l.ring))] }

func (l *Lookback) len() int { return int(l.next - l.first) }

// Oldest returns the begin of the oldest slot, 0 if there is none.
func (l *Lookback) Oldest() Time {
	if l.len() == 0 {
		return 0
	}
	return l.at(l.first).From
}

// Newest returns the end of the newest slot, 0 if there is none.
func (l *Lookback) Newest() Time {
	if l.len() == 0 {
		return 0
	}
	return l.at(l.next - 1).To
}

// EpochStart returns the begin of the newest epoch, 0 if there is no slot: what
// lies before it is another baseline.
func (l *Lookback) EpochStart() Time { return l.epochStart }

// Disorder returns how many slots Add has left out: other than 0 it is an error
// of whoever closes slots.
func (l *Lookback) Disorder() uint64 { return l.disorder }

// Info returns what is known about a flow that has a row in the look-back, with
// Cum counted up to the newest slot; nil if there is none.
func (l *Lookback) Info(id FlowID) *FlowInfo {
	e := l.flows.find(id)
	if e == 0 {
		return nil
	}
	info := l.flows.at(e).info
	return &info
}
