package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/capture/icmptap"
	"spiketop/flow"
)

// told writes down what a vifConsumer is told.
type told []string

func (l *told) VIFEchoes(list []flow.Echo) { *l = append(*l, fmt.Sprintf("%d echoes", len(list))) }
func (l *told) VIFLost(vif int, from, to flow.Time) {
	*l = append(*l, fmt.Sprintf("lost %d %d %d", vif, from, to))
}
func (l *told) VIFDrained(upTo flow.Time) { *l = append(*l, fmt.Sprintf("drained %d", upTo)) }

// The watermark comes last: what it covers has been told by then, also that a
// vif was not tapped before and is no more.
func TestHandVIFs(t *testing.T) {
	var got told
	handVIFs(&got, &icmptap.Batch{
		Echoes:  make([]flow.Echo, 2),
		Gaps:    []icmptap.Gap{{VIF: 7, From: 1, Until: 5, Flood: true}, {From: 2, Until: 3}},
		Changes: []icmptap.Change{{VIF: 8, At: 100, Open: true}, {VIF: 9, At: 200}},
		Drained: 300,
	})
	ten := int64(10 * time.Second)
	want := told{"2 echoes", "lost 7 1 5", "lost 0 2 3", fmt.Sprint("lost 8 ", 100-ten, " 100"), fmt.Sprint("lost 9 200 ", 200+ten), "drained 300"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestTapTrouble(t *testing.T) {
	refused := errors.New("tap of vif vif_a: refused")
	for _, tt := range []struct {
		name string
		vifs []icmptap.VIFStats
		want string
	}{
		{"none", []icmptap.VIFStats{{Open: true}, {}}, "<nil>"},
		{"one", []icmptap.VIFStats{{Open: true}, {Err: refused}}, "tap of vif vif_a: refused"},
		{"three", []icmptap.VIFStats{{Err: refused}, {Err: errors.New("x")}, {Err: errors.New("y")}}, "tap of vif vif_a: refused (and 2 more)"},
	} {
		if got := fmt.Sprint(tapTrouble(icmptap.Stats{VIFs: tt.vifs})); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
