package ui

import (
	"fmt"
	"time"

	"github.com/gdamore/tcell/v2"

	"spiketop/incident"
	"spiketop/ui/render"
)

// effects are what the model cannot do itself. None of them may block.
type effects struct {
	quit   func()
	freeze func()            // nil: not possible
	copy   func(text string) // into the clipboard of the person's terminal
	mouse  func(on bool)
	sync   func()                          // repaint everything
	text   func(*incident.Incident) string // an incident as Markdown; nil: not possible
	replay *Replay                         // nil: this is live
}

// model is the state of the screen. It belongs to the goroutine of the tview
// loop. It reads no clock: every entry takes the time.
type model struct {
	v      render.View
	layout render.Layout // of the last drawing
	width  int           // of the screen, at the last drawing
	hold   time.Duration // an untouched freeze ends after it; 0 = stays
	do     effects
	now    time.Time

	seen     int       // highest incident number that was shown or announced
	frozenAt time.Time // when the panes switched
	touched  bool      // a key was pressed since

	number  int                        // incident of the snapshot page
	before  render.Page                // page under the help
	known   map[int]*incident.Incident // pictures of the incidents of the newest frame
	mouseOn bool
	asking  question
	until   time.Time // when the message goes away
}

func newModel(hold time.Duration, do effects) *model {
	m := &model{hold: hold, do: do, known: map[int]*incident.Incident{}}
	m.v = render.View{LocalPorts: true, RemotePorts: true, Bars: true, Zoom: -1, Help: helpGroups(bindings)}
	return m
}

// frame takes a new picture. It decides alone whether a spike may change what
// the person is looking at.
func (m *model) frame(f *incident.Frame, now time.Time) {
	m.now = now
	m.rewound(f)
	first := m.v.Frame == nil
	m.v.Frame = f
	if !m.v.Paused || m.v.Panes == nil {
		m.v.Panes = f
	}
	m.remember(f)
	if in := f.Frozen; in != nil && in.Number > m.seen {
		m.seen = in.Number
		switch {
		case first && !in.Open: // it was there before this screen
		case m.busy() || m.v.Frozen != nil && m.touched:
			m.v.News = in.Number
		default:
			m.freezeOn(in)
		}
	}
	m.refresh()
	m.tick(now)
}

// remember keeps the newest picture of every incident that the frame lists, and
// of the two that are shown.
func (m *model) remember(f *incident.Frame) {
	listed := map[int]bool{m.number: true}
	if m.v.Frozen != nil {
		listed[m.v.Frozen.Number] = true
	}
	for i := range f.Incidents {
		l := &f.Incidents[i]
		listed[l.Number] = true
		if l.Sealed != nil {
			m.known[l.Number] = l.Sealed
		}
	}
	if in := f.Frozen; in != nil {
		listed[in.Number] = true
		if old := m.known[in.Number]; old == nil || old.Open || !in.Open {
			m.known[in.Number] = in
		}
	}
	for n := range m.known {
		if !listed[n] {
			delete(m.known, n)
		}
	}
}

// refresh puts the newest pictures of what is shown into the view.
func (m *model) refresh() {
	if m.v.Frozen != nil {
		if in := m.known[m.v.Frozen.Number]; in != nil {
			m.v.Frozen = in
		}
	}
	m.v.Incident, m.v.SavedIn = nil, ""
	if m.v.Page == render.Snapshot || m.before == render.Snapshot {
		m.v.Incident = m.known[m.number]
		m.v.SavedIn = m.savedIn(m.number)
	}
	panes := 0
	if m.v.Panes != nil {
		panes = len(m.v.Panes.Links)
	}
	m.v.Footer = footer(m.bindings(), m.place(), panes, m.incidents())
	if r := m.do.replay; r != nil {
		m.v.Replay = r.State()
	}
	m.v.Held = m.held()
}

func (m *model) incidents() int {
	if m.v.Frame == nil {
		return 0
	}
	return len(m.v.Frame.Incidents)
}

func (m *model) savedIn(number int) string {
	if m.v.Frame == nil {
		return ""
	}
	for i := range m.v.Frame.Incidents {
		if m.v.Frame.Incidents[i].Number == number {
			return m.v.Frame.Incidents[i].Dir
		}
	}
	return ""
}

// busy: somebody is reading or typing; the view must not be torn away.
func (m *model) busy() bool {
	return m.v.Paused || m.v.Prompt != nil || m.v.Page == render.Snapshot || m.v.Page == render.Help && m.before == render.Snapshot
}

func (m *model) freezeOn(in *incident.Incident) {
	m.v.Frozen, m.frozenAt, m.touched, m.v.News, m.v.Scroll = in, m.now, false, 0, 0
	m.v.SelectTarget(in.Trigger.Target) // the strip shows the spike, whichever target it was on
}

// held says how long the frozen panes stay.
func (m *model) held() string {
	switch {
	case m.v.Frozen == nil:
		return ""
	case m.touched || m.hold <= 0:
		return "held"
	}
	left := m.hold - m.now.Sub(m.frozenAt)
	return fmt.Sprintf("live in %d s", int(max(left+time.Second-1, 0)/time.Second))
}

// tick lets time pass: an untouched freeze ends, a message goes away.
func (m *model) tick(now time.Time) {
	m.now = now
	if m.v.Frozen != nil && !m.touched && m.hold > 0 && now.Sub(m.frozenAt) >= m.hold {
		page := m.v.Page
		m.live()
		m.v.Page = page // the help stays open over panes that are live again
	}
	if m.v.Message != "" && !now.Before(m.until) {
		m.v.Message = ""
	}
	m.refresh()
}

// place says which keys mean something now.
func (m *model) place() place {
	switch {
	case m.v.Page == render.Help:
		return inHelp
	case m.v.Page == render.Snapshot:
		return inSnapshot
	case m.v.Frozen != nil:
		return inFrozen
	}
	return inLive
}

// key handles one key that is not typed into the prompt.
func (m *model) key(key tcell.Key, r rune, now time.Time) {
	m.now = now
	m.v.Message = ""
	m.touched = true
	if b := bindingIn(m.bindings(), key, r, m.place()); b != nil {
		b.do(m)
	} else {
		m.say("press ? for help")
	}
	m.refresh()
}

// say shows an answer in the incident line for a moment.
func (m *model) say(format string, args ...any) {
	m.v.Message, m.until = fmt.Sprintf(format, args...), m.now.Add(messageTime)
}

const messageTime = 4 * time.Second

// live returns to the live view; what was announced counts as seen.
func (m *model) live() {
	m.v.Page, m.v.Frozen, m.v.Paused, m.v.News, m.v.Scroll = render.Live, nil, false, 0, 0
	m.before, m.v.Panes = render.Live, m.v.Frame
}
