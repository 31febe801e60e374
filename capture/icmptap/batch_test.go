package icmptap

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// What a slow receiver does not take is merged, and what is too much of it is
// told as missing.
func TestOutboxSlowReceiver(t *testing.T) {
	out := make(chan *Batch, 1)
	o := outbox{out: out}
	o.drained = 5
	o.flush(1e9, beatBusy) // the watermark alone
	for i := range maxEchoes + 1 {
		o.echo(&flow.Echo{At: flow.Time(1000 + i), VIF: 7})
	}
	o.drained = 6
	o.flush(2e9, beatBusy)
	if b := <-out; len(b.Echoes) != 0 || b.Drained != 5 {
		t.Errorf("first batch: %d echoes until %d", len(b.Echoes), b.Drained)
	}
	o.drained = 7
	o.flush(3e9, beatBusy)
	b := <-out
	if len(b.Echoes) != maxEchoes-echoesTrim+1 || b.Echoes[0].At != 1000+echoesTrim || b.Drained != 7 || o.dropped != echoesTrim {
		t.Errorf("%d echoes from %d on until %d, %d dropped", len(b.Echoes), b.Echoes[0].At, b.Drained, o.dropped)
	}
	if diff := cmp.Diff([]Gap{{From: 1000, Until: 1000 + echoesTrim}}, b.Gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

func TestOutboxBounds(t *testing.T) {
	o := outbox{out: make(chan *Batch)}
	for i := range maxGaps + 1 {
		o.gap(Gap{VIF: 1 + i, From: flow.Time(i), Until: flow.Time(10 + i), Flood: true})
	}
	want := []Gap{{From: 0, Until: 10 + maxGaps - 1, Flood: true}, {VIF: maxGaps + 1, From: maxGaps, Until: 10 + maxGaps, Flood: true}}
	if diff := cmp.Diff(want, o.pending.Gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	for i := range 10 {
		o.change(Change{VIF: 3, At: flow.Time(i), Open: i%2 == 0})
	}
	o.change(Change{VIF: 4, At: 10, Open: true})
	changes := []Change{{VIF: 3, At: 8, Open: true}, {VIF: 3, At: 9}, {VIF: 4, At: 10, Open: true}}
	if diff := cmp.Diff(changes, o.pending.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// A macvtap's device stands for the guest: what it receives is the guest's.
func TestDirection(t *testing.T) {
	for _, tt := range []struct {
		inward, outgoing bool
		want             flow.Direction
	}{{false, true, flow.Rx}, {false, false, flow.Tx}, {true, true, flow.Tx}, {true, false, flow.Rx}} {
		if got := (&tap{inward: tt.inward}).direction(tt.outgoing); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
