package ui

import (
	"slices"

	"spiketop/incident"
	"spiketop/ui/render"
)

const groupReplay = "replay of files"

// replayBindings are the keys that exist besides [bindings] while files are
// replayed.
var replayBindings = []binding{
	{runes: "r", name: "r", footer: "stop/go", help: "stop the replay, or go on; Space pauses the panes alone", group: groupReplay, where: anywhere, shown: inLive | inFrozen, do: func(m *model) { m.do.replay.Pause() }},
	{runes: ".", name: ".", footer: "step", help: "stop, and play a tenth of a second", group: groupReplay, where: anywhere, shown: inLive | inFrozen, do: func(m *model) { m.do.replay.Step() }},
	{runes: "{", name: "{", help: "10 s back", group: groupReplay, where: anywhere, do: func(m *model) { m.do.replay.Back() }},
	{runes: "}", name: "}", help: "10 s forward", group: groupReplay, where: anywhere, do: func(m *model) { m.do.replay.Forward() }},
	{runes: "x", name: "x", footer: "speed", help: "speed: 1, 10, as fast as it goes", group: groupReplay, where: anywhere, shown: inLive | inFrozen, do: func(m *model) { m.do.replay.Speed() }},
}

var allBindings = slices.Concat(replayBindings, bindings)

// bindings are the keys that mean something on this screen.
func (m *model) bindings() []binding {
	if m.do.replay != nil {
		return allBindings
	}
	return bindings
}

// replays makes this the screen of a replay.
func (m *model) replays(r *Replay) {
	if m.do.replay = r; r != nil {
		m.v.Help = helpGroups(allBindings)
	}
}

// rewound forgets what lies in the future of a replay that went back: incidents
// are numbered anew, and happen again.
func (m *model) rewound(f *incident.Frame) {
	if m.v.Frame == nil || m.do.replay == nil || f.At >= m.v.Frame.At {
		return
	}
	m.seen, m.number = 0, 0
	clear(m.known)
	page := m.v.Page
	m.live()
	if page == render.Help {
		m.v.Page = page
	}
	m.v.Frame, m.v.Panes, m.v.Order = nil, nil, nil
}
