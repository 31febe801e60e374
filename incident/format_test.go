package incident

import (
	"math"
	"testing"
	"time"
	"unicode/utf8"
)

func TestRate(t *testing.T) {
	tests := []struct {
		name string
		bps  float64
		want string
	}{
		{"nothing", 0, "0"},
		{"negative zero", math.Copysign(0, -1), "0"},
		{"less than a bit a second is not nothing", 0.4, "<1b"},
		{"still less than one", 0.9, "<1b"},
		{"one", 1, "1b"},
		{"below the first unit", 812, "812b"},
		{"999.4 rounds down", 999.4, "999b"},
		{"999.5 rounds to 1000 = 1.00 k", 999.5, "1.00k"},
		{"1000", 1000, "1.00k"},
		{"three digits, two decimals", 6.81e9, "6.81G"},
		{"9.994 k", 9994, "9.99k"},
		{"9.995 k rounds to 10.0 k", 9995, "10.0k"},
		{"three digits, one decimal", 61.3e6, "61.3M"},
		{"99.94 M", 99.94e6, "99.9M"},
		{"99.95 M rounds to 100 M", 99.95e6, "100M"},
		{"three digits, none", 210e6, "210M"},
		{"under a unit is the unit below: 0.90 M = 900 k", 0.9e6, "900k"},
		{"999.4 M", 999.4e6, "999M"},
		{"999.5 M rounds to 1.00 G", 999.5e6, "1.00G"},
		{"a full 400G port", 400e9, "400G"},
		{"tera", 1.6e12, "1.60T"},
		{"1e15", 1e15, "1.00P"},
		{"exa", 2.5e18, "2.50E"},
		{"999 E", 999e18, "999E"},
		{"beyond the last prefix", 1e21, ">999E"},
		{"the largest float", math.MaxFloat64, ">999E"},
		{"less", -6.6e9, "-6.60G"},
		{"not a number", math.NaN(), "?"},
		{"infinite", math.Inf(1), "?"},
		{"minus infinite", math.Inf(-1), "?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Rate(tt.bps)
			if got != tt.want {
				t.Errorf("Rate(%v) = %q, want %q", tt.bps, got, tt.want)
			}
			if tt.bps >= 0 && utf8.RuneCountInString(got) > 5 {
				t.Errorf("Rate(%v) = %q is wider than five characters", tt.bps, got)
			}
		})
	}
}

func TestChange(t *testing.T) {
	for _, tt := range []struct {
		bps  float64
		want string
	}{{6.6e9, "+6.60G"}, {-1.2e6, "-1.20M"}, {0, "0"}, {0.2, "<1b"}, {999.5, "+1.00k"}, {math.NaN(), "?"}, {math.Inf(1), "?"}} {
		if got := Change(tt.bps); got != tt.want {
			t.Errorf("Change(%v) = %q, want %q", tt.bps, got, tt.want)
		}
	}
}

func TestBytes(t *testing.T) {
	for _, tt := range []struct {
		n    uint64
		want string
	}{
		{0, "0"},
		{1, "1B"},
		{999, "999B"},
		{1000, "1.00kB"},
		{1500, "1.50kB"},
		{9994, "9.99kB"},
		{123456789, "123MB"},                   // 123.456789
		{6_810_000_000, "6.81GB"},              //
		{math.MaxUint64, "18.4EB"},             // 18 446 744 073 709 551 615
		{999_400_000_000_000_000, "999PB"},     // 999.4 P
		{999_500_000_000_000_000, "1.00EB"},    // 999.5 P
		{1_000_000_000_000_000_000, "1.00EB"},  //
		{10_000_000_000_000_000_000, "10.0EB"}, //
	} {
		got := Bytes(tt.n)
		if got != tt.want {
			t.Errorf("Bytes(%d) = %q, want %q", tt.n, got, tt.want)
		}
		if len(got) > 6 {
			t.Errorf("Bytes(%d) = %q is wider than six characters", tt.n, got)
		}
	}
}

func TestMs(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0"},
		{400 * time.Nanosecond, "0.000"}, // under the resolution that the files keep
		{time.Microsecond, "0.001"},
		{21 * time.Microsecond, "0.021"},
		{99_400 * time.Nanosecond, "0.099"},
		{99_500 * time.Nanosecond, "0.10"},
		{210 * time.Microsecond, "0.21"},
		{9990 * time.Microsecond, "9.99"},
		{61_300 * time.Microsecond, "61.30"},
		{99_990 * time.Microsecond, "99.99"},
		{99_995 * time.Microsecond, "100.0"},
		{120_400 * time.Microsecond, "120.4"},
		{999_900 * time.Microsecond, "999.9"},
		{999_950 * time.Microsecond, "1000"},
		{2 * time.Second, "2000"},
		{99 * time.Second, "99000"},
		{-1, "?"}, // probe.None
		{math.MinInt64, "?"},
	} {
		if got := Ms(tt.d); got != tt.want {
			t.Errorf("Ms(%d) = %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		ratio float64
		want  string
	}{
		{0, "0%"}, {0.0001, "<0.1%"}, {0.001, "0.1%"}, {0.025, "2.5%"}, {0.0994, "9.9%"},
		{0.0995, "10%"}, {0.97, "97%"}, {0.984, "98%"}, {0.99, "99.0%"}, {0.998, "99.8%"}, {0.99999, "99.9%"},
		{1, "100%"}, {1.02, "102%"}, {-0.1, "?"}, {math.NaN(), "?"}, {math.Inf(1), "?"},
	} {
		if got := Percent(tt.ratio); got != tt.want {
			t.Errorf("Percent(%v) = %q, want %q", tt.ratio, got, tt.want)
		}
	}
}
