package render

import (
	"fmt"
	"io"

	"spiketop/incident"
)

// SnapshotText writes what a screen of the given width shows of an incident, as
// plain text: the panes with the frozen rows of its window, the ping strip of
// the frame, and the snapshot. It is the incident's screen.txt. frame may be
// nil, then the strip is missing; width is bounded to 80..240 columns. The only
// errors are those of w.
func SnapshotText(w io.Writer, frame *incident.Frame, in *incident.Incident, width int) error {
	for _, c := range snapshotParts(frame, in, width) {
		if _, err := fmt.Fprint(w, c.String()); err != nil {
			return fmt.Errorf("write screen of incident %s: %w", in.ID, err)
		}
	}
	return nil
}

// snapshotParts draws the parts of a snapshot, from the top.
func snapshotParts(frame *incident.Frame, in *incident.Incident, width int) (parts []*Canvas) {
	width = min(max(width, 80), 240)
	v := &View{Frame: frame, Panes: frame, Frozen: in, Incident: in, LocalPorts: true, RemotePorts: true, Zoom: -1, NoTrailing: true}
	if frame == nil {
		v.Frame = &incident.Frame{Wall: in.Window.To}
		v.Panes = v.Frame
	}
	v.SelectTarget(in.Trigger.Target)
	for i := range v.Frame.Incidents {
		if v.Frame.Incidents[i].ID == in.ID {
			v.SavedIn = v.Frame.Incidents[i].Dir
		}
	}
	for _, draw := range []func(*View, int) *Canvas{panesText, stripText, storyText} {
		if c := draw(v, width); c != nil {
			parts = append(parts, c)
		}
	}
	return parts
}

// paneRows is how many flows a pane of screen.txt shows.
const paneRows = 12

func panesText(v *View, width int) *Canvas {
	n := paneCount(v)
	if n == 0 {
		return nil
	}
	cols := max(1, min(n, width/minPane, 2))
	lines := (n + cols - 1) / cols
	c := NewCanvas(width, 1+lines*(paneRows+4))
	drawTitle(c, v)
	for i := range n {
		row, col := i/cols, i%cols
		inRow := min(cols, n-row*cols)
		x0, x1 := width*col/inRow, width*(col+1)/inRow
		at := rect{x0, 1 + row*(paneRows+4), x1 - x0, paneRows + 4}
		p := v.pane(i, at.w-2, false, false)
		drawPane(c, at, p, v, false, false)
		p.rows.free()
	}
	return c
}

func stripText(v *View, width int) *Canvas {
	if len(v.Frame.Strips) == 0 {
		return nil
	}
	const axis = 4
	h := axis + len(v.Frame.Links) + 3
	c := NewCanvas(width, h)
	drawStrip(c, rect{0, 0, width, h}, v)
	return c
}

func storyText(v *View, width int) *Canvas {
	v.Page = Snapshot
	rows := max(len(v.Incident.Flows.Rx), len(v.Incident.Flows.Tx))
	h := 24 + min(rows, 16) + len(v.Incident.Links) + len(v.Incident.Pings) + min(len(v.Incident.Bond), 2) + min(len(v.Incident.Hidden), 1) + len(guestLines(v.Incident, tallScreen))
	c := NewCanvas(width, h)
	drawSnapshot(c, rect{0, 1, width, h - 1}, v)
	return c
}
