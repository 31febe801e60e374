package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"spiketop/incident"
	"spiketop/probe/hops"
)

// pathSchema is the "schema" of path --json.
const pathSchema = "spiketop.path/1"

// pathRest is what follows the echoes in path --json.
type pathRest struct {
	Summary   []hops.SegmentSummary `json:"summary"`
	Answered  int                   `json:"answered"`
	Lost      int                   `json:"lost"`
	Open      int                   `json:"open"`
	Points    []pathPointReport     `json:"points"`
	Clocks    []pathClock           `json:"clocks"`
	Notes     []string              `json:"notes"`
	Truncated bool                  `json:"truncated"`
}

// pathPointReport is one file.
type pathPointReport struct {
	Name      string     `json:"name"`
	File      string     `json:"file"`
	Packets   uint64     `json:"packets"`
	Requests  int        `json:"requests"`
	Replies   int        `json:"replies"`
	Doubled   int        `json:"doubled"`
	Tunnelled uint64     `json:"tunnelled"`
	Refused   int        `json:"refused"`
	First     *time.Time `json:"first"`
	Last      *time.Time `json:"last"`
	Truncated bool       `json:"truncated"`
	Error     string     `json:"error,omitempty"`
}

// pathClock is what the echoes say of the clocks of two neighbours.
type pathClock struct {
	From        string          `json:"from"`
	To          string          `json:"to"`
	Offset      *float64        `json:"offset_ms"` // to minus from; null = not known
	Uncertainty *float64        `json:"uncertainty_ms"`
	One         bool            `json:"one_clock"`
	Steps       []pathClockStep `json:"steps,omitempty"`
}

type pathClockStep struct {
	At *time.Time `json:"at"` // of from's clock
	By float64    `json:"by_ms"`
}

// writeJSON writes one echo a line, so that a large capture needs no second
// memory.
func (r *pathResult) writeJSON(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	fmt.Fprintf(out, "{\"schema\": %q, \"version\": %q,\n \"echoes\": [", pathSchema, version())
	for i := range r.worst[:r.shown] {
		b, err := json.Marshal(r.reporter.Echo(&r.worst[i]))
		if err != nil {
			return fmt.Errorf("write path: %w", err)
		}
		sep := ",\n  "
		if i == 0 {
			sep = "\n  "
		}
		_, _ = out.WriteString(sep)
		if _, err := out.Write(incident.EscapeJSON(b)); err != nil {
			return fmt.Errorf("write path: %w", err)
		}
	}
	b, err := json.Marshal(r.rest())
	if err != nil {
		return fmt.Errorf("write path: %w", err)
	}
	_, _ = out.WriteString("],\n ")
	_, _ = out.Write(incident.EscapeJSON(b[1:])) // the brace is open
	_, _ = out.WriteString("\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write path: %w", err)
	}
	return nil
}

func (r *pathResult) rest() pathRest {
	rest := pathRest{Summary: r.reporter.Summary(r.echoes), Clocks: []pathClock{}, Notes: append([]string{}, r.notes...)}
	rest.Answered, rest.Lost, rest.Open = r.count()
	for i, p := range r.files {
		f := &r.matched.Points[i]
		pr := pathPointReport{Name: oneLine(p.name), File: oneLine(p.file), Packets: p.packets, Requests: f.Requests, Replies: f.Replies, Doubled: f.Doubled,
			Tunnelled: p.tunnels, Refused: f.Refused, First: wallOf(p.first), Last: wallOf(p.last), Truncated: p.err != nil}
		if p.err != nil {
			pr.Error = oneLine(p.err.Error())
			rest.Truncated = true
		}
		rest.Truncated = rest.Truncated || f.Refused > 0
		rest.Points = append(rest.Points, pr)
		if i > 0 {
			rest.Clocks = append(rest.Clocks, r.clock(i-1, i))
		}
	}
	return rest
}

func (r *pathResult) clock(from, to int) pathClock {
	c, names := r.matched.Clock(from, to), r.reporter.Points
	p := pathClock{From: names[from], To: names[to], One: c.One}
	if !c.Known() {
		return p
	}
	offset, uncertainty := ms(c.Offset), ms(c.Uncertainty)
	p.Offset, p.Uncertainty = &offset, &uncertainty
	for _, s := range c.Steps {
		p.Steps = append(p.Steps, pathClockStep{wallOf(int64(r.matched.Echoes[s.Order].Hops[from].Request)), ms(s.By)})
	}
	return p
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// wallOf is a file's time, nil for none.
func wallOf(ns int64) *time.Time {
	if ns <= 0 {
		return nil
	}
	t := time.Unix(0, ns).UTC()
	return &t
}
