package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"spiketop/incident"
)

// Said is what spiketop said in a run.
type Said struct {
	Spikes      []time.Time
	LinkChanges []string // "eth0 down"
	Notes       []string
	Lost        []string // what it could not count or write, as it said it
	Summaries   []Summary
	Incidents   []*incident.Incident
	Stderr      string
}

// Summary is a ten-second line.
type Summary struct {
	At    time.Time
	Links []SummaryLink
}

// SummaryLink is one NIC of it.
type SummaryLink struct {
	Name, State string
	Rx          float64 `json:"rx_bps"`
	Tx          float64 `json:"tx_bps"`
	Coverage    *float64
	Drops       uint64
}

// ReadSaid reads the events and the incidents that spiketop wrote.
func ReadSaid(dir string) (*Said, error) {
	s := &Said{}
	f, err := os.Open(filepath.Join(dir, "events"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stopped := false
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var e struct {
			Event, Name, Change, Text string
			At                        time.Time
		}
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("headless printed what is no JSON: %q", sc.Text())
		}
		switch e.Event {
		case "spike":
			s.Spikes = append(s.Spikes, e.At)
		case "link":
			s.LinkChanges = append(s.LinkChanges, e.Name+" "+e.Change)
		case "note":
			s.Notes = append(s.Notes, e.Text)
		case "lost":
			s.Lost = append(s.Lost, sc.Text())
		case "summary":
			var sum Summary
			if err := json.Unmarshal(sc.Bytes(), &sum); err != nil {
				return nil, fmt.Errorf("a summary: %w", err)
			}
			s.Summaries = append(s.Summaries, sum)
		case "stop":
			stopped = true
		}
	}
	if !stopped {
		return nil, fmt.Errorf("headless did not end with a stop event")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "incidents", "*", "incident.json"))
	for _, file := range files {
		in, err := readIncident(file)
		if err != nil {
			return nil, err
		}
		s.Incidents = append(s.Incidents, in)
	}
	slices.SortFunc(s.Incidents, func(a, b *incident.Incident) int { return a.Trigger.Sent.Compare(b.Trigger.Sent) })
	b, _ := os.ReadFile(filepath.Join(dir, "stderr"))
	s.Stderr = strings.TrimSpace(string(b))
	return s, nil
}

func readIncident(file string) (*incident.Incident, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return incident.ReadJSON(f)
}

// String is the verdicts' sentences.
func (s *Said) String() string {
	if len(s.Incidents) == 0 {
		return "nothing"
	}
	var out []string
	for _, in := range s.Incidents {
		out = append(out, fmt.Sprintf("%s, %s, %s: %s", in.Trigger.Kind, in.Path.VerdictSegment, in.Verdict.Cause, in.Verdict.Sentence))
	}
	return strings.Join(out, " | ")
}
