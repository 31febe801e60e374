package ui

import (
	"github.com/gdamore/tcell/v2"

	"spiketop/incident"
	"spiketop/ui/render"
)

// place says where a key means something.
type place uint8

const (
	inLive     place = 1 << iota // the panes: live or paused
	inFrozen                     // the panes with the flows of an incident
	inSnapshot                   // one incident
	inHelp
	anywhere = inLive | inFrozen | inSnapshot | inHelp
	inPanes  = inLive | inFrozen
)

// binding is one verb: the keys that do it, its name in the footer and in the
// help, where it works and what it does. The handler, the footer, the help and
// docs/KEYS.md are all made from the list [bindings].
type binding struct {
	runes  string      // any of these, or
	keys   []tcell.Key // any of these
	name   string      // the keys as they are written for people
	footer string      // one or two words; "" = never in the footer
	help   string      // a sentence
	group  string
	where  place
	shown  place // contexts whose footer shows it
	do     func(*model)
}

// The groups of the help, in their order.
const (
	groupMoving   = "moving about"
	groupIncident = "spikes and incidents"
	groupRows     = "flows (as in iftop)"
	groupFilter   = "choosing flows"
	groupStrip    = "ping strip"
	groupProgram  = "program"
)

// bindings is the list. Its order is the order of the help and of the footer.
var bindings = []binding{
	{keys: []tcell.Key{tcell.KeyEnter}, name: "Enter", footer: "incident", help: "show the newest incident, or the one the panes are frozen on", group: groupIncident, where: inPanes, shown: inPanes, do: (*model).openIncident},
	{runes: "y", name: "y", footer: "copy as Markdown", help: "copy the incident as Markdown into the clipboard of your terminal (OSC 52) and show where it is saved", group: groupIncident, where: inPanes | inSnapshot, shown: inSnapshot, do: (*model).copyIncident},
	{keys: []tcell.Key{tcell.KeyLeft}, name: "←", help: "the incident before this one", group: groupIncident, where: inSnapshot, do: func(m *model) { m.stepIncident(-1) }},
	{keys: []tcell.Key{tcell.KeyRight}, name: "→", help: "the incident after this one", group: groupIncident, where: inSnapshot, do: func(m *model) { m.stepIncident(1) }},
	{keys: []tcell.Key{tcell.KeyEscape}, name: "Esc", footer: "live", help: "back to live", group: groupIncident, where: anywhere, shown: inFrozen | inSnapshot | inHelp, do: (*model).back},
	{runes: " ", name: "Space", footer: "pause", help: "pause the panes or go on; from a frozen or incident view back to live. Capture, ping and strip never stop", group: groupIncident, where: anywhere, shown: inLive, do: (*model).space},
	{runes: "F", name: "F", footer: "freeze", help: "freeze now: keep the flows of this moment as an incident", group: groupIncident, where: anywhere, shown: inLive, do: (*model).freeze},
	{runes: "/f", name: "/ f", footer: "filter", help: "filter: host, net, port, portrange, src, dst, tcp, udp, icmp, proto, vlan, and, or, not, ( ), class:, nic:, vm:, process:. It changes what is shown, never totals or evidence", group: groupFilter, where: inPanes, shown: inPanes, do: (*model).askFilter},
	{runes: "l", name: "l", help: "regular expression (POSIX extended, any case) on the text of either end", group: groupFilter, where: inPanes, do: (*model).askRegex},
	{runes: "1", name: "1", footer: "2s", help: "sort by the 2 s average", group: groupRows, where: inPanes, do: func(m *model) { m.sortBy(render.By2s) }},
	{runes: "2", name: "2", help: "sort by the 10 s average", group: groupRows, where: inPanes, do: func(m *model) { m.sortBy(render.By10s) }},
	{runes: "3", name: "3", help: "sort by the 40 s average", group: groupRows, where: inPanes, do: func(m *model) { m.sortBy(render.By40s) }},
	{runes: "<", name: "<", help: "sort by local address", group: groupRows, where: inPanes, do: func(m *model) { m.sortBy(render.ByLocal) }},
	{runes: ">", name: ">", help: "sort by remote address", group: groupRows, where: inPanes, do: func(m *model) { m.sortBy(render.ByRemote) }},
	{runes: "o", name: "o", help: "keep the order of the rows, or sort again", group: groupRows, where: inLive, do: (*model).keepOrder},
	{runes: "t", name: "t", footer: "direction", help: "both directions, ▼ only, ▲ only", group: groupRows, where: inPanes, shown: inLive, do: (*model).direction},
	{runes: "p", name: "p", footer: "ports", help: "ports on or off; without ports flows of the same hosts are added up", group: groupRows, where: inPanes, shown: inLive, do: (*model).ports},
	{runes: "S", name: "S", help: "local port on or off", group: groupRows, where: inPanes, do: func(m *model) { m.toggle(&m.v.LocalPorts, "local ports") }},
	{runes: "D", name: "D", help: "remote port on or off", group: groupRows, where: inPanes, do: func(m *model) { m.toggle(&m.v.RemotePorts, "remote ports") }},
	{runes: "s", name: "s", help: "hide the local host: add its flows up", group: groupRows, where: inPanes, do: func(m *model) { m.toggle(&m.v.HideLocal, "local host hidden:") }},
	{runes: "d", name: "d", help: "hide the remote host: add its flows up", group: groupRows, where: inPanes, do: func(m *model) { m.toggle(&m.v.HideRemote, "remote host hidden:") }},
	{runes: "b", name: "b", help: "rate bars on or off; a full bar is the link's speed", group: groupRows, where: inPanes, do: func(m *model) { m.toggle(&m.v.Bars, "bars") }},
	{runes: "B", name: "B", help: "average that the bars show: 2 s, 10 s, 40 s", group: groupRows, where: inLive, do: (*model).barWindow},
	{runes: "L", name: "L", help: "bars linear or logarithmic", group: groupRows, where: inPanes, do: func(m *model) { m.toggle(&m.v.LogBars, "logarithmic bars") }},
	{runes: "T", name: "T", help: "column with the bytes since the flow was first seen", group: groupRows, where: inPanes, do: func(m *model) { m.toggle(&m.v.Totals, "totals") }},
	{runes: "c", name: "c", help: "why each flow has its class, in place of the remote end, and back", group: groupRows, where: inPanes, do: func(m *model) { m.toggle(&m.v.Why, "why this class:") }},
	{runes: "P", name: "P", help: "pause the panes or go on", group: groupRows, where: inLive, do: (*model).pause},
	{keys: []tcell.Key{tcell.KeyTab}, name: "Tab", footer: "pane", help: "next pane: the one that scrolls, and on a small screen the one that is shown", group: groupMoving, where: inPanes | inSnapshot, shown: inPanes, do: func(m *model) { m.nextPane(1) }},
	{keys: []tcell.Key{tcell.KeyBacktab}, name: "Shift-Tab", help: "pane before", group: groupMoving, where: inPanes | inSnapshot, do: func(m *model) { m.nextPane(-1) }},
	{runes: "j", keys: []tcell.Key{tcell.KeyDown}, name: "j ↓", help: "down one row", group: groupMoving, where: anywhere, do: func(m *model) { m.scroll(1) }},
	{runes: "k", keys: []tcell.Key{tcell.KeyUp}, name: "k ↑", help: "up one row", group: groupMoving, where: anywhere, do: func(m *model) { m.scroll(-1) }},
	{keys: []tcell.Key{tcell.KeyPgDn}, name: "PgDn", help: "down one page", group: groupMoving, where: anywhere, do: func(m *model) { m.scroll(max(m.layout.Page, 1)) }},
	{keys: []tcell.Key{tcell.KeyPgUp}, name: "PgUp", help: "up one page", group: groupMoving, where: anywhere, do: func(m *model) { m.scroll(-max(m.layout.Page, 1)) }},
	{runes: "+", name: "+", help: "strip: shorter columns, down to 100 ms", group: groupStrip, where: anywhere, do: func(m *model) { m.zoom(-1) }},
	{runes: "-", name: "-", help: "strip: longer columns, up to 10 s. A column shows its worst echo and its highest load: no spike is lost", group: groupStrip, where: anywhere, do: func(m *model) { m.zoom(1) }},
	{runes: "v", name: "v", help: "strip: next ping target, and why it is pinged", group: groupStrip, where: anywhere, do: (*model).nextTarget},
	{runes: "m", name: "m", help: "mouse: clicks select panes and the wheel scrolls, or (as at first) the terminal selects text", group: groupProgram, where: anywhere, do: (*model).mouse},
	{keys: []tcell.Key{tcell.KeyCtrlL}, name: "Ctrl-L", help: "paint the whole screen anew", group: groupProgram, where: anywhere, do: func(m *model) { m.do.sync() }},
	{runes: "?h", name: "? h", footer: "help", help: "this help, and back", group: groupProgram, where: anywhere, shown: anywhere, do: (*model).help},
	{runes: "q", keys: []tcell.Key{tcell.KeyCtrlC}, name: "q Ctrl-C", footer: "quit", help: "quit", group: groupProgram, where: anywhere, shown: anywhere, do: func(m *model) { m.do.quit() }},
}

// bindingFor returns what a key does in a context of the live monitor, or nil.
func bindingFor(key tcell.Key, r rune, where place) *binding {
	return bindingIn(bindings, key, r, where)
}

func bindingIn(list []binding, key tcell.Key, r rune, where place) *binding {
	for i := range list {
		b := &list[i]
		if b.where&where != 0 && b.has(key, r) {
			return b
		}
	}
	return nil
}

func (b *binding) has(key tcell.Key, r rune) bool {
	if key == tcell.KeyRune {
		for _, x := range b.runes {
			if x == r {
				return true
			}
		}
		return false
	}
	for _, k := range b.keys {
		if k == key {
			return true
		}
	}
	return false
}

// shortNames are the keys as the footer writes them, where the help names
// several.
var shortNames = map[string]string{"/ f": "/", "? h": "?", "q Ctrl-C": "q"}

// footer returns the keys that matter in a context.
func footer(list []binding, where place, panes, incidents int) []render.Hint {
	var hints []render.Hint
	for i := range list {
		b := &list[i]
		switch {
		case b.footer == "" || b.shown&where == 0,
			b.name == "Tab" && panes < 2,
			b.name == "Enter" && incidents == 0:
			continue
		}
		name := b.name
		if s := shortNames[name]; s != "" {
			name = s
		}
		hints = append(hints, render.Hint{Key: name, Name: footerName(b, where)})
	}
	if where == inSnapshot && incidents > 1 {
		hints = append([]render.Hint{{Key: "← →", Name: "other incidents"}}, hints...)
	}
	return hints
}

// footerName: leaving the help leads back to what lies under it.
func footerName(b *binding, where place) string {
	if where == inHelp && b.footer == "live" {
		return "back"
	}
	return b.footer
}

// helpGroups is the help page: the same list, by group.
func helpGroups(list []binding) []render.HelpGroup {
	var groups []render.HelpGroup
	for _, title := range []string{groupReplay, groupIncident, groupRows, groupFilter, groupMoving, groupStrip, groupProgram} {
		g := render.HelpGroup{Title: title}
		for i := range list {
			if list[i].group == title {
				g.Keys = append(g.Keys, render.Hint{Key: list[i].name, Name: list[i].help})
			}
		}
		if len(g.Keys) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// zoomName is the width of a strip column in words.
func zoomName(i int) string { return incident.Zooms[i].String() }
