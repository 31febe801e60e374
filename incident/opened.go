package incident

import "spiketop/flow"

// OpenWindow is the window of an incident that still collects, as far as it is
// known: what may lengthen it lasts until now.
type OpenWindow struct {
	Number int // of the incident in this process
	Window flow.Span
}

// OpenWindows returns the windows of the incidents that will be written, oldest
// first. The slice belongs to the caller. May be called after Tick.
func (m *Monitor) OpenWindows() []OpenWindow {
	var out []OpenWindow
	for _, c := range m.open {
		if !c.suppressed {
			to, _ := c.window(m.now)
			out = append(out, OpenWindow{c.number, flow.Span{From: c.from, To: to}})
		}
	}
	return out
}
