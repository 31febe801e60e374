package render

import (
	"strings"
	"testing"

	"spiketop/incident"
)

// TestLegSpans: a VM's echo is shown point by point, the longest leg marked,
// whatever the points are called.
func TestLegSpans(t *testing.T) {
	in := &incident.Incident{Path: incident.PathPart{VerdictSegment: incident.SegmentVirtual, Legs: []incident.PathLeg{
		{From: "023471", To: "eth0", Took: 0.02}, {From: "eth0", To: "eth1", Took: 0.2}, {From: "eth1", To: "02\x1b3471", Took: 150}}}}
	var b strings.Builder
	marked := ""
	for _, s := range pathSpans(in) {
		b.WriteString(s.text)
		if s.st.Fg == Alarm {
			marked += s.text
		}
	}
	const want = "path   023471 ─ 0.020 ─ eth0 ─ 0.20 ─ eth1 ═ 150.0 ═ 02\uFFFD3471   ms   the delay lies in: virtual network"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
	if marked != "═ 150.0 ═" {
		t.Errorf("marked: %q", marked)
	}
}
