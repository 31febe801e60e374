package incident

import (
	"fmt"
	"slices"
	"strings"
)

// mdRow is a flow that is shown, with the direction it stands in.
type mdRow struct {
	dir   string
	class int // place of its class in the order of change
	flow  *FlowRow
}

// mdFlows is the table of the top flows of each direction and class, in at most
// max lines.
func mdFlows(in *Incident, max int) []string {
	const around = 4 + 1 + 2 // heading, fences, blank line; head of the table; what is not shown
	classes := mdClasses(in)
	classes = append(classes, mdGuests(in, max-around-len(classes)-mdLeastRows)...)
	rows := mdTop(in, max-around-len(classes))
	t := textTable{align: "lrrrrlllrl"}
	t.add("dir", "rate", "usual", "change", "share", "class", "link", "proto", "vlan", "flow")
	for _, r := range rows {
		f := r.flow
		dir, vlan := "in ▼", ""
		if r.dir == "tx" {
			dir = "out ▲"
		}
		if f.VLAN != 0 {
			vlan = fmt.Sprint(f.VLAN)
		}
		t.add(dir, Rate(f.Bps), rate(f.BaselineBps), change(f.DeltaBps), Percent(f.Share), f.Class, f.Link, f.Proto, vlan, flowEnds(f.namedLocal(), f.Remote, r.dir))
	}
	return fence("Top flows, by change", slices.Concat(t.lines(), mdRest(in, rows), classes))
}

// mdTop picks at most max rows: first the largest change of each direction and
// class, then the second of each, up to mdTopFlows. It returns them in reading
// order: in before out, by class, by rank.
func mdTop(in *Incident, max int) []mdRow {
	type group struct{ rows []mdRow }
	var groups []*group
	index := map[string]*group{}
	order := map[string]int{}
	for _, d := range []string{"rx", "tx"} {
		rows := mdDirection(in, d)
		for i := range rows {
			f := &rows[i]
			if _, ok := order[f.Class]; !ok {
				order[f.Class] = len(order)
			}
			g := index[d+f.Class]
			if g == nil {
				g = new(group)
				index[d+f.Class] = g
				groups = append(groups, g)
			}
			g.rows = append(g.rows, mdRow{d, order[f.Class], f})
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return a.rows[0].class - b.rows[0].class })
	var out []mdRow
	for level := range mdTopFlows {
		for _, g := range groups {
			if level < len(g.rows) && len(out) < max {
				out = append(out, g.rows[level])
			}
		}
	}
	slices.SortStableFunc(out, func(a, b mdRow) int {
		if a.dir != b.dir {
			return strings.Compare(a.dir, b.dir)
		}
		return a.class - b.class
	})
	return out
}

func mdDirection(in *Incident, dir string) []FlowRow {
	if dir == "tx" {
		return in.Flows.Tx
	}
	return in.Flows.Rx
}

// mdRest says what the shown rows leave out, a line for each direction of which
// they do.
func mdRest(in *Incident, shown []mdRow) []string {
	var out []string
	for _, d := range []struct {
		dir, word string
		other     uint64
	}{{"rx", "in ▼", in.Flows.Other.Rx.Bytes}, {"tx", "out ▲", in.Flows.Other.Tx.Bytes}} {
		rows, bytes := mdDirection(in, d.dir), d.other
		n := len(rows)
		for i := range rows {
			bytes += rows[i].Bytes
		}
		for _, r := range shown {
			if r.dir == d.dir {
				n, bytes = n-1, bytes-r.flow.Bytes
			}
		}
		switch {
		case n > 0:
			out = append(out, fmt.Sprintf("%-5s  not shown: %s, in %d more rows of flows.csv and in smaller flows", d.word, Bytes(bytes), n))
		case bytes > 0:
			out = append(out, fmt.Sprintf("%-5s  not shown: %s, in smaller flows", d.word, Bytes(bytes)))
		}
	}
	return out
}

// mdClasses is one line with the classes' shares, or none.
func mdClasses(in *Incident) []string {
	const most = 6
	var s []string
	for i := range in.Classes {
		c := &in.Classes[i]
		if t := mdShare(" in ", &c.Rx) + mdShare(" out ", &c.Tx); t != "" && len(s) < most {
			s = append(s, fenced(c.Name, mdMaxName)+t)
		}
	}
	if len(s) == 0 {
		return nil
	}
	return []string{"classes: " + strings.Join(s, "; ")}
}

// mdShare is a class's share of one direction; nothing where it carries nothing
// and is not known to do so as a rule.
func mdShare(word string, d *ClassDir) string {
	if (d.Share == nil || *d.Share == 0) && (d.BaselineShare == nil || *d.BaselineShare == 0) {
		return ""
	}
	return word + ratio(d.Share) + mdUsual(d.BaselineShare, Percent)
}

// mdUsual is what a figure usually is, in parentheses; nothing where it is not known.
func mdUsual(v *float64, format func(float64) string) string {
	if v == nil {
		return ""
	}
	return " (usual " + format(*v) + ")"
}
