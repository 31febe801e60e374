package incident

import (
	"fmt"
	"time"

	"spiketop/flow"
)

// selfNote is a late echo that is this host's or this program's own doing: its
// reason may be in a reading of the CPUs that is still to come.
type selfNote struct {
	name     string
	from, to flow.Time
	since    time.Duration // Monitor.ran
}

// loadPatience is how long a note waits for the next reading of the CPUs.
const loadPatience = 1500 * time.Millisecond

const maxSelfNotes = 32

// noteSelf says whose delay it was, as soon as the reason can be known.
func (m *Monitor) noteSelf(t *target, e *echo) {
	if len(m.selfNotes) < maxSelfNotes {
		m.selfNotes = append(m.selfNotes, selfNote{Clean(t.name()), e.Sent, e.Sent.Add(max(e.RTT, 0)), m.ran})
	}
	m.saySelf(false)
}

// saySelf says what is ripe: the CPUs have been read since, or will not be.
func (m *Monitor) saySelf(all bool) {
	kept := m.selfNotes[:0]
	for _, n := range m.selfNotes {
		read := len(m.load) == 0 || m.load[len(m.load)-1].At >= n.to
		if !all && !read && m.ran-n.since <= loadPatience {
			kept = append(kept, n)
			continue
		}
		text := n.name + ": a late echo is this host's or this program's own delay, not the network's"
		if why := m.whySelf(n.from, n.to); why != "" {
			text += ": " + why
		}
		m.note(m.now, text)
	}
	m.selfNotes = kept
}

// whySelf names what delayed this program in [from, to), "" if nothing is known.
func (m *Monitor) whySelf(from, to flow.Time) string {
	base := flow.Span{From: from.Add(-30 * time.Second), To: from}
	load := m.loadAround(from, to, base, nil)
	excess := to.Sub(from)
	switch {
	case load.stole(excess):
		return fmt.Sprintf("the hypervisor took %s ms of a CPU (steal)", Ms(time.Duration(load.stealMost.n)))
	case overlap(m.late, from, to) >= suspended:
		return "this program was suspended"
	case load.crowded(excess):
		return fmt.Sprintf("tasks waited for a CPU for %s ms (PSI)", Ms(time.Duration(load.stalled.n)))
	case overlap(m.late, from, to) > 0:
		return "this program did not run for a while"
	}
	return ""
}

// suspended is from when on a pause of this program is no scheduling any more.
const suspended = time.Second
