package incident

import (
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// maxLines is how many incidents a Frame lists.
const maxLines = 20

// line is the line of an incident, with what the Frame does not need.
type line struct {
	IncidentLine
	sent   flow.Time // guilty echo
	base   string    // ID without the number of a clash
	failed string    // why it could not be saved, "" = it was, or nobody tried
}

// show publishes the newest picture of c.
func (m *Monitor) show(c *collecting, in *Incident) {
	if m.frozen == nil || in.Number >= m.frozen.Number {
		m.frozen = in
	}
	l := m.lineOf(c.id)
	if l == nil {
		return
	}
	l.Kind, l.Member, l.Open = in.Trigger.Kind, in.Trigger.Member, in.Open
	l.RTT = probe.None
	if w := in.Trigger.worst(); w != nil {
		l.RTT = time.Duration(float64(*w) * 1e6)
	}
	l.Summary = summary(in)
	if !in.Open {
		l.Sealed = in
	}
}

func (m *Monitor) lineOf(id string) *line {
	for i := range m.lines {
		if m.lines[i].ID == id {
			return &m.lines[i]
		}
	}
	return nil
}

// Saved says that the incident id lies in dir.
func (m *Monitor) Saved(id, dir string) {
	if l := m.lineOf(id); l != nil {
		l.Dir, l.failed = dir, ""
	}
}

// SaveFailed says that the incident id could not be written; it stays in
// memory, text says why.
func (m *Monitor) SaveFailed(id, text string) {
	if l := m.lineOf(id); l != nil {
		l.failed = text
	}
}
