package render

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"spiketop/flow"
	"spiketop/incident"
)

// row is one line of a pane before it is text. The three figures of a live row
// are the averages of incident.Windows; of a frozen one rate, usual and change.
type row struct {
	key    flow.Key
	class  flow.Class
	mixed  bool // rows of several classes were put together
	letter rune // of a frozen row
	rate   [2][3]float64
	cum    [2]uint64
	text   *[2]string // the ends, where there is no key to write them from; else nil
}

func (r *row) end(v *View, s side) string {
	if r.text != nil {
		return r.text[s]
	}
	return v.endpoint(&r.key, s)
}

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

// The figures of a frozen row.
const (
	inWindow = 0
	usual    = 1
	change   = 2
)

// liveRows returns the rows of a link that the view shows, in its order, and
// how many rows its filter hid.
func liveRows(l *incident.LinkView, v *View) (s *rowSet, hidden int) {
	s = newRowSet(len(l.Rows))
	for i := range l.Rows {
		f := &l.Rows[i]
		s.rows = append(s.rows, row{key: f.Key, class: f.Class, rate: f.Rate, cum: f.Cum})
	}
	s.rows, hidden = v.keep(s.rows, l.Link.Name)
	s.rows = v.merge(s.rows)
	if order := v.Order[l.Link.Name]; order != nil {
		s.rows = inOrder(s.rows, order)
		return s.unsorted(), hidden
	}
	s.rows = v.moving(s.rows)
	v.sortLive(s)
	return s, hidden
}

// moving leaves out what has carried nothing in the direction that is shown.
func (v *View) moving(rows []row) []row {
	if v.Show == Both {
		return rows
	}
	return slices.DeleteFunc(rows, func(r row) bool {
		for _, d := range flow.Directions {
			if v.shows(d) && r.rate[d] != [3]float64{} {
				return false
			}
		}
		return true
	})
}

// frozenRows are the rows of one link of an incident.
func frozenRows(in *incident.Incident, link string, v *View) (s *rowSet, hidden int) {
	s = newRowSet(len(in.Flows.Rx) + len(in.Flows.Tx))
	type id struct{ proto, local, remote string }
	index := map[id]int{}
	for d, list := range [2][]incident.FlowRow{in.Flows.Rx, in.Flows.Tx} {
		for i := range list {
			f := &list[i]
			if f.Link != link {
				continue
			}
			at, known := index[id{f.Proto, f.Local, f.Remote}]
			if !known {
				at = len(s.rows)
				index[id{f.Proto, f.Local, f.Remote}] = at
				s.rows = append(s.rows, frozenRow(f))
			}
			r := &s.rows[at]
			r.rate[d] = [3]float64{f.Bps, orNaN(f.BaselineBps), orNaN(f.DeltaBps)}
			r.cum[d] = f.Bytes
		}
	}
	s.rows, hidden = v.keep(s.rows, link)
	s.rows = v.moving(v.merge(s.rows))
	v.sortFrozen(s)
	return s, hidden
}

func frozenRow(f *incident.FlowRow) row {
	r := row{class: classOf(f.Class), letter: classLetter(f.Class)}
	var ok bool
	if r.key, ok = keyOf(f.Proto, f.Local, f.Remote, f.VLAN); !ok {
		r.text = &[2]string{incident.Clean(f.Local), incident.Clean(f.Remote)}
	}
	return r
}

// keep drops the rows that filter and regular expression do not match. A
// direction that the filter does not match counts as nothing: "src host A" shows
// what A sent, as it would in tcpdump.
func (v *View) keep(rows []row, nic string) (kept []row, hidden int) {
	if v.Match == nil && v.MatchText == nil {
		return rows, 0
	}
	kept = rows[:0]
	for i := range rows {
		r := rows[i]
		if (v.Match == nil || matchFlow(v.Match, &r, nic)) && (v.MatchText == nil ||
			v.MatchText(r.end(v, local)) || v.MatchText(r.end(v, remote))) {
			kept = append(kept, r)
		}
	}
	return kept, len(rows) - len(kept)
}

func matchFlow(f Matcher, r *row, nic string) bool {
	any := false
	for _, d := range flow.Directions {
		if f.Match(&r.key, d, r.class, nic) {
			any = true
		} else {
			r.rate[d], r.cum[d] = [3]float64{}, 0
		}
	}
	return any
}

// merge puts rows together that look alike because ports or hosts are hidden.
// As in iftop the protocol counts only while a port is shown.
func (v *View) merge(rows []row) []row {
	if v.LocalPorts && v.RemotePorts && !v.HideLocal && !v.HideRemote {
		return rows
	}
	at := make(map[flow.Key]int, len(rows))
	merged := rows[:0]
	for i := range rows {
		r := rows[i]
		if r.text != nil {
			merged = append(merged, r)
			continue
		}
		r.key = v.shownKey(r.key)
		j, seen := at[r.key]
		if !seen {
			at[r.key] = len(merged)
			merged = append(merged, r)
			continue
		}
		m := &merged[j]
		m.mixed = m.mixed || m.class != r.class
		for d := range 2 {
			for w := range 3 {
				m.rate[d][w] += r.rate[d][w]
			}
			m.cum[d] += r.cum[d]
		}
	}
	return merged
}

func (v *View) shownKey(k flow.Key) flow.Key {
	if v.HideLocal {
		k.Local = [16]byte{}
	}
	if v.HideRemote {
		k.Remote = [16]byte{}
	}
	if k.Family == flow.FamilyMAC {
		return k
	}
	if !v.LocalPorts {
		k.LocalPort = 0
	}
	if !v.RemotePorts {
		k.RemotePort = 0
	}
	if !v.LocalPorts && !v.RemotePorts {
		k.Proto = 0
	}
	return k
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
