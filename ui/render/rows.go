package render

import (
	"slices"

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
	who    who
	text   *[2]string // the ends, where there is no key to write them from; else nil
	proto  string     // of a row with text
}

// kind names what is not TCP.
func (r *row) kind() string {
	if r.text != nil {
		return vlanKind(r.proto, r.key.VLAN)
	}
	return kind(&r.key)
}

func (r *row) end(v *View, s side) string {
	if r.text != nil {
		return r.text[s]
	}
	if s == local {
		if name := v.named(&r.key, &r.who); name != "" {
			return name
		}
	}
	return v.endpoint(&r.key, s)
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
		s.rows = append(s.rows, row{key: f.Key, class: f.Class, rate: f.Rate, cum: f.Cum, who: liveWho(f)})
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
	type id struct {
		proto, local, remote string
		vlan                 uint16
	}
	index := map[id]int{}
	for d, list := range [2][]incident.FlowRow{in.Flows.Rx, in.Flows.Tx} {
		for i := range list {
			f := &list[i]
			if f.Link != link {
				continue
			}
			is := id{f.Proto, f.Local, f.Remote, f.VLAN}
			at, known := index[is]
			if !known {
				at = len(s.rows)
				index[is] = at
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
	r := row{class: classOf(f.Class), letter: classLetter(f.Class), who: frozenWho(f)}
	var ok bool
	if r.key, ok = keyOf(f.Proto, f.Local, f.Remote, f.VLAN); !ok {
		r.text, r.proto = &[2]string{incident.Clean(f.Local), incident.Clean(f.Remote)}, incident.Clean(f.Proto)
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
			v.MatchText(r.end(v, local)) || v.MatchText(v.endpoint(&r.key, local)) || v.MatchText(r.end(v, remote))) {
			kept = append(kept, r)
		}
	}
	return kept, len(rows) - len(kept)
}

func matchFlow(f Matcher, r *row, nic string) bool {
	any := false
	for _, d := range flow.Directions {
		if f.MatchRow(&flow.FilterRow{Key: &r.key, Dir: d, Class: r.class, NIC: nic, Guest: r.who.guest, VIF: r.who.vif, Process: r.who.process}) {
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
		if m.who.name() != r.who.name() {
			m.who = who{}
		}
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
