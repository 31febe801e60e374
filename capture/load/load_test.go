package load

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

func TestRead(t *testing.T) {
	const stat = "cpu  10 0 20 300 4 0 1 250 0 0\ncpu0 5 0 10 150 2 0 1 240 0 0\ncpu1 5 0 10 150 2 0 0 10 0 0\nintr 12 0 1 2\nctxt 9\nprocs_running 3\nprocs_blocked 1\n"
	tests := []struct {
		name, stat, psi string
		want            flow.HostLoad
		bad             bool
	}{
		// steal 250 ticks of 10 ms; total 1 234 567 us
		{"all", stat, "some avg10=1.00 avg60=0.50 avg300=0.10 total=1234567\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n",
			flow.HostLoad{CPUs: 2, HasSteal: true, Steal: 2500 * time.Millisecond, StealBy: []time.Duration{2400 * time.Millisecond, 100 * time.Millisecond}, HasPSI: true, Stalled: 1234567 * time.Microsecond, Running: 3}, false},
		{"no PSI", stat, "", flow.HostLoad{CPUs: 2, HasSteal: true, Steal: 2500 * time.Millisecond, StealBy: []time.Duration{2400 * time.Millisecond, 100 * time.Millisecond}, Running: 3}, false},
		{"no steal column", "cpu 1 2 3 4 5 6 7\ncpu0 1 2 3 4 5 6 7\n", "full total=1\n", flow.HostLoad{CPUs: 1}, false},
		{"not a number", "cpu 1 2 3 4 5 6 7 x\n", "", flow.HostLoad{}, true},
		{"negative", "cpu 1 2 3 4 5 6 7 -8\n", "", flow.HostLoad{}, true},
		{"empty", "", "", flow.HostLoad{}, true},
		{"PSI not a number", "cpu 1 2 3 4 5 6 7 8\n", "some total=-1\n", flow.HostLoad{HasSteal: true, Steal: 80 * time.Millisecond}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("stat", tt.stat)
			if tt.psi != "" {
				if err := os.Mkdir(filepath.Join(dir, "pressure"), 0o700); err != nil {
					t.Fatal(err)
				}
				write("pressure/cpu", tt.psi)
			}
			got, err := Read(dir)
			if (err != nil) != tt.bad {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" && !tt.bad {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
}

func TestReadThisHost(t *testing.T) {
	l, err := Read("/proc")
	if err != nil {
		t.Skip(err)
	}
	if l.CPUs < 1 || l.Running < 1 {
		t.Errorf("%+v: this test runs on a CPU", l)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("cpu 1 2 3 4 5 6 7 8\ncpu0\nprocs_running 99999999999\n"))
	f.Add([]byte("some total=18446744073709551615\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l flow.HostLoad
		_ = parseStat(b, &l)
		d, ok := parsePressure(b)
		if l.Steal < 0 || d < 0 || !ok && d != 0 || l.Running < 0 {
			t.Fatalf("%+v, %v", l, d)
		}
	})
}
