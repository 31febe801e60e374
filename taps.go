package main

import (
	"context"
	"fmt"
	"time"

	"spiketop/capture/icmptap"
	"spiketop/capture/recorder"
	"spiketop/flow"
)

// tapsMemory is how long before a tap was opened an echo may have passed its vif
// that somebody still waits for.
const tapsMemory = 10 * time.Second

// vifTaps see the pings of guests on their vifs.
type vifTaps struct {
	taps   *icmptap.Taps // nil = cannot be opened, which has been said
	tapped chan *icmptap.Batch
}

// vifSeen is what the watch knows of the taps.
type vifSeen struct {
	beyond bool      // it has been said that there are more vifs than taps
	upTo   flow.Time // until when all taps have been read
}

// vifConsumer judges the echoes that were seen on vifs. Echoes come first, then
// what is missing, then the watermark that covers both.
type vifConsumer interface {
	VIFEchoes(list []flow.Echo)
	VIFLost(vif int, from, to flow.Time) // 0 = any vif
	VIFDrained(upTo flow.Time)
}

// runTaps starts the goroutine that reads the taps. Without them the monitor
// goes on: only what happens between NIC and guest is not seen.
func (s *session) runTaps(ctx context.Context) {
	v := &s.vifTaps
	v.tapped = make(chan *icmptap.Batch, 64)
	s.openVIFRecorder()
	taps, err := icmptap.Open(icmptap.Config{Clock: s.clock, Out: v.tapped, Recorder: s.keptVIFs})
	if err != nil {
		s.say(err.Error())
		return
	}
	v.taps = taps
	s.draining.Add(1)
	s.task(func() {
		defer s.draining.Add(-1)
		if err := taps.Run(ctx); err != nil {
			s.say(err.Error())
		}
	})
	s.task(func() { s.watchTaps(ctx) })
}

// openVIFRecorder sets the memory of the taps' flight recorder aside, none with
// --snaplen 0. Without it the pings are followed all the same.
func (s *session) openVIFRecorder() {
	if s.o.snaplen == 0 {
		return
	}
	m, err := recorder.New(vifRecorderBytes, min(s.o.snaplen, icmptap.SnapLen))
	if err != nil {
		s.say(err.Error())
		return
	}
	s.keptVIFs = m
}

// watchTaps says why a vif cannot be tapped, each reason once.
func (s *session) watchTaps(ctx context.Context) {
	tick := time.NewTicker(guestsEvery)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := tapTrouble(s.taps.Stats()); err != nil {
				said = s.sayOnce(said, err)
			}
		}
	}
}

// tapTrouble is the first error of a tap, and of how many.
func tapTrouble(st icmptap.Stats) (err error) {
	n := 0
	for i := range st.VIFs {
		if e := st.VIFs[i].Err; e != nil {
			n++
			if err == nil {
				err = e
			}
		}
	}
	if n > 1 {
		return fmt.Errorf("%w (and %d more)", err, n-1)
	}
	return err
}

// tapGuests taps the vifs of a new look.
func (w *watch) tapGuests(nics []flow.GuestNIC) {
	if w.s.taps == nil {
		return
	}
	w.s.taps.Set(nics)
	if more := len(nics) - icmptap.DefaultMaxVIFs; more > 0 && !w.vifs.beyond {
		w.vifs.beyond = true
		w.s.say(fmt.Sprintf("pings are watched on %d vifs; %d more are not watched", icmptap.DefaultMaxVIFs, more))
	}
}

// vifEchoes takes what the taps have seen.
func (w *watch) vifEchoes(b *icmptap.Batch) {
	w.seen(b.Echoes)
	w.tapLost(uint64(len(b.Gaps)))
	w.vifs.upTo = max(w.vifs.upTo, b.Drained)
	w.evidence.vifGaps(b.Gaps)
	handVIFs(w.mon, b)
}

// handVIFs tells c what b says.
func handVIFs(c vifConsumer, b *icmptap.Batch) {
	c.VIFEchoes(b.Echoes)
	for _, g := range b.Gaps {
		c.VIFLost(g.VIF, g.From, g.Until)
	}
	for _, ch := range b.Changes {
		if ch.Open {
			c.VIFLost(ch.VIF, ch.At.Add(-tapsMemory), ch.At)
		} else { // who waits for an answer there waits in vain
			c.VIFLost(ch.VIF, ch.At, ch.At.Add(tapsMemory))
		}
	}
	c.VIFDrained(b.Drained)
}
