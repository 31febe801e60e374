package hops

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"spiketop/flow"
)

// Split is a segment's time by way. Request + Reply is the segment's RTT.
type Split struct {
	Request, Reply time.Duration
	Uncertainty    time.Duration // of both, as the clocks of the two ends are known
}

// Reporter turns echoes into the form in which they are written. It is immutable
// in use; any goroutine may call its methods.
type Reporter struct {
	Points []string // names, in the order of the request's way

	// Wall converts a point's own clock. nil: it counts nanoseconds since 1970.
	Wall func(point int, at flow.Time) time.Time
	// Split splits the time between two points by way, false where the clocks do
	// not tell. nil: never.
	Split func(e *Echo, from, to int) (Split, bool)
}

// NewReport is the report of echoes in the order given, with the summary over
// all of them. Neither is null in JSON.
func (r *Reporter) NewReport(echoes []Echo) Report {
	rep := Report{Echoes: make([]EchoReport, 0, len(echoes)), Summary: r.Summary(echoes)}
	for i := range echoes {
		rep.Echoes = append(rep.Echoes, r.Echo(&echoes[i]))
	}
	return rep
}

// NewReport is [Reporter.NewReport] for points whose clocks count nanoseconds
// since 1970, without split.
func NewReport(points []string, echoes []Echo) Report {
	return (&Reporter{Points: points}).NewReport(echoes)
}

// Echo is the report of one echo. len(e.Hops) = len(r.Points).
func (r *Reporter) Echo(e *Echo) EchoReport {
	rep := EchoReport{Src: Addr(e.Family, e.Src), Dst: Addr(e.Family, e.Dst), ID: e.ID, Seq: e.Seq, Occurrence: e.Occurrence,
		Points: make([]PointReport, 0, len(e.Hops)), Segments: []SegmentReport{}, Open: e.Open}
	for i := range e.Hops {
		rep.Points = append(rep.Points, r.point(i, &e.Hops[i]))
	}
	segments := e.Segments()
	for _, s := range segments {
		rep.Segments = append(rep.Segments, r.segment(e, s))
	}
	rep.Worst = r.worst(segments)
	if after, way, lost := e.Loss(); lost {
		rep.LostAfter = &LostAfter{Point: r.Points[after], Leg: way.leg()}
	}
	return rep
}

// leg is the Way in JSON: nil where it is not known.
func (w Way) leg() *string {
	var s string
	switch w {
	case WayOut:
		s = "request"
	case WayBack:
		s = "reply"
	default:
		return nil
	}
	return &s
}

func (r *Reporter) point(i int, h *Hop) PointReport {
	p := PointReport{Name: r.Points[i], Duplicates: h.Duplicates, Tunnel: h.Tunnel, VLAN: h.VLAN, Blind: h.Blind && !h.HasRequest && !h.HasReply}
	if h.HasRequest {
		p.Request = r.wall(i, h.Request)
	}
	if h.HasReply {
		p.Reply = r.wall(i, h.Reply)
	}
	if rtt, ok := h.RTT(); ok {
		p.RTT = milliseconds(rtt)
	}
	return p
}

func (r *Reporter) wall(point int, at flow.Time) *time.Time {
	t := time.Unix(0, int64(at)).UTC()
	if r.Wall != nil {
		t = r.Wall(point, at)
	}
	if y := t.Year(); y < 0 || y > 9999 { // RFC 3339 ends there
		return nil
	}
	return &t
}

func (r *Reporter) segment(e *Echo, s Segment) SegmentReport {
	rep := SegmentReport{From: r.Points[s.From], To: r.end(s.To), RTT: *milliseconds(s.RTT)}
	if r.Split == nil || s.To == Beyond {
		return rep
	}
	if sp, ok := r.Split(e, s.From, s.To); ok {
		rep.RequestMs, rep.ReplyMs, rep.UncertaintyMs = milliseconds(sp.Request), milliseconds(sp.Reply), milliseconds(sp.Uncertainty)
	}
	return rep
}

// end is the name of a segment's end, nil beyond the last point.
func (r *Reporter) end(to int) *string {
	if to == Beyond {
		return nil
	}
	return &r.Points[to]
}

// worst is the report of the longest of an echo's segments, nil without any.
func (r *Reporter) worst(segments []Segment) *WorstReport {
	w, ok := Worst(segments)
	if !ok {
		return nil
	}
	return &WorstReport{From: r.Points[w.From], To: r.end(w.To), RTT: *milliseconds(w.RTT), Share: share(w.RTT, total(segments))}
}

// Worst returns the longest segment, the first of several; false without any.
func Worst(segments []Segment) (w Segment, ok bool) {
	for i, s := range segments {
		if i == 0 || s.RTT > w.RTT {
			w = s
		}
	}
	return w, len(segments) > 0
}

// total is the RTT at the first point that saw both ways.
func total(segments []Segment) (sum time.Duration) {
	for _, s := range segments {
		sum += s.RTT
	}
	return sum
}

// share is d's part of all, 0..1, rounded to a thousandth.
func share(d, all time.Duration) float64 {
	if d <= 0 || all <= 0 {
		return 0
	}
	return min(1, math.Round(float64(d)/float64(all)*1000)/1000)
}

func milliseconds(d time.Duration) *float64 {
	m := float64(d) / 1e6
	return &m
}

// Summary is each segment over all echoes, in the order of the way out. Only
// answered echoes have segments.
func (r *Reporter) Summary(echoes []Echo) []SegmentSummary {
	type ends struct{ from, to int }
	times := map[ends][]time.Duration{}
	var all time.Duration
	for i := range echoes {
		for _, s := range echoes[i].Segments() {
			k := ends{s.From, s.To}
			if k.to == Beyond {
				k.to = len(r.Points) // sorts last
			}
			times[k] = append(times[k], s.RTT)
			all += s.RTT
		}
	}
	keys := make([]ends, 0, len(times))
	for k := range times {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b ends) int { return (a.from-b.from)*(len(r.Points)+1) + a.to - b.to })
	list := make([]SegmentSummary, 0, len(keys))
	for _, k := range keys {
		to := k.to
		if to == len(r.Points) {
			to = Beyond
		}
		list = append(list, r.summarise(k.from, to, times[k], all))
	}
	return list
}

// summarise sorts times.
func (r *Reporter) summarise(from, to int, times []time.Duration, all time.Duration) SegmentSummary {
	slices.Sort(times)
	n := len(times)
	var sum time.Duration
	for _, t := range times {
		sum += t
	}
	rank := (99*n + 99) / 100 // nearest rank: the smallest that 99 % do not exceed
	part := share(sum, all)
	return SegmentSummary{From: r.Points[from], To: r.end(to), Echoes: n, Median: milliseconds((times[(n-1)/2] + times[n/2]) / 2),
		P99: milliseconds(times[rank-1]), Max: milliseconds(times[n-1]), Share: &part}
}

// WorstFirst sorts: the longest RTT first, then the lost ones, then those of
// which nothing is known; within each in the order they have.
func WorstFirst(echoes []Echo) {
	slices.SortStableFunc(echoes, func(a, b Echo) int {
		ra, rb := a.rank(), b.rank()
		switch {
		case ra > rb:
			return -1
		case ra < rb:
			return 1
		}
		return 0
	})
}

// RTT is the echo's time at the first point that saw both ways.
func (e *Echo) RTT() (time.Duration, bool) {
	for i := range e.Hops {
		if rtt, ok := e.Hops[i].RTT(); ok {
			return rtt, true
		}
	}
	return 0, false
}

// rank orders echoes: times above all, whatever their sign.
func (e *Echo) rank() time.Duration {
	if rtt, ok := e.RTT(); ok {
		return max(rtt, math.MinInt64+2)
	}
	if _, _, lost := e.Loss(); lost {
		return math.MinInt64 + 1
	}
	return math.MinInt64
}

// Addr is an address as it is written: the family's own text.
func Addr(family flow.Family, a [16]byte) string {
	switch family {
	case flow.FamilyIPv4:
		return netip.AddrFrom4([4]byte(a[12:])).String()
	case flow.FamilyIPv6:
		return netip.AddrFrom16(a).String()
	}
	return "?"
}
