package far

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"spiketop/flow"
	"spiketop/incident"
)

// MaxNICs is how many a [Hello] may name.
const MaxNICs = 32

// Schema is what the far side says first. Another major number is refused,
// fields and kinds of lines that are not known are ignored.
const Schema = "spiketop.tap/1"

// MaxLine is the longest line of both directions, its newline included.
const MaxLine = 4096

// Bounds of what a line may say.
const (
	maxName  = 64 // runes of a host, NIC, vif, VM, process
	maxWhy   = 96
	earliest = 946_684_800_000_000_000   // 2000-01-01, in ns of wall time
	latest   = 7_258_118_400_000_000_000 // 2200-01-01
)

// ErrLine says that a line is none of the protocol's.
var ErrLine = errors.New("not a line of spiketop tap")

// ErrSchema says that the far side speaks another version.
var ErrSchema = errors.New("another version of spiketop tap")

// Line is one line of the far side: one of its parts is set, none where it is of
// a kind that this version does not know.
type Line struct {
	Hello  *Hello      `json:"hello,omitempty"`
	Echo   *Echo       `json:"echo,omitempty"`
	Beat   *Beat       `json:"beat,omitempty"`
	Window *WindowLine `json:"window,omitempty"`
}

// Hello is the first line.
type Hello struct {
	Schema  string   `json:"schema"`
	Version string   `json:"version"`
	Host    string   `json:"host"`
	NICs    []string `json:"nics"` // at most MaxNICs
	VIFs    int      `json:"vifs"` // how many are tapped
}

// Echo is a request or a reply that passed a point of the far host.
type Echo struct {
	Point  string     `json:"point"` // NIC or vif
	VIF    bool       `json:"vif,omitempty"`
	Dir    string     `json:"dir"` // rx or tx; on a vif rx is toward the guest
	Reply  bool       `json:"reply,omitempty"`
	Src    netip.Addr `json:"src"` // of this packet
	Dst    netip.Addr `json:"dst"`
	ID     uint16     `json:"id"`
	Seq    uint16     `json:"seq"`
	At     int64      `json:"at"` // ns of the far host's wall clock
	VLAN   uint16     `json:"vlan,omitempty"`
	Tunnel bool       `json:"tunnel,omitempty"`
}

// Beat comes every second. Everything that passed before UpTo has been told,
// but for Drops echoes since the start.
type Beat struct {
	At    int64  `json:"at"` // ns of wall time at which it was written
	UpTo  int64  `json:"up_to"`
	Drops uint64 `json:"drops"`
}

// WindowLine is a part of the answer to a question; which one it belongs to says
// ID. Begin comes first, End last.
type WindowLine struct {
	ID    string              `json:"id"`
	Begin *Begin              `json:"begin,omitempty"`
	Link  *incident.LinkPart  `json:"link,omitempty"`
	Class *incident.ClassPart `json:"class,omitempty"`
	Dir   string              `json:"dir,omitempty"` // of the flow
	Flow  *incident.FlowRow   `json:"flow,omitempty"`
	End   *End                `json:"end,omitempty"`
}

// Begin says of which time the answer is.
type Begin struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// End closes an answer: what the rows do not show, and why something is missing.
type End struct {
	OtherRx uint64 `json:"other_rx"`
	OtherTx uint64 `json:"other_tx"`
	Trouble string `json:"trouble,omitempty"`
}

// Question is what the near side asks, on the far side's standard input.
type Question struct {
	Ask  string `json:"ask"` // AskWindow
	ID   string `json:"id"`
	From int64  `json:"from"` // ns of the far host's wall clock
	To   int64  `json:"to"`
}

// AskWindow asks what was carried in a window.
const AskWindow = "window"

// longest window that is asked about; an incident's is at most 20 s and a slot.
const longest = 30_000_000_000

// ParseLine reads a line of the far side, without its newline, checks and cleans
// it. An error is [ErrLine] or [ErrSchema].
func ParseLine(b []byte) (Line, error) {
	var l Line
	if len(b) >= MaxLine {
		return Line{}, fmt.Errorf("%w: longer than %d bytes", ErrLine, MaxLine)
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return Line{}, fmt.Errorf("%w: %s", ErrLine, why(err))
	}
	n := 0
	for _, set := range []bool{l.Hello != nil, l.Echo != nil, l.Beat != nil, l.Window != nil} {
		if set {
			n++
		}
	}
	if n > 1 {
		return Line{}, fmt.Errorf("%w: several things at once", ErrLine)
	}
	for _, check := range []func() error{l.Hello.check, l.Echo.check, l.Beat.check, l.Window.check} {
		if err := check(); err != nil {
			return Line{}, err
		}
	}
	return l, nil
}

// why keeps a decoder's words short and free of what was sent.
func why(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return "a field has the wrong type"
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return "no JSON"
	}
	return incident.CleanMax(err.Error(), maxWhy)
}

func (h *Hello) check() error {
	if h == nil {
		return nil
	}
	if rest, ok := strings.CutPrefix(h.Schema, Schema); !ok || rest != "" && rest[0] != '.' {
		return fmt.Errorf("%w: %q, this one speaks %s", ErrSchema, incident.CleanMax(h.Schema, maxName), Schema)
	}
	if len(h.NICs) > MaxNICs || h.VIFs < 0 || h.VIFs > 1<<20 {
		return fmt.Errorf("%w: hello of an impossible host", ErrLine)
	}
	h.Schema = incident.CleanMax(h.Schema, maxName)
	h.Version, h.Host = name(h.Version), name(h.Host)
	for i := range h.NICs {
		h.NICs[i] = name(h.NICs[i])
	}
	return nil
}

func (e *Echo) check() error {
	if e == nil {
		return nil
	}
	if e.Point == "" || e.Dir != flow.Rx.String() && e.Dir != flow.Tx.String() {
		return fmt.Errorf("%w: echo of nowhere", ErrLine)
	}
	if !e.Src.IsValid() || !e.Dst.IsValid() || e.Src.Zone() != "" || e.Dst.Zone() != "" || e.Src.Is4() != e.Dst.Is4() || e.Src.Is4In6() || e.Dst.Is4In6() {
		return fmt.Errorf("%w: echo between impossible addresses", ErrLine)
	}
	if !plausible(e.At) || e.VLAN > 4095 {
		return fmt.Errorf("%w: echo at an impossible time or VLAN", ErrLine)
	}
	e.Point = name(e.Point)
	return nil
}

func (b *Beat) check() error {
	if b != nil && (!plausible(b.At) || !plausible(b.UpTo)) {
		return fmt.Errorf("%w: beat at an impossible time", ErrLine)
	}
	return nil
}

func plausible(ns int64) bool { return ns >= earliest && ns < latest }

// name cleans a name.
func name(s string) string { return incident.CleanMax(s, maxName) }

// ParseQuestion reads a line of the near side, without its newline.
func ParseQuestion(b []byte) (Question, error) {
	var q Question
	if len(b) >= MaxLine {
		return q, fmt.Errorf("%w: longer than %d bytes", ErrLine, MaxLine)
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return Question{}, fmt.Errorf("%w: %s", ErrLine, why(err))
	}
	if q.Ask != AskWindow {
		return Question{}, fmt.Errorf("%w: unknown question %q", ErrLine, incident.CleanMax(q.Ask, maxName))
	}
	if q.ID == "" || len(q.ID) > maxName || q.ID != name(q.ID) {
		return Question{}, fmt.Errorf("%w: question without a proper id", ErrLine)
	}
	if !plausible(q.From) || !plausible(q.To) || q.To <= q.From || q.To-q.From > longest {
		return Question{}, fmt.Errorf("%w: question about an impossible window", ErrLine)
	}
	return q, nil
}
