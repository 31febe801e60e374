package flow

// SlotBytes is what some flows carried in each slot of a time.
type SlotBytes struct {
	From, To []Time     // of each slot, oldest first
	Bytes    [][]uint64 // by the flow's place in the question, then by slot
}

// SlotBytes returns what each of the flows ids carried in direction d in every
// whole slot inside [from, to). A flow without a row in a slot carried nothing
// there, or so little that its row was left out. It looks at every row of that
// time and compares it with few flows: for some 30 of them, not for all.
func (l *Lookback) SlotBytes(d Direction, ids []FlowID, from, to Time) SlotBytes {
	s := SlotBytes{Bytes: make([][]uint64, len(ids))}
	var seen [4]uint64 // of the low 8 bits of ids: most rows are none of them
	for _, id := range ids {
		seen[id>>6&3] |= 1 << (id & 63)
	}
	l.within(from, to, nil, func(h *held) {
		s.From, s.To = append(s.From, h.From), append(s.To, h.To)
		for i := range s.Bytes {
			s.Bytes[i] = append(s.Bytes[i], 0)
		}
		last := len(s.From) - 1
		for _, r := range h.Rows[d] {
			if seen[r.Flow>>6&3]>>(r.Flow&63)&1 == 0 {
				continue
			}
			for i, id := range ids {
				if id == r.Flow {
					s.Bytes[i][last] += uint64(r.Bytes)
				}
			}
		}
	})
	return s
}
