package render

import (
	"testing"
	"time"

	"spiketop/incident"
)

// TestStripMarks: a spike of this host has a letter that a spike of the network
// has not; what became of the echo counts before where it waited.
func TestStripMarks(t *testing.T) {
	late := incident.PingCell{Due: true, Worst: 120 * time.Millisecond, Mark: true, Freeze: true}
	tests := []struct {
		name string
		edit func(*incident.PingCell)
		want rune
	}{
		{"the network", func(*incident.PingCell) {}, ' '},
		{"the output queue", func(p *incident.PingCell) { p.Queue = true }, 'q'},
		{"a late wake-up", func(p *incident.PingCell) { p.Wake, p.Worst, p.Freeze, p.Mark = true, time.Millisecond, false, false }, 'w'},
		{"this process", func(p *incident.PingCell) { p.Self, p.Queue = true, true }, 's'},
		{"lost", func(p *incident.PingCell) { p.Lost, p.Queue, p.Wake = true, true, true }, 'x'},
		{"nothing due", func(p *incident.PingCell) { p.Due, p.Queue = false, true }, ' '},
	}
	for _, tt := range tests {
		p := late
		tt.edit(&p)
		c := NewCanvas(1, 8)
		drawPing(c, 0, rect{0, 0, 1, 8}, &p, 5, 1) // from 0.1 ms, a row for each decade: 120 ms take four rows
		if got := c.At(0, 0).Rune; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
