package nic

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// The fixtures are "name: value" as ethtool -S prints them, with values made up so
// that a name taken wrongly changes the sum.
func TestDrivers(t *testing.T) {
	known := func(what ...flow.NICCount) (k [flow.NICCounts]bool) {
		for _, w := range what {
			k[w] = true
		}
		return k
	}
	const missed, buffer, fifo, rx, tx = flow.NICMissed, flow.NICNoBuffer, flow.NICFifo, flow.NICPauseRx, flow.NICPauseTx
	tests := []struct {
		driver string
		known  [flow.NICCounts]bool
		count  [flow.NICCounts]uint64 // missed, no buffer, fifo, pause rx, pause tx
	}{
		// rx_pause: global 30 + prio0 1 + prio3 2 = 33, not rx_pause_ctrl_phy's 33 again, nor the durations
		{"mlx5", known(missed, buffer, rx, tx), [...]uint64{5, 1204, 0, 33, 44}},
		// rx: 7 + pb0 1 + pb1 2 = 10; XON frames are not counted
		{"ixgbe", known(missed, buffer, fifo, rx, tx), [...]uint64{12, 34, 3, 10, 8}},
		// tx: link 4 + priority 0 and 7: 1 + 2
		{"i40e", known(missed, buffer, rx, tx), [...]uint64{77, 3, 0, 6, 7}},
		{"ice", known(missed, buffer, rx, tx), [...]uint64{41, 5, 0, 9, 2}},
		{"bnxt", known(missed, buffer, rx, tx), [...]uint64{23, 4, 0, 11, 12}},
		{"bnxt-old", known(missed, rx, tx), [...]uint64{23, 0, 0, 11, 12}},
		{"igb", known(missed, buffer, fifo, rx, tx), [...]uint64{1, 812, 9, 3, 4}},
		{"virtio", known(), [flow.NICCounts]uint64{}},
		{"virtio-device", known(buffer), [...]uint64{0, 30, 0, 0, 0}}, // 10 + 20 of two queues
		{"veth", known(), [flow.NICCounts]uint64{}},
	}
	for _, tt := range tests {
		t.Run(tt.driver, func(t *testing.T) {
			names, values := readFixture(t, tt.driver)
			var got flow.NICStats
			p := find(names)
			p.sum(values, &got)
			if diff := cmp.Diff(flow.NICStats{Known: tt.known, Count: tt.count}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func readFixture(t *testing.T, driver string) (names []string, values []uint64) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + driver + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		i := strings.LastIndex(line, ": ")
		var v uint64
		if i < 0 {
			t.Fatalf("fixture %s: %q", driver, line)
		}
		if _, err := fmt.Sscan(line[i+2:], &v); err != nil {
			t.Fatal(err)
		}
		names, values = append(names, strings.TrimSpace(line[:i])), append(values, v)
	}
	return names, values
}

func TestLike(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"rx_pause", "rx_pause", true}, {"rx_pause", "rx_pauses", false}, {"rx_pause", "rx_paus", false}, {"", "", true}, {"", "x", false},
		{"rx_prio#_pause", "rx_prio0_pause", true}, {"rx_prio#_pause", "rx_prio12_pause", true}, {"rx_prio#_pause", "rx_prio_pause", false},
		{"rx_prio#_pause", "rx_prio3_pause_duration", false}, {"#", "7", true}, {"#", "", false}, {"#x", "1", false},
	} {
		if got := like(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%q, %q: %v", tt.pattern, tt.name, got)
		}
	}
}

func TestSumOfFewerValues(t *testing.T) {
	p := find([]string{"rx_out_of_buffer", "rx_global_pause"})
	var s flow.NICStats
	p.sum([]uint64{4}, &s)
	if !s.Known[flow.NICNoBuffer] || s.Count[flow.NICNoBuffer] != 4 || s.Known[flow.NICPauseRx] {
		t.Errorf("%+v: a value that is missing is not known", s)
	}
}

// FuzzAnswers: whatever a driver writes into the answers, nothing is read behind
// them.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("0000\x01\x00\x00\x00\x02\x00\x00\x00rx_out_of_buffer"))
	f.Add([]byte("00000000\xff\xff\xff\xff"))
	f.Add([]byte("0000\xff\xff\xff\xff12345678"))
	f.Fuzz(func(t *testing.T, b []byte) {
		names := parseStrings(b)
		if len(names)*nameLen > len(b) {
			t.Fatalf("%d names in %d bytes", len(names), len(b))
		}
		values := parseStats(b, nil)
		if len(values)*8 > len(b) {
			t.Fatalf("%d values in %d bytes", len(values), len(b))
		}
		p := find(names)
		p.sum(values, &flow.NICStats{})
	})
}
