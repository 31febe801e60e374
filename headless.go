package main

import (
	"context"
	"io"
	"time"

	"spiketop/flow"
	"spiketop/incident"
)

// summaryEvery is the time between two summary events.
const summaryEvery = 10 * time.Second

// runHeadless watches without a screen: events on stdout, diagnostics on stderr.
func runHeadless(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := openSession(o, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	s.diagnostics = stderr
	s.giveUp = cancel
	s.ev.add(stdout, s.fatal) // nobody reads any more: seal what is open, and end
	err = s.run(ctx)
	s.repanic()
	return err
}

// summaries writes the ten-second line; the watch loop calls it on each beat.
type summaries struct{ next flow.Time }

func (s *summaries) due(now flow.Time) bool {
	if s.next == 0 {
		s.next = now.Add(summaryEvery)
	}
	if now < s.next {
		return false
	}
	s.next = now.Add(summaryEvery)
	return true
}

// sealedEvent is written after the directory has got its name.
func sealedEvent(at time.Time, in *incident.Incident, id, dir string) incidentEvent {
	return incidentEvent{eventHead{"incident", at}, id, dir, in.Verdict}
}
