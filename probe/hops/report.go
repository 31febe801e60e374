package hops

import "time"

// Report is the hop table in the form in which it is written: `path --json`, and
// the path of an incident. Times are RFC 3339 with the point's own clock,
// durations milliseconds; null is "not seen".
type Report struct {
	Echoes  []EchoReport     `json:"echoes"`
	Summary []SegmentSummary `json:"summary"`
}

// EchoReport is one echo.
type EchoReport struct {
	Src        string          `json:"src"`
	Dst        string          `json:"dst"`
	ID         uint16          `json:"id"`
	Seq        uint16          `json:"seq"`
	Occurrence int             `json:"occurrence"`
	Points     []PointReport   `json:"points"`
	Segments   []SegmentReport `json:"segments"`
	LostAfter  *LostAfter      `json:"lost_after,omitempty"`
	Worst      *WorstReport    `json:"worst"`
	Open       bool            `json:"open,omitempty"` // unanswered, but not watched for long enough to call it lost
}

// PointReport is what one point saw of an echo.
type PointReport struct {
	Name       string     `json:"name"`
	Request    *time.Time `json:"request"`
	Reply      *time.Time `json:"reply"`
	RTT        *float64   `json:"rtt_ms"`
	Duplicates int        `json:"duplicates"`
	Tunnel     bool       `json:"tunnel,omitempty"`
	VLAN       uint16     `json:"vlan,omitempty"`
	Blind      bool       `json:"blind,omitempty"` // nothing was captured here at that time
}

// SegmentReport is a [Segment]. To is nil beyond the last point. RequestMs and
// ReplyMs split it where the clocks of both ends demonstrably agree, within
// UncertaintyMs.
type SegmentReport struct {
	From          string   `json:"from"`
	To            *string  `json:"to"`
	RTT           float64  `json:"rtt_ms"`
	RequestMs     *float64 `json:"request_ms,omitempty"`
	ReplyMs       *float64 `json:"reply_ms,omitempty"`
	UncertaintyMs *float64 `json:"uncertainty_ms,omitempty"`
}

// LostAfter is the last point that saw a lost echo. Leg is "request" or
// "reply", nil at the last point: what happened beyond cannot be known.
type LostAfter struct {
	Point string  `json:"point"`
	Leg   *string `json:"leg"`
}

// WorstReport is the segment that took most of an echo's time; Share is 0..1 of
// the RTT at the first point that saw both ways.
type WorstReport struct {
	From  string  `json:"from"`
	To    *string `json:"to"`
	RTT   float64 `json:"rtt_ms"`
	Share float64 `json:"share"`
}

// SegmentSummary is a segment over all echoes.
type SegmentSummary struct {
	From   string   `json:"from"`
	To     *string  `json:"to"`
	Echoes int      `json:"echoes"` // that have this segment
	Median *float64 `json:"median_ms"`
	P99    *float64 `json:"p99_ms"`
	Max    *float64 `json:"max_ms"`
	Share  *float64 `json:"share"` // of all echoes' time, 0..1
}
