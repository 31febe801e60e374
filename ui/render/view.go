package render

import (
	"time"

	"spiketop/flow"
	"spiketop/incident"
)

// The smallest screen that shows anything but a sentence about its size.
const (
	MinWidth  = 60
	MinHeight = 15
)

// Page says what the upper part of the screen shows. The strip is always there.
type Page uint8

const (
	Live     Page = iota // the panes: live, paused or frozen
	Snapshot             // one incident
	Help
)

// Sort says by what the rows of a pane are ordered.
type Sort uint8

const (
	By2s Sort = iota // the first three index incident.Windows
	By10s
	By40s
	ByLocal
	ByRemote
)

// Show says which directions a row shows.
type Show uint8

const (
	Both Show = iota
	RxOnly
	TxOnly
)

// View is everything that decides what is drawn. The zero View with a Frame is
// the live screen in its default state, except that ports and bars are off.
type View struct {
	Page  Page
	Frame *incident.Frame // newest: clock, strip, incident line; nil before the first
	Panes *incident.Frame // what the panes show; an older one while paused

	// Frozen, when not nil, is the incident whose window the panes show.
	Frozen *incident.Incident
	Held   string // how long Frozen stays: "live in 27 s" or "held"
	Paused bool

	Sort                    Sort
	Show                    Show
	LocalPorts, RemotePorts bool
	HideLocal, HideRemote   bool // one row for all flows that differ in this end's host only
	Bars, LogBars           bool
	Scale                   float64 // bit/s of a full bar, 0 = the link's speed
	BarWindow               int     // index of incident.Windows
	Totals                  bool
	Why                     bool // rows say why they have their class in place of the remote end

	Pane   int // selected pane; taken modulo their number
	Scroll int // first row of the selected pane
	Zoom   int // index of incident.Zooms, -1 = by the width
	Target int // ping target of the strip, a host counts once; taken modulo their number

	Filter     string  // as typed, "" = none
	Match      Matcher // Filter parsed, or nil
	Regex      string  // as typed, "" = none
	MatchText  func(string) bool
	Order      map[string][]flow.Key // by link name: rows in this order and no others; nil = sorted
	Incident   *incident.Incident    // of the Snapshot page
	SavedIn    string                // directory of Incident, "" = not saved yet
	Prompt     *Prompt
	Message    string // answer to the last key
	News       int    // number of an incident that was announced but not shown, 0 = none
	Footer     []Hint
	Replay     string // of files, and how: stands in place of LIVE; "" = live
	Help       []HelpGroup
	Zone       *time.Location // nil = the Frame's
	NoTrailing bool           // text without clock and keys: for files
}

// Matcher is a parsed filter, *flow.Filter.
type Matcher interface {
	MatchRow(r *flow.FilterRow) bool
}

// Prompt is the line in which something is typed.
type Prompt struct {
	Label string
	Text  string
	Error string // why the text was refused
	Col   int    // rune of Text at which it was, -1 = nowhere
}

// Hint is one key of the footer.
type Hint struct{ Key, Name string }

// HelpGroup is one paragraph of the help.
type HelpGroup struct {
	Title string
	Keys  []Hint // Name is the explanation
}

// Layout says where things lie, for clicks and for scrolling.
type Layout struct {
	Panes []PaneAt
	// Prompt is where the text of View.Prompt begins and how many columns it has.
	PromptX, PromptY, PromptW int
	Page                      int  // rows that PgUp and PgDn move by
	Scroll                    int  // View.Scroll after it was bounded
	Narrow                    bool // one direction of a row is shown, not both
}

// PaneAt is a pane on the screen.
type PaneAt struct {
	Index, X, Y, W, H int
}

// zoom returns the index of incident.Zooms for a strip of w columns.
func (v *View) zoom(w int) int {
	if v.Zoom >= 0 && v.Zoom < len(incident.Zooms) {
		return v.Zoom
	}
	if w >= 90 {
		return 1
	}
	return 2
}

// ZoomFor returns the zoom step that a screen of w columns shows.
func (v *View) ZoomFor(w int) int { return v.zoom(w - stripMargin(w) - 2) }

// wall converts a time of the newest frame.
func (v *View) wall(t flow.Time) time.Time {
	return v.in(v.Frame.Wall.Add(t.Sub(v.Frame.At)))
}

// in gives t the zone of the screen.
func (v *View) in(t time.Time) time.Time {
	if v.Zone != nil {
		return t.In(v.Zone)
	}
	if v.Frame != nil && !v.Frame.Wall.IsZero() {
		return t.In(v.Frame.Wall.Location())
	}
	return t
}

// SelectTarget shows the ping target of that name or address in the strip, if
// the newest frame has it.
func (v *View) SelectTarget(name string) {
	for i, h := range v.hosts() {
		if p := &v.Frame.Pings[h[0]]; p.Target.Name == name || p.Target.Addr.String() == name {
			v.Target = i
			return
		}
	}
}

// shows reports whether direction d is shown.
func (v *View) shows(d flow.Direction) bool {
	return v.Show == Both || (v.Show == RxOnly) == (d == flow.Rx)
}
