package incident

import "testing"

// TestMarkdownNoise: what carries nothing and is not known to do so as a rule has
// no figures.
func TestMarkdownNoise(t *testing.T) {
	n := func(v float64) *float64 { return &v }
	for _, tt := range []struct {
		name   string
		rx, tx ClassDir
		want   string
	}{
		{"both", ClassDir{Share: n(0.84), BaselineShare: n(0.4)}, ClassDir{Share: n(0.57), BaselineShare: n(0.5)}, "classes: storage in 84% (usual 40%) out 57% (usual 50%)"},
		{"no baseline", ClassDir{Share: n(0.84)}, ClassDir{Share: n(0.57)}, "classes: storage in 84% out 57%"},
		{"one direction", ClassDir{Share: n(0.84)}, ClassDir{Share: n(0)}, "classes: storage in 84%"},
		{"it has stopped", ClassDir{Share: n(0), BaselineShare: n(0.4)}, ClassDir{BaselineShare: n(0)}, "classes: storage in 0% (usual 40%)"},
		{"nothing", ClassDir{Share: n(0)}, ClassDir{}, ""},
	} {
		got := ""
		for _, line := range mdClasses(&Incident{Classes: []ClassPart{{"storage", tt.rx, tt.tx}}}) {
			got += line
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	for _, tt := range []struct {
		name string
		fed  FedBy
		want string
	}{
		{"writes", FedBy{"vm_b", 2.21e9, n(2.2e9), 0, n(0)}, "vm_b write 2.21G (+2.20G)"},
		{"has stopped", FedBy{"vm_b", 0, n(-1e6), 3e6, n(1e5)}, "vm_b write 0 (-1.00M) read 3.00M (+100k)"},
		{"no baseline", FedBy{"vm_b", 1e5, nil, 0, nil}, "vm_b write 100k"},
		{"idle", FedBy{"vm_b", 0, n(0), 0, nil}, "vm_b idle"},
	} {
		if got := mdDisks(&StoragePart{FedBy: []FedBy{tt.fed}}); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
