package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"spiketop/capture/host"
	"spiketop/flow"
)

// TestGuestsNews: what is strange about vifs is said once in a run, not whenever
// it is seen again, and not without end; and a look that tells nothing new of the
// vifs makes no World.
func TestGuestsNews(t *testing.T) {
	var said bytes.Buffer
	w := newIdleWatch(&session{diagnostics: &said, guests: guests{known: make(chan []flow.GuestNIC, 1), running: make(chan bool, 1)}})
	look := func(learned int, notes ...string) host.Look {
		return host.Look{NICs: []flow.GuestNIC{{Name: "023471", Ifindex: 7, Guest: "vm_a"}}, Notes: notes,
			Sources: []host.SourceReport{{Source: "bridge fdb", Status: host.Found, Detail: fmt.Sprint("addresses: ", learned)}}}
	}
	w.newGuests(look(1, "a"))
	generation := w.world.Generation
	w.newGuests(look(2))
	w.newGuests(look(3, "a", "b"))
	if w.world.Generation != generation {
		t.Error("a look without another vif made a World")
	}
	if got, want := said.String(), "spiketop: a\nspiketop: b\n"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	for i := range 1000 {
		w.newGuests(look(4, fmt.Sprint("note ", i)))
	}
	if n := strings.Count(said.String(), "\n"); n != mostOfGuests+1 || !strings.HasSuffix(said.String(), "spiketop doctor lists it\n") {
		t.Errorf("%d lines said, want %d and where the rest is", n, mostOfGuests+1)
	}
}
