package flow

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSlotBytes(t *testing.T) {
	l := NewLookback(10, nil)
	// Flow 1 carries 100, 200, 300 ... in; flow 2 half of it out in every second slot; flow 65 shares flow 1's bit of the filter.
	for n := range 6 {
		s := &Slot{Link: 1}
		s.From, s.To = slotAt(n)
		if n == 4 {
			continue // a gap
		}
		for _, id := range []FlowID{1, 2, 65} {
			introduce(s, id)
		}
		s.Rows[Rx] = []Row{{65, 7, 1}, {1, uint32(100 * (n + 1)), 1}}
		if n%2 == 0 {
			s.Rows[Tx] = []Row{{2, uint32(50 * (n + 1)), 1}}
		}
		if n == 2 { // over 4 GiB: two rows
			s.Rows[Rx] = append(s.Rows[Rx], Row{1, 11, 1})
		}
		l.Add(s)
	}
	from, _ := slotAt(1)
	_, to := slotAt(5)
	var begins, ends []Time
	for _, n := range []int{1, 2, 3, 5} {
		a, b := slotAt(n)
		begins, ends = append(begins, a), append(ends, b)
	}
	tests := []struct {
		name string
		d    Direction
		ids  []FlowID
		want [][]uint64
	}{
		{"in", Rx, []FlowID{1, 2}, [][]uint64{{200, 311, 400, 600}, {0, 0, 0, 0}}},
		{"out", Tx, []FlowID{1, 2}, [][]uint64{{0, 0, 0, 0}, {0, 150, 0, 0}}},
		{"same bit of the filter", Rx, []FlowID{129}, [][]uint64{{0, 0, 0, 0}}},
		{"nobody", Rx, nil, [][]uint64{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := SlotBytes{From: begins, To: ends, Bytes: tt.want}
			if diff := cmp.Diff(want, l.SlotBytes(tt.d, tt.ids, from, to)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := l.SlotBytes(Rx, []FlowID{1}, to, from); len(got.From) != 0 || len(got.Bytes[0]) != 0 {
		t.Errorf("of no time: %+v", got)
	}
}
