package hops

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// hop is a Hop with stamps in microseconds; a negative one was not seen.
func hop(request, reply int64) (h Hop) {
	if request >= 0 {
		h.Request, h.HasRequest = flow.Time(request*1000), true
	}
	if reply >= 0 {
		h.Reply, h.HasReply = flow.Time(reply*1000), true
	}
	return h
}

// TestReport: times and shares by hand. At a 120.554 ms, at b 120.483, c missed
// the reply, at d 0.084: a-b 0.071, b-d 120.399, beyond d 0.084; 120.399 of
// 120.554 is 0.99871.
func TestReport(t *testing.T) {
	e := Echo{Key: keyFor(12, 110), Occurrence: 2, Hops: []Hop{hop(1000, 121554), hop(500, 120983), hop(600, -1), hop(700, 784)}}
	e.Hops[1].Duplicates, e.Hops[1].VLAN, e.Hops[3].Tunnel = 1, 301, true
	got, err := json.MarshalIndent(NewReport([]string{"a", "b", "c", "d"}, []Echo{e}), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "echoes": [
  {
   "src": "10.1.16.165",
   "dst": "10.1.16.55",
   "id": 12,
   "seq": 110,
   "occurrence": 2,
   "points": [
    {
     "name": "a",
     "request": "1970-01-01T00:00:00.001Z",
     "reply": "1970-01-01T00:00:00.121554Z",
     "rtt_ms": 120.554,
     "duplicates": 0
    },
    {
     "name": "b",
     "request": "1970-01-01T00:00:00.0005Z",
     "reply": "1970-01-01T00:00:00.120983Z",
     "rtt_ms": 120.483,
     "duplicates": 1,
     "vlan": 301
    },
    {
     "name": "c",
     "request": "1970-01-01T00:00:00.0006Z",
     "reply": null,
     "rtt_ms": null,
     "duplicates": 0
    },
    {
     "name": "d",
     "request": "1970-01-01T00:00:00.0007Z",
     "reply": "1970-01-01T00:00:00.000784Z",
     "rtt_ms": 0.084,
     "duplicates": 0,
     "tunnel": true
    }
   ],
   "segments": [
    {
     "from": "a",
     "to": "b",
     "rtt_ms": 0.071
    },
    {
     "from": "b",
     "to": "d",
     "rtt_ms": 120.399
    },
    {
     "from": "d",
     "to": null,
     "rtt_ms": 0.084
    }
   ],
   "worst": {
    "from": "b",
    "to": "d",
    "rtt_ms": 120.399,
    "share": 0.999
   }
  }
 ],
 "summary": [
  {
   "from": "a",
   "to": "b",
   "echoes": 1,
   "median_ms": 0.071,
   "p99_ms": 0.071,
   "max_ms": 0.071,
   "share": 0.001
  },
  {
   "from": "b",
   "to": "d",
   "echoes": 1,
   "median_ms": 120.399,
   "p99_ms": 120.399,
   "max_ms": 120.399,
   "share": 0.999
  },
  {
   "from": "d",
   "to": null,
   "echoes": 1,
   "median_ms": 0.084,
   "p99_ms": 0.084,
   "max_ms": 0.084,
   "share": 0.001
  }
 ]
}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// TestSummary: 200 echoes of 1..200 us between a and b and 100 us beyond b. The
// median is the mean of the 100th and the 101st, p99 the 198th; a-b had
// 20100 us of 40100.
func TestSummary(t *testing.T) {
	var echoes []Echo
	for i := range int64(200) {
		echoes = append(echoes, Echo{Hops: []Hop{hop(0, 101+i), hop(0, 100)}})
	}
	got := (&Reporter{Points: []string{"a", "b"}}).Summary(echoes)
	ms := func(f float64) *float64 { return &f }
	b := "b"
	want := []SegmentSummary{
		{From: "a", To: &b, Echoes: 200, Median: ms(0.1005), P99: ms(0.198), Max: ms(0.2), Share: ms(0.501)},
		{From: "b", Echoes: 200, Median: ms(0.1), P99: ms(0.1), Max: ms(0.1), Share: ms(0.499)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

// TestLoss: behind which point and on which leg.
func TestLoss(t *testing.T) {
	blind := Hop{Blind: true}
	no := hop(-1, -1)
	tests := []struct {
		name  string
		hops  []Hop
		after int
		way   Way
		lost  bool
	}{
		{"answered", []Hop{hop(0, 9), hop(1, 8), hop(2, 7)}, 0, WayUnknown, false},
		{"answered, missed by the last", []Hop{hop(0, 9), hop(1, 8), no}, 0, WayUnknown, false},
		{"on the way out", []Hop{hop(0, -1), hop(1, -1), no}, 1, WayOut, true},
		{"out, a point missed it", []Hop{hop(0, -1), no, hop(2, -1), no}, 2, WayOut, true},
		{"beyond the last", []Hop{hop(0, -1), hop(1, -1), hop(2, -1)}, 2, WayUnknown, true},
		{"on the way back", []Hop{hop(0, -1), hop(1, 8), hop(2, 7)}, 1, WayBack, true},
		{"back, a point missed it", []Hop{hop(0, -1), hop(1, -1), no, hop(3, 6)}, 3, WayBack, true},
		{"the last is no witness", []Hop{hop(0, -1), hop(1, -1), blind}, 1, WayUnknown, true},
		{"the first is no witness", []Hop{blind, hop(1, -1), no}, 1, WayOut, true},
		{"begins behind the first", []Hop{no, hop(1, 8), hop(2, 7)}, 0, WayUnknown, false},
		{"replies alone", []Hop{hop(-1, 9), hop(-1, 8)}, 0, WayUnknown, false},
		{"requests seen by the second alone", []Hop{hop(-1, 9), hop(1, -1)}, 0, WayUnknown, false},
		{"nothing", []Hop{no, blind}, 0, WayUnknown, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := Echo{Hops: tt.hops}
			if after, way, lost := e.Loss(); after != tt.after || way != tt.way || lost != tt.lost {
				t.Errorf("after %d, way %d, lost %v; want %d, %d, %v", after, way, lost, tt.after, tt.way, tt.lost)
			}
			e.Open = true
			if _, _, lost := e.Loss(); lost {
				t.Error("lost, though nobody watched for long enough")
			}
		})
	}
}

// TestWorstFirst: by RTT at the first point that has one, then the lost, then
// the rest.
func TestWorstFirst(t *testing.T) {
	list := []Echo{
		{Order: 0, Hops: []Hop{hop(0, 5), hop(0, 1)}},
		{Order: 1, Hops: []Hop{hop(-1, 5), hop(-1, 1)}},
		{Order: 2, Hops: []Hop{hop(0, -1), hop(0, -1)}},
		{Order: 3, Hops: []Hop{hop(0, -1), hop(0, 7)}},
		{Order: 4, Hops: []Hop{hop(9, 3), hop(0, 1)}}, // a clock was set
		{Order: 5, Hops: []Hop{hop(0, 9), hop(0, 1)}},
	}
	WorstFirst(list)
	var got []int
	for _, e := range list {
		got = append(got, e.Order)
	}
	if diff := cmp.Diff([]int{5, 3, 0, 4, 2, 1}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestReporterWall: a live point's clock is converted; IPv6 is written as usual.
func TestReporterWall(t *testing.T) {
	e := Echo{Key: Key{Family: flow.FamilyIPv6, Src: [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}}, Hops: []Hop{hop(5, -1)}}
	r := Reporter{Points: []string{"a"}, Wall: func(_ int, at flow.Time) time.Time { return time.Unix(100, int64(at)).UTC() }}
	rep := r.Echo(&e)
	if want := time.Unix(100, 5000); rep.Src != "2001:db8::1" || rep.Dst != "::" || !rep.Points[0].Request.Equal(want) || rep.Segments == nil || rep.Worst != nil {
		t.Errorf("%+v", rep)
	}
}
