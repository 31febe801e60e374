package render

import (
	"testing"

	"spiketop/flow"
	"spiketop/incident"
)

// TestScale: a full bar is what the person asked for (iftop's -m), else the
// link's speed, else the highest peak.
func TestScale(t *testing.T) {
	fast := &incident.LinkView{Link: flow.Link{SpeedBps: 10e9}, Peak: [2]float64{3e6, 7e6}}
	unknown := &incident.LinkView{Peak: [2]float64{3e6, 7e6}}
	tests := []struct {
		name  string
		scale float64
		link  *incident.LinkView
		want  float64
	}{
		{"speed", 0, fast, 10e9},
		{"peak where the speed is unknown", 0, unknown, 7e6},
		{"asked for", 25e9, fast, 25e9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (&View{Scale: tt.scale}).scaleOf(tt.link); got != tt.want {
				t.Errorf("full bar is %g bit/s, want %g", got, tt.want)
			}
		})
	}
}
