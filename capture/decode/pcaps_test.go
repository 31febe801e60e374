package decode

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"spiketop/flow"
)

// pcapsDir holds real captures where the project is developed; elsewhere the
// test is skipped.
const pcapsDir = "../../../shared/pcaps"

// Real captures mean the same to Decode and to gopacket.
func TestPcapsAgainstGopacket(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(pcapsDir, "*.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no captures beside the repository")
	}
	compared := 0
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := pcapgo.NewReader(f)
			if err != nil || r.LinkType() != layers.LinkTypeEthernet {
				t.Skipf("no Ethernet capture: %v", err)
			}
			compared += comparePcap(t, r)
		})
	}
	t.Logf("%d frames compared", compared)
	if compared == 0 {
		t.Error("there are captures, but no frame was compared")
	}
}

func comparePcap(t *testing.T, r *pcapgo.Reader) (frames int) {
	ref := &reference{firsts: map[firstKey]flow.Key{}}
	d := New(Config{Fragments: maxFragments, FragmentTimeout: 1 << 62})
	for ; ; frames++ {
		data, ci, err := r.ReadPacketData()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Logf("the file ends after %d frames: %v", frames, err)
			}
			return frames
		}
		m := Meta{At: flow.Time(frames), Dir: flow.Tx, Len: uint32(ci.Length)}
		want, got := ref.read(data, m.Dir), d.opinion(data, &m)
		if !realAgrees(&want, &got) {
			t.Errorf("frame %d (-gopacket +decode):\n%s% x", frames+1,
				cmp.Diff(want, got, cmp.AllowUnexported(opinion{})), data[:min(len(data), 128)])
		}
	}
}

// realAgrees is equality as far as gopacket could read the frame.
func realAgrees(want, got *opinion) bool {
	if want.network != got.network || want.key.Local != got.key.Local || want.key.Remote != got.key.Remote || want.key.VLAN != got.key.VLAN {
		return false
	}
	if !want.network {
		return want.key.LocalPort == got.key.LocalPort
	}
	return !want.upper || want.key == got.key && cmp.Equal(want.echo, got.echo)
}
