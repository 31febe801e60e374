package lab

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"spiketop/incident"
	"spiketop/testdata/netlab"
)

// agree reports whether two byte counts agree within 2 %, or two full frames.
func agree(got uint64, truth int64) bool {
	d := math.Abs(float64(got) - float64(truth))
	return d <= 0.02*float64(truth) || d <= 2*1514
}

// bytes: each link's and direction's sum is tcpdump's, and nearly everything was counted.
func (j *judge) bytes(in *incident.Incident) {
	for _, m := range Members {
		i := slices.IndexFunc(in.Links, func(l incident.LinkPart) bool { return l.Name == m })
		if i < 0 {
			j.failf("%s is missing among the links", m)
			continue
		}
		l := in.Links[i]
		for d, got := range []uint64{l.Rx.Bytes, l.Tx.Bytes} {
			if truth := j.t.Sum(m, d == 1, in.Window.From, in.Window.To, nil); !agree(got, truth) {
				j.failf("%s %s: %d bytes in the window, tcpdump says %d", m, []string{"rx", "tx"}[d], got, truth)
			}
		}
		if l.Coverage == nil || *l.Coverage < 0.99 {
			j.failf("%s: coverage %s", m, ratio(l.Coverage))
		}
	}
}

// books: rows and other make up the links, and no flow stands twice.
func (j *judge) books(in *incident.Incident) {
	var links [2]uint64
	for _, l := range in.Links {
		links[0] += l.Rx.Bytes
		links[1] += l.Tx.Bytes
	}
	for d, rows := range [][]incident.FlowRow{in.Flows.Rx, in.Flows.Tx} {
		sum := []uint64{in.Flows.Other.Rx.Bytes, in.Flows.Other.Tx.Bytes}[d]
		seen := map[string]bool{}
		for _, row := range rows {
			sum += row.Bytes
			name := strings.Join([]string{row.Link, row.Proto, row.Local, row.Remote, fmt.Sprint(row.VLAN)}, " ")
			if seen[name] {
				j.failf("the flow %s stands twice", name)
			}
			seen[name] = true
		}
		if sum != links[d] {
			j.failf("rows + other = %d, the links carried %d", sum, links[d])
		}
	}
}

func ratio(v *float64) string {
	if v == nil {
		return "not said"
	}
	return fmt.Sprintf("%.3f", *v)
}

// classes: shares within 3 points of tcpdump's. A class that is not there has none.
func (j *judge) classes(in *incident.Incident) {
	for _, of := range []struct {
		class string
		take  func(netlab.Packet) bool
	}{{"storage", Storage}, {"vif", VM}, {"host", Host}} {
		var share [2]float64
		for _, c := range in.Classes {
			for d, s := range []*float64{c.Rx.Share, c.Tx.Share} {
				if c.Name == of.class && s != nil {
					share[d] = *s
				}
			}
		}
		for d, got := range share {
			var part, all int64
			for _, m := range Members {
				part += j.t.Sum(m, d == 1, in.Window.From, in.Window.To, of.take)
				all += j.t.Sum(m, d == 1, in.Window.From, in.Window.To, nil)
			}
			if truth := float64(part) / float64(max(all, 1)); math.Abs(got-truth) > 0.03 {
				j.failf("%s has %.3f of %s, tcpdump says %.3f", of.class, got, []string{"rx", "tx"}[d], truth)
			}
		}
	}
}

// culprits: each named sender stands at the head of the list of the incident in
// whose window it sent, with tcpdump's bytes, on the member it really took.
func (j *judge) culprits() {
	for _, name := range j.s.Culprits {
		i := slices.IndexFunc(j.t.Senders, func(b Burst) bool { return b.Name == name })
		if i < 0 {
			j.failf("the script made no burst %q", name)
			continue
		}
		b := j.t.Senders[i]
		k := slices.IndexFunc(j.said.Incidents, func(in *incident.Incident) bool {
			return in.Window.From.Before(b.To) && in.Window.To.After(b.From)
		})
		if k < 0 {
			j.failf("no incident's window holds %s (%s -> %s)", name, b.Src, b.Dst)
			continue
		}
		j.culprit(j.said.Incidents[k], b)
	}
}

func (j *judge) culprit(in *incident.Incident, b Burst) {
	tx := j.s.Direction == "tx"
	rows, local, remote := in.Flows.Rx, b.Dst, b.Src
	if tx {
		rows, local, remote = in.Flows.Tx, b.Src, b.Dst
	}
	i := slices.IndexFunc(rows, func(r incident.FlowRow) bool { return r.Local == local && r.Remote == remote })
	if i < 0 || i >= j.rivals(in) {
		j.failf("%s <- %s is flow number %d, want among the first %d: %s", local, remote, i+1, j.rivals(in), heads(rows))
		return
	}
	row := rows[i]
	tuple := func(p netlab.Packet) bool {
		return p.Src == netip.MustParseAddrPort(b.Src) && p.Dst == netip.MustParseAddrPort(b.Dst)
	}
	if truth := j.t.Sum(b.Member, tx, in.Window.From, in.Window.To, tuple); truth == 0 || !agree(row.Bytes, truth) {
		j.failf("%d bytes of %s in the window, tcpdump on %s says %d", row.Bytes, remote, b.Member, truth)
	}
	if row.Link != b.Member || row.Proto != "tcp" || j.s.Class != "" && row.Class != j.s.Class {
		j.failf("%s <- %s is %s on %s, class %s (%s); want tcp on %s, class %s", local, remote, row.Proto, row.Link, row.Class, row.Why, b.Member, j.s.Class)
	}
}

// rivals is how many culprits sent in the incident's window: they share the head
// of the list.
func (j *judge) rivals(in *incident.Incident) (n int) {
	for _, b := range j.t.Senders {
		if slices.Contains(j.s.Culprits, b.Name) && in.Window.From.Before(b.To) && in.Window.To.After(b.From) {
			n++
		}
	}
	return n
}

func heads(rows []incident.FlowRow) string {
	var out []string
	for _, r := range rows[:min(3, len(rows))] {
		out = append(out, fmt.Sprintf("%s %s %s <- %s %d (%s)", r.Link, r.Proto, r.Local, r.Remote, r.Bytes, r.Class))
	}
	return strings.Join(out, ", ")
}
