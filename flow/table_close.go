package flow

import "math"

// What a slot costs its look-back, in bytes. SlotBudget is spent in these.
const (
	rowCost = 12 // sizeof(Row)
	// newFlowCost is the entry that a Lookback makes for a flow it did not know
	// and its share of the index (TestLookbackMemory holds it to that). The
	// FlowInfo itself is not kept.
	newFlowCost = 224
)

// CloseSlot ends the current slot, which covered [from, to), and begins the
// next one at to. It costs O(flows touched in the slot). The Slot is the
// caller's and immutable from here on.
func (t *Table) CloseSlot(from, to Time) *Slot {
	c := &t.slot
	n := t.choose()
	s := &Slot{
		Link: t.link, Epoch: t.epoch, From: from, To: to,
		Total: c.total, Bins: c.bins, SKBBytes: c.skbBytes,
		Lost: c.lost, Evicted: c.evicted, Late: c.late,
	}
	for _, d := range Directions {
		if n.rows[d] > 0 {
			s.Rows[d] = make([]Row, 0, n.rows[d])
		}
	}
	if n.fresh > 0 {
		s.New = make([]FlowInfo, 0, n.fresh)
	}
	for i := range t.touched.n {
		if a := t.touched.at(i); a.entry != 0 {
			t.settle(s, a)
		}
	}
	s.Floor = c.floor
	s.Other = c.others()
	*c = current{from: to, begun: true}
	t.touched.reset()
	if t.seq++; t.seq == 0 {
		t.seq = 1 // 0 means "never"
	}
	t.sweepIdle()
	return s
}

// settle writes the account of one flow into s and into the flow's entry.
func (t *Table) settle(s *Slot, a *acc) {
	h, c := t.entries.hot(a.entry), t.entries.cold(a.entry)
	if a.keep {
		id := t.id(a.entry, h)
		if a.fresh {
			s.New = append(s.New, FlowInfo{ID: id, Key: h.key, MAC: h.mac, Inner: c.inner, First: c.first, Cum: c.cum})
		}
		for _, d := range Directions {
			s.Rows[d] = appendRows(s.Rows[d], id, a.bytes[d], a.packets[d])
		}
		h.row = t.seq
	} else {
		t.slot.floor = max(t.slot.floor, a.size())
		t.toOther(a)
	}
	for _, d := range Directions {
		c.cum[d].Add(Counters{a.bytes[d], a.packets[d]})
	}
	h.recent = addSat32(h.recent, a.size())
}

// rowCount returns how many rows hold these counters.
func rowCount(bytes, packets uint64) uint64 {
	const most = math.MaxUint32
	switch all := bytes | packets; {
	case all == 0:
		return 0
	case all <= most:
		return 1
	}
	n := max(bytes/most, packets/most)
	if bytes > n*most || packets > n*most {
		n++
	}
	return n
}

func appendRows(rows []Row, id FlowID, bytes, packets uint64) []Row {
	for bytes > 0 || packets > 0 {
		b, p := min(bytes, math.MaxUint32), min(packets, math.MaxUint32)
		rows = append(rows, Row{id, uint32(b), uint32(p)})
		bytes -= b
		packets -= p
	}
	return rows
}

// others returns what lies in Other as maps, nil where there is nothing.
func (c *current) others() (m [2]map[Class]Counters) {
	for _, d := range Directions {
		for class := range c.other[d] {
			if v := c.other[d][class]; v != (Counters{}) {
				if m[d] == nil {
					m[d] = make(map[Class]Counters)
				}
				m[d][Class(class)] = v
			}
		}
	}
	return m
}
