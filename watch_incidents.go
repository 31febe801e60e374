package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"

	"spiketop/flow"
	"spiketop/incident"
	"spiketop/incident/store"
	"spiketop/ui/render"
)

// screenWidth is the width of screen.txt: it must fit a ticket.
const screenWidth = 120

// carryOut does what the monitor has decided.
func (w *watch) carryOut(out incident.Output, now flow.Time) {
	if w.s.tap != nil {
		return // who asks judges
	}
	for i := range out.Spikes {
		sp := &out.Spikes[i]
		if sp.Suppressed {
			w.suppressed++
		}
		w.s.ev.emit(newSpike(sp))
	}
	for _, in := range out.Sealed {
		w.save(in, w.frame(now))
	}
	w.askFrozen(out.Asks)
	for _, n := range out.Notes {
		w.s.ev.emit(noteEvent{eventHead{"note", w.wall(now)}, n})
	}
}

// save hands a sealed incident to the saver, with the screen of its moment.
func (w *watch) save(in *incident.Incident, f *incident.Frame) {
	job := saveJob{in: in,
		screen: func(out io.Writer) error { return render.SnapshotText(out, f, in, screenWidth) },
		svg:    func(out io.Writer) error { return render.SnapshotSVG(out, f, in, screenWidth) }}
	if p := w.newPacketFile(in); p != nil {
		with := *in
		with.Packets = p.part()
		job.in, job.packets = &with, p.write
		w.evidence.waiting[in.ID] = p.held.most - p.held.room
	}
	if !w.saver.put(job) {
		delete(w.evidence.waiting, in.ID)
		w.mon.SaveFailed(in.ID, "the queue to the disk is full")
		w.s.ev.emit(lostEvent{eventHead{"lost", w.wall(f.At)}, "incidents", "", 1})
	}
}

// saved says what became of an incident; a trouble that goes on is said once.
func (w *watch) saved(d saved) {
	if d.err != nil && d.err.Error() != w.trouble {
		w.trouble = d.err.Error()
		w.s.say(fmt.Sprintf("write incident %s: %s", d.in.ID, troubleText(d.err)))
	}
	if d.dir == "" {
		w.unsaved[d.in.ID] = true
		w.mon.SaveFailed(d.in.ID, troubleText(d.err))
		return
	}
	delete(w.unsaved, d.in.ID)
	delete(w.evidence.waiting, d.in.ID)
	w.sealed++
	w.mon.Saved(d.in.ID, d.dir)
	w.s.ev.emit(sealedEvent(time.Now(), d.in, filepath.Base(d.dir), d.dir))
}

func troubleText(err error) string {
	if errors.Is(err, store.ErrDiskFull) {
		return err.Error() + ": free some space or choose another directory with --incidents DIR"
	}
	return err.Error()
}

// reportUnsaved says at the end which evidence could not be written.
func (w *watch) reportUnsaved() {
	if n := len(w.unsaved); n > 0 {
		w.s.ev.emit(lostEvent{eventHead{"lost", time.Now()}, "incidents", "", uint64(n)})
		w.s.fatal(fmt.Errorf("write incidents %s: %d could not be saved", w.s.store.Dir(), n))
	}
}

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }
