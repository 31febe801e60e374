package render

import (
	"math"
	"strconv"
	"strings"
	"time"

	"spiketop/incident"
)

const (
	down = "▼" // toward this host
	up   = "▲" // away
)

// arrows by flow.Direction.
var arrows = [2]string{down, up}

// speed writes a nominal speed as people say it: "10G", "2.5G", "100M".
func speed(bps float64) string {
	s := incident.Rate(bps)
	if i := len(s) - 1; i > 0 && strings.Contains(s, ".") {
		return strings.TrimRight(strings.TrimRight(s[:i], "0"), ".") + s[i:]
	}
	return s
}

// part writes a share of a link's speed as whole percent, "" if the speed is
// not known.
func part(bps float64, speedBps uint64) string {
	if speedBps == 0 || math.IsNaN(bps) || math.IsInf(bps, 0) {
		return ""
	}
	return percent(bps / float64(speedBps))
}

// percent writes a share as whole percent: a decimal that changes ten times a
// second helps nobody.
func percent(share float64) string {
	if math.IsNaN(share) || share < 0 || math.IsInf(share, 0) {
		return incident.NoValue
	}
	return strconv.Itoa(int(math.Round(math.Min(share*100, 9999)))) + "%"
}

// count groups digits by three with blanks: "1 204".
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// ms writes a duration with its unit; "?" has none.
func ms(d time.Duration) string {
	if d < 0 {
		return incident.NoValue
	}
	return incident.Ms(d) + " ms"
}

// msOf writes milliseconds of an incident with their unit.
func msOf(m *incident.Millis) string { return ms(durationOf(m)) }

func durationOf(m *incident.Millis) time.Duration {
	if m == nil || math.IsNaN(float64(*m)) || *m < 0 || *m > 1e12 {
		return -1
	}
	return time.Duration(float64(*m) * 1e6)
}

// orNaN returns the value or NaN for "unknown".
func orNaN(f *float64) float64 {
	if f == nil {
		return math.NaN()
	}
	return *f
}

// wholeMs writes a sum of 10 ms bins.
func wholeMs(m float64) string {
	return strconv.FormatFloat(m, 'f', 0, 64) + " ms"
}
