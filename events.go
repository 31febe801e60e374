package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"spiketop/capture/link"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/probe"
)

// eventSchema is the "schema" of the start event.
const eventSchema = "spiketop.event/1"

// events writes one JSON object a line to every sink (headless's standard
// output, --json-log). Any goroutine may call emit.
type events struct {
	mu    sync.Mutex // protects sinks
	sinks []sink
}

// sink is a writer of events. After its first failed write nothing more is
// written to it, and failed is told.
type sink struct {
	w      io.Writer
	failed func(error)
}

func (e *events) add(w io.Writer, failed func(error)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sinks = append(e.sinks, sink{w, failed})
}

// emit writes one event; v is one of the structs below.
func (e *events) emit(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("event %T: %v", v, err)) // our own structs
	}
	b = append(incident.EscapeJSON(b), '\n') // standard output may be a terminal
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sinks = slices.DeleteFunc(e.sinks, func(s sink) bool {
		_, err := s.w.Write(b)
		if err != nil {
			s.failed(fmt.Errorf("write events: %w", err))
		}
		return err != nil
	})
}

type eventHead struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`
}

type startEvent struct {
	eventHead
	Schema  string        `json:"schema"`
	Version string        `json:"version"`
	Host    string        `json:"host"`
	Engine  string        `json:"engine"`
	NICs    []startNIC    `json:"nics"`
	Targets []startTarget `json:"targets"`
}

type startNIC struct {
	Name     string  `json:"name"`
	Bond     string  `json:"bond,omitempty"`
	SpeedBps *uint64 `json:"speed_bps"`
	Why      string  `json:"why"`
}

type startTarget struct {
	Target string `json:"target"`
	Reason string `json:"reason"`
}

type targetEvent struct {
	eventHead
	startTarget
}

type spikeEvent struct {
	eventHead
	Target      string           `json:"target"`
	Src         string           `json:"src,omitempty"` // of a VM's echo
	EchoID      *uint16          `json:"echo_id,omitempty"`
	Point       string           `json:"point,omitempty"` // vif (or NIC) where it was seen first
	Member      string           `json:"member"`
	Seq         uint16           `json:"seq"`
	Kind        string           `json:"kind"`
	Outstanding *incident.Millis `json:"outstanding_ms"`
	RTT         *incident.Millis `json:"rtt_ms"`
	Threshold   *incident.Millis `json:"threshold_ms"`
}

type incidentEvent struct {
	eventHead
	ID      string           `json:"id"`
	Dir     string           `json:"dir"`
	Verdict incident.Verdict `json:"verdict"`
}

type linkEvent struct {
	eventHead
	link.Change
}

type lostEvent struct {
	eventHead
	What  string `json:"what"` // ring, samples or incidents
	Link  string `json:"link,omitempty"`
	Count uint64 `json:"count"`
}

type noteEvent struct {
	eventHead
	Text string `json:"text"`
}

type summaryEvent struct {
	eventHead
	Links []summaryLink `json:"links"`
	Pings []summaryPing `json:"pings"`
}

type summaryLink struct {
	Name     string             `json:"name"`
	State    string             `json:"state"`
	RxBps    float64            `json:"rx_bps"`
	TxBps    float64            `json:"tx_bps"`
	Coverage *float64           `json:"coverage"`
	Drops    uint64             `json:"drops"`
	NICCheck *incident.NICCheck `json:"nic_check,omitempty"`
}

type summaryPing struct {
	Target  string           `json:"target"`
	Member  string           `json:"member"`
	P50     *incident.Millis `json:"p50_ms"`
	P99     *incident.Millis `json:"p99_ms"`
	Jitter  *incident.Millis `json:"jitter_ms"`
	Loss    *float64         `json:"loss"` // null while no echo's fate is known
	Unknown int64            `json:"unknown"`
	Trouble string           `json:"trouble,omitempty"`
	// CannotSteer says why a host behind a bond has one ping only.
	CannotSteer string `json:"cannot_steer,omitempty"`
}

type stopEvent struct {
	eventHead
	Seconds    float64 `json:"seconds"`
	Incidents  int     `json:"incidents"`
	Suppressed int     `json:"suppressed"`
}

func newStart(at time.Time, w *flow.World, why map[flow.LinkID]string, targets []probe.Target) startEvent {
	e := startEvent{eventHead: eventHead{"start", at}, Schema: eventSchema, Version: version(), Host: w.Host, Engine: engine,
		NICs: []startNIC{}, Targets: []startTarget{}}
	for i := range w.Links {
		l := &w.Links[i]
		e.NICs = append(e.NICs, startNIC{l.Name, l.Bond, known(l.SpeedBps), why[l.ID]})
	}
	for _, t := range targets {
		e.Targets = append(e.Targets, startTarget{t.Name, t.Reason})
	}
	return e
}

// newSummary is the ten-second line: rates over the last 10 s.
func newSummary(f *incident.Frame) summaryEvent {
	const tenSeconds = 1 // index in incident.Windows
	e := summaryEvent{eventHead: eventHead{"summary", f.Wall}, Links: []summaryLink{}, Pings: []summaryPing{}}
	for i := range f.Links {
		l := &f.Links[i]
		s := summaryLink{Name: l.Link.Name, State: l.Link.State.String(), Drops: l.Drops, NICCheck: l.Check,
			RxBps: math.Round(l.Rate[flow.Rx][tenSeconds]), TxBps: math.Round(l.Rate[flow.Tx][tenSeconds])}
		if !math.IsNaN(l.Coverage) {
			s.Coverage = &l.Coverage
		}
		e.Links = append(e.Links, s)
	}
	for i := range f.Pings {
		p := &f.Pings[i]
		e.Pings = append(e.Pings, pingSummary(p))
	}
	return e
}

// pingSummary is the part of a target: what is not known is null, never 0.
func pingSummary(p *incident.PingView) summaryPing {
	s := summaryPing{Target: p.Target.Name, Member: p.Member, P50: incident.MillisOf(p.Stats.P50), P99: incident.MillisOf(p.Stats.P99),
		Unknown: p.Stats.Unknown, Trouble: p.Target.Trouble, CannotSteer: p.Target.CannotSteer}
	if s.P50 != nil {
		s.Jitter = incident.MillisOf(p.Stats.Jitter)
	}
	if p.Stats.Window > 0 {
		s.Loss = &p.Stats.Loss
	}
	return s
}

func known(speed uint64) *uint64 {
	if speed == 0 {
		return nil
	}
	return &speed
}
