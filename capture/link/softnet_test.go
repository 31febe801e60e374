package link

import (
	"strings"
	"testing"
)

func TestParseSoftnet(t *testing.T) {
	tests := []struct {
		name, in          string
		dropped, squeezed uint64
		bad               bool
	}{
		// dropped: 0x10 + 0x2 = 18; squeezed: 0xff + 0x1 = 256
		{"two CPUs", "0000a1b2 00000010 000000ff 00000000\n00000001 00000002 00000001\n", 18, 256, false},
		{"empty", "", 0, 0, false},
		{"two columns", "00000001 00000002\n", 0, 0, true},
		{"not hexadecimal", "00000001 x 00000002\n", 0, 0, true},
		{"too wide", "00000001 1ffffffff 00000002\n", 0, 0, true},
	}
	for _, tt := range tests {
		dropped, squeezed, err := parseSoftnet(strings.NewReader(tt.in))
		if dropped != tt.dropped || squeezed != tt.squeezed || (err != nil) != tt.bad {
			t.Errorf("%s: %d, %d, %v; want %d, %d, bad %v", tt.name, dropped, squeezed, err, tt.dropped, tt.squeezed, tt.bad)
		}
	}
}
