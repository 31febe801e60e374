package ui

import (
	"spiketop/incident"
	"spiketop/ui/render"
)

// back leaves what is on top: the help first, then everything that is not live.
func (m *model) back() {
	if m.v.Page == render.Help {
		m.help()
		return
	}
	m.live()
}

func (m *model) space() {
	switch {
	case m.v.Page == render.Help:
		m.help()
	case m.v.Page == render.Snapshot, m.v.Frozen != nil:
		m.live()
	default:
		m.pause()
	}
}

// pause stops the panes and nothing else.
func (m *model) pause() {
	if m.v.Paused {
		m.live()
		return
	}
	m.v.Paused, m.v.Panes = true, m.v.Frame
}

func (m *model) help() {
	m.v.Scroll = 0
	if m.v.Page == render.Help {
		m.v.Page, m.before = m.before, render.Live
		return
	}
	m.before, m.v.Page = m.v.Page, render.Help
}

func (m *model) freeze() {
	if m.do.freeze == nil {
		m.say("nothing can be frozen here")
		return
	}
	m.do.freeze()
	m.say("freezing: the flows of this moment become an incident")
}

// shownIncident is the number of the incident that keys mean: the one on the
// screen, else the newest.
func (m *model) shownIncident() int {
	switch {
	case m.v.Page == render.Snapshot:
		return m.number
	case m.v.Frozen != nil:
		return m.v.Frozen.Number
	case m.v.Frame == nil:
		return 0
	case len(m.v.Frame.Incidents) > 0:
		return m.v.Frame.Incidents[len(m.v.Frame.Incidents)-1].Number
	case m.v.Frame.Frozen != nil:
		return m.v.Frame.Frozen.Number
	}
	return 0
}

func (m *model) openIncident() {
	n := m.shownIncident()
	if n == 0 {
		m.say("no incident so far; F freezes by hand")
		return
	}
	m.show(n)
}

func (m *model) show(n int) {
	m.number, m.v.Page, m.v.Scroll = n, render.Snapshot, 0
	if m.v.News == n {
		m.v.News = 0
	}
}

// stepIncident goes to an older (-1) or newer (+1) incident of the list.
func (m *model) stepIncident(by int) {
	list := m.v.Frame.Incidents
	at := -1
	for i := range list {
		if list[i].Number == m.number {
			at = i
		}
	}
	switch next := at + by; {
	case len(list) == 0:
	case at < 0: // the shown one is so old that the list has lost it
		m.show(list[0].Number)
	case next < 0:
		m.say("#%d is the oldest incident here; all of them are on disk", m.number)
	case next >= len(list):
		m.say("#%d is the newest incident", m.number)
	default:
		m.show(list[next].Number)
	}
}

// maxCopy bounds what goes to the clipboard: terminals cut or refuse OSC 52
// from some 75 kB of base64 on.
const maxCopy = 48 << 10

func (m *model) copyIncident() {
	n := m.shownIncident()
	in := m.known[n]
	switch {
	case n == 0:
		m.say("no incident so far")
	case in == nil || in.Open:
		m.say("#%d is still being collected; try again in a moment", n)
	case m.do.text == nil:
		m.say("there is no Markdown here")
	default:
		text := m.do.text(in)
		if len(text) > maxCopy {
			m.say("#%d is too long for a clipboard: %s", n, m.where(n))
			return
		}
		m.do.copy(text)
		m.say("#%d sent to the clipboard of your terminal (if it allows that); %s", n, m.where(n))
	}
}

func (m *model) where(n int) string {
	if dir := m.savedIn(n); dir != "" {
		return "saved in " + dir + "/incident.md"
	}
	return "not saved on disk yet"
}

func (m *model) sortBy(s render.Sort) {
	m.v.Sort, m.v.Order, m.v.Scroll = s, nil, 0
	if m.v.Frozen != nil && s <= render.By40s {
		m.say("frozen flows are sorted by their change")
	}
}

func (m *model) keepOrder() {
	if m.v.Order != nil {
		m.v.Order = nil
		m.say("sorted again")
		return
	}
	m.v.Order = render.OrderNow(&m.v)
	m.say("order kept: rates go on changing, flows that are new stay hidden; o sorts again")
}

// direction cycles; a narrow screen shows one direction at a time anyway.
func (m *model) direction() {
	m.v.Order = nil
	switch {
	case m.v.Show == render.TxOnly && !m.layout.Narrow:
		m.v.Show = render.Both
	case m.v.Show == render.TxOnly, m.v.Show == render.Both && !m.layout.Narrow:
		m.v.Show = render.RxOnly
	default:
		m.v.Show = render.TxOnly
	}
	m.say("%s", [...]string{"both directions, sorted by their sum", "▼ only: toward this host", "▲ only: away from this host"}[m.v.Show])
}

// ports: both on, or off if both are on, as in iftop.
func (m *model) ports() {
	on := !(m.v.LocalPorts && m.v.RemotePorts)
	m.v.LocalPorts, m.v.RemotePorts, m.v.Order = on, on, nil
	m.say("ports %s", onOff(on))
}

func (m *model) toggle(b *bool, name string) {
	*b = !*b
	m.v.Order = nil
	m.say("%s %s", name, onOff(*b))
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func (m *model) barWindow() {
	m.v.BarWindow = (m.v.BarWindow + 1) % len(incident.Windows)
	m.say("bars show the %s average", incident.Windows[m.v.BarWindow])
}

func (m *model) nextPane(by int) {
	n := 2 // the two directions of a snapshot
	if m.v.Page == render.Live {
		n = 1
		if m.v.Frozen != nil {
			n = max(len(m.v.Frozen.Links), 1)
		} else if m.v.Panes != nil {
			n = max(len(m.v.Panes.Links), 1)
		}
	}
	m.v.Pane = ((m.v.Pane+by)%n + n) % n
	m.v.Scroll = 0
}

func (m *model) scroll(by int) { m.v.Scroll = max(m.layout.Scroll+by, 0) }

func (m *model) zoom(by int) {
	z := min(max(m.v.ZoomFor(m.width)+by, 0), len(incident.Zooms)-1)
	m.v.Zoom = z
	m.say("one column of the strip is %s", zoomName(z))
}

// nextTarget also says why it is pinged: where the title has no room for that,
// this key is the only place.
func (m *model) nextTarget() {
	if m.v.Frame == nil || len(m.v.Frame.Pings) == 0 {
		m.say("nothing is pinged")
		return
	}
	hosts := m.v.Hosts()
	what := "pinging"
	if hosts == 1 {
		what = "the only ping target:"
	}
	m.v.Target = (m.v.Target + 1) % hosts
	p := &m.v.Shown().Target
	if p.CannotSteer != "" {
		m.say("%s %s (%s; cannot steer: %s)", what, p.Name, p.Reason, p.CannotSteer)
		return
	}
	m.say("%s %s (%s)", what, p.Name, p.Reason)
}

func (m *model) mouse() {
	m.mouseOn = !m.mouseOn
	m.do.mouse(m.mouseOn)
	if m.mouseOn {
		m.say("mouse on: click a pane, turn the wheel; m gives the mouse back to the terminal")
	} else {
		m.say("mouse off: the terminal selects text")
	}
}

// click selects the pane at a place of the screen.
func (m *model) click(x, y int) {
	for _, p := range m.layout.Panes {
		if x >= p.X && x < p.X+p.W && y >= p.Y && y < p.Y+p.H && p.Index != m.v.Pane {
			m.v.Pane, m.v.Scroll = p.Index, 0
		}
	}
}
