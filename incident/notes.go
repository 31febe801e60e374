package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"spiketop/flow"
)

// Notes for the person in front of the screen.
const (
	noteShown  = 60 * time.Second // how long Frame.Notes shows one
	noteAgain  = 10 * time.Second // the same words are not said again within it
	maxNotes   = 64
	notesShown = 5
)

// note is something the person should know.
type note struct {
	at    flow.Time
	text  string
	until flow.Time
}

// note says text once and shows it for a while.
func (m *Monitor) note(at flow.Time, text string) { m.noteInstead(at, "", text) }

// noteInstead is note; the notes that begin with kind are not shown any more.
func (m *Monitor) noteInstead(at flow.Time, kind, text string) {
	for i := range m.notes {
		if n := &m.notes[i]; n.text == text && at < n.at.Add(noteAgain) {
			return
		}
	}
	if kind != "" {
		m.notes = slices.DeleteFunc(m.notes, func(n note) bool { return strings.HasPrefix(n.text, kind) })
	}
	if len(m.notes) == maxNotes {
		m.notes = slices.Delete(m.notes, 0, 1)
	}
	m.notes = append(m.notes, note{at, text, at.Add(noteShown)})
	m.out.Notes = append(m.out.Notes, text)
}

// shownNotes are the newest notes that still matter, newest last; what could not
// be saved matters until it is.
func (m *Monitor) shownNotes(now flow.Time) (texts []string) {
	for i := len(m.notes) - 1; i >= 0 && len(texts) < notesShown; i-- {
		if m.notes[i].until > now {
			texts = append(texts, m.notes[i].text)
		}
	}
	slices.Reverse(texts)
	for i := range m.lines {
		if l := &m.lines[i]; l.failed != "" {
			texts = append(texts, fmt.Sprintf("incident #%d is not saved: %s", l.Number, Clean(l.failed)))
		}
	}
	return texts
}

// signedSeconds writes a clock step: "+3600.000 s", "-0.250 s".
func signedSeconds(d time.Duration) string { return fmt.Sprintf("%+.3f s", d.Seconds()) }

// Note takes what the driver wants the person in front of the screen to know;
// the same words are not said again within 10 s.
func (m *Monitor) Note(now flow.Time, text string) { m.note(now, Clean(text)) }
