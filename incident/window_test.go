package incident

import (
	"testing"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

func TestWindow(t *testing.T) {
	const ms = flow.Time(time.Millisecond)
	tests := []struct {
		name      string
		offset    flow.WallOffset // wall = mono + offset; only its part of 100 ms matters
		sent, end flow.Time       // in ms
		from, to  flow.Time       // in ms
		capped    bool
	}{
		// 10 962 - 500 = 10 462 -> 10 400; 11 082 + 200 = 11 282 -> 11 300
		{"as in the contract", 0, 10962, 11082, 10400, 11300, false},
		{"on the grid already", 0, 10500, 10600, 10000, 10800, false},
		{"one ns over the grid is the next slot", 0, 10500, 10601, 10000, 10900, false},
		// wall 10 992 - 500 = 10 492 -> wall 10 400 = mono 10 370; wall 11 112 + 200 = 11 312 -> 11 400 = mono 11 370
		{"the grid is that of wall time", flow.WallOffset(30 * ms), 10962, 11082, 10370, 11370, false},
		{"20 s at most", 0, 10962, 40000, 10400, 30400, true},
		{"20 s exactly", 0, 10900, 30200, 10400, 30400, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from := windowFrom(tt.offset, tt.sent*ms)
			to, capped := windowTo(tt.offset, from, tt.end*ms)
			if from != tt.from*ms || to != tt.to*ms || capped != tt.capped {
				t.Errorf("window = [%v, %v) %v, want [%v, %v) %v", from/ms, to/ms, capped, tt.from, tt.to, tt.capped)
			}
		})
	}
}

func TestEchoEnd(t *testing.T) {
	const s = flow.Time(time.Second)
	tests := []struct {
		name   string
		sample probe.Sample
		now    flow.Time
		want   flow.Time
	}{
		{"answered", probe.Sample{Sent: 10 * s, State: probe.Answered, RTT: time.Second}, 20 * s, 11 * s},
		{"lost is given up after 2 s", probe.Sample{Sent: 10 * s, State: probe.Lost, RTT: probe.None}, 20 * s, 12 * s},
		{"uncertain too", probe.Sample{Sent: 10 * s, State: probe.Uncertain, RTT: probe.None}, 20 * s, 12 * s},
		{"outstanding until now", probe.Sample{Sent: 10 * s, RTT: probe.None}, 11 * s, 11 * s},
		{"outstanding for too long", probe.Sample{Sent: 10 * s, RTT: probe.None}, 20 * s, 12 * s},
		{"now may be before the stamp", probe.Sample{Sent: 10 * s, RTT: probe.None}, 9 * s, 10 * s},
	}
	for _, tt := range tests {
		if got := echoEnd(&echo{Sample: tt.sample}, tt.now); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestOverlap(t *testing.T) {
	spans := []flow.Span{{From: 10, To: 20}, {From: 15, To: 30}, {From: 50, To: 60}}
	tests := []struct {
		from, to flow.Time
		want     time.Duration
	}{
		{0, 10, 0}, {0, 15, 5}, {0, 100, 30}, {12, 55, 23}, {20, 25, 5}, {30, 50, 0}, {55, 55, 0},
	}
	for _, tt := range tests {
		if got := overlap(spans, tt.from, tt.to); got != tt.want {
			t.Errorf("overlap [%d, %d) = %d, want %d", tt.from, tt.to, got, tt.want)
		}
	}
}
