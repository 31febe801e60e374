package main

import (
	"strings"
	"testing"

	"spiketop/capture/link"
)

// TestEventsAreHarmless: a NIC's name may hold a C1 control (U+009B begins an
// escape sequence), which encoding/json lets through.
func TestEventsAreHarmless(t *testing.T) {
	var b strings.Builder
	e := &events{}
	e.add(&b, func(err error) { t.Error(err) })
	e.emit(linkEvent{eventHead{Event: "link"}, link.Change{Name: "e\u009b2J\u202ex", Change: "up"}})
	if s := b.String(); !strings.Contains(s, `"e\u009b2J\u202ex"`) {
		t.Errorf("%q, want the name escaped", s)
	}
}
