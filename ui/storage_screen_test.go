package ui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"spiketop/incident"
	"spiketop/ui/render"
)

// storageHost is a host with storage, vifs and disks; its incident has all that
// can be said of them. Window of 0.9 s: 1.027 GB x 8 / 0.9 = 9.13 Gbit/s.
func storageHost(k fake) fake {
	k.change = func(f *incident.Frame) {
		f.Carried = incident.Carried{Storage: [2]float64{9.13e9, 1.21e9}, HasStorage: true, VIFs: 12, VIF: [2]float64{212e6, 190e6}, Share: 0.102}
		if f.Frozen == nil {
			return
		}
		in := *f.Frozen
		in.Storage = &incident.StoragePart{InBytes: 1_027_000_000, OutBytes: 2_054_000_000, InBps: 9.13e9, OutBps: 18.3e9, BaselineInBps: p(0.52e9), BaselineOutBps: p(0.41e9),
			Amplification: p(2.0), BaselineAmplification: p(0.79),
			Writes: incident.StorageWay{StorageBytes: incident.StorageBytes{InBytes: 1_000_000_000, OutBytes: 2_050_000_000}, Amplification: p(2.05)},
			Reads:  incident.StorageWay{StorageBytes: incident.StorageBytes{InBytes: 27_000_000, OutBytes: 4_000_000}},
			Chains: []incident.ChainPart{{In: incident.ChainFlow{Link: "eth0", Proto: "tcp", Local: "10.1.16.165:9422", Remote: "10.1.16.71:40112", Bytes: 760_000_000},
				Out: []incident.ChainFlow{{Link: "eth1", Proto: "tcp", Local: "10.1.16.165:41822", Remote: "10.1.16.73:9422", Bytes: 761_000_000, Ratio: p(1.0), Correlation: p(0.97)},
					{Link: "eth0", Proto: "tcp", Local: "10.1.16.165:41830", Remote: "10.1.16.72:9422", Bytes: 759_000_000, Ratio: p(1.0), Correlation: p(0.95)}}, Replicas: 3, Slots: 57}},
			FedBy: []incident.FedBy{{VM: "vm_b", WriteBps: 2.21e9, WriteDeltaBps: p(2.2e9), ReadDeltaBps: p(0.0)},
				{VM: "vm_a", WriteBps: 1e6, WriteDeltaBps: p(0.0), ReadBps: 1e6, ReadDeltaBps: p(0.0)}},
			WirePerWritten: p(3.0)}
		in.VIFs = []incident.VIFPart{{VIF: "023472", VM: "vm_b", RxBps: 150e6, RxBaselineBps: p(1e6), TxBps: 10e6, TxBaselineBps: p(9e6), TxDropped: 120},
			{VIF: "023471", VM: "vm_a", RxBps: 62e6, RxBaselineBps: p(60e6), TxBps: 180e6, TxBaselineBps: p(181e6)}}
		in.VIFSum = &incident.VIFSum{VIFs: 12, Seconds: 2, RxBytes: 53_000_000, TxBytes: 47_500_000, LinkBytes: 985_000_000, Share: p(0.102), BaselineShare: p(0.41)}
		f.Frozen = &in
		for i := range f.Incidents {
			if f.Incidents[i].Sealed != nil && f.Incidents[i].Number == in.Number {
				f.Incidents[i].Sealed = &in
			}
		}
	}
	return k
}

func TestStorageScreens(t *testing.T) {
	k := storageHost(fake{links: 2, rows: 24, targets: 2})
	hit := storageHost(fake{links: 2, rows: 24, targets: 2, burst: 9, number: 3})
	for _, tt := range []struct {
		name   string
		frames []*incident.Frame
		keys   []any
	}{
		{"storage-live", []*incident.Frame{k.frame(0)}, nil},
		{"storage-frozen", []*incident.Frame{k.frame(0), hit.frame(1)}, nil},
		{"storage-snapshot", []*incident.Frame{k.frame(0), hit.frame(1)}, []any{tcell.KeyEnter}},
	} {
		for _, size := range [][2]int{{80, 24}, {100, 30}, {120, 40}, {160, 48}} {
			name := fmt.Sprintf("%s-%dx%d.screen", tt.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				_, got := drive(tt.frames, size[0], size[1], tt.keys...)
				golden(t, name, got)
			})
		}
	}
}

// The screen.txt of an incident with storage keeps every flow and every fact.
func TestStorageSnapshotText(t *testing.T) {
	f := storageHost(fake{links: 2, rows: 24, targets: 2, burst: 9, number: 3}).frame(0)
	for _, width := range []int{80, 140} {
		var b strings.Builder
		if err := render.SnapshotText(&b, f, f.Frozen, width); err != nil {
			t.Fatal(err)
		}
		golden(t, fmt.Sprintf("storage-screen-%d.txt", width), b.String())
		for _, want := range []string{"fed by vm_b: write +2.20G", "1 in -> 2 out: three replicas", "1 : 2.0", "10%"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("width %d: %q is missing", width, want)
			}
		}
	}
}

// Names of VMs and vifs come from outside, as do the numbers of a file.
func TestStorageScreensStayClean(t *testing.T) {
	const evil = "\x1b]0;owned\a\x1b[2J日本\u202eabc\ne\u0301[:::http://evil/]x"
	k := storageHost(fake{links: 2, rows: 24, targets: 2, burst: 9, number: 3})
	f := k.frame(1)
	s := *f.Frozen.Storage
	s.FedBy = []incident.FedBy{{VM: strings.Repeat(evil, 30), WriteBps: 9e18, WriteDeltaBps: p(9e18), ReadDeltaBps: p(-9e18)}}
	s.Chains = []incident.ChainPart{{In: incident.ChainFlow{Remote: evil, Local: evil}, Out: []incident.ChainFlow{{Remote: evil}, {Remote: evil}}, Replicas: -1 << 60}, {}}
	f.Frozen.Storage = &s
	f.Frozen.VIFs[0].VIF, f.Frozen.VIFs[0].VM = evil, strings.Repeat(evil, 50)
	for _, keys := range [][]any{nil, {tcell.KeyEnter}} {
		for _, size := range [][2]int{{60, 15}, {80, 24}, {100, 30}, {120, 40}, {400, 120}} {
			_, text := drive([]*incident.Frame{fake{links: 2}.frame(0), f}, size[0], size[1], keys...)
			for _, l := range strings.Split(text, "\n") {
				for _, r := range l {
					if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' {
						t.Fatalf("%v keys %v: %q", size, keys, l)
					}
				}
			}
		}
	}
}
