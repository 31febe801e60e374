package render

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"spiketop/flow"
)

// rowSet are the rows of a pane and their order.
type rowSet struct {
	rows  []row
	items []item // one for each row, in the order of the screen
}

// item is what is sorted instead of rows: it is small and has no pointer.
type item struct {
	value, tie float64
	at         int32 // index of rows
}

// A pane of 3500 rows is built ten times a second; with fresh memory each time
// clearing and collecting it cost more than sorting.
var rowSets = sync.Pool{New: func() any { return new(rowSet) }}

func newRowSet(n int) *rowSet {
	s := rowSets.Get().(*rowSet)
	s.rows = slices.Grow(s.rows[:0], n)
	s.items = slices.Grow(s.items[:0], n)
	return s
}

// free gives the memory back; s and its rows must not be used afterwards.
func (s *rowSet) free() { rowSets.Put(s) }

func (s *rowSet) len() int { return len(s.items) }

// at returns the i-th row of the screen.
func (s *rowSet) at(i int) *row { return &s.rows[s.items[i].at] }

// unsorted puts the rows into the order in which they lie.
func (s *rowSet) unsorted() *rowSet {
	s.items = s.items[:0]
	for i := range s.rows {
		s.items = append(s.items, item{at: int32(i)})
	}
	return s
}

// value adds up the shown directions of one figure.
func (v *View) value(r *row, w int) float64 {
	sum := 0.0
	for _, d := range flow.Directions {
		if x := r.rate[d][w]; v.shows(d) && !math.IsNaN(x) {
			sum += x
		}
	}
	return sum
}

func (v *View) sortLive(s *rowSet) {
	w := int(v.Sort)
	if v.Sort > By40s {
		w = int(By40s) // iftop breaks ties of names by 40 s
	}
	v.sortBy(s, func(r *row) float64 { return v.value(r, w) })
}

func (v *View) sortFrozen(s *rowSet) {
	v.sortBy(s, func(r *row) float64 {
		sum := 0.0
		for _, d := range flow.Directions {
			if v.shows(d) {
				sum += math.Abs(figure(r.rate[d][change], r.rate[d][inWindow]))
			}
		}
		return sum
	})
}

// figure returns x, or alt where x is not known.
func figure(x, alt float64) float64 {
	if math.IsNaN(x) {
		return alt
	}
	return x
}

// sortBy orders by name or falling value; ties by the 40 s average, then by key,
// so that equal rows never change places.
func (v *View) sortBy(s *rowSet, value func(*row) float64) {
	s.unsorted()
	rows := s.rows
	for i := range s.items {
		s.items[i].value, s.items[i].tie = value(&rows[i]), v.value(&rows[i], 2)
	}
	byName := v.Sort == ByLocal || v.Sort == ByRemote
	// One comparison after the other, not cmp.Or: comparing keys and texts that
	// nobody needs was two thirds of the time of a frame with 3500 rows.
	slices.SortFunc(s.items, func(x, y item) int {
		a, b := &rows[x.at], &rows[y.at]
		if byName {
			if n := v.byName(a, b); n != 0 {
				return n
			}
		}
		if x.value != y.value {
			return cmp.Compare(y.value, x.value)
		}
		if x.tie != y.tie {
			return cmp.Compare(y.tie, x.tie)
		}
		if n := a.key.Compare(&b.key); n != 0 {
			return n
		}
		return cmp.Compare(x.at, y.at) // rows without a key, in the order of the incident
	})
}

func (v *View) byName(a, b *row) int {
	switch v.Sort {
	case ByLocal:
		return cmp.Or(slices.Compare(a.key.Local[:], b.key.Local[:]), cmp.Compare(a.key.LocalPort, b.key.LocalPort))
	case ByRemote:
		return cmp.Or(slices.Compare(a.key.Remote[:], b.key.Remote[:]), cmp.Compare(a.key.RemotePort, b.key.RemotePort))
	}
	return 0
}

// inOrder returns the rows that order names, in its order. A flow that is gone
// keeps its line at zero, as in iftop.
func inOrder(rows []row, order []flow.Key) []row {
	at := make(map[flow.Key]int, len(rows))
	for i := range rows {
		at[rows[i].key] = i
	}
	kept := make([]row, 0, len(order))
	for _, k := range order {
		if i, ok := at[k]; ok {
			kept = append(kept, rows[i])
		} else {
			kept = append(kept, row{key: k})
		}
	}
	return kept
}

// maxOrder bounds what a kept order remembers for each pane.
const maxOrder = 512

// OrderNow returns the order of the rows of every pane at this moment, for
// View.Order.
func OrderNow(v *View) map[string][]flow.Key {
	order := map[string][]flow.Key{}
	if v.Panes == nil {
		return order
	}
	sorted := *v
	sorted.Order = nil
	for i := range v.Panes.Links {
		l := &v.Panes.Links[i]
		rows, _ := liveRows(l, &sorted)
		keys := make([]flow.Key, min(rows.len(), maxOrder))
		for j := range keys {
			keys[j] = rows.at(j).key
		}
		order[l.Link.Name] = keys
		rows.free()
	}
	return order
}
