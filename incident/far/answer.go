package far

import (
	"time"

	"spiketop/flow"
	"spiketop/incident"
)

// Bounds of an answer.
const (
	maxLinks   = 64
	maxClasses = 256
	maxRows    = 50 // of a direction
)

// AnswerOf splits what this host knows of a window into lines, each of which
// fits [MaxLine].
func AnswerOf(q *Question, in *incident.FarPart) []Line {
	line := func(w WindowLine) Line {
		w.ID = q.ID
		return Line{Window: &w}
	}
	begin := Begin{q.From, q.To}
	if in.Window != nil {
		begin = Begin{in.Window.From.UnixNano(), in.Window.To.UnixNano()}
	}
	list := []Line{line(WindowLine{Begin: &begin})}
	for i := range in.Links[:min(len(in.Links), maxLinks)] {
		l := cleanLink(&in.Links[i])
		list = append(list, line(WindowLine{Link: &l}))
	}
	for i := range in.Classes[:min(len(in.Classes), maxClasses)] {
		c := cleanClass(&in.Classes[i])
		list = append(list, line(WindowLine{Class: &c}))
	}
	for _, d := range flow.Directions {
		rows := in.Flows.Rx
		if d == flow.Tx {
			rows = in.Flows.Tx
		}
		for i := range rows[:min(len(rows), maxRows)] {
			f := cleanFlow(&rows[i])
			list = append(list, line(WindowLine{Dir: d.String(), Flow: &f}))
		}
	}
	end := End{in.Flows.Other.Rx.Bytes, in.Flows.Other.Tx.Bytes, incident.CleanMax(in.Trouble, maxWhy)}
	return append(list, line(WindowLine{End: &end}))
}

// Answer puts the lines of an answer together again. The zero Answer with an ID
// waits for its first line.
type Answer struct {
	ID    string
	part  incident.FarPart
	begun bool
}

// Add takes a line and reports whether the answer is whole now. What belongs to
// another question, comes before the begin, or is too much, is left out.
func (a *Answer) Add(w *WindowLine) (whole bool) {
	p := &a.part
	switch {
	case w.ID != a.ID || !a.begun && w.Begin == nil:
	case w.Begin != nil:
		a.begun, a.part = true, incident.FarPart{Window: &incident.Window{From: time.Unix(0, w.Begin.From).UTC(), To: time.Unix(0, w.Begin.To).UTC()}}
	case w.Link != nil && len(p.Links) < maxLinks:
		p.Links = append(p.Links, *w.Link)
	case w.Class != nil && len(p.Classes) < maxClasses:
		p.Classes = append(p.Classes, *w.Class)
	case w.Flow != nil:
		rows := &p.Flows.Rx
		if w.Dir == flow.Tx.String() {
			rows = &p.Flows.Tx
		}
		if len(*rows) < maxRows {
			f := *w.Flow
			f.Rank = len(*rows) + 1
			*rows = append(*rows, f)
		}
	case w.End != nil:
		p.Flows.Other.Rx.Bytes, p.Flows.Other.Tx.Bytes, p.Trouble = w.End.OtherRx, w.End.OtherTx, w.End.Trouble
		return true
	}
	return false
}

// Part is what has come so far; lists are never nil.
func (a *Answer) Part() *incident.FarPart {
	p := a.part
	if p.Links == nil {
		p.Links = []incident.LinkPart{}
	}
	if p.Flows.Rx == nil {
		p.Flows.Rx = []incident.FlowRow{}
	}
	if p.Flows.Tx == nil {
		p.Flows.Tx = []incident.FlowRow{}
	}
	return &p
}
