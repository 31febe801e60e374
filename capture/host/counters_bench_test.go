package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"spiketop/flow"
	"spiketop/testdata/netlab"
)

// BenchmarkSampler reads the counters of 200 vifs, once a second in the program:
// as it does, and as files of /sys, which is where a script would look.
func BenchmarkSampler(b *testing.B) {
	const vifs = 200
	ns := netlab.NewNS(b, "counters")
	var batch strings.Builder
	for i := range vifs / 2 {
		fmt.Fprintf(&batch, "link add vif%d type veth peer name vif%d\n", i, vifs/2+i)
	}
	file := filepath.Join(b.TempDir(), "links")
	if err := os.WriteFile(file, []byte(batch.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	netlab.Run(b, "ip", "-n", ns.Name, "-batch", file)
	var s *Sampler
	var nics []flow.GuestNIC
	err := ns.Do(func() (err error) {
		if s, err = NewSampler(); err != nil {
			return err
		}
		list, err := s.netlink.devices()
		for _, d := range list {
			if strings.HasPrefix(d.name, "vif") {
				nics = append(nics, flow.GuestNIC{Name: d.name, Ifindex: d.ifindex, Kind: "veth"})
			}
		}
		return err
	})
	if err != nil || len(nics) != vifs {
		b.Fatalf("%d vifs, %v", len(nics), err)
	}
	defer s.Close()
	b.Run("netlink", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if c, err := s.Read(1, nics); err != nil || len(c) != vifs {
				b.Fatalf("%d vifs, %v", len(c), err)
			}
		}
	})
	b.Run("sysfs", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sum := uint64(0)
			for range vifs { // this namespace's own device stands for all: the cost is that of the files
				for _, name := range [...]string{"rx_bytes", "tx_bytes", "rx_dropped", "tx_dropped"} {
					text, err := os.ReadFile("/sys/class/net/lo/statistics/" + name)
					if err != nil {
						b.Fatal(err)
					}
					n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
					sum += n
				}
			}
		}
	})
}
