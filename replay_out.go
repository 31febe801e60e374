package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"spiketop/capture/decode"
	"spiketop/capture/offline"
	"spiketop/capture/pcapfile"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/incident/store"
	"spiketop/probe"
	"spiketop/ui/render"
)

// replayOut is where a replay's events, incidents and messages go. It outlives a
// replay that begins anew: what was said and written once is not again.
type replayOut struct {
	ev     *events
	store  *store.Store // nil = incidents are not written
	stderr io.Writer    // nil with a screen
	failed func(error)  // nobody reads the events any more

	dirs      map[string]string // of incidents, by ID
	said      []string
	seen      flow.Time // played so far: events of it have been written
	announced probe.TargetID
	errs      []error
	damaged   bool // a file is, not merely cut off
}

func (o *replayOut) openLog(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open --json-log: %w", err)
	}
	o.ev.add(f, func(err error) { o.say(fmt.Sprintf("%s: %v", path, err)) })
	return nil
}

// mostSaid bounds what a replay says about its files.
const mostSaid = 200

// emit writes an event of a moment that is played for the first time.
func (o *replayOut) emit(now flow.Time, event any) {
	if now > o.seen {
		o.ev.emit(event)
	}
}

// say tells the person something once; a screen shows it among its notes.
func (o *replayOut) say(text string) {
	if slices.Contains(o.said, text) || len(o.said) > mostSaid {
		return
	}
	o.said = append(o.said, text)
	if o.stderr != nil {
		fmt.Fprintf(o.stderr, "spiketop: %s\n", oneLine(text))
	}
}

// trouble notes that a file could not be read to its end. A file that is merely
// cut off is what tcpdump leaves when it is ended: no failure.
func (o *replayOut) trouble(err error) {
	if !errors.Is(err, pcapfile.ErrTruncated) {
		o.damaged = true
	}
}

// save writes an incident, unless that was done before; dir is "" where nothing
// was asked to be written.
func (o *replayOut) save(in *incident.Incident, f *incident.Frame) (dir string, err error) {
	if o.store == nil {
		return "", nil
	}
	if dir, done := o.dirs[in.ID]; done {
		return dir, nil
	}
	dir, err = o.store.Write(in, []store.Attachment{
		{Name: "screen.txt", Write: func(w io.Writer) error { return render.SnapshotText(w, f, in, screenWidth) }},
		{Name: "screen.svg", Write: func(w io.Writer) error { return render.SnapshotSVG(w, f, in, screenWidth) }}})
	if err != nil {
		o.say(fmt.Sprintf("write incident %s: %s", in.ID, troubleText(err)))
		o.errs = append(o.errs, err)
	}
	if dir != "" {
		o.dirs[in.ID] = dir
	}
	return dir, err
}

// result is the error of the whole replay.
func (o *replayOut) result() error {
	switch {
	case len(o.errs) > 0:
		return fmt.Errorf("write incidents: %d could not be saved: %w", len(o.errs), o.errs[0])
	case o.damaged:
		return &failure{errors.New("replay: not all files could be read to their end; what could be read was played"), "", exitFailed}
	}
	return nil
}

// incidentName is the final ID: that of its directory, if it has one.
func incidentName(in *incident.Incident, dir string) string {
	if dir == "" {
		return in.ID
	}
	return filepath.Base(dir)
}

// newSpike is the event of a spike.
func newSpike(sp *incident.Spike) spikeEvent {
	ev := spikeEvent{eventHead: eventHead{"spike", sp.At}, Target: sp.Target, Src: sp.Src, Point: sp.Point, Member: sp.Member, Seq: sp.Seq, Kind: sp.Kind,
		Outstanding: incident.MillisOf(sp.Outstanding), RTT: incident.MillisOf(sp.RTT), Threshold: incident.MillisOf(sp.Threshold)}
	if sp.Src != "" {
		ev.EchoID = &sp.EchoID
	}
	return ev
}

// vifDecoder finds the echoes of packets that were captured on a guest's vif.
type vifDecoder struct {
	dec  *decode.Decoder
	rec  flow.Record
	meta decode.Meta
	e    flow.Echo
}

func newVIFDecoder() *vifDecoder { return &vifDecoder{dec: decode.New(decode.Config{Fragments: 64})} }

func (d *vifDecoder) echo(p *offline.Packet, at flow.Time, ifindex int, offset flow.WallOffset) (flow.Echo, bool) {
	d.meta = decode.Meta{At: at, Dir: p.Dir, Len: p.Len}
	if !d.dec.DecodeLink(p.LinkType, p.Data, &d.meta, &d.rec, &d.e) {
		return flow.Echo{}, false
	}
	d.e.VIF, d.e.Offset = ifindex, offset
	return d.e, true
}
